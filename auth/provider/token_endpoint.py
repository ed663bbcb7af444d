"""`POST /oauth/token`: every grant's way in (RFC 6749 §3.2), with proofs of possession (RFC 9449)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from auth.browser import form
from auth.provider.answers import Refusal, refused
from auth.provider.requests import OAuthRequest
from auth.provider.server import AuthorizationServer

PATH = "/oauth/token"
_LONGEST = 16_384


class Possession(Protocol):
    """Checks DPoP proofs (`auth.dpop.DPoP`)."""

    async def thumbprint(
        self, method: str, url: str, headers: Mapping[str, str], access_token: str = ""
    ) -> str: ...


async def proven_key(dpop: Possession | None, method: str, url: str, headers: Mapping[str, str]) -> str:
    """The thumbprint of the key that a request proves; "" without a proof. Raises what `dpop` raises."""
    if dpop is None or not any(name.lower() == "dpop" for name in headers):
        return ""
    return await dpop.thumbprint(method, url, headers)


class TokenEndpoint:
    """`issuer` has no slash at its end."""

    def __init__(self, server: AuthorizationServer, issuer: str, dpop: Possession | None = None) -> None:
        self._server, self._url, self._dpop = server, f"{issuer}{PATH}", dpop

    def routes(self) -> list[BaseRoute]:
        """Its one address."""
        return [Route(PATH, self._answer, methods=["POST"])]

    async def _answer(self, request: Request) -> Response:
        try:
            given = await form(request)
            if any(len(value) > _LONGEST for value in given.values()):
                raise Refusal("invalid_request", "a parameter is too long")
            if "grant_type" not in given:
                raise Refusal("invalid_request", "grant_type is missing")
            jkt = await proven_key(self._dpop, request.method, self._url, request.headers)
            return await self._server.token(
                OAuthRequest(request.method, self._url, request.headers, given, jkt)
            )
        except Exception as error:  # the seam: what it does not know goes on as it came
            return refused(error)
