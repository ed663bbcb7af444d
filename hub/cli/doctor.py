"""`rongtong doctor`: look for what keeps a hub from working, and say what to do about each finding."""

from __future__ import annotations

import asyncio
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from hub.app import state_folder
from hub.cli.listen import PortTaken, bound
from hub.cli.parts import database
from hub.cli.say import Refusal, dumps, table
from hub.cli.sources import probed
from hub.embedded import EmbeddedError
from hub.mongo import Mongo, StorageError
from hub.settings import Loaded, SettingsRefused, load


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: whether it is well, what was seen, what to do if not."""

    what: str
    well: bool
    seen: str
    remedy: str = ""


def run(config: Path, as_json: bool) -> None:
    """The command; exit code 1 if something is not well."""
    findings = asyncio.run(_examined(config))
    if as_json:
        print(dumps([{name: getattr(one, name) for name in one.__slots__} for one in findings]))
    else:
        rows = [("✓" if one.well else "✗", one.what, one.seen, one.remedy) for one in findings]
        table("体检 / examination", ("", "项目", "所见", "办法"), rows)
    if not all(one.well for one in findings):
        raise SystemExit(1)


async def _examined(config: Path) -> list[Finding]:
    try:
        loaded = load(config)
    except SettingsRefused as refused:
        return [
            Finding(
                "设置 / settings", False, f"{refused.file}:{refused.line} {refused.cause}", refused.remedy
            )
        ]
    found = [
        Finding("设置 / settings", True, str(config)),
        _clock(),
        _disk(loaded),
        _port(loaded),
        await _database(loaded),
    ]
    return found + await _sources(config)


def _clock() -> Finding:
    well = 2025 <= time.gmtime().tm_year < 2100
    return Finding("时钟 / clock", well, time.strftime("%FT%T%z"), "校准系统时间 / set the clock (NTP)")


def _disk(loaded: Loaded) -> Finding:
    free = shutil.disk_usage(state_folder(loaded)).free // 2**20
    return Finding("磁盘 / disk", free > 1024, f"{free} MB", "至少留 1 GB / leave at least 1 GB free")


def _port(loaded: Loaded) -> Finding:
    server = loaded.settings.server
    try:
        bound(server).close()
    except PortTaken as taken:
        return Finding(
            "端口 / port", False, str(taken), "换端口或停掉占用者 / another port, or stop what uses it"
        )
    return Finding("端口 / port", True, f"{server.host}:{server.port}")


async def _database(loaded: Loaded) -> Finding:
    storage = loaded.settings.storage
    try:
        async with database(loaded) as uri:
            mongo = Mongo.connect(uri, storage.database, storage.driver)
            try:
                await mongo.ready()
            finally:
                await mongo.close()
    except (Refusal, EmbeddedError, StorageError) as error:
        return Finding("数据库 / database", False, str(error), "检查 storage.uri / check storage.uri")
    return Finding("数据库 / database", True, "应答 / answers")


async def _sources(config: Path) -> list[Finding]:
    return [
        Finding(
            f"来源 / source {code}", not said, said or "应答 / answers", "联系其运营单位 / ask its operator"
        )
        for code, said in (await probed(config)).items()
    ]
