"""The database room: the same stories over both drivers."""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import UTC, datetime

import pytest

from hub.embedded import EmbeddedMongo
from hub.mongo import (
    ASCENDING,
    Document,
    Driver,
    Index,
    Mongo,
    StorageBusy,
    StorageConflict,
    StorageDown,
    StorageError,
    StorageRefused,
    UpdateOne,
)
from hub.mongo.gate import Gate


async def test_what_is_written_is_read_again(any_mongo: Mongo) -> None:
    schools = any_mongo.collection("schools")
    await schools.insert_one({"_id": "371500-001", "name": "东阿县第一小学"})
    assert await schools.find_one({"_id": "371500-001"}) == {"_id": "371500-001", "name": "东阿县第一小学"}
    assert await schools.find_one({"_id": "nowhere"}) is None


async def test_a_moment_comes_back_aware_and_in_utc(any_mongo: Mongo) -> None:
    moment = datetime(2026, 9, 1, 8, 0, tzinfo=UTC)
    await any_mongo.collection("days").insert_one({"_id": 1, "at": moment})
    found = await any_mongo.collection("days").find_one({"_id": 1})
    assert found == {"_id": 1, "at": moment}
    assert (await any_mongo.server_time()).tzinfo is not None


async def test_the_same_school_cannot_be_entered_twice(any_mongo: Mongo) -> None:
    schools = any_mongo.collection("schools")
    await schools.insert_one({"_id": "one"})
    with pytest.raises(StorageConflict):
        await schools.insert_one({"_id": "one"})
    with pytest.raises(StorageConflict):
        await schools.insert_many([{"_id": "one"}, {"_id": "two"}])
    assert await schools.count({}) == 2  # the new one of the batch was kept


async def test_a_list_is_bounded_ordered_and_skipped(any_mongo: Mongo) -> None:
    numbers = any_mongo.collection("numbers")
    assert await numbers.insert_many([{"_id": i} for i in range(20)]) == 20
    found = await numbers.find({}, limit=3, order=[("_id", -1)], skip=1)
    assert [d["_id"] for d in found] == [18, 17, 16]
    assert await numbers.count({}, limit=7) == 7
    assert await numbers.estimated_count() == 20


async def test_a_long_list_arrives_whole_page_by_page(any_mongo: Mongo) -> None:
    numbers = any_mongo.collection("numbers")
    await numbers.insert_many([{"_id": i} for i in range(1_203)])
    assert [d["_id"] async for d in numbers.stream({}, order=[("_id", ASCENDING)])] == list(range(1_203))
    doubled: list[Document] = [{"$sort": {"_id": 1}}, {"$project": {"twice": {"$multiply": ["$_id", 2]}}}]
    assert [d["twice"] async for d in numbers.aggregate_stream(doubled)] == list(range(0, 2_406, 2))
    assert len(await numbers.aggregate(doubled, limit=5)) == 5


async def test_updates_say_what_they_changed(any_mongo: Mongo) -> None:
    pupils = any_mongo.collection("pupils")
    born = await pupils.update_one({"_id": 1}, {"$set": {"class": "三（2）班"}}, upsert=True)
    assert (born.matched, born.inserted) == (0, 1)
    moved = await pupils.update_one({"_id": 1}, {"$set": {"class": "四（2）班"}})
    assert (moved.matched, moved.modified, moved.inserted) == (1, 1, 0)
    after = await pupils.find_one_and_update({"_id": 1}, {"$inc": {"moves": 1}})
    assert after == {"_id": 1, "class": "四（2）班", "moves": 1}
    assert await pupils.distinct("class") == ["四（2）班"]
    batch = await pupils.bulk_write(
        [UpdateOne({"_id": i}, {"$set": {"x": i}}, upsert=True) for i in range(1, 4)]
    )
    assert (batch.matched, batch.inserted) == (1, 2)
    assert await pupils.find_one_and_delete({"_id": 3}) == {"_id": 3, "x": 3}
    assert await pupils.delete_many({}) == 2


async def test_indexes_are_made_once_and_can_be_listed(any_mongo: Mongo) -> None:
    keys = any_mongo.collection("keys")
    assert await keys.list_indexes() == []
    wanted = [Index([("source", ASCENDING), ("key", ASCENDING)], unique=True)]
    assert await keys.create_indexes(wanted) == await keys.create_indexes(wanted) == ["source_1_key_1"]
    assert [index["name"] for index in await keys.list_indexes()] == ["_id_", "source_1_key_1"]


async def test_a_change_is_heard_that_happens_after_the_watch_began(any_mongo: Mongo) -> None:
    tags = any_mongo.collection("tags")
    await tags.insert_one({"_id": "before"})
    async with tags.watch() as feed:
        await tags.insert_one({"_id": "after"})
        change = None
        while change is None:
            change = await feed.next()
        assert (change["operationType"], change["documentKey"]) == ("insert", {"_id": "after"})
        assert feed.resume_token is not None


async def test_what_cannot_be_stored_is_refused_and_not_called_an_outage(any_mongo: Mongo) -> None:
    notes = any_mongo.collection("notes")
    for unstorable in (2**70, "\ud800", object(), b"x" * 17_000_000):
        with pytest.raises(StorageRefused):
            await notes.insert_one({"value": unstorable})
    with pytest.raises(StorageRefused):
        await notes.update_one({}, {"$nonsense": {"a": 1}})


async def test_a_stranger_without_the_password_is_refused(mongo_uri: str, driver: Driver) -> None:
    address = mongo_uri.split("@")[-1].split("/")[0]
    stranger = Mongo.connect(f"mongodb://{address}/?directConnection=true", "story", driver)
    with pytest.raises(StorageRefused):
        await stranger.collection("schools").find_one({})
    await stranger.close()


async def test_a_dead_server_is_down_and_comes_back(mortal_mongo: EmbeddedMongo, driver: Driver) -> None:
    connection = Mongo.connect(mortal_mongo.uri, "story", driver)
    notes = connection.collection("notes")
    acknowledged = []
    for i in range(50):
        await notes.insert_one({"_id": i})
        acknowledged.append(i)
    assert mortal_mongo.pid is not None
    os.kill(mortal_mongo.pid, signal.SIGKILL)
    for _ in range(2):
        with pytest.raises(StorageDown):
            await notes.find_one({})
    await mortal_mongo.start()
    await connection.ready()
    assert [d["_id"] for d in await notes.find({}, limit=100, order=[("_id", 1)])] == acknowledged
    await connection.close()


async def test_a_closed_connection_says_that_it_is_closed(mongo_uri: str, driver: Driver) -> None:
    connection = Mongo.connect(mongo_uri, "story", driver)
    await connection.ready()
    await connection.close()
    await connection.close()
    with pytest.raises(StorageDown):
        await connection.ready()


async def test_the_password_is_never_shown(any_mongo: Mongo, mongo_uri: str) -> None:
    password = mongo_uri.split(":")[2].split("@")[0]
    assert password not in repr(any_mongo)


async def test_an_address_that_is_none_is_refused(driver: Driver) -> None:
    with pytest.raises(StorageError) as caught:
        Mongo.connect("mongodb://user:pass:word@@nowhere", "story", driver)
    assert "pass" not in str(caught.value)


async def test_no_more_than_so_many_operations_run_or_wait() -> None:
    gate = Gate(in_flight=2, waiting=1, patience=0.05)
    leave = asyncio.Event()
    inside = 0

    async def operation() -> None:
        nonlocal inside
        async with gate.operation():
            inside += 1
            await leave.wait()

    two = [asyncio.create_task(operation()) for _ in range(2)]
    await asyncio.sleep(0)
    third = asyncio.create_task(operation())
    await asyncio.sleep(0)
    with pytest.raises(StorageBusy):  # no room to wait
        await operation()
    with pytest.raises(StorageBusy):  # waited for long enough
        await third
    assert inside == 2
    leave.set()
    await asyncio.gather(*two)
    await operation()
    assert inside == 3
