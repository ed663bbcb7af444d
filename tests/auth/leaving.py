"""Signing out, as the stories about it do it; what waits to be told; the worker that tells it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

from auth.ending import notices
from auth.ending.endings import Endings
from tests.connectors.sandbox.browser import Browser, Seen
from tests.fakes.middle import Middle


async def leave(hub: Middle, browser: Browser, **query: str) -> Seen:
    """The browser at the hub's end of session."""
    return await browser.open(f"{hub.url}/oauth/logout?{urlencode(query)}")


async def outbox(hub: Middle) -> list[dict[str, Any]]:
    """The notices that wait."""
    return await hub.store.collection(notices.COLLECTION).find({}, limit=100)


@asynccontextmanager
async def working(endings: Endings) -> AsyncIterator[None]:
    """With the worker running, as the hub runs it."""
    task = asyncio.create_task(endings.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
