"""Token revocation (RFC 7009): a client gives its tokens back; the whole family ends with either kind.

Rule: a stranger's token, a broken one and an unknown one are all answered 200, and nothing happens (§2.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Protocol

from authlib.oauth2 import OAuth2Error  # type: ignore[import-untyped]
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from auth.browser import form
from auth.documents import Client
from auth.errors import AuthError, InvalidToken, Taken
from auth.provider.answers import NO_STORE, Refusal, refused
from auth.provider.families import Family
from auth.store import IndexSpec, Store, expiring, kept
from auth.tokens import AccessTokens

PATH = "/oauth/revoke"
COLLECTION = "auth_revoked_tokens"
INDEXES: tuple[IndexSpec, ...] = (expiring(COLLECTION),)
_LONGER = timedelta(minutes=5)  # clocks differ a little among processes


class Authentication(Protocol):
    """`auth.provider.client_auth.ClientAuthentication`."""

    async def authenticate(
        self, headers: Mapping[str, str], form: Mapping[str, str], endpoint_url: str
    ) -> Client: ...


class RevocableFamilies(Protocol):
    """`auth.provider.families.Families`, as far as it is asked here."""

    async def find_any(self, token: str) -> Family | None: ...

    async def revoke(self, family_id: str) -> None: ...


class Revoked:
    """Single access tokens that were given back, until they expire. Every method may raise `StoreDown`.

    Introspection and userinfo look here; the graph checks tokens by themselves, and they live for minutes.
    """

    def __init__(self, store: Store) -> None:
        self._kept = store.collection(COLLECTION)

    async def note(self, jti: str, expires: int) -> None:
        """Note that the token of this `jti` is no more; again is nothing."""
        until = datetime.fromtimestamp(expires, UTC) + _LONGER
        try:
            await self._kept.insert_one({"_id": kept(jti), "expires": until})
        except Taken:
            return

    async def holds(self, jti: str) -> bool:
        """Whether that token was given back."""
        return await self._kept.find_one({"_id": {"$eq": kept(jti)}}) is not None


class Revocation:
    """The endpoint."""

    def __init__(
        self, issuer: str, authentication: Authentication, tokens: AccessTokens,
        families: RevocableFamilies, revoked: Revoked,
    ) -> None:  # fmt: skip
        self._issuer, self._authentication, self._tokens = issuer, authentication, tokens
        self._families, self._revoked = families, revoked

    def routes(self) -> list[BaseRoute]:
        """`/oauth/revoke`."""
        return [Route(PATH, self._answer, methods=["POST"])]

    async def _answer(self, request: Request) -> Response:
        try:
            fields = await form(request)
            client = await self._authentication.authenticate(request.headers, fields, f"{self._issuer}{PATH}")
            if "token" not in fields:
                raise Refusal("invalid_request", "token is missing")
            await self.revoke(client, fields["token"])
            return Response(status_code=200, headers=NO_STORE)
        except (AuthError, OAuth2Error) as error:
            return refused(error)

    async def revoke(self, client: Client, token: str) -> None:
        """End what `token` belongs to, if it is this client's. Also a refresh token that was used up says
        which family is meant, and its owner wants that to end."""
        if token.count(".") == 2:
            await self._revoke_access(client, token)
            return
        family = await self._families.find_any(token)
        if family is not None and family.client_id == client.id:
            await self._families.revoke(family.id)

    async def _revoke_access(self, client: Client, token: str) -> None:
        try:
            found = self._tokens.opened(token)
        except InvalidToken:
            return
        if found.principal.client_id != client.id:
            return
        await self._revoked.note(found.jti, found.expires)
        if found.family:
            await self._families.revoke(found.family)
