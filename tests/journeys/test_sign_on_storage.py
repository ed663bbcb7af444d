"""The database stops, or steps down, under those who sign in: what holds goes on, nothing is half done."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import aiohttp
import orjson
import pytest
import pytest_asyncio

from hub.app import JOURNAL, key_ring, state_folder
from hub.mongo import Mongo, StorageError
from hub.people.verifying import verified
from tests.journeys.country import World, world
from tests.journeys.signing import Hub, Shown, Visitor, eventually, visitors
from tests.journeys.test_private import one_of

pytestmark = pytest.mark.asyncio(loop_scope="module")
PUPIL = "query Pupil($id: ID!) { person(id: $id) { displayName gender birthDate } viewer { subject roles } }"
IN_TIME, TRIES = 3.0, 3
"""A 503 is there in so many seconds; a machine that is busy with something else is asked again."""


@dataclass
class Shore:
    """A demonstration whose database comes and goes, and its hub."""

    country: World
    hub: Hub

    @property
    def http(self) -> aiohttp.ClientSession:
        """Its client."""
        return self.country.client

    def kill(self) -> None:
        """End the database at once."""
        pid = self.country.demo.mongo.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)

    async def back(self) -> None:
        """Start it again: the same folder, the same port."""
        await self.country.demo.mongo.start()
        await self.takes_writes()

    async def takes_writes(self) -> None:
        """Wait until the hub's own connection has found it again."""
        await eventually(self._ready, "the hub finds its database again")

    async def _ready(self) -> bool:
        return (await self.country.demo.hub.state())["storage"] == "ok"

    async def read(self, token: str) -> dict[str, Any]:
        """What a teacher sees of her pupil, which is written down each time."""
        pupil = one_of(self.country, "pupil")
        answer = await self.hub.ask(self.http, token, PUPIL, "teaching", id=pupil)
        assert answer["data"]["person"]["birthDate"], answer
        return answer

    @asynccontextmanager
    async def database(self, name: str = "rongtong") -> AsyncIterator[Mongo]:
        """A connection of its own."""
        mongo = Mongo.connect(self.country.demo.mongo.uri, name)
        try:
            yield mongo
        finally:
            await mongo.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shore() -> AsyncIterator[Shore]:
    """A demonstration whose database will be stopped."""
    async with world() as running:
        assert running.demo.hub.records.index is not None
        await running.demo.hub.records.index.refresh()
        yield Shore(running, Hub(orjson.loads(orjson.dumps(running.demo.told()))))


async def is_a_503_page(browser: Visitor, url: str) -> None:
    """A page in people's words that says when to try again."""
    page: Shown | None = None
    for _ in range(TRIES):
        try:
            async with asyncio.timeout(IN_TIME):
                page = await browser.open(url)
                break
        except TimeoutError:
            continue
    assert page is not None, f"no answer within {IN_TIME} s: {url}"
    assert page.status == 503, page
    assert int(page.headers["Retry-After"]) >= 1
    assert "登录服务暂时不可用" in page.text
    assert "STORE_UNAVAILABLE" in page.text
    assert '<a class="button" href="">重试</a>' in page.text, "the same address, once more"


async def is_a_503_answer(shore: Shore, form: dict[str, str]) -> None:
    """JSON that says so to an application."""
    async with shore.http.post(f"{shore.hub.issuer}/oauth/token", data=form) as reply:
        assert reply.status == 503
        assert int(reply.headers["Retry-After"]) >= 1
        assert orjson.loads(await reply.read())["error"] == "temporarily_unavailable"


@dataclass
class Begun:
    """What was under way when the database stopped: somebody's unused code, unanswered callback, chooser."""

    told: dict[str, Any]
    form: dict[str, str]
    callback: str
    chooser: str
    redirect_uri: str


async def begun(shore: Shore, browser: Visitor, another: Visitor) -> Begun:
    """A teacher signed in with tokens and an unused code; a guardian between provider and hub."""
    hub = shore.hub
    told = await hub.tokens(shore.http, browser, "teacher", "c371502")
    flow = hub.flow("research")
    code = hub.code_at(flow, await browser.open(f"{flow.url}&prompt=none", stop=flow.redirect_uri))
    theirs = hub.flow()
    callback = await hub.to_callback(another, theirs, "guardian", "c371502")
    chooser = await another.open(hub.flow().url)
    return Begun(told, flow.form(code), callback, chooser.url, theirs.redirect_uri)


async def is_refused_everywhere(shore: Shore, browser: Visitor, another: Visitor, under_way: Begun) -> None:
    """New sign-ins and tokens are not to be had; every one of them says so and when to ask again."""
    hub, refresh = shore.hub, under_way.told["refresh_token"]
    again = {"grant_type": "refresh_token", "client_id": "portal", "refresh_token": refresh}
    await asyncio.gather(
        is_a_503_page(browser, hub.flow().url),
        is_a_503_page(another, under_way.chooser),
        is_a_503_page(another, under_way.callback),
        is_a_503_page(browser, f"{hub.issuer}/account"),
        is_a_503_answer(shore, under_way.form),
        is_a_503_answer(shore, again),
    )


async def goes_on(shore: Shore, another: Visitor, under_way: Begun) -> None:
    """Whatever was refused then was not used up: the same code, callback and refresh token count now."""
    hub = shore.hub
    status, told = await hub.token(shore.http, under_way.form)
    assert status == 200, told
    status, told = await hub.refreshed(shore.http, under_way.told["refresh_token"])
    assert status == 200, told
    back = await another.open(under_way.callback, stop=under_way.redirect_uri)
    assert "code" in back.said, back


async def test_while_the_database_is_away_tokens_hold_and_sign_ins_are_told_to_wait(shore: Shore) -> None:
    async with visitors(3) as (browser, another, fresh):
        under_way = await begun(shore, browser, another)
        token = under_way.told["access_token"]
        before = await shore.read(token)
        noted = await read_so_far(shore)
        shore.kill()
        assert await shore.read(token) == before
        assert await read_so_far(shore) > noted, "and it is written down who looked"
        await is_refused_everywhere(shore, browser, another, under_way)
        assert (await fresh.open(f"{shore.hub.issuer}/sign-in")).status in (200, 503)
        await shore.back()
        await goes_on(shore, another, under_way)
        assert await shore.hub.tokens(shore.http, fresh, "senior", "c371502"), "without a restart"


async def read_so_far(shore: Shore) -> int:
    """How many entries the journal on disk holds; its chain is whole."""
    loaded = shore.country.demo.hub.loaded
    key = key_ring(loaded).derived("journal")
    found = await asyncio.to_thread(verified, state_folder(loaded) / JOURNAL, key)
    assert found.faults == ()
    return found.entries


async def test_a_database_that_dies_amid_35_sign_ins_leaves_nothing_half_done(shore: Shore) -> None:
    users = shore.hub.told["users"]
    async with visitors(len(users)) as browsers:
        flows = [shore.hub.flow() for _ in users]
        callbacks = await asyncio.gather(
            *(
                shore.hub.to_callback(browser, flow, user["persona"], user["upstream"])
                for browser, flow, user in zip(browsers, flows, users, strict=True)
            )
        )
        arriving = [
            asyncio.create_task(browser.open(url, stop=flow.redirect_uri))
            for browser, url, flow in zip(browsers, callbacks, flows, strict=True)
        ]
        async with shore.database() as mongo:
            await eventually(partial(some_more, mongo, len(users) // 2), "accounts are made", pause=0.005)
        shore.kill()
        pages = await asyncio.gather(*arriving)
        assert {page.status for page in pages} <= {0, 503}
        await shore.back()
        for browser, page, user in zip(browsers, pages, users, strict=True):
            if page.status:
                flow = shore.hub.flow()
                again = await shore.hub.enter(browser, flow, user["persona"], user["upstream"])
                assert shore.hub.code_at(flow, again)
    await is_whole(shore)


async def some_more(mongo: Mongo, accounts: int) -> bool:
    """Whether there are so many accounts by now, settled or not."""
    return await mongo.collection("auth_accounts").count({}) >= accounts


async def is_whole(shore: Shore) -> None:
    """Every account and every sign-on belongs to a person that is there, and every account is settled."""
    async with shore.database() as mongo:
        persons = {each["_id"] for each in await mongo.collection("auth_persons").find({}, limit=1000)}
        accounts = await mongo.collection("auth_accounts").find({}, limit=1000)
        signed_in = await mongo.collection("auth_sessions").find({}, limit=1000)
    assert len(accounts) == len(shore.hub.told["users"])
    assert all(each["settled"] for each in accounts)
    assert {each["person"] for each in accounts} == persons, "no person without an account, nor the reverse"
    assert {each["person"] for each in signed_in} <= persons


async def test_while_the_database_has_no_primary_tokens_hold_and_sign_ins_wait_for_the_next(
    shore: Shore,
) -> None:
    async with visitors(3) as (browser, another, fresh):
        under_way = await begun(shore, browser, another)
        token = under_way.told["access_token"]
        before = await shore.read(token)
        async with shore.database("admin") as admin:
            with contextlib.suppress(StorageError):  # it hangs up on everybody
                await admin.command("replSetStepDown", 8, force=True)
        await is_refused_everywhere(shore, browser, another, under_way)
        assert await shore.read(token) == before
        await shore.takes_writes()
        await goes_on(shore, another, under_way)
        assert await shore.hub.tokens(shore.http, fresh, "pupil", "c371502")
