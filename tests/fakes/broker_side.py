"""The broker's side of a story about a level's provider: its clock, its seal, its table, a browser's way."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from auth.broker.upstream import Upstream
from auth.ports import Assertion
from auth.settings import UpstreamSettings
from tests.fakes.hostile_provider import CLIENT_ID, CLIENT_SECRET, HostileProvider, browse

CALLBACK = "https://hub.test/sign-in/county/callback"


class Clock:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class Keyed:
    """Stands for the connectors' seal: tells which number it was asked for without naming it."""

    def match_key(self, number: str) -> str:
        """Not the number."""
        return f"keyed:{sum(map(ord, number))}"


async def loopback(_host: str) -> Sequence[str]:
    """Every name leads here; a guard may open loopback for single names, and not for the address itself."""
    return ["127.0.0.1"]


def county(provider: HostileProvider, **other: Any) -> UpstreamSettings:
    """The table of the county that `provider` is."""
    values: dict[str, Any] = {
        "code": "county", "kind": "oidc", "name": "某县", "level": "COUNTY", "region": "371502",
        "issuer": provider.url, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET,
        "algorithms": ("ES256", "RS256", "PS256", "EdDSA"), "options": {"plain_http": True},
        "assurance": {"real-name": "NAME_VERIFIED"}, "claims": {"roster": "roster_id"},
        "authoritative": ("roster:county-tables",),
    }  # fmt: skip
    return UpstreamSettings(**{**values, **other})


async def signed_in(upstream: Upstream, **asked: Any) -> Assertion:
    """A browser goes there and back."""
    state = secrets.token_urlsafe(32)
    url, kept = await upstream.begin(CALLBACK, state, **asked)
    return await upstream.finish(CALLBACK, state, await browse(url), kept)
