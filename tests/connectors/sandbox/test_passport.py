"""The passports of five levels, walked through as a browser and a client would, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import secrets
import sys
from base64 import b64encode, urlsafe_b64encode
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from joserfc.util import urlsafe_b64decode
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.sandbox.country import Country
from connectors.sandbox.frame import served
from connectors.sandbox.passport import KINDS, PASSPORTS, demo_password, demo_users, oidc
from connectors.sandbox.twins import PASSPORT_NAMES, TWINS
from tests.connectors.sandbox.browser import HUB, Browser, Seen

CALLBACK = f"{HUB}/sign-in/c371502/callback"
VERIFIER = secrets.token_urlsafe(48)
CHALLENGE = urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
SECRET = oidc.CLIENT_SECRETS["county-passport"]
NO_HUBS = (
    "https://evil.example/sign-in/x/callback",
    "http://127.0.0.1@evil.example/sign-in/x/callback",
    "http://127.0.0.1.evil.example/sign-in/x/callback",
    "http://evil.example#@127.0.0.1/sign-in/x/callback",
    "http://127.0.0.1\\@evil.example/sign-in/x/callback",
    "http://127.0.0.1:9/sign-in/x/callback/../../../else",
    "http://127.0.0.1:9/sign-in/x%2f..%2f/callback",
    "javascript://127.0.0.1/sign-in/x/callback",
    "http://127.0.0.1:99999/sign-in/x/callback",
    "http://127.0.0.1:9/sign-in/x/callback evil",
    "nowhere",
)

Heard = asyncio.Queue[tuple[str, dict[str, str]]]


class Clock:
    """A clock that stands until it is turned."""

    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def country() -> Country:
    return Country()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with Browser() as found:
        yield found


@contextlib.asynccontextmanager
async def up(country: Country, name: str, clock: Callable[[], float] | None = None) -> AsyncIterator[str]:
    """The address of a passport that runs."""
    app = KINDS[name](country, PASSPORTS[name], **({"now": clock} if clock else {}))
    async with served(app) as twin:
        yield twin.url


@contextlib.asynccontextmanager
async def listener() -> AsyncIterator[tuple[str, Heard]]:
    """A hub that is told of ends of sessions: its callback, and (path, form) as they come."""
    heard: Heard = asyncio.Queue()

    async def hear(request: Request) -> Response:
        body = (await request.body()).decode()
        heard.put_nowait((request.url.path, dict(parse_qsl(body))))
        return Response(status_code=200)

    async with served(Starlette(routes=[Route("/{path:path}", hear, methods=["POST"])])) as hub:
        yield f"{hub.url}/sign-in/c371502/callback", heard


def account(country: Country, persona: str) -> tuple[str, str]:
    person = country.person(country.personas()[persona].person_id)
    assert person is not None
    return person.login, demo_password(person.id)


def entrance(name: str, base: str, callback: str = CALLBACK, **more: str) -> str:
    """The address that a hub sends browsers to."""
    if name == "nation-passport":
        asked = {"appId": "DEMOPASSPORT1", "returnUrl": f"{callback}?state=s"}
        return f"{base}/sso/login?{urlencode({**asked, **more})}"
    if name == "province-passport":
        return f"{base}/cas/login?{urlencode({'service': f'{callback}?state=s', **more})}"
    asked = {"response_type": "code", "client_id": "rongtong-hub", "redirect_uri": callback, "state": "s"}
    if name == "city-passport":
        return f"{base}/oauth2/authorize?{urlencode({**asked, **more})}"
    asked |= {"scope": "openid profile", "nonce": "n", "code_challenge": CHALLENGE}
    asked |= {"code_challenge_method": "S256"}
    return (
        f"{base}/authorize?{urlencode({name: value for name, value in {**asked, **more}.items() if value})}"
    )


async def told(
    url: str, form: dict[str, str] | None = None, token: str = "", basic: str = ""
) -> tuple[int, Any]:
    """(status, JSON) of a call between servers."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    if basic:
        headers["Authorization"] = f"Basic {b64encode(basic.encode()).decode()}"
    async with (
        aiohttp.ClientSession() as http,
        http.request("POST" if form is not None else "GET", url, data=form, headers=headers) as answer,
    ):
        text = await answer.text()
        return answer.status, json.loads(text) if text.startswith(("{", "[")) else text


async def redeemed(base: str, seen: Seen, callback: str = CALLBACK, **more: str) -> tuple[int, Any]:
    form = {"grant_type": "authorization_code", "code": seen.said["code"], "redirect_uri": callback}
    form |= {"code_verifier": VERIFIER, **more}
    return await told(f"{base}/token", form, basic=f"rongtong-hub:{SECRET}")


async def claims_of(base: str, token: str) -> dict[str, Any]:
    _, keys = await told(f"{base}/jwks")
    return jwt.decode(token, KeySet.import_key_set(keys), algorithms=["ES256"]).claims


def part(number: int, token: str) -> dict[str, Any]:
    """The header (0) or the claims (1) of a token, unverified."""
    found: dict[str, Any] = json.loads(urlsafe_b64decode(token.split(".")[number].encode()))
    return found


async def eventually(heard: Heard) -> tuple[str, dict[str, str]]:
    async with asyncio.timeout(5):
        return await heard.get()


async def signed_in(base: str) -> int:
    _, found = await told(f"{base}/_passport/sessions")
    count: int = found["count"]
    return count


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


# The county and the school: OpenID Connect


async def test_the_county_tells_who_the_pupil_is_and_what_it_has_checked(
    country: Country, browser: Browser
) -> None:
    pupil = country.person(country.personas()["pupil"].person_id)
    assert pupil is not None
    async with up(country, "county-passport") as base:
        seen = await browser.sign_in(entrance("county-passport", base), *account(country, "pupil"))
        status, tokens = await redeemed(base, seen)
        claims = await claims_of(base, tokens["id_token"])
        _, info = await told(f"{base}/userinfo", token=tokens["access_token"])
    half = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
    assert (status, seen.said["iss"], claims["iss"], claims["aud"]) == (200, base, base, "rongtong-hub")
    assert claims["nonce"] == "n"
    assert claims["at_hash"] == urlsafe_b64encode(half).rstrip(b"=").decode()
    assert (claims["acr"], claims["amr"]) == ("urn:sandbox:loa:realname", ["pwd"])
    assert info == {
        "sub": claims["sub"], "name": pupil.name, "user_identity": "0", "roster_id": pupil.id,
        "id_number_verified": True, "id_number": pupil.resident_id,
    }  # fmt: skip
    assert info["id_number"].startswith("999999")


async def test_nobody_has_the_same_number_at_two_levels(country: Country) -> None:
    found = []
    for name in ("county-passport", "school-passport"):
        async with up(country, name) as base, Browser() as browser:
            seen = await browser.sign_in(entrance(name, base), *account(country, "pupil"))
            form = {"grant_type": "authorization_code", "code": seen.said["code"], "redirect_uri": CALLBACK}
            form |= {"code_verifier": VERIFIER, "client_id": "rongtong-hub"}
            form["client_secret"] = oidc.CLIENT_SECRETS[name]
            _, tokens = await told(f"{base}/token", form)
            _, info = await told(f"{base}/userinfo", token=tokens["access_token"])
            found.append(info)
    assert found[0]["sub"] != found[1]["sub"]
    assert found[1].keys() == {"sub", "name", "user_identity"}


async def test_only_the_officer_of_the_bureau_is_its_administrator(country: Country) -> None:
    roles = {}
    async with up(country, "county-passport") as base:
        for persona in ("county_officer", "principal", "teacher"):
            async with Browser() as browser:
                seen = await browser.sign_in(entrance("county-passport", base), *account(country, persona))
                _, tokens = await redeemed(base, seen)
                _, info = await told(f"{base}/userinfo", token=tokens["access_token"])
                roles[persona] = info.get("role")
    assert roles == {"county_officer": "bureau-admin", "principal": None, "teacher": None}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": ""}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"prompt": "none"}, "login_required"),
        ({"request_uri": "http://127.0.0.1/x"}, "request_uri_not_supported"),
    ],
)
async def test_the_county_refuses_a_request_without_proof_and_says_who_refuses(
    country: Country, browser: Browser, change: dict[str, str], error: str
) -> None:
    async with up(country, "county-passport") as base:
        seen = await browser.open(entrance("county-passport", base, **change))
    assert seen.to == CALLBACK
    assert seen.said == {"error": error, "state": "s", "iss": base}


async def test_a_code_without_its_verifier_is_worth_nothing(country: Country, browser: Browser) -> None:
    async with up(country, "county-passport") as base:
        seen = await browser.sign_in(entrance("county-passport", base), *account(country, "pupil"))
        wrong = await redeemed(base, seen, code_verifier=secrets.token_urlsafe(48))
        spent = await redeemed(base, seen)
    assert wrong == spent == (400, {"error": "invalid_grant"})


async def test_a_code_used_twice_takes_back_what_it_gave(country: Country, browser: Browser) -> None:
    async with up(country, "county-passport") as base:
        seen = await browser.sign_in(entrance("county-passport", base), *account(country, "pupil"))
        _, tokens = await redeemed(base, seen)
        before, _ = await told(f"{base}/userinfo", token=tokens["access_token"])
        again = await redeemed(base, seen)
        after, _ = await told(f"{base}/userinfo", token=tokens["access_token"])
    assert (before, again, after) == (200, (400, {"error": "invalid_grant"}), 401)


async def test_a_code_is_good_for_its_client_and_its_address_only(country: Country, browser: Browser) -> None:
    form = {"grant_type": "authorization_code", "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
    async with up(country, "county-passport") as base:
        seen = await browser.sign_in(entrance("county-passport", base), *account(country, "pupil"))
        stranger = await told(f"{base}/token", form | {"code": seen.said["code"]}, basic="rongtong-hub:guess")
        elsewhere = await redeemed(base, seen, redirect_uri=f"{HUB}/sign-in/else/callback")
    assert stranger == (401, {"error": "invalid_client"})
    assert elsewhere == (400, {"error": "invalid_grant"})


async def test_a_sign_on_that_is_too_old_is_proven_anew_and_stays_the_same_session(
    country: Country, browser: Browser, clock: Clock
) -> None:
    async with up(country, "county-passport", clock) as base:
        first = await browser.sign_in(entrance("county-passport", base), *account(country, "pupil"))
        _, early = await redeemed(base, first)
        clock.now += 600
        young = await browser.open(entrance("county-passport", base, max_age="3600"))
        old = await browser.sign_in(
            entrance("county-passport", base, max_age="300"), *account(country, "pupil")
        )
        _, late = await redeemed(base, old)
        before, after = [part(1, one["id_token"]) for one in (early, late)]
        assert await signed_in(base) == 1
    assert young.status == 303
    assert after["auth_time"] - before["auth_time"] == 600
    assert after["sid"] == before["sid"]


async def test_the_county_compares_a_face_when_it_is_asked_for(country: Country, browser: Browser) -> None:
    async with up(country, "county-passport") as base:
        await browser.sign_in(entrance("county-passport", base), *account(country, "pupil"))
        url = entrance("county-passport", base, acr_values="urn:sandbox:loa:face")
        seen = await browser.sign_in(url, *account(country, "pupil"), face="1")
        _, tokens = await redeemed(base, seen)
        silent = await browser.open(url)
    claims = part(1, tokens["id_token"])
    assert (claims["acr"], claims["amr"]) == ("urn:sandbox:loa:face", ["pwd", "face"])
    assert silent.status == 303


@pytest.mark.parametrize("way", ["client", "page", "operator"])
async def test_however_a_session_ends_its_client_is_told_with_a_signed_token(
    country: Country, browser: Browser, way: str
) -> None:
    async with listener() as (callback, heard), up(country, "county-passport") as base:
        seen = await browser.sign_in(entrance("county-passport", base, callback), *account(country, "pupil"))
        _, tokens = await redeemed(base, seen, callback)
        if way == "client":
            asked = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": f"{HUB}/signed-out"}
            left = await browser.open(f"{base}/logout?{urlencode({**asked, 'state': 'bye'})}")
            assert (left.to, left.said) == (f"{HUB}/signed-out", {"state": "bye"})
        elif way == "page":
            assert (await browser.send(f"{base}/sign-out")).status == 303
        else:
            async with aiohttp.ClientSession() as http, http.delete(f"{base}/_passport/sessions") as answer:
                assert [each["status"] for each in (await answer.json())["notices"]] == [200]
        path, form = await eventually(heard)
        claims, told_before = await claims_of(base, form["logout_token"]), part(1, tokens["id_token"])
        assert await signed_in(base) == 0
        assert (await browser.open(entrance("county-passport", base, callback))).status == 200
    assert path == "/sign-in/c371502/backchannel-logout"
    assert (claims["sub"], claims["sid"]) == (told_before["sub"], told_before["sid"])
    assert claims["events"] == {oidc.LOGGED_OUT: {}}
    assert "nonce" not in claims
    assert part(0, form["logout_token"])["typ"] == "logout+jwt"


@pytest.mark.parametrize("hint", ["", "nonsense", "somebody's"])
async def test_nobody_is_signed_out_by_a_link_without_their_own_token(
    country: Country, browser: Browser, hint: str
) -> None:
    async with up(country, "county-passport") as base:
        if hint == "somebody's":
            async with Browser() as other:
                seen = await other.sign_in(entrance("county-passport", base), *account(country, "teacher"))
                hint = (await redeemed(base, seen))[1]["id_token"]
        await browser.sign_in(entrance("county-passport", base), *account(country, "pupil"))
        asked = {"id_token_hint": hint, "post_logout_redirect_uri": f"{HUB}/signed-out"}
        page = await browser.open(f"{base}/logout?{urlencode(asked)}")
        assert (page.status, page.location) == (200, "")
        assert (await browser.open(entrance("county-passport", base))).status == 303


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
