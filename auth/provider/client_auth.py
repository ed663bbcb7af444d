"""Who is calling: a client proves itself by its one registered method, or is nobody (RFC 6749 §2.3, 7523).

Rule 1: exactly one method a request, and it is the one registered; whatever is malformed is 400 or 401.
Rule 2: an unknown client and a wrong secret are told the same.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from typing import Protocol
from urllib.parse import unquote_plus

from auth.documents import Client
from auth.errors import AuthError
from auth.fetch import FetchFailed
from auth.provider.signed import BadSignature, Signed, unverified_claim
from auth.store import kept

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LONGEST_ASSERTION = 300
_LONGEST = 2048


class InvalidClient(AuthError):
    """Client authentication failed. `status` is 401 where a header was tried, else 401 or 400 by what was
    wrong; `challenge` is the WWW-Authenticate of a 401; `reason` is English and quotes nothing sent."""

    code = "INVALID_CLIENT"
    public = "客户端认证失败 / client authentication failed"
    error = "invalid_client"

    def __init__(self, reason: str = "client authentication failed", status: int = 401) -> None:
        super().__init__()
        self.reason, self.status = reason, status
        self.challenge = 'Basic realm="oauth", charset="UTF-8"' if status == 401 else ""


class KnownClients(Protocol):
    """The clients there are."""

    async def get(self, client_id: str) -> Client | None: ...


class ClientAuthentication:
    """Authenticates clients at every endpoint that asks for it. `issuer` and `token_url` are audiences that
    an assertion may name beside the endpoint's own address (RFC 9126 §2)."""

    def __init__(self, clients: KnownClients, signed: Signed, issuer: str, token_url: str) -> None:
        self._clients, self._signed = clients, signed
        self._ours = (issuer, f"{issuer}/", token_url)

    async def authenticate(
        self, headers: Mapping[str, str], form: Mapping[str, str], endpoint_url: str
    ) -> Client:
        """The client. Raises `InvalidClient` (400, 401), `StoreDown`.

        `headers.items()` tells repeated headers apart, as Starlette's do; `form` is single-valued.
        """
        authorization = _authorization(headers)
        ways = [bool(authorization), "client_secret" in form, _asserts(form)]
        if sum(ways) > 1:
            raise InvalidClient("more than one way of authentication", 400)
        if authorization:
            return await self._by_basic(authorization, form)
        if "client_secret" in form:
            return await self._by_post(form)
        if _asserts(form):
            return await self._by_assertion(form, endpoint_url)
        return await self._public(form)

    async def _by_basic(self, authorization: str, form: Mapping[str, str]) -> Client:
        client_id, secrets = _basic(authorization)
        if form.get("client_id", client_id) != client_id:
            raise InvalidClient("client_id differs from the one in the header")
        return await self._with_secret(client_id, secrets, "client_secret_basic")

    async def _by_post(self, form: Mapping[str, str]) -> Client:
        return await self._with_secret(
            form.get("client_id", ""), (form["client_secret"],), "client_secret_post"
        )

    async def _with_secret(self, client_id: str, secrets: tuple[str, ...], method: str) -> Client:
        client = await self._find(client_id)
        wanted = client.secret_kept if client else ""
        right = [hmac.compare_digest(kept(each), wanted) for each in secrets if len(each) <= _LONGEST]
        if client is None or not wanted or not any(right) or client.auth_method != method:
            raise InvalidClient
        return client

    async def _by_assertion(self, form: Mapping[str, str], endpoint_url: str) -> Client:
        if form.get("client_assertion_type") != ASSERTION_TYPE or "client_assertion" not in form:
            raise InvalidClient("client_assertion_type is not the one of a JWT", 400)
        token = form["client_assertion"]
        client_id = form.get("client_id") or unverified_claim(token, "sub")
        client = await self._find(client_id)
        if client is None or client.auth_method != "private_key_jwt":
            raise InvalidClient
        try:
            claims = await self._signed.claims(
                client, token, purpose="assertion", types=("jwt", "client-authentication+jwt"),
                audiences=(*self._ours, endpoint_url), longest=LONGEST_ASSERTION,
            )  # fmt: skip
        except BadSignature as error:
            raise InvalidClient(f"client_assertion: {error}") from None
        except FetchFailed:
            raise InvalidClient("the keys of the client cannot be read just now") from None
        if claims.get("sub") != client.id:
            raise InvalidClient("client_assertion: sub is not the client_id")
        return client

    async def _public(self, form: Mapping[str, str]) -> Client:
        client = await self._find(form.get("client_id", ""))
        if client is None or client.auth_method != "none":
            raise InvalidClient
        return client

    async def _find(self, client_id: str) -> Client | None:
        return await self._clients.get(client_id) if 0 < len(client_id) <= _LONGEST else None


def _asserts(form: Mapping[str, str]) -> bool:
    return "client_assertion" in form or "client_assertion_type" in form


def _authorization(headers: Mapping[str, str]) -> str:
    given = [value for name, value in headers.items() if name.lower() == "authorization"]
    if len(given) > 1:
        raise InvalidClient("more than one Authorization header", 400)
    return given[0] if given else ""


def _basic(authorization: str) -> tuple[str, tuple[str, ...]]:
    """client_id and how its secret may be meant: form-encoded as RFC 6749 §2.3.1 asks, or as it stands."""
    scheme, _, encoded = authorization.strip().partition(" ")
    if scheme.lower() != "basic":
        raise InvalidClient("the Authorization header is not Basic")
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        raise InvalidClient("the Basic credentials are not base64 of UTF-8") from None
    name, colon, secret = text.partition(":")
    if not colon or "\0" in text:
        raise InvalidClient("the Basic credentials have no colon")
    return unquote_plus(name), tuple(dict.fromkeys((unquote_plus(secret), secret)))
