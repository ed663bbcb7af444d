"""A source that counts how often it is asked, and can be made slow, dead, or different."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any


class SilentSource(Exception):
    """This source gives no answer."""


class Source:
    """Answers `value`, or raises `fault`; waits at `door` first while that is shut."""

    def __init__(self, value: Any = "一年级语文") -> None:
        self.value = value
        self.fault: Exception | None = None
        self.asked = 0
        self.door = asyncio.Event()
        self.door.set()

    async def __call__(self) -> Any:
        """One look-up."""
        self.asked += 1
        value, fault = self.value, self.fault  # what it knows when it is asked, however late it answers
        await self.door.wait()
        if fault is not None:
            raise fault
        return value


async def until(true: Callable[[], bool]) -> None:
    """Wait for as long as it takes; the story's own time limit ends a wait in vain."""
    while not true():  # noqa: ASYNC110  many different things are waited for
        await asyncio.sleep(0.01)
