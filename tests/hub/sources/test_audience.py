"""The same question by everybody who recurs: each sees what is theirs, whatever was remembered before."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from hub.mongo import Mongo
from schema.graph.context import Entity
from schema.model.codes import Level
from schema.model.record import Place
from schema.model.viewer import Viewer
from schema.model.words import Kind
from tests.hub.cache.source import until
from tests.hub.sources.room import (
    ANONYMOUS,
    CLASS,
    CLASSMATE,
    COUNTY,
    GUARDIAN_HERE,
    IDLE_OFFICER,
    OFFICER,
    PROVINCE,
    PUPIL,
    PUPIL_HERE,
    SCHOOL,
    SENIOR,
    STRANGER,
    TEACHER_HERE,
    Room,
    offer,
)

PERSON = frozenset({"display_name", "birth_date", "gender", "roles", "grade_code"})
AT = {"school_code": SCHOOL, "region_code": COUNTY, "class_keys": [CLASS], "roles": ["STUDENT"]}
CHILD = {**AT, "local_id": "p1", "person_key": PUPIL, "match_key": "m1", "display_name": "王小甲",
         "birth_date": "2016-05-04", "gender": "1", "grade_code": "G05"}  # fmt: skip
ROWS: dict[Kind, list[dict[str, Any]]] = {
    Kind.PERSON: [
        CHILD,
        {**CHILD, "local_id": "p2", "person_key": CLASSMATE, "match_key": "m2", "display_name": "李小乙"},
        {**CHILD, "local_id": "p3", "person_key": SENIOR, "match_key": "m3", "display_name": "周大丙",
         "birth_date": "2009-01-01", "class_keys": ["roster:c9"]},
    ],
    Kind.SCHOOL: [{"key": SCHOOL, "name": "样例小学", "phone": "0000000", "school_code": SCHOOL,
                   "region_code": COUNTY}],
}  # fmt: skip
EVERYBODY = {
    "teacher": TEACHER_HERE, "pupil": PUPIL_HERE, "guardian": GUARDIAN_HERE, "officer": OFFICER,
    "idle officer": IDLE_OFFICER, "stranger": STRANGER, "nobody": ANONYMOUS,
}  # fmt: skip


def join(room: Room) -> None:
    room.join("roster", Level.COUNTY, COUNTY, {
        Kind.PERSON: offer(Kind.PERSON, "school_code", "match_key", "class_keys"),
        Kind.SCHOOL: offer(Kind.SCHOOL, "region_code"),
    }, ROWS)  # fmt: skip


async def asked(room: Room, viewer: Viewer) -> dict[str, dict[str, Any]]:
    """One child through each door: got by key, related by school, found in the list."""
    directory = room.directory(viewer)
    got, _ = await directory.get(Kind.PERSON, PUPIL, PERSON)
    near = Place(COUNTY, SCHOOL)
    related = await directory.related(Kind.PERSON, "school_code", SCHOOL, PERSON, place=near)
    found = await directory.find(Kind.PERSON, PERSON, region=COUNTY, first=50)
    return {
        "get": shown(got),
        "related": shown(next((one for one in related.entities if one.key == PUPIL), None)),
        "find": shown(next((one for one in found.entities if one.key == PUPIL), None)),
    }


def shown(entity: Entity | None) -> dict[str, Any]:
    if entity is None:
        return {}
    return {name: value for name, value in entity.values.items() if name in PERSON}


FULL = {
    "display_name": "王小甲",
    "birth_date": "2016-05-04",
    "gender": "1",
    "roles": ["STUDENT"],
    "grade_code": "G05",
}
INSIDE = {"roles": ["STUDENT"], "grade_code": "G05"}
EXPECTED: dict[str, dict[str, Any]] = {
    "teacher": FULL, "pupil": FULL, "guardian": FULL,
    "officer": {**INSIDE, "display_name": "王**", "birth_date": "2016", "gender": "1"},
    "idle officer": INSIDE, "stranger": {}, "nobody": {},
}  # fmt: skip


@pytest.mark.parametrize("who", EVERYBODY)
async def test_everybody_sees_what_is_theirs_through_every_door(room: Room, who: str) -> None:
    join(room)
    assert await asked(room, EVERYBODY[who]) == dict.fromkeys(("get", "related", "find"), EXPECTED[who])


@pytest.mark.parametrize("order", list(itertools.permutations(("teacher", "stranger", "nobody"))))
async def test_whoever_asked_before_nobody_sees_more_for_it(
    stored_room: Room, order: tuple[str, ...]
) -> None:
    join(stored_room)
    for who in (*order, *order):
        answers = await asked(stored_room, EVERYBODY[who])
        assert answers == dict.fromkeys(("get", "related", "find"), EXPECTED[who]), who


async def test_no_private_value_lies_in_the_second_tier_and_public_ones_do(
    stored_room: Room, mongo: Mongo
) -> None:
    join(stored_room)
    for viewer in EVERYBODY.values():
        await asked(stored_room, viewer)
        await stored_room.directory(viewer).get(Kind.SCHOOL, SCHOOL, frozenset({"name", "phone"}))
    entries = mongo.collection("cache")
    before = await entries.find({}, limit=100)
    assert before == []
    public = frozenset({"name"})
    await stored_room.directory(STRANGER).get(Kind.SCHOOL, SCHOOL, public, place=Place(COUNTY))
    await until(lambda: not stored_room.cache._writes)
    kept = await entries.find({"v": {"$exists": True}}, limit=100)
    assert len(kept) == 1


async def test_the_second_process_shows_the_stranger_no_more_than_the_first(stored_room: Room) -> None:
    join(stored_room)
    private = frozenset({"name", "phone"})

    async def phone(viewer: Viewer) -> Any:
        entity, _ = await stored_room.directory(viewer).get(Kind.SCHOOL, SCHOOL, private, place=Place(COUNTY))
        assert entity is not None
        return entity.values.get("phone")

    assert await phone(TEACHER_HERE) == "0000000"
    await stored_room.cache.aclose()
    stored_room.cache = stored_room.another_cache()
    assert await phone(STRANGER) is None
    assert await phone(ANONYMOUS) is None
    assert await phone(TEACHER_HERE) == "0000000"


async def test_a_teacher_does_not_see_a_pupil_of_another_class_as_her_own(room: Room) -> None:
    join(room)
    entity, _ = await room.directory(TEACHER_HERE).get(Kind.PERSON, SENIOR, PERSON)
    assert shown(entity) == INSIDE


async def test_a_pupil_sees_of_a_classmate_no_more_than_a_stranger_does(room: Room) -> None:
    join(room)
    entity, account = await room.directory(PUPIL_HERE).get(Kind.PERSON, CLASSMATE, PERSON)
    assert entity is None
    assert account.answered == ("roster",)


async def test_what_lost_is_masked_for_whom_what_won_is_masked(room: Room) -> None:
    join(room)
    rows = {Kind.PERSON: [{**CHILD, "key": PUPIL, "display_name": "王大甲", "birth_date": "2015"}]}
    room.join("province", Level.PROVINCIAL, PROVINCE, {Kind.PERSON: offer(Kind.PERSON, "match_key")}, rows)
    room.joined["roster"].connector.rows[Kind.PERSON][0] = {**CHILD, "key": PUPIL}  # type: ignore[attr-defined]

    async def losing(viewer: Viewer) -> dict[str, tuple[Any, Any]]:
        found = await room.directory(viewer).related(
            Kind.PERSON, "match_key", "m1", PERSON, place=Place(COUNTY, SCHOOL)
        )
        return {one.field: (one.kept, one.value) for entity in found.entities for one in entity.losing}

    assert await losing(TEACHER_HERE) == {
        "display_name": ("王大甲", "王小甲"),
        "birth_date": ("2015", "2016"),
    }
    assert await losing(OFFICER) == {"display_name": ("王**", "王**"), "birth_date": ("2015", "2016")}
    assert await losing(STRANGER) == {}


async def test_what_is_known_of_a_person_counts_for_records_that_do_not_say_whose_they_are(
    room: Room,
) -> None:
    join(room)
    told = offer(Kind.LEARNING_SPACE, "match_key", "school_code", but=("person_key", "birth_date"))
    space = {"local_id": "s1", "match_key": "m1", "url": "https://space.invalid/1", "owner_role": "STUDENT",
             "school_code": SCHOOL, "region_code": COUNTY}  # fmt: skip
    room.join("spaces", Level.COUNTY, COUNTY, {Kind.LEARNING_SPACE: told}, {Kind.LEARNING_SPACE: [space]})

    async def urls(viewer: Viewer, known: bool) -> list[Any]:
        directory = room.directory(viewer)
        about, _ = await directory.get(Kind.PERSON, PUPIL, PERSON)
        found = await directory.related(
            Kind.LEARNING_SPACE, "match_key", "m1", frozenset({"url"}), place=Place(COUNTY, SCHOOL),
            where={"school_code": [SCHOOL]}, about=about if known else None,
        )  # fmt: skip
        return [entity.values.get("url") for entity in found.entities]

    assert await urls(PUPIL_HERE, True) == await urls(GUARDIAN_HERE, True) == ["https://space.invalid/1"]
    assert await urls(PUPIL_HERE, False) == []
    assert await urls(STRANGER, True) == []
