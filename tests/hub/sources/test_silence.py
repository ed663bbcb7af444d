"""A list never looks whole when somebody could not be asked, and nobody's knowledge is not an empty list."""

from __future__ import annotations

from typing import Any

from schema.graph.context import Found
from schema.model.codes import Level
from schema.model.record import Place
from schema.model.words import Kind
from tests.fakes.connector import Mood
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


async def test_who_holds_such_things_but_cannot_be_asked_for_them_so_is_silent(room: Room) -> None:
    able = offer(Kind.RESOURCE, "stage", search=True)
    rows = {Kind.RESOURCE: [{"local_id": "1", "title": "小数乘法", "stage": "PRIMARY"}]}
    room.join("city", Level.MUNICIPAL, CITY, {Kind.RESOURCE: able}, rows)
    dumb = room.join("nation", Level.NATIONAL, NATION, {Kind.RESOURCE: offer(Kind.RESOURCE)}, rows)
    room.join("far", Level.COUNTY, ELSEWHERE, {Kind.RESOURCE: offer(Kind.RESOURCE)}, rows)
    room.join("other", Level.COUNTY, COUNTY, {Kind.HONOUR: offer(Kind.HONOUR)}, {})
    for question in ({"text": "乘法"}, {"where": {"stage": ["PRIMARY"]}}):
        found = await room.directory().find(Kind.RESOURCE, NAME | {"title"}, region=COUNTY, **question)
        assert [entity.key for entity in found.entities] == ["city:1"]
        assert [(gap.source, gap.code) for gap in found.account.silent] == [("nation", "SOURCE_CANNOT")]
        assert " / cannot " in found.account.silent[0].reason
        assert found.total is None
    assert dumb.asked == []
    levels = await room.directory().find(
        Kind.RESOURCE, NAME | {"title"}, region=COUNTY, text="乘法", levels=(Level.MUNICIPAL,)
    )
    assert (levels.total, levels.account.silent) == (1, ())


async def test_who_does_not_find_by_anothers_key_is_not_silent(room: Room) -> None:
    given = {Kind.ENROLLMENT: offer(Kind.ENROLLMENT, "person_key")}
    room.join("roster", Level.COUNTY, COUNTY, given, {})
    room.join("rolls", Level.PROVINCIAL, PROVINCE, {Kind.ENROLLMENT: offer(Kind.ENROLLMENT)}, {})
    found = await room.directory(OFFICER).related(
        Kind.ENROLLMENT, "person_key", "x1", frozenset({"role"}), place=Place(COUNTY, SCHOOL)
    )
    assert (found.account.silent, found.total) == ((), 0)


async def test_a_list_that_nobody_can_know_is_not_an_empty_one(room: Room) -> None:
    given = {Kind.HONOUR: offer(Kind.HONOUR, "region_code")}
    room.join("county", Level.COUNTY, COUNTY, given, {})
    directory = room.directory()
    for found in (
        await directory.find(Kind.HONOUR, NAME | {"title"}, region=ELSEWHERE),
        await directory.find(Kind.HONOUR, NAME | {"title"}, levels=(Level.NATIONAL,)),
        await directory.related(
            Kind.HONOUR, "region_code", ELSEWHERE, frozenset({"title"}), place=Place(ELSEWHERE)
        ),
    ):
        assert (found.entities, found.total, found.account.asked) == ((), None, ())
        assert [gap.code for gap in found.account.silent] == ["NO_SOURCE"]
    assert (await directory.find(Kind.HONOUR, NAME | {"title"}, region=COUNTY)).total == 0


async def test_that_nobody_knows_is_told_only_to_who_could_have_seen(room: Room) -> None:
    async def events(viewer: Any, region: str) -> Found:
        where = {"school_code": [SCHOOL]}
        return await room.directory(viewer).find(
            Kind.ACTIVITY_EVENT, frozenset({"verb"}), where=where, region=region
        )

    for viewer in (ANONYMOUS, STRANGER):
        assert await events(viewer, COUNTY) == Found(total=0)
    for viewer in (TEACHER_HERE, OFFICER):
        found = await events(viewer, COUNTY)
        assert found.total is None
        assert [gap.code for gap in found.account.silent] == ["NO_SOURCE"]


async def test_a_copy_that_stands_in_for_one_question_does_not_for_another(room: Room) -> None:
    rows = [{"local_id": str(n), "title": f"活动{n}", "region_code": COUNTY} for n in range(3)]
    given = {Kind.ACTIVITY: offer(Kind.ACTIVITY, "region_code", pages=True, totals=True)}
    source = room.join("a", Level.COUNTY, COUNTY, given, {Kind.ACTIVITY: rows})
    await room.directory().find(Kind.ACTIVITY, NAME | {"title"}, region=CITY, first=5)
    source.mood = Mood.DEAD
    room.clock.turn(POLICY.fresh_for + 1)  # type: ignore[attr-defined]
    known = await room.directory().find(Kind.ACTIVITY, NAME | {"title"}, region=CITY, first=5)
    never = await room.directory().find(Kind.ACTIVITY, NAME | {"title"}, region=COUNTY, first=1)
    assert [gap.remembered for gap in known.account.silent] == [True]
    assert [gap.remembered for gap in never.account.silent] == [False]
    assert (known.account + never.account).missing
