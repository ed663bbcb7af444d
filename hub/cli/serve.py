"""`rongtong serve`: the hub with a settings file, until told to stop."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from hub.app import build, create_app
from hub.cli.listen import serving
from hub.cli.parts import database
from hub.settings import load


def run(config: Path) -> None:
    """The command."""
    asyncio.run(_until_told(config))


async def _until_told(config: Path) -> None:
    loaded = load(config)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    async with database(loaded) as uri:
        hub = await build(loaded, mongo_uri=uri)
        async with serving(create_app(hub), loaded.settings.server) as url:
            print(f"融通已就绪 / Rongtong is ready: {url}/", flush=True)
            await ended.wait()
