"""A grant of our own at Authlib's server: client authentication and answering are Authlib's way, tokens ours.

server.register_grant(plugged(DeviceGrant(codes, families, issuing)))
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from authlib.oauth2.rfc6749.grants import BaseGrant, TokenEndpointMixin  # type: ignore[import-untyped]

from auth.bridge import wait
from auth.documents import Client


class OwnGrant(Protocol):
    """A grant that gives the token answer for an authenticated client, or raises `Refusal`."""

    @property
    def grant_type(self) -> str: ...

    async def tokens(self, client: Client, form: Mapping[str, str], jkt: str = "") -> dict[str, Any]: ...


class PluggedGrant(BaseGrant, TokenEndpointMixin):  # type: ignore[misc]
    """Runs inside `auth.bridge.synchronous`, as the server does."""

    own: OwnGrant

    def validate_token_request(self) -> None:
        """Who asks, by its own method; whether it may use the grant is for the grant to say."""
        self.request.client = self.authenticate_token_endpoint_client()

    def create_token_response(self) -> tuple[int, dict[str, Any], Any]:
        """The grant's answer."""
        client: Client = self.request.client.client
        answer = wait(self.own.tokens(client, self.request.form, self.request.jkt))
        return 200, answer, self.TOKEN_RESPONSE_HEADER


def plugged(grant: OwnGrant) -> type[PluggedGrant]:
    """The class to register."""
    return type("Plugged", (PluggedGrant,), {"GRANT_TYPE": grant.grant_type, "own": grant})
