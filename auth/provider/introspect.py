"""Token introspection (RFC 7662): whether a token lives, told to those whom it concerns.

Rule 1: only a client that proved itself asks; it sees its own tokens. A resource server, which the operator
gave the scope `introspect`, sees every access token.
Rule 2: every other token, whatever is wrong with it, is `{"active": false}`; nobody learns that it exists.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

from authlib.oauth2 import OAuth2Error  # type: ignore[import-untyped]
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from auth.browser import form
from auth.documents import Client
from auth.errors import AuthError, InvalidToken
from auth.provider.answers import Refusal, answer, refused
from auth.provider.client_auth import InvalidClient
from auth.provider.families import Family
from auth.provider.subjects import subject_for
from auth.tokens import AccessTokens, Opened

PATH = "/oauth/introspect"
SEES_ALL = "introspect"
"""The scope of a resource server's client; only the settings give it."""
INACTIVE: Mapping[str, Any] = {"active": False}


class Authentication(Protocol):
    """`auth.provider.client_auth.ClientAuthentication`."""

    async def authenticate(
        self, headers: Mapping[str, str], form: Mapping[str, str], endpoint_url: str
    ) -> Client: ...


class LivingFamilies(Protocol):
    """`auth.provider.families.Families`, as far as it is asked here."""

    async def active(self, family_id: str) -> bool: ...

    async def find(self, token: str) -> Family | None: ...


class RevokedTokens(Protocol):
    """`auth.provider.revoke.Revoked`, as far as it is asked here."""

    async def holds(self, jti: str) -> bool: ...


class Secrets(Protocol):
    """`auth.keys.KeyRing`, as far as subjects need it."""

    def derived(self, label: str, length: int = 32) -> bytes: ...


class Introspection:
    """The endpoint. `clock` gives seconds since 1970."""

    def __init__(
        self, issuer: str, authentication: Authentication, tokens: AccessTokens, families: LivingFamilies,
        revoked: RevokedTokens, keys: Secrets, clock: Callable[[], float],
    ) -> None:  # fmt: skip
        self._issuer, self._authentication, self._tokens = issuer, authentication, tokens
        self._families, self._revoked, self._clock = families, revoked, clock
        self._subject = partial(subject_for, keys)

    def routes(self) -> list[BaseRoute]:
        """`/oauth/introspect`."""
        return [Route(PATH, self._answer, methods=["POST"])]

    async def _answer(self, request: Request) -> Response:
        try:
            fields = await form(request)
            client = await self._authentication.authenticate(request.headers, fields, f"{self._issuer}{PATH}")
            if client.auth_method == "none":
                raise InvalidClient("only a confidential client may ask")
            if "token" not in fields:
                raise Refusal("invalid_request", "token is missing")
            return answer(await self.told(client, fields["token"]))
        except (AuthError, OAuth2Error) as error:
            return refused(error)

    async def told(self, client: Client, token: str) -> Mapping[str, Any]:
        """What `client` is told of `token` (§2.2). The hint is not needed: their shapes differ."""
        if token.count(".") == 2:
            return await self._of_access(client, token)
        return await self._of_refresh(client, token)

    async def _of_access(self, client: Client, token: str) -> Mapping[str, Any]:
        try:
            found = self._tokens.opened(token)
        except InvalidToken:
            return INACTIVE
        if found.principal.client_id != client.id and SEES_ALL not in client.scopes:
            return INACTIVE
        return _access(self._tokens, found) if await self._lives(found) else INACTIVE

    async def _lives(self, found: Opened) -> bool:
        if found.expires <= self._clock():  # no leeway here: who asks may have some of their own
            return False
        if found.family and not await self._families.active(found.family):
            return False
        return not await self._revoked.holds(found.jti)

    async def _of_refresh(self, client: Client, token: str) -> Mapping[str, Any]:
        family = await self._families.find(token)
        if family is None or family.client_id != client.id:
            return INACTIVE
        return {
            "active": True,
            "client_id": client.id,
            "iss": self._issuer,
            "sub": self._subject(client, family.person),
            "scope": " ".join(family.scopes),
            "iat": int(family.created.timestamp()),
            "exp": int(family.expires.timestamp()),
        }


def _access(tokens: AccessTokens, found: Opened) -> dict[str, Any]:
    principal = found.principal
    claims = {
        "active": True,
        "token_type": "DPoP" if principal.jkt else "Bearer",
        "client_id": principal.client_id,
        "iss": tokens.issuer,
        "aud": tokens.audience,
        "sub": principal.subject,
        "scope": " ".join(principal.scopes),
        "jti": found.jti,
        "iat": found.issued,
        "exp": found.expires,
        "acr": principal.acr,
        "auth_time": principal.auth_time,
        "cnf": {"jkt": principal.jkt} if principal.jkt else None,
    }
    return {name: value for name, value in claims.items() if value}
