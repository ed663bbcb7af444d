"""A short list never looks whole: who cannot be asked is named, and what nobody knows is not none."""

from __future__ import annotations

import os
import signal

import pytest

from tests.journeys.country import World, world
from tests.journeys.examples import EXAMPLES

pytestmark = pytest.mark.asyncio(loop_scope="session")
SEARCH = """{ resources(text: "小数乘法", first: 1) {
  totalCount facets(dimensions: [LEVEL]) { count } account { asked silent { source code reason } } } }"""
EVENTS = """query Events($school: String!) { activityEvents(school: $school) {
  totalCount account { asked silent { code reason } } } }"""


async def test_without_the_catalogue_who_cannot_be_searched_is_named() -> None:
    async with world() as land:
        catalogue, mongo = land.demo.hub.catalogue, land.demo.mongo
        assert catalogue is not None
        await catalogue.harvest_all()
        search = EXAMPLES["search"]
        whole = await land.ask(search["query"], **search["variables"])
        assert "silent" not in whole.get("extensions", {})
        assert whole["data"]["resources"]["facets"]
        assert mongo.pid is not None
        os.kill(mongo.pid, signal.SIGKILL)
        page = (await land.data(SEARCH))["resources"]
        silent = {gap["source"]: gap["code"] for gap in page["account"]["silent"]}
        assert silent == dict.fromkeys(("smartedu", "sd-repository", "s-repository"), "SOURCE_CANNOT")
        assert page["account"]["asked"]
        assert page["totalCount"] is None
        assert page["facets"] is None
        assert all("全文检索 / cannot" in gap["reason"] for gap in page["account"]["silent"])


async def test_events_of_a_school_that_nobody_records_are_unknown_to_staff_and_none_to_others(
    land: World,
) -> None:
    school = {"school": "2137020001"}
    page = (await land.data(EVENTS, "officer", **school))["activityEvents"]
    assert page["totalCount"] is None
    assert page["account"]["asked"] == []
    assert [gap["code"] for gap in page["account"]["silent"]] == ["NO_SOURCE"]
    for persona in ("", "teacher"):
        denied = (await land.data(EVENTS, persona, **school))["activityEvents"]
        assert denied == {"totalCount": 0, "account": {"asked": [], "silent": []}}


async def test_collections_of_a_level_that_no_source_tells_of_are_not_none(land: World) -> None:
    page = (
        await land.data("""{ collections(level: [NATIONAL]) {
      totalCount account { silent { source level code reason } } } }""")
    )["collections"]
    assert page["totalCount"] is None
    (gap,) = page["account"]["silent"]
    assert (gap["source"], gap["level"], gap["code"]) == ("hub", "NATIONAL", "NO_SOURCE")
