"""Forty schools, their classes, their pupils: one look-up a source, kind and level of nesting."""

from __future__ import annotations

from collections import Counter

import pytest

from connectors.sandbox.twins import ROSTER_COUNTIES
from tests.journeys.country import World

pytestmark = pytest.mark.asyncio(loop_scope="session")

QUERY = """{
  schools(region: "371500", first: 40) { totalCount nodes {
    schoolCode name
    classes(first: 3) { nodes {
      name
      enrollments(role: STUDENT, first: 3) { nodes { person { id roles gradeCode } } }
    } }
  } }
}"""


async def test_a_query_over_forty_schools_asks_each_roster_once_for_each_kind(land: World) -> None:
    await land.data("{ me { displayName } }", "city_officer")
    await land.forget("rosters")
    data = await land.data(QUERY, "city_officer")
    schools = data["schools"]["nodes"]
    assert len(schools) == 40
    pupils = [
        seat["person"]
        for school in schools
        for group in school["classes"]["nodes"]
        for seat in group["enrollments"]["nodes"]
    ]
    assert len(pupils) > 200
    calls: Counter[tuple[str, str]] = Counter()
    for path, count in (await land.calls("rosters")).items():
        county, *_, collection = path.strip("/").split("/")
        calls[county, collection] += count
    assert {county for county, _ in calls} <= set(ROSTER_COUNTIES)
    # One look-up of schools, of classes, of enrolments and of persons for each roster. A look-up of persons
    # reads three collections: users, their enrolments (for scope) and demographics (for the under-14 rule).
    most = {
        "token": 1,
        "orgs": 1,
        "schools": 1,
        "classes": 1,
        "enrollments": 2,
        "users": 1,
        "demographics": 1,
    }
    assert all(count <= most[collection] for (_, collection), count in calls.items()), calls
    assert all(calls[county, "users"] == 1 for county in list(ROSTER_COUNTIES)[:8])
