"""Many at once, at two processes: at most one has success, and then nobody keeps it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.auth.provider.browsing import Answer, Application, Browser
from tests.fakes.provider import Provider

MANY = 64


@pytest.fixture
async def hub(two_gates: list[Provider]) -> AsyncIterator[tuple[Browser, list[Application]]]:
    connector = aiohttp.TCPConnector(limit=MANY)
    async with (
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as person,
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), connector=connector) as http,
    ):
        yield Browser(person, two_gates[0]), [Application(http, each) for each in two_gates]


def at_most_one(answers: list[Answer]) -> list[Answer]:
    won = [each for each in answers if each.status == 200]
    assert len(won) <= 1
    assert all(each.json["error"] == "invalid_grant" for each in answers if each.status != 200)
    return won


async def test_a_code_raced_by_sixty_four_gives_tokens_to_one_at_most_and_revokes_them(
    hub: tuple[Browser, list[Application]], two_gates: list[Provider]
) -> None:
    browser, apps = hub
    code = await browser.code()
    answers = await asyncio.gather(*(apps[n % 2].redeem(code) for n in range(MANY)))
    for won in at_most_one(list(answers)):
        assert (await apps[0].refresh(won.json["refresh_token"])).status == 400
        family = two_gates[0].tokens.opened(won.json["access_token"]).family
        assert not await two_gates[1].families.active(family)
    person = next(iter(await two_gates[0].sessions.of_person(await _teacher(two_gates[0])))).person
    assert await two_gates[0].families.of_person(person) == []


async def test_a_refresh_token_raced_by_sixty_four_gives_tokens_to_one_at_most_and_ends_the_family(
    hub: tuple[Browser, list[Application]], two_gates: list[Provider]
) -> None:
    browser, apps = hub
    tokens = (await apps[0].redeem(await browser.code())).json
    answers = await asyncio.gather(*(apps[n % 2].refresh(tokens["refresh_token"]) for n in range(MANY)))
    for won in at_most_one(list(answers)):
        assert (await apps[1].refresh(won.json["refresh_token"])).status == 400
    family = two_gates[0].tokens.opened(tokens["access_token"]).family
    assert not await two_gates[0].families.active(family)


async def test_one_alone_among_strangers_is_not_disturbed(hub: tuple[Browser, list[Application]]) -> None:
    browser, apps = hub
    code = await browser.code()
    strangers = [apps[n % 2].redeem(code, "legacy") for n in range(24)]
    mine, *others = await asyncio.gather(apps[0].redeem(code), *strangers)
    assert mine.status == 200
    assert {each.status for each in others} == {400}
    strangers = [apps[n % 2].refresh(mine.json["refresh_token"], "page") for n in range(24)]
    again, *others = await asyncio.gather(apps[1].refresh(mine.json["refresh_token"]), *strangers)
    assert again.status == 200
    assert {each.status for each in others} == {400}


async def test_a_grant_withdrawn_while_its_code_is_redeemed_does_not_outlive_it(
    hub: tuple[Browser, list[Application]], two_gates: list[Provider]
) -> None:
    browser, apps = hub
    tokens = (await apps[0].redeem(await browser.code(scope="openid offline_access"))).json
    person = two_gates[0].tokens.verify(tokens["access_token"]).person
    for pause in range(12):
        code = await browser.code(scope="openid offline_access")

        async def withdraw(after: float) -> None:
            await asyncio.sleep(after)
            await two_gates[1].families.revoke_client_of(person, "web")

        answer, _ = await asyncio.gather(apps[0].redeem(code), withdraw(pause / 500))
        if answer.status == 200:
            assert (await apps[0].refresh(answer.json["refresh_token"])).status == 400
        assert await two_gates[0].families.of_person(person) == []


async def test_one_request_open_in_many_tabs_gives_one_code(hub: tuple[Browser, list[Application]]) -> None:
    browser, _ = hub
    sent = await browser.ask()
    at_door = await browser.get(f"{sent.location}&as=county-teacher")
    answers = await asyncio.gather(*(browser.get(at_door.location) for _ in range(24)))
    assert len([each for each in answers if each.location.startswith("https://app.example/")]) == 1
    assert all(each.location or each.is_page("INTERACTION_OVER") for each in answers)


async def _teacher(gate: Provider) -> str:
    from auth.broker.accounts import account_id

    account = await gate.accounts.get(account_id("https://county.test", "county-teacher"))
    assert account is not None
    return account.person
