"""Servers that come up together and go down together: one after the other, each would be waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeVar

T = TypeVar("T")


@asynccontextmanager
async def together(*contexts: AbstractAsyncContextManager[T]) -> AsyncIterator[list[T]]:
    """What each of them yields, in order; all are left when the block ends. The first failure is raised."""
    over = asyncio.Event()
    ready: list[asyncio.Future[T]] = [asyncio.get_running_loop().create_future() for _ in contexts]

    async def hold(context: AbstractAsyncContextManager[T], came: asyncio.Future[T]) -> None:
        try:
            async with context as found:
                came.set_result(found)
                await over.wait()
        except Exception as error:
            if came.done():
                raise
            came.set_exception(error)

    tasks = [asyncio.create_task(hold(*pair)) for pair in zip(contexts, ready, strict=True)]
    try:
        yield list(await asyncio.gather(*ready))
    finally:
        over.set()
        await asyncio.gather(*tasks)
