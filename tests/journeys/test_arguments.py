"""Questions that make no sense are refused with what to write instead, never answered with nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.journeys.country import World

pytestmark = pytest.mark.asyncio(loop_scope="session")

CHIPING, OLD_CHIPING = "371503", "371523"


async def refused(land: World, query: str, persona: str = "officer") -> tuple[str, str]:
    """Code and words of the one error that the answer to `query` is."""
    answer: dict[str, Any] = await land.ask(query, persona)
    (error,) = answer["errors"]
    return error["extensions"]["code"], error["message"]


async def listed(land: World, region: str, field: str) -> tuple[int, list[str]]:
    page = (
        await land.data(f'{{ {field}(region: "{region}", first: 500) {{ totalCount nodes {{ id }} }} }}')
    )[field]
    return page["totalCount"], sorted(node["id"] for node in page["nodes"])


@pytest.mark.parametrize(
    "field",
    [
        'schools(region: "999999")', 'organizations(region: "999999")', 'activities(region: "999999")',
        'honours(region: "999999")', 'notices(region: "999999")', 'communities(region: "999999")',
        'liveSessions(region: "999999")', 'metrics(region: "999999")', 'statistics(region: "999999")',
        'homeworkStats(region: "999999", period: "2026-11")',
        'platformUsage(region: "999999", period: "2026-11")',
    ],
)  # fmt: skip
async def test_an_unknown_region_is_not_a_region_without_schools(land: World, field: str) -> None:
    code, said = await refused(land, f"{{ {field} {{ totalCount }} }}")
    assert code == "UNKNOWN_REGION"
    assert "区划表里没有代码 999999" in said
    assert "look it up with regions" in said


async def test_regions_below_an_unknown_one_are_refused_and_the_unknown_one_itself_is_null(
    land: World,
) -> None:
    assert (await refused(land, '{ regions(parent: "999999") { code } }'))[0] == "UNKNOWN_REGION"
    assert (await land.data('{ region(code: "999999") { code } }'))["region"] is None


@pytest.mark.parametrize("field", ["schools", "honours"])
async def test_a_withdrawn_code_leads_to_what_is_there_now(land: World, field: str) -> None:
    today = await listed(land, CHIPING, field)
    assert today[0] > 0
    assert await listed(land, OLD_CHIPING, field) == today


async def test_a_place_renamed_in_2019_had_its_old_name_in_2015(land: World) -> None:
    query = (
        '{ old: region(code: "371523", at: "%s") { name } new: region(code: "371503", at: "%s") { name } }'
    )
    before = await land.data(query % ("2015-01-01", "2015-01-01"))
    assert before == {"old": {"name": "茌平县"}, "new": None}
    after = await land.data(query % ("2020-01-01", "2020-01-01"))
    assert after == {"old": None, "new": {"name": "茌平区"}}


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ('activities(region: "371500", month: "2026-11", from: "2026-01-01") { totalCount }', "month"),
        ('activities(region: "371500", month: "2026-11", to: "2026-01-01") { totalCount }', "month"),
        ('activities(region: "371500", from: "2026-02-01", to: "2026-01-01") { totalCount }', "from"),
        ('homeworkStats(region: "371500", period: "202611") { totalCount }', "2026-11"),
        ('homeworkStats(region: "371500", period: "2026-13") { totalCount }', "2026-11"),
        ('platformUsage(region: "371500", period: "abc") { totalCount }', "2026-11"),
        ('platformUsage(region: "371500", period: "") { totalCount }', "period"),
        ("school { name }", "schoolCode"),
        ('school(schoolCode: "") { name }', "schoolCode"),
        ('school(schoolCode: "2137010002", id: "x") { name }', "schoolCode"),
        ('textbooks(gradeCode: "") { totalCount }', "gradeCode"),
        ('knowledgePoints(subjectCode: "") { totalCount }', "subjectCode"),
        ('resources(text: "") { totalCount }', "text"),
        ('datasets(text: "") { totalCount }', "text"),
        ('metrics(region: "371500", keys: ["a", ""]) { totalCount }', "keys"),
        ('activityEvents(school: "") { totalCount }', "school"),
        ('sourceHealth(source: "") { answers: __typename }', "source"),
    ],
)  # fmt: skip
async def test_arguments_that_mean_nothing_are_refused_in_both_languages(
    land: World, query: str, words: str
) -> None:
    code, said = await refused(land, f"{{ {query} }}")
    assert code == "BAD_ARGUMENT"
    chinese, _, english = said.partition(" / ")
    assert words in chinese
    assert words in english


@pytest.mark.parametrize("month", ["9999-12", "0001-01", "9999-11"])
async def test_the_calendars_ends_can_be_asked_about(land: World, month: str) -> None:
    query = '{ activities(region: "371500", month: "%s") { totalCount account { silent { source code } } } }'
    page = (await land.data(query % month))["activities"]
    assert page == {"totalCount": 0, "account": {"silent": []}}
    query = (
        '{ activities(region: "371500", from: "0001-01-01", to: "9999-12-31")'
        " { nodes { id } account { silent { code } } } }"
    )
    page = (await land.data(query))["activities"]
    assert page["nodes"]
    assert page["account"]["silent"] == []


async def test_ids_that_mean_nothing_find_nothing_and_an_empty_cursor_is_the_first_page(land: World) -> None:
    data = await land.data(
        '{ school(id: "nonsense") { name } person(id: "") { id }'
        ' textbooks(first: 1, after: "") { nodes { id } } }'
    )
    assert data["school"] is None
    assert data["person"] is None
    assert len(data["textbooks"]["nodes"]) == 1
