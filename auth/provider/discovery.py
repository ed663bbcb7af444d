"""What this provider is and can do, and its public keys: OpenID Connect Discovery 1.0, RFC 8414, RFC 7517.

Rule: nothing is said here that is not so; addresses come from the configured issuer, never from Host.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Protocol

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from auth.dpop import ALGORITHMS as DPOP_ALGORITHMS
from auth.provider.scopes import SCOPES
from auth.provider.signed import ALGORITHMS as CLIENT_ALGORITHMS

ACRS = ("urn:rongtong:acr:password", "urn:rongtong:acr:name-verified", "urn:rongtong:acr:face-verified",
        "urn:rongtong:acr:passkey")  # fmt: skip
"""How surely a person was recognised, from low to high; a passkey: a password that resists phishing."""
CLAIMS = ("iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "azp", "sid", "at_hash",
          "name", "roles", "groups")  # fmt: skip
GRANTS = ("authorization_code", "refresh_token", "client_credentials",
          "urn:ietf:params:oauth:grant-type:device_code",
          "urn:ietf:params:oauth:grant-type:token-exchange")  # fmt: skip
PROOFS = ("client_secret_basic", "client_secret_post", "private_key_jwt")
"""Ways in which a confidential client proves itself."""
KEYS_AGE, METADATA_AGE = 300, 600
"""Seconds that others may keep our keys and our metadata."""


class PublishedKeys(Protocol):
    """The keys to publish (`auth.keys.KeyRing`)."""

    async def refreshed(self) -> None: ...

    def public(self) -> dict[str, Any]: ...


def metadata(issuer: str, *, registration: bool, more: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The provider's metadata (OIDC Discovery 3, RFC 8414 §2). `more`: what other parts add, such as
    `client_registration_types_supported` where a federation admits clients."""
    found = {"issuer": issuer, **_addresses(issuer), **_abilities(), **_signatures()}
    if registration:
        found["registration_endpoint"] = f"{issuer}/oauth/register"
    return found | dict(more or {})


def _addresses(issuer: str) -> dict[str, Any]:
    paths = {
        "authorization_endpoint": "authorize",
        "pushed_authorization_request_endpoint": "par",
        "token_endpoint": "token",
        "userinfo_endpoint": "userinfo",
        "jwks_uri": "jwks",
        "introspection_endpoint": "introspect",
        "revocation_endpoint": "revoke",
        "device_authorization_endpoint": "device_authorization",
        "end_session_endpoint": "logout",
    }
    return {name: f"{issuer}/oauth/{path}" for name, path in paths.items()}


def _abilities() -> dict[str, Any]:
    return {
        "scopes_supported": SCOPES,
        "response_types_supported": ("code",),
        "response_modes_supported": ("query", "form_post"),
        "grant_types_supported": GRANTS,
        "code_challenge_methods_supported": ("S256",),
        "prompt_values_supported": ("none", "login", "consent", "select_account"),
        "subject_types_supported": ("pairwise",),
        "acr_values_supported": ACRS,
        "claim_types_supported": ("normal",),
        "claims_supported": CLAIMS,
        "ui_locales_supported": ("zh-CN", "en"),
        "claims_parameter_supported": True,
        "request_parameter_supported": True,
        "request_uri_parameter_supported": False,
        "require_request_uri_registration": False,
        "require_pushed_authorization_requests": False,
        "authorization_response_iss_parameter_supported": True,
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
        "frontchannel_logout_supported": False,
    }


def _signatures() -> dict[str, Any]:
    client = tuple(CLIENT_ALGORITHMS)
    everybody = (*PROOFS, "none")
    asks = {"token": everybody, "revocation": everybody, "introspection": PROOFS}
    return {
        "id_token_signing_alg_values_supported": ("ES256", "RS256"),
        "request_object_signing_alg_values_supported": client,
        "dpop_signing_alg_values_supported": DPOP_ALGORITHMS,
        **{f"{name}_endpoint_auth_methods_supported": methods for name, methods in asks.items()},
        **{f"{name}_endpoint_auth_signing_alg_values_supported": client for name in asks},
    }


class Discovery:
    """Publishes metadata and keys; anybody may read them, browsers of any origin too."""

    def __init__(
        self, issuer: str, keys: PublishedKeys, *, registration: bool, more: Mapping[str, Any] | None = None
    ) -> None:
        self.metadata = metadata(issuer, registration=registration, more=more)
        self._keys = keys
        self._content = orjson.dumps(self.metadata)

    def routes(self) -> list[BaseRoute]:
        """Both well-known addresses and `/oauth/jwks`."""
        return [
            Route("/.well-known/openid-configuration", self._show_metadata, methods=["GET"]),
            Route("/.well-known/oauth-authorization-server", self._show_metadata, methods=["GET"]),
            Route("/oauth/jwks", self._show_keys, methods=["GET"]),
        ]

    async def _show_metadata(self, request: Request) -> Response:
        return _public(request, self._content, METADATA_AGE, "application/json")

    async def _show_keys(self, request: Request) -> Response:
        await self._keys.refreshed()
        return _public(request, orjson.dumps(self._keys.public()), KEYS_AGE, "application/jwk-set+json")


def _public(request: Request, content: bytes, age: int, media_type: str) -> Response:
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {
        "Cache-Control": f"public, max-age={age}",
        "ETag": tag,
        "Access-Control-Allow-Origin": "*",
        "X-Content-Type-Options": "nosniff",
    }
    if request.headers.get("if-none-match", "") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=media_type)
