"""Sources die, hang and talk nonsense; the rest still answers, and says who is silent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.journeys.country import World, short_memory, world
from tests.journeys.examples import FIRST_LIGHT

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fragile() -> AsyncIterator[World]:
    """A demonstration to break: nothing stays fresh in it, so that every answer is asked for."""
    async with world(short_memory) as running:
        yield running


def without_ages(value: Any) -> Any:
    """An answer's data without what time alone changes."""
    if isinstance(value, dict):
        return {k: without_ages(v) for k, v in value.items() if k not in ("ageSeconds", "account")}
    return [without_ages(item) for item in value] if isinstance(value, list) else value


async def test_four_broken_sources_change_nothing_that_is_remembered_and_are_named(fragile: World) -> None:
    whole = await fragile.ask(FIRST_LIGHT, "pupil")
    assert "silent" not in whole.get("extensions", {})
    fragile.kill("repository")
    fragile.freeze("exchange")
    await fragile.fault("school-lrs", "garbage")
    await fragile.fault("platform", "error")
    began = asyncio.get_running_loop().time()
    broken = await fragile.ask(FIRST_LIGHT, "pupil", provenance=True)
    took = asyncio.get_running_loop().time() - began
    assert took <= fragile.demo.hub.loaded.settings.hub.deadline + 0.2
    assert without_ages(broken["data"]) == without_ages(whole["data"])
    silent = {gap["source"]: gap for gap in broken["extensions"]["silent"]}
    assert set(silent) == {"sd-repository", "lc-exchange", "s-lrs", "lc-platform"}
    assert silent["sd-repository"]["code"] == "SOURCE_UNAVAILABLE"
    assert silent["lc-exchange"]["code"] == "SOURCE_TIMEOUT"
    assert silent["s-lrs"]["code"] == silent["lc-platform"]["code"] == "SOURCE_BAD_RESPONSE"
    assert all(gap["reason"] and gap["remembered"] and gap["paths"] for gap in silent.values())
    assert set(broken["extensions"]["provenance"]["account"]["stale"]) == set(silent)


async def test_what_was_never_heard_is_missing_by_name_and_no_list_is_silently_short(fragile: World) -> None:
    query = """{ school(schoolCode: "%s") { name classes { totalCount account { silent { source code } } } }
      communities(region: "371500") { totalCount nodes { name } account { answered silent { source } } } }"""
    school = fragile.demo.hub.registry.joined["s-lrs"].school_code
    answer = await fragile.ask(query % school, "teacher")
    page = answer["data"]["communities"]
    assert page["nodes"] == []
    assert page["totalCount"] is None
    assert page["account"]["silent"] == [{"source": "lc-platform"}]
    assert "lc-platform" not in page["account"]["answered"]
    assert answer["data"]["school"]["name"]
    assert any(gap["source"] == "lc-platform" for gap in answer["extensions"]["silent"])


async def test_one_thing_whose_only_source_is_silent_is_an_error_and_not_absent(fragile: World) -> None:
    query = "{ me { displayName learningSpace { url openedOn } } }"
    answer = await fragile.ask(query, "senior")
    assert answer["data"]["me"]["displayName"]
    assert answer["data"]["me"]["learningSpace"] is None
    (error,) = answer["errors"]
    assert error["path"] == ["me", "learningSpace"]
    assert error["extensions"]["code"].startswith("SOURCE_")


async def test_a_mended_source_is_heard_again(fragile: World) -> None:
    await fragile.fault("platform", "ok")
    query = """{ communities(region: "371500") { totalCount account { silent { source } } } }"""
    for _ in range(40):
        answer = await fragile.ask(query)
        if answer["data"]["communities"]["totalCount"]:
            break
        await asyncio.sleep(0.25)
    assert answer["data"]["communities"]["totalCount"] > 0
    assert answer["data"]["communities"]["account"]["silent"] == []
