"""A running hub for each story."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.hub.web.served import Hub, hub


@pytest.fixture
async def demo() -> AsyncIterator[Hub]:
    async with hub() as running:
        yield running


@pytest.fixture
async def production() -> AsyncIterator[Hub]:
    async with hub(production=True) as running:
        yield running
