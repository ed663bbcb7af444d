"""`rongtong serve`: the hub with a settings file, until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

from hub.app import build, create_app
from hub.cli.ending import until_told
from hub.cli.listen import bound, serving
from hub.cli.parts import database, refusing
from hub.cli.say import dumps
from hub.settings import load


def run(config: Path, as_json: bool) -> None:
    """The command: until SIGTERM or Ctrl-C."""
    asyncio.run(until_told(_serving(config), lambda url: _ready(url, as_json)))


@contextlib.asynccontextmanager
async def _serving(config: Path) -> AsyncIterator[str]:
    loaded = load(config)
    server = loaded.settings.server
    with contextlib.closing(bound(server)) as listening:
        async with database(loaded) as uri:
            with refusing(loaded.file):
                hub = await build(loaded, mongo_uri=uri)
            app = create_app(hub)
            async with serving(app, server, listening) as url:
                yield url


def _ready(url: str, as_json: bool) -> None:
    told = {
        "pid": os.getpid(),
        "graph": f"{url}/graphql",
        "page": f"{url}/",
        "schema": f"{url}/schema.graphql",
    }
    print(dumps(told) if as_json else f"融通已就绪 / Rongtong is ready: {url}/", flush=True)
