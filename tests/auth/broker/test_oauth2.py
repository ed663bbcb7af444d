"""A level with plain OAuth 2 signs people in too, and lies no more successfully than others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import pytest_asyncio

from auth.broker.kinds import upstream as made
from auth.broker.oauth2 import OAuth2
from auth.broker.upstream import UpstreamRefused
from auth.documents import UpstreamSession
from auth.settings import Seconds, UpstreamSettings
from connectors.http import Http
from hub.identity.fetch import HttpFetch
from tests.fakes.broker_side import CALLBACK, Clock, Keyed, county, loopback, signed_in
from tests.fakes.hostile_modes import MODES
from tests.fakes.hostile_provider import HONEST, HOST, SUB, HostileProvider, Mode, browse, instead, put

pytestmark = pytest.mark.asyncio(loop_scope="module")

_UNSIGNED = {
    "callback without iss",
    "token answer without ID token",
    "token answer whose ID token is an object",
    "token answer whose ID token is empty",
    "userinfo of somebody else",
    "userinfo whose sub is in capitals",
}
"""What only OpenID Connect can notice."""
LIES = [
    name
    for name in MODES
    if name.startswith(("callback ", "token ", "userinfo "))
    and name not in _UNSIGNED
    and not MODES[name].metadata
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[HostileProvider]:
    """The level's server."""
    async with HostileProvider(Clock()).serving() as provider:
        yield provider


@pytest.fixture
def provider(server: HostileProvider) -> HostileProvider:
    """Honest again."""
    server.mode, server.pkce = HONEST, True
    server.calls.clear()
    return server


@pytest_asyncio.fixture(loop_scope="module")
async def fetch() -> AsyncIterator[HttpFetch]:
    """The hub's real way out."""
    async with Http([HOST], lookup=loopback) as http:
        yield HttpFetch(http)


def table(provider: HostileProvider, options: dict[str, Any] | None = None, **other: Any) -> UpstreamSettings:
    """The level's table."""
    usual = {
        "authorize_url": f"{provider.url}/authorize",
        "token_url": f"{provider.url}/token",
        "userinfo_url": f"{provider.url}/userinfo",
        "plain_http": True,
    }
    return county(provider, kind="oauth2", options={**usual, **(options or {})}, **other)


def level(provider: HostileProvider, fetch: HttpFetch, options: Any = None, **other: Any) -> OAuth2:
    """The level as the broker sees it."""
    return OAuth2(table(provider, options, **other), fetch, Keyed(), Clock())


async def refusal(upstream: OAuth2, **asked: Any) -> UpstreamRefused:
    """Of a sign-in."""
    async with asyncio.timeout(30):
        with pytest.raises(UpstreamRefused) as caught:
            await signed_in(upstream, **asked)
    return caught.value


async def test_a_teacher_signs_in(provider: HostileProvider, fetch: HttpFetch) -> None:
    upstream = made(table(provider, assurance={"": "NAME_VERIFIED"}), fetch, Keyed(), Clock())
    assertion = await signed_in(upstream)
    assert (assertion.iss, assertion.sub, assertion.upstream) == (provider.url, SUB, "county")
    assert assertion.identifiers == {"roster:county-tables": "t-301"}
    assert (assertion.sid, assertion.hint) == ("", "")


async def test_a_nested_answer_is_read_by_a_dotted_path(provider: HostileProvider, fetch: HttpFetch) -> None:
    provider.mode = Mode(
        "", userinfo=instead({"code": 0, "data": {"user": {"id": 4711, "xm": "合成教师乙"}}})
    )
    upstream = level(provider, fetch, claims={"sub": "data.user.id", "name": "data.user.xm"})
    assertion = await signed_in(upstream)
    assert (assertion.sub, assertion.name) == ("4711", "合成教师乙")


async def test_a_provider_without_pkce_and_with_tokens_in_the_query(
    provider: HostileProvider, fetch: HttpFetch
) -> None:
    provider.pkce = False
    upstream = level(provider, fetch, {"pkce": False, "userinfo_token": "query"})
    assert (await signed_in(upstream)).sub == SUB


@pytest.mark.parametrize("name", LIES)
async def test_a_hostile_level_signs_nobody_in_and_recovers(
    name: str, provider: HostileProvider, fetch: HttpFetch
) -> None:
    mode = MODES[name]
    upstream = level(provider, fetch, deadline=Seconds(1.0 if mode.slow else 5.0))
    provider.mode = mode
    error = await refusal(upstream, **mode.asked)
    assert error.kind == ("claim-sub" if mode.kind == "userinfo-sub" else mode.kind)
    assert error.status in (400, 502, 503)
    assert provider.trapped == 0
    provider.mode = HONEST
    assert (await signed_in(upstream)).sub == SUB


@pytest.mark.parametrize("sub", ["", "a" * 256, "a\0", True, None, -1, 1.5, 10**30, ["a"], {"$ne": ""}])
async def test_a_doubtful_account_name_signs_nobody_in(
    sub: Any, provider: HostileProvider, fetch: HttpFetch
) -> None:
    provider.mode = Mode("", userinfo=put(sub=sub))
    assert (await refusal(level(provider, fetch))).kind == "claim-sub"


async def test_mix_up_a_code_of_one_level_is_none_at_another(
    provider: HostileProvider, fetch: HttpFetch
) -> None:
    one, other = level(provider, fetch), level(provider, fetch, code="province")
    url, kept = await one.begin(CALLBACK, "a" * 43)
    with pytest.raises(UpstreamRefused) as caught:
        await other.finish(CALLBACK, "a" * 43, await browse(url), kept)
    assert caught.value.kind == "state"
    assert provider.calls["token"] == 0


async def test_a_code_is_bound_to_the_verifier_of_its_own_sign_in(
    provider: HostileProvider, fetch: HttpFetch
) -> None:
    upstream = level(provider, fetch)
    mine, _ = await upstream.begin(CALLBACK, "a" * 43)
    _, victim = await upstream.begin(CALLBACK, "b" * 43)
    injected = {**await browse(mine), "state": "b" * 43}
    with pytest.raises(UpstreamRefused) as caught:
        await upstream.finish(CALLBACK, "b" * 43, injected, victim)
    assert caught.value.kind == "code-refused"


async def test_signing_out_goes_by_the_operator_s_address(
    provider: HostileProvider, fetch: HttpFetch
) -> None:
    back = "https://hub.test/signed-out"
    session = UpstreamSession(upstream="county", iss=provider.url, sub=SUB, at=datetime.now(UTC))
    assert await level(provider, fetch).logout_url(session, back, "s") is None
    upstream = level(provider, fetch, {"logout_url": f"{provider.url}/logout?v=2", "logout_back": "service"})
    url = await upstream.logout_url(session, back, "s")
    assert dict(parse_qsl(urlsplit(url or "").query)) == {"v": "2", "service": f"{back}?state=s"}
    with pytest.raises(UpstreamRefused) as caught:
        await upstream.logged_out({"logout_token": "x"})
    assert caught.value.kind == "no-back-channel-logout"


@pytest.mark.parametrize(
    "options",
    [{"token_url": ""}, {"token_url": "javascript:alert(1)"}, {"userinfo_url": "http://id.example.org/u"},
     {"authorize_url": "https://user:pw@id.example.org/"}, {"token_auth": "jwt"}, {"logout_url": "/logout"},
     {"userinfo_token": "body"}],
    ids=str,
)  # fmt: skip
async def test_a_table_that_cannot_work_is_refused_at_once(
    options: dict[str, Any], provider: HostileProvider, fetch: HttpFetch
) -> None:
    with pytest.raises(ValueError, match=r"upstreams\.county"):
        level(provider, fetch, {**options, "plain_http": False})
