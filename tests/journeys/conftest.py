"""One running demonstration for all journeys that leave it as they found it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.journeys.country import World, world
from tests.journeys.matrix_asked import asked

__all__ = ["asked"]  # a fixture for the matrix


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def land() -> AsyncIterator[World]:
    """The sandbox country with its hub, started once."""
    async with world() as running:
        yield running
