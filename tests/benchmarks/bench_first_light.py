"""CPU a request of the hub itself, warm, for the queries of the first day: ratios between them count.

Run by `make bench`. The hub, its sources and the client are one demonstration; CPU time is of the hub's
process alone, the client's part included, so the figures compare with each other and not with other hubs.
"""

from __future__ import annotations

import time

import pytest

from tests.journeys.country import World, world
from tests.journeys.examples import FIRST_LIGHT

ROUNDS = 60
QUERIES = {
    "one region": ('{ region(code: "371500") { name } }', ""),
    "44 schools": ('{ schools(region: "371500", first: 44) { nodes { schoolCode name studentCount } } }', ""),
    "a class of pupils": (
        "{ me { enrollments(first: 1) { nodes { classGroup { enrollments(role: STUDENT, first: 50) {"
        " nodes { person { displayName birthDate } } } } } } } }",
        "teacher",
    ),
    "five levels": (FIRST_LIGHT, "pupil"),
}


async def cost(land: World, query: str, persona: str) -> tuple[float, float]:
    """CPU and wall milliseconds a request, warm."""
    for _ in range(3):
        answer = await land.ask(query, persona)
        assert "errors" not in answer
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(ROUNDS):
        await land.ask(query, persona)
    return (time.process_time() - cpu) / ROUNDS * 1000, (time.perf_counter() - wall) / ROUNDS * 1000


@pytest.mark.timeout(300)
async def test_what_the_first_queries_cost(capsys: pytest.CaptureFixture[str]) -> None:
    async with world() as land:
        figures = {name: await cost(land, *query) for name, query in QUERIES.items()}
    with capsys.disabled():
        print(f"\n{'query':<20}{'CPU ms':>10}{'wall ms':>10}{'x one region':>14}")
        base = figures["one region"][0]
        for name, (cpu, wall) in figures.items():
            print(f"{name:<20}{cpu:>10.2f}{wall:>10.2f}{cpu / base:>14.1f}")
