"""An OpenID provider of a level signs people in and out, while its keys and its weather change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import pytest_asyncio

from auth.broker.kinds import upstream as made
from auth.broker.oidc import Oidc
from auth.broker.remote_keys import MAX_AGE
from auth.broker.signed import LOGOUT_EVENT
from auth.broker.upstream import UpstreamRefused
from auth.documents import UpstreamSession
from connectors.http import Http
from hub.identity.fetch import HttpFetch
from tests.fakes.broker_side import CALLBACK, Clock, Keyed, county, loopback, signed_in
from tests.fakes.hostile_provider import (
    CLIENT_ID,
    HONEST,
    HOST,
    SUB,
    HostileProvider,
    Mode,
    compact,
    ec_key,
    failing,
    put,
    without,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[HostileProvider]:
    """The county's server."""
    async with HostileProvider(Clock()).serving() as provider:
        yield provider


@pytest.fixture
def clock() -> Clock:
    """Everybody's clock in one story."""
    return Clock()


@pytest.fixture
def provider(server: HostileProvider, clock: Clock) -> HostileProvider:
    """The county, as if it had just come up."""
    server.mode, server.clock, server.alg, server.kid, server.cache_control = HONEST, clock, "ES256", "k1", ""
    server.calls.clear()
    return server


@pytest_asyncio.fixture(loop_scope="module")
async def fetch() -> AsyncIterator[HttpFetch]:
    """The hub's real way out."""
    async with Http([HOST], lookup=loopback) as http:
        yield HttpFetch(http)


@pytest.fixture
def upstream(provider: HostileProvider, fetch: HttpFetch, clock: Clock) -> Oidc:
    """The county as the broker sees it."""
    return Oidc(county(provider), fetch, Keyed(), clock)


# --- Signing in ---


@pytest.mark.parametrize("alg", ["ES256", "RS256", "PS256", "EdDSA"])
async def test_a_teacher_signs_in(
    alg: str, provider: HostileProvider, fetch: HttpFetch, clock: Clock
) -> None:
    provider.alg = alg
    assertion = await signed_in(made(county(provider), fetch, Keyed(), clock))
    assert (assertion.iss, assertion.sub, assertion.upstream) == (provider.url, SUB, "county")
    assert assertion.identifiers == {"roster:county-tables": "t-301"}  # told by userinfo
    assert assertion.name == "合成教师甲"  # what is signed goes before what is not
    assert (assertion.assurance, assertion.acr) == ("NAME_VERIFIED", "urn:rongtong:acr:name-verified")
    assert (assertion.amr, assertion.auth_time, assertion.sid) == (("pwd",), int(clock.now) - 5, "s-1")
    assert assertion.hint.count(".") == 2


async def test_the_browser_is_sent_with_state_nonce_and_challenge_and_nothing_secret(
    provider: HostileProvider, upstream: Oidc
) -> None:
    url, kept = await upstream.begin(
        CALLBACK, "s" * 43, login_hint="甲&x=1", acr_values="urn:rongtong:acr:name-verified", prompt="login",
        max_age=60,
    )  # fmt: skip
    asked = dict(parse_qsl(urlsplit(url).query))
    assert url.startswith(f"{provider.url}/authorize?")
    assert asked.pop("nonce") == kept["nonce"]
    assert len(asked.pop("code_challenge")) == 43
    assert asked == {
        "response_type": "code", "client_id": CLIENT_ID, "redirect_uri": CALLBACK, "scope": "openid profile",
        "state": "s" * 43, "code_challenge_method": "S256", "login_hint": "甲&x=1", "acr_values": "real-name",
        "prompt": "login", "max_age": "60",
    }  # fmt: skip
    assert kept["verifier"] not in url
    _, other = await upstream.begin(CALLBACK, "s" * 43)
    assert kept["nonce"] != other["nonce"]
    assert kept["verifier"] != other["verifier"]


async def test_userinfo_is_not_asked_where_the_operator_turned_it_off(
    provider: HostileProvider, fetch: HttpFetch, clock: Clock
) -> None:
    options = {"plain_http": True, "userinfo": False}
    assertion = await signed_in(Oidc(county(provider, options=options), fetch, Keyed(), clock))
    assert assertion.sub == SUB
    assert provider.calls["userinfo"] == 0


@pytest.mark.parametrize(
    "mode",
    [
        Mode("", header=without("kid")),
        Mode("", header=without("typ")),
        Mode("", claims=put(aud=[CLIENT_ID])),
        Mode("", claims=put(aud=[CLIENT_ID, "other"], azp=CLIENT_ID)),
        Mode("", claims=without("at_hash", "auth_time", "acr", "amr", "sid")),
        Mode("", callback=without("iss"), metadata=without("authorization_response_iss_parameter_supported")),
        Mode("", token=put(token_type="bEARER")),
        Mode("", metadata=without("userinfo_endpoint", "end_session_endpoint", "response_types_supported")),
    ],
    ids=["no kid where one key fits", "no typ", "audience as a list", "several audiences with azp",
         "only what is required", "no iss where none is promised", "token type in odd letters",
         "bare metadata"],
)  # fmt: skip
async def test_what_the_standard_allows_is_accepted(
    mode: Mode, provider: HostileProvider, upstream: Oidc
) -> None:
    provider.mode = mode
    assert (await signed_in(upstream)).sub == SUB


async def test_metadata_of_a_trust_chain_takes_the_place_of_discovery(
    provider: HostileProvider, fetch: HttpFetch, clock: Clock
) -> None:
    async def vouched() -> Mapping[str, Any]:
        return provider.metadata()

    settings = county(provider, trusted_by="https://anchor.test")
    assert (await signed_in(made(settings, fetch, Keyed(), clock, metadata=vouched))).sub == SUB
    assert provider.calls["metadata"] == 0


# --- Its keys and its weather ---


async def test_a_key_that_is_new_is_fetched_when_it_is_first_seen(
    provider: HostileProvider, upstream: Oidc, clock: Clock
) -> None:
    await signed_in(upstream)
    provider.kid = "k2"
    clock.now += 11
    assert (await signed_in(upstream)).sub == SUB
    assert provider.calls["jwks"] == 2


async def test_a_key_that_was_withdrawn_is_refused_once_the_set_was_renewed(
    provider: HostileProvider, upstream: Oidc, clock: Clock
) -> None:
    await signed_in(upstream)
    provider.kid = "k2"
    clock.now += 601
    await signed_in(upstream)
    provider.mode = Mode("", header=put(kid="k1"))
    clock.now += 11
    with pytest.raises(UpstreamRefused) as caught:
        await signed_in(upstream)
    assert caught.value.kind == "key"


async def test_people_go_on_signing_in_while_keys_and_metadata_cannot_be_renewed(
    provider: HostileProvider, upstream: Oidc, clock: Clock
) -> None:
    await signed_in(upstream)
    provider.mode = Mode("", metadata=failing(500), jwks=put(keys=[]))
    for _ in range(20):
        clock.now += 3600
        assert (await signed_in(upstream)).sub == SUB
    assert provider.calls["jwks"] > 10  # it was tried, behind their backs


async def test_what_is_a_day_old_is_no_longer_believed(
    provider: HostileProvider, upstream: Oidc, clock: Clock
) -> None:
    await signed_in(upstream)
    provider.mode = Mode("", jwks=failing(500))
    clock.now += MAX_AGE + 1
    with pytest.raises(UpstreamRefused) as caught:
        await signed_in(upstream)
    assert caught.value.status == 502
    provider.mode = HONEST
    assert (await signed_in(upstream)).sub == SUB


async def test_two_hundred_first_sign_ins_at_once_ask_for_metadata_and_keys_once(
    provider: HostileProvider, upstream: Oidc
) -> None:
    asked = await asyncio.gather(*(upstream.begin(CALLBACK, "s" * 43) for _ in range(200)))
    assert len(asked) == 200
    assert provider.calls["metadata"] == 1
    told = await asyncio.gather(*(signed_in(upstream) for _ in range(20)))
    assert {assertion.sub for assertion in told} == {SUB}
    assert provider.calls["jwks"] == 1


@pytest.mark.parametrize(
    "said", ["max-age=0", "no-store", "max-age=999999999", "max-age=-1", "nonsense" * 999]
)
async def test_cache_headers_cannot_make_us_hammer_it_or_believe_it_for_ever(
    said: str, provider: HostileProvider, upstream: Oidc, clock: Clock
) -> None:
    provider.cache_control = said
    for _ in range(5):
        clock.now += 1
        await signed_in(upstream)
    assert provider.calls["jwks"] == 1
    clock.now += 3601
    await signed_in(upstream)
    await signed_in(upstream)
    assert provider.calls["jwks"] == 2


# --- Signing out ---


def session(provider: HostileProvider, **other: Any) -> UpstreamSession:
    """The teacher's session there."""
    values = {"upstream": "county", "iss": provider.url, "sub": SUB, "hint": "e30.e30.x", **other}
    return UpstreamSession(at=datetime.now(UTC), **values)


async def test_signing_out_there_takes_the_id_token_and_comes_back(
    provider: HostileProvider, upstream: Oidc
) -> None:
    url = await upstream.logout_url(session(provider), "https://hub.test/signed-out", "state")
    assert dict(parse_qsl(urlsplit(url or "").query)) == {
        "id_token_hint": "e30.e30.x", "client_id": CLIENT_ID, "state": "state",
        "post_logout_redirect_uri": "https://hub.test/signed-out",
    }  # fmt: skip


async def test_signing_out_here_does_not_wait_for_a_county_that_is_down(
    provider: HostileProvider, upstream: Oidc
) -> None:
    provider.mode = Mode("", metadata=failing(500))
    assert await upstream.logout_url(session(provider), "https://hub.test/", "s") is None
    provider.mode = Mode("", metadata=without("end_session_endpoint"))
    assert await upstream.logout_url(session(provider), "https://hub.test/", "s") is None


async def test_the_session_of_another_level_is_not_ended_at_this_one(
    provider: HostileProvider, upstream: Oidc
) -> None:
    foreign = session(provider, iss="https://id.province.test")
    assert await upstream.logout_url(foreign, "https://hub.test/", "s") is None


def notice(provider: HostileProvider, header: dict[str, Any], claims: dict[str, Any]) -> dict[str, str]:
    """A logout token of the county; a claim of value None is left out."""
    now = int(provider.clock())
    usual = {
        "iss": provider.url, "aud": CLIENT_ID, "iat": now, "exp": now + 120, "jti": "j-1", "sid": "s-1",
        "sub": SUB, "events": {LOGOUT_EVENT: {}},
    }  # fmt: skip
    said = {name: value for name, value in {**usual, **claims}.items() if value is not None}
    head = {"alg": "ES256", "kid": "k1", "typ": "logout+jwt", **header}
    return {"logout_token": compact(head, said, provider.key(), "ES256")}


@pytest.mark.parametrize(
    ("header", "claims"),
    [({}, {}), ({}, {"sub": None}), ({}, {"sid": None}), ({"typ": "JWT"}, {}), ({}, {"exp": None}),
     ({"typ": "application/logout+jwt"}, {})],
    ids=["whole", "of a session", "of an account", "typed JWT", "without exp", "typed in full"],
)  # fmt: skip
async def test_the_county_tells_that_a_session_ended_and_is_believed(
    header: dict[str, Any], claims: dict[str, Any], provider: HostileProvider, upstream: Oidc
) -> None:
    ended = await upstream.logged_out(notice(provider, header, claims))
    assert ended.iss == provider.url
    assert (ended.sub or SUB, ended.sid or "s-1", ended.jti) == (SUB, "s-1", "j-1")


WRONG_NOTICES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "of another issuer": ("claim-iss", {}, {"iss": "https://elsewhere.test"}),
    "for somebody else": ("claim-aud", {}, {"aud": "somebody"}),
    "without audience": ("claim-aud", {}, {"aud": None}),
    "expired": ("claim-exp", {}, {"exp": 1_799_999_979}),
    "of the future": ("claim-exp", {}, {"iat": 1_800_000_021, "exp": 1_800_000_100}),
    "six minutes old": ("claim-exp", {}, {"iat": 1_799_999_640, "exp": 1_900_000_000}),
    "without iat": ("claim-iat", {}, {"iat": None}),
    "without jti": ("claim-jti", {}, {"jti": None}),
    "with a number for jti": ("claim-jti", {}, {"jti": 7}),
    "without events": ("claim-events", {}, {"events": None}),
    "with a list of events": ("claim-events", {}, {"events": [LOGOUT_EVENT]}),
    "of another event": ("claim-events", {}, {"events": {"http://elsewhere.test": {}}}),
    "with an event that is true": ("claim-events", {}, {"events": {LOGOUT_EVENT: True}}),
    "with a nonce": ("claim-nonce", {}, {"nonce": "n"}),
    "of nobody": ("claim-sub", {}, {"sub": None, "sid": None}),
    "of an account with NUL": ("claim-sub", {}, {"sub": "a\0"}),
    "of a session that is a number": ("claim-sid", {}, {"sid": 7}),
    "typed as an access token": ("token-type", {"typ": "at+jwt"}, {}),
    "unsigned": ("algorithm", {"alg": "none"}, {}),
    "by HMAC": ("algorithm", {"alg": "HS256"}, {}),
    "with its own key": ("header", {"jwk": {}}, {}),
    "with something critical": ("header", {"crit": ["exp"]}, {}),
    "by an unknown key": ("key", {"kid": "nobody"}, {}),
}


@pytest.mark.parametrize("name", WRONG_NOTICES)
async def test_a_wrong_notice_ends_no_session(name: str, provider: HostileProvider, upstream: Oidc) -> None:
    kind, header, claims = WRONG_NOTICES[name]
    with pytest.raises(UpstreamRefused) as caught:
        await upstream.logged_out(notice(provider, header, claims))
    assert caught.value.kind == kind
    assert (await upstream.logged_out(notice(provider, {}, {}))).sid == "s-1"


@pytest.mark.parametrize(
    "form", [{}, {"logout_token": ""}, {"logout_token": "a.b.c"}, {"logout_token": "é" * 9}]
)
async def test_what_is_no_logout_token_is_refused(form: dict[str, str], upstream: Oidc) -> None:
    with pytest.raises(UpstreamRefused) as caught:
        await upstream.logged_out(form)
    assert caught.value.kind == "token-unusable"


async def test_a_forged_notice_does_not_use_up_the_county_s_own(
    provider: HostileProvider, upstream: Oidc
) -> None:
    head, body, _ = notice(provider, {}, {})["logout_token"].split(".")
    stranger = compact({"alg": "ES256"}, {}, ec_key(name="attacker")).rpartition(".")[2]
    with pytest.raises(UpstreamRefused) as caught:
        await upstream.logged_out({"logout_token": f"{head}.{body}.{stranger}"})
    assert caught.value.kind == "signature"
    assert (await upstream.logged_out(notice(provider, {}, {}))).sid == "s-1"


# --- A level's token for ours ---


async def test_an_id_token_tells_who_it_is_about_to_its_own_audience_alone(
    provider: HostileProvider, upstream: Oidc, clock: Clock
) -> None:
    token = provider.id_token({}, "")
    assert (await upstream.assertion_of(token, CLIENT_ID)).sub == SUB
    for audience, later, kind in (("other", 0, "claim-aud"), (CLIENT_ID, 321, "claim-exp")):
        clock.now += later
        with pytest.raises(UpstreamRefused) as caught:
            await upstream.assertion_of(token, audience)
        assert caught.value.kind == kind


async def test_token_type_confusion_a_logout_token_is_not_exchanged(
    provider: HostileProvider, upstream: Oidc
) -> None:
    with pytest.raises(UpstreamRefused) as caught:
        await upstream.assertion_of(notice(provider, {}, {})["logout_token"], CLIENT_ID)
    assert caught.value.kind == "token-type"


# --- What is said to people ---


async def test_a_refusal_speaks_chinese_and_english_and_tells_no_secrets(
    provider: HostileProvider, upstream: Oidc
) -> None:
    provider.mode = Mode("", token=failing(503))
    with pytest.raises(UpstreamRefused) as caught:
        await signed_in(upstream)
    error = caught.value
    assert (error.code, error.status, error.retry_after) == ("UPSTREAM_REFUSED", 503, 5.0)
    assert " / " in error.public
    assert not any(code in error.public + error.detail for code in [*provider.codes, "Basic", CLIENT_ID])
