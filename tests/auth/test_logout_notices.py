"""The outbox: whoever must hear that a sign-on ended hears it, once, also after a crash."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from auth.ending.notices import Notices
from auth.errors import StoreDown
from hub.embedded import EmbeddedMongo
from hub.identity.fetch import HttpFetch
from hub.identity.store import MongoStore
from hub.mongo import Mongo
from tests.auth.leaving import leave, outbox, working
from tests.connectors.sandbox.browser import Browser
from tests.fakes.middle import Middle, middle
from tests.fakes.recorded import said

# --- the outbox ---


async def test_an_application_that_fails_is_told_later(hub: Middle, teacher: Browser) -> None:
    hub.application.mode = "fail"
    await hub.enter(teacher)
    id_token, _ = await hub.use(teacher, "gradebook")
    await leave(hub, teacher, id_token_hint=id_token)
    (waiting,) = await outbox(hub)
    assert waiting["tries"] == 1
    hub.application.mode = "ok"
    async with working(hub.endings):
        await asyncio.sleep(0.1)
        assert hub.application.heard == [], "not before its time"
        hub.clock.ahead += 3
        hub.notices.wake()
        await asyncio.wait_for(hub.application.came.wait(), 10)
    assert len(hub.application.heard) == 1


async def test_the_wait_grows_and_after_a_day_it_is_given_up_and_said_so(
    hub: Middle, teacher: Browser
) -> None:
    hub.application.mode = "fail"
    await hub.enter(teacher)
    await hub.use(teacher, "gradebook")
    await hub.endings.end((await hub.who(teacher))["session"])
    waits = []
    for _ in range(60):
        left = await outbox(hub)
        if not left:
            break
        hub.clock.ahead += max(0.0, left[0]["next"].timestamp() - hub.clock() + 0.01)
        before = hub.clock()
        await hub.notices.sent([left[0]["_id"]], 5)
        left = await outbox(hub)
        waits += [left[0]["next"].timestamp() - before] if left else []
    assert await outbox(hub) == []
    assert [round(each) for each in waits[:5]] == [2, 8, 32, 128, 512]
    assert max(waits) < 3700
    assert "logout.undelivered" in hub.audit.events()


async def test_an_application_that_hangs_delays_neither_the_page_nor_the_others(
    hub: Middle, teacher: Browser
) -> None:
    hung = hub.applications["silent"]
    hub.applications["silent"] = type(hung)(
        **{**{name: getattr(hung, name) for name in hung.__struct_fields__},
           "backchannel_logout_uri": f"{hub.school.url}/nobody"},
    )  # fmt: skip
    hub.school.frame.mode = "hang"
    await hub.enter(teacher)
    id_token, _ = await hub.use(teacher, "gradebook")
    await hub.use(teacher, "silent")
    seen = await leave(hub, teacher, id_token_hint=id_token)
    assert seen.status == 303
    assert len(hub.application.heard) == 1
    assert [each["client_id"] for each in await outbox(hub)] == ["silent"]


async def test_many_notices_for_an_application_that_hangs_leave_room_for_the_others(
    hub: Middle, teacher: Browser
) -> None:
    gradebook = hub.applications["gradebook"]
    hub.applications["hung"] = type(gradebook)(
        id="hung", name="不应答的应用", backchannel_logout_uri=f"{hub.school.url}/nobody"
    )
    hub.school.frame.mode = "hang"
    for number in range(40):
        session, _ = await hub.sessions.sign_in(None, f"m{number}", "teacher", said("7"))
        await hub.sessions.note_client(session.id, "hung", "s")
        await hub.endings.end(session.id)
    async with working(hub.endings):
        while hub.notices._busy["hung"] < 4:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        session, _ = await hub.sessions.sign_in(None, "m", "teacher", said("7"))
        await hub.sessions.note_client(session.id, "gradebook", "s")
        await hub.endings.end(session.id)
        await asyncio.wait_for(hub.application.came.wait(), 30)
        assert hub.notices._busy["hung"] <= 4
        assert len(await outbox(hub)) >= 40, "none of those went through before"


async def test_a_notice_outlives_the_process_and_is_sent_by_another(hub: Middle, teacher: Browser) -> None:
    await hub.enter(teacher)
    await hub.use(teacher, "gradebook")
    await hub.endings.end((await hub.who(teacher))["session"])
    assert len(await outbox(hub)) == 1
    other = Notices(
        hub.store, hub.applications, hub.ring, hub.notices._fetch, hub.audit, hub.clock, issuer=hub.url
    )
    assert isinstance(hub.notices._fetch, HttpFetch)
    task = asyncio.create_task(other.run())
    await asyncio.wait_for(hub.application.came.wait(), 10)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert len(hub.application.heard) == 1


async def test_of_many_processes_one_sends_each_notice(hub: Middle) -> None:
    for number in range(20):
        session, _ = await hub.sessions.sign_in(None, f"m{number}", "teacher", said("7"))
        await hub.sessions.note_client(session.id, "gradebook", "s")
        await hub.endings.end(session.id)
    workers = [
        Notices(
            hub.store, hub.applications, hub.ring, hub.notices._fetch, hub.audit, hub.clock, issuer=hub.url
        )
        for _ in range(4)
    ]
    tasks = [asyncio.create_task(each.run()) for each in workers]
    while await outbox(hub):  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert hub.application.tried == 20


async def test_a_process_that_died_between_ending_and_telling_is_made_up_for(
    hub: Middle, teacher: Browser
) -> None:
    await hub.enter(teacher)
    _, refresh = await hub.use(teacher, "gradebook")
    await hub.sessions.end((await hub.who(teacher))["session"])  # and there it died
    assert await hub.families.find(refresh) is not None
    assert await hub.endings.sweep() == 0
    hub.clock.ahead += 11
    assert await hub.endings.sweep() == 1
    assert await hub.families.find(refresh) is None
    assert len(await outbox(hub)) == 1
    assert await hub.endings.sweep() == 0


async def test_without_a_database_signing_out_is_a_503_and_the_worker_waits(
    mortal_mongo: EmbeddedMongo, tmp_path: Path, teacher: Browser
) -> None:
    mongo = Mongo.connect(mortal_mongo.uri, "gate")
    async with middle(MongoStore(mongo), tmp_path) as hub:
        await hub.enter(teacher)
        id_token, _ = await hub.use(teacher, "gradebook")
        async with working(hub.endings):
            await mortal_mongo.stop()
            seen = await leave(hub, teacher, id_token_hint=id_token)
            assert seen.status == 503
            with pytest.raises(StoreDown):
                await hub.sessions.get("any")
            await mortal_mongo.start()
            assert await hub.who(teacher) != {}
            seen = await leave(hub, teacher, id_token_hint=id_token)
            assert seen.status == 303
            await asyncio.wait_for(hub.application.came.wait(), 10)
    await mongo.close()
