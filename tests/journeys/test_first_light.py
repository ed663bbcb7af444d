"""One query walks from a pupil to a national resource; every part says where it came from."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.journeys.country import World
from tests.journeys.examples import EXAMPLES, FIRST_LIGHT

pytestmark = pytest.mark.asyncio(loop_scope="session")


def seat(data: dict[str, Any]) -> dict[str, Any]:
    """The pupil's class in an answer to the first query."""
    found: dict[str, Any] = data["me"]["enrollments"]["nodes"][0]["classGroup"]
    return found


async def test_a_pupil_walks_from_herself_to_the_nation_in_one_query(land: World) -> None:
    data = (await land.ask(FIRST_LIGHT, "pupil"))["data"]
    home = seat(data)
    assert data["me"]["displayName"]
    assert data["me"]["gradeCode"] == home["gradeCode"] == "G05"
    assert data["me"]["studentRoll"]["school"]["name"] == home["school"]["name"]
    assert {account["issuer"] for account in data["me"]["accounts"]["nodes"]}
    assert home["school"]["county"]["name"] == "东昌府区"
    assert home["school"]["city"]["name"] == "聊城市"
    assert home["school"]["province"]["name"] == "山东省"
    assert home["school"]["city"]["activities"]["totalCount"] > 0


async def test_resources_for_the_chapter_come_from_at_least_four_levels(land: World) -> None:
    data = await land.data(FIRST_LIGHT, "pupil")
    book = seat(data)["textbooks"]["nodes"][0]
    lesson = book["chapters"]["nodes"][0]["children"]["nodes"][0]
    levels = {resource["level"] for resource in lesson["resources"]["nodes"]}
    assert {"NATIONAL", "PROVINCIAL", "MUNICIPAL"} < levels
    assert len(levels) >= 4
    assert lesson["resources"]["account"]["silent"] == []


async def test_provenance_names_five_sources_of_five_protocols_with_their_ages(land: World) -> None:
    answer = await land.ask(FIRST_LIGHT, "pupil", provenance=True)
    told = answer["extensions"]["provenance"]
    lines = [line.split(" ") for line in told["sources"]]
    real = [line for line in lines if line[2] != "hub"]
    assert len({code for code, *_ in real}) >= 5
    assert len({protocol for _, _, protocol, _ in real}) >= 5
    assert {level for _, level, *_ in real} == set("NPMCS")
    assert all(0 <= int(age) < 600 for *_, age in lines)
    school = told["paths"]["me"]["enrollments.classGroup"]["school"]
    assert {lines[number][1] for number in school[""]} >= {"C", "M", "P"}
    assert lines[school["county"]][0] == "regions"


async def test_provenance_stays_small_beside_a_list(land: World) -> None:
    query = """{ schools(region: "371500", first: 44) { nodes {
      schoolCode name regionCode stages address studentCount staffCount classCount region { name level }
      county { name } city { name } } } }"""
    assert share(await land.ask(query, provenance=True)) < 0.15


def share(answer: dict[str, Any]) -> float:
    """How much of an answer's bytes its provenance is."""
    return len(orjson.dumps(answer["extensions"]["provenance"])) / len(orjson.dumps(answer))


@pytest.mark.parametrize("name", sorted(EXAMPLES))
async def test_every_example_of_the_query_page_is_answered(land: World, name: str) -> None:
    example = EXAMPLES[name]
    persona = "" if example["persona"] == "anonymous" else example["persona"]
    answer = await land.ask(example["query"], persona, provenance=True, **example["variables"])
    assert "errors" not in answer
    assert any(answer["data"].values())
    # Nothing is harvested here; that the search is whole with a catalogue is told in test_honesty.
    assert name == "search" or "silent" not in answer["extensions"]
    # Beside an answer of a few words the very names of its sources weigh more than that.
    assert len(orjson.dumps(answer["data"])) < 400 or share(answer) < 0.15


async def test_chinese_is_never_escaped(land: World) -> None:
    async with land.client.post(
        f"{land.demo.url}/graphql", json={"query": '{ region(code: "371500") { name } }'}
    ) as reply:
        assert "聊城市".encode() in await reply.read()


async def test_a_hub_that_can_answer_says_it_is_ready(land: World) -> None:
    async with land.client.get(f"{land.demo.url}/readyz") as reply:
        assert reply.status == 200
