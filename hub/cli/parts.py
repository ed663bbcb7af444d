"""A hub built for one command: settings read, database found, closed at the end."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

from hub.app import Hub, build, state_folder
from hub.cli.say import Refusal
from hub.embedded import storage
from hub.settings import Loaded, load


@contextlib.asynccontextmanager
async def database(loaded: Loaded) -> AsyncIterator[str]:
    """Where the database is: settings, `MONGODB_URI`, else the embedded server (never in production)."""
    uri = loaded.settings.storage.uri
    if uri:
        yield uri
        return
    if loaded.settings.hub.environment == "production" and "MONGODB_URI" not in os.environ:
        raise Refusal(
            "生产环境须设置 storage.uri / production needs a MongoDB of its own: set storage.uri",
            "DATABASE_REQUIRED",
        )
    async with storage(state_folder(loaded) / "mongo") as found:
        yield found


@contextlib.asynccontextmanager
async def built(config: Path, *, remembering: bool = True) -> AsyncIterator[Hub]:
    """A hub for one command; without `remembering` it remembers nothing beyond the command."""
    loaded = load(config)
    async with contextlib.AsyncExitStack() as stack:
        uri = await stack.enter_async_context(database(loaded)) if remembering else ""
        hub = await build(loaded, mongo_uri=uri)
        stack.push_async_callback(hub.aclose)
        yield hub
