"""Several questions side by side: bounded, in order, and the first failure ends the rest."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import TypeVar

from connectors.errors import SourceError

T = TypeVar("T")

AT_ONCE = 8  # questions of one look-up under way together


@contextlib.asynccontextmanager
async def side_by_side() -> AsyncIterator[asyncio.TaskGroup]:
    """A task group whose first failure ends the others and is raised as itself."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as failed:
        known = [error for error in failed.exceptions if isinstance(error, SourceError)]
        raise (known or failed.exceptions)[0] from None


async def together(calls: Iterable[Callable[[], Awaitable[T]]], at_once: int = AT_ONCE) -> list[T]:
    """Results of all calls in their order, `at_once` at a time."""
    gate = asyncio.Semaphore(at_once)

    async def one(call: Callable[[], Awaitable[T]]) -> T:
        async with gate:
            return await call()

    async with side_by_side() as group:
        tasks = [group.create_task(one(call)) for call in calls]
    return [task.result() for task in tasks]
