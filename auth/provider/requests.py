"""What Authlib is shown: a request at our own address, and a client in the words of its model.

Rule: the address is built from the configured issuer, never from Host or X-Forwarded-*.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from typing import Any

from authlib.oauth2.rfc6749 import ClientMixin  # type: ignore[import-untyped]
from authlib.oauth2.rfc6749.requests import (  # type: ignore[import-untyped]
    BasicOAuth2Payload,
    OAuth2Request,
)

from auth.documents import Client
from auth.store import kept


class OAuthRequest(OAuth2Request):  # type: ignore[misc]
    """One request: `url` is the endpoint's address under the issuer, `form` its single-valued parameters.

    `jkt` is the thumbprint of the key whose possession was proven with it (RFC 9449), or "".
    """

    def __init__(
        self, method: str, url: str, headers: Mapping[str, str], form: Mapping[str, str], jkt: str = ""
    ) -> None:
        # Authlib would refuse an issuer of http on loopback; which issuers may be is for the settings to say.
        super().__init__(method, "https://issuer.invalid", headers=headers)
        self.uri, self.jkt = url, jkt
        self._fields = dict(form)
        self.payload = BasicOAuth2Payload(self._fields)

    @property
    def form(self) -> dict[str, str]:
        """The parameters, whichever way they came."""
        return self._fields

    @property
    def args(self) -> dict[str, str]:
        """The same."""
        return self._fields


class RelyingParty(ClientMixin):  # type: ignore[misc]
    """A `Client` as Authlib's grants ask for it; the document itself is `client`."""

    def __init__(self, client: Client, allows: Callable[[Client, str], bool]) -> None:
        self.client, self._allows = client, allows

    def __repr__(self) -> str:
        return f"RelyingParty({self.client.id!r})"

    def get_client_id(self) -> str:
        """The client_id."""
        return self.client.id

    def get_default_redirect_uri(self) -> None:
        """None: the address is always said, so that it can be compared (OIDC Core 3.1.2.1)."""
        return

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """What was asked; whether it may be is decided before (`scopes.allowed`)."""
        return scope or None

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Whether it is registered, to the letter (RFC 9700 §2.1)."""
        return self._allows(self.client, redirect_uri)

    def check_client_secret(self, client_secret: str) -> bool:
        """Compares in the same time whatever was given."""
        return hmac.compare_digest(kept(client_secret), self.client.secret_kept)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """Whether it authenticates like that, anywhere."""
        return method == self.client.auth_method

    def check_response_type(self, response_type: str) -> bool:
        """Whether it may ask for that."""
        return response_type in self.client.response_types and self.check_grant_type("authorization_code")

    def check_grant_type(self, grant_type: str) -> bool:
        """Whether it may use that grant."""
        return grant_type in self.client.grant_types


class Unprinted(dict[str, Any]):
    """A token answer. Authlib writes it into its debug log, so it does not show what it holds."""

    def __repr__(self) -> str:
        return "{…}"
