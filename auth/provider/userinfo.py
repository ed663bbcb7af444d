"""UserInfo: what an application may be told of the person who signed in (OpenID Connect Core 5.3).

Rule 1: the subject is the one in the token, so it is the ID token's as well (5.3.2).
Rule 2: a token that was revoked, or whose family was, tells nothing, though it has not expired.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from authlib.oauth2 import OAuth2Error  # type: ignore[import-untyped]
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from auth.documents import Client
from auth.errors import AuthError, InvalidToken
from auth.ports import Profile
from auth.presented import Possession, Presented, Unproven, credentials
from auth.principal import Principal
from auth.provider.answers import answer, refused
from auth.provider.families import Family
from auth.provider.id_tokens import claims_about
from auth.provider.persons import may_be_told
from auth.tokens import AccessTokens, Opened

PATH = "/oauth/userinfo"
ABOUT_SIGN_IN = ("acr", "auth_time")
"""What a claims request may ask for here beside the claims of the scopes granted (Core 5.5)."""


class LivingFamilies(Protocol):
    """`auth.provider.families.Families`, as far as it is asked here."""

    async def get(self, family_id: str) -> Family | None: ...


class RevokedTokens(Protocol):
    """`auth.provider.revoke.Revoked`, as far as it is asked here."""

    async def holds(self, jti: str) -> bool: ...


class KnownClients(Protocol):
    """`auth.clients.Clients`, as far as it is asked here."""

    async def get(self, client_id: str) -> Client | None: ...


class KnownPersons(Protocol):
    """`auth.provider.persons.Persons`, as far as it is asked here."""

    async def profile(self, person: str) -> Profile | None: ...


class UserInfo:
    """The endpoint, by GET and by POST; the token stands in the Authorization header, Bearer or DPoP."""

    def __init__(
        self, issuer: str, tokens: AccessTokens, families: LivingFamilies, revoked: RevokedTokens,
        clients: KnownClients, persons: KnownPersons, possession: Possession | None = None,
    ) -> None:  # fmt: skip
        self._address = f"{issuer}{PATH}"
        self._tokens, self._families, self._revoked = tokens, families, revoked
        self._clients, self._persons = clients, persons
        self._presented = Presented(tokens.verify, possession)

    def routes(self) -> list[BaseRoute]:
        """`/oauth/userinfo`."""
        return [Route(PATH, self._answer, methods=["GET", "POST"])]

    async def _answer(self, request: Request) -> Response:
        try:
            principal = await self._presented.principal(request.method, self._address, request.headers)
            if principal is None:
                # RFC 6750 §3: who shows no token is told of no error.
                return answer({}, 401, {"WWW-Authenticate": "Bearer"})
            if "openid" not in principal.scopes:
                return _challenged(
                    403, "insufficient_scope", "the openid scope is needed", principal.jkt, ', scope="openid"'
                )
            return answer(await self._told(principal, request.headers))
        except InvalidToken as error:
            return _invalid(error)
        except (AuthError, OAuth2Error) as error:
            return refused(error)

    async def _told(self, principal: Principal, headers: Headers) -> dict[str, Any]:
        opened = self._opened(headers)
        wanted = await self._request_of(opened)
        client = await self._clients.get(principal.client_id)
        profile = await self._persons.profile(principal.person) if principal.person else None
        if client is None or profile is None or not may_be_told(client, profile):
            raise InvalidToken
        about: dict[str, Any] = {"acr": principal.acr, "auth_time": principal.auth_time}
        asked = {name: about[name] for name in ABOUT_SIGN_IN if name in wanted and about[name]}
        return asked | claims_about(profile, principal.scopes) | {"sub": principal.subject}

    def _opened(self, headers: Mapping[str, str]) -> Opened:
        shown = credentials(headers)
        assert shown is not None, "its principal was found"
        return self._tokens.opened(shown.token)

    async def _request_of(self, opened: Opened) -> Mapping[str, Any]:
        """The claims request of the grant. Raises `InvalidToken` when it, or the token, was revoked."""
        family = await self._families.get(opened.family) if opened.family else None
        if (opened.family and family is None) or await self._revoked.holds(opened.jti):
            raise InvalidToken
        wanted = family.claims.get("userinfo") if family else None
        return wanted if isinstance(wanted, Mapping) else {}


def _invalid(error: InvalidToken) -> Response:
    if isinstance(error, Unproven):
        return answer({"error": error.error}, 401, {"WWW-Authenticate": error.challenge})
    return _challenged(401, "invalid_token", "the access token is invalid, expired or revoked")


def _challenged(status: int, code: str, text: str, jkt: str = "", more: str = "") -> Response:
    scheme = "DPoP" if jkt else "Bearer"
    challenge = f'{scheme} error="{code}", error_description="{text}"{more}'
    return answer({"error": code, "error_description": text}, status, {"WWW-Authenticate": challenge})
