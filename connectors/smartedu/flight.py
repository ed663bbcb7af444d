"""One task a name: who asks while it runs waits for the same one, and may leave without ending it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Flight:
    """Tasks under way, by name; `aclose` ends them all."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[Any]] = {}

    async def join(self, name: str, start: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The outcome of the task of that name, begun by `start` unless it is under way."""
        return await asyncio.shield(self.begin(name, start))

    def begin(self, name: str, start: Callable[[], Coroutine[Any, Any, T]]) -> asyncio.Task[T]:
        """The task of that name, begun now unless it is under way; nobody needs to wait for it."""
        task = self._tasks.get(name)
        if task is None:
            task = self._tasks[name] = asyncio.create_task(start())
            task.add_done_callback(lambda ended: self._land(name, ended))
        return task

    def _land(self, name: str, task: asyncio.Task[Any]) -> None:
        if self._tasks.get(name) is task:
            del self._tasks[name]
        if not task.cancelled():
            task.exception()  # seen: those who waited have it, and nobody else needs it

    async def aclose(self) -> None:
        """Cancel what is under way and wait until it has ended."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
