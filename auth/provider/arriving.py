"""An authorization request comes in, plain, pushed or signed: its client and redirect_uri are proven first.

Rule: `Denied` (a page) until both are proven; from then on an error belongs to the client.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from authlib.oauth2 import OAuth2Error  # type: ignore[import-untyped]

from auth.clients import Clients
from auth.documents import Client, Interaction
from auth.errors import Denied
from auth.provider.answers import Refusal
from auth.provider.asked import LONGEST, known
from auth.provider.id_tokens import IdTokens
from auth.provider.pushed import URN, Pushed
from auth.provider.request_object import RequestObjects


@dataclass(frozen=True, slots=True)
class Arrived:
    """A request whose `client` and `values["redirect_uri"]` are proven. `par`: the pushed request it is;
    `error`: what is wrong with the rest already."""

    client: Client
    values: dict[str, Any] = field(repr=False)
    par: str = ""
    error: OAuth2Error | None = None


class Arriving:
    """Reads what browsers bring."""

    def __init__(
        self, clients: Clients, pushed: Pushed, objects: RequestObjects, id_tokens: IdTokens
    ) -> None:
        self._clients, self._pushed, self._objects, self._id_tokens = clients, pushed, objects, id_tokens

    async def read(self, given: Mapping[str, str], mark: str) -> Arrived:
        """The request of a query, in the browser with this mark. Raises `Denied`, `StoreDown`."""
        client = await self._client(given.get("client_id", ""))
        try:
            values, par = await self._values(client, given, mark)
        except OAuth2Error as error:
            # Whatever else it holds, a registered address that stands there plainly may be told.
            return self._proven(Arrived(client, _plain(given), "", error))
        return self._proven(Arrived(client, hinted(self._id_tokens, client, values), par))

    async def again(self, interaction: Interaction) -> Arrived:
        """A request that was kept. Raises `Denied` when its client is gone or no longer has the address."""
        client = await self._client(interaction.client_id)
        return self._proven(Arrived(client, interaction.params, interaction.par))

    async def _client(self, client_id: str) -> Client:
        client = await self._clients.get(client_id) if client_id else None
        if client is None:
            raise Denied("UNKNOWN_CLIENT", "应用未登记，无法登录 / this application is not registered here")
        return client

    def _proven(self, arrived: Arrived) -> Arrived:
        uri = arrived.values.get("redirect_uri", "")
        if uri and self._clients.allows_redirect(arrived.client, uri):
            return arrived
        if arrived.error is not None and not uri:
            raise Denied("BAD_REQUEST", _TEXTS.get(arrived.error.error, _TEXTS[""]))
        raise Denied(
            "BAD_REDIRECT_URI",
            "回调地址与登记的不一致，为安全起见不再继续 / the redirect address is not the registered one",
        )

    async def _values(
        self, client: Client, given: Mapping[str, str], mark: str
    ) -> tuple[dict[str, Any], str]:
        """The parameters that count, and the id of the pushed request they came by. Raises `Refusal`."""
        if "request_uri" in given:
            return await self._of_pushed(client, given["request_uri"], mark)
        if client.require_par:
            raise Refusal("invalid_request", "this client pushes its requests (PAR)")
        if "request" in given:
            return known(await self._objects.opened(client, given)), ""
        if client.require_signed_request:
            raise Refusal("invalid_request", "this client signs its requests")
        if "registration" in given:
            raise Refusal("registration_not_supported")
        return known(given), ""

    async def _of_pushed(self, client: Client, uri: str, mark: str) -> tuple[dict[str, Any], str]:
        if not uri.startswith(URN):  # never fetched (RFC 9101 §10.4: SSRF)
            raise Refusal("request_uri_not_supported", "only pushed requests have a request_uri")
        found = await self._pushed.arrive(uri, client.id, mark)
        if found is None:
            raise Refusal("invalid_request_uri", "unknown, expired, used, or of another browser")
        return found[1], found[0]


def hinted(id_tokens: IdTokens, client: Client, values: dict[str, Any]) -> dict[str, Any]:
    """With whom an `id_token_hint` speaks of, in place of the token, which is not kept."""
    kept = {name: value for name, value in values.items() if name != "id_token_hint"}
    if "id_token_hint" in values:
        # A hint that is not ours speaks of nobody: no session will do for it.
        kept["_subject"] = id_tokens.subject(values["id_token_hint"], client) or "?"
    return kept


def _plain(given: Mapping[str, str]) -> dict[str, Any]:
    """What an error's answer needs."""
    names = ("redirect_uri", "state", "response_mode", "ui_locales")
    return {name: given[name] for name in names if name in given and len(given[name]) <= LONGEST[name]}


_TEXTS = {
    "invalid_request_uri": (
        "登录请求已过期或已使用，请回到应用重新开始 / "
        "the sign-in request has expired or was used: go back to the application and start anew"
    ),
    "invalid_request_object": (
        "应用的签名请求无效，请联系应用 / the application's signed request is not valid"
    ),
    "request_uri_not_supported": (
        "不接受以地址给出的请求 / requests by an address other than a pushed one are not accepted"
    ),
    "": "应用的登录请求有误，请联系应用 / the application's sign-in request is not valid",
}
