"""`rongtong sources`: list and check them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from hub.cli.parts import built
from hub.cli.say import dumps, table
from schema.graph.context import Face


def show(config: Path, as_json: bool) -> None:
    """List the sources."""
    faces = asyncio.run(_faces(config))
    if as_json:
        print(dumps([msgspec.to_builtins(face) for face in faces]))
    else:
        rows = [(f.level.zh, f.protocol, f.code, f.name, ", ".join(f.kinds)) for f in faces]
        table("来源 / sources", ("级别", "协议", "代码", "名称", "提供"), rows)


async def _faces(config: Path) -> list[Face]:
    async with built(config, remembering=False) as hub:
        return list(hub.registry.faces())


def check(config: Path, as_json: bool) -> None:
    """Probe every source; exit code 1 if one is silent."""
    states = asyncio.run(probed(config))
    if as_json:
        print(dumps(states))
    else:
        rows = [("✗" if said else "✓", code, said or "应答 / answers") for code, said in states.items()]
        table("探测 / probes", ("", "代码", "结果"), rows)
    if any(states.values()):
        raise SystemExit(1)


async def probed(config: Path) -> dict[str, str]:
    """What every source says to the cheapest question: "" if it answers, else the error."""
    async with built(config, remembering=False) as hub:
        return await hub.registry.probe()
