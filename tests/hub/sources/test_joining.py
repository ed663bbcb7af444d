"""Records of several sources side by side: registers speak alone, one thing is one, two are two."""

from __future__ import annotations

from typing import Any

import pytest

from hub.sources.joining import joined
from hub.sources.merging import Told
from schema.model.codes import Level
from schema.model.record import Place, Record
from schema.model.words import Kind
from tests.fakes.connector import MemorySource, Mood
from tests.hub.sources.room import COUNTY, OFFICER, OTHER_SCHOOL, SCHOOL, SPECS, Room, offer

FIELDS = frozenset({"name"})
HONOUR = {
    "doc_no": "样例〔2023〕1号", "title": "智慧校园", "level": "MUNICIPAL", "awarded_on": "2023-12-20",
    "region_code": COUNTY, "school_code": SCHOOL,
}  # fmt: skip


@pytest.fixture
def room() -> Room:
    return Room()


def told(source: str, own: str, kind: Kind = Kind.HONOUR, **values: Any) -> Told:
    record = Record(kind, f"{source}:{own}", source, own, HONOUR | values, 0.0)
    return Told(record, Level.MUNICIPAL, False)


def met(*records: Told) -> list[list[str]]:
    return [[one.record.key for one in thing] for thing in joined(SPECS[Kind.HONOUR], records)]


def roster(room: Room, code: str, level: Level, *schools: str) -> MemorySource:
    rows = [
        {"local_id": f"{school}-{n}", "name": f"{n}班", "school_code": school, "region_code": COUNTY}
        for school in schools
        for n in (1, 2)
    ]
    kinds = {Kind.CLASS_GROUP: offer(Kind.CLASS_GROUP, "school_code", "region_code", pages=True)}
    own = schools[0] if level is Level.SCHOOL else ""
    return room.join(code, level, COUNTY, kinds, {Kind.CLASS_GROUP: rows}, school=own)


async def classes(room: Room, school: str) -> tuple[set[str], Any]:
    found = await room.directory(OFFICER).related(
        Kind.CLASS_GROUP, "school_code", school, FIELDS, place=Place(COUNTY, school)
    )
    assert found.total in (len(found.entities), None)
    return {part.source for entity in found.entities for part in entity.parts}, found.account


async def test_a_schools_own_register_speaks_alone_and_the_county_for_the_others(room: Room) -> None:
    roster(room, "county", Level.COUNTY, SCHOOL, OTHER_SCHOOL)
    roster(room, "own", Level.SCHOOL, SCHOOL)
    who, account = await classes(room, SCHOOL)
    assert who == {"own"}
    assert set(account.answered) == {"own", "county"}
    assert (await classes(room, OTHER_SCHOOL))[0] == {"county"}
    page = await room.directory(OFFICER).find(Kind.CLASS_GROUP, FIELDS, region=COUNTY, first=3)
    assert [entity.key for entity in page.entities] == [
        f"county:{OTHER_SCHOOL}-1", f"county:{OTHER_SCHOOL}-2", f"own:{SCHOOL}-1",
    ]  # fmt: skip
    assert page.total == 4


async def test_an_empty_or_silent_register_gives_the_word_to_the_county(room: Room) -> None:
    roster(room, "county", Level.COUNTY, SCHOOL)
    own = roster(room, "own", Level.SCHOOL, SCHOOL)
    own.rows[Kind.CLASS_GROUP] = []
    assert (await classes(room, SCHOOL))[0] == {"county"}
    other = Room()
    roster(other, "county", Level.COUNTY, SCHOOL)
    roster(other, "own", Level.SCHOOL, SCHOOL).mood = Mood.DEAD
    who, account = await classes(other, SCHOOL)
    assert who == {"county"}
    assert [one.source for one in account.silent] == ["own"]


def test_one_honour_of_two_sources_is_one_by_its_document_or_by_title_level_and_day() -> None:
    assert met(told("a", "1"), told("b", "7")) == [["a:1", "b:7"]]
    assert met(told("a", "1"), told("b", "7", doc_no=None)) == [["a:1", "b:7"]]
    assert met(told("a", "1"), told("b", "7", awarded_on=None)) == [["a:1", "b:7"]]


def test_one_document_that_honours_two_schools_is_two_honours() -> None:
    assert met(told("a", "1"), told("b", "7", school_code=OTHER_SCHOOL)) == [["a:1"], ["b:7"]]


def test_what_a_source_tells_twice_stays_two_and_meets_the_others_in_turn() -> None:
    assert met(told("a", "1"), told("a", "2"), told("b", "7"), told("b", "8"), told("b", "9")) == [
        ["a:1", "b:7"], ["a:2", "b:8"], ["b:9"],
    ]  # fmt: skip


async def test_a_body_of_two_sources_is_one_entity_and_levels_that_differ_are_told(room: Room) -> None:
    body = {"region_code": COUNTY, "name": "样例教育局", "local_id": "1"}
    kinds = {Kind.ORGANIZATION: offer(Kind.ORGANIZATION, "region_code")}
    for code, level, kind in (("city", Level.MUNICIPAL, "OTHER"), ("county", Level.COUNTY, "BUREAU")):
        room.join(code, level, COUNTY, kinds, {Kind.ORGANIZATION: [{**body, "org_kind": kind}]})
    page = await room.directory().find(Kind.ORGANIZATION, frozenset({"org_kind"}), region=COUNTY)
    [entity] = page.entities
    assert page.total == 1
    assert entity.key == "county:1"
    assert entity.values["org_kind"] == "BUREAU"
    assert [part.source for part in entity.parts] == ["county", "city"]
    assert [(one.field, one.source, one.value) for one in entity.losing] == [("org_kind", "city", "OTHER")]
