"""The county's and the school's passport: OpenID Connect, walked through as a client would."""

from __future__ import annotations

import hashlib
import secrets
from base64 import urlsafe_b64encode
from urllib.parse import urlencode

import aiohttp
import pytest

from connectors.sandbox.country import Country
from connectors.sandbox.passport import oidc
from tests.connectors.sandbox.browser import HUB, Browser
from tests.connectors.sandbox.passports import (
    CALLBACK,
    VERIFIER,
    Clock,
    account,
    claims_of,
    entrance,
    eventually,
    listener,
    part,
    redeemed,
    signed_in,
    told,
    up,
)


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
