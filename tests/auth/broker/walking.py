"""Somebody of the country walks out to a level's provider and comes back signed in."""

from __future__ import annotations

from auth.broker.upstream import Upstream
from auth.ports import Assertion
from tests.auth.broker.puppet import CALLBACK
from tests.connectors.sandbox.browser import Browser

STATE = "state-of-this-browser"


async def signed_in(level: Upstream, browser: Browser, login: str, password: str, **wish: str) -> Assertion:
    """All of it: out to the provider, its login page, back, and whose ticket it is."""
    url, kept = await level.begin(CALLBACK, STATE, **wish)  # type: ignore[arg-type]
    seen = await browser.sign_in(url, login, password)
    assert seen.to == CALLBACK
    return await level.finish(CALLBACK, seen.said["state"], seen.said, kept)
