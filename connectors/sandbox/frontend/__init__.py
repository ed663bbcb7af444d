"""A frontend application as a school has one: a page of its own origin that signs people in at the hub.

The page is a public client (code + PKCE, tokens only in the tab's memory and session storage); its server
serves files and hears of ended sessions (OpenID Connect Back-Channel Logout 1.0), which the page asks for.
"""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from importlib import resources
from typing import Any

import aiohttp
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
REMEMBERED = 10_000
TYPES = {"css": "text/css", "html": "text/html", "js": "text/javascript"}


class Ended:
    """The sessions that the hub said are over; bounded, oldest forgotten first."""

    def __init__(self) -> None:
        self._sids: OrderedDict[str, float] = OrderedDict()

    def note(self, sid: str) -> None:
        """This session is over."""
        self._sids[sid] = time.time()
        while len(self._sids) > REMEMBERED:
            self._sids.popitem(last=False)

    def __contains__(self, sid: str) -> bool:
        return sid in self._sids


def app(hub: str, client_id: str, title: tuple[str, str]) -> Starlette:
    """The application for the hub at this address; `title` in Chinese and English."""
    ended = Ended()
    told = {"issuer": hub, "client_id": client_id, "title": list(title), "graph": f"{hub}/graphql"}
    files = {
        entry.name: entry.read_bytes() for entry in resources.files(__package__).joinpath("static").iterdir()
    }

    async def page(_request: Request) -> Response:
        return _file("page.html", files["page.html"], hub)

    async def static(request: Request) -> Response:
        name = request.path_params["name"]
        return _file(name, files[name], hub) if name in files else Response(status_code=404)

    async def settings(_request: Request) -> Response:
        return JSONResponse(told, headers={"Cache-Control": "no-store"})

    async def over(request: Request) -> Response:
        sid = request.query_params.get("sid", "")
        return JSONResponse({"ended": sid in ended}, headers={"Cache-Control": "no-store"})

    async def logout(request: Request) -> Response:
        body = (await request.body())[:16_384]
        token = dict(part.partition("=")[::2] for part in body.decode("ascii", "replace").split("&"))
        try:
            claims = await _checked(token.get("logout_token", ""), hub, client_id)
        except (JoseError, ValueError, aiohttp.ClientError, TimeoutError) as error:
            return JSONResponse({"error": "invalid_request", "error_description": type(error).__name__}, 400)
        ended.note(claims["sid"])
        return Response(status_code=200, headers={"Cache-Control": "no-store"})

    return Starlette(
        routes=[
            Route("/", page),
            Route("/callback", page),
            Route("/settings.json", settings),
            Route("/ended", over),
            Route("/backchannel-logout", logout, methods=["POST"]),
            Route("/static/{name}", static),
        ]
    )


async def _checked(token: str, issuer: str, client_id: str) -> dict[str, Any]:
    """The claims of a logout token (Back-Channel Logout §2.6). Raises ValueError or JoseError."""
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session,
        session.get(f"{issuer}/oauth/jwks") as reply,
    ):
        keys = KeySet.import_key_set(json.loads(await reply.text()))
    decoded = jwt.decode(token, keys, algorithms=["ES256"])
    claims = decoded.claims
    if decoded.header.get("typ") != "logout+jwt" or claims.get("iss") != issuer or "nonce" in claims:
        raise ValueError("not a logout token of this issuer")
    audience = claims.get("aud")
    if client_id not in ([audience] if isinstance(audience, str) else audience or []):
        raise ValueError("for another client")
    if LOGOUT not in claims.get("events", {}) or not isinstance(claims.get("sid"), str):
        raise ValueError("no logout event")
    if abs(time.time() - claims.get("iat", 0)) > 300:
        raise ValueError("too old")
    return claims


def _file(name: str, content: bytes, hub: str) -> Response:
    policy = (
        f"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' {hub}; "
        "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    )
    headers = {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-cache",
        "Referrer-Policy": "no-referrer",
    }
    return Response(content, headers=headers, media_type=TYPES[name.rpartition(".")[2]])
