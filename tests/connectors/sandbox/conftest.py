"""A country, a clock and a browser."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from connectors.sandbox.country import Country
from tests.connectors.sandbox.browser import Browser
from tests.connectors.sandbox.passports import Clock


@pytest.fixture(scope="module")
def country() -> Country:
    return Country()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with Browser() as found:
        yield found
