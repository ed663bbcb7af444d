"""Settings, read once at the door: one typed tree from one TOML file, unknown keys refused with a suggestion.

Rule 1: each knob has its sentence here; `docker/rongtong.toml` shows them all with their defaults.
Rule 2: units are in the text: "250ms", "2s", "10m", "24h", "7d"; sizes in whole MB.
Rule 3: secrets come as "env:NAME" or "file:path" and never print.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from auth.settings import (
    ClientSettings,
    IdentitySettings,
    Seconds,
    Section,
    TrustSettings,
    UpstreamSettings,
)
from connectors.address import Guard
from connectors.catalog import TONGUES
from hub.gate_settings import faults
from schema.model.codes import Level
from schema.model.divisions import shipped

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class SettingsRefused(ValueError):
    """The file cannot be used; says where, why, and what to write instead."""

    code = "SETTINGS_REFUSED"

    def __init__(self, file: Path, line: int, cause: str, remedy: str) -> None:
        place = f"{file}:{line}" if line else str(file)
        super().__init__(f"{place}: {cause}；{remedy}")
        self.file, self.line, self.cause, self.remedy = file, line, cause, remedy


class Hub(Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which hub this is."""

    level: Level = Level.MUNICIPAL
    """本中心所在级别 / the level this hub serves."""
    region: str = "371500"
    """本中心所在区划 / its region code."""
    environment: Literal["development", "production"] = "production"
    """运行环境 / development allows the development identity."""
    deadline: Seconds = Seconds(5)
    """一次查询的时限 / most time one query may take."""
    allowed_networks: tuple[str, ...] = ()
    """允许访问的内网网段或主机 / private networks or hosts that sources may live in."""
    matching_key: str = ""
    """匹配密钥，至少 32 字节 / secret for keyed hashes; made in the state folder when empty."""
    state: str = ".rongtong"
    """状态目录 / folder for keys and the embedded database, relative to this file."""


class Server(Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where it listens."""

    host: str = "127.0.0.1"
    """监听地址 / address to listen on."""
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 8000
    """监听端口 / port; 0 lets the system choose."""
    trusted_proxies: tuple[str, ...] = ()
    """前置代理 / addresses of proxies in front whose X-Forwarded-For is believed; by default nobody's."""


class Storage(Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The database."""

    uri: str = ""
    """MongoDB 地址 / address; empty: MONGODB_URI, else the embedded server (never in production)."""
    database: str = "rongtong"
    """数据库名 / name of the database."""
    driver: Literal["motor", "pymongo"] = "motor"
    """驱动 / driver: motor, or its successor pymongo."""


class CacheSettings(Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is remembered."""

    memory_mb: Annotated[int, msgspec.Meta(ge=1)] = 128
    """内存缓存上限 / most memory the first tier holds, in MB."""
    durable: bool = True
    """是否使用第二级缓存 / whether MongoDB is the second tier."""


class CatalogueSettings(Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Harvested resources."""

    harvest_every: Seconds = Seconds(6 * 3600)
    """采集间隔 / how often sources are harvested; "0s": only by command."""


class SourceSettings(Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One joined source."""

    code: str
    """来源代码，唯一 / unique code: lower-case letters, digits, hyphens."""
    name: str
    """名称 / name, Chinese."""
    name_en: str = ""
    """英文名称 / name, English."""
    level: Level
    """级别 / its level."""
    region: str
    """区划代码 / region it speaks for."""
    school: str = ""
    """学校标识码，校级来源必填 / school it speaks for, if it is a school's own."""
    protocol: str
    """协议 / tongue it speaks: a name of `connectors.catalog.TONGUES`."""
    operator: str = ""
    """运营单位 / who runs it."""
    processor: str = ""
    """受托处理方 / entrusted processor, PIPL art. 21."""
    deadline: Seconds = Seconds(2)
    """单次询问时限 / most time one question may take."""
    fresh_for: Seconds = Seconds(60)
    """新鲜期 / how long an answer is taken as fresh."""
    stale_for: Seconds = Seconds(600)
    """宽限期 / how long after that it is shown while it is fetched anew."""
    down_for: Seconds = Seconds(86400)
    """故障期 / how long it is shown, marked stale, while the source is silent."""
    options: dict[str, Any] = msgspec.field(default_factory=dict)
    """协议自身的设置 / the tongue's own settings."""


class Settings(Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole file."""

    hub: Hub = Hub()
    server: Server = Server()
    storage: Storage = Storage()
    cache: CacheSettings = CacheSettings()
    catalogue: CatalogueSettings = CatalogueSettings()
    identity: IdentitySettings = IdentitySettings()
    trust: TrustSettings = TrustSettings()
    upstreams: tuple[UpstreamSettings, ...] = ()
    clients: tuple[ClientSettings, ...] = ()
    sources: tuple[SourceSettings, ...] = ()


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings with the folder that relative paths in them start from."""

    settings: Settings
    file: Path

    @property
    def root(self) -> Path:
        """The file's folder."""
        return self.file.parent


def load(file: Path, environ: Mapping[str, str] = os.environ) -> Loaded:
    """Read a settings file; raises `SettingsRefused` with file, line, cause and remedy."""
    text = _text(file)
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = int(found[1]) if (found := re.search(r"line (\d+)", str(error))) else 0
        raise SettingsRefused(
            file, line, f"不是合法的 TOML / not TOML: {error}", "改正该行 / mend that line"
        ) from None
    try:
        settings = msgspec.convert(_secrets(tree, file.parent, environ), Settings, dec_hook=_decode)
    except _NoSecret as error:
        line = next((n for n, row in enumerate(text.splitlines(), 1) if error.written in row), 0)
        raise SettingsRefused(
            file, line, str(error), "给出它，或改正名称 / provide it, or mend its name"
        ) from None
    except msgspec.ValidationError as error:
        raise _refused(file, text, quiet(str(error))) from None
    _check_hub(file, text, settings.hub)
    _check_networks(file, text, "identity", settings.identity.allowed_networks)
    _check_gate(file, text, settings)
    _check_sources(file, text, settings)
    return Loaded(settings, file.resolve())


def quiet(message: str) -> str:
    """A validation message without the value it quotes: that may be a secret."""
    return re.sub(r"'.*'", "'…'", message, flags=re.DOTALL)


class _NoSecret(ValueError):
    """A secret that cannot be had; `written` as the file has it."""

    def __init__(self, written: str, message: str) -> None:
        super().__init__(message)
        self.written = written


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except OSError as error:
        cause = f"读不到设置文件 / cannot read: {error.strerror}"
    except UnicodeDecodeError as error:
        cause = f"不是 UTF-8 / not UTF-8, at byte {error.start}"
    raise SettingsRefused(file, 0, cause, "检查路径与编码 / check path and encoding")


def _decode(wanted: type, value: Any) -> Any:
    if wanted is Seconds:
        found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", value) if isinstance(value, str) else None
        if not found:
            raise ValueError('a span of time is a number with its unit: "250ms", "2s", "10m", "24h", "7d"')
        return Seconds(float(found[1]) * _UNITS[found[2]])
    raise NotImplementedError(wanted)


def _secrets(value: Any, root: Path, environ: Mapping[str, str]) -> Any:
    """`env:NAME` and `file:path` replaced by what they stand for, anywhere in the tree."""
    if isinstance(value, dict):
        return {key: _secrets(item, root, environ) for key, item in value.items()}
    if isinstance(value, list):
        return [_secrets(item, root, environ) for item in value]
    if isinstance(value, str) and value.startswith("env:"):
        if value[4:] not in environ:
            raise _NoSecret(value, f"没有环境变量 {value[4:]} / environment variable is not set")
        return environ[value[4:]]
    if isinstance(value, str) and value.startswith("file:"):
        try:
            return (root / value[5:]).read_text("utf-8").strip()
        except OSError as error:
            raise _NoSecret(value, f"读不到密钥文件 {value[5:]} / secret file: {error.strerror}") from None
        except UnicodeDecodeError:
            raise _NoSecret(value, f"密钥文件 {value[5:]} 不是 UTF-8 / secret file is not UTF-8") from None
    return value


def _refused(file: Path, text: str, message: str) -> SettingsRefused:
    unknown = re.search(r"unknown field `([^`]+)`(?: - at `\$?\.?([^`]*)`)?", message)
    if unknown:
        known = _known(unknown[2] or "")
        close = get_close_matches(unknown[1], known, 1, 0.5)
        remedy = (
            f"是否想写 {close[0]}？/ did you mean {close[0]}?"
            if close
            else f"可用 / known: {', '.join(known)}"
        )
        return SettingsRefused(
            file,
            _line(text, unknown[2] or "", unknown[1]),
            f"没有这个设置：{unknown[1]} / no such setting",
            remedy,
        )
    place = re.search(r"at `\$\.?([^`]*)`", message)
    path, _, name = (place[1] if place else "").rpartition(".")
    path = path or (name if "[" in name else "")
    line = _line(text, path, re.sub(r"\[.*?\]", "", name)) if place else 0
    return SettingsRefused(file, line, message, "按说明改正 / see docker/rongtong.toml")


def _known(path: str) -> list[str]:
    """Names of the settings at a path such as `sources[0]`."""
    here: Any = Settings
    for step in re.findall(r"[a-z_]+", path):
        hint = get_type_hints(here, include_extras=True).get(step)
        hint = get_args(hint)[0] if get_origin(hint) in (tuple, Annotated) else hint
        here = hint if isinstance(hint, type) and issubclass(hint, msgspec.Struct) else here
    return list(here.__struct_fields__)


def line_of(text: str, name: str) -> int:
    """The first line where `name` is a key or table of a TOML text, from 1; 0 if nowhere."""
    return _within(text.splitlines(), name, 0, None)


def _line(text: str, path: str, name: str) -> int:
    """The line of `name` in the table at a path such as `sources[2].options`, else the table's own."""
    lines = text.splitlines()
    step = re.match(r"([^.\[]*)(?:\[(\d+)\])?", path)
    table, number = (step[1], int(step[2] or 0)) if step else ("", 0)
    heads = [(n, found[1]) for n, row in enumerate(lines) if (found := re.match(r"\s*\[+\s*([^\]\s]+)", row))]
    if not table:
        return _within(lines, name, 0, heads[0][0] if heads else None) or line_of(text, name)
    starts = [n for n, head in heads if head == table]
    if number >= len(starts):
        return line_of(text, name)
    start = starts[number]
    end = next((n for n, head in heads if n > start and not head.startswith(f"{table}.")), None)
    return _within(lines, name, start, end) or start + 1


def _within(lines: list[str], name: str, start: int, end: int | None) -> int:
    pattern = re.compile(rf"""^\s*(?:\[+.*\b)?["']?{re.escape(name)}["']?\s*[\]=.]""")
    found = (n for n, row in enumerate(lines[start:end], start + 1) if name and pattern.match(row))
    return next(found, 0)


def _check_networks(file: Path, text: str, table: str, networks: tuple[str, ...]) -> None:
    try:
        Guard(networks)
    except ValueError as error:
        raise SettingsRefused(
            file, _line(text, table, "allowed_networks"), str(error),
            '例如 / e.g. ["10.1.0.0/16", "lrs.local"]',
        ) from None  # fmt: skip


def _check_hub(file: Path, text: str, hub: Hub) -> None:
    if hub.deadline <= 0:
        raise SettingsRefused(
            file, _line(text, "hub", "deadline"), "时限须大于零 / the deadline must be more than zero", '"5s"'
        )
    _check_networks(file, text, "hub", hub.allowed_networks)
    if hub.matching_key and len(hub.matching_key.encode()) < 32:
        raise SettingsRefused(
            file, _line(text, "hub", "matching_key"), "匹配密钥太短 / matching_key is too short",
            "至少 32 字节，或留空 / 32 bytes or more, or leave it empty",
        )  # fmt: skip


def _check_gate(file: Path, text: str, settings: Settings) -> None:
    found = faults(
        settings.identity, settings.trust, settings.upstreams, settings.clients,
        development=settings.hub.environment == "development",
        known_region=lambda code: shipped().get(code) is not None,
    )  # fmt: skip
    for fault in found:
        raise SettingsRefused(file, _line(text, fault.path, fault.name), fault.cause, fault.remedy)


def _check_sources(file: Path, text: str, settings: Settings) -> None:
    seen: set[str] = set()
    for number, source in enumerate(settings.sources):
        if fault := _fault(source, seen):
            name, cause, remedy = fault
            raise SettingsRefused(file, _line(text, f"sources[{number}]", name), cause, remedy)
        seen.add(source.code)


def tongue_meant(protocol: str) -> str:
    """What to write instead of a protocol that no tongue speaks; "" for one that is spoken."""
    if protocol in TONGUES:
        return ""
    close = get_close_matches(protocol, TONGUES, 1, 0.5)
    meant = f"是否想写 {close[0]}？/ did you mean {close[0]}? " if close else ""
    return f"{meant}可用 / known: {', '.join(TONGUES)}"


def _fault(source: SourceSettings, seen: set[str]) -> tuple[str, str, str] | None:
    """What is wrong with a source beyond its types: the setting's name, cause, remedy."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,39}", source.code):
        return (
            "code",
            f"来源代码不合规 / bad source code: {source.code!r}",
            "小写字母、数字、连字符 / a-z 0-9 -",
        )
    if source.code in seen:
        return "code", f"来源代码重复 / twice: {source.code}", "改成唯一的代码 / make it unique"
    if remedy := tongue_meant(source.protocol):
        return "protocol", f"没有这种协议：{source.protocol} / no such protocol", remedy
    if source.level is Level.SCHOOL and not source.school:
        return "level", f"校级来源缺学校标识码 / {source.code} names no school", '加 school = "…" / add it'
    if source.deadline <= 0:
        return "deadline", "时限须大于零 / the deadline must be more than zero", 'deadline = "2s"'
    return None
