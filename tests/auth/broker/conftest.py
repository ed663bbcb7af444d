"""A country, a clock, a way out, a browser, and a provider on a string: on one loop a module."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from connectors.sandbox.country import Country
from hub.identity.fetch import HttpFetch
from tests.auth.broker.puppet import Clock, Puppet, puppet, way_out
from tests.connectors.sandbox.browser import Browser


@pytest.fixture(scope="module")
def country() -> Country:
    """Everybody who may sign in."""
    return Country()


@pytest.fixture
def clock() -> Clock:
    """It stands until the story turns it."""
    return Clock()


@pytest_asyncio.fixture(loop_scope="module")
async def fetch() -> AsyncIterator[HttpFetch]:
    """The hub's real way out."""
    async with way_out() as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """Somebody's browser."""
    async with Browser() as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def doll() -> AsyncIterator[Puppet]:
    """The provider on a string, up."""
    async with puppet() as found:
        yield found


@pytest.fixture
def liar(doll: Puppet) -> Puppet:
    """One for all stories, since it starts slowly; it remembers nothing of the one before."""
    doll.by_path, doll.asked = {}, []
    return doll
