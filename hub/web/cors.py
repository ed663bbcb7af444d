"""Browsers' pages of other origins: those of registered applications may read answers, and no others.

Source: the Fetch standard, section CORS protocol. Credentials are never allowed: an application's page sends
its token itself, and no cookie of ours counts for it. Who is not allowed is answered as if this were absent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ASKED = "Authorization, Content-Type, DPoP, X-Rongtong-Provenance, X-Rongtong-Purpose"
TOLD = "DPoP-Nonce, Retry-After, WWW-Authenticate"
PATHS = (
    "/graphql", "/schema.graphql", "/oauth/token", "/oauth/par", "/oauth/userinfo", "/oauth/revoke",
    "/oauth/jwks", "/oauth/device_authorization", "/.well-known/",
)  # fmt: skip
AGE = "600"


class Cors:
    """Around the application. `origins()` are the registered applications' origins as of now."""

    def __init__(self, app: ASGIApp, origins: Callable[[], frozenset[str]]) -> None:
        self._app, self._origins = app, origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""
        if scope["type"] != "http" or not scope["path"].startswith(PATHS):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.getlist("origin")
        if len(given) != 1 or given[0] not in self._origins():
            await self._app(scope, receive, send)
        elif scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            await _preflight(given[0])(scope, receive, send)
        else:
            await self._app(scope, receive, _telling(given[0], send))


def _preflight(origin: str) -> Response:
    return Response(
        status_code=204,
        headers={
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Methods": "GET, POST",
            "Access-Control-Allow-Headers": ASKED,
            "Access-Control-Max-Age": AGE,
            "Vary": "Origin",
        },
    )


def _telling(origin: str, send: Send) -> Any:
    async def told(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["Access-Control-Allow-Origin"] = origin
            headers["Access-Control-Expose-Headers"] = TOLD
            headers.add_vary_header("Origin")
        await send(message)

    return told
