"""Reads spreadsheets and CSV files that a county drops in a folder, as its mapping file says.

Rule 1: files are parsed in a thread, once for each version, and looked up in memory.
Rule 2: a row is taken whole or left out with the reason: file, sheet, row, column, cause; never its content.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import ClassVar

from connectors.base import Capabilities, Connector, Identity, Offer, Options, Tools, inside, only, window
from connectors.deadline import deadline, in_time
from connectors.errors import Unanswerable, Unavailable
from connectors.mapping import KindMapping, load_mapping
from connectors.recent import Recent
from connectors.tables.files import versions
from connectors.tables.index import Index, Part, build
from connectors.tables.shapes import TablesDocument, checked
from schema.model.record import Answer, Batch, Lookup, Record
from schema.model.words import Kind

MOST = 20_000  # records of one answer without a page
STEP = 500  # records of one batch of a harvest
FLIGHT = 120.0  # seconds for reading files; longer than most callers wait, for the next ones profit


class TablesOptions(Options, frozen=True, kw_only=True):
    """Settings of a folder of tables: `folder` and `mapping`, both relative to the configuration."""

    folder: str
    mapping: str


class Tables(Connector):
    """A folder of tables."""

    protocol: ClassVar[str] = "tables"
    options: ClassVar[type[Options]] = TablesOptions

    def __init__(self, identity: Identity, options: TablesOptions, tools: Tools) -> None:
        super().__init__(identity, options, tools)
        self._folder = inside(tools.root, options.folder)
        loaded = load_mapping(inside(tools.root, options.mapping), TablesDocument, checked)
        self._kinds, self._sheets = loaded.kinds, loaded.document.sheets
        self._indexes: Recent[Index] = Recent(len(self._kinds) + 2, float("inf"), FLIGHT)
        self._capabilities = Capabilities({kind: self._offer(parts) for kind, parts in self._kinds.items()})

    def _offer(self, parts: tuple[KindMapping, ...]) -> Offer:
        sheets = [self._sheets[part.source] for part in parts]
        return Offer(
            fields=frozenset().union(*(part.fields for part in parts)),
            by=frozenset({"key"}).union(*(part.rule.by for part in parts)),
            batch=1000,
            pages=True,
            totals=True,
            search=any(sheet.search for sheet in sheets),
            harvest=any(sheet.harvest for sheet in sheets),
            fresh_for=min(part.rule.fresh_for for part in parts),
        )

    @property
    def capabilities(self) -> Capabilities:
        """What the mapping file declares."""
        return self._capabilities

    async def look_up(self, lookup: Lookup, within: float) -> Answer:
        """See Connector; remarks tell of the rows that could not be taken."""
        self.offer(lookup)
        at = self.tools.now()
        index, _ = await self._index(lookup.kind, within)
        places = index.find(lookup.where)
        if lookup.text:
            places = await asyncio.to_thread(self._searched, index, places, lookup)
        shown, more = window(places, lookup.page, MOST)
        records = tuple(self._record(lookup.kind, index, place, lookup.fields, at) for place in shown)
        return Answer(records, len(places), more, index.remarks)

    async def harvest(self, kind: Kind, checkpoint: str, within: float) -> AsyncIterator[Batch]:
        """All rows in the files' order; new versions of the files begin anew."""
        offer = self._capabilities.offers.get(kind)
        if offer is None or not offer.harvest:
            raise Unanswerable(f"{self.identity.code} cannot be harvested for {kind}")
        at = self.tools.now()
        index, name = await self._index(kind, within)
        version, _, place = checkpoint.rpartition(":")
        start = int(place) if version == name and place.isdigit() and len(place) < 10 else 0
        total = len(index.readings)
        for first in range(start, total, STEP):
            places = range(first, min(first + STEP, total))
            records = tuple(self._record(kind, index, place, offer.fields, at) for place in places)
            yield Batch(records, (), f"{name}:{places.stop}", total)

    async def probe(self, within: float) -> None:
        """The first kind's files are there and readable; they are read at most once a version."""
        await self._index(next(iter(self._kinds)), within)

    async def aclose(self) -> None:
        """End what is being read."""
        await self._indexes.aclose()

    def _record(self, kind: Kind, index: Index, place: int, fields: Iterable[str], at: float) -> Record:
        """A row, fetched `at`: when its file was last found to be the version that was read."""
        reading = index.readings[place]
        return self.record(
            kind, reading.key, reading.local_id, only(reading.values, fields),
            updated_at=reading.updated_at, fetched_at=at,
        )  # fmt: skip

    def _searched(self, index: Index, places: list[int], lookup: Lookup) -> list[int]:
        fields = {name for part in self._kinds[lookup.kind] for name in self._sheets[part.source].search}
        wanted = lookup.text.casefold()
        return [
            place for place in places
            if any(wanted in str(index.readings[place].values.get(name, "")).casefold() for name in fields)
        ]  # fmt: skip

    async def _index(self, kind: Kind, within: float) -> tuple[Index, str]:
        """The index of the files as they stand, and the name of that version."""
        left = deadline(within)
        async with in_time(within, "the folder did not answer"):
            parts = await asyncio.to_thread(self._parts, kind)
        name = _version(kind, parts)

        async def make(names: list[str]) -> Mapping[str, Index]:
            built = await asyncio.to_thread(build, parts, self.key, self.tools.seal)
            return {names[0]: built}

        return (await self._indexes.get([name], make, left()))[name], name

    def _parts(self, kind: Kind) -> list[Part]:
        parts = []
        for mapping in self._kinds[kind]:
            sheet = self._sheets[mapping.source]
            found = versions(self._folder, sheet.files)
            if not found and not sheet.optional:
                raise Unavailable(f"no file named {sheet.files} is in the folder / 目录中没有 {sheet.files}")
            parts.append(Part(mapping, sheet, found))
        return parts


def _version(kind: Kind, parts: list[Part]) -> str:
    state = repr([(v.path.name, v.changed_ns, v.size) for part in parts for v in part.files])
    return f"{kind}-{hashlib.sha256(state.encode()).hexdigest()[:16]}"
