"""Search for one viewer and one request: the `Catalogue` port of the graph."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiodataloader import DataLoader

from hub.cache.breaker import Breaker
from hub.catalogue.documents import record_of
from hub.catalogue.question import (
    LISTED,
    MOST_COMBINATIONS,
    MOST_FIRST,
    MOST_OF_A_FACET,
    Place,
    Search,
    browsed,
    combined,
    dimensions,
    facets_of,
    listed,
    tiered,
    understood,
)
from hub.catalogue.standing import account, harvestable, held, offering, stale
from hub.catalogue.state import States
from hub.clock import Clock
from hub.mongo import Collection, Document, StorageError
from hub.sources.asking import Joined
from hub.sources.directory import SourceDirectory
from hub.sources.merging import Told
from hub.sources.registry import Registry
from schema.graph.context import BadCursor, CatalogueHits, Entity, Facet, Found
from schema.model.words import Kind

PATIENCE = 3.0
"""Seconds that the database may work on one part of an answer."""
Counts = tuple[int, tuple[Facet, ...]]
"""How many match, and the facets in the order asked for."""
MOST_COPIES = 20
"""Records of one work that are shown; a name that more than these bear names no work."""


class Searching:
    """One request's view of the catalogue. Nothing here raises for a database that is away."""

    def __init__(
        self, kept: Collection, states: States, registry: Registry, directory: SourceDirectory, clock: Clock,
        every: float, breaker: Breaker,
    ) -> None:  # fmt: skip
        self._kept = kept
        self._states = states
        self._registry = registry
        self._directory = directory
        self._clock = clock
        self._every = every
        self._breaker = breaker
        self._copies: DataLoader[str, list[Document]] = DataLoader(
            self._copies_of,  # type: ignore[arg-type]  # an error in a key's place is raised for that key
            max_batch_size=200,
        )

    async def search(
        self,
        text: str,
        *,
        filters: Mapping[str, Sequence[str]],
        facets: Sequence[str] = (),
        first: int = 20,
        after: str = "",
    ) -> CatalogueHits | None:
        """A page of matches, best first, with the total and the facets asked for.

        None: no catalogue now, since the database is away or nothing has been harvested yet.
        Raises `BadCursor`, and `ValueError` for a filter or facet that there is not.
        """
        counted = dimensions(facets)
        first = max(0, min(first, MOST_FIRST))
        try:
            answer = await self._breaker.run(lambda: self._read(text, filters, after, counted, first))
        except StorageError:
            return None
        if answer is None:
            return None
        states, search, page, (total, counts), records = answer
        more = len(page) > first
        found = self._found(search, page[:first], records, states)
        account_of = account(self._asked(filters), states, self._clock.epoch(), self._every)
        hidden = len(found) < min(first, len(page))
        return CatalogueHits(
            Found(
                tuple(entity for entity, _ in found), account_of, None if hidden else total, more,
                tuple(cursor for _, cursor in found),
            ),
            counts,
        )  # fmt: skip

    async def same_as(self, key: str) -> tuple[Entity, ...]:
        """The other records of the same work, none when nobody can tell; keys of one tick travel together."""
        try:
            copies = await self._copies.load(key)
            states = await self._breaker.run(self._states.all) if copies else {}
        except StorageError:
            return ()
        shown = (self._entity(copy, states) for copy in copies)
        return tuple(entity for entity in shown if entity is not None)

    async def _read(
        self, text: str, filters: Mapping[str, Sequence[str]], after: str, counted: Sequence[str], first: int
    ) -> tuple[dict[str, Document], Search, list[Place], Counts, dict[str, Document]] | None:
        """All that a page needs of the database; None while nothing is harvested. Raises `StorageError`."""
        states = await self._states.all()
        known = harvestable(self._registry)
        if not any(held(states.get(code, {})) for code in known):
            return None
        only = known if states.keys() - known.keys() else None
        search, page, counts = await self._answered(text, filters, after, only, counted, first + 1)
        return states, search, page, counts, await self._records(place.key for place in page[:first])

    async def _answered(
        self, text: str, filters: Mapping[str, Sequence[str]], after: str, only: Iterable[str] | None,
        counted: Sequence[str], wanted: int,
    ) -> tuple[Search, list[Place], Counts]:  # fmt: skip
        """By words; where nothing has them, by characters. A cursor goes on in the search that it is of."""

        async def look(loose: bool) -> tuple[Search, list[Place], Counts] | None:
            search = await asyncio.to_thread(understood, text, filters, after, only_sources=only, loose=loose)
            if search is None:
                return None
            page, counts = await asyncio.gather(self._page(search, wanted), self._counts(search, counted))
            return search, page, counts

        try:
            strict = await look(False)
        except BadCursor:
            if (loose := await look(True)) is None:
                raise
            return loose
        assert strict is not None
        return strict if strict[2][0] or after else await look(True) or strict

    async def _page(self, search: Search, wanted: int) -> list[Place]:
        """The places of the next matches, best first."""
        if search.match is None:
            return []
        if len(search.tiers) > 1:
            row = (await self._rows(tiered(search, wanted), 1))[0]
            tiers = [(tier, one) for tier in range(len(search.tiers)) for one in row.get(f"tier{tier}", ())]
        else:
            tiers = [(0, one) for one in await self._rows(browsed(search, wanted), wanted)]
        return [Place(tier, one["rank"], one["_id"]) for tier, one in tiers[:wanted]]

    async def _counts(self, search: Search, counted: Sequence[str]) -> Counts:
        """How many match, and the facets in the order asked for."""
        if search.match is None:
            return 0, ()
        several = [name for name in counted if name in LISTED]
        rows, *lists = await asyncio.gather(
            self._rows(combined(search, counted), MOST_COMBINATIONS),
            *(self._rows(listed(search, name), MOST_OF_A_FACET) for name in several),
        )
        if len(rows) == MOST_COMBINATIONS:  # not all of them: count each by itself
            several = list(counted)
            lists = [await self._rows(listed(search, name), MOST_OF_A_FACET) for name in several]
            rows = await self._rows(combined(search, ()), 1)
        found = await asyncio.to_thread(facets_of, counted, rows)
        for name, values in zip(several, lists, strict=True):
            found[name] = [(value["_id"], value["count"]) for value in values]
        facets = tuple(Facet(name, value, count) for name in counted for value, count in found[name])
        return sum(row["count"] for row in rows), facets

    async def _rows(self, pipeline: list[Document], most: int) -> list[Document]:
        return await self._kept.aggregate(pipeline, limit=most, seconds=PATIENCE)

    async def _records(self, keys: Iterable[str]) -> dict[str, Document]:
        wanted = sorted(keys)
        where = {"_id": {"$in": wanted}, "live": True}
        rows = await self._kept.find(where, limit=len(wanted), fields={"record": 1}) if wanted else []
        return {row["_id"]: row for row in rows}

    def _found(
        self, search: Search, page: Sequence[Place], records: Mapping[str, Document],
        states: Mapping[str, Mapping[str, Any]],
    ) -> list[tuple[Entity, str]]:  # fmt: skip
        """Each entity of a page with its cursor; what has just been removed is left out."""
        pairs = ((place, records.get(place.key)) for place in page)
        shown = ((self._entity(row, states), place) for place, row in pairs if row is not None)
        return [(entity, search.cursor(place)) for entity, place in shown if entity is not None]

    def _asked(self, filters: Mapping[str, Sequence[str]]) -> list[Joined]:
        """The sources that the filters do not rule out."""
        only, levels = set(filters.get("source") or ()), set(filters.get("level") or ())
        known = harvestable(self._registry)
        return [
            one for one in offering(self._registry)
            if (not only or one.face.code in only)
            and (one.face.code in known or not levels or one.face.level in levels)
        ]  # fmt: skip

    def _entity(self, document: Document, states: Mapping[str, Mapping[str, Any]]) -> Entity | None:
        """A document as the viewer may see it; None for one whose source has just left."""
        record = record_of(document)
        face = self._registry.face(record.source)
        if face is None:
            return None
        old = stale(states.get(record.source, {}), self._clock.epoch(), self._every)
        return self._directory.shown(self._directory.specs[Kind.RESOURCE], [Told(record, face.level, old)])

    async def _copies_of(self, keys: list[str]) -> list[list[Document] | StorageError]:
        """For each key the documents that share a work with it, or what kept the database from telling."""
        try:
            return [*await self._breaker.run(lambda: self._shared(keys))]
        except StorageError as error:
            return [error] * len(keys)

    async def _shared(self, keys: list[str]) -> list[list[Document]]:
        rows = await self._kept.find({"_id": {"$in": keys}}, limit=len(keys), fields={"works": 1})
        names = {row["_id"]: row["works"] for row in rows}
        groups = await self._groups(sorted({name for own in names.values() for name in own}))
        others = [_others(key, names.get(key, ()), groups) for key in keys]
        records = await self._records({other for found in others for other in found})
        return [[records[other] for other in found if other in records] for found in others]

    async def _groups(self, names: list[str]) -> dict[str, list[str]]:
        """The keys of those that bear each name, none for a name that too many bear."""
        named = {"works": {"$in": names}}
        few = {"$minN": {"input": "$_id", "n": MOST_COPIES + 2}}
        group = {"$group": {"_id": "$works", "keys": few}}
        rows = await self._rows(
            [{"$match": named}, {"$unwind": "$works"}, {"$match": named}, group], len(names) + 1
        )
        return {row["_id"]: row["keys"] for row in rows if len(row["keys"]) <= MOST_COPIES + 1}


def _others(key: str, names: Iterable[str], groups: Mapping[str, Sequence[str]]) -> list[str]:
    """Whoever has the same file, and whoever at another source has the same name; in order of key."""
    own = key.partition(":")[0]
    found = {
        other
        for name in names
        for other in groups.get(name, ())
        if other != key and (name.startswith("file:") or other.partition(":")[0] != own)
    }
    return sorted(found)[:MOST_COPIES]
