"""What a tongue asked for a moment ago: bounded, short-lived, fetched once however many wait for it.

Rule 1: a caller that gives up spoils nothing for others; a failure is told to all waiting, then forgotten.
Rule 2: never more than `size` things, none older than `life` seconds.
Rule 3: a thing whose records go out carries the moment when it was read; this file does not know it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Generic, TypeVar

from connectors.deadline import in_time
from connectors.flight import Flight

T = TypeVar("T")
Make = Callable[[list[str]], Awaitable[Mapping[str, T]]]


class Recent(Generic[T]):
    """Things by name; what is missing is made in one call, `flight` seconds at most."""

    def __init__(self, size: int, life: float, flight: float = 30.0) -> None:
        self._size, self._life, self._longest = size, life, flight
        self._kept: OrderedDict[str, tuple[float, T]] = OrderedDict()
        self._flight = Flight()

    async def get(self, names: Iterable[str], make: Make[T], within: float) -> dict[str, T]:
        """The things of these names; those `make` does not return are absent. Raises what `make` raises."""
        wanted = list(dict.fromkeys(names))
        found = {name: thing for name in wanted if (thing := self._fresh(name)) is not None}
        missing = [name for name in wanted if name not in found]
        new = [name for name in missing if name not in self._flight]
        if new:
            self._flight.launch(new, self._made(new, make))
        tasks: set[asyncio.Task[Mapping[str, T]]] = {self._flight[name] for name in missing}
        async with in_time(within, "no answer"):
            for made in [await asyncio.shield(task) for task in tasks]:
                found |= {name: made[name] for name in missing if name in made}
        return found

    def drop(self, name: str, thing: T) -> None:
        """Forget this thing, unless another has taken its place meanwhile."""
        if self._kept.get(name, (0.0, None))[1] is thing:
            del self._kept[name]

    async def aclose(self) -> None:
        """End what is under way."""
        await self._flight.aclose()

    def _fresh(self, name: str) -> T | None:
        until, thing = self._kept.get(name, (0.0, None))
        if thing is None or until <= asyncio.get_running_loop().time():
            self._kept.pop(name, None)
            return None
        self._kept.move_to_end(name)
        return thing

    async def _made(self, names: list[str], make: Make[T]) -> Mapping[str, T]:
        async with in_time(self._longest, "no answer"):
            made = await make(names)
        until = asyncio.get_running_loop().time() + self._life
        for name, thing in made.items():
            self._kept[name] = (until, thing)
        while len(self._kept) > self._size:
            self._kept.popitem(last=False)
        return made
