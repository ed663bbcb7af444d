"""What stories of sources may ask for."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from hub.cache.durable import Durable
from hub.mongo import Mongo
from tests.hub.sources.room import Room


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    """No source yet, memory only."""
    made = Room()
    yield made
    await made.cache.aclose()
    await made.tools.http.aclose()


@pytest.fixture
async def stored_room(mongo: Mongo) -> AsyncIterator[Room]:
    """The same over a real second tier."""
    made = Room(durable=Durable.on(mongo, patience=10.0, probe_every=0.1))
    yield made
    await made.cache.aclose()
    await made.tools.http.aclose()
