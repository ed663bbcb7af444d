"""A directory over records in memory: shows what policy lets the viewer see, notes what it was asked.

Behaves as the port says: fields beyond the wanted ones are not in the entities (values that sight is decided
from stay), silent sources are in the account and never raise, cursors are those of this very list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Any

from hub.sources.veil import Veil
from schema.graph.context import (
    Account,
    BadCursor,
    CatalogueHits,
    Entity,
    Face,
    Facet,
    Found,
    Losing,
    Part,
    Silence,
)
from schema.model.codes import Level
from schema.model.divisions import Divisions
from schema.model.policy import SIGHT_FIELDS, decided, opened
from schema.model.record import NOWHERE, Place
from schema.model.viewer import Viewer
from schema.model.words import Kind, Word

FETCHED_AT = 1_790_000_000.0

Rows = Mapping[Kind, Mapping[str, Mapping[str, Any]]]


@dataclass(frozen=True)
class Asked:
    """One question as the graph put it."""

    way: str
    kind: Kind
    by: str
    value: str
    fields: frozenset[str]
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class FakeDirectory:
    """Records by kind and key, as one viewer may see them; `silent` are sources that give nothing."""

    rows: Rows
    viewer: Viewer
    divisions: Divisions
    today: date
    silent: tuple[Silence, ...] = ()
    losing: Mapping[str, tuple[Losing, ...]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    async def get(
        self, kind: Kind, key: str, fields: frozenset[str], *, place: Place = NOWHERE
    ) -> tuple[Entity | None, Account]:
        """The one thing with this key."""
        self.asked.append(Asked("get", kind, "key", key, fields, {"place": place}))
        values = self.rows.get(kind, {}).get(key)
        return (None if values is None else self._entity(kind, key, values, fields)), self._account()

    async def related(
        self,
        kind: Kind,
        by: str,
        value: str,
        fields: frozenset[str],
        *,
        place: Place = NOWHERE,
        where: Mapping[str, Sequence[str]] | None = None,
        levels: Sequence[Level] = (),
        about: Entity | None = None,
    ) -> Found:
        """All whose `by` is `value` and whose values are those of `where`."""
        more = {"place": place, "where": where, "levels": tuple(levels)}
        self.asked.append(Asked("related", kind, by, value, fields, more))
        known = {name: about.values[name] for name in SIGHT_FIELDS & about.values.keys()} if about else {}
        entities = self._matching(kind, {by: [value], **(where or {})}, fields, known)
        return Found(tuple(entities), self._account(), len(entities))

    async def find(
        self,
        kind: Kind,
        fields: frozenset[str],
        *,
        where: Mapping[str, Sequence[str]] | None = None,
        region: str = "",
        levels: Sequence[Level] = (),
        text: str = "",
        since: str = "",
        until: str = "",
        first: int = 20,
        after: str = "",
    ) -> Found:
        """A page of those that match, in order of key."""
        more = {
            "where": where, "region": region, "levels": tuple(levels), "text": text, "since": since,
            "until": until, "first": first, "after": after,
        }  # fmt: skip
        self.asked.append(Asked("find", kind, "", "", fields, more))
        if after and not after.startswith("row"):
            raise BadCursor
        start = int(after[3:]) if after else 0
        entities = self._matching(kind, where or {}, fields)
        shown = entities[start : start + first]
        cursors = tuple(f"row{start + place + 1}" for place in range(len(shown)))
        total = None if self.silent else len(entities)
        return Found(tuple(shown), self._account(), total, len(entities) > start + first, cursors)

    def _matching(
        self,
        kind: Kind,
        where: Mapping[str, Sequence[str]],
        fields: frozenset[str],
        known: Mapping[str, Any] = MappingProxyType({}),
    ) -> list[Entity]:
        rows = sorted(self.rows.get(kind, {}).items())
        held = ((key, values) for key, values in rows if _holds(values, where))
        found = (self._entity(kind, key, values, fields, known) for key, values in held)
        return [entity for entity in found if entity is not None]

    def _entity(
        self,
        kind: Kind,
        key: str,
        values: Mapping[str, Any],
        fields: frozenset[str],
        known: Mapping[str, Any] = MappingProxyType({}),
    ) -> Entity | None:
        spec = Word.declared[kind.value].spec
        fetched = {name: value for name, value in values.items() if name in fields | SIGHT_FIELDS}
        full = {**known, **fetched}
        made = decided(self.viewer, spec, full, self.divisions.within, self.today)
        if not made.there:
            return None
        source = "county" if spec.shared else key.partition(":")[0]
        part = Part(source, key.rpartition(":")[2], FETCHED_AT, False, None, tuple(fetched))
        losing = self.losing.get(key, ())
        return Entity(spec, key, opened(made, full), made.seen, (part,), losing, made.logged)

    def _account(self) -> Account:
        silent = tuple(one.source for one in self.silent)
        return Account(("county", *silent), ("county",), self.silent)


@dataclass
class FakeSources:
    """The joined sources by code; all of them well."""

    known: Mapping[str, Face]
    veil: Veil = field(default_factory=lambda: Veil(b"a key for tests that never end.."))

    def faces(self) -> Sequence[Face]:
        """All of them."""
        return tuple(self.known.values())

    def face(self, code: str) -> Face | None:
        """One of them."""
        return self.known.get(code)

    def health(self, code: str) -> Mapping[str, Any]:
        """Up, and quick."""
        return {"state": "up", "answered": 3, "failed": 0, "median_ms": 12.5} if code in self.known else {}


@dataclass
class FakeCatalogue:
    """A catalogue that holds these resources, finds all of them and counts what it is asked to count."""

    entities: tuple[Entity, ...]
    searches: list[Mapping[str, Any]] = field(default_factory=list)

    async def search(
        self,
        text: str,
        *,
        filters: Mapping[str, Sequence[str]],
        facets: Sequence[str] = (),
        first: int = 20,
        after: str = "",
    ) -> CatalogueHits | None:
        """All it holds, counted by each dimension asked for."""
        self.searches.append({"text": text, "filters": filters, "facets": tuple(facets), "first": first})
        counted: dict[tuple[str, str], int] = {}
        for dimension in facets:
            for entity in self.entities:
                mark = (dimension, str(entity.values.get(dimension)))
                counted[mark] = counted.get(mark, 0) + 1
        found = Found(self.entities[:first], Account(("catalogue",), ("catalogue",)), len(self.entities))
        return CatalogueHits(found, tuple(Facet(*mark, count) for mark, count in counted.items()))

    async def same_as(self, key: str) -> tuple[Entity, ...]:
        """Everything else it holds."""
        return tuple(entity for entity in self.entities if entity.key != key)


def _holds(values: Mapping[str, Any], where: Mapping[str, Sequence[str]]) -> bool:
    for name, wanted in where.items():
        held = values.get(name)
        if not any(one in wanted for one in (held if isinstance(held, list) else [held])):
            return False
    return True
