"""What the hub says of itself as an application of the levels' providers (OpenID Federation 1.0 §5.1.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from auth.settings import UpstreamSettings

RELYING_PARTY = "openid_relying_party"


def relying_party(issuer: str, upstreams: Sequence[UpstreamSettings]) -> dict[str, Any]:
    """Our metadata as relying party, without keys: a provider that registers by chain finds here where our
    sign-ins come back to. Empty when there is no OpenID provider among `upstreams`."""
    codes = [each.code for each in upstreams if each.kind == "oidc"]
    if not codes:
        return {}
    return {
        "client_name": "融通",
        "client_name#en": "Rongtong",
        "client_uri": issuer,
        "application_type": "web",
        "client_registration_types": ["automatic"],
        "redirect_uris": [f"{issuer}/sign-in/{code}/callback" for code in codes],
        "post_logout_redirect_uris": [f"{issuer}/signed-out"],
        "response_types": ["code"],
        "grant_types": ["authorization_code"],
        "token_endpoint_auth_method": "private_key_jwt",
        "token_endpoint_auth_signing_alg": "ES256",
        "request_object_signing_alg": "ES256",
        "scope": " ".join(dict.fromkeys(s for u in upstreams if u.kind == "oidc" for s in u.scopes)),
    }
