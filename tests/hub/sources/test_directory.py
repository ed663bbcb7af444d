"""One thing of many sources, lists of many sources, and the account of who said what."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from connectors.base import Offer
from hub.sources import routing
from schema.graph.context import BadCursor, Found
from schema.model.codes import Level
from schema.model.record import Place
from schema.model.words import Kind
from tests.fakes.connector import MemorySource, Mood, Row
from tests.hub.sources.room import (
    ANONYMOUS,
    CITY,
    COUNTY,
    ELSEWHERE,
    NATION,
    OFFICER,
    POLICY,
    PROVINCE,
    SCHOOL,
    STRANGER,
    TEACHER_HERE,
    Room,
    offer,
)

NAME = frozenset({"name"})
PLACED = {"school_code": SCHOOL, "region_code": COUNTY}


def school_at(room: Room, code: str, level: Level, region: str, **values: Any) -> MemorySource:
    return room.join(
        code, level, region, {Kind.SCHOOL: offer(Kind.SCHOOL, "region_code", "school_code")},
        {Kind.SCHOOL: [{"key": SCHOOL, **PLACED, **values}]}, school=SCHOOL if level is Level.SCHOOL else "",
    )  # fmt: skip


def schools(count: int, region: str = COUNTY) -> list[Row]:
    numbers = (f"{n:010}" for n in range(count))
    return [{"key": n, "name": f"第{n}小学", "school_code": n, "region_code": region} for n in numbers]


def five(room: Room) -> dict[str, MemorySource]:
    return {
        "nation": school_at(room, "nation", Level.NATIONAL, NATION, name="样例小学", address="国"),
        "province": school_at(
            room, "province", Level.PROVINCIAL, PROVINCE, name="样例小学", student_count=900
        ),
        "county": school_at(room, "county", Level.COUNTY, COUNTY, name="样例学校", address="县", phone="000"),
        "neighbour": school_at(room, "neighbour", Level.COUNTY, ELSEWHERE, name="错"),
        "school": school_at(room, "school", Level.SCHOOL, COUNTY, class_count=12, address="校"),
    }


async def test_each_level_gives_what_it_is_the_authority_for(room: Room) -> None:
    five(room)
    fields = frozenset({"name", "address", "student_count", "class_count"})
    entity, account = await room.directory().get(Kind.SCHOOL, SCHOOL, fields, place=Place(COUNTY, SCHOOL))
    assert entity is not None
    told = {name: entity.values[name] for name in fields}
    assert told == {"name": "样例小学", "address": "县", "student_count": 900, "class_count": 12}
    assert {(one.field, one.source, one.kept_source) for one in entity.losing} == {
        ("name", "county", "nation"), ("address", "nation", "county"), ("address", "school", "county"),
    }  # fmt: skip
    assert set(account.asked) == set(account.answered) == {"nation", "province", "county", "school"}


async def test_who_speaks_for_its_place_is_asked_once_its_place_is_known(room: Room) -> None:
    sources = five(room)
    entity, account = await room.directory().get(Kind.SCHOOL, SCHOOL, NAME | {"address"})
    assert entity is not None
    assert entity.values["address"] == "县"
    assert {code: len(source.asked) for code, source in sources.items()} == {
        "nation": 1, "province": 1, "county": 1, "school": 1, "neighbour": 0,
    }  # fmt: skip
    assert len(account.asked) == len(set(account.asked)) == 4


async def test_the_account_is_exact(room: Room) -> None:
    sources = five(room)
    await room.directory().get(Kind.SCHOOL, SCHOOL, NAME, place=Place(COUNTY, SCHOOL))
    room.clock.turn(POLICY.fresh_for + 1)  # type: ignore[attr-defined]
    sources["nation"].mood = Mood.DEAD
    sources["county"].mood = Mood.GARBAGE
    sources["school"].mood = Mood.REFUSING
    entity, account = await room.directory().get(Kind.SCHOOL, SCHOOL, NAME, place=Place(COUNTY, SCHOOL))
    assert entity is not None
    assert entity.values["name"] == "样例小学"
    assert set(account.asked) == {"nation", "province", "county", "school"}
    assert account.answered == ("province",)
    assert {silence.source: silence.code for silence in account.silent} == {
        "nation": "SOURCE_UNAVAILABLE", "county": "SOURCE_BAD_RESPONSE", "school": "SOURCE_REFUSED",
    }  # fmt: skip
    assert set(account.stale) == {"nation", "county"}
    assert {part.source: part.stale for part in entity.parts}["nation"]


async def test_forty_schools_cost_each_source_one_look_up(room: Room) -> None:
    rows = [
        {"key": f"{n:010}", "name": f"第{n}小学", "school_code": f"{n:010}", "region_code": CITY}
        for n in range(40)
    ]
    kinds = {Kind.SCHOOL: offer(Kind.SCHOOL, "region_code")}
    city = room.join("city", Level.MUNICIPAL, CITY, kinds, {Kind.SCHOOL: rows})
    province = room.join("province", Level.PROVINCIAL, PROVINCE, kinds, {Kind.SCHOOL: rows})
    directory = room.directory()
    got = await asyncio.gather(
        *(directory.get(Kind.SCHOOL, str(row["key"]), NAME, place=Place(CITY)) for row in rows)
    )
    assert all(entity for entity, _ in got)
    assert (len(city.asked), len(province.asked)) == (1, 1)


async def test_a_key_that_its_source_numbers_is_asked_of_that_source_only(room: Room) -> None:
    near = room.join("near", Level.COUNTY, COUNTY, {Kind.ACTIVITY: offer(Kind.ACTIVITY)}, {
        Kind.ACTIVITY: [{"local_id": "1", "title": "读书月", "region_code": COUNTY}]})  # fmt: skip
    other = room.join("other", Level.MUNICIPAL, CITY, {Kind.ACTIVITY: offer(Kind.ACTIVITY)}, {})
    entity, account = await room.directory().get(Kind.ACTIVITY, "near:1", frozenset({"title"}))
    assert entity is not None
    assert account.asked == ("near",)
    assert (len(near.asked), len(other.asked)) == (1, 0)
    assert await room.directory().get(Kind.ACTIVITY, "nobody:1", frozenset({"title"})) == (
        None,
        type(account)(),
    )


async def test_several_values_of_a_further_filter_all_count(room: Room) -> None:
    rows = [{"local_id": str(n), "title": f"课{n}", "school_code": SCHOOL, "stage": stage}
            for n, stage in enumerate(("PRIMARY", "JUNIOR", "SENIOR"))]  # fmt: skip
    given = offer(Kind.RESOURCE, "school_code", "stage")
    room.join("city", Level.MUNICIPAL, CITY, {Kind.RESOURCE: given}, {Kind.RESOURCE: rows})
    directory = room.directory()

    async def found(*stages: str) -> Found:
        return await directory.related(
            Kind.RESOURCE, "school_code", SCHOOL, frozenset({"title"}), where={"stage": stages}
        )

    assert [e.values["title"] for e in (await found("PRIMARY", "SENIOR")).entities] == ["课0", "课2"]
    assert [e.values["title"] for e in (await found("JUNIOR")).entities] == ["课1"]
    assert (await found()).total == 0


async def test_a_count_is_not_told_while_somebody_who_might_add_to_it_is_silent(room: Room) -> None:
    given = {Kind.HONOUR: offer(Kind.HONOUR, "region_code")}
    rows = {Kind.HONOUR: [{"local_id": "1", "region_code": COUNTY}]}
    room.join("city", Level.MUNICIPAL, CITY, given, rows)
    county = room.join("county", Level.COUNTY, COUNTY, given, rows)

    async def total(region: str = COUNTY) -> int | None:
        found = await room.directory().related(
            Kind.HONOUR, "region_code", region, frozenset({"title"}), place=Place(region)
        )
        return found.total

    assert await total() == 2
    county.mood = Mood.DEAD
    room.clock.turn(POLICY.fresh_for + 1)  # type: ignore[attr-defined]
    assert await total() == 2  # a remembered answer stands in
    await room.cache.invalidate("*")
    assert await total() is None


async def test_sources_beyond_the_most_asked_are_in_the_account(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routing, "MOST_ASKED", 2)
    five(room)
    found = await room.directory().find(Kind.SCHOOL, NAME)
    assert len(found.account.asked) == 2
    assert {silence.code for silence in found.account.silent} == {"SOURCE_NOT_ASKED"}
    assert found.total is None


# -- lists -------------------------------------------------------------------------------------------------


def shelf(
    room: Room, code: str, count: int, *, pages: bool = True, totals: bool = True, kind: Kind = Kind.ACTIVITY
) -> MemorySource:
    rows = [
        {"local_id": f"{n:04}", "title": f"{code}{n}", "name": f"{code}{n}", **PLACED} for n in range(count)
    ]
    given = offer(kind, "region_code", "school_code", pages=pages, totals=totals)
    return room.join(code, Level.COUNTY, COUNTY, {kind: given}, {kind: rows})


async def walk(room: Room, first: int, kind: Kind = Kind.ACTIVITY, viewer: Any = ANONYMOUS) -> list[Found]:
    pages: list[Found] = []
    after = ""
    while True:
        found = await room.directory(viewer).find(
            kind, NAME | {"title"}, region=CITY, first=first, after=after
        )
        pages.append(found)
        if not (found.more and found.cursors):
            return pages
        assert len(pages) < 100
        after = found.cursors[-1]


def keys(pages: list[Found]) -> list[str]:
    return [entity.key for page in pages for entity in page.entities]


@pytest.mark.parametrize("first", [1, 3, 7, 50])
async def test_the_pages_of_a_list_hold_everything_once(room: Room, first: int) -> None:
    sources = [
        shelf(room, "a", 11),
        shelf(room, "b", 4, pages=False),
        shelf(room, "c", 0),
        shelf(room, "d", 7),
    ]
    pages = await walk(room, first)
    assert sorted(keys(pages)) == sorted(
        f"{source.identity.code}:{row['local_id']}"
        for source in sources
        for row in source.rows[Kind.ACTIVITY]
    )
    assert {page.total for page in pages} == {22}
    assert all(len(page.entities) <= first for page in pages)


async def test_one_of_each_source_in_turn(room: Room) -> None:
    for code in ("a", "b", "c"):
        shelf(room, code, 5)
    page = await room.directory().find(Kind.ACTIVITY, NAME, region=CITY, first=4)
    assert [entity.key.partition(":")[0] for entity in page.entities] == ["a", "b", "c", "a"]


async def test_any_cursor_goes_on_right_after_its_thing(room: Room) -> None:
    shelf(room, "a", 5)
    shelf(room, "b", 5)
    whole = await room.directory().find(Kind.ACTIVITY, NAME, region=CITY, first=50)
    for place, cursor in enumerate(whole.cursors):
        rest = await room.directory().find(Kind.ACTIVITY, NAME, region=CITY, first=50, after=cursor)
        assert sorted(e.key for e in rest.entities) == sorted(e.key for e in whole.entities[place + 1 :])


async def test_who_is_silent_on_one_page_is_taken_up_where_he_was(room: Room) -> None:
    a, b = shelf(room, "a", 6), shelf(room, "b", 6)
    first = await room.directory().find(Kind.ACTIVITY, NAME, region=CITY, first=4)
    b.mood = Mood.DEAD
    second = await room.directory().find(Kind.ACTIVITY, NAME, region=CITY, first=4, after=first.cursors[-1])
    assert {silence.source for silence in second.account.silent} == {"b"}
    assert second.total is None
    assert second.more
    b.mood = Mood.WELL
    room.clock.turn(10.0)  # type: ignore[attr-defined]
    third = await room.directory().find(Kind.ACTIVITY, NAME, region=CITY, first=50, after=second.cursors[-1])
    assert sorted(keys([first, second, third])) == [f"{c}:{n:04}" for c in "ab" for n in range(6)]
    assert len(a.asked) >= 2


async def test_a_list_that_grows_while_it_is_read_loses_nothing(room: Room) -> None:
    source = shelf(room, "a", 5)
    first = await room.directory().find(Kind.ACTIVITY, NAME, region=CITY, first=3)
    source.rows[Kind.ACTIVITY].append({"local_id": "new", "title": "新", **PLACED})
    rest = await room.directory().find(Kind.ACTIVITY, NAME, region=CITY, first=50, after=first.cursors[-1])
    assert keys([first, rest]) == [*(f"a:{n:04}" for n in range(5)), "a:new"]
    assert (first.total, rest.total) == (5, 6)


async def test_a_source_that_cannot_count_leaves_the_total_open_until_all_is_read(room: Room) -> None:
    shelf(room, "a", 9, totals=False)
    pages = await walk(room, 4)
    assert [page.total for page in pages] == [None, None, 9]


async def test_a_page_of_nothing_only_counts(room: Room) -> None:
    shelf(room, "a", 9)
    page = await room.directory().find(Kind.ACTIVITY, NAME, region=CITY, first=0)
    assert (page.entities, page.total, page.more) == ((), 9, True)


@pytest.mark.parametrize(
    "bad", ["x", "!!!!", "W10", "e30", "bnVsbA", "WzEsMiwzXQ", "中文", "\ud800", "A" * 100_000]
)
async def test_a_cursor_that_is_none_is_refused(room: Room, bad: str) -> None:
    shelf(room, "a", 9)
    with pytest.raises(BadCursor):
        await room.directory().find(Kind.ACTIVITY, NAME, region=CITY, after=bad)


async def test_a_cursor_of_another_list_is_refused(room: Room) -> None:
    shelf(room, "a", 9)
    (cursor,) = (await room.directory().find(Kind.ACTIVITY, NAME, region=CITY, first=1)).cursors
    for other in ({"region": COUNTY}, {"region": CITY, "levels": (Level.COUNTY,)},
                  {"region": CITY, "where": {"school_code": [SCHOOL]}}):  # fmt: skip
        with pytest.raises(BadCursor):
            await room.directory().find(Kind.ACTIVITY, NAME, after=cursor, **other)
    with pytest.raises(BadCursor):
        await room.directory().find(Kind.HONOUR, NAME, region=CITY, after=cursor)


async def test_our_own_cursors_of_as_many_sources_as_there_may_be_are_taken_back(room: Room) -> None:
    for n in range(routing.MOST_ASKED):
        shelf(room, f"{'x' * 37}{n:03}", 2)
    assert len(keys(await walk(room, 50))) == 2 * routing.MOST_ASKED


async def test_schools_that_several_sources_list_are_one_each_and_paged_by_key(room: Room) -> None:
    rows = schools(20)
    given = {Kind.SCHOOL: offer(Kind.SCHOOL, "region_code")}
    room.join("city", Level.MUNICIPAL, CITY, given, {Kind.SCHOOL: rows[:15]})
    county = room.join("county", Level.COUNTY, COUNTY, given, {Kind.SCHOOL: rows[5:]})
    pages = await walk(room, 6, Kind.SCHOOL)
    assert keys(pages) == [row["key"] for row in rows]
    assert {page.total for page in pages} == {20}
    assert {part.source for part in pages[1].entities[0].parts} == {"city", "county"}
    county.mood = Mood.DEAD
    await room.cache.invalidate("*")
    some = await room.directory().find(Kind.SCHOOL, NAME, region=CITY, first=6, after=pages[0].cursors[-1])
    assert [entity.key for entity in some.entities] == [row["key"] for row in rows[6:12]]
    assert some.total is None


async def test_a_merged_list_longer_than_one_answer_is_read_to_its_end(room: Room) -> None:
    rows = [
        {"key": f"{n:010}", "name": "小学", "school_code": f"{n:010}", "region_code": COUNTY}
        for n in range(30)
    ]
    given = offer(Kind.SCHOOL, "region_code", pages=True)
    room.join("city", Level.MUNICIPAL, CITY, {Kind.SCHOOL: given}, {Kind.SCHOOL: rows}, bound=7)
    pages = await walk(room, 12, Kind.SCHOOL)
    assert len(keys(pages)) == len(set(keys(pages))) == 30
    assert pages[0].total == 30


async def test_a_list_that_a_source_cuts_off_is_not_said_to_be_whole(room: Room) -> None:
    rows = [
        {"key": f"{n:010}", "name": "小学", "school_code": f"{n:010}", "region_code": COUNTY}
        for n in range(30)
    ]
    given = offer(Kind.SCHOOL, "region_code")
    room.join("city", Level.MUNICIPAL, CITY, {Kind.SCHOOL: given}, {Kind.SCHOOL: rows}, bound=7)
    page = await room.directory().find(Kind.SCHOOL, NAME, region=CITY, first=50)
    assert len(page.entities) == 7
    assert page.total is None
    assert page.more


async def test_where_a_viewer_sees_only_few_things_reading_goes_on_to_them(room: Room) -> None:
    source = shelf(room, "a", 40, kind=Kind.CLASS_GROUP)
    rows = source.rows[Kind.CLASS_GROUP]
    far = {"region_code": ELSEWHERE, "school_code": "3137999999"}
    source.rows[Kind.CLASS_GROUP] = [{**row, **far} for row in rows[:35]] + rows[35:]
    pages = await walk(room, 3, Kind.CLASS_GROUP, TEACHER_HERE)
    assert keys(pages) == [f"a:{n:04}" for n in range(35, 40)]
    assert all(page.total is None for page in pages[:-1])  # the source counts what she may not know of
    assert keys(await walk(room, 3, Kind.CLASS_GROUP, OFFICER)) == [f"a:{n:04}" for n in range(40)]


async def test_a_total_never_counts_what_the_viewer_may_not_see(room: Room) -> None:
    shelf(room, "a", 12, kind=Kind.CLASS_GROUP)
    for viewer, expected in ((STRANGER, 0), (OFFICER, 12), (ANONYMOUS, 0)):
        page = await room.directory(viewer).find(Kind.CLASS_GROUP, NAME, region=CITY, first=50)
        assert (page.total, len(page.entities)) == (expected, expected)


async def test_a_private_value_cannot_be_guessed_with_a_filter(room: Room) -> None:
    given = offer(Kind.SCHOOL, "phone")
    rows = [{"key": SCHOOL, "name": "样例小学", "phone": "0000000", **PLACED}]
    room.join("county", Level.COUNTY, COUNTY, {Kind.SCHOOL: given}, {Kind.SCHOOL: rows})
    for viewer, expected in ((ANONYMOUS, 0), (STRANGER, 0), (OFFICER, 1)):
        found = await room.directory(viewer).find(
            Kind.SCHOOL, NAME, where={"phone": ["0000000"]}, region=CITY
        )
        assert (len(found.entities), found.total) == (expected, expected)


async def test_nobody_is_asked_for_what_an_anonymous_viewer_could_never_see(room: Room) -> None:
    source = room.join("roster", Level.COUNTY, COUNTY, {Kind.PERSON: offer(Kind.PERSON, "school_code")}, {})
    directory = room.directory(ANONYMOUS)
    assert await directory.get(Kind.PERSON, "roster:p1", frozenset({"display_name"})) == (
        None,
        Found().account,
    )
    found = await directory.related(Kind.PERSON, "school_code", SCHOOL, frozenset({"roles"}))
    assert found == await directory.find(Kind.PERSON, frozenset({"roles"})) == Found(total=0)
    assert source.asked == []


async def test_only_wanted_fields_travel(room: Room) -> None:
    sources = five(room)
    await room.directory().get(Kind.SCHOOL, SCHOOL, NAME, place=Place(COUNTY, SCHOOL))
    assert set(sources["county"].asked[0].fields) == {"name", "school_code", "region_code"}
    narrow = room.join("narrow", Level.MUNICIPAL, CITY, {Kind.SCHOOL: Offer(NAME)}, {})
    await room.directory().get(Kind.SCHOOL, SCHOOL, NAME, place=Place(COUNTY, SCHOOL))
    assert narrow.asked[0].fields == ("name",)
