"""Two tiers over a real database: shared, struck from afar, outlived by reads, never believed blindly."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import pytest
import zstandard

from hub.cache.durable import Durable
from hub.cache.tiered import Cache, Policy
from hub.embedded import EmbeddedMongo
from hub.mongo import Mongo
from tests.hub.cache.source import SilentSource, Source, until

POLICY = Policy(fresh_for=600, stale_for=60, down_for=3_600)
_PATIENT = 10.0  # this machine may be busy; how quickly the tier is given up is not the point of most stories

Opened = Callable[[Mongo], Cache]


@pytest.fixture
async def opened() -> AsyncIterator[Opened]:
    """Opens caches over a database, each like a process of its own, and closes them all afterwards."""
    async with AsyncExitStack() as closing:

        def opening(mongo: Mongo) -> Cache:
            tier = Durable.on(mongo, patience=_PATIENT, probe_every=0.1)
            cache = Cache(durable=tier, down_errors=(SilentSource,), jitter=lambda: 0.0)
            closing.push_async_callback(cache.aclose)
            return cache

        yield opening


@pytest.fixture
async def other(mongo_uri: str, database: str) -> AsyncIterator[Mongo]:
    """A second connection to the same database, as another process has it."""
    connection = Mongo.connect(mongo_uri, database)
    yield connection
    await connection.close()


async def _stored(mongo: Mongo, key: str) -> dict[str, Any]:
    """The document, once the write in the background has arrived."""
    while True:
        document = await mongo.collection("cache").find_one({"_id": key, "v": {"$exists": True}})
        if document is not None:
            return document
        await asyncio.sleep(0.01)


async def test_what_one_process_fetched_the_next_one_finds(
    any_mongo: Mongo, other: Mongo, opened: Opened
) -> None:
    source = Source({"title": "一年级语文", "grade": 1})
    first = await opened(any_mongo).get("k", source, policy=POLICY, tags=["source:city"])
    await _stored(any_mongo, "k")
    second = await opened(other).get("k", source, policy=POLICY, tags=["source:city"])
    assert (second.value, second.tier, source.asked) == (first.value, "durable", 1)
    assert not second.stale
    assert abs(second.fetched_at - first.fetched_at) < 60


async def test_an_entry_is_kept_as_designed(any_mongo: Mongo, opened: Opened) -> None:
    await opened(any_mongo).get("k", Source("语文" * 100), policy=POLICY, tags=["$school", "source:city"])
    document = await _stored(any_mongo, "k")
    assert set(document) == {"_id", "v", "size", "tags", "born", "fetched", "fresh", "expire"}
    assert zstandard.ZstdDecompressor().decompress(document["v"]) == f'"{"语文" * 100}"'.encode()
    assert document["tags"] == ["$school", "source:city"]
    fresh = document["fresh"] - document["fetched"]
    assert abs(fresh - timedelta(seconds=600)) <= timedelta(milliseconds=2), "the server rounds"
    kept = document["expire"] - document["fetched"]
    assert abs(kept - timedelta(seconds=600 + 3_600)) <= timedelta(milliseconds=2), "the server rounds"


async def test_the_server_removes_what_has_expired_by_itself(any_mongo: Mongo, opened: Opened) -> None:
    tier = Durable.on(any_mongo)
    await tier.prepare()
    indexes = await any_mongo.collection("cache").list_indexes()
    assert [i["expireAfterSeconds"] for i in indexes if dict(i["key"]) == {"expire": 1}] == [0]


async def test_what_has_expired_but_is_still_there_is_not_served(
    any_mongo: Mongo, other: Mongo, opened: Opened
) -> None:
    await opened(any_mongo).get("k", Source("old"), policy=POLICY)
    await _stored(any_mongo, "k")
    past = await any_mongo.server_time() - timedelta(seconds=1)
    await any_mongo.collection("cache").update_one({"_id": "k"}, {"$set": {"expire": past, "fresh": past}})
    answer = await opened(other).get("k", Source("new"), policy=POLICY)
    assert (answer.value, answer.tier) == ("new", "source")


async def test_an_old_copy_of_the_shared_tier_is_served_at_once_or_while_its_source_is_down(
    any_mongo: Mongo, other: Mongo, opened: Opened
) -> None:
    await opened(any_mongo).get("k", Source("old"), policy=POLICY)
    await _stored(any_mongo, "k")
    now = await any_mongo.server_time()
    past = {"$set": {"fresh": now - timedelta(seconds=300)}}  # past `stale_for`, within `down_for`
    await any_mongo.collection("cache").update_one({"_id": "k"}, past)
    dead = Source()
    dead.fault = SilentSource()
    answer = await opened(other).get("k", dead, policy=POLICY)
    assert (answer.value, answer.stale, answer.error) == ("old", True, dead.fault)


async def test_a_stroke_in_one_process_kills_the_copies_of_all(
    any_mongo: Mongo, other: Mongo, opened: Opened
) -> None:
    here, there = opened(any_mongo), opened(other)
    source = Source("before")
    tags = ["school:371500-001"]
    await here.get("k", source, policy=POLICY, tags=tags)
    await _stored(any_mongo, "k")
    assert (await there.get("k", source, policy=POLICY, tags=tags)).tier == "durable"
    assert there.peek("k") is not None
    for news in ("caught up with", "heard as it happened"):
        source.value = news
        await here.invalidate("school:371500-001")
        assert here.peek("k") is None
        await until(lambda: there.peek("k") is None)
        assert (await there.get("k", source, policy=POLICY, tags=tags)).value == news
        assert (await here.get("k", source, policy=POLICY, tags=tags)).value == news


async def test_a_process_that_starts_after_a_stroke_knows_of_it(
    any_mongo: Mongo, other: Mongo, opened: Opened
) -> None:
    here = opened(any_mongo)
    await here.get("k", Source("before"), policy=POLICY, tags=["school:1"])
    await _stored(any_mongo, "k")
    await here.invalidate("school:1")
    later = await opened(other).get("k", Source("after"), policy=POLICY, tags=["school:1"])
    assert (later.value, later.tier) == ("after", "source")


async def test_two_processes_that_need_the_same_at_once_ask_its_source_once(
    any_mongo: Mongo, other: Mongo, opened: Opened
) -> None:
    source = Source()
    source.door.clear()
    caches = [opened(any_mongo), opened(other)]
    asking = [asyncio.create_task(c.get("k", source, policy=POLICY)) for c in caches for _ in range(50)]
    await until(lambda: source.asked > 0)
    await asyncio.sleep(0.2)  # the other one looks several times meanwhile
    source.door.set()
    answers = await asyncio.gather(*asking)
    assert source.asked == 1
    assert {a.value for a in answers} == {"一年级语文"}


async def test_when_the_one_who_loads_fails_the_next_one_need_not_wait_for_the_lease(
    any_mongo: Mongo, other: Mongo, opened: Opened
) -> None:
    failing, working = Source(), Source("works")
    failing.fault = SilentSource()
    failing.door.clear()
    first = asyncio.create_task(opened(any_mongo).get("k", failing, policy=POLICY))
    await until(lambda: failing.asked > 0)
    second = asyncio.create_task(opened(other).get("k", working, policy=POLICY))
    failing.door.set()
    with pytest.raises(SilentSource):
        await first
    assert (await second).value == "works"


async def test_when_the_one_who_loads_has_died_another_takes_over(any_mongo: Mongo) -> None:
    tier = Durable.on(any_mongo, patience=_PATIENT, lease_for=0.2)
    abandoned = await tier.lease("k")
    assert abandoned is not None
    assert abandoned.won
    late = await tier.lease("k")
    assert late is not None
    assert not late.won
    cache = Cache(durable=tier)
    assert (await cache.get("k", Source("done"), policy=POLICY)).value == "done"
    await cache.aclose()


@pytest.mark.parametrize(
    "poison",
    [
        {"v": zstandard.ZstdCompressor().compress(bytes(64_000_001))},
        {"v": b"garbage"},
        {"v": zstandard.ZstdCompressor().compress(b"<html>")},
        {"v": "text"},
        {"expire": "tomorrow"},
        {"tags": 7},
        {"born": None},
        {"lease": {"until": "later"}},
    ],
)
async def test_a_poisoned_entry_is_passed_over(
    mongo: Mongo, other: Mongo, opened: Opened, poison: dict[str, Any]
) -> None:
    await opened(mongo).get("k", Source("good"), policy=POLICY)
    await _stored(mongo, "k")
    await mongo.collection("cache").update_one({"_id": "k"}, {"$set": poison})
    assert (await opened(other).get("k", Source("good"), policy=POLICY)).value == "good"


async def test_what_is_not_worth_sharing_stays_in_memory(any_mongo: Mongo, opened: Opened) -> None:
    cache = opened(any_mongo)
    await cache.get("k", Source(), policy=POLICY, durable=False)
    await cache.aclose()
    assert await any_mongo.collection("cache").count({}) == 0


async def test_with_the_database_killed_reads_go_on_and_with_it_back_the_shared_tier_serves_again(
    mortal_mongo: EmbeddedMongo, opened: Opened
) -> None:
    mongo, second = (Mongo.connect(mortal_mongo.uri, "story") for _ in range(2))
    cache = opened(mongo)
    kept = Source("kept")
    await cache.get("kept", kept, policy=POLICY, tags=["school:1"])
    await _stored(mongo, "kept")
    assert mortal_mongo.pid is not None
    os.kill(mortal_mongo.pid, signal.SIGKILL)
    for i in range(30):
        assert (await cache.get("kept", kept, policy=POLICY)).tier == "memory"
        assert (await cache.get(f"cold {i}", Source(i), policy=POLICY)).tier == "source"
    await cache.invalidate("school:1")  # holds here at once, and is published later
    assert cache.peek("kept") is None
    await mortal_mongo.start()
    while True:
        await cache.get(f"again {asyncio.get_running_loop().time()}", Source(), policy=POLICY)
        if await mongo.collection("cache").count({"_id": {"$regex": "^again"}, "v": {"$exists": True}}):
            break
        await asyncio.sleep(0.05)
    while True:
        if await mongo.collection("cache_tags").count({"_id": "school:1"}):
            break
        await asyncio.sleep(0.05)
    newcomer = await opened(second).get("kept", Source("new"), policy=POLICY, tags=["school:1"])
    assert (newcomer.value, newcomer.tier) == ("new", "source")
    await mongo.close()
    await second.close()


async def test_without_any_database_from_the_start_reads_still_work(opened: Opened) -> None:
    nowhere = Mongo.connect("mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=50", "story")
    cache = opened(nowhere)
    assert (await cache.get("k", Source(1), policy=POLICY)).value == 1
    assert (await cache.get("k", Source(2), policy=POLICY)).tier == "memory"
    await cache.aclose()
    await nowhere.close()


_PROCESS = """
import asyncio, sys
from hub.cache.durable import Durable
from hub.cache.tiered import Cache, Policy
from hub.mongo import Mongo

async def main(uri, database):
    mongo = Mongo.connect(uri, database)
    await mongo.ready()
    cache = Cache(durable=Durable.on(mongo, patience=10.0, lease_for=20.0))
    async def load():
        await mongo.collection("look_ups").insert_one({})
        await asyncio.sleep(0.3)
        return {"from": "source"}
    print("ready", flush=True)
    sys.stdin.readline()
    asking = (cache.get("k", load, policy=Policy(fresh_for=60)) for _ in range(500))
    answers = await asyncio.gather(*asking)
    assert all(answer.value == {"from": "source"} for answer in answers)
    print(len(answers), flush=True)
    await cache.aclose()
    await mongo.close()

asyncio.run(main(*sys.argv[1:]))
"""


async def test_three_processes_with_five_hundred_callers_each_cost_one_look_up(
    mongo: Mongo, mongo_uri: str, database: str
) -> None:
    start = [sys.executable, "-c", _PROCESS, mongo_uri, database]
    processes = [await asyncio.create_subprocess_exec(*start, stdin=-1, stdout=-1) for _ in range(3)]
    for process in processes:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    said = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    assert [out for out, _ in said] == [b"500\n"] * 3
    assert await mongo.collection("look_ups").count({}) == 1
