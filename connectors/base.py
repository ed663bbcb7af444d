"""What every tongue is: a short class that declares what it can do, and answers look-ups.

The hub plans with the declaration; no difference between protocols is an `if` in the hub.
Foreign errors become `connectors.errors`, foreign values our words, here and nowhere above.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import msgspec

from connectors.errors import Malformed, Unanswerable
from connectors.http import Http
from connectors.seal import Seal
from schema.model.codes import Level
from schema.model.record import Answer, Batch, Lookup, Page, Record
from schema.model.words import Kind

T = TypeVar("T")

SECRET = ("_secret", "_key", "password")
"""How the name of an option ends whose value nobody may see."""


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A tongue's own settings; each subclasses it. Unknown keys are refused at load.

    A field whose name ends as `SECRET` says prints as "…" where it is set, however the options are shown.
    """

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.shown())})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return list(self.shown())

    def shown(self) -> Iterator[tuple[str, Any]]:
        """Every field with its value, or with "…" for a secret that is set."""
        for name in self.__struct_fields__:
            value = getattr(self, name)
            yield name, "…" if value and name.endswith(SECRET) else value


@dataclass(frozen=True, slots=True)
class Identity:
    """Which source this is: its code, and the place it speaks for."""

    code: str
    level: Level
    region_code: str
    school_code: str = ""


@dataclass(frozen=True, slots=True)
class Tools:
    """What the hub hands every connector: the way out, the seal for matching, the clock, files' root."""

    http: Http
    seal: Seal
    root: Path = Path()
    now: Callable[[], float] = time.time


@dataclass(frozen=True, slots=True)
class Offer:
    """What a source can do for one kind.

    `fields` it can send; `by` the fields a look-up may filter on, one or several at once, all of which must
    hold (`key` for record keys); a look-up by `match_key` always names the `school_code` too, so that a
    connector hashes one school's numbers and not a province's; `batch` most values of one filter at once;
    `pages`: answers `Page` windows; `totals`: tells the total; `search`: answers `text`; `spans`: answers
    since/until; `harvest`: can be read whole; `fresh_for` seconds its owner vouches a copy stays good.
    """

    fields: frozenset[str]
    by: frozenset[str] = frozenset({"key"})
    batch: int = 100
    pages: bool = False
    totals: bool = False
    search: bool = False
    spans: bool = False
    harvest: bool = False
    fresh_for: float = 60.0


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a source offers, by kind."""

    offers: Mapping[Kind, Offer] = field(default_factory=dict)

    @property
    def kinds(self) -> frozenset[Kind]:
        """The kinds it can answer for."""
        return frozenset(self.offers)


class Connector(ABC):
    """One joined source, in one tongue. Made once, used by many tasks at once, closed once."""

    protocol: ClassVar[str]
    """Its name in settings and answers: lower case, as in `connectors.catalog`."""
    options: ClassVar[type[Options]]

    def __init__(self, identity: Identity, options: Any, tools: Tools) -> None:
        self.identity = identity
        self.settings = options
        self.tools = tools

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities:
        """What this source offers; constant for the connector's life."""

    @abstractmethod
    async def look_up(self, lookup: Lookup, within: float) -> Answer:
        """Answer within `within` seconds or raise a `SourceError`; unknown keys are simply not in the answer.

        Every filter holds for every record; a page beyond the end is empty and promises no more.

        Values of all filters beyond `Offer.batch` are the caller's fault (`Unanswerable`). A look-up
        without a page returns every match up to the source's own bound, `more` telling of the rest.
        """

    async def harvest(self, kind: Kind, checkpoint: str, within: float) -> AsyncIterator[Batch]:
        """Read a kind whole, from `checkpoint` ("" for the start) on; `within` bounds each step, not all."""
        raise Unanswerable(f"{self.identity.code} cannot be harvested for {kind}")
        yield  # pragma: no cover - makes this an asynchronous generator

    async def probe(self, within: float) -> None:
        """The cheapest question that proves the source can answer; raises a `SourceError` if it cannot."""
        kind, offer = next(iter(self.capabilities.offers.items()))
        await self.look_up(Lookup(kind, tuple(sorted(offer.fields))[:1], (("key", ("probe",)),)), within)

    async def aclose(self) -> None:
        """Give back what the connector holds; called once."""
        return

    def key(self, local_id: str) -> str:
        """The record key of something this source numbers for itself."""
        return f"{self.identity.code}:{local_id}"

    def local(self, keys: Iterable[str]) -> list[str]:
        """Local ids of those keys that are this source's own."""
        prefix = f"{self.identity.code}:"
        return [key[len(prefix) :] for key in keys if key.startswith(prefix)]

    def record(
        self,
        kind: Kind,
        key: str,
        local_id: str,
        values: dict[str, Any],
        *,
        updated_at: str | None = None,
        fetched_at: float | None = None,
    ) -> Record:
        """A record of this source, fetched now.

        A part that comes from the tongue's own memory was fetched when it was read, or last found unchanged,
        at the source: `fetched_at` is then the moment of the oldest part.
        """
        at = self.tools.now() if fetched_at is None else fetched_at
        return Record(kind, key, self.identity.code, local_id, values, at, updated_at)

    def offer(self, lookup: Lookup) -> Offer:
        """The offer that covers `lookup`, or `Unanswerable`: wrong kind, filter, page, or too many values."""
        offer = self.capabilities.offers.get(lookup.kind)
        if offer is None:
            raise Unanswerable(f"{self.identity.code} does not offer {lookup.kind}")
        for name, values in lookup.where:
            if name not in offer.by:
                raise Unanswerable(f"{self.identity.code} cannot filter {lookup.kind} by {name}")
            if len(values) > offer.batch:
                raise Unanswerable(f"{self.identity.code} takes {offer.batch} values of {name} at once")
        if lookup.text and not offer.search:
            raise Unanswerable(f"{self.identity.code} cannot search {lookup.kind}")
        if (lookup.since or lookup.until) and not offer.spans:
            raise Unanswerable(f"{self.identity.code} cannot bound {lookup.kind} in time")
        if lookup.page and not offer.pages:
            raise Unanswerable(f"{self.identity.code} cannot page {lookup.kind}")
        if lookup.page and (lookup.page.limit < 1 or lookup.page.offset < 0):
            raise Unanswerable("a page has a positive limit and no negative offset")
        return offer


def only(values: Mapping[str, Any], wanted: Iterable[str]) -> dict[str, Any]:
    """The wanted part of `values`; None counts as not told."""
    return {name: values[name] for name in wanted if values.get(name) is not None}


def narrowed(record: Record, wanted: Iterable[str]) -> Record:
    """The record with the wanted values only."""
    return msgspec.structs.replace(record, values=only(record.values, wanted))


def filters(lookup: Lookup, *, but: Collection[str] = ()) -> list[tuple[str, frozenset[str]]]:
    """The filters of a look-up, `but` some, made to be held against many records by `meets`."""
    return [(name, frozenset(values)) for name, values in lookup.where if name not in but]


def meets(values: Mapping[str, Any], where: Iterable[tuple[str, Collection[str]]], key: str = "") -> bool:
    """Whether every filter holds: the field, or one item of a list, is among the wanted values.

    `key` stands for the field of that name. A field that is not told meets no filter.
    """
    for name, wanted in where:
        value = key if name == "key" else values.get(name)
        if not any(one in wanted for one in (value if isinstance(value, list) else (value,))):
            return False
    return True


def window(found: Sequence[T], page: Page | None, most: int) -> tuple[Sequence[T], bool]:
    """What `page` shows of all that was found, its first `most` without one; and whether more follow."""
    start, limit = (page.offset, min(page.limit, most)) if page else (0, most)
    shown = found[start : start + limit]
    return shown, bool(shown) and start + len(shown) < len(found)


def inside(root: Path, name: str) -> Path:
    """A file or folder below `root`; ValueError if the name leads out of it."""
    path = (root / name).resolve()
    if not path.is_relative_to(root.resolve()):
        raise ValueError(f"{name!r} 不在配置目录之内 / lies outside the configuration folder")
    return path


def expect(value: Any, kind: type, what: str) -> Any:
    """`value` if it is of `kind`, else `Malformed` naming `what` was expected (never the value)."""
    if not isinstance(value, kind):
        raise Malformed(f"{what}: expected {kind.__name__}, got {type(value).__name__}")
    return value
