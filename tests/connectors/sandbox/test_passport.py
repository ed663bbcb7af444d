"""The passports of five levels, walked through as a browser and a client would, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from typing import Any
from urllib.parse import urlencode, urlsplit

import aiohttp
import pytest

from connectors.sandbox.country import Country
from connectors.sandbox.passport import KINDS, PASSPORTS, demo_password, demo_users
from connectors.sandbox.twins import PASSPORT_NAMES, TWINS
from tests.connectors.sandbox.browser import HUB, Browser
from tests.connectors.sandbox.passports import (
    CALLBACK,
    CHALLENGE,
    NO_HUBS,
    VERIFIER,
    Clock,
    account,
    claims_of,
    entrance,
    eventually,
    listener,
    redeemed,
    signed_in,
    told,
    up,
)

# All five


@pytest.mark.parametrize("name", PASSPORT_NAMES)
async def test_the_teacher_signs_in_once_and_is_known_the_second_time(
    country: Country, browser: Browser, name: str
) -> None:
    async with up(country, name) as base:
        first = await browser.sign_in(entrance(name, base), *account(country, "teacher"))
        second = await browser.open(entrance(name, base))
        assert await signed_in(base) == 1
    assert (first.status, first.to) == (303, CALLBACK)
    assert (second.status, second.to) == (303, CALLBACK)
    handed = {"code", "ticket"}
    assert first.said["state"] == second.said["state"] == "s"
    assert {first.said[each] for each in handed & first.said.keys()}.isdisjoint(
        {second.said[each] for each in handed & second.said.keys()}
    )


@pytest.mark.parametrize("name", PASSPORT_NAMES)
async def test_a_wrong_password_and_an_unknown_name_look_the_same(
    country: Country, browser: Browser, name: str
) -> None:
    login, _ = account(country, "teacher")
    async with up(country, name) as base:
        wrong = await browser.send(entrance(name, base), username=login, password="guess")
        nobody = await browser.send(entrance(name, base), username="t9999999", password="guess")
        assert await signed_in(base) == 0
    assert wrong.status == nobody.status == 401
    assert wrong.text.replace(login, "") == nobody.text.replace("t9999999", "")


@pytest.mark.parametrize("name", PASSPORT_NAMES)
async def test_nobody_is_sent_to_an_address_that_is_no_hubs(
    country: Country, browser: Browser, name: str
) -> None:
    login, password = account(country, "teacher")
    async with up(country, name) as base:
        for address in NO_HUBS:
            url = entrance(name, base, address)
            seen = await browser.send(url, username=login, password=password)
            assert (seen.status, seen.location) == (400, ""), address
            assert "evil" not in seen.text, address
        assert await signed_in(base) == 0


async def test_five_passports_live_side_by_side_in_one_browser(country: Country, browser: Browser) -> None:
    async with contextlib.AsyncExitStack() as stack:
        bases = {name: await stack.enter_async_context(up(country, name)) for name in PASSPORT_NAMES}
        for name, base in bases.items():
            await browser.sign_in(entrance(name, base), *account(country, "pupil"))
        again = [await browser.open(entrance(name, base)) for name, base in bases.items()]
    assert browser.cookies() == set(PASSPORT_NAMES)
    assert {seen.status for seen in again} == {303}


@pytest.mark.parametrize(
    ("name", "persona"),
    [
        ("school-passport", "stranger"),
        ("school-passport", "senior"),
        ("school-passport", "county_officer"),
        ("county-passport", "stranger"),
        ("county-passport", "officer"),
        ("county-passport", "city_officer"),
        ("city-passport", "officer"),
        ("city-passport", "county_officer"),
    ],
)
async def test_who_does_not_belong_there_has_no_account(
    country: Country, browser: Browser, name: str, persona: str
) -> None:
    async with up(country, name) as base:
        seen = await browser.sign_in(entrance(name, base), *account(country, persona))
    assert seen.status == 401


async def test_every_demo_user_can_sign_in_and_has_another_password_than_others(country: Country) -> None:
    users = demo_users(country)
    assert len({(user["provider"], user["login"]) for user in users}) == len(users) == 35
    assert len({user["password"] for user in users}) == 9
    assert all(user["password"].isalnum() and len(user["password"]) <= 14 for user in users)
    async with contextlib.AsyncExitStack() as stack:
        bases = {name: await stack.enter_async_context(up(country, name)) for name in PASSPORT_NAMES}
        for user in users:
            async with Browser() as browser:
                url = entrance(user["provider"], bases[user["provider"]])
                seen = await browser.send(url, username=user["login"], password=user["password"])
            assert seen.status == 303, user["persona"]


async def test_a_login_page_shows_what_was_typed_and_runs_none_of_it(
    country: Country, browser: Browser
) -> None:
    script = '"><script>alert(1)</script>'
    async with up(country, "county-passport") as base:
        hinted = await browser.open(entrance("county-passport", base, login_hint=script))
        typed = await browser.send(entrance("county-passport", base), username=script, password="x")
    for seen in (hinted, typed):
        assert "<script" not in seen.text
        assert "&lt;script&gt;" in seen.text


async def test_a_form_from_another_site_signs_nobody_in_or_out(country: Country, browser: Browser) -> None:
    login, password = account(country, "teacher")
    foreign = {"Sec-Fetch-Site": "cross-site"}
    async with up(country, "province-passport") as base:
        url = entrance("province-passport", base)
        assert (await browser.send(url, foreign, username=login, password=password)).status == 400
        await browser.sign_in(url, login, password)
        assert (await browser.send(f"{base}/sign-out", foreign)).status == 400
        assert await signed_in(base) == 1


async def test_a_cookie_that_was_brought_along_is_never_kept(country: Country) -> None:
    planted = {"Cookie": "city-passport=planted"}
    login, password = account(country, "teacher")
    async with up(country, "city-passport") as base, aiohttp.ClientSession() as http:
        url, form = entrance("city-passport", base), {"username": login, "password": password}
        async with http.post(url, data=form, headers=planted, allow_redirects=False) as answer:
            assert answer.cookies["city-passport"].value != "planted"
        async with http.get(url, headers=planted, allow_redirects=False) as answer:
            assert answer.status == 200


async def test_another_who_signs_in_at_the_same_browser_ends_the_first_ones_session(
    country: Country, browser: Browser
) -> None:
    async with listener() as (callback, heard), up(country, "county-passport") as base:
        await browser.sign_in(entrance("county-passport", base, callback), *account(country, "teacher"))
        url = entrance("county-passport", base, callback, prompt="login")
        seen = await browser.sign_in(url, *account(country, "pupil"))
        _, form = await eventually(heard)
        _, tokens = await redeemed(base, seen, callback)
        ended = await claims_of(base, form["logout_token"])
        now = await claims_of(base, tokens["id_token"])
        assert await signed_in(base) == 1
    assert ended["sub"] != now["sub"]
    assert ended["sid"] != now["sid"]


def test_every_passport_is_a_twin_of_its_own_process() -> None:
    from hub.cli.twin_processes import PROCESSES

    assert set(PASSPORT_NAMES) == set(PASSPORTS) == set(KINDS)
    assert set(PASSPORT_NAMES) <= TWINS.keys() & PROCESSES.keys()


async def test_a_passport_starts_as_a_process_and_ends_with_its_input() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "connectors.sandbox", "county-passport"),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdin is not None
    said = json.loads(await process.stdout.readline())
    _, found = await told(f"{said['url']}/.well-known/openid-configuration")
    process.stdin.close()
    assert await process.wait() == 0
    assert found["issuer"] == said["url"]


# The city: plain OAuth 2


async def city(base: str, code: str, **change: str) -> tuple[int, Any]:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
    form |= {"client_id": "rongtong-hub", "client_secret": "sandbox-city-passport-secret-0001", **change}
    return await told(f"{base}/oauth2/token", form)


async def test_the_city_tells_the_card_number_of_those_it_knows_by_real_name(country: Country) -> None:
    group = [pupil for each in country.classes(country.schools[0]) for pupil in country.pupils(each)]
    unproven = next(pupil for pupil in group if pupil.assurance != "VERIFIED")
    async with up(country, "city-passport") as base:
        found = []
        people = [account(country, "guardian"), (unproven.login, demo_password(unproven.id))]
        for login, password in (*people, account(country, "city_officer")):
            async with Browser() as browser:
                seen = await browser.sign_in(entrance("city-passport", base), login, password)
                _, tokens = await city(base, seen.said["code"])
                found.append((await told(f"{base}/oauth2/userinfo", token=tokens["access_token"]))[1])
    guardian, pupil, officer = found
    assert (guardian["identity"], guardian["realname_level"]) == ("2", "2")
    assert guardian["id_card"].startswith("999999")
    assert "role" not in guardian
    assert pupil["realname_level"] == "1"
    assert "id_card" not in pupil
    assert (officer["identity"], officer["role"]) == ("4", "bureau-admin")


async def test_the_citys_code_is_good_once_and_for_five_minutes(
    country: Country, browser: Browser, clock: Clock
) -> None:
    async with up(country, "city-passport", clock) as base:
        first = await browser.sign_in(entrance("city-passport", base), *account(country, "teacher"))
        clock.now += 299
        used = (await city(base, first.said["code"]))[0], await city(base, first.said["code"])
        second = await browser.open(entrance("city-passport", base))
        clock.now += 301
        late = await city(base, second.said["code"])
    assert used == (200, (400, {"error": "invalid_grant"}))
    assert late == (400, {"error": "invalid_grant"})


async def test_the_citys_token_is_good_for_two_hours(
    country: Country, browser: Browser, clock: Clock
) -> None:
    async with up(country, "city-passport", clock) as base:
        seen = await browser.sign_in(entrance("city-passport", base), *account(country, "teacher"))
        _, tokens = await city(base, seen.said["code"])
        clock.now += 7199
        within, _ = await told(f"{base}/oauth2/userinfo", token=tokens["access_token"])
        clock.now += 2
        after, _ = await told(f"{base}/oauth2/userinfo", token=tokens["access_token"])
    assert (tokens["expires_in"], within, after) == (7200, 200, 401)


async def test_the_city_honours_a_challenge_that_it_did_not_ask_for(
    country: Country, browser: Browser
) -> None:
    more = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
    async with up(country, "city-passport") as base:
        first = await browser.sign_in(entrance("city-passport", base, **more), *account(country, "teacher"))
        without = await city(base, first.said["code"])
        second = await browser.open(entrance("city-passport", base, **more))
        with_it, _ = await city(base, second.said["code"], code_verifier=VERIFIER)
    assert without == (400, {"error": "invalid_grant"})
    assert with_it == 200


@pytest.mark.parametrize(
    ("name", "path", "parameter"),
    [
        ("city-passport", "/oauth2/logout", "redirect_uri"),
        ("nation-passport", "/sso/logout", "returnUrl"),
        ("province-passport", "/cas/logout", "service"),
        ("province-passport", "/cas/logout", "url"),
    ],
)
async def test_a_logout_address_ends_the_session_and_leads_back_to_us_only(
    country: Country, browser: Browser, name: str, path: str, parameter: str
) -> None:
    async with up(country, name) as base:
        await browser.sign_in(entrance(name, base), *account(country, "teacher"))
        back = {parameter: f"{HUB}/signed-out?state=bye"}
        left = await browser.open(f"{base}{path}?{urlencode(back)}")
        assert await signed_in(base) == 0
        astray = await browser.open(f"{base}{path}?{urlencode({parameter: 'https://evil.example/'})}")
    assert left.location == f"{HUB}/signed-out?state=bye"
    assert urlsplit(astray.location).netloc in ("", urlsplit(base).netloc)
