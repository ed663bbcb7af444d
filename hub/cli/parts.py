"""A hub built for one command: settings read, database found, closed at the end."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from connectors.mapping.load import MappingRefused
from hub.app import Hub, build, state_folder
from hub.cli.say import Refusal
from hub.embedded import storage
from hub.settings import Loaded, SettingsRefused, load


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
        with refusing(loaded.file):
            hub = await build(loaded, mongo_uri=uri)
        stack.push_async_callback(hub.aclose)
        yield hub


@contextlib.contextmanager
def refusing(file: Path) -> Iterator[None]:
    """What connectors say of their options while they are built, as a refusal of the settings in `file`.

    Connectors know no settings file: they raise `ValueError` with the value and what is wrong with it.
    """
    try:
        yield
    except (SettingsRefused, MappingRefused, UnicodeError):
        raise
    except ValueError as error:
        raise SettingsRefused(
            file, 0, str(error), "改正该来源的 options / mend that source's options"
        ) from None
