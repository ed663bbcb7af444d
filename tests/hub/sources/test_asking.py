"""Sources are asked once for many, within their time, and whoever is silent is named: never an exception."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from connectors.base import Offer
from connectors.errors import Unavailable
from hub.cache.tiered import Policy
from hub.sources.asking import Asking, Heard
from hub.sources.health import FAILURES, REST
from hub.sources.routing import Asked
from schema.model.codes import Level
from schema.model.record import lookup
from schema.model.words import Kind
from tests.fakes.connector import MemorySource, Mood
from tests.hub.cache.source import until
from tests.hub.sources.room import CITY, OFFICER, POLICY, PROVINCE, SPECS, STRANGER, TEACHER_HERE, Room, offer

SHORT = 0.05
SPEC = SPECS[Kind.SCHOOL]
FIELDS = frozenset({"name", "school_code", "region_code"})
SCHOOLS = [
    {"key": f"31370000{n:02}", "name": f"第{n}小学", "school_code": f"31370000{n:02}", "region_code": CITY}
    for n in range(40)
]
KEYS = [str(school["key"]) for school in SCHOOLS]


def join(room: Room, code: str = "city", batch: int = 100, **more: Any) -> MemorySource:
    given = offer(Kind.SCHOOL, "region_code", "school_code", batch=batch)
    return room.join(code, Level.MUNICIPAL, CITY, {Kind.SCHOOL: given}, {Kind.SCHOOL: SCHOOLS}, **more)


def asked(source: MemorySource) -> Asked:
    given = source.capabilities.offers[Kind.SCHOOL]
    return Asked(source.identity.code, source.identity.level, FIELDS, given, False, "")


async def one(asking: Asking, source: MemorySource, key: str, by: str = "key", **also: str) -> Heard:
    return await asking.one(asked(source), SPEC, by, key, FIELDS, also)


async def many(asking: Asking, source: MemorySource, keys: list[str]) -> list[Heard]:
    return list(await asyncio.gather(*(one(asking, source, key) for key in keys)))


def names(heard: Heard) -> list[str]:
    return [told.record.values["name"] for told in heard.told]


async def settle(source: MemorySource, times: int = 1) -> None:
    await until(lambda: len(source.asked) >= times)


async def test_forty_schools_of_one_tick_are_one_look_up(room: Room) -> None:
    source = join(room)
    heard = await many(room.asking(), source, KEYS)
    assert [names(one) for one in heard] == [[school["name"]] for school in SCHOOLS]
    assert [question.keys for question in source.asked] == [tuple(KEYS)]


async def test_forty_schools_are_one_look_up_over_a_second_tier_too(stored_room: Room) -> None:
    source = join(stored_room)
    await many(stored_room.asking(), source, KEYS)
    assert len(source.asked) == 1


async def test_what_is_remembered_is_not_asked_again_and_holds_nobody_up(stored_room: Room) -> None:
    source = join(stored_room)
    await many(stored_room.asking(), source, KEYS[:20])
    await many(stored_room.asking(TEACHER_HERE), source, KEYS)
    assert [len(question.keys) for question in source.asked] == [20, 20]


async def test_equal_questions_of_two_requests_are_one_look_up(room: Room) -> None:
    source = join(room)
    source.door.clear()
    both = asyncio.gather(one(room.asking(), source, KEYS[0]), one(room.asking(OFFICER), source, KEYS[0]))
    await settle(source)
    source.door.set()
    assert [names(heard) for heard in await both] == [["第0小学"]] * 2
    assert len(source.asked) == 1


async def test_a_source_is_never_asked_for_more_at_once_than_it_takes(room: Room) -> None:
    source = join(room, batch=15)
    heard = await many(room.asking(), source, KEYS)
    assert all(names(one) for one in heard)
    assert sorted(len(question.keys) for question in source.asked) == [10, 15, 15]


async def test_further_filters_do_not_outgrow_the_batch_either(room: Room) -> None:
    source = join(room, batch=15)
    asking = room.asking()
    heard = await asyncio.gather(
        *(one(asking, source, CITY, by="region_code", school_code=key) for key in KEYS)
    )
    assert [names(one) for one in heard] == [[school["name"]] for school in SCHOOLS]
    assert len(source.asked) == 3


async def test_a_whole_question_in_parts_is_one_answer(room: Room) -> None:
    source = join(room, batch=15)
    heard = await room.asking().whole(asked(source), SPEC, lookup(Kind.SCHOOL, FIELDS, {"key": KEYS}))
    assert sorted(names(heard)) == sorted(str(school["name"]) for school in SCHOOLS)


@pytest.mark.parametrize(
    ("mood", "code"),
    [
        (Mood.DEAD, "SOURCE_UNAVAILABLE"),
        (Mood.REFUSING, "SOURCE_REFUSED"),
        (Mood.BUSY, "SOURCE_OVERLOADED"),
        (Mood.GARBAGE, "SOURCE_BAD_RESPONSE"),
        (Mood.STUMBLING, "SOURCE_BAD_RESPONSE"),
        (Mood.HANGING, "SOURCE_TIMEOUT"),
    ],
)
async def test_whatever_a_source_does_it_is_a_silence(room: Room, mood: Mood, code: str) -> None:
    source = join(room, deadline=SHORT)
    source.mood = mood
    for heard in await many(room.asking(), source, KEYS):
        assert heard.told == ()
        assert heard.silence is not None
        assert heard.silence.code == code
        assert not heard.stale


async def test_a_record_that_cannot_even_be_written_down_silences_only_its_source(room: Room) -> None:
    source = join(room)
    source.rows[Kind.SCHOOL] = [{**SCHOOLS[0], "name": "\ud800"}]
    heard = await one(room.asking(), source, KEYS[0])
    assert heard.silence is not None
    assert heard.silence.code == "SOURCE_BAD_RESPONSE"


async def test_a_hanging_source_is_given_up_at_its_own_deadline(room: Room) -> None:
    source = join(room, deadline=SHORT)
    source.mood = Mood.HANGING
    heard = await one(room.asking(seconds=30.0), source, KEYS[0])
    assert heard.silence is not None
    assert source.given_up == 1
    assert room.joined["city"].health.row == 1


async def test_a_request_out_of_time_cuts_short_its_own_waiting_and_not_what_others_share(room: Room) -> None:
    source = join(room, deadline=30.0)
    source.door.clear()
    hurried = await one(room.asking(seconds=SHORT), source, KEYS[0])
    assert hurried.silence is not None
    assert hurried.silence.code == "SOURCE_TIMEOUT"
    patient = asyncio.create_task(one(room.asking(seconds=30.0), source, KEYS[0]))
    await asyncio.sleep(0)
    source.door.set()
    assert names(await patient) == ["第0小学"]
    assert len(source.asked) == 1
    assert room.joined["city"].health.failed == 0


async def test_a_request_whose_time_is_over_asks_nobody_and_shows_what_is_remembered(
    room: Room,
) -> None:
    source = join(room)
    await one(room.asking(), source, KEYS[0])
    late = room.asking(seconds=0.0)
    assert names(await one(late, source, KEYS[0])) == ["第0小学"]
    silent = await one(late, source, KEYS[1])
    assert silent.silence is not None
    assert len(source.asked) == 1


async def test_a_remembered_answer_stands_in_for_a_dead_source_and_says_so(room: Room) -> None:
    source = join(room)
    await one(room.asking(), source, KEYS[0])
    room.clock.turn(POLICY.fresh_for + 1)  # type: ignore[attr-defined]
    source.mood = Mood.DEAD
    heard = await one(room.asking(), source, KEYS[0])
    assert names(heard) == ["第0小学"]
    assert heard.stale
    assert [told.stale for told in heard.told] == [True]
    assert heard.silence is not None


async def test_a_remembered_answer_stands_in_where_the_request_cannot_wait(room: Room) -> None:
    source = join(room, deadline=30.0)
    await one(room.asking(), source, KEYS[0])
    room.clock.turn(POLICY.fresh_for + 1)  # type: ignore[attr-defined]
    source.mood = Mood.HANGING
    heard = await one(room.asking(seconds=SHORT), source, KEYS[0])
    assert names(heard) == ["第0小学"]
    assert heard.stale
    assert heard.silence is not None


async def test_beyond_what_policy_allows_no_remembered_answer_is_shown(room: Room) -> None:
    source = join(room, policy=Policy(fresh_for=60.0, down_for=100.0))
    await one(room.asking(), source, KEYS[0])
    room.clock.turn(161.0)  # type: ignore[attr-defined]
    source.mood = Mood.DEAD
    assert (await one(room.asking(), source, KEYS[0])).told == ()


async def test_a_source_that_no_longer_lets_us_in_is_not_spoken_for_even_while_it_rests(room: Room) -> None:
    source = join(room)
    await one(room.asking(), source, KEYS[0])
    room.clock.turn(POLICY.fresh_for + 1)  # type: ignore[attr-defined]
    source.mood = Mood.REFUSING
    for key in KEYS[: FAILURES + 2]:
        heard = await one(room.asking(), source, key)
        assert heard.told == ()
        assert heard.silence is not None
        assert heard.silence.code == "SOURCE_REFUSED"


async def test_a_stale_answer_is_shown_at_once_while_it_is_fetched_anew(room: Room) -> None:
    source = join(room, policy=Policy(fresh_for=60.0, stale_for=600.0))
    await one(room.asking(), source, KEYS[0])
    room.clock.turn(61.0)  # type: ignore[attr-defined]
    source.rows[Kind.SCHOOL] = [{**SCHOOLS[0], "name": "改名小学"}]
    heard = await one(room.asking(), source, KEYS[0])
    assert (names(heard), heard.stale, heard.silence) == (["第0小学"], True, None)
    await until(lambda: room.joined["city"].health.answered == 2)
    await until(lambda: not room.cache._airborne)
    assert names(await one(room.asking(), source, KEYS[0])) == ["改名小学"]


async def test_a_failing_source_is_left_in_peace_then_tried_by_one_question(room: Room) -> None:
    source = join(room)
    source.mood = Mood.DEAD
    for key in KEYS[:FAILURES]:
        await one(room.asking(), source, key)
    asked_so_far = len(source.asked)
    resting = await one(room.asking(), source, KEYS[5])
    assert resting.silence is not None
    assert "暂停" in resting.silence.reason
    assert len(source.asked) == asked_so_far

    source.mood = Mood.WELL
    source.door.clear()
    room.clock.turn(REST)  # type: ignore[attr-defined]
    probe = asyncio.create_task(one(room.asking(), source, KEYS[6]))
    await settle(source, asked_so_far + 1)
    beside = await one(room.asking(), source, KEYS[7])
    assert beside.silence is not None
    assert len(source.asked) == asked_so_far + 1
    source.door.set()
    assert names(await probe) == ["第6小学"]
    assert names(await one(room.asking(), source, KEYS[8])) == ["第8小学"]


async def test_a_caller_who_goes_away_takes_nobody_with_him(room: Room) -> None:
    source = join(room)
    source.door.clear()
    asking = room.asking()
    goes = asyncio.create_task(one(asking, source, KEYS[0]))
    stays = asyncio.create_task(one(asking, source, KEYS[1]))
    await settle(source)
    goes.cancel()
    with pytest.raises(asyncio.CancelledError):
        await goes
    source.door.set()
    assert names(await stays) == ["第1小学"]
    assert room.joined["city"].health.failed == 0
    assert names(await one(asking, source, KEYS[2])) == ["第2小学"]


async def test_a_question_it_never_offered_is_our_fault_and_rests_no_source(room: Room) -> None:
    source = join(room)
    wrong = lookup(Kind.SCHOOL, FIELDS, {"no_such_filter": ["x"]})
    for n in range(FAILURES + 1):
        heard = await room.asking().whole(asked(source), SPEC, replace_text(wrong, n))
        assert heard.silence is not None
        assert heard.silence.code == "SOURCE_CANNOT"
    assert room.joined["city"].health.failed == 0


def replace_text(question: Any, number: int) -> Any:
    return lookup(question.kind, question.fields, {"no_such_filter": [str(number)]})


async def test_nothing_under_a_key_is_remembered_for_a_short_time_only(room: Room) -> None:
    source = join(room, policy=Policy(fresh_for=3600.0, down_for=3600.0))
    assert (await one(room.asking(), source, "3137999999")).told == ()
    source.rows[Kind.SCHOOL].append({**SCHOOLS[0], "key": "3137999999", "name": "新建小学"})
    room.clock.turn(10.0)  # type: ignore[attr-defined]
    assert names(await one(room.asking(), source, "3137999999")) == ["新建小学"]


async def test_records_without_the_value_asked_by_are_told_when_the_source_filters_itself(room: Room) -> None:
    given = Offer(frozenset({"name"}), frozenset({"key", "region_code"}))
    source = room.join("odd", Level.PROVINCIAL, PROVINCE, {Kind.SCHOOL: given}, {Kind.SCHOOL: SCHOOLS})
    asking = room.asking()
    only_name = replace(asked(source), fields=frozenset({"name"}))
    both = await asyncio.gather(
        *(asking.one(only_name, SPEC, "region_code", code, frozenset({"name"}), {}) for code in (CITY, "0"))
    )
    assert [len(heard.told) for heard in both] == [40, 0]


async def test_public_answers_serve_all_private_ones_only_who_asked(room: Room) -> None:
    source = join(room)
    private = FIELDS | {"phone"}
    for viewer in (TEACHER_HERE, STRANGER, TEACHER_HERE):
        await room.asking(viewer).one(asked(source), SPEC, "key", KEYS[0], FIELDS, {})
        await room.asking(viewer).one(asked(source), SPEC, "key", KEYS[0], private, {})
    told = ["phone" in question.fields for question in source.asked]
    assert told == [False, True, True]


async def test_an_error_raised_to_many_stays_one_short_error(room: Room) -> None:
    source = join(room)
    source.mood = Mood.DEAD
    heard = await many(room.asking(), source, KEYS)
    assert {one.silence for one in heard} == {heard[0].silence}
    error = room.joined["city"].health.last_reason
    assert isinstance(error, Unavailable)
    assert room.joined["city"].health.row == 1
