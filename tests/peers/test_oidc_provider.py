"""A level runs npm's oidc-provider, which knows nothing of us: people sign in there, and sign out."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from time import time
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import aiohttp
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from auth.broker.oidc import Oidc
from auth.broker.upstream import UpstreamRefused
from auth.documents import UpstreamSession
from auth.ports import Assertion
from auth.settings import UpstreamSettings
from connectors.http import Http
from connectors.sandbox.frame import served
from hub.identity.fetch import HttpFetch
from tests.fakes.broker_side import Keyed
from tests.peers.node import running

CALLBACK = "https://hub.test/sign-in/county/callback"
SIGNED_OUT = "https://hub.test/signed-out"
SECRET = "s" * 43
_FORM = re.compile(r'<form[^>]* action="([^"]+)"')
_FIELD = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')


def client(alg: str, notices: str, method: str = "client_secret_basic") -> dict[str, Any]:
    """Our registration there, its ID tokens signed with `alg`."""
    return {
        "client_id": f"hub-{alg}-{method}",
        "client_secret": SECRET,
        "redirect_uris": [CALLBACK],
        "post_logout_redirect_uris": [SIGNED_OUT],
        "id_token_signed_response_alg": alg,
        "token_endpoint_auth_method": method,
        "backchannel_logout_uri": notices,
        "backchannel_logout_session_required": True,
    }


def level(issuer: str, alg: str, method: str = "client_secret_basic") -> UpstreamSettings:
    """The county's table."""
    return UpstreamSettings(
        code="county", kind="oidc", name="某县", level="COUNTY", region="371502", issuer=issuer,
        client_id=f"hub-{alg}-{method}", client_secret=SECRET, algorithms=(alg,),
        options={"token_auth": method.removeprefix("client_secret_"), "verified_claim": "id_verified"},
        claims={"roster": "roster_id"}, authoritative=("roster:county-tables",),
    )  # fmt: skip


@asynccontextmanager
async def notices() -> AsyncIterator[tuple[str, asyncio.Queue[dict[str, str]]]]:
    """Where the provider tells of ended sessions, and what it told."""
    told: asyncio.Queue[dict[str, str]] = asyncio.Queue()

    async def take(request: Request) -> Response:
        told.put_nowait(dict(parse_qsl((await request.body()).decode())))
        return Response(status_code=200)

    async with served(Starlette(routes=[Route("/notice", take, methods=["POST"])])) as server:
        yield f"{server.url}/notice", told


class Person:
    """A teacher's browser: keeps cookies, fills in the provider's forms, stops at our own addresses."""

    def __init__(self, browser: aiohttp.ClientSession, login: str) -> None:
        self._browser, self._login = browser, login

    async def go(self, url: str) -> dict[str, str]:
        """From `url` through every page and form to the query of our callback or signed-out page."""
        form: dict[str, str] | None = None
        for _ in range(20):
            method = "GET" if form is None else "POST"
            async with self._browser.request(method, url, data=form, allow_redirects=False) as page:
                if location := page.headers.get("Location"):
                    url, form = urljoin(url, location), None
                else:
                    assert page.status == 200, (url, page.status)
                    url, form = self._filled_in(url, await page.text())
            if url.startswith("https://hub.test/"):
                return dict(parse_qsl(urlsplit(url).query))
        raise AssertionError("going round in circles")

    def _filled_in(self, url: str, page: str) -> tuple[str, dict[str, str]]:
        action = _FORM.search(page)
        assert action, page
        fields = dict(_FIELD.findall(page))
        if fields.get("prompt") == "login":
            fields |= {"login": self._login, "password": "any"}
        if "xsrf" in fields:
            fields["logout"] = "yes"
        return urljoin(url, action[1].replace("&#39;", "'")), fields


@asynccontextmanager
async def teacher(login: str = "teacher-7") -> AsyncIterator[Person]:
    """The county teacher at a browser of her own."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
        yield Person(browser, login)


async def signed_in(upstream: Oidc, person: Person, **asked: Any) -> Assertion:
    """She goes there and comes back."""
    state = secrets.token_urlsafe(32)
    url, kept = await upstream.begin(CALLBACK, state, **asked)
    return await upstream.finish(CALLBACK, state, await person.go(url), kept)


ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")


async def test_a_teacher_signs_in_at_a_foreign_provider_with_every_algorithm() -> None:
    async with (
        running("oidc-provider.mjs", {"clients": [client(alg, "https://hub.test/n") for alg in ALGORITHMS]})
        as peer,
        Http(["127.0.0.1"]) as http,
        teacher() as person,
    ):  # fmt: skip
        for alg in ALGORITHMS:
            upstream = Oidc(level(peer["issuer"], alg), HttpFetch(http), Keyed(), time)
            assertion = await signed_in(upstream, person)
            assert (assertion.iss, assertion.sub) == (peer["issuer"], "teacher-7")
            assert assertion.name == "合成用户 teacher-7"
            assert assertion.identifiers == {"roster:county-tables": "t-teacher-7"}


async def test_the_code_is_redeemed_with_the_secret_in_the_form_where_that_is_agreed() -> None:
    method = "client_secret_post"
    async with (
        running("oidc-provider.mjs", {"clients": [client("ES256", "https://hub.test/n", method)]}) as peer,
        Http(["127.0.0.1"]) as http,
        teacher() as person,
    ):
        upstream = Oidc(level(peer["issuer"], "ES256", method), HttpFetch(http), Keyed(), time)
        assert (await signed_in(upstream, person)).sub == "teacher-7"


async def test_signing_out_there_reaches_us_and_the_id_token_is_exchanged_for_nobody_else() -> None:
    async with (
        notices() as (address, told),
        running("oidc-provider.mjs", {"clients": [client("ES256", address)]}) as peer,
        Http(["127.0.0.1"]) as http,
        teacher() as person,
    ):
        settings = level(peer["issuer"], "ES256")
        upstream = Oidc(settings, HttpFetch(http), Keyed(), time)
        assertion = await signed_in(upstream, person, max_age=600)
        assert assertion.auth_time > 0
        assert (await upstream.assertion_of(assertion.hint, settings.client_id)).sub == "teacher-7"
        with pytest.raises(UpstreamRefused) as caught:
            await upstream.assertion_of(assertion.hint, "another-client")
        assert caught.value.kind == "claim-aud"

        session = UpstreamSession(
            upstream="county", iss=assertion.iss, sub=assertion.sub, sid=assertion.sid,
            hint=assertion.hint, at=datetime.now(UTC),
        )  # fmt: skip
        url = await upstream.logout_url(session, SIGNED_OUT, "back-again")
        assert url is not None
        assert await person.go(url) == {"state": "back-again"}

        notice = await asyncio.wait_for(told.get(), 10)
        ended = await upstream.logged_out(notice)
        assert (ended.iss, ended.sid) == (assertion.iss, assertion.sid)


async def test_prompt_none_is_refused_there_as_long_as_nobody_has_signed_in() -> None:
    async with (
        running("oidc-provider.mjs", {"clients": [client("ES256", "https://hub.test/n")]}) as peer,
        Http(["127.0.0.1"]) as http,
        teacher() as person,
    ):
        upstream = Oidc(level(peer["issuer"], "ES256"), HttpFetch(http), Keyed(), time)
        with pytest.raises(UpstreamRefused) as caught:
            await signed_in(upstream, person, prompt="none")
        assert caught.value.kind == "interaction-required"
        await signed_in(upstream, person)
        assert (await signed_in(upstream, person, prompt="none")).sub == "teacher-7"
