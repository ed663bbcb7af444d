"""`POST /oauth/par`: a request pushed by its client, checked before any browser is involved (RFC 9126)."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from auth.browser import form
from auth.documents import Client
from auth.provider.answers import Refusal, answer, refused
from auth.provider.arriving import hinted
from auth.provider.asked import known
from auth.provider.id_tokens import IdTokens
from auth.provider.pushed import LIFE, Pushed
from auth.provider.request_object import RequestObjects
from auth.provider.requests import OAuthRequest
from auth.provider.server import AuthorizationServer
from auth.provider.token_endpoint import Possession, proven_key

PATH = "/oauth/par"


class PushedRequests:
    """The endpoint. `issuer` has no slash at its end."""

    def __init__(
        self, server: AuthorizationServer, issuer: str, pushed: Pushed, objects: RequestObjects,
        id_tokens: IdTokens, dpop: Possession | None = None,
    ) -> None:  # fmt: skip
        self._server, self._url, self._pushed = server, f"{issuer}{PATH}", pushed
        self._objects, self._id_tokens, self._dpop = objects, id_tokens, dpop

    def routes(self) -> list[BaseRoute]:
        """Its one address."""
        return [Route(PATH, self._answer, methods=["POST"])]

    async def _answer(self, request: Request) -> Response:
        try:
            given = await form(request)
            client = await self._server.authentication.authenticate(request.headers, given, self._url)
            values = await self._values(client, given)
            jkt = await proven_key(self._dpop, request.method, self._url, request.headers)
            values = hinted(self._id_tokens, client, _bound(values, jkt))
            await self._server.validated(OAuthRequest("POST", self._url, request.headers, values))
            uri = await self._pushed.keep(client.id, values)
        except Exception as error:  # the seam: what it does not know goes on as it came
            return refused(error)
        return answer({"request_uri": uri, "expires_in": int(LIFE.total_seconds())}, 201)

    async def _values(self, client: Client, given: Mapping[str, str]) -> dict[str, str]:
        """The request's parameters, without the client's authentication."""
        if "request_uri" in given:
            raise Refusal("invalid_request", "request_uri has no place in a pushed request")
        if "request" in given:
            return known(await self._objects.opened(client, given))
        if client.require_signed_request and client.origin != "federation":
            # A client of a chain has proven itself by private_key_jwt here (OpenID Federation 12.1.1.2).
            raise Refusal("invalid_request", "this client signs its requests")
        return known(given) | {"client_id": client.id}


def _bound(values: dict[str, str], jkt: str) -> dict[str, str]:
    """The parameters, with the key proven here as the one the code is bound to (RFC 9449 §10.1)."""
    if jkt and values.get("dpop_jkt", jkt) != jkt:
        raise Refusal("invalid_dpop_proof", "dpop_jkt is not the key of the proof")
    return values | ({"dpop_jkt": jkt} if jkt else {})
