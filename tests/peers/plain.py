"""An application of a few lines, for requests that must say exactly what a story wants said."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp
import orjson
from joserfc import jws

from tests.peers.conftest import BACK, SECRET
from tests.peers.town import Browser, Landed, Town

CLIENT, VERIFIER = "web-office", "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
REQUEST = {
    "client_id": CLIENT, "redirect_uri": BACK, "response_type": "code", "scope": "openid profile",
    "state": "s t ä", "nonce": "n", "code_challenge": CHALLENGE, "code_challenge_method": "S256",
}  # fmt: skip


async def asked(hub: Town, officer: Browser, **changed: str) -> Landed:
    """Where the browser lands with this request; a parameter of "" is left out."""
    said = {name: value for name, value in {**REQUEST, **changed}.items() if value}
    return await officer.go(f"{hub.issuer}/oauth/authorize?{urlencode(said)}", stop=BACK)


def told(landed: Landed) -> dict[str, str]:
    """What the application is told through the browser."""
    assert landed.url.startswith(BACK), (landed.url, landed.status)
    return dict(parse_qsl(urlsplit(landed.url).query))


async def sent(
    hub: Town, path: str, *, secret: str = SECRET, token: str = "", **form: str
) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Status, JSON and lower-cased headers of what the application is answered to a form."""
    headers = {"Authorization": f"Bearer {token}" if token else aiohttp.encode_basic_auth(CLIENT, secret)}
    async with (
        aiohttp.ClientSession() as client,
        client.post(hub.issuer + path, data=form, headers=headers) as answer,
    ):
        body = await answer.read()
        lowered = {name.lower(): value for name, value in answer.headers.items()}
        return answer.status, orjson.loads(body) if body else {}, lowered


async def redeemed(hub: Town, landed: Landed, **changed: str) -> tuple[int, dict[str, Any], dict[str, str]]:
    """The token endpoint's answer to the code that came back."""
    form = {"grant_type": "authorization_code", "code": told(landed)["code"], "redirect_uri": BACK,
            "code_verifier": VERIFIER}  # fmt: skip
    return await sent(hub, "/oauth/token", **{**form, **changed})


def claims(token: str) -> dict[str, Any]:
    """The claims of an ID token that others have validated already."""
    found: dict[str, Any] = orjson.loads(jws.extract_compact(token.encode()).payload)
    return found
