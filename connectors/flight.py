"""One task a name: who asks while it runs waits for the same one, and may leave without ending it.

Rule: a failure is told to all who wait, then forgotten; the next who asks begins anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


class Flight:
    """Tasks under way, by name; `aclose` ends them all."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[Any]] = {}

    def __contains__(self, name: str) -> bool:
        """Whether a task of that name is under way."""
        return name in self._tasks

    def __getitem__(self, name: str) -> asyncio.Task[Any]:
        """The task of that name; KeyError if none is under way."""
        return self._tasks[name]

    async def join(self, name: str, start: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The outcome of the task of that name, begun by `start` unless it is under way."""
        return await asyncio.shield(self.begin(name, start))

    def begin(self, name: str, start: Callable[[], Coroutine[Any, Any, T]]) -> asyncio.Task[T]:
        """The task of that name, begun now unless it is under way; nobody needs to wait for it."""
        return self._tasks[name] if name in self._tasks else self.launch([name], start())

    def launch(self, names: Iterable[str], work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """A new task that goes by all these names, none of which is under way."""
        task = asyncio.create_task(work)
        held = dict.fromkeys(names, task)
        self._tasks |= held
        task.add_done_callback(lambda _: self._land(held))
        return task

    def _land(self, held: dict[str, asyncio.Task[Any]]) -> None:
        for name, task in held.items():
            del self._tasks[name]
            if not task.cancelled():
                task.exception()  # seen: those who waited have it, and nobody else needs it

    async def aclose(self) -> None:
        """Cancel what is under way and wait until it has ended."""
        tasks = set(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
