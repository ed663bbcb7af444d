"""The authorization code grant: Authlib's, with S256 only, atomic redemption and our own issuing.

Rule 1: client, redirect_uri, key and PKCE are checked before a code is touched: a stranger burns nothing.
Rule 2: a code is redeemed by beginning its family, whose id follows from it: the database lets one through.
Rule 3: a second use revokes what came from the first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant  # type: ignore[import-untyped]
from authlib.oauth2.rfc7636 import CodeChallenge  # type: ignore[import-untyped]
from authlib.oauth2.rfc7636.challenge import compare_s256_code_challenge  # type: ignore[import-untyped]

from auth.bridge import wait
from auth.documents import Client
from auth.errors import Taken
from auth.provider import scopes
from auth.provider.answers import Refusal
from auth.provider.asked import Asked, understood
from auth.provider.codes import Code, ShownCode
from auth.provider.families import family_of_code
from auth.provider.issuing import Grant, Prepared
from auth.provider.requests import RelyingParty, Unprinted

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Agreed:
    """What a person agreed to, and the session they did it in; times of the sign-in itself."""

    person: str = field(repr=False)
    session: str = field(repr=False)
    scopes: tuple[str, ...]
    auth_time: int
    acr: str
    amr: tuple[str, ...]


class Code256(CodeChallenge):  # type: ignore[misc]
    """PKCE (RFC 7636) with S256, required unless the client is excepted; "plain" does not exist."""

    DEFAULT_CODE_CHALLENGE_METHOD = "S256"
    SUPPORTED_CODE_CHALLENGE_METHOD = ("S256",)
    CODE_CHALLENGE_METHODS = {"S256": compare_s256_code_challenge}  # noqa: RUF012 - Authlib's shape

    def validate_code_challenge(self, grant: AuthorizationCode, redirect_uri: Any) -> None:
        """At the authorization endpoint."""
        data = grant.request.payload.data
        challenge, method = data.get("code_challenge"), data.get("code_challenge_method")
        if challenge is None and method is None and not grant.party.require_pkce:
            return
        if challenge is None or not _CHALLENGE.fullmatch(challenge):
            raise Refusal("invalid_request", "code_challenge of PKCE is required")
        if method != "S256":  # also when it is missing: that would mean plain (RFC 7636 §4.3)
            raise Refusal("invalid_request", "code_challenge_method is S256")


class Understood:
    """Has the request's OpenID parameters understood when Authlib validates it."""

    def __call__(self, grant: AuthorizationCode) -> None:
        grant.register_hook("after_validate_authorization_request_payload", self._understand)

    def _understand(self, grant: AuthorizationCode, _result: Any) -> None:
        grant.asked = understood(grant.request.payload.data)


class AuthorizationCode(AuthorizationCodeGrant):  # type: ignore[misc]
    """`asked` is there once the authorization request is validated."""

    asked: Asked

    @property
    def party(self) -> Client:
        """The client."""
        shown: RelyingParty = self.request.client
        return shown.client

    @staticmethod
    def validate_authorization_redirect_uri(request: Any, client: RelyingParty) -> str:
        """Said, and registered to the letter. Quotes nothing: Authlib's own text breaks on Chinese."""
        uri = request.payload.redirect_uri
        if not uri or not client.check_redirect_uri(uri):
            raise Refusal("invalid_request", "redirect_uri is not registered for this client")
        return str(uri)

    def validate_requested_scope(self) -> None:
        """Known scopes that are registered for the client."""
        wanted = scopes.parsed(self.request.payload.scope or "")
        if not wanted or not scopes.allowed(wanted, self.party.scopes):
            raise Refusal("invalid_scope", "a scope is missing, malformed, unknown or not registered")

    def create_authorization_response(self, redirect_uri: str, agreed: Agreed) -> dict[str, str]:
        """The code, and the state as it came: what the client is answered."""
        data, asked = self.request.payload.data, self.asked
        code = wait(
            self.server.codes.issue(
                client_id=self.party.id, redirect_uri=redirect_uri, person=agreed.person,
                session=agreed.session, scopes=agreed.scopes, challenge=data.get("code_challenge", ""),
                nonce=data.get("nonce", ""), auth_time=agreed.auth_time, acr=agreed.acr, amr=agreed.amr,
                claims=asked.claims, jkt=asked.jkt,
            )
        )  # fmt: skip
        return {"code": code} | ({"state": data["state"]} if "state" in data else {})

    def query_authorization_code(self, code: str, client: RelyingParty) -> ShownCode | None:
        """This client's code, if the key that was proven is the one it is bound to."""
        found: Code | None = wait(self.server.codes.find(code, client.client.id))
        if found is None or (found.jkt and found.jkt != self.request.jkt):
            return None
        return ShownCode(found)

    def authenticate_user(self, authorization_code: ShownCode) -> Prepared:
        """Everything about the person that tokens need, read before the code is used."""
        code = authorization_code.code
        return wait(self._prepared(code))

    def generate_token(
        self, user: Prepared, scope: str, include_refresh_token: bool = True, **_: Any
    ) -> dict[str, Any]:
        """Sign, then claim the code: what fails in between has changed nothing."""
        code: Code = self.request.authorization_code.code
        return wait(self._issued(code, user, include_refresh_token))

    def save_token(self, token: Any) -> None:
        """Look again whether the code was replayed, or its session or person revoked, meanwhile."""
        wait(self._still(self.request.authorization_code.code))

    def delete_authorization_code(self, authorization_code: ShownCode) -> None:
        """It stays until it is forgotten, so that a replay is recognised."""

    async def _prepared(self, code: Code) -> Prepared:
        if self.server.codes.over(code):
            await self._replayed(code)
        try:
            return await self.server.issuing.prepare(  # type: ignore[no-any-return]
                self.party, code.person, code.session, needs_session=True
            )
        except Refusal:
            await self.server.families.revoke(family_of_code(code.id))
            raise

    async def _issued(self, code: Code, prepared: Prepared, with_refresh: bool) -> dict[str, Any]:
        grant = Grant(
            person=code.person, session=code.session, scopes=code.scopes, family=family_of_code(code.id),
            auth_time=code.auth_time, acr=code.acr, amr=code.amr, claims_request=code.claims,
        )  # fmt: skip
        answer: dict[str, Any] = self.server.issuing.signed(
            prepared, grant, with_id_token="openid" in code.scopes, jkt=self.request.jkt, nonce=code.nonce
        )
        refresh = await self._claimed(code, with_refresh)
        return Unprinted(answer | ({"refresh_token": refresh} if refresh else {}))

    async def _claimed(self, code: Code, with_refresh: bool) -> str:
        """Begin the code's family: one gets through. The refresh token, if any."""
        public = self.party.auth_method == "none"
        try:
            _, refresh = await self.server.families.start(
                with_refresh, code_id=code.id, client_id=code.client_id, person=code.person,
                session=code.session, scopes=code.scopes, jkt=self.request.jkt if public else "",
                offline="offline_access" in code.scopes, auth_time=code.auth_time, acr=code.acr,
                amr=code.amr, nonce=code.nonce, claims=code.claims,
            )  # fmt: skip
        except Taken:
            await self._replayed(code)
        return str(refresh)

    async def _still(self, code: Code) -> None:
        if not await self.server.codes.there(code):
            await self.server.families.revoke(family_of_code(code.id))
        await self.server.issuing.still(family_of_code(code.id))

    async def _replayed(self, code: Code) -> None:
        """A second use, or one too late: whatever came from it is revoked (RFC 6749 §4.1.2)."""
        if await self.server.families.active(family_of_code(code.id)):
            await self.server.families.revoke(family_of_code(code.id))
            await self.server.note("code.replayed", code.person, code.client_id)
        raise Refusal("invalid_grant", "the code was used before or has expired")
