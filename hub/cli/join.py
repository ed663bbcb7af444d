"""`rongtong sources add`: try a new source, and write it into the settings file when told to.

The file as it would be is written beside the real one and read as a hub would read it, so that a source is
tried exactly as it will be used, and a file that cannot be read never takes the real one's place.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_type_hints

import orjson

from connectors.base import Tools
from connectors.catalog import TONGUES, tongue
from connectors.errors import SourceError
from connectors.http import Http
from connectors.seal import Seal
from hub.app import matching_key
from hub.cli.parts import refusing
from hub.cli.say import Refusal, dumps
from hub.settings import Loaded, Settings, SettingsRefused, load
from hub.sources.registry import build_connector
from schema.model.codes import Level


def add(
    code: str, protocol: str, level: str, region: str, name: str, options: list[str], school: str,
    config: Path, write: bool, as_json: bool,
) -> None:  # fmt: skip
    """The command; refused where the code is taken, the settings are wrong or the source does not answer."""
    known = load(config) if config.exists() else Loaded(Settings(), config.resolve())
    if any(source.code == code for source in known.settings.sources):
        raise Refusal(f"代码已被占用 / code is taken: {code}", "CODE_TAKEN")
    plain = {
        "code": code, "name": name, "level": _one_of("级别 / level", list(Level), level.upper()),
        "region": region, "school": school, "protocol": _one_of("协议 / protocol", list(TONGUES), protocol),
    }  # fmt: skip
    typed = _typed(protocol, _pairs(options))
    with _drafted(config, toml(plain, typed)) as (draft, loaded):
        kinds = asyncio.run(_tried(loaded))
        if write:
            draft.replace(loaded.file)
    said = {"code": code, "kinds": kinds, "written": write}
    hint = "；已写入 / written" if write else "；确认后加 --write 写入 / add --write to join it"
    print(dumps(said) if as_json else f"✓ {code} 应答，提供 / answers, offers: {', '.join(kinds)}{hint}")


def _one_of(what: str, words: Sequence[str], word: str) -> str:
    if word in words:
        return word
    near = get_close_matches(word, words, 1, 0.5)
    hint = f"是否想写 {near[0]}？/ did you mean {near[0]}? " if near else ""
    raise Refusal(f"没有这个{what}：{word}；{hint}可用 / known: {', '.join(words)}", "BAD_SOURCE")


def _pairs(options: list[str]) -> dict[str, str]:
    pairs = dict(option.partition("=")[::2] for option in options)
    if any("=" not in option for option in options):
        raise Refusal("协议设置写作 key=value / options are key=value", "BAD_OPTION")
    return pairs


def _typed(protocol: str, pairs: Mapping[str, str]) -> dict[str, Any]:
    """Options as the tongue declares them: text stays text, everything else is written as JSON."""
    hints = get_type_hints(tongue(protocol).options)
    return {
        name: text if hints.get(name, str) is str or text.startswith(("env:", "file:")) else _json(name, text)
        for name, text in pairs.items()
    }


def _json(name: str, text: str) -> Any:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    if found is None:
        raise Refusal(f"{name} 不能为空值 / {name} cannot be null: leave it out", "BAD_OPTION")
    return found


@contextlib.contextmanager
def _drafted(config: Path, addition: str) -> Iterator[tuple[Path, Loaded]]:
    """The settings with `addition`, in a file beside the real one that is gone after the block."""
    config = config.resolve()
    old = config.read_bytes() if config.exists() else b""
    mode = config.stat().st_mode & 0o777 if config.exists() else 0o600
    draft = config.with_name(f".{config.name}.{os.getpid()}.new")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(old + (b"" if old.endswith(b"\n") or not old else b"\n") + addition.encode())
        draft.chmod(mode)
        try:
            loaded = load(draft)
        except SettingsRefused as refused:
            raise SettingsRefused(config, refused.line, refused.cause, refused.remedy) from None
        yield draft, Loaded(loaded.settings, config)
    finally:
        draft.unlink(missing_ok=True)


async def _tried(loaded: Loaded) -> list[str]:
    """The kinds that the last source of the settings offers, once it has answered."""
    source = loaded.settings.sources[-1]
    http = Http(loaded.settings.hub.allowed_networks)
    try:
        tools = Tools(http, Seal(matching_key(loaded)), loaded.root)
        with refusing(loaded.file):
            connector = build_connector(loaded.file, source, tools)
        try:
            await connector.probe(source.deadline)
        finally:
            await connector.aclose()
    except SourceError as error:
        raise Refusal(f"{source.code} 未应答 / does not answer: {error.detail}", error.code) from None
    finally:
        await http.aclose()
    return sorted(kind.value for kind in connector.capabilities.kinds)


def toml(plain: Mapping[str, str], options: Mapping[str, Any]) -> str:
    """The source as a table of the settings file."""
    lines = ["", "[[sources]]"]
    lines += [f"{name} = {_value(value)}" for name, value in plain.items() if value]
    if options:
        lines.append("[sources.options]")
        lines += [f"{_key(name)} = {_value(value)}" for name, value in options.items()]
    return "\n".join(lines) + "\n"


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _value(name)


def _value(value: Any) -> str:
    """A TOML value; JSON's strings, numbers and arrays are TOML's, but for DEL and the spelling of tables."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(name)} = {_value(item)}" for name, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return dumps(value).replace("\x7f", "\\u007f")
