"""The cache in one process: fresh, stale, down, negative, struck; and one load for all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from hub.cache.keys import key
from hub.cache.tiered import Cache, CacheBusy, CacheClosed, Limits, Policy
from tests.hub.cache.source import SilentSource, Source
from tests.hub.cache.turned_clock import TurnedClock

POLICY = Policy(fresh_for=60, stale_for=30, down_for=600)


@pytest.fixture
def clock() -> TurnedClock:
    """Noon, and it stays noon."""
    return TurnedClock()


@pytest.fixture
async def cache(clock: TurnedClock) -> AsyncIterator[Cache]:
    """A cache of memory alone."""
    remembered = Cache(clock=clock, down_errors=(SilentSource,), jitter=lambda: 0.0)
    yield remembered
    await remembered.aclose()


async def _settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_thousand_at_once_cost_one_look_up(cache: Cache) -> None:
    source = Source()
    source.door.clear()
    callers = [asyncio.create_task(cache.get("k", source, policy=POLICY)) for _ in range(1_000)]
    await _settled()
    source.door.set()
    answers = await asyncio.gather(*callers)
    assert source.asked == 1
    assert {a.value for a in answers} == {"一年级语文"}


async def test_what_is_fresh_comes_from_memory_with_the_time_it_was_fetched(
    cache: Cache, clock: TurnedClock
) -> None:
    source = Source()
    first = await cache.get("k", source, policy=POLICY)
    clock.turn(59)
    second = await cache.get("k", source, policy=POLICY)
    assert (first.tier, second.tier, source.asked) == ("source", "memory", 1)
    assert second.fetched_at == first.fetched_at == clock.epoch() - 59
    assert not second.stale


async def test_one_caller_who_leaves_does_not_take_the_answer_from_the_others(cache: Cache) -> None:
    source = Source()
    source.door.clear()
    leaving = asyncio.create_task(cache.get("k", source, policy=POLICY))
    staying = asyncio.create_task(cache.get("k", source, policy=POLICY))
    await _settled()
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    source.door.set()
    assert (await staying).value == "一年级语文"
    assert source.asked == 1


async def test_what_is_a_little_old_is_served_at_once_and_refreshed_beside(
    cache: Cache, clock: TurnedClock
) -> None:
    source = Source("old")
    await cache.get("k", source, policy=POLICY)
    clock.turn(61)
    source.value = "new"
    for _ in range(5):
        stale = await cache.get("k", source, policy=POLICY)
        assert (stale.value, stale.stale, stale.error) == ("old", True, None)
    await _settled()
    assert (await cache.get("k", source, policy=POLICY)).value == "new"
    assert source.asked == 2


async def test_what_is_too_old_is_waited_for(cache: Cache, clock: TurnedClock) -> None:
    source = Source("old")
    await cache.get("k", source, policy=POLICY)
    clock.turn(91)
    source.value = "new"
    assert (await cache.get("k", source, policy=POLICY)).value == "new"


async def test_while_its_source_is_down_the_old_copy_is_served_and_says_so(
    cache: Cache, clock: TurnedClock
) -> None:
    source = Source()
    await cache.get("k", source, policy=POLICY)
    clock.turn(300)
    source.fault = SilentSource()
    for _ in range(20):
        old = await cache.get("k", source, policy=POLICY)
        assert (old.value, old.stale, old.error) == ("一年级语文", True, source.fault)
    assert source.asked == 2  # it was left in peace after the first failure
    clock.turn(2.1)
    await cache.get("k", source, policy=POLICY)
    assert source.asked == 3
    source.fault = None
    clock.turn(2.1)
    assert not (await cache.get("k", source, policy=POLICY)).stale


async def test_a_copy_older_than_allowed_does_not_stand_in(cache: Cache, clock: TurnedClock) -> None:
    source = Source()
    await cache.get("k", source, policy=POLICY)
    clock.turn(661)
    source.fault = SilentSource()
    with pytest.raises(SilentSource):
        await cache.get("k", source, policy=POLICY)


async def test_only_an_outage_is_bridged_with_old_copies(cache: Cache, clock: TurnedClock) -> None:
    source = Source()
    await cache.get("k", source, policy=POLICY)
    clock.turn(300)
    source.fault = PermissionError("the source refuses us")
    with pytest.raises(PermissionError):
        await cache.get("k", source, policy=POLICY)


async def test_a_dead_source_without_a_copy_is_asked_once_in_two_seconds(
    cache: Cache, clock: TurnedClock
) -> None:
    source = Source()
    source.fault = SilentSource()
    for _ in range(50):
        with pytest.raises(SilentSource) as caught:
            await cache.get("k", source, policy=POLICY)
        assert caught.value is source.fault
    assert source.asked == 1
    clock.turn(2.1)
    source.fault = None
    assert (await cache.get("k", source, policy=POLICY)).tier == "source"


async def test_that_there_is_none_is_remembered_for_five_seconds(cache: Cache, clock: TurnedClock) -> None:
    source = Source(None)
    for _ in range(3):
        assert (await cache.get("k", source, policy=POLICY)).value is None
    assert source.asked == 1
    clock.turn(5.1)
    source.value = "there is one now"
    assert (await cache.get("k", source, policy=POLICY)).value == "there is one now"


async def test_a_struck_tag_kills_what_carries_it_and_nothing_else(cache: Cache) -> None:
    one, two = Source(1), Source(2)
    await cache.get("one", one, policy=POLICY, tags=["school:1", "level:school"])
    await cache.get("two", two, policy=POLICY, tags=["school:2", "level:school"])
    await cache.invalidate("school:1")
    assert cache.peek("one") is None
    assert cache.peek("two") is not None
    await cache.get("one", one, policy=POLICY, tags=["school:1"])
    await cache.get("two", two, policy=POLICY, tags=["school:2"])
    assert (one.asked, two.asked) == (2, 1)
    await cache.invalidate("*")
    assert cache.peek("one") is cache.peek("two") is None


async def test_who_asks_after_a_stroke_never_gets_what_was_asked_before_it(cache: Cache) -> None:
    source = Source("before")
    source.door.clear()
    early = asyncio.create_task(cache.get("k", source, policy=POLICY, tags=["school:1"]))
    await _settled()
    source.value = "after"
    await cache.invalidate("school:1")
    late = asyncio.create_task(cache.get("k", source, policy=POLICY, tags=["school:1"]))
    await _settled()
    source.door.set()
    assert (await early).value == "before"
    assert (await late).value == "after"
    assert (await cache.get("k", source, policy=POLICY, tags=["school:1"])).value == "after"


async def test_the_teachers_answer_never_serves_the_stranger(cache: Cache) -> None:
    def named(audience: str) -> str:
        return key(version="1", source="s", kind="pupil", audience=audience, where={"id": 1})

    teacher, stranger = Source({"name": "李小明"}), Source(None)
    seen = await cache.get(named("teacher:371500"), teacher, policy=POLICY)
    hidden = await cache.get(named("public"), stranger, policy=POLICY)
    assert (seen.value, hidden.value) == ({"name": "李小明"}, None)
    assert stranger.asked == 1


async def test_peeking_asks_nobody(cache: Cache, clock: TurnedClock) -> None:
    assert cache.peek("k") is None
    await cache.get("k", Source("x"), policy=POLICY)
    peeked = cache.peek("k")
    assert peeked is not None
    assert (peeked.value, peeked.stale, peeked.tier) == ("x", False, "memory")
    clock.turn(61)
    peeked = cache.peek("k")
    assert peeked is not None
    assert peeked.stale


async def test_a_stricter_caller_gets_fresher_data(cache: Cache, clock: TurnedClock) -> None:
    source = Source()
    await cache.get("k", source, policy=POLICY)
    clock.turn(10)
    await cache.get("k", source, policy=Policy(fresh_for=5))
    assert source.asked == 2


async def test_what_is_no_json_is_the_callers_fault_and_is_not_kept(cache: Cache) -> None:
    with pytest.raises(TypeError):
        await cache.get("k", Source(object()), policy=POLICY)
    assert cache.peek("k") is None


@pytest.mark.parametrize("tag", ["", "x" * 201, "\ud800", "a\x00b"])
async def test_a_tag_that_could_never_be_published_is_refused(cache: Cache, tag: str) -> None:
    with pytest.raises(ValueError, match="tags"):
        await cache.invalidate(tag)


async def test_too_many_flights_and_too_many_waiters_are_turned_away() -> None:
    cache = Cache(limits=Limits(flights=2, waiters=3))
    source = Source()
    source.door.clear()
    waiting = [asyncio.create_task(cache.get(k, source, policy=POLICY)) for k in ("a", "b")]
    await _settled()
    with pytest.raises(CacheBusy):
        await cache.get("c", source, policy=POLICY)
    waiting.append(asyncio.create_task(cache.get("a", source, policy=POLICY)))
    await _settled()
    with pytest.raises(CacheBusy):
        await cache.get("a", source, policy=POLICY)
    source.door.set()
    await asyncio.gather(*waiting)
    await cache.aclose()


async def test_refreshes_in_the_background_are_bounded(clock: TurnedClock) -> None:
    cache = Cache(clock=clock, limits=Limits(refreshes=3), jitter=lambda: 0.0)
    source = Source()
    for i in range(10):
        await cache.get(str(i), source, policy=POLICY)
    clock.turn(61)
    source.door.clear()
    for i in range(10):
        assert (await cache.get(str(i), source, policy=POLICY)).stale
    await _settled()
    assert source.asked == 10 + 3
    await cache.aclose()


async def test_closing_ends_what_is_under_way_and_says_so() -> None:
    cache = Cache()
    source = Source()
    source.door.clear()
    waiting = asyncio.create_task(cache.get("k", source, policy=POLICY))
    await _settled()
    await cache.aclose()
    with pytest.raises(CacheClosed):
        await waiting
    with pytest.raises(CacheClosed):
        await cache.get("other", source, policy=POLICY)


async def test_raising_one_error_many_times_does_not_let_it_grow(cache: Cache) -> None:
    source = Source()
    source.fault = SilentSource()
    lengths = set()
    for _ in range(20):
        with pytest.raises(SilentSource) as caught:
            await cache.get("k", source, policy=POLICY)
        lengths.add(len(caught.traceback))
    assert max(lengths) < 10
