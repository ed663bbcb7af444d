"""Five people and nobody ask the same; each sees exactly the fields of their class and scope."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import orjson
import pytest

from schema.graph import ids as global_ids
from schema.model.words import Kind
from tests.journeys.country import World

pytestmark = pytest.mark.asyncio(loop_scope="session")

QUERY = """query Same($school: String!, $pupil: ID!, $class: ID!) {
  school(schoolCode: $school) { name principalName phone classes(first: 1) { nodes { name } } }
  classGroup(id: $class) { name homeroomTeacher { displayName } }
  pupil: person(id: $pupil) {
    displayName gender birthDate residentIdMasked gradeCode roles
    guardians { nodes { guardianName relationName } }
    studentRoll { statusCode rollNoMasked householdAddress }
    accounts { nodes { subject } }
  }
  again: node(id: $pupil) { ... on Person { displayName birthDate studentRoll { rollNoMasked } } }
}"""
ROLL = "roll"


def given(land: World) -> dict[str, str]:
    """The pupil's and her class's global ids, as the country numbers them."""
    hub = land.demo.hub
    assert hub.identity is not None
    pupil = hub.identity.principal("pupil")
    return {
        "school": pupil.roles[0].school_code or "",
        "pupil": global_ids.encode(hub.specs[Kind.PERSON], pupil.person_keys[0], hub.registry),
        "class": global_ids.encode(hub.specs[Kind.CLASS_GROUP], pupil.roles[0].class_keys[0], hub.registry),
    }


async def seen(land: World, persona: str, purpose: str = "") -> dict[str, Any]:
    """What a persona gets for the query that all ask."""
    variables: dict[str, Any] = {**given(land)}
    answer = await land.ask(QUERY, persona, purpose=purpose, **variables)
    assert "errors" not in answer, answer
    data: dict[str, Any] = answer["data"]
    return data


async def test_nobody_sees_public_fields_only(land: World) -> None:
    data = await seen(land, "")
    assert data["school"]["name"]
    assert data["school"]["principalName"] is None
    assert data["school"]["classes"]["nodes"] == []
    assert data["classGroup"] is data["pupil"] is data["again"] is None


async def test_the_pupil_sees_herself_whole(land: World) -> None:
    data = await seen(land, "pupil")
    pupil = data["pupil"]
    assert pupil["displayName"]
    assert pupil["birthDate"]
    assert pupil["studentRoll"]["rollNoMasked"]
    assert len(pupil["guardians"]["nodes"]) >= 1
    assert data["classGroup"]["homeroomTeacher"]["displayName"]
    assert data["again"]["displayName"] == pupil["displayName"]


async def test_her_guardian_sees_her_too(land: World) -> None:
    assert (await seen(land, "guardian"))["pupil"] == (await seen(land, "pupil"))["pupil"]


async def test_her_teacher_sees_what_teaching_needs_and_not_the_roll(land: World) -> None:
    pupil = (await seen(land, "teacher"))["pupil"]
    assert pupil["displayName"]
    assert pupil["birthDate"]
    assert pupil["guardians"]["nodes"]
    assert pupil["residentIdMasked"] is None
    assert pupil["studentRoll"] is None
    assert pupil["accounts"]["nodes"] == []


async def test_a_stranger_sees_no_pupil_at_all(land: World) -> None:
    assert await seen(land, "stranger") == await seen(land, "")


async def test_the_provincial_officer_sees_the_school_but_no_childs_data(land: World) -> None:
    data = await seen(land, "officer")
    assert data["school"]["principalName"]
    assert data["classGroup"]["name"]
    assert data["pupil"]["gradeCode"] == "G05"
    for hidden in ("displayName", "gender", "birthDate", "residentIdMasked", "studentRoll"):
        assert data["pupil"][hidden] is None, hidden
    assert data["pupil"]["guardians"]["nodes"] == []


async def test_with_the_roll_as_purpose_the_officer_sees_it_masked(land: World) -> None:
    pupil = (await seen(land, "officer", ROLL))["pupil"]
    full = (await seen(land, "pupil"))["pupil"]
    assert pupil["displayName"] == full["displayName"][0] + "*" * (len(full["displayName"]) - 1)
    assert pupil["birthDate"] == full["birthDate"][:4]
    assert pupil["studentRoll"]["statusCode"] == full["studentRoll"]["statusCode"]
    assert pupil["accounts"]["nodes"] == []


async def test_what_is_denied_looks_like_what_is_absent(land: World) -> None:
    query = "query One($id: ID!) { person(id: $id) { displayName } }"
    hub = land.demo.hub
    there = given(land)["pupil"]
    nowhere = global_ids.encode(hub.specs[Kind.PERSON], "c371502-roster:u-no-such", hub.registry)
    assert await land.ask(query, "stranger", id=there) == await land.ask(query, "stranger", id=nowhere)


async def test_no_private_value_reaches_another_viewer_through_any_cache(land: World) -> None:
    full = (await seen(land, "pupil"))["pupil"]
    secret = [full["displayName"], full["birthDate"], full["studentRoll"]["rollNoMasked"],
              full["guardians"]["nodes"][0]["guardianName"]]  # fmt: skip
    for order in itertools.islice(
        itertools.permutations(["pupil", "stranger", "teacher", "", "guardian"]), 0, 120, 7
    ):
        answers = dict(zip(order, await asyncio.gather(*(seen(land, who) for who in order)), strict=True))
        for outsider in ("stranger", ""):
            text = orjson.dumps(answers[outsider]).decode()
            assert not any(value in text for value in secret)
        assert answers["teacher"]["pupil"]["studentRoll"] is None


async def test_lists_and_counts_tell_no_more_than_records(land: World) -> None:
    query = """query Class($class: ID!) { classGroup(id: $class) {
      enrollments(role: STUDENT, first: 100) { totalCount nodes { person { displayName } } } } }"""
    asked = {"class": given(land)["class"]}
    whole = (await land.data(query, "teacher", **asked))["classGroup"]["enrollments"]
    assert whole["totalCount"] == len(whole["nodes"]) > 10
    assert all(seat["person"]["displayName"] for seat in whole["nodes"])
    own = (await land.data(query, "pupil", **asked))["classGroup"]["enrollments"]
    assert [seat["person"]["displayName"] for seat in own["nodes"]] == [
        (await land.data("{ me { displayName } }", "pupil"))["me"]["displayName"]
    ]
    assert own["totalCount"] in (None, 1)
    assert (await land.data(query, "stranger", **asked))["classGroup"] is None
