"""Where a number is at home: keyed hash to records at rosters, gathered school by school.

A connector hashes one school's numbers and not a province's, so no source is asked "who has this hash" over
all its schools. The hub goes through the schools now and then and keeps of each person hash and record
key, and nothing else; an account that an authority vouches a number for then finds its records at once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import msgspec

from connectors.base import Connector
from connectors.errors import SourceError
from hub.clock import Clock
from hub.mongo import ASCENDING, Index, Mongo, ReplaceOne
from schema.model.record import Page, Record, lookup
from schema.model.words import Kind

COLLECTION = "people_index"
INDEXES = [Index([("match", ASCENDING)]), Index([("seen", ASCENDING)])]
FIELDS = ["match_key", "person_key", "school_code"]
MOST, WINDOW, PAGES = 20, 500, 200
PATIENCE = 20.0
KEPT = timedelta(days=7)
"""A record that no roster has told of for this long is forgotten."""


@dataclass(slots=True)
class MatchIndex:
    """The index of one hub. Raises `StorageError`, never for a silent roster."""

    mongo: Mongo
    rosters: Mapping[str, Connector]
    clock: Clock = field(default_factory=Clock)

    async def find(self, number: str) -> Sequence[str]:
        """Record keys of the persons with this keyed hash."""
        found = await self.mongo.collection(COLLECTION).find({"match": {"$eq": number}}, limit=MOST)
        return [one["_id"] for one in found]

    async def refresh(self) -> int:
        """Go through every roster's schools; how many records were told of."""
        collection = self.mongo.collection(COLLECTION)
        await collection.create_indexes(INDEXES)
        count = 0
        for code, roster in self.rosters.items():
            async for records in _of(roster):
                count += await self._keep(code, records)
        await collection.delete_many({"seen": {"$lt": self.clock.now() - KEPT}})
        return count

    async def _keep(self, source: str, records: Sequence[Record]) -> int:
        now = self.clock.now()
        documents = [
            {
                "_id": f"{source}:{record.local_id}",
                "match": record.values["match_key"],
                "seen": now,
            }
            for record in records
            if record.values.get("match_key")
        ]
        writes = [ReplaceOne({"_id": one["_id"]}, one, upsert=True) for one in documents]
        await self.mongo.collection(COLLECTION, durability="cache").bulk_write(writes)
        return len(writes)


async def _of(roster: Connector) -> AsyncIterator[Sequence[Record]]:
    """All persons of a roster that can be asked school by school; a silent one tells none."""
    offers = roster.capabilities.offers
    persons, schools = offers.get(Kind.PERSON), offers.get(Kind.SCHOOL)
    if persons is None or schools is None or "school_code" not in persons.by:
        return
    try:
        async for page in _pages(roster, Kind.SCHOOL, ["school_code"], {}):
            for school in page:
                asked = {"school_code": [str(school.values.get("school_code") or "")]}
                async for records in _pages(roster, Kind.PERSON, FIELDS, asked):
                    yield records
    except SourceError:
        return


async def _pages(
    roster: Connector, kind: Kind, fields: list[str], where: Mapping[str, Sequence[str]]
) -> AsyncIterator[Sequence[Record]]:
    offer = roster.capabilities.offers[kind]
    wanted = [name for name in fields if name in offer.fields]
    question, start = lookup(kind, wanted, where), 0
    for _ in range(PAGES):
        if offer.pages:
            question = msgspec.structs.replace(question, page=Page(start, WINDOW))
        answer = await roster.look_up(question, PATIENCE)
        yield answer.records
        start += len(answer.records)
        if not (offer.pages and answer.more and answer.records):
            return
