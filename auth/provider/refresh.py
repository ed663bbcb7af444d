"""The refresh grant: Authlib's, rotating in families, never a wider scope (RFC 6749 §6, RFC 9700 §4.14)."""

from __future__ import annotations

from typing import Any

from authlib.oauth2.rfc6749 import TokenMixin  # type: ignore[import-untyped]
from authlib.oauth2.rfc6749.grants import RefreshTokenGrant  # type: ignore[import-untyped]

from auth.bridge import wait
from auth.documents import Client
from auth.provider import scopes
from auth.provider.answers import Refusal
from auth.provider.families import Family, Replayed
from auth.provider.issuing import Prepared, grant_of
from auth.provider.requests import RelyingParty, Unprinted


class ShownFamily(TokenMixin):  # type: ignore[misc]
    """A family as Authlib's grant asks for a refresh token."""

    def __init__(self, family: Family) -> None:
        self.family = family

    def check_client(self, client: RelyingParty) -> bool:
        """Whether it is that client's."""
        return self.family.client_id == client.client.id

    def get_scope(self) -> str:
        """What was granted at first."""
        return " ".join(self.family.scopes)


class Refresh(RefreshTokenGrant):  # type: ignore[misc]
    """Nothing is used up before client, key, scope and person have been checked and tokens been signed."""

    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> ShownFamily | None:
        """The family, also when this token of it was used before: `redeem` will tell."""
        found: Family | None = wait(self.server.families.find_any(refresh_token))
        if found is None or (found.jkt and found.jkt != self.request.jkt):
            return None
        return ShownFamily(found)

    def _validate_token_scope(self, token: ShownFamily) -> None:
        asked = self.request.payload.scope
        wanted = scopes.parsed(asked or "")
        if wanted is None or not scopes.covered(wanted, token.family.scopes):
            raise Refusal("invalid_scope", "more than was granted")

    def authenticate_user(self, refresh_token: ShownFamily) -> Prepared:
        """Everything about the person that tokens need."""
        family, client = refresh_token.family, self._client()
        online = bool(family.session) and not family.offline
        return wait(self._prepared(client, family, online))

    def issue_token(self, user: Prepared, refresh_token: ShownFamily) -> dict[str, Any]:
        """Sign, then use the token up."""
        return wait(self._issued(user, refresh_token.family))

    def save_token(self, token: Any) -> None:
        """Look again whether the family was revoked meanwhile."""
        wait(self.server.issuing.still(self.request.refresh_token.family.id))

    def revoke_old_credential(self, refresh_token: ShownFamily) -> None:
        """Rotation has done it."""

    async def _prepared(self, client: Client, family: Family, online: bool) -> Prepared:
        prepared: Prepared = await self.server.issuing.prepare(
            client, family.person, family.session, needs_session=online
        )
        return prepared

    async def _issued(self, prepared: Prepared, family: Family) -> dict[str, Any]:
        client = self._client()
        wanted = scopes.parsed(self.request.payload.scope or "") or family.scopes
        granted = scopes.within(wanted, client.scopes)
        answer: dict[str, Any] = self.server.issuing.signed(
            prepared, grant_of(family, granted), with_id_token="openid" in granted, jkt=self.request.jkt
        )
        token = self.request.form["refresh_token"]
        try:
            redeemed = await self.server.families.redeem(token, client.id, self.request.jkt)
        except Replayed:
            await self.server.note("refresh.replayed", family.person, client.id)
            raise
        return Unprinted(answer | {"refresh_token": redeemed.token})

    def _client(self) -> Client:
        shown: RelyingParty = self.request.client
        return shown.client
