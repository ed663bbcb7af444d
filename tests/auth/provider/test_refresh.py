"""Refresh tokens: rotate at each use; a copy that is used ends the family; a stranger burns nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from hub.identity.store import MongoStore
from hub.mongo import Mongo
from tests.auth.provider.browsing import CLIENTS, Application, Browser, claims_of
from tests.fakes.provider import Provider, provider

FULL = "openid profile roles offline_access graph"


async def granted(browser: Browser, app: Application, client: str = "web", **params: str) -> dict[str, Any]:
    answer = await app.redeem(await browser.code(client, **params), client)
    assert answer.status == 200, answer.text
    return answer.json


async def test_a_refresh_token_gives_new_ones_and_tells_of_the_same_sign_in(
    browser: Browser, app: Application, gate: Provider
) -> None:
    tokens = await granted(browser, app, scope="openid profile")
    gate.clock.ahead = 120
    first = claims_of(tokens["id_token"])
    answer = (await app.refresh(tokens["refresh_token"])).json
    assert answer["refresh_token"] != tokens["refresh_token"]
    again = claims_of(answer["id_token"])
    for same in ("iss", "sub", "aud", "auth_time", "sid", "acr", "amr", "azp"):
        assert again[same] == first[same], same
    assert again["iat"] >= first["iat"] + 119
    assert "nonce" not in again
    assert again["at_hash"] != first["at_hash"]


async def test_a_stolen_refresh_token_that_is_used_again_ends_the_family(
    browser: Browser, app: Application, gate: Provider
) -> None:
    tokens = await granted(browser, app)
    newer = (await app.refresh(tokens["refresh_token"])).json
    newest = (await app.refresh(newer["refresh_token"])).json
    stolen = await app.refresh(tokens["refresh_token"])  # two turns old: still recognised
    assert (stolen.status, stolen.json["error"]) == (400, "invalid_grant")
    assert (await app.refresh(newest["refresh_token"])).json["error"] == "invalid_grant"
    assert not await gate.families.active(gate.tokens.opened(newest["access_token"]).family)
    assert "refresh.replayed" in gate.audit.named()


async def test_a_stranger_who_has_a_refresh_token_can_neither_use_nor_burn_it(
    browser: Browser, app: Application
) -> None:
    tokens = await granted(browser, app)
    used = tokens["refresh_token"]
    newer = (await app.refresh(used)).json["refresh_token"]
    for thief in ("page", "third", "legacy"):
        for token in (used, newer):
            assert (await app.refresh(token, thief)).status == 400
    root = newer.partition(".")[0]
    for forged in (root, f"{root}.", f"x{newer[1:]}", ".", newer + "x" * 300):
        if forged.partition(".")[0] != root or len(forged) > 200:
            assert (await app.refresh(forged)).json["error"] == "invalid_grant"
    assert (await app.refresh(newer)).status == 200


async def test_a_wider_scope_is_refused_and_burns_nothing_and_a_narrower_one_is_given(
    browser: Browser, app: Application, gate: Provider
) -> None:
    tokens = await granted(browser, app, scope="openid graph")
    token = tokens["refresh_token"]
    for wider in ("openid graph profile", "profile", "everything", "openid  graph", "图"):
        assert (await app.refresh(token, scope=wider)).json["error"] == "invalid_scope", wider
    narrower = (await app.refresh(token, scope="graph.resources")).json
    assert narrower["scope"] == "graph.resources"
    assert "id_token" not in narrower
    assert gate.tokens.verify(narrower["access_token"]).scopes == ("graph.resources",)
    whole = (await app.refresh(narrower["refresh_token"])).json
    assert whole["scope"] == "openid graph"


async def test_an_ordinary_refresh_token_ends_with_the_session_and_an_offline_one_does_not(
    browser: Browser, app: Application, gate: Provider
) -> None:
    online = await granted(browser, app)
    offline = await granted(browser, app, scope="openid offline_access")
    session = gate.tokens.verify(online["access_token"]).session
    await gate.sessions.end(session)
    assert (await app.refresh(online["refresh_token"])).json["error"] == "invalid_grant"
    await gate.families.revoke_session(session)
    assert (await app.refresh(offline["refresh_token"])).status == 200


async def test_revoking_a_person_or_an_application_of_theirs_ends_its_refresh_tokens(
    browser: Browser, app: Application, gate: Provider
) -> None:
    first, second = await granted(browser, app), await granted(browser, app, "page")
    person = gate.tokens.verify(first["access_token"]).person
    assert len(await gate.families.of_person(person)) == 2
    await gate.families.revoke_client_of(person, "page")
    assert (await app.refresh(second["refresh_token"], "page")).status == 400
    assert (newer := await app.refresh(first["refresh_token"])).status == 200
    await gate.families.revoke_person(person)
    assert (await app.refresh(newer.json["refresh_token"])).status == 400
    assert await gate.families.of_person(person) == []


async def test_a_family_ends_after_its_life(browser: Browser, app: Application, gate: Provider) -> None:
    tokens = await granted(browser, app, scope="openid offline_access")
    gate.clock.ahead = 14 * 86400 + 1
    assert (await app.refresh(tokens["refresh_token"])).json["error"] == "invalid_grant"


async def test_no_refresh_token_is_kept_as_it_is(browser: Browser, app: Application, mongo: Mongo) -> None:
    code = await browser.code()
    token = (await app.redeem(code)).json["refresh_token"]
    for name in await mongo.collection_names():
        async for document in mongo.collection(name).stream({}):
            for half in (code, *token.split(".")):
                assert half not in str(document), name


@pytest.fixture
async def forgiving(mongo: Mongo, tmp_path: Path) -> AsyncIterator[Provider]:
    async with provider(MongoStore(mongo), tmp_path, CLIENTS, grace=10) as running:
        yield running[0]


async def test_within_the_grace_a_lost_answer_may_be_asked_for_again(forgiving: Provider) -> None:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        browser, app = Browser(http, forgiving), Application(http, forgiving)
        tokens = await granted(browser, app, scope="openid offline_access")
        old = tokens["refresh_token"]
        one, other = (await app.refresh(old)).json, (await app.refresh(old)).json
        assert (await app.refresh(old, "page")).status == 400
        assert (await app.refresh(one["refresh_token"])).status == 200
        forgiving.clock.ahead = 11
        assert (await app.refresh(other["refresh_token"])).json["error"] == "invalid_grant"
