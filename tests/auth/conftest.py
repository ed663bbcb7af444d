"""The middle of the gate, running, and two people at their browsers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from hub.identity.store import MongoStore
from hub.mongo import Mongo
from tests.connectors.sandbox.browser import Browser
from tests.fakes.emptied import emptied, kept
from tests.fakes.middle import Middle, middle


@pytest.fixture(scope="session")
def kept_database(mongo_uri: str) -> Iterator[str]:
    """One database for all stories of the gate."""
    with kept(mongo_uri) as name:
        yield name


@pytest.fixture
async def mongo(mongo_uri: str, kept_database: str) -> AsyncIterator[Mongo]:
    """A connection to it; it is empty."""
    async with emptied(mongo_uri, kept_database) as connection:
        yield connection


@pytest.fixture
async def hub(mongo: Mongo, tmp_path: Path) -> AsyncIterator[Middle]:
    """The gate between two real providers and a real application."""
    async with middle(MongoStore(mongo), tmp_path) as found:
        yield found


@pytest.fixture
async def teacher() -> AsyncIterator[Browser]:
    """The county teacher's browser."""
    async with Browser() as found:
        yield found


@pytest.fixture
async def stranger() -> AsyncIterator[Browser]:
    """Somebody else's."""
    async with Browser() as found:
        yield found
