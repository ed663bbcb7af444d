"""What every tongue is: a short class that declares what it can do, and answers look-ups.

The hub plans with the declaration; no difference between protocols is an `if` in the hub.
Foreign errors become `connectors.errors`, foreign values our words, here and nowhere above.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from connectors.errors import Malformed, Unanswerable
from connectors.http import Http
from connectors.seal import Seal
from schema.model.codes import Level
from schema.model.record import Answer, Batch, Lookup, Record
from schema.model.words import Kind


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A tongue's own settings; each subclasses it. Unknown keys are refused at load."""


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
        self, kind: Kind, key: str, local_id: str, values: dict[str, Any], *, updated_at: str | None = None
    ) -> Record:
        """A record of this source, fetched now."""
        return Record(kind, key, self.identity.code, local_id, values, self.tools.now(), updated_at)

    def offer(self, lookup: Lookup) -> Offer:
        """The offer that covers `lookup`, or `Unanswerable`: wrong kind, filter, or too many values."""
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
        return offer


def only(values: Mapping[str, Any], wanted: Iterable[str]) -> dict[str, Any]:
    """The wanted part of `values`; None counts as not told."""
    return {name: values[name] for name in wanted if values.get(name) is not None}


def expect(value: Any, kind: type, what: str) -> Any:
    """`value` if it is of `kind`, else `Malformed` naming `what` was expected (never the value)."""
    if not isinstance(value, kind):
        raise Malformed(f"{what}: expected {kind.__name__}, got {type(value).__name__}")
    return value
