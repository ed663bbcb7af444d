"""Five levels on real sockets, and a way out that may reach them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest

from auth.trust.errors import Distrusted
from auth.trust.resolver import Limits, Resolver
from connectors.http import Http
from connectors.sandbox.federation import Federation as Country
from connectors.sandbox.federation import federation
from hub.identity.fetch import HttpFetch
from tests.auth.trust.hub_as_city import Clock, city

__all__ = ["city"]  # a fixture for all stories here


@pytest.fixture
async def country() -> AsyncIterator[Country]:
    """Nation, province, city, county and a school's system, all up, each vouching for the one below."""
    async with federation() as made:
        yield made


@pytest.fixture
async def out() -> AsyncIterator[HttpFetch]:
    """The hub's own way out, with its guard; loopback is allowed."""
    async with Http(["127.0.0.0/8"]) as http:
        yield HttpFetch(http)


@pytest.fixture
def clock() -> Clock:
    """Now, until the test turns it."""
    return Clock()


@pytest.fixture
def resolver(country: Country, out: HttpFetch) -> Resolver:
    """A resolver that knows the nation's keys and nothing else."""
    return Resolver(out, country.anchors, Limits(), time.time)


async def refusal(resolver: Resolver, country: Country) -> Distrusted:
    """Why the school's system is not trusted; fails if it is."""
    with pytest.raises(Distrusted) as caught:
        await resolver.chain(country.school.url)
    return caught.value
