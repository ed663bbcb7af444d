"""Who signs out is told the truth, also when the outbox's worker takes the notices first."""

from __future__ import annotations

import asyncio

from tests.auth.leaving import working
from tests.connectors.sandbox.browser import Browser
from tests.fakes.middle import Middle


async def test_an_application_that_the_worker_told_counts_as_told(hub: Middle) -> None:
    async with Browser() as teacher, working(hub.endings):
        for _ in range(8):
            await hub.enter(teacher)
            await hub.use(teacher, "gradebook")
            ended = await hub.endings.end_and_tell((await hub.who(teacher))["session"], within=10)
            assert ended is not None
            assert ended.told == {"gradebook": True}


async def test_an_application_that_fails_is_not_waited_for(hub: Middle) -> None:
    hub.application.mode = "fail"
    async with Browser() as teacher, working(hub.endings):
        await hub.enter(teacher)
        await hub.use(teacher, "gradebook")
        async with asyncio.timeout(20):
            ended = await hub.endings.end_and_tell((await hub.who(teacher))["session"], within=60)
        assert ended is not None
        assert ended.told == {"gradebook": False}
