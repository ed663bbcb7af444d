"""The database stops while the hub serves, and comes back."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from hub.mongo import Mongo
from tests.journeys.country import World, world

pytestmark = pytest.mark.asyncio(loop_scope="module")
LIVE: dict[str, Any] = {"v": {"$exists": True}}
ADDRESSES = "query At($code: RegionCode!) { schools(region: $code) { nodes { name address } } }"
QUERY = '{ schools(region: "%s") { totalCount nodes { name studentCount } } }'


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bare() -> AsyncIterator[World]:
    """A demonstration whose database will be stopped."""
    async with world() as running:
        yield running


async def count(bare: World, name: str, where: dict[str, Any]) -> int:
    """How many documents a collection holds, asked over a connection of its own."""
    mongo = Mongo.connect(bare.demo.mongo.uri, "rongtong")
    try:
        return await mongo.collection(name).count(where)
    finally:
        await mongo.close()


async def test_reads_go_on_from_sources_and_memory_while_the_database_is_away(bare: World) -> None:
    before = await bare.data(QUERY % "371502")
    assert bare.demo.hub.catalogue is not None
    harvested = await bare.demo.hub.catalogue.harvest("s-repository")
    assert harvested.finished
    assert bare.demo.mongo.pid is not None
    os.kill(bare.demo.mongo.pid, signal.SIGKILL)
    await asyncio.sleep(0.2)
    assert await bare.data(QUERY % "371502") == before
    fresh = await bare.data(QUERY % "371503")
    assert fresh["schools"]["totalCount"] == 4
    live = await bare.data("{ resources(stage: PRIMARY, first: 5) { nodes { title } } }")
    assert live["resources"]["nodes"], "without a catalogue, sources that can are searched live"
    await bare.demo.mongo.start()
    assert await count(bare, "catalogue", {"source": "s-repository"}) == harvested.records > 0


async def test_the_second_tier_is_used_again_when_the_database_is_back(bare: World) -> None:
    held = await count(bare, "cache", LIVE)
    for attempt in range(60):
        code = ("371581", "371525", "371522", "371521", "371526", "371571")[attempt % 6]
        await bare.data(ADDRESSES, code=code)
        if await count(bare, "cache", LIVE) > held:
            return
        await asyncio.sleep(0.25)
    pytest.fail("nothing new was remembered after the database came back")
