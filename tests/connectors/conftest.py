"""The HTTP port, allowed to reach this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from connectors.http import Http
from tests.fakes.source import LOOPBACK


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    """Open until the story ends."""
    async with Http(LOOPBACK) as port:
        yield port
