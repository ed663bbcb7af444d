"""What stories tell npm's openid-client to do again and again."""

from __future__ import annotations

from typing import Any

from joserfc import jws

from tests.peers.conftest import BACK, SECRET
from tests.peers.talk import Peer
from tests.peers.town import Browser, Town

EVERYTHING = "openid profile roles offline_access graph"
QUERY = {"query": "{ me { displayName } }"}


async def known(peer: Peer, hub: Town, client_id: str, auth: str, **more: Any) -> dict[str, Any]:
    """The hub's metadata, as this client has discovered it."""
    found: dict[str, Any] = await peer.ask(
        "know", issuer=hub.issuer, client_id=client_id, auth=auth, secret=SECRET, **more
    )
    return found


async def signed_in(
    peer: Peer, officer: Browser, client_id: str, *, way: str = "plain", scope: str = EVERYTHING,
    back: str = BACK, **more: str,
) -> dict[str, Any]:  # fmt: skip
    """Tokens and claims, after the officer has signed in and agreed."""
    begun = await peer.ask("begin", client_id=client_id, redirect_uri=back, scope=scope, way=way, more=more)
    landed = await officer.go(begun["url"], stop=back)
    tokens: dict[str, Any] = await peer.ask("finish", url=landed.url, state=begun["state"])
    return tokens


def header(token: str) -> dict[str, Any]:
    """The header of a token that others have validated."""
    found: dict[str, Any] = jws.extract_compact(token.encode()).headers()
    return found
