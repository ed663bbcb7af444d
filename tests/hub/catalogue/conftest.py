"""What stories about the catalogue may ask for."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from hub.mongo import Mongo
from tests.hub.cache.turned_clock import TurnedClock
from tests.hub.catalogue.joined import Library


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
async def library(mongo: Mongo, clock: TurnedClock) -> AsyncIterator[Library]:
    """A library without sources over an empty database."""
    made = Library(mongo, clock)
    yield made
    await made.registry.aclose()
