"""Automatic registration: a client out of what a trust chain resolves to (Federation 1.0 §12.1, RFC 7591).

Rule 1: the client's identifier is the entity's; it proves itself by keys that the chain holds, no secret.
Rule 2: what a leaf asserts alone gives it no rights: scopes beyond the harmless ones, and purposes, count
only where a superior bounds them, by a policy or in its statement; minors only with the mark.
Rule 3: metadata that does not fit is refused with the parameter's name, never bent to fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn
from urllib.parse import urlsplit

from auth.documents import Client
from auth.trust.chains import Chain, stated_by_superior
from auth.trust.errors import Distrusted, shown
from auth.trust.identifiers import host_of, is_address, is_loopback
from auth.trust.keys import algorithms_of, published
from auth.trust.policy import bounds

RP, OP = "openid_relying_party", "openid_provider"
HARMLESS = ("openid", "profile", "offline_access")
SCOPES = (
    *HARMLESS, "roles", "graph", "graph.resources", "graph.identities", "graph.activity",
)  # fmt: skip
GRANTS = ("authorization_code", "refresh_token")
_MOST_ADDRESSES, _LONGEST_NAME = 20, 100


def client_of(
    chain: Chain, *, jwks: Mapping[str, Any] | None, minors: bool, now: float, ends: float,
    scopes: Sequence[str] = SCOPES, purposes: Sequence[str] = (),
) -> Client:  # fmt: skip
    """The client that a valid chain admits until `ends`. `jwks`: keys of its application where they were
    fetched already; `scopes` and `purposes`: those that this hub knows. Raises `Distrusted`."""
    said = chain.metadata[RP]
    _refuse_unfit(chain, said)
    keys = jwks if jwks is not None else _keys(chain, said)
    return Client(
        id=chain.entity,
        name=_name(said, "zh") or _name(said, "") or chain.entity,
        name_en=_name(said, "en"),
        origin="federation",
        redirect_uris=_redirects(chain, said),
        post_logout_redirect_uris=_addresses(chain, said, "post_logout_redirect_uris"),
        grant_types=tuple(one for one in said.get("grant_types", GRANTS[:1]) if one in GRANTS),
        response_types=("code",),
        auth_method="private_key_jwt",
        jwks=dict(keys) if keys is not None else None,
        jwks_uri="" if keys is not None else _address(chain, said, "jwks_uri"),
        scopes=_scopes(chain, said, scopes),
        purposes=_purposes(chain, said, purposes),
        sector=host_of(chain.entity),
        id_token_alg="RS256" if said.get("id_token_signed_response_alg") == "RS256" else "ES256",
        require_par=said.get("require_pushed_authorization_requests") is True,
        require_signed_request=True,
        dpop_bound=said.get("dpop_bound_access_tokens") is True,
        backchannel_logout_uri=_address(chain, said, "backchannel_logout_uri"),
        backchannel_logout_session=said.get("backchannel_logout_session_required", True) is not False,
        initiate_login_uri=_address(chain, said, "initiate_login_uri"),
        minors=minors,
        region=chain.region,
        logo_uri=_address(chain, said, "logo_uri"),
        policy_uri=_address(chain, said, "policy_uri"),
        created=datetime.fromtimestamp(now, UTC),
        chain_expires=datetime.fromtimestamp(ends, UTC),
    )


def _refuse_unfit(chain: Chain, said: Mapping[str, Any]) -> None:
    """What we could not serve as it is meant (§12.1.1.1.2, OIDC Registration §2)."""
    for name, needed, default in (
        ("client_registration_types", "automatic", ["automatic"]),
        ("grant_types", "authorization_code", ["authorization_code"]),
        ("response_types", "code", ["code"]),
        ("token_endpoint_auth_methods_supported", "private_key_jwt", ["private_key_jwt"]),
    ):
        if needed not in _texts(chain, said, name, default):
            _unfit(chain, name)
    if said.get("token_endpoint_auth_method", "private_key_jwt") != "private_key_jwt":
        _unfit(chain, "token_endpoint_auth_method")
    if said.get("id_token_signed_response_alg", "ES256") not in ("ES256", "RS256"):
        _unfit(chain, "id_token_signed_response_alg")
    if "id_token_encrypted_response_alg" in said or "userinfo_encrypted_response_alg" in said:
        _unfit(chain, "id_token_encrypted_response_alg")


def _unfit(chain: Chain, name: str) -> NoReturn:
    raise Distrusted("unfit-metadata", chain.entity, 0, detail=name)


def _texts(chain: Chain, said: Mapping[str, Any], name: str, default: Sequence[str] = ()) -> list[str]:
    values = said.get(name, list(default))
    if not isinstance(values, list) or not all(isinstance(one, str) for one in values):
        _unfit(chain, name)
    if len(values) > _MOST_ADDRESSES:
        _unfit(chain, name)
    return values


def _addresses(chain: Chain, said: Mapping[str, Any], name: str) -> tuple[str, ...]:
    values = tuple(dict.fromkeys(_texts(chain, said, name)))
    if not all(is_address(one) for one in values):
        _unfit(chain, name)
    return values


def _redirects(chain: Chain, said: Mapping[str, Any]) -> tuple[str, ...]:
    """At least one; a machine of the user's own (loopback) only for an entity that is loopback itself."""
    values = _addresses(chain, said, "redirect_uris")
    at_home = is_loopback(host_of(chain.entity))
    if not values or any(is_loopback(urlsplit(one).hostname or "") and not at_home for one in values):
        _unfit(chain, "redirect_uris")
    return values


def _address(chain: Chain, said: Mapping[str, Any], name: str) -> str:
    value = said.get(name, "")
    if value != "" and not is_address(value):
        _unfit(chain, name)
    return str(value)


def _keys(chain: Chain, said: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Its application's keys by value; None where they are at `jwks_uri`."""
    if "jwks" not in said:
        if not said.get("jwks_uri"):
            raise Distrusted("no-keys", chain.entity, 0)
        return None
    return usable_keys(chain, said["jwks"])


def usable_keys(chain: Chain, jwks: object) -> dict[str, Any]:
    """A set with at least one key that may sign. Raises `Distrusted("no-keys")`."""
    try:
        keys = published(jwks)
    except ValueError:
        raise Distrusted("no-keys", chain.entity, 0) from None
    if not any(algorithms_of(key) for key in keys.values()):
        raise Distrusted("no-keys", chain.entity, 0)
    return {"keys": [dict(key) for key in keys.values()]}


def _name(said: Mapping[str, Any], language: str) -> str:
    """The client's name in a language (OIDC Registration §2.1), else that of its organisation."""
    for name in ("client_name", "organization_name"):
        for key, value in said.items():
            base, _, tag = key.partition("#")
            if base == name and tag.lower().split("-")[0] == language and isinstance(value, str) and value:
                return "".join(char for char in value if char.isprintable())[:_LONGEST_NAME]
    return ""


def _scopes(chain: Chain, said: Mapping[str, Any], known: Sequence[str]) -> tuple[str, ...]:
    asked = said.get("scope", "openid profile")
    if not isinstance(asked, str):
        _unfit(chain, "scope")
    vouched = _vouched(chain, "scope")
    allowed = [one for one in known if vouched or one in HARMLESS]
    return tuple(one for one in dict.fromkeys(asked.split()) if one in allowed)


def _purposes(chain: Chain, said: Mapping[str, Any], known: Sequence[str]) -> tuple[str, ...]:
    if not _vouched(chain, "purposes"):
        return ()
    return tuple(one for one in _texts(chain, said, "purposes") if one in known)


def _vouched(chain: Chain, name: str) -> bool:
    """Whether a superior bounds a parameter: by a policy of the chain, or in its statement about the leaf."""
    return bounds(chain.policy, RP, name) or name in stated_by_superior(chain, RP)


def required(chain: Chain, types: Sequence[str]) -> None:
    """Raises `Distrusted` unless the entity has all these types and may have them."""
    for type in types:
        if type not in chain.metadata:
            reason = "type-not-allowed" if type in chain.removed else "no-such-type"
            raise Distrusted(reason, chain.entity, 0, detail=shown(type))
