"""What the gate keeps, over both drivers and a real server: every step it relies on, and its two errors."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from auth.errors import StoreDown, Taken
from auth.store import Documents, IndexSpec, expiring
from hub.embedded import EmbeddedMongo
from hub.identity.store import MongoStore
from hub.mongo import Driver, Mongo

PATIENCE = (
    5.0  # seconds in which a dead server must have been noticed; a second is meant, the machine is shared
)


@pytest.fixture
def store(any_mongo: Mongo) -> MongoStore:
    return MongoStore(any_mongo)


@pytest.fixture
def desks(store: MongoStore) -> Documents:
    return store.collection("desks")


async def test_what_is_put_away_is_found_and_counted(desks: Documents) -> None:
    for number in range(5):
        await desks.insert_one({"_id": number, "row": number % 2})
    assert await desks.find_one({"_id": {"$eq": 3}}) == {"_id": 3, "row": 1}
    assert await desks.find_one({"_id": {"$eq": 9}}) is None
    assert [one["_id"] for one in await desks.find({}, limit=2, order=[("_id", -1)])] == [4, 3]
    assert [one["_id"] async for one in desks.stream({"row": {"$eq": 0}}, order=[("_id", 1)])] == [0, 2, 4]
    assert (await desks.count({}), await desks.count({}, limit=3)) == (5, 3)


async def test_a_moment_comes_back_aware_and_in_utc(desks: Documents) -> None:
    moment = datetime(2026, 9, 1, 8, tzinfo=UTC)
    await desks.insert_one({"_id": 1, "expires": moment})
    found = await desks.find_one({"expires": {"$eq": moment}})
    assert found is not None
    assert (found["expires"], found["expires"].tzinfo) == (moment, UTC)


async def test_a_change_says_how_many_it_met(desks: Documents) -> None:
    change = {"$set": {"seen": True}}
    assert await desks.update_one({"_id": {"$eq": 1}}, change) == 0
    assert await desks.update_one({"_id": {"$eq": 1}}, change, upsert=True) == 1
    assert await desks.update_one({"_id": {"$eq": 1}}, change) == 1, "matched, though nothing is new"
    await desks.insert_one({"_id": 2, "seen": False})
    assert await desks.update_many({}, change) == 2
    assert await desks.count({"seen": {"$eq": True}}) == 2


async def test_a_step_gives_back_what_it_changed_before_or_after(desks: Documents) -> None:
    where, more = {"_id": {"$eq": "a"}}, {"$inc": {"tries": 1}}
    assert await desks.find_one_and_update(where, more) is None
    assert await desks.find_one_and_update(where, more, upsert=True) == {"_id": "a", "tries": 1}
    assert await desks.find_one_and_update(where, more, before=True) == {"_id": "a", "tries": 1}
    assert await desks.find_one_and_update(where, more) == {"_id": "a", "tries": 3}
    assert await desks.find_one_and_update({"_id": {"$eq": "b"}}, more, upsert=True, before=True) is None


async def test_what_may_be_taken_once_is_taken_by_one_of_many(desks: Documents) -> None:
    await desks.insert_one({"_id": "code"})
    found = await asyncio.gather(*(desks.find_one_and_delete({"_id": {"$eq": "code"}}) for _ in range(12)))
    assert [one for one in found if one] == [{"_id": "code"}]


async def test_of_many_who_write_the_same_key_one_is_first(desks: Documents) -> None:
    tried = await asyncio.gather(
        *(desks.insert_one({"_id": "jti", "by": each}) for each in range(12)), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in tried) == ["NoneType"] + ["Taken"] * 11
    assert await desks.count({}) == 1


async def test_what_is_taken_away_is_counted(desks: Documents) -> None:
    for number in range(4):
        await desks.insert_one({"_id": number})
    assert [await desks.delete_one({"_id": {"$eq": 0}}) for _ in range(2)] == [1, 0]
    assert await desks.delete_many({}) == 3
    assert await desks.find({}, limit=9) == []


# --- indexes


UNIQUE = IndexSpec("accounts", (("iss", 1), ("sub", 1)), unique=True)
PARTIAL = IndexSpec("accounts", (("match", 1),), unique=True, partial=(("sure", {"$eq": True}),))
PLAIN = IndexSpec("accounts", (("person", 1), ("at", -1)))
TTL = expiring("sessions")


async def made(mongo: Mongo, collection: str) -> dict[str, dict[str, Any]]:
    found = await mongo.collection(collection).list_indexes()
    return {one["name"]: one for one in found if one["name"] != "_id_"}


async def test_the_declared_indexes_are_made_and_declaring_again_changes_nothing(
    any_mongo: Mongo, store: MongoStore
) -> None:
    for _ in range(2):
        await store.declare([UNIQUE, TTL, PARTIAL, PLAIN])
        accounts, sessions = await made(any_mongo, "accounts"), await made(any_mongo, "sessions")
        assert set(accounts) == {"iss_1_sub_1", "match_1", "person_1_at_-1"}
        assert accounts["iss_1_sub_1"]["unique"] is True
        assert "partialFilterExpression" not in accounts["iss_1_sub_1"]
        assert accounts["match_1"]["partialFilterExpression"] == {"sure": {"$eq": True}}
        assert "unique" not in accounts["person_1_at_-1"]
        assert {name: one["expireAfterSeconds"] for name, one in sessions.items()} == {"expires_1": 0}


async def test_a_unique_key_is_taken_for_inserts_upserts_and_changes(store: MongoStore) -> None:
    await store.declare([UNIQUE])
    accounts = store.collection("accounts")
    await accounts.insert_one({"_id": 1, "iss": "county", "sub": "t1"})
    await accounts.insert_one({"_id": 2, "iss": "county", "sub": "t2"})
    same = {"iss": "county", "sub": "t1"}
    attempts: list[Awaitable[Any]] = [
        accounts.insert_one({"_id": 3, **same}),
        accounts.update_one({"_id": {"$eq": 4}}, {"$set": same}, upsert=True),
        accounts.find_one_and_update({"_id": {"$eq": 5}}, {"$set": same}, upsert=True),
        accounts.update_one({"_id": {"$eq": 2}}, {"$set": same}),
    ]
    for attempt in attempts:
        with pytest.raises(Taken) as caught:
            await attempt
        assert "t1" not in f"{caught.value!r} {caught.value.__cause__!r}", "a stored value is never told"
    assert await accounts.count({}) == 2


async def test_only_what_matches_is_unique_where_uniqueness_is_partial(store: MongoStore) -> None:
    await store.declare([PARTIAL])
    accounts = store.collection("accounts")
    await accounts.insert_one({"_id": 1, "match": "m", "sure": True})
    await accounts.insert_one({"_id": 2, "match": "m", "sure": False})
    await accounts.insert_one({"_id": 3, "match": "m"})
    with pytest.raises(Taken):
        await accounts.insert_one({"_id": 4, "match": "m", "sure": True})


async def test_uniqueness_that_does_not_hold_already_is_not_declared_in_silence(store: MongoStore) -> None:
    accounts = store.collection("accounts")
    for number in range(2):
        await accounts.insert_one({"_id": number, "iss": "county", "sub": "t1"})
    with pytest.raises((Taken, StoreDown)):
        await store.declare([UNIQUE])


# --- a server that is gone


async def _streamed(documents: Documents) -> list[Any]:
    return [one async for one in documents.stream({})]


EVERYTHING: dict[str, Callable[[Documents], Awaitable[Any]]] = {
    "find_one": lambda found: found.find_one({}),
    "find": lambda found: found.find({}, limit=1),
    "stream": _streamed,
    "count": lambda found: found.count({}),
    "insert_one": lambda found: found.insert_one({"_id": 1}),
    "update_one": lambda found: found.update_one({}, {"$set": {"a": 1}}),
    "update_many": lambda found: found.update_many({}, {"$set": {"a": 1}}),
    "find_one_and_update": lambda found: found.find_one_and_update({}, {"$set": {"a": 1}}),
    "find_one_and_delete": lambda found: found.find_one_and_delete({}),
    "delete_one": lambda found: found.delete_one({}),
    "delete_many": lambda found: found.delete_many({}),
}


def test_every_method_of_a_collection_is_among_these() -> None:
    assert set(EVERYTHING) == {name for name in vars(Documents) if not name.startswith("_")}


@pytest.fixture
async def nowhere(driver: Driver) -> AsyncIterator[Mongo]:
    """An address where no database is."""
    connection = Mongo.connect("mongodb://127.0.0.1:9/", "nowhere", driver)
    yield connection
    await connection.close()


async def test_whatever_is_asked_of_no_server_is_down(nowhere: Mongo) -> None:
    """All at once, so that the whole story waits for one second."""
    store = MongoStore(nowhere)
    found = store.collection("desks")
    async with asyncio.timeout(PATIENCE):
        ended = await asyncio.gather(
            *(work(found) for work in EVERYTHING.values()), store.declare([TTL]), return_exceptions=True
        )
    assert [type(one) for one in ended] == [StoreDown] * (len(EVERYTHING) + 1)
    assert all("127.0.0.1" not in f"{one} {one!r}" for one in ended)


async def test_a_server_that_dies_is_noticed_and_everything_written_is_there_when_it_is_back(
    mortal_mongo: EmbeddedMongo, driver: Driver
) -> None:
    connection = Mongo.connect(mortal_mongo.uri, "story", driver)
    desks = MongoStore(connection).collection("desks")
    await desks.insert_one({"_id": "written"})
    assert mortal_mongo.pid is not None
    os.kill(mortal_mongo.pid, signal.SIGKILL)
    for work in (EVERYTHING["find_one"], EVERYTHING["insert_one"]):
        with pytest.raises(StoreDown):
            async with asyncio.timeout(PATIENCE):
                await work(desks)
    await mortal_mongo.start()
    await connection.ready()
    assert await desks.find_one({"_id": {"$eq": "written"}}) == {"_id": "written"}
    await connection.close()


async def test_a_stream_that_loses_its_server_says_so_in_the_middle(
    mortal_mongo: EmbeddedMongo, driver: Driver
) -> None:
    connection = Mongo.connect(mortal_mongo.uri, "story", driver)
    await connection.collection("desks").insert_many([{"_id": n, "text": "x" * 2_000} for n in range(2_000)])
    assert mortal_mongo.pid is not None
    seen: list[Any] = []

    async def read(pid: int) -> None:
        async for one in MongoStore(connection).collection("desks").stream({}):
            seen.append(one["_id"])
            if len(seen) == 1:
                os.kill(pid, signal.SIGKILL)

    with pytest.raises(StoreDown):
        await asyncio.wait_for(read(mortal_mongo.pid), 4 * PATIENCE)
    assert 0 < len(seen) < 2_000
    await connection.close()
