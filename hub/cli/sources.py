"""`rongtong sources`: list, check, and join sources."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from connectors.base import Tools
from connectors.errors import SourceError
from connectors.http import Http
from connectors.seal import Seal
from hub.app import matching_key
from hub.cli.parts import built
from hub.cli.say import Refusal, dumps, table
from hub.settings import Loaded, Settings, SourceSettings, load, tongue_meant
from hub.sources.registry import build_connector
from schema.graph.context import Face
from schema.model.codes import Level


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
    async with built(config, remembering=False) as hub:
        return await hub.registry.probe()


def add(
    code: str, protocol: str, level: str, region: str, name: str, options: list[str], school: str,
    config: Path, write: bool, as_json: bool,
) -> None:  # fmt: skip
    """Try a new source, and write it into the settings file when told to."""
    source = _source(code, protocol, level, region, name, _pairs(options), school)
    loaded = load(config) if config.exists() else Loaded(Settings(), config)
    if any(known.code == code for known in loaded.settings.sources):
        raise Refusal(f"代码已被占用 / code is taken: {code}", "CODE_TAKEN")
    kinds = asyncio.run(_tried(loaded, source))
    if write:
        with config.open("a", encoding="utf-8") as file:
            file.write(toml(source))
    said = {"code": code, "kinds": kinds, "written": write}
    hint = "" if write else "；确认后加 --write 写入 / add --write to join it"
    print(dumps(said) if as_json else f"✓ {code} 应答，提供 / answers, offers: {', '.join(kinds)}{hint}")


def _source(
    code: str, protocol: str, level: str, region: str, name: str, options: dict[str, str], school: str
) -> SourceSettings:
    if remedy := tongue_meant(protocol):
        raise Refusal(f"没有这种协议：{protocol} / no such protocol；{remedy}", "BAD_SOURCE")
    try:
        return SourceSettings(
            code=code, name=name, level=Level(level.upper()), region=region, school=school,
            protocol=protocol, options=dict(options),
        )  # fmt: skip
    except ValueError as error:
        raise Refusal(f"{error}。级别 / levels: {', '.join(Level)}", "BAD_SOURCE") from None


def _pairs(options: list[str]) -> dict[str, str]:
    pairs = dict(option.partition("=")[::2] for option in options)
    if any("=" not in option for option in options):
        raise Refusal("协议设置写作 key=value / options are key=value", "BAD_OPTION")
    return pairs


async def _tried(loaded: Loaded, source: SourceSettings) -> list[str]:
    http = Http(loaded.settings.hub.allowed_networks)
    tools = Tools(http, Seal(matching_key(loaded)), loaded.root)
    try:
        connector = build_connector(loaded.file, source, tools)
        await connector.probe(source.deadline)
        kinds = sorted(kind.value for kind in connector.capabilities.kinds)
        await connector.aclose()
    except SourceError as error:
        raise Refusal(f"{source.code} 未应答：{error.detail}", error.code) from None
    finally:
        await http.aclose()
    return kinds


def toml(source: SourceSettings) -> str:
    """The source as a table of the settings file; only what differs from the defaults."""
    lines = ["", "[[sources]]"]
    plain = {
        name: getattr(source, name) for name in ("code", "name", "level", "region", "school", "protocol")
    }
    lines += [f"{name} = {_quoted(str(value))}" for name, value in plain.items() if value]
    if source.options:
        lines.append("[sources.options]")
        lines += [f"{name} = {_quoted(value)}" for name, value in source.options.items()]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A TOML basic string; JSON's escapes are TOML's."""
    return dumps(text)
