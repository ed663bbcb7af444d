"""Which sources are joined: built from settings, opened once, closed once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from connectors.base import Connector, Identity, Tools
from connectors.catalog import tongue
from connectors.errors import Malformed, SourceError, TimedOut
from connectors.http import Http
from connectors.mapping import MappingRefused
from connectors.seal import Seal
from hub.cache.tiered import Policy
from hub.clock import Clock
from hub.settings import Loaded, SettingsRefused, SourceSettings, quiet
from hub.sources.asking import GRACE, Joined
from hub.sources.health import Health
from hub.sources.veil import Veil
from schema.graph.context import Face
from schema.model.codes import LEVELS


@dataclass(slots=True)
class Registry:
    """The joined sources by code; the `Sources` port of the graph."""

    joined: dict[str, Joined]
    http: Http
    clock: Clock
    veil: Veil = field(default_factory=Veil.fresh)
    _faces: list[Face] = field(init=False)

    def __post_init__(self) -> None:
        self._faces = sorted(
            (source.face for source in self.joined.values()), key=lambda f: (LEVELS.index(f.level), f.code)
        )

    def faces(self) -> Sequence[Face]:
        """All joined sources, from the nation down."""
        return self._faces

    def face(self, code: str) -> Face | None:
        """One of them."""
        source = self.joined.get(code)
        return source.face if source else None

    def health(self, code: str) -> Mapping[str, Any]:
        """Values for `SourceHealth`."""
        source = self.joined.get(code)
        return source.health.shown(rfc3339) if source else {}

    async def probe(self) -> dict[str, str]:
        """Ask every source the cheapest question; code -> "" or the error's code."""

        async def one(source: Joined) -> str:
            began = self.clock.monotonic()
            try:
                async with asyncio.timeout(source.deadline + GRACE):
                    await source.connector.probe(source.deadline)
            except TimeoutError:
                source.health.broke(late := TimedOut("没有在时限内回答 / no answer in time"))
                return f"{late.code}: {late.detail}"
            except SourceError as error:
                source.health.broke(error)
                return f"{error.code}: {error.detail}"
            except Exception as error:
                # One tongue that stumbles must not keep the others' states from being told.
                broken = Malformed(f"{type(error).__name__} in the {source.face.protocol} tongue")
                source.health.broke(broken)
                return f"{broken.code}: {broken.detail}"
            source.health.succeeded(self.clock.monotonic() - began)
            return ""

        states = await asyncio.gather(*(one(source) for source in self.joined.values()))
        return dict(zip(self.joined, states, strict=True))

    async def aclose(self) -> None:
        """Close every connector, then the way out, whatever one of them says to it."""
        async with contextlib.AsyncExitStack() as closing:
            closing.push_async_callback(self.http.aclose)
            for source in self.joined.values():
                closing.push_async_callback(source.connector.aclose)

    def __iter__(self) -> Iterator[Joined]:
        return iter(self.joined.values())


def build_registry(loaded: Loaded, seal: Seal, clock: Clock) -> Registry:
    """Join every source of the settings; raises `SettingsRefused` for options a tongue does not take."""
    http = Http(loaded.settings.hub.allowed_networks)
    tools = Tools(http, seal, loaded.root, clock.epoch)
    joined = {source.code: _join(loaded.file, source, tools, clock) for source in loaded.settings.sources}
    return Registry(joined, http, clock, Veil(seal.derived("ids and cursors")))


def _join(file: Path, source: SourceSettings, tools: Tools, clock: Clock) -> Joined:
    connector = build_connector(file, source, tools)
    face = Face(
        source.code, source.name, source.name_en or source.name, source.level, source.region,
        source.protocol, tuple(sorted(kind.value for kind in connector.capabilities.kinds)),
        source.operator, source.processor,
    )  # fmt: skip
    policy = Policy(fresh_for=source.fresh_for, stale_for=source.stale_for, down_for=source.down_for)
    return Joined(
        face, source.school, connector, Health(clock.monotonic, clock.epoch), policy, source.deadline
    )


def build_connector(file: Path, source: SourceSettings, tools: Tools) -> Connector:
    """The connector for one source's settings; a wrong option or mapping is refused with its place."""
    kind = tongue(source.protocol)
    try:
        options = msgspec.convert(source.options, kind.options)
    except msgspec.ValidationError as error:
        raise SettingsRefused(
            file, 0, f"来源 {source.code} 的 options 不合 {source.protocol}：{quiet(str(error))}",
            f"可用 / known: {', '.join(kind.options.__struct_fields__)}",
        ) from None  # fmt: skip
    identity = Identity(source.code, source.level, source.region, source.school)
    try:
        return kind(identity, options, tools)
    except MappingRefused:
        raise  # it names its own file and line
    except ValueError as error:
        cause = f"来源 {source.code} 的 options 不能用：{quiet(str(error))}"
        raise SettingsRefused(file, 0, cause, "改正该项 / mend that option") from None


def rfc3339(epoch: float) -> str:
    """Seconds since 1970 as RFC 3339 in UTC, to the millisecond."""
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
