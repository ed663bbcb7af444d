"""A hostile provider signs nobody in, whatever it says, and nobody is locked out once it is honest again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from auth.broker.oidc import Oidc
from auth.broker.upstream import UpstreamRefused
from auth.settings import Seconds
from connectors.http import Http
from hub.identity.fetch import HttpFetch
from tests.fakes.broker_side import CALLBACK, Clock, Keyed, county, loopback, signed_in
from tests.fakes.hostile_modes import MODES
from tests.fakes.hostile_provider import (
    HONEST,
    HOST,
    SUB,
    HostileProvider,
    Mode,
    browse,
    compact,
    ec_key,
    put,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one server for all stories: starting takes 0.2 s

OTHER_HOST = "province.test"


async def refused(upstream: Oidc, mode: Mode, deadline: float = 5.0) -> UpstreamRefused:
    """The refusal of a sign-in; anything else, or nothing in time, fails the test."""
    async with asyncio.timeout(6 * deadline):  # no sign-in asks more often than that
        with pytest.raises(UpstreamRefused) as caught:
            await signed_in(upstream, **mode.asked)
    return caught.value


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def county_up() -> AsyncIterator[HostileProvider]:
    """The county's server."""
    async with HostileProvider(Clock()).serving() as provider:
        yield provider


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def province_up() -> AsyncIterator[HostileProvider]:
    """The province's server."""
    async with HostileProvider(Clock()).serving(OTHER_HOST) as provider:
        yield provider


@pytest.fixture
def clock() -> Clock:
    """Everybody's clock in one story."""
    return Clock()


@pytest.fixture
def provider(county_up: HostileProvider, clock: Clock) -> HostileProvider:
    """The county, honest again and asked nothing yet."""
    return anew(county_up, clock)


@pytest_asyncio.fixture(loop_scope="module")
async def fetch() -> AsyncIterator[HttpFetch]:
    """The hub's real way out, address guard and all."""
    async with Http([HOST, OTHER_HOST], lookup=loopback) as http:
        yield HttpFetch(http)


@pytest.fixture
def upstream(provider: HostileProvider, fetch: HttpFetch, clock: Clock) -> Oidc:
    """The county as the broker sees it, never asked before."""
    return Oidc(county(provider), fetch, Keyed(), clock)


def anew(provider: HostileProvider, clock: Clock) -> HostileProvider:
    """As if it had just come up."""
    provider.mode, provider.clock = HONEST, clock
    provider.calls.clear()
    return provider


async def test_there_are_enough_ways_to_lie() -> None:
    assert len(MODES) >= 60


@pytest.mark.parametrize("name", MODES)
async def test_a_hostile_county_signs_nobody_in_and_recovers(
    name: str, provider: HostileProvider, fetch: HttpFetch, clock: Clock
) -> None:
    mode = MODES[name]
    deadline = 1.0 if mode.slow else 5.0
    upstream = Oidc(county(provider, deadline=Seconds(deadline)), fetch, Keyed(), clock)
    provider.mode = mode
    error = await refused(upstream, mode, deadline)
    assert error.kind == mode.kind
    assert error.status in (400, 502, 503)
    assert "<script>" not in error.public + error.detail
    assert provider.trapped == 0
    provider.mode = HONEST
    clock.now += 11  # an unknown key id is asked for at most once in ten seconds
    assert (await signed_in(upstream)).sub == SUB


@pytest.mark.parametrize(
    "name",
    [name for name, mode in MODES.items() if not (mode.metadata or mode.jwks or mode.slow)],
)
async def test_a_county_that_turns_hostile_under_way_signs_nobody_in(
    name: str, provider: HostileProvider, upstream: Oidc
) -> None:
    await signed_in(upstream)
    provider.mode = MODES[name]
    assert (await refused(upstream, provider.mode)).kind == provider.mode.kind
    provider.mode = HONEST
    assert (await signed_in(upstream)).sub == SUB


@pytest.mark.parametrize(
    "claims",
    [{"exp": -19}, {"iat": 19}, {"nbf": 19}, {"auth_time": 19}],
    ids=lambda claims: f"{next(iter(claims))} off by 19 s",
)
async def test_clocks_may_differ_by_less_than_twenty_seconds(
    claims: dict[str, float], provider: HostileProvider, upstream: Oidc, clock: Clock
) -> None:
    provider.mode = Mode("", claims=put(**{name: clock.now + by for name, by in claims.items()}))
    assert (await signed_in(upstream)).sub == SUB


async def test_a_flood_of_unknown_key_ids_costs_one_request_in_ten_seconds(
    provider: HostileProvider, upstream: Oidc, clock: Clock
) -> None:
    await signed_in(upstream)
    for second in range(30):
        clock.now += 1
        header = {"alg": "ES256", "typ": "logout+jwt", "kid": f"made-up-{second}"}
        forged = compact(header, {}, ec_key(name="attacker"))
        with pytest.raises(UpstreamRefused) as caught:
            await upstream.logged_out({"logout_token": forged})
        assert caught.value.kind == "key"
    assert provider.calls["jwks"] <= 4
    assert (await signed_in(upstream)).sub == SUB


async def test_an_answer_to_an_older_sign_in_is_refused(upstream: Oidc) -> None:
    first, kept_first = await upstream.begin(CALLBACK, "a" * 43)
    second, kept = await upstream.begin(CALLBACK, "b" * 43)
    old = await browse(first)
    with pytest.raises(UpstreamRefused) as caught:
        await upstream.finish(CALLBACK, "b" * 43, old, kept)
    assert caught.value.kind == "state"
    stolen = {**await browse(second), "state": "a" * 43}  # its code, under the other's state
    with pytest.raises(UpstreamRefused) as caught:
        await upstream.finish(CALLBACK, "a" * 43, stolen, kept_first)
    assert caught.value.kind == "code-refused"


async def test_a_replayed_code_is_refused(upstream: Oidc) -> None:
    url, kept = await upstream.begin(CALLBACK, "a" * 43)
    query = await browse(url)
    await upstream.finish(CALLBACK, "a" * 43, query, kept)
    with pytest.raises(UpstreamRefused) as caught:
        await upstream.finish(CALLBACK, "a" * 43, query, kept)
    assert caught.value.kind == "code-refused"


async def test_a_replayed_id_token_is_refused_for_its_nonce(
    provider: HostileProvider, upstream: Oidc
) -> None:
    seen: list[Any] = []

    def replaying(honest: dict[str, Any], _it: HostileProvider) -> dict[str, Any]:
        seen.append(honest["id_token"])
        return {**honest, "id_token": seen[0]}

    provider.mode = Mode("claim-nonce", token=replaying)
    await signed_in(upstream)
    assert (await refused(upstream, provider.mode)).kind == "claim-nonce"


async def test_an_origin_the_operator_names_is_still_behind_the_address_guard(
    provider: HostileProvider, fetch: HttpFetch, clock: Clock
) -> None:
    options = {"plain_http": True, "origins": [f"http://127.0.0.1:{provider.port}"]}
    upstream = Oidc(county(provider, options=options), fetch, Keyed(), clock)
    provider.mode = Mode("", metadata=lambda honest, it: {**honest, "jwks_uri": it.trap})
    error = await refused(upstream, provider.mode)
    assert (error.kind, error.status, provider.trapped) == ("address-forbidden", 502, 0)


@pytest.fixture
def honest(province_up: HostileProvider, clock: Clock) -> HostileProvider:
    """The province."""
    return anew(province_up, clock)


@pytest.fixture
def province(honest: HostileProvider, fetch: HttpFetch, clock: Clock) -> Oidc:
    """The province as the broker sees it."""
    return Oidc(county(honest, code="province", level="PROVINCE"), fetch, Keyed(), clock)


async def test_mix_up_a_code_of_the_province_at_the_county_s_callback_is_refused(
    provider: HostileProvider, upstream: Oidc, province: Oidc
) -> None:
    _, kept = await upstream.begin(CALLBACK, "a" * 43)
    lured, _ = await province.begin(CALLBACK, "a" * 43)  # the county sends the browser on to the province
    with pytest.raises(UpstreamRefused) as caught:
        await upstream.finish(CALLBACK, "a" * 43, await browse(lured), kept)
    assert caught.value.kind == "issuer"
    assert provider.calls["token"] == 0  # the province's code never got there


async def test_mix_up_a_code_of_the_county_at_the_province_s_callback_is_refused(
    upstream: Oidc, province: Oidc, honest: HostileProvider
) -> None:
    url, kept = await upstream.begin(CALLBACK, "a" * 43)
    answer = await browse(url)
    with pytest.raises(UpstreamRefused) as caught:
        await province.finish(CALLBACK, "a" * 43, answer, kept)
    assert caught.value.kind == "state"
    _, kept_there = await province.begin(CALLBACK, "a" * 43)
    with pytest.raises(UpstreamRefused) as caught:
        await province.finish(CALLBACK, "a" * 43, answer, kept_there)
    assert caught.value.kind == "issuer"
    assert honest.calls["token"] == 0


async def test_mix_up_an_answer_at_another_callback_than_it_was_asked_for_is_refused(upstream: Oidc) -> None:
    url, kept = await upstream.begin(CALLBACK, "a" * 43)
    with pytest.raises(UpstreamRefused) as caught:
        await upstream.finish(f"{CALLBACK}/2", "a" * 43, await browse(url), kept)
    assert caught.value.kind == "state"


async def test_mix_up_an_id_token_in_the_province_s_name_is_none_of_the_county(
    provider: HostileProvider, upstream: Oidc, honest: HostileProvider
) -> None:
    provider.mode = Mode("", claims=lambda claims, _it: {**claims, "iss": honest.url})
    assert (await refused(upstream, provider.mode)).kind == "claim-iss"


async def test_two_levels_may_use_the_same_sub_and_stay_two_accounts(upstream: Oidc, province: Oidc) -> None:
    at_county, at_province = await signed_in(upstream), await signed_in(province)
    assert at_county.sub == at_province.sub
    assert at_county.iss != at_province.iss
