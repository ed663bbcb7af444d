"""The breaker: pays once, then not at all, and finds out beside the requests."""

from __future__ import annotations

import asyncio

import pytest

from hub.cache.breaker import Breaker
from hub.mongo import StorageBusy, StorageDown, StorageRefused
from tests.hub.cache.source import Source, until


async def test_after_one_failure_nothing_is_asked_until_a_probe_succeeds() -> None:
    tier, probe = Source("answer"), Source()
    tier.fault, probe.fault = StorageDown("dead"), StorageDown("dead")
    breaker = Breaker(probe, probe_every=0.01)
    for _ in range(100):
        with pytest.raises(StorageDown):
            await breaker.run(tier)
    assert tier.asked == 1
    await until(lambda: probe.asked > 2)
    assert breaker.open
    tier.fault = probe.fault = None
    await until(lambda: not breaker.open)
    assert await breaker.run(tier) == "answer"
    await breaker.aclose()


async def test_a_tier_that_hangs_is_waited_for_once_and_briefly() -> None:
    tier, probe = Source(), Source()
    tier.door.clear()
    breaker = Breaker(probe, patience=0.01, probe_every=60)
    for _ in range(10):
        with pytest.raises(StorageDown):
            await breaker.run(tier)
    assert tier.asked == 1
    await breaker.aclose()


async def test_only_one_probe_runs_however_many_fail_together() -> None:
    tier, probe = Source(), Source()
    tier.door.clear()
    probe.door.clear()
    tier.fault = StorageDown("dead")
    breaker = Breaker(probe, patience=5, probe_every=0.01)
    failing = [asyncio.create_task(breaker.run(tier)) for _ in range(50)]
    await until(lambda: tier.asked == 50)
    tier.door.set()
    await asyncio.gather(*failing, return_exceptions=True)
    await until(lambda: probe.asked > 0)
    await asyncio.sleep(0.05)
    assert probe.asked == 1
    await breaker.aclose()


@pytest.mark.parametrize("error", [StorageRefused("a fault of ours"), StorageBusy("our own haste")])
async def test_our_own_faults_do_not_count_as_the_tiers(error: Exception) -> None:
    tier = Source("answer")
    tier.fault = error
    breaker = Breaker(Source())
    with pytest.raises(type(error)):
        await breaker.run(tier)
    tier.fault = None
    assert await breaker.run(tier) == "answer"
