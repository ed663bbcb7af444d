"""The client credentials grant: a confidential client for itself, never for a person (RFC 6749 §4.4)."""

from __future__ import annotations

from typing import Any

from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant  # type: ignore[import-untyped]

from auth.bridge import wait
from auth.documents import Client
from auth.provider import scopes
from auth.provider.answers import Refusal
from auth.provider.requests import Unprinted


class ClientCredentials(ClientCredentialsGrant):  # type: ignore[misc]
    """No refresh token, no ID token, no scope that speaks of a person."""

    def validate_requested_scope(self) -> None:
        """Registered scopes that mean something without a person; all of them without a word."""
        client: Client = self.request.client.client
        wanted = scopes.parsed(self.request.payload.scope or "")
        if client.auth_method == "none":
            raise Refusal("unauthorized_client", "a public client cannot act for itself")
        if wanted is None or not scopes.allowed(wanted, client.scopes) or scopes.OF_A_PERSON & set(wanted):
            raise Refusal("invalid_scope", "a scope is malformed, not registered, or needs a person")
        usual = tuple(each for each in client.scopes if each not in scopes.OF_A_PERSON)
        self.request.scope = " ".join(wanted or usual)

    def generate_token(self, **_: Any) -> dict[str, Any]:
        """The access token."""
        granted = tuple(self.request.scope.split())
        return wait(self._issued(granted))

    async def _issued(self, granted: tuple[str, ...]) -> dict[str, Any]:
        client: Client = self.request.client.client
        answer: dict[str, Any] = self.server.issuing.for_client(client, granted, self.request.jkt)
        return Unprinted(answer)
