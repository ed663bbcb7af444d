"""A provider by its chain of trust: its metadata and keys are the chain's, for as long as that holds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from auth.broker.oidc import Oidc
from auth.broker.upstream import UpstreamRefused
from auth.documents import UpstreamSession
from connectors.http import Http
from hub.identity.fetch import HttpFetch
from tests.fakes.broker_side import CALLBACK, Clock, Keyed, county, loopback, signed_in
from tests.fakes.hostile_provider import HOST, SUB, HostileProvider, browse, ec_key, jwk_of

ANCHOR, AT = "https://nation.example", datetime(2026, 9, 1, tzinfo=UTC)


@dataclass
class Chain:
    """What the chain says of the provider: metadata, or a refusal."""

    said: dict[str, Any] = field(default_factory=dict)
    refusal: UpstreamRefused | None = None

    async def __call__(self) -> Mapping[str, Any]:
        if self.refusal is not None:
            raise self.refusal
        return self.said


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def provider(clock: Clock) -> AsyncIterator[HostileProvider]:
    """The county's server."""
    async with HostileProvider(clock).serving() as one:
        yield one


@pytest.fixture
def chain(provider: HostileProvider) -> Chain:
    """What the county's superior vouches for: its metadata, and its keys by value."""
    keys = {"keys": [jwk_of(provider.key(), provider.kid)]}
    return Chain({**provider.metadata(), "jwks": keys})


@pytest.fixture
async def upstream(provider: HostileProvider, chain: Chain, clock: Clock) -> AsyncIterator[Oidc]:
    """The county as the broker sees it."""
    async with Http([HOST], lookup=loopback) as http:
        yield Oidc(county(provider, trusted_by=ANCHOR), HttpFetch(http), Keyed(), clock, metadata=chain)


async def test_somebody_signs_in_by_the_chains_keys_and_the_providers_own_word_is_not_asked(
    provider: HostileProvider, upstream: Oidc
) -> None:
    assert (await signed_in(upstream)).sub == SUB
    assert provider.calls["metadata"] == provider.calls["jwks"] == 0


async def test_keys_that_only_the_providers_address_says_verify_nothing(
    upstream: Oidc, provider: HostileProvider, chain: Chain
) -> None:
    chain.said["jwks"] = {"keys": [jwk_of(ec_key(name="another"), provider.kid)]}
    with pytest.raises(UpstreamRefused) as caught:
        await signed_in(upstream)
    assert caught.value.kind == "signature"
    chain.said["jwks"] = {"keys": [jwk_of(provider.key(), "another")]}
    with pytest.raises(UpstreamRefused) as caught:
        await signed_in(upstream)
    assert caught.value.kind == "key"
    assert provider.calls["jwks"] == 0


async def test_new_keys_count_as_soon_as_the_chain_says_them(
    upstream: Oidc, provider: HostileProvider, chain: Chain
) -> None:
    await signed_in(upstream)
    old, provider.kid = provider.kid, "k2"
    with pytest.raises(UpstreamRefused):
        await signed_in(upstream)
    chain.said["jwks"] = {"keys": [jwk_of(provider.key(), old), jwk_of(provider.key(), "k2")]}
    assert (await signed_in(upstream)).sub == SUB


async def test_without_keys_by_value_they_come_from_the_address_that_the_chain_vouches_for(
    upstream: Oidc, provider: HostileProvider, chain: Chain
) -> None:
    del chain.said["jwks"]
    assert (await signed_in(upstream)).sub == SUB
    assert provider.calls["jwks"] == 1
    assert provider.calls["metadata"] == 0


async def test_a_withdrawn_provider_signs_nobody_in_from_then_on_and_a_new_word_mends_it(
    upstream: Oidc, provider: HostileProvider, chain: Chain
) -> None:
    await signed_in(upstream)
    url, kept = await upstream.begin(CALLBACK, "s" * 43)
    answer = await browse(url)
    chain.refusal = UpstreamRefused("distrusted", "not-vouched", status=502)
    for work in (upstream.begin(CALLBACK, "s" * 43), upstream.finish(CALLBACK, "s" * 43, answer, kept)):
        with pytest.raises(UpstreamRefused) as caught:
            await work
        assert (caught.value.kind, caught.value.status) == ("distrusted", 502)
    gone = UpstreamSession(upstream="county", iss=provider.url, sub=SUB, at=AT)
    assert await upstream.logout_url(gone, "https://hub.test/signed-out", "s") is None
    chain.refusal = None
    assert (await signed_in(upstream)).sub == SUB
