"""`rongtong doctor`: look for what keeps a hub from working, and say what to do about each finding."""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path

import aiohttp

from connectors.mapping.load import MappingRefused
from hub.app import state_folder
from hub.cli.doctor_sign_on import sign_on
from hub.cli.finding import Finding
from hub.cli.listen import PortTaken, address, bound
from hub.cli.parts import database
from hub.cli.say import Refusal, dumps, table
from hub.cli.sources import probed
from hub.embedded import EmbeddedError, FolderLocked
from hub.mongo import Mongo, StorageError
from hub.settings import Loaded, Server, SettingsRefused, load

ENOUGH_MB = 1024
EARLIEST = 2025
"""A clock before this year is wrong: this program is younger."""
REMEDIES = {
    "SOURCE_REFUSED": "检查凭据与地址 / check its credentials and address",
    "SOURCE_TLS": "检查其证书 / check its certificate",
    "SOURCE_ADDRESS": "检查地址；内网来源须写入 hub.allowed_networks / check its address; name a private one "
    "in hub.allowed_networks",
    "SOURCE_TIMEOUT": "稍后再试，或放宽其 deadline / try again later, or give it a longer deadline",
    "SOURCE_BAD_RESPONSE": "请其运营单位检查 / ask its operator: it answers, but not as its protocol says",
}
"""What to do, by the error's code."""
USUAL_REMEDY = "它在运行吗？地址对吗？联系其运营单位 / is it up, is its address right? Ask its operator"


def run(config: Path, as_json: bool) -> None:
    """The command; exit code 1 if something is not well."""
    findings = asyncio.run(_examined(config))
    if as_json:
        print(dumps([one.told() for one in findings]))
    else:
        rows = [("✓" if one.well else "✗", one.what, one.seen, one.remedy) for one in findings]
        table("体检 / examination", ("", "项目", "所见", "办法"), rows)
    if not all(one.well for one in findings):
        raise SystemExit(1)


async def _examined(config: Path) -> list[Finding]:
    try:
        loaded = load(config)
    except SettingsRefused as refused:
        return [_refused(refused)]
    ours = await _is_ours(loaded.settings.server)
    found = [Finding("设置 / settings", True, str(config)), _clock(), _disk(loaded)]
    found += [_port(loaded.settings.server, ours), await _database(loaded, ours)]
    return [*found, *await sign_on(loaded, ours), *await _sources(config)]


def _refused(refused: SettingsRefused | MappingRefused) -> Finding:
    return Finding("设置 / settings", False, f"{refused.file}:{refused.line} {refused.cause}", refused.remedy)


def _clock() -> Finding:
    well = time.gmtime().tm_year >= EARLIEST
    return Finding(
        "时钟 / clock", well, time.strftime("%FT%T%z"), "" if well else "校准系统时间 / set the clock (NTP)"
    )


def _disk(loaded: Loaded) -> Finding:
    try:
        free = shutil.disk_usage(state_folder(loaded)).free // 2**20
    except OSError as error:
        return Finding(
            "磁盘 / disk", False, f"{error.filename}: {error.strerror}",
            "hub.state 须可写 / the folder hub.state must be writable",
        )  # fmt: skip
    well = free > ENOUGH_MB
    return Finding(
        "磁盘 / disk", well, f"{free} MB", "" if well else "至少留 1 GB / leave at least 1 GB free"
    )


async def _is_ours(server: Server) -> bool:
    """Whether a hub of ours already listens there: it is alive and knows our words."""
    if not server.port:
        return False
    url = address(server, server.port)
    timeout = aiohttp.ClientTimeout(total=3)
    try:
        async with aiohttp.ClientSession(trust_env=False, timeout=timeout) as session:
            async with session.get(f"{url}/livez") as alive:
                well = alive.status == 200 and await alive.json() == {"status": "ok"}
            question = {"query": "{ viewer { __typename } }"}
            async with session.post(f"{url}/graphql", json=question) as graph:
                answer = await graph.json(content_type=None)
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return False
    return well and answer == {"data": {"viewer": {"__typename": "Viewer"}}}


def _port(server: Server, ours: bool) -> Finding:
    if ours:
        return Finding(
            "端口 / port", True, f"{server.host}:{server.port} 本中心正在运行 / this hub is running there"
        )
    try:
        bound(server).close()
    except PortTaken as taken:
        return Finding(
            "端口 / port", False, str(taken).partition("：")[0],
            "换一个端口（server.port），或停掉占用它的程序 / another port, or stop what uses it",
        )  # fmt: skip
    return Finding("端口 / port", True, f"{server.host}:{server.port} 空闲 / free")


async def _database(loaded: Loaded, ours: bool) -> Finding:
    what, storage = "数据库 / database", loaded.settings.storage
    try:
        async with database(loaded) as uri:
            mongo = Mongo.connect(uri, storage.database, storage.driver)
            try:
                await mongo.ready()
            finally:
                await mongo.close()
    except FolderLocked as locked:
        if ours:
            return Finding(what, True, "由运行中的中心使用 / the running hub uses it")
        return Finding(what, False, str(locked), "停掉占用它的进程 / stop the process that uses it")
    except (EmbeddedError, Refusal) as error:
        return Finding(what, False, str(error), "设置 storage.uri 或 MONGODB_URI / set one of them")
    except StorageError as error:
        return Finding(what, False, str(error), "它在运行吗？检查 storage.uri / is it up? Check storage.uri")
    return Finding(what, True, "应答 / answers")


async def _sources(config: Path) -> list[Finding]:
    try:
        states = await probed(config)
    except (SettingsRefused, MappingRefused) as refused:
        return [_refused(refused)]
    return [
        Finding(f"来源 / source {code}", not said, said or "应答 / answers", _remedy(said))
        for code, said in states.items()
    ]


def _remedy(said: str) -> str:
    return REMEDIES.get(said.partition(":")[0], USUAL_REMEDY) if said else ""
