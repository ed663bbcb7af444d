"""One twin as a process of its own: `python -m connectors.sandbox TWIN`; prints one JSON line when ready.

Ends on SIGTERM, or when its standard input ends, so that no twin outlives who started it.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import json
import os
import signal
import sys
from collections.abc import Callable
from datetime import date
from importlib import import_module
from pathlib import Path

from starlette.applications import Starlette

from connectors.sandbox.country import Country
from connectors.sandbox.frame import served
from connectors.sandbox.twins import BUNDLE_COUNTY, FRONTENDS, TABLES_COUNTY, TWINS, frontend


async def _serve(app: Starlette, port: int, ended: asyncio.Event) -> None:
    async with served(app, port) as twin:
        _ready(url=twin.url)
        await ended.wait()


async def _data_centre(country: Country, folder: Path, ended: asyncio.Event) -> None:
    centre = import_module("connectors.sandbox.sql").DataCentre()
    await centre.start(folder, country)
    try:
        _ready(url=centre.url, server=centre.pid, password=centre.password)
        await ended.wait()
    finally:
        await centre.stop()


def _files(country: Country, folder: Path) -> None:
    import_module("connectors.sandbox.tables").write(folder / "tables", country, TABLES_COUNTY)
    import_module("connectors.sandbox.oneroster").write_bundle(folder / "bundle.zip", country, BUNDLE_COUNTY)
    _ready(url=str(folder))


def _ready(**said: object) -> None:
    print(json.dumps({"ready": True, "pid": os.getpid(), **said}, ensure_ascii=False), flush=True)


def _listen(ended: asyncio.Event) -> None:
    """The end of our input is the end of who started us: said once, then it is not listened to any more."""
    if not os.read(sys.stdin.fileno(), 4096):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        ended.set()


def _tie_to_parent() -> None:
    """Linux then ends us together with who started us, even when we are frozen and cannot read our input."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


async def _until_told(run: Callable[[asyncio.Event], asyncio.Future[None]]) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    loop.add_reader(sys.stdin.fileno(), _listen, ended)
    await run(ended)


def _run_app(app: Starlette, port: int) -> None:
    _tie_to_parent()
    asyncio.run(_until_told(lambda ended: asyncio.ensure_future(_serve(app, port, ended))))


def main() -> None:
    """Parse the command line and run one twin."""
    parser = argparse.ArgumentParser(prog="python -m connectors.sandbox", description=__doc__)
    parser.add_argument("twin", choices=[*TWINS, *FRONTENDS, "data-centre", "files"])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--scale", default="demo", choices=["demo", "city"])
    parser.add_argument("--today", type=date.fromisoformat, default=None)
    parser.add_argument("--resources", type=int, default=None)
    parser.add_argument("--folder", type=Path, default=Path())
    parser.add_argument("--hub", default="http://127.0.0.1:8000", help="where applications sign people in")
    told = parser.parse_args()
    if told.twin in FRONTENDS:
        _run_app(frontend(told.twin, told.hub), told.port)
        return
    country = Country(told.scale, today=told.today, resources=told.resources)
    if told.twin == "files":
        _files(country, told.folder)
    elif told.twin == "data-centre":
        asyncio.run(
            _until_told(lambda ended: asyncio.ensure_future(_data_centre(country, told.folder, ended)))
        )
    else:
        _run_app(TWINS[told.twin](country), told.port)


if __name__ == "__main__":
    main()
