"""Guessing is made slow; its owner is not locked out."""

from __future__ import annotations

import asyncio

import pytest

from auth.throttle import ACCOUNT, ADDRESS, INDEXES, KNOWN, PAIR, Attempt, Throttle, Throttled, network
from hub.identity.store import MongoStore
from hub.mongo import Mongo
from tests.fakes.gate import KEY, Clock


async def throttle(mongo: Mongo, clock: Clock) -> Throttle:
    store = MongoStore(mongo)
    await store.declare(INDEXES)
    return Throttle(store, clock, KEY)


async def admitted(slow: Throttle, login: str, address: str, mark: str = "") -> bool:
    try:
        await slow.admit(login, address, mark)
    except Throttled:
        return False
    return True


async def test_a_hundred_guesses_at_once_are_no_more_than_five_one_after_the_other(mongo: Mongo) -> None:
    slow = await throttle(mongo, Clock())
    passed = await asyncio.gather(*(admitted(slow, "admin", "192.0.2.1") for _ in range(100)))
    assert sum(passed) == PAIR.free + 1


async def test_the_wait_grows_with_each_guess_and_never_beyond_its_most(mongo: Mongo) -> None:
    clock = Clock()
    slow = await throttle(mongo, clock)
    for _ in range(PAIR.free):
        await slow.admit("admin", "192.0.2.1")
    waits = []
    for _ in range(14):
        await slow.admit("admin", "192.0.2.1")
        with pytest.raises(Throttled) as refused:
            await slow.admit("admin", "192.0.2.1")
        waits.append(round(refused.value.retry_after))
        clock.at += refused.value.retry_after
    assert waits[:6] == [2, 4, 8, 16, 32, 64]
    assert waits[-1] == PAIR.most


async def test_the_owner_signs_in_from_elsewhere_while_a_stranger_guesses(mongo: Mongo) -> None:
    slow = await throttle(mongo, Clock())
    for _ in range(50):
        await admitted(slow, "admin", "192.0.2.1")
    assert not await admitted(slow, "admin", "192.0.2.1")
    assert await admitted(slow, "admin", "198.51.100.7")


async def test_an_address_that_tries_many_names_is_slowed(mongo: Mongo) -> None:
    slow = await throttle(mongo, Clock())
    passed = [await admitted(slow, f"teacher{n}", "192.0.2.1") for n in range(ADDRESS.free + 20)]
    assert sum(passed) == ADDRESS.free + 1
    assert await admitted(slow, "teacher0", "192.0.2.2")


async def test_guesses_from_everywhere_are_slowed_but_not_where_the_owner_has_been(mongo: Mongo) -> None:
    slow = await throttle(mongo, Clock())
    await slow.succeeded(await slow.admit("admin", "198.51.100.7", "the owner's browser"))
    for n in range(ACCOUNT.free + 5):
        await admitted(slow, "admin", f"192.0.2.{n}")
    assert not await admitted(slow, "admin", "203.0.113.1")
    assert await admitted(slow, "admin", "198.51.100.7")
    assert await admitted(slow, "admin", "203.0.113.2", "the owner's browser")


async def test_a_neighbour_behind_the_owners_own_address_does_not_lock_the_owner_out(mongo: Mongo) -> None:
    slow = await throttle(mongo, Clock())
    school, browser = "192.0.2.1", "the owner's browser"
    await slow.succeeded(await slow.admit("admin", school, browser))
    for n in range(ADDRESS.free + 20):
        await admitted(slow, "admin" if n % 2 else f"teacher{n}", school, "the neighbour's browser")
    assert not await admitted(slow, "admin", school, "the neighbour's browser")
    assert await admitted(slow, "admin", school, browser)
    passed = [await admitted(slow, "admin", school, browser) for _ in range(PAIR.free * 2)]
    assert sum(passed) == PAIR.free  # a known browser guesses no faster than any other


async def test_people_who_know_their_password_do_not_use_up_their_schools_address(mongo: Mongo) -> None:
    slow = await throttle(mongo, Clock())
    for n in range(ADDRESS.free * 2):
        await slow.succeeded(await slow.admit(f"teacher{n}", "192.0.2.1"))
    assert await admitted(slow, "another", "192.0.2.1")


async def test_what_was_never_checked_does_not_count(mongo: Mongo) -> None:
    slow = await throttle(mongo, Clock())
    for _ in range(PAIR.free * 3):
        await slow.withdrawn(await slow.admit("admin", "192.0.2.1"))
    assert await admitted(slow, "admin", "192.0.2.1")


async def test_an_hour_later_the_guesses_are_forgotten_whether_swept_away_or_not(mongo: Mongo) -> None:
    clock = Clock()
    slow = await throttle(mongo, clock)
    for _ in range(PAIR.free + 3):
        await admitted(slow, "admin", "192.0.2.1")
    clock.at += PAIR.memory + 1
    passed = [await admitted(slow, "admin", "192.0.2.1") for _ in range(PAIR.free)]
    assert all(passed)


async def test_neither_login_nor_address_is_kept(mongo: Mongo) -> None:
    slow = await throttle(mongo, Clock())
    attempt: Attempt = await slow.admit("admin", "192.0.2.1", "m" * 43)
    await slow.succeeded(attempt)
    for name in ("auth_attempts", KNOWN):
        kept = str([each async for each in mongo.collection(name).stream({})])
        assert len(kept) > 2
        assert "admin" not in kept
        assert "192.0.2.1" not in kept


def test_an_address_of_one_subscriber_is_one_however_it_is_written() -> None:
    assert network("2001:db8:1:2:3:4:5:6") == network("2001:db8:1:2::9") != network("2001:db8:1:3::9")
    assert network("::ffff:192.0.2.1") == network("192.0.2.1")
    assert network("<script>") == "?"
