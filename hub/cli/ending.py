"""Run until SIGTERM or Ctrl-C: shared by the demonstration and by `serve`."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

T = TypeVar("T")


async def until_told(work: AbstractAsyncContextManager[T], ready: Callable[[T], None]) -> None:
    """Enter `work`, say that it is `ready`, leave it when told to, also while it is still starting.

    A second signal does not hurry it: what was started is ended in order.
    """
    running = asyncio.current_task()
    assert running is not None, "called from a task"
    told: list[int] = []

    def tell(number: int) -> None:
        if not told:
            running.cancel()
        told.append(number)

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, tell, number)
    try:
        async with work as started:
            ready(started)
            await asyncio.Event().wait()
    except asyncio.CancelledError:
        if not told:
            raise
