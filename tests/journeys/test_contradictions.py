"""Levels disagree about a school: the authoritative value is shown, and insiders see which values lost."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from connectors.sandbox.country import Country
from connectors.sandbox.country.disagreements import Disagreement
from tests.journeys.country import World
from tests.journeys.examples import FIRST_LIGHT

pytestmark = pytest.mark.asyncio(loop_scope="session")

QUERY = """query ($code: String!) { school(schoolCode: $code) {
  name address studentCount classCount regionCode
  contradictions { field source level value kept keptSource } } }"""
LISTED = """{ schools(region: "371500", first: 44) { nodes { schoolCode name studentCount
  contradictions { field } } } }"""
FIELDS = {
    "name": "name",
    "address": "address",
    "student_count": "studentCount",
    "class_count": "classCount",
}
WINS = {"studentCount": "PROVINCIAL", "name": "PROVINCIAL", "address": "COUNTY", "classCount": "COUNTY"}
COUNTRY = Country()


def listed(code: str) -> list[Disagreement]:
    return [one for one in COUNTRY.disagreements() if one.school_code == code]


async def school(land: World, code: str, persona: str = "") -> dict[str, Any]:
    found: dict[str, Any] = (await land.data(QUERY, persona, code=code))["school"]
    return found


@pytest.mark.parametrize("code", COUNTRY.oddities()["contradictions"])
async def test_authority_decides_and_the_city_sees_who_told_otherwise(land: World, code: str) -> None:
    shown = await school(land, code, "city_officer")
    losing = {(one["field"], one["level"]): one for one in shown["contradictions"]}
    fields = {FIELDS[one.field] for one in listed(code)}
    assert {field for field, _ in losing} == fields
    for one in listed(code):
        field, won = FIELDS[one.field], WINS[FIELDS[one.field]] == one.level
        assert shown[field] == (one.value if won else one.so)
        values = {line["value"] for (of, _), line in losing.items() if of == field}
        assert values == {str(one.so if won else one.value)}
        assert won or losing[field, one.level]["value"] == str(one.value)
    for line in shown["contradictions"]:
        assert line["kept"] == str(shown[line["field"]])
        assert line["source"] != line["keptSource"]


@pytest.mark.parametrize("code", COUNTRY.oddities()["contradictions"])
async def test_a_passer_by_sees_the_same_school_and_no_dispute(land: World, code: str) -> None:
    inside, outside = await school(land, code, "city_officer"), await school(land, code)
    assert outside.pop("contradictions") == []
    assert inside.pop("contradictions")
    assert outside == inside


async def test_a_list_of_all_schools_disputes_only_the_odd_ones(land: World) -> None:
    nodes = (await land.data(LISTED, "city_officer"))["schools"]["nodes"]
    assert len(nodes) == 44
    odd = {one.school_code for one in COUNTRY.disagreements() if one.field in ("name", "student_count")}
    assert {node["schoolCode"] for node in nodes if node["contradictions"]} == odd
    passed_by = (await land.data(LISTED))["schools"]["nodes"]
    assert not any(node["contradictions"] for node in passed_by)


async def test_first_light_shows_one_dispute_to_those_who_may_see_it(land: World) -> None:
    teacher = await school(land, COUNTRY.schools[0].code, "teacher")
    (only,) = teacher["contradictions"]
    assert (only["field"], only["source"], only["kept"]) == ("name", "lc-platform", COUNTRY.schools[0].name)
    pupil = (await land.data(FIRST_LIGHT, "pupil"))["me"]["enrollments"]["nodes"][0]["classGroup"]["school"]
    assert pupil["name"] == COUNTRY.schools[0].name


async def test_nothing_has_happened_that_is_still_to_come(land: World) -> None:
    query = "query ($school: String!) { activityEvents(school: $school, first: 50) { nodes { occurredAt } } }"
    data = await land.data(query, "principal", school=COUNTRY.schools[0].code)
    moments = [datetime.fromisoformat(node["occurredAt"]) for node in data["activityEvents"]["nodes"]]
    assert moments
    assert max(moments) <= datetime.now(moments[0].tzinfo)
