"""Where a number is at home: keyed hash to records at rosters, gathered school by school.

A connector hashes one school's numbers and not a province's, so no source is asked "who has this hash" over
all its schools. The hub goes through the schools now and then and keeps of each person record key and keyed
hashes, and nothing else; an account that an authority vouches a number for then finds its records at once.
Rule: two records of one roster with one number and different names are two persons or one, nobody knows:
neither is found by the number until somebody has decided (`hub.people.candidates`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec

from connectors.base import Connector
from connectors.errors import SourceError
from hub.clock import Clock
from hub.mongo import ASCENDING, Index, Mongo, StorageConflict, UpdateOne
from schema.model.record import Page, Record, lookup
from schema.model.words import Kind

COLLECTION = "people_index"
INDEXES = [
    Index([("match", ASCENDING)]),
    Index([("alike", ASCENDING)]),
    Index([("source", ASCENDING), ("seen", ASCENDING)]),
    Index([("seen", ASCENDING)]),
]
FIELDS = ["match_key", "person_key", "school_code"]
NAMES = ["display_name", "birth_date"]
MOST, WINDOW, PAGES = 20, 500, 200
PATIENCE = 20.0
KEPT = timedelta(days=7)
"""A record that no roster has told of for this long is forgotten."""
FEW = 5
"""Of a roster's rows up to one in so many are forgotten at once; more of them missing may be a fault."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """How far the going through has come: the roster, records it told of so far, whether it was whole."""

    source: str
    records: int
    whole: bool = False


def _unseen(_gathered: Gathered) -> None:
    return


@dataclass(slots=True)
class MatchIndex:
    """The index of one hub. Raises `StorageError`, never for a silent roster.

    `sealed` makes keyed hashes of texts; without it names are not looked at, and nothing is in doubt.
    """

    mongo: Mongo
    rosters: Mapping[str, Connector]
    clock: Clock = field(default_factory=Clock)
    sealed: Callable[[str], str] | None = None

    async def find(self, number: str) -> Sequence[str]:
        """Record keys of the persons with this keyed hash, but for those in doubt."""
        if not number:
            return []
        found = await self.mongo.collection(COLLECTION).find({"match": {"$eq": number}}, limit=MOST)
        return [one["_id"] for one in found if not doubtful(one, found)]

    async def refresh(self, told: Callable[[Gathered], None] = _unseen) -> int:
        """Go through every roster's schools; how many records were told of. `told` hears of the progress.

        What a roster that was gone through to its end has not told of is forgotten, if it is little.
        """
        collection = self.mongo.collection(COLLECTION)
        await collection.create_indexes(INDEXES)
        total = 0
        for code, roster in self.rosters.items():
            count, begun = 0, self._now()
            whole = True
            async for records in _of(roster, [*FIELDS, *(NAMES if self.sealed else ())]):
                whole = records is not None
                count += await self._keep(code, records or ())
                told(Gathered(code, count))
            if count and whole:
                await self._forget(code, begun, count)
            if count:
                told(Gathered(code, count, whole))
            total += count
        await collection.delete_many({"seen": {"$lt": self._now() - KEPT}})
        return total

    async def _forget(self, source: str, begun: datetime, count: int) -> None:
        """What a roster did not tell of this time, if it is little."""
        collection = self.mongo.collection(COLLECTION)
        unseen = {"source": {"$eq": source}, "seen": {"$lt": begun}}
        if await collection.count(unseen, limit=count) * FEW <= count:
            await collection.delete_many(unseen)

    async def _keep(self, source: str, records: Sequence[Record]) -> int:
        now = self._now()
        documents = [one for record in records if (one := self._document(source, record, now))]
        writes = [UpdateOne({"_id": one["_id"]}, {"$set": one}, upsert=True) for one in documents]
        collection = self.mongo.collection(COLLECTION, durability="cache")
        try:
            await collection.bulk_write(writes)
        except StorageConflict:  # another process made the same row between the server's look and its write
            await collection.bulk_write(writes)
        return len(writes)

    def _document(self, source: str, record: Record, now: datetime) -> dict[str, Any] | None:
        """The row of a record that may be somebody's: with a number, or with name and birth date."""
        values = record.values
        number = str(values.get("match_key") or "")
        named, alike = self._hashes(
            str(values.get("display_name") or ""), str(values.get("birth_date") or "")
        )
        if not number and not alike:
            return None
        return {
            "_id": f"{source}:{record.local_id}", "source": source, "match": number, "named": named,
            "alike": alike, "seen": now,
        }  # fmt: skip

    def _hashes(self, name: str, birth: str) -> tuple[str, str]:
        plain = "".join(name.split())
        if self.sealed is None or not plain:
            return "", ""
        return self.sealed(f"name\0{plain}"), self.sealed(f"alike\0{plain}\0{birth}") if birth else ""

    def _now(self) -> datetime:
        """To the millisecond, as the database keeps it."""
        now = self.clock.now()
        return now.replace(microsecond=now.microsecond // 1000 * 1000)


def doubtful(one: Mapping[str, Any], found: Sequence[Mapping[str, Any]]) -> bool:
    """Whether another record of the same roster has the number under another name, and nobody decided."""
    return not one.get("sure") and any(
        (other.get("source"), other.get("match")) == (one.get("source"), one.get("match"))
        and other.get("named") != one.get("named")
        for other in found
        if other.get("named") and one.get("named")
    )


async def _of(roster: Connector, fields: list[str]) -> AsyncIterator[Sequence[Record] | None]:
    """All persons of a roster that can be asked school by school; None at the end if it fell silent."""
    offers = roster.capabilities.offers
    persons, schools = offers.get(Kind.PERSON), offers.get(Kind.SCHOOL)
    if persons is None or schools is None or "school_code" not in persons.by:
        return
    try:
        async for page in _pages(roster, Kind.SCHOOL, ["school_code"], {}):
            for school in page:
                asked = {"school_code": [str(school.values.get("school_code") or "")]}
                async for records in _pages(roster, Kind.PERSON, fields, asked):
                    yield records
    except SourceError:
        yield None


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
