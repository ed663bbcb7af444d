"""Attempts on what is private, over the wire: values, existence, numbers, by detours as well as straight."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from schema.graph import ids as global_ids
from schema.model.privacy import PrivacyClass
from schema.model.words import Kind
from tests.journeys.country import World, short_memory, world

pytestmark = pytest.mark.asyncio(loop_scope="module")

PERSON = """query Person($id: ID!) { person(id: $id) {
  displayName gender birthDate residentIdMasked assurance
  accounts { nodes { subject } } learningSpace { url } events(first: 1) { totalCount } } }"""
EVENTS = """query Events($school: String!, $first: Int!) { activityEvents(school: $school, first: $first) {
  totalCount pageInfo { hasNextPage } nodes { actorRole } } }"""
PAGE_OF_NOTHING = {"totalCount": 0, "pageInfo": {"hasNextPage": False}}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def forgetful() -> AsyncIterator[World]:
    """A demonstration where nothing stays fresh; its last test breaks a source."""
    async with world(short_memory) as running:
        yield running


def one_of(land: World, persona: str, kind: Kind = Kind.PERSON) -> str:
    """The global id of a persona's own record, or of the first class she is in."""
    hub = land.demo.hub
    assert hub.identity is not None
    person = hub.identity.principal(persona)
    key = person.roles[0].class_keys[0] if kind is Kind.CLASS_GROUP else person.person_keys[0]
    return global_ids.encode(hub.specs[kind], key or "", hub.registry)


def school_of(land: World, persona: str) -> str:
    """The school a persona is at."""
    assert land.demo.hub.identity is not None
    return land.demo.hub.identity.principal(persona).roles[0].school_code or ""


async def person(land: World, whose: str, asking: str, purpose: str = "") -> dict[str, Any]:
    """What somebody sees of a persona."""
    answer = await land.ask(PERSON, asking, purpose=purpose, id=one_of(land, whose))
    assert "errors" not in answer, answer
    found: dict[str, Any] = answer["data"]["person"]
    return found


async def test_who_teaches_the_same_class_is_a_colleague_and_not_a_pupil(forgetful: World) -> None:
    query = """query Class($class: ID!) { classGroup(id: $class) {
      enrollments(role: TEACHER) { nodes { person { id displayName gender birthDate
        accounts { totalCount } learningSpace { url } events(first: 1) { totalCount } } } } } }"""
    answer = await forgetful.data(query, "teacher", **{"class": one_of(forgetful, "pupil", Kind.CLASS_GROUP)})
    people = [seat["person"] for seat in answer["classGroup"]["enrollments"]["nodes"]]
    others = [one for one in people if one["id"] != one_of(forgetful, "teacher")]
    assert len(others) < len(people), "she sees herself"
    assert others
    for colleague in others:
        assert colleague["displayName"]
        assert colleague["gender"] is colleague["birthDate"] is colleague["learningSpace"] is None
        assert colleague["accounts"]["totalCount"] == colleague["events"]["totalCount"] == 0


@pytest.mark.parametrize("family", ["pupil", "guardian"])
async def test_when_her_teachers_sign_in_and_do_what_is_not_for_families(
    forgetful: World, family: str
) -> None:
    asked = {"school": school_of(forgetful, "pupil"), "first": 500}
    seen = (await forgetful.data(EVENTS, family, **asked))["activityEvents"]
    assert all(event["actorRole"] == "STUDENT" for event in seen["nodes"])
    whole = (await forgetful.data(EVENTS, "principal", **asked))["activityEvents"]
    assert any(event["actorRole"] == "TEACHER" for event in whole["nodes"])


async def test_a_purpose_about_pupils_opens_nothing_of_their_parents_and_teachers(forgetful: World) -> None:
    parent = await person(forgetful, "guardian", "county_officer", "roll,aid,dropout-prevention")
    assert parent["displayName"] is None, "the roll shows her masked: her own record must not show her whole"
    for whose in ("guardian", "teacher"):
        adult = await person(forgetful, whose, "county_officer", "roll,aid,dropout-prevention")
        assert {adult[name] for name in ("gender", "birthDate", "residentIdMasked", "assurance")} == {None}
        assert adult["accounts"]["nodes"] == []
        assert adult["learningSpace"] is None
        assert adult["events"]["totalCount"] == 0


async def test_a_purpose_opens_of_an_older_pupil_only_what_it_is_for(forgetful: World) -> None:
    for_aid = await person(forgetful, "senior", "officer", "aid")
    assert for_aid["displayName"] is for_aid["gender"] is for_aid["learningSpace"] is None
    assert for_aid["accounts"]["nodes"] == []
    for_the_roll = await person(forgetful, "senior", "officer", "roll")
    assert for_the_roll["displayName"]
    assert for_the_roll["gender"]
    assert for_the_roll["accounts"]["nodes"] == []


async def test_a_page_of_nothing_does_not_tell_that_there_is_something_hidden(forgetful: World) -> None:
    asked = {"school": school_of(forgetful, "pupil"), "first": 0}
    events = (await forgetful.data(EVENTS, "stranger", **asked))["activityEvents"]
    assert events == PAGE_OF_NOTHING | {"nodes": []}
    query = """query Found($text: String!) {
      datasets(text: $text, first: 0) { totalCount pageInfo { hasNextPage } } }"""
    assert (await forgetful.data(query, "officer", text="学生"))["datasets"]["pageInfo"]["hasNextPage"]
    assert (await forgetful.data(query, "stranger", text="学生"))["datasets"] == PAGE_OF_NOTHING
    assert (await forgetful.data(query, "stranger", text="没有这个"))["datasets"] == PAGE_OF_NOTHING


async def test_the_last_page_one_may_see_is_the_last_whatever_is_hidden_behind_it(forgetful: World) -> None:
    query = """query Notices($first: Int!) { notices(first: $first) {
      totalCount pageInfo { hasNextPage } nodes { title } } }"""
    whole = (await forgetful.data(query, "stranger", first=500))["notices"]
    number = len(whole["nodes"])
    assert whole["totalCount"] == number > 1
    last = (await forgetful.data(query, "stranger", first=number))["notices"]
    assert (len(last["nodes"]), last["pageInfo"]["hasNextPage"]) == (number, False)
    shorter = (await forgetful.data(query, "stranger", first=number - 1))["notices"]
    assert (len(shorter["nodes"]), shorter["pageInfo"]["hasNextPage"]) == (number - 1, True)


async def test_a_contributor_whose_name_is_internal_is_not_found_by_it(forgetful: World) -> None:
    query = """query Named($text: String) { resources(text: $text, level: [MUNICIPAL], first: 20) {
      totalCount nodes { contributorName } } }"""
    told = (await forgetful.data(query, "officer"))["resources"]["nodes"]
    name = next(one["contributorName"] for one in told if one["contributorName"])
    assert (await forgetful.data(query, "", text=name))["resources"] == {"totalCount": 0, "nodes": []}


async def test_the_second_tier_holds_nothing_that_is_not_public(forgetful: World) -> None:
    hub = forgetful.demo.hub
    assert hub.mongo is not None
    assert (await person(forgetful, "pupil", "pupil"))["birthDate"]
    query = """query School($code: String!) { school(schoolCode: $code) {
      name principalName phone classes { nodes { name } } } }"""
    school = (await forgetful.data(query, "principal", code=school_of(forgetful, "pupil")))["school"]
    assert school["principalName"]
    await forgetful.data("query Open($code: String!) { school(schoolCode: $code) { name } }",
                         code=school_of(forgetful, "pupil"))  # fmt: skip
    kept = await hub.mongo.collection("cache").find({}, limit=10_000)
    kinds = {tag.rpartition(":")[2] for entry in kept for tag in entry.get("tags", ()) if tag[:5] == "kind:"}
    assert "School" in kinds
    assert {hub.specs[Kind(kind)].privacy for kind in kinds} == {PrivacyClass.PUBLIC}


async def test_a_source_that_falls_silent_does_not_tell_who_is_remembered(forgetful: World) -> None:
    hub = forgetful.demo.hub
    nowhere = global_ids.encode(hub.specs[Kind.PERSON], "c371502-roster:u-no-such", hub.registry)
    both = (one_of(forgetful, "pupil"), nowhere)
    query = "query One($id: ID!) { person(id: $id) { displayName } }"
    before = [await forgetful.ask(query, "stranger", provenance=True, id=one) for one in both]
    assert before[0] == before[1]
    assert (await forgetful.data(query, "pupil", id=both[0]))["person"]["displayName"]
    await forgetful.fault("rosters", "error")
    answers = [await forgetful.ask(query, "stranger", provenance=True, id=one) for one in both]
    for answer in answers:
        assert answer["data"]["person"] is None
        assert answer["errors"][0]["extensions"]["code"].startswith("SOURCE_")
        assert "stale" not in answer["extensions"]["provenance"]["account"]
        assert [gap["remembered"] for gap in answer["extensions"]["silent"]] == [False]
    own = await forgetful.ask(query, "pupil", provenance=True, id=both[0])
    assert own["data"]["person"]["displayName"], "who may see her is served the remembered copy"
    assert own["extensions"]["provenance"]["account"]["stale"] == ["c371502-roster"]
