"""Where a number is at home: gathered from rosters that may be silent, and forgotten with care."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from connectors.base import Identity, Offer, Tools
from connectors.http import Http
from connectors.seal import Seal
from hub.clock import Clock
from hub.mongo import Mongo, StorageError
from hub.people.index import COLLECTION, KEPT, Gathered, MatchIndex
from schema.model.codes import Level
from schema.model.words import Kind
from tests.fakes.connector import MemorySource, Mood

SEAL = Seal(b"k" * 32)
SCHOOLS = ({"local_id": "s1", "key": "3137000001", "school_code": "3137000001"},)
OFFERS = {
    Kind.SCHOOL: Offer(frozenset({"school_code"}), frozenset({"key"}), pages=True),
    Kind.PERSON: Offer(
        frozenset({"match_key", "person_key", "school_code", "display_name", "birth_date"}),
        frozenset({"key", "school_code"}), pages=True,
    ),
}  # fmt: skip


class Turned(Clock):
    """The machine's clock, with the hands turned on."""

    ahead = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead


def person(number: int, match: str = "", **more: str) -> Mapping[str, Any]:
    usual = {"display_name": f"学生{number}", "birth_date": "2016-05-04", "school_code": "3137000001"}
    return {"local_id": f"p{number}", "match_key": match, **usual, **more}


def roster(people: Iterable[Mapping[str, Any]], code: str = "county") -> MemorySource:
    tools = Tools(Http(()), SEAL)
    rows = {Kind.SCHOOL: SCHOOLS, Kind.PERSON: tuple(people)}
    return MemorySource(Identity(code, Level.COUNTY, "371502"), tools, OFFERS, rows)


def index(mongo: Mongo, *rosters: MemorySource, clock: Clock | None = None) -> MatchIndex:
    named = {one.identity.code: one for one in rosters}
    return MatchIndex(mongo, named, clock or Clock(), SEAL.match_key)


async def test_a_number_finds_its_records_at_every_roster(mongo: Mongo) -> None:
    found = index(mongo, roster([person(1, "n1"), person(2, "n2")]), roster([person(9, "n1")], "province"))
    told: list[Gathered] = []
    assert await found.refresh(told.append) == 3
    assert sorted(await found.find("n1")) == ["county:p1", "province:p9"]
    assert await found.find("n3") == []
    assert await found.find("") == []
    assert {one.source for one in told if one.whole} == {"county", "province"}


async def test_a_whole_county_is_gone_through_page_by_page(mongo: Mongo) -> None:
    found = index(mongo, roster(person(n, f"n{n}") for n in range(1200)))
    assert await found.refresh() == 1200
    assert await found.find("n1199") == ["county:p1199"]


async def test_no_name_no_birth_date_and_no_plain_number_is_kept(mongo: Mongo) -> None:
    await index(mongo, roster([person(1, "n1"), person(2)])).refresh()
    rows = await mongo.collection(COLLECTION).find({}, limit=9)
    assert len(rows) == 2
    assert all(row.keys() == {"_id", "source", "match", "named", "alike", "seen"} for row in rows)
    assert "学生" not in str(rows)
    assert "2016" not in str([{**row, "seen": ""} for row in rows])


async def test_who_left_a_roster_is_forgotten_at_the_next_turn(mongo: Mongo) -> None:
    clock = Turned()
    source = roster(person(n, f"n{n}") for n in range(20))
    found = index(mongo, source, clock=clock)
    await found.refresh()
    source.rows[Kind.PERSON].pop()
    clock.ahead = timedelta(hours=6)
    await found.refresh()
    assert await found.find("n19") == []
    assert await found.find("n18") == ["county:p18"]


@pytest.mark.parametrize("what", ["silent", "nearly empty"])
async def test_a_roster_that_tells_nothing_or_little_is_remembered_for_a_week(
    mongo: Mongo, what: str
) -> None:
    clock = Turned()
    source = roster(person(n, f"n{n}") for n in range(20))
    found = index(mongo, source, clock=clock)
    await found.refresh()
    if what == "silent":
        source.mood = Mood.DEAD
    else:
        del source.rows[Kind.PERSON][2:]
    clock.ahead = timedelta(hours=6)
    await found.refresh()
    assert await found.find("n19") == ["county:p19"]
    clock.ahead = KEPT + timedelta(hours=1)
    await found.refresh()
    assert await found.find("n19") == []


async def test_two_hubs_that_gather_at_a_time_do_not_disturb_each_other(mongo: Mongo) -> None:
    people = [person(n, f"n{n}") for n in range(300)]
    one, other = index(mongo, roster(people)), index(mongo, roster(people))
    assert set(await asyncio.gather(one.refresh(), other.refresh())) == {300}
    assert await mongo.collection(COLLECTION).count({}) == 300


async def test_a_number_under_two_names_in_one_roster_finds_nobody_and_a_decision_lasts(mongo: Mongo) -> None:
    found = index(mongo, roster([person(1, "n1"), person(2, "n1"), person(3, "n3"), person(4, "n3")]))
    found.rosters["county"].rows[Kind.PERSON][3] = person(4, "n3", display_name="学 生3")  # type: ignore[attr-defined]
    await found.refresh()
    assert await found.find("n1") == []
    assert sorted(await found.find("n3")) == ["county:p3", "county:p4"]
    await mongo.collection(COLLECTION).update_many({"match": "n1"}, {"$set": {"sure": True}})
    await found.refresh()
    assert sorted(await found.find("n1")) == ["county:p1", "county:p2"]


async def test_a_database_that_is_away_is_an_error(mongo: Mongo) -> None:
    nowhere = Mongo.connect("mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=50", "x")
    with pytest.raises(StorageError):
        await index(nowhere).find("n1")
    with pytest.raises(StorageError):
        await index(nowhere, roster([])).refresh()
    await nowhere.close()
