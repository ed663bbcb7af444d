"""Five levels on real sockets, and a way out that may reach them; all on one loop a module."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence

import pytest
import pytest_asyncio

from auth.trust.errors import Distrusted
from auth.trust.resolver import Limits, Resolver
from connectors.http import Http
from connectors.sandbox.federation import Federation as Country
from hub.identity.fetch import HttpFetch
from hub.mongo import Mongo
from tests.auth.trust.hub_as_city import city
from tests.auth.trust.standing_country import Place, country_at, places
from tests.fakes.emptied import emptied
from tests.fakes.recorded import Clock

__all__ = ["city"]  # a fixture for all stories here


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def standing_places() -> AsyncIterator[Sequence[Place]]:
    """Five addresses for the module's stories."""
    async with places() as found:
        yield found


@pytest.fixture
def country(standing_places: Sequence[Place]) -> Country:
    """Nation, province, city, county and a school's system, all up, each vouching for the one below."""
    return country_at(standing_places)


@pytest_asyncio.fixture(loop_scope="module")
async def mongo(mongo_uri: str, kept_database: str) -> AsyncIterator[Mongo]:
    """The stories' database, empty, on the module's loop."""
    async with emptied(mongo_uri, kept_database) as connection:
        yield connection


@pytest_asyncio.fixture(loop_scope="module")
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
