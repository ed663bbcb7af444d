"""What several sources tell is one thing: a class, a guardian, a body, an honour; each the right one."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from connectors.sandbox.country import Country
from schema.graph import ids as global_ids
from schema.model.words import Kind
from tests.journeys.country import World, quiet, world

pytestmark = pytest.mark.asyncio(loop_scope="session")

COUNTRY = Country()
OWN_ROSTER = "2137010002"
"""The school that joined with a roster of its own, beside its county's."""
SOURCES = "sources { source }"
CLASSES = f"""query ($code: String!) {{ school(schoolCode: $code) {{ classes(first: 100) {{
  totalCount nodes {{ name gradeCode {SOURCES} }}
  account {{ asked answered silent {{ source }} }} }} }} }}"""
ORGANIZATIONS = f"""{{ organizations(region: "371500", first: 200) {{
  totalCount nodes {{ name orgKind regionCode {SOURCES} }} }} }}"""
HONOURS = f"""{{ honours(region: "371500", first: 200) {{
  totalCount nodes {{ title docNo regionCode schoolCode {SOURCES} }} }} }}"""
BOOKS = """query ($code: String!) { school(schoolCode: $code) { schoolingSystem classes(first: 100) { nodes {
  gradeCode stage textbooks(first: 200) { nodes { schoolingSystem } } } } } }"""


def told(thing: dict[str, Any]) -> set[str]:
    """Whose parts a thing has."""
    return {part["source"] for part in thing["sources"]}


def named(things: list[dict[str, Any]], *fields: str) -> Counter[tuple[Any, ...]]:
    return Counter(tuple(thing[field] for field in fields) for thing in things)


async def classes_of(land: World, code: str) -> Any:
    return (await land.data(CLASSES, "county_officer", code=code))["school"]["classes"]


async def test_a_school_with_a_roster_of_its_own_has_each_class_once(land: World) -> None:
    school = next(one for one in COUNTRY.schools if one.code == OWN_ROSTER)
    page = await classes_of(land, OWN_ROSTER)
    assert named(page["nodes"], "name") == Counter((one.name,) for one in COUNTRY.classes(school))
    assert page["totalCount"] == school.class_count
    assert {code for one in page["nodes"] for code in told(one)} == {"s-roster"}
    assert {"s-roster", "c371502-roster"} <= set(page["account"]["answered"])


async def test_where_the_schools_own_roster_is_silent_the_county_tells_its_classes() -> None:
    async with world(quiet) as land:
        land.kill("school-roster")
        page = await classes_of(land, OWN_ROSTER)
        assert {code for one in page["nodes"] for code in told(one)} == {"c371502-roster"}
        assert [one["source"] for one in page["account"]["silent"]] == ["s-roster"]


async def test_a_guardian_whom_roster_and_roll_tell_alike_is_one(land: World) -> None:
    hub = land.demo.hub
    assert hub.identity is not None
    key = hub.identity.principal("pupil").person_keys[0]
    query = f"""query ($id: ID!) {{ person(id: $id) {{ guardians {{ totalCount nodes {{
      relationCode guardianName guardian {{ displayName }} {SOURCES} }} }} }} }}"""
    pupil = global_ids.encode(hub.specs[Kind.PERSON], key, hub.registry)
    page = (await land.data(query, "guardian", id=pupil))["person"]["guardians"]
    assert page["totalCount"] == len(page["nodes"]) >= 2
    assert set(named(page["nodes"], "relationCode", "guardianName").values()) == {1}
    assert all(told(one) == {"c371502-roster", "sd-data"} for one in page["nodes"])
    # She is let see herself as a person; the roll alone would not know whom to show.
    [herself] = [one for one in page["nodes"] if one["guardian"]]
    assert herself["guardian"]["displayName"] == herself["guardianName"]


@pytest.mark.parametrize("code", ["371500", "371502", "371503", "371581"])
async def test_the_bureau_of_a_region_is_its_own(land: World, code: str) -> None:
    query = f'{{ region(code: "{code}") {{ bureau {{ name orgKind regionCode }} }} }}'
    bureau = (await land.data(query))["region"]["bureau"]
    name = next(
        one.name for one in COUNTRY.organizations() if one.region_code == code and one.kind == "BUREAU"
    )
    assert bureau == {"name": name, "orgKind": "BUREAU", "regionCode": code}


async def test_each_body_appears_once_and_in_the_words_of_the_hub(land: World) -> None:
    page = (await land.data(ORGANIZATIONS, "city_officer"))["organizations"]
    assert set(named(page["nodes"], "regionCode", "name").values()) == {1}
    expected = {
        (one.region_code, one.name, "BUREAU" if one.kind == "BUREAU" else "CENTRE")
        for one in COUNTRY.organizations()
        if one.level in ("MUNICIPAL", "COUNTY")
    }
    assert set(named(page["nodes"], "regionCode", "name", "orgKind")) == expected
    assert page["totalCount"] == len(expected)
    ours = next(one for one in page["nodes"] if one["regionCode"] == "371502")
    assert {"lc-exchange", "c371502-roster"} <= told(ours)


async def test_an_honour_that_city_and_county_tell_is_one(land: World) -> None:
    page = (await land.data(HONOURS))["honours"]
    assert set(named(page["nodes"], "title", "docNo").values()) == {1}
    assert page["totalCount"] == len(COUNTRY.honours())
    here = next(one for one in page["nodes"] if one["regionCode"] == "371524")
    assert told(here) == {"lc-platform", "c371524-tables"}
    assert here["schoolCode"] == next(
        one.school_code for one in COUNTRY.honours() if one.region_code == "371524"
    )


@pytest.mark.parametrize("system", ["S63", "S54"])
async def test_a_class_is_shown_the_books_of_its_schools_system(land: World, system: str) -> None:
    code = next(one.code for one in COUNTRY.schools if one.system == system and "PRIMARY" in one.level)
    school = (await land.data(BOOKS, "city_officer", code=code))["school"]
    assert school["schoolingSystem"] == system
    for group in school["classes"]["nodes"]:
        books = {book["schoolingSystem"] for book in group["textbooks"]["nodes"]}
        assert books == {system}, group["gradeCode"]


async def test_a_nine_year_school_says_so_and_is_shown_the_books_of_both_systems(land: World) -> None:
    code = next(one.code for one in COUNTRY.schools if one.system == "S9" and one.unit_code == "371524")
    school = (await land.data(BOOKS, "city_officer", code=code))["school"]
    assert school["schoolingSystem"] == "S9"
    third = next(one for one in school["classes"]["nodes"] if one["gradeCode"] == "G03")
    assert {book["schoolingSystem"] for book in third["textbooks"]["nodes"]} == {"S63", "S54"}
