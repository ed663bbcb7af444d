"""Signing out once: the applications hear it, the providers end theirs, and nobody else can do it for you."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from auth.ending import notices
from auth.ending.notices import EVENT
from tests.auth.leaving import leave, outbox
from tests.connectors.sandbox.browser import Browser
from tests.fakes.middle import Middle, follow, token_on

BYE = "https://app.test/bye"


def claims(hub: Middle, token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """(header, claims) of a logout token, its signature checked by what the hub publishes."""
    found = jwt.decode(
        token, KeySet.import_key_set(cast(Any, hub.ring.public())), algorithms=["ES256", "RS256"]
    )
    return dict(found.header), dict(found.claims)


async def signed_in_at(twin_url: str) -> int:
    async with aiohttp.ClientSession() as http, http.get(f"{twin_url}/_passport/sessions") as answer:
        return int((await answer.json())["count"])


# --- everywhere at once ---


async def test_signing_out_once_ends_the_session_its_tokens_and_the_providers_own(
    hub: Middle, teacher: Browser
) -> None:
    await hub.enter(teacher)
    id_token, refresh = await hub.use(teacher, "gradebook")
    assert await signed_in_at(hub.county.url) == 1
    seen = await leave(hub, teacher, id_token_hint=id_token, post_logout_redirect_uri=BYE, state="s&1")
    assert seen.to == f"{hub.county.url}/logout"
    assert await hub.who(teacher) == {}
    assert await hub.families.find(refresh) is None
    back = await teacher.open(seen.location)
    assert back.to == f"{hub.url}/signed-out"
    end = await teacher.open(back.location)
    assert (end.status, end.location) == (303, f"{BYE}?state=s%261")
    assert await signed_in_at(hub.county.url) == 0


async def test_every_application_of_the_session_is_told_before_the_browser_goes_on(
    hub: Middle, teacher: Browser
) -> None:
    await hub.enter(teacher)
    session = await hub.session(teacher)
    assert session is not None
    id_token, _ = await hub.use(teacher, "gradebook")
    for other in ("archive", "silent"):
        await hub.use(teacher, other)
    noted = {each.client_id: each for each in (await hub.sessions.get(session.id) or session).clients}
    await leave(hub, teacher, id_token_hint=id_token)
    told = {
        body["aud"]: (header, body) for header, body in (claims(hub, each) for each in hub.application.heard)
    }
    assert set(told) == {"gradebook", "archive"}
    assert [told[name][0]["alg"] for name in ("gradebook", "archive")] == ["ES256", "RS256"]
    for name, (header, body) in told.items():
        assert header["typ"] == "logout+jwt"
        assert body["events"] == {EVENT: {}}
        assert (body["iss"], body["sub"], body["sid"]) == (hub.url, noted[name].sub, noted[name].sid)
        assert body["exp"] - body["iat"] <= 120
        assert body["jti"]
        assert "nonce" not in body
        assert session.person not in str(body), "pairwise: no shared identifier leaves the hub"
    assert await outbox(hub) == []


async def test_the_browser_is_led_through_every_provider_in_turn(hub: Middle, teacher: Browser) -> None:
    await hub.enter(teacher, at="county")
    await hub.through(teacher, await hub.link(teacher, "school"), "teacher", "school")
    id_token, _ = await hub.use(teacher, "gradebook")
    seen = await leave(hub, teacher, id_token_hint=id_token, post_logout_redirect_uri=BYE)
    assert seen.to == "/signed-out"
    page = await teacher.open(hub.url + seen.location)
    assert page.status == 200
    (go,) = re.findall(r'content="1;url=([^"]+)"', page.text)
    _, way = await follow(teacher, await teacher.open(hub.url + go), hub.url)
    assert [each.partition("?")[0] for each in way] == [
        f"{hub.county.url}/logout", f"{hub.url}/signed-out", f"{hub.school.url}/logout",
        f"{hub.url}/signed-out", BYE,
    ]  # fmt: skip
    assert [await signed_in_at(each.url) for each in (hub.county, hub.school)] == [0, 0]


async def test_a_provider_that_does_not_send_the_browser_back_hinders_nobody(
    hub: Middle, teacher: Browser
) -> None:
    await hub.enter(teacher, at="county")
    await hub.through(teacher, await hub.link(teacher, "school"), "teacher", "school")
    id_token, _ = await hub.use(teacher, "gradebook")
    seen = await leave(hub, teacher, id_token_hint=id_token)
    page = await teacher.open(hub.url + seen.location)
    (go,) = re.findall(r'content="1;url=([^"]+)"', page.text)
    first = await teacher.open(hub.url + go)
    assert first.to == f"{hub.county.url}/logout"  # and there the browser stays
    again = await teacher.open(f"{hub.url}/signed-out")
    assert "未能通知" in again.text
    assert go.replace("&", "&amp;") in again.text
    second = await teacher.open(hub.url + go)
    assert second.to == f"{hub.school.url}/logout"
    end, _ = await follow(teacher, second, hub.url)
    assert end.status == 200
    assert await signed_in_at(hub.school.url) == 0


@pytest.mark.parametrize("mode", ["hang", "error", "garbage"])
async def test_a_provider_that_is_broken_hinders_nobody(hub: Middle, teacher: Browser, mode: str) -> None:
    await hub.enter(teacher)
    id_token, _ = await hub.use(teacher, "gradebook")
    hub.clock.ahead += 3601  # what was known of the provider's addresses is old by now
    id_token, _ = await hub.use(teacher, "gradebook")
    hub.county.frame.mode = mode
    seen = await leave(hub, teacher, id_token_hint=id_token, post_logout_redirect_uri=BYE)
    assert seen.status == 303
    assert await hub.who(teacher) == {}


async def test_another_browser_does_not_walk_somebodys_way(
    hub: Middle, teacher: Browser, stranger: Browser
) -> None:
    await hub.enter(teacher)
    id_token, _ = await hub.use(teacher, "gradebook")
    seen = await leave(hub, teacher, id_token_hint=id_token, post_logout_redirect_uri=BYE)
    state = parse_qs(urlsplit(seen.location).query)["state"][0]
    await stranger.open(f"{hub.url}/sign-in")
    for name in ("state", "go", "step"):
        there = await stranger.open(f"{hub.url}/signed-out?{name}={state}")
        assert (there.status, there.location) == (200, "")
        assert BYE not in there.text


async def test_a_language_switch_on_the_way_skips_no_provider(hub: Middle, teacher: Browser) -> None:
    await hub.enter(teacher)
    page = await teacher.open(f"{hub.url}/oauth/logout")
    seen = await teacher.send(f"{hub.url}/oauth/logout/confirm", csrf=token_on(page))
    for _ in range(3):
        shown = await teacher.open(f"{hub.url}{seen.location}&lang=en")
        assert shown.status == 200
        assert "Under way" in shown.text
    (go,) = re.findall(r'content="1;url=([^"]+)"', shown.text)
    assert (await teacher.open(hub.url + go)).to == f"{hub.county.url}/logout"


# --- logout CSRF, return addresses ---


async def test_logout_csrf_without_a_proof_a_page_asks_first(hub: Middle, teacher: Browser) -> None:
    await hub.enter(teacher)
    await hub.use(teacher, "gradebook")
    seen = await leave(hub, teacher, client_id="gradebook", post_logout_redirect_uri=BYE, state="s")
    assert seen.status == 200
    assert "成绩册" in seen.text
    assert "东昌府区教育统一身份认证" in seen.text
    assert await hub.who(teacher) != {}
    url = f"{hub.url}/oauth/logout/confirm"
    fields = {"client_id": "gradebook", "post_logout_redirect_uri": BYE, "state": "s"}
    assert (await teacher.send(url, None, csrf="", **fields)).status == 403
    assert await hub.who(teacher) != {}
    done = await teacher.send(url, None, csrf=token_on(seen), **fields)
    assert done.to == "/signed-out", "a page of ours leads on: a form may not be redirected elsewhere"
    assert await hub.who(teacher) == {}


async def test_logout_csrf_a_post_from_another_site_asks_first(hub: Middle, teacher: Browser) -> None:
    await hub.enter(teacher)
    seen = await teacher.send(f"{hub.url}/oauth/logout", client_id="gradebook")
    assert seen.to == "/oauth/logout"
    assert (await teacher.open(hub.url + seen.location)).status == 200
    assert await hub.who(teacher) != {}


async def test_logout_csrf_somebody_elses_id_token_proves_nothing(
    hub: Middle, teacher: Browser, stranger: Browser
) -> None:
    await hub.enter(teacher, "teacher")
    await hub.use(teacher, "gradebook")
    await hub.enter(stranger, "pupil")
    theirs, _ = await hub.use(stranger, "gradebook")
    seen = await leave(hub, teacher, id_token_hint=theirs, post_logout_redirect_uri=BYE)
    assert seen.status == 200
    assert await hub.who(teacher) != {}
    assert await hub.who(stranger) != {}, "nor does it end theirs from here"


async def test_logout_csrf_an_id_token_of_an_earlier_sign_on_proves_nothing(
    hub: Middle, teacher: Browser
) -> None:
    await hub.enter(teacher)
    old, _ = await hub.use(teacher, "gradebook")
    await hub.endings.end((await hub.who(teacher))["session"])
    await hub.enter(teacher)
    await hub.use(teacher, "gradebook")
    assert (await leave(hub, teacher, id_token_hint=old)).status == 200
    assert await hub.who(teacher) != {}


async def test_an_expired_id_token_is_still_a_proof(hub: Middle, teacher: Browser) -> None:
    await hub.enter(teacher)
    id_token, _ = await hub.use(teacher, "gradebook")
    hub.clock.ahead += 3600
    await leave(hub, teacher, id_token_hint=id_token)
    assert await hub.who(teacher) == {}


async def test_forged_hints_are_none(hub: Middle, teacher: Browser) -> None:
    await hub.enter(teacher)
    id_token, _ = await hub.use(teacher, "gradebook")
    head, body, signature = id_token.split(".")
    logout_token = await hub.notices._token(
        notices.Notice(
            id="n",
            client_id="gradebook",
            sub="s",
            sid="x",
            created=_now(hub),
            next=_now(hub),
            expires=_now(hub),
        ),
        hub.applications["gradebook"],
    )
    for forged in (
        f"{head}.{body}.",
        f"{head}.{body}.{signature[:-4]}AAAA",
        logout_token,
        "a.b.c",
        "x" * 9000,
    ):
        seen = await leave(hub, teacher, id_token_hint=forged)
        assert seen.status == 200, forged[:20]
        assert await hub.who(teacher) != {}


async def test_another_clients_id_token_is_refused(hub: Middle, teacher: Browser) -> None:
    await hub.enter(teacher)
    id_token, _ = await hub.use(teacher, "gradebook")
    seen = await leave(hub, teacher, id_token_hint=id_token, client_id="archive")
    assert (seen.status, seen.location) == (400, "")
    assert await hub.who(teacher) != {}


@pytest.mark.parametrize(
    "address",
    [
        "https://app.test/bye/", "https://app.test/bye?x=1", "https://app.test/bye#x", "https://app.test.evil/bye",
        "https://app.test@evil.example/bye", "https://evil.example/", "javascript:alert(1)", "//app.test/bye",
        "https://APP.test/bye", "https://app.test/%62ye", "https://app.test:443/bye",
    ],
)  # fmt: skip
async def test_redirect_uri_tricks_at_signing_out_are_an_error_page_and_nothing_is_done(
    hub: Middle, teacher: Browser, address: str
) -> None:
    await hub.enter(teacher)
    id_token, _ = await hub.use(teacher, "gradebook")
    seen = await leave(hub, teacher, id_token_hint=id_token, post_logout_redirect_uri=address)
    assert (seen.status, seen.location) == (400, "")
    assert await hub.who(teacher) != {}


async def test_an_address_to_return_to_without_a_client_is_refused(hub: Middle, teacher: Browser) -> None:
    await hub.enter(teacher)
    for query in ({}, {"client_id": "nobody"}, {"client_id": "silent"}, {"client_id": "$ne"}):
        seen = await leave(hub, teacher, post_logout_redirect_uri=BYE, **query)
        assert (seen.status, seen.location) == (400, "")
    twice = f"{hub.url}/oauth/logout?client_id=gradebook&client_id=archive"
    assert (await teacher.open(twice)).status == 400


async def test_a_registered_address_with_a_query_keeps_it(hub: Middle, teacher: Browser) -> None:
    registered = "https://app.test/bye?kept=1"
    seen = await leave(hub, teacher, client_id="gradebook", post_logout_redirect_uri=registered, state="a b")
    assert seen.location == "https://app.test/bye?kept=1&state=a+b"


async def test_who_is_signed_out_already_is_sent_on(hub: Middle, teacher: Browser) -> None:
    seen = await leave(hub, teacher, client_id="gradebook", post_logout_redirect_uri=BYE)
    assert seen.location == BYE
    plain = await leave(hub, teacher)
    assert plain.location == "/signed-out"
    assert (await teacher.open(f"{hub.url}/signed-out")).status == 200


async def test_signing_out_in_two_tabs_at_once_is_one_end(hub: Middle, teacher: Browser) -> None:
    await hub.enter(teacher)
    id_token, _ = await hub.use(teacher, "gradebook")
    seen = await asyncio.gather(*(leave(hub, teacher, id_token_hint=id_token) for _ in range(8)))
    assert {each.status for each in seen} <= {200, 303}
    assert len(hub.application.heard) == 1
    assert hub.audit.events().count("session.ended") == 1


def _now(hub: Middle) -> Any:
    return datetime.fromtimestamp(hub.clock(), UTC)
