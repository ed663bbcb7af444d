"""What is fetched from a provider is asked for once by many, and seldom."""

from __future__ import annotations

import asyncio

from auth.broker.remote_keys import Remembered, freshness
from auth.broker.upstream import UpstreamRefused
from tests.fakes.broker_side import Clock


async def test_one_who_gives_up_does_not_end_the_question_of_the_others() -> None:
    go, asked = asyncio.Event(), 0

    async def load() -> tuple[str, float]:
        nonlocal asked
        asked += 1
        await go.wait()
        return "known", 60.0

    remembered: Remembered[str] = Remembered(load, Clock())
    hasty, patient = asyncio.create_task(remembered.get()), asyncio.create_task(remembered.get())
    await asyncio.sleep(0)
    hasty.cancel()
    await asyncio.sleep(0)
    go.set()
    assert await patient == "known"
    assert hasty.cancelled()
    assert asked == 1


async def test_a_stale_value_serves_while_it_is_renewed_and_a_failure_waits_ten_seconds() -> None:
    clock, asked = Clock(), 0

    async def load() -> tuple[int, float]:
        nonlocal asked
        asked += 1
        if asked == 2:
            raise UpstreamRefused("unavailable", status=503)
        return asked, 60.0

    remembered: Remembered[int] = Remembered(load, clock)
    seen = [await remembered.get()]
    for seconds in (61, 1, 1, 10, 1):
        clock.now += seconds
        seen.append(await remembered.get())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert (seen, asked) == ([1, 1, 1, 1, 1, 3], 3)


def _freshness(said: str) -> float:
    return freshness({"Cache-Control": said}, 7.0)


def test_freshness_is_read_from_max_age_alone() -> None:
    said = ("max-age=5", "public, max-age=5, x", "s-maxage=5", "max-age=x", "")
    assert [_freshness(each) for each in said] == [5.0, 5.0, 7.0, 7.0, 7.0]
