"""What a tongue asked for a moment ago: bounded, short-lived, fetched once however many wait for it.

Rule 1: a caller that gives up spoils nothing for the others; a failure is told to all waiting, then forgotten.
Rule 2: never more than `size` things, none older than `life` seconds.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Generic, TypeVar

from connectors.errors import TimedOut

T = TypeVar("T")
Make = Callable[[list[str]], Awaitable[Mapping[str, T]]]


class Recent(Generic[T]):
    """Things by name; what is missing is made in one call, `flight` seconds at most."""

    def __init__(self, size: int, life: float, flight: float = 30.0) -> None:
        self._size, self._life, self._flight = size, life, flight
        self._kept: OrderedDict[str, tuple[float, T]] = OrderedDict()
        self._under_way: dict[str, asyncio.Task[Mapping[str, T]]] = {}

    async def get(self, names: Iterable[str], make: Make[T], within: float) -> dict[str, T]:
        """The things of these names; those `make` does not return are absent. Raises what `make` raises."""
        wanted = list(dict.fromkeys(names))
        found = {name: thing for name in wanted if (thing := self._fresh(name)) is not None}
        missing = [name for name in wanted if name not in found and name not in self._under_way]
        if missing:
            self._start(missing, make)
        tasks = {self._under_way[name] for name in wanted if name not in found}
        try:
            async with asyncio.timeout(within):
                for made in [await asyncio.shield(task) for task in tasks]:
                    found |= {name: made[name] for name in wanted if name in made}
        except TimeoutError:
            raise TimedOut(f"no answer within {within:g} s") from None
        return found

    def drop(self, name: str, thing: T) -> None:
        """Forget this thing, unless another has taken its place meanwhile."""
        if self._kept.get(name, (0.0, None))[1] is thing:
            del self._kept[name]

    async def aclose(self) -> None:
        """End what is under way."""
        tasks = set(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _fresh(self, name: str) -> T | None:
        until, thing = self._kept.get(name, (0.0, None))
        if thing is None or until <= asyncio.get_running_loop().time():
            self._kept.pop(name, None)
            return None
        self._kept.move_to_end(name)
        return thing

    def _start(self, names: list[str], make: Make[T]) -> None:
        task = asyncio.create_task(self._made(names, make))
        self._under_way |= dict.fromkeys(names, task)

        def landed(done: asyncio.Task[Mapping[str, T]]) -> None:
            for name in names:
                self._under_way.pop(name, None)
            if not done.cancelled():
                done.exception()  # looked at, even if every caller has given up

        task.add_done_callback(landed)

    async def _made(self, names: list[str], make: Make[T]) -> Mapping[str, T]:
        try:
            async with asyncio.timeout(self._flight):
                made = await make(names)
        except TimeoutError:
            raise TimedOut(f"no answer within {self._flight:g} s") from None
        until = asyncio.get_running_loop().time() + self._life
        for name, thing in made.items():
            self._kept[name] = (until, thing)
        while len(self._kept) > self._size:
            self._kept.popitem(last=False)
        return made
