"""Two hub processes on one database: what may happen once happens once, and a crash loses no sign-on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
import pytest
import pytest_asyncio

from auth.provider.families import family_of_code
from auth.store import kept
from hub.mongo import Mongo
from tests.journeys.country import World, world
from tests.journeys.second import Second, second
from tests.journeys.signing import Hub, Visitor, claims, visitor, visitors

pytestmark = pytest.mark.asyncio(loop_scope="module")
MANY = 64
ME = "{ me { id displayName } viewer { subject } }"


@dataclass
class Pair:
    """Both processes; `http` has room for everybody at once."""

    country: World
    first: Hub
    other: Hub
    process: Second
    http: aiohttp.ClientSession

    def one_of(self, number: int) -> Hub:
        """One process, then the other."""
        return (self.first, self.other)[number % 2]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair() -> AsyncIterator[Pair]:
    """A demonstration, and a second hub process beside its own."""
    async with world() as country:
        told = orjson.loads(orjson.dumps(country.demo.told()))
        with second(country.demo.config) as process:
            limits = aiohttp.TCPConnector(limit=0)
            timeout = aiohttp.ClientTimeout(total=60)
            async with aiohttp.ClientSession(connector=limits, timeout=timeout) as http:
                yield Pair(country, Hub(told), Hub(told, process.url), process, http)


Answer = tuple[int, dict[str, Any]]


def the_only(answers: list[Answer], refusals: set[str]) -> dict[str, Any] | None:
    """The one success among them, if any; everybody else was refused for that reason."""
    won = [told for status, told in answers if status == 200]
    assert len(won) <= 1, f"{len(won)} successes"
    lost = [(status, told.get("error")) for status, told in answers if status != 200]
    assert {status for status, _ in lost} <= {400}, lost
    assert {error for _, error in lost} <= refusals, lost
    return won[0] if won else None


async def is_void(pair: Pair, told: dict[str, Any]) -> None:
    """Nothing of these tokens' family counts any more, at either process."""
    for hub in (pair.first, pair.other):
        status, said = await hub.refreshed(pair.http, told["refresh_token"])
        assert (status, said["error"]) == (400, "invalid_grant")
        headers = {"Authorization": f"Bearer {told['access_token']}"}
        async with pair.http.get(f"{hub.base}/oauth/userinfo", headers=headers) as reply:
            assert reply.status == 401


async def test_a_code_redeemed_64_times_at_once_is_redeemed_at_most_once_and_then_nothing_of_it_counts(
    pair: Pair,
) -> None:
    async with visitor() as browser:
        flow = pair.first.flow()
        form = flow.form(await pair.first.code(browser, flow, "teacher", "c371502"))
        answers = await asyncio.gather(*(pair.one_of(n).token(pair.http, form) for n in range(MANY)))
    won = the_only(list(answers), {"invalid_grant"})
    begun = {"_id": family_of_code(kept(form["code"]))}
    assert await counted(pair, "auth_families", begun) == 1, "one of them got through to it"
    assert await counted(pair, "auth_families", {**begun, "revoked": None}) == 0
    if won:  # answered before the others could be seen
        await is_void(pair, won)


async def test_what_a_code_gave_is_void_once_64_others_have_tried_it_too(pair: Pair) -> None:
    async with visitor() as browser:
        flow = pair.first.flow()
        form = flow.form(await pair.first.code(browser, flow, "teacher", "c371502"))
        status, won = await pair.first.token(pair.http, form)
        assert status == 200
        answers = await asyncio.gather(*(pair.one_of(n).token(pair.http, form) for n in range(MANY)))
    assert the_only(list(answers), {"invalid_grant"}) is None
    await is_void(pair, won)


async def test_a_refresh_token_used_64_times_at_once_is_used_once_and_then_its_family_is_revoked(
    pair: Pair,
) -> None:
    async with visitor() as browser:
        told = await pair.first.tokens(pair.http, browser, "teacher", "c371502")
    token = told["refresh_token"]
    answers = await asyncio.gather(*(pair.one_of(n).refreshed(pair.http, token) for n in range(MANY)))
    won = the_only(list(answers), {"invalid_grant"})
    await is_void(pair, won or told)


async def counted(pair: Pair, name: str, where: dict[str, Any]) -> int:
    mongo = Mongo.connect(pair.country.demo.mongo.uri, "rongtong")
    try:
        return await mongo.collection(name).count(where)
    finally:
        await mongo.close()


async def test_64_first_sign_ins_of_one_person_at_once_at_two_levels_make_one_person(pair: Pair) -> None:
    """From as many browsers, at the county and at the province, through both processes."""
    before = await counted(pair, "auth_persons", {})

    flows = [pair.first.flow() for _ in range(MANY)]

    async def callback(number: int, browser: Visitor) -> str:
        code = "sd" if number % 4 == 3 else "c371502"
        address = await pair.first.to_callback(browser, flows[number], "principal", code)
        return address.replace(pair.first.issuer, pair.one_of(number // 2).base)

    async with visitors(MANY) as browsers:
        addresses = await asyncio.gather(*(callback(n, each) for n, each in enumerate(browsers)))
        pages = await asyncio.gather(
            *(browsers[n].open(addresses[n], stop=flows[n].redirect_uri) for n in range(MANY))
        )
    assert all(pair.first.code_at(flow, page) for flow, page in zip(flows, pages, strict=True))
    assert await counted(pair, "auth_persons", {}) - before == 1
    async with visitor() as one, visitor() as other:
        county = await pair.first.tokens(pair.http, one, "principal", "c371502")
        province = await pair.other.tokens(pair.http, other, "principal", "sd")
    assert claims(county["id_token"])["sub"] == claims(province["id_token"])["sub"]
    answers = [await pair.one_of(n).ask(pair.http, each["access_token"], ME)
               for n, each in enumerate((county, province))]  # fmt: skip
    assert answers[0] == answers[1]


async def test_a_sign_on_and_its_tokens_outlive_the_process_that_made_them(pair: Pair) -> None:
    async with visitor() as browser:
        told = await pair.other.tokens(pair.http, browser, "senior", "c371502")
        before = await pair.other.ask(pair.http, told["access_token"], ME)
        assert before["data"]["me"] is not None
        pair.process.kill()
        assert await pair.first.ask(pair.http, told["access_token"], ME) == before
        await asyncio.to_thread(pair.process.start)
        assert await pair.other.ask(pair.http, told["access_token"], ME) == before
        account = await browser.open(f"{pair.other.base}/account")
        assert account.url == f"{pair.other.base}/account", "still signed in"
        flow = pair.other.flow("research")
        back = await browser.open(f"{flow.url}&prompt=none", stop=flow.redirect_uri)
        assert pair.other.code_at(flow, back), "silently, into another application"
        status, _ = await pair.other.refreshed(pair.http, told["refresh_token"])
        assert status == 200
