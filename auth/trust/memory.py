"""What was found out, for as long as it holds: bounded, and worked out once for all who ask at a time.

Rule: refusals are kept apart, so that a flood of strangers pushes out nobody who is known.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from auth.trust.errors import Distrusted

T = TypeVar("T")
MOST = 2048


class Memory(Generic[T]):
    """Values by name. `clock` gives seconds since 1970; `refusals`: seconds that a `Distrusted` is
    remembered, so that nobody makes us ask the world at will."""

    def __init__(self, clock: Callable[[], float], *, refusals: float, most: int = MOST) -> None:
        self._clock, self._refusals, self._most = clock, refusals, most
        self._kept: OrderedDict[str, tuple[float, T]] = OrderedDict()
        self._refused: OrderedDict[str, tuple[float, Distrusted]] = OrderedDict()
        self._flying: dict[str, asyncio.Task[T]] = {}

    async def get(self, name: str, make: Callable[[], Awaitable[tuple[T, float]]]) -> T:
        """The value of that name; `make` gives it with the time until which it holds. What `make` raises is
        raised for all who wait."""
        now = self._clock()
        if (kept := self._kept.get(name)) is not None and now < kept[0]:
            self._kept.move_to_end(name)
            return kept[1]
        if (refused := self._refused.get(name)) is not None and now < refused[0]:
            raise refused[1].again()
        task = self._flying.get(name)
        if task is None:
            task = self._flying[name] = asyncio.create_task(self._made(name, make))
            task.add_done_callback(lambda done: self._land(name, done))
        return await asyncio.shield(task)

    def known(self, name: str) -> T | None:
        """The value if it is remembered and holds; nothing is asked."""
        kept = self._kept.get(name)
        return kept[1] if kept is not None and self._clock() < kept[0] else None

    def forget(self) -> None:
        """Forget everything."""
        self._kept.clear()
        self._refused.clear()

    async def _made(self, name: str, make: Callable[[], Awaitable[tuple[T, float]]]) -> T:
        try:
            value, until = await make()
        except Distrusted as refusal:
            _keep(self._refused, name, (self._clock() + self._refusals, refusal), self._most)
            raise
        self._refused.pop(name, None)
        _keep(self._kept, name, (until, value), self._most)
        return value

    def _land(self, name: str, task: asyncio.Task[T]) -> None:
        self._flying.pop(name, None)
        if not task.cancelled():
            task.exception()  # seen, also when everybody who waited has left

    async def aclose(self) -> None:
        """End what is under way."""
        tasks = list(self._flying.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


V = TypeVar("V")


def _keep(kept: OrderedDict[str, V], name: str, value: V, most: int) -> None:
    kept[name] = value
    kept.move_to_end(name)
    while len(kept) > most:
        kept.popitem(last=False)
