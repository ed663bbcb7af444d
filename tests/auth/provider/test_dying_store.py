"""The database dies: at any step a request ends with 503, and what was not finished was not begun."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest

from auth.errors import StoreDown
from auth.store import Documents, IndexSpec, Store
from hub.embedded import EmbeddedMongo
from hub.identity.store import MongoStore
from hub.mongo import Mongo
from tests.auth.provider.browsing import CLIENTS, REGISTERED, Answer, Application, Browser, usual
from tests.fakes.provider import Provider, provider

STEPS = 60


class Fragile:
    """A store that dies after so many more operations; None: it lives."""

    def __init__(self, store: Store) -> None:
        self._store, self.left = store, cast("int | None", None)

    async def declare(self, indexes: Sequence[IndexSpec]) -> None:
        await self._store.declare(indexes)

    def collection(self, name: str) -> Documents:
        return cast(Documents, _Fragile(self, self._store.collection(name)))

    def spend(self) -> None:
        if self.left is not None:
            if self.left <= 0:
                raise StoreDown
            self.left -= 1


class _Fragile:
    def __init__(self, owner: Fragile, inner: Documents) -> None:
        self._owner, self._inner = owner, inner

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)

        async def called(*args: Any, **kwargs: Any) -> Any:
            self._owner.spend()
            return await method(*args, **kwargs)

        return called


@pytest.fixture
async def fragile(mongo: Mongo) -> Fragile:
    return Fragile(MongoStore(mongo))


@pytest.fixture
async def dying(fragile: Fragile, tmp_path: Path) -> AsyncIterator[Provider]:
    async with provider(fragile, tmp_path, CLIENTS, registered=REGISTERED) as running:
        yield running[0]


@pytest.fixture
async def people(dying: Provider) -> AsyncIterator[tuple[Browser, Application]]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        yield Browser(http, dying), Application(http, dying)


def is_503(answer: Answer) -> bool:
    assert int(answer.headers["Retry-After"]) >= 1
    return bool(answer.json["error"] == "temporarily_unavailable")


async def test_a_code_survives_every_step_at_which_the_store_dies_but_the_last_looks(
    fragile: Fragile, people: tuple[Browser, Application]
) -> None:
    browser, app = people
    burnt = 0
    for step in range(STEPS):
        code = await browser.code()
        fragile.left = step
        answer = await app.redeem(code)
        fragile.left = None
        if answer.status == 200:
            break
        assert answer.status == 503
        assert is_503(answer)
        again = await app.redeem(code)
        burnt += again.status != 200
    assert answer.status == 200
    assert step >= 4
    # The last two look again whether anything was revoked: what was written before them is revoked now.
    assert burnt == 2
    assert again.json["error"] == "invalid_grant"


async def test_a_refresh_token_survives_every_step_but_the_very_last(
    fragile: Fragile, people: tuple[Browser, Application]
) -> None:
    browser, app = people
    burnt = 0
    for step in range(STEPS):
        token = (await app.redeem(await browser.code())).json["refresh_token"]
        fragile.left = step
        answer = await app.refresh(token)
        fragile.left = None
        if answer.status == 200:
            break
        assert is_503(answer)
        burnt += (await app.refresh(token)).status != 200
    assert answer.status == 200
    assert burnt == 1


async def test_a_request_under_way_survives_and_no_address_gets_a_code_of_it_twice(
    fragile: Fragile, people: tuple[Browser, Application]
) -> None:
    browser, _ = people
    for step in range(STEPS):
        sent = await browser.ask(prompt="login")
        at_door = await browser.get(f"{sent.location}&as=county-teacher")
        fragile.left = step
        answer = await browser.get(at_door.location)
        fragile.left = None
        if answer.location:
            break
        assert answer.status == 503
        assert "STORE_UNAVAILABLE" in answer.text
        assert int(answer.headers["Retry-After"]) >= 1
        assert (await browser.get(at_door.location)).said["code"]
    assert answer.said["code"]


async def test_a_pushed_request_is_there_or_it_was_503(
    fragile: Fragile, people: tuple[Browser, Application]
) -> None:
    _, app = people
    for step in range(STEPS):
        fragile.left = step
        answer = await app.post("/oauth/par", "web", None, **usual())
        fragile.left = None
        if answer.status == 201:
            break
        assert is_503(answer)
    assert answer.status == 201


async def test_a_stopped_database_is_a_page_or_json_with_a_time_to_come_back(
    mortal_mongo: EmbeddedMongo, tmp_path: Path
) -> None:
    mongo = Mongo.connect(mortal_mongo.uri, "story")
    async with (
        provider(MongoStore(mongo), tmp_path, CLIENTS) as running,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http,
    ):
        browser, app = Browser(http, running[0]), Application(http, running[0])
        code = await browser.code()
        tokens = (await app.redeem(code)).json
        fresh = await browser.code()
        await mortal_mongo.stop()
        page = await browser.ask()
        assert (page.status, page.location) == (503, "")
        assert "text/html" in page.headers["Content-Type"]
        assert is_503(await app.redeem(fresh))
        assert is_503(await app.refresh(tokens["refresh_token"]))
        assert running[0].tokens.verify(tokens["access_token"]).client_id == "web"
        await mortal_mongo.start()
        await mongo.ready()
        assert (await app.refresh(tokens["refresh_token"])).status == 200
        assert (await app.redeem(fresh)).status == 200
    await mongo.close()
