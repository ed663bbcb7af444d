"""A provider that runs, a browser, an application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from hub.identity.store import MongoStore
from hub.mongo import Mongo
from tests.auth.provider.browsing import CLIENTS, REGISTERED, Application, Browser
from tests.fakes.provider import Provider, provider


@pytest.fixture
async def gate(mongo: Mongo, tmp_path: Path) -> AsyncIterator[Provider]:
    """One process."""
    async with provider(MongoStore(mongo), tmp_path, CLIENTS, registered=REGISTERED) as running:
        yield running[0]


@pytest.fixture
async def two_gates(mongo: Mongo, tmp_path: Path) -> AsyncIterator[list[Provider]]:
    """Two processes of one hub."""
    async with provider(MongoStore(mongo), tmp_path, CLIENTS, registered=REGISTERED, processes=2) as running:
        yield running


@pytest.fixture
async def browser(gate: Provider) -> AsyncIterator[Browser]:
    """The county teacher's browser."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        yield Browser(http, gate)


@pytest.fixture
async def stranger(gate: Provider) -> AsyncIterator[Browser]:
    """Another browser."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        yield Browser(http, gate)


@pytest.fixture
async def app(gate: Provider) -> AsyncIterator[Application]:
    """Applications' back ends: no cookies."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        yield Application(http, gate)
