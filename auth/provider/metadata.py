"""What an application may say of itself when it registers, checked strictly (RFC 7591 §2).

Rule 1: an address is https, or http on the person's own machine; spelled as every parser reads it alike:
printable ASCII, no fragment, no user, no wildcard, no odd host.
Rule 2: what would weaken it or what is not kept is refused by name; what nobody knows is left out (§2).
Rule 3: nothing here makes it the bureau's own, lets it see minors, or gives it a purpose: the settings do.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from auth.clients import public_keys
from auth.fetch import FetchFailed
from auth.provider.answers import Refusal
from auth.provider.scopes import SCOPES, allowed, parsed
from auth.sectors import sector_of

MOST_ADDRESSES, LONGEST_ADDRESS, LONGEST_NAME = 20, 1000, 100
GRANTS = ("authorization_code", "refresh_token", "client_credentials",
          "urn:ietf:params:oauth:grant-type:device_code")  # fmt: skip
METHODS = ("client_secret_basic", "client_secret_post", "private_key_jwt", "none")
ADDRESSES = ("jwks_uri", "logo_uri", "policy_uri", "backchannel_logout_uri", "initiate_login_uri")
FLAGS = {
    "require_pushed_authorization_requests": "require_par",
    "require_signed_request_object": "require_signed_request",
    "dpop_bound_access_tokens": "dpop_bound",
    "backchannel_logout_session_required": "backchannel_logout_session",
}
"""Their word -> ours."""
REFUSED = (
    "sector_identifier_uri", "request_uris", "frontchannel_logout_uri", "userinfo_signed_response_alg",
    "userinfo_encrypted_response_alg", "id_token_encrypted_response_alg",
    "request_object_encryption_alg", "introspection_encrypted_response_alg",
    "authorization_encrypted_response_alg", "authorization_signed_response_alg",
    "tls_client_certificate_bound_access_tokens", "software_statement",
)  # fmt: skip
"""Promises that we would not keep."""
_PRINTABLE = re.compile(
    r"[\x21\x23-\x29\x2b-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]+\Z"
)  # none of "*<>\^`{|}
_AUTHORITY = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[a-z0-9.-]{1,253})(?::([1-9][0-9]{0,4}))?\Z")
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)\Z")
_HERE = ("127.0.0.1", "[::1]", "localhost")


def client_values(said: Mapping[str, Any], client_id: str) -> dict[str, Any]:
    """Fields of `Client` from a registration. Raises `Refusal`: invalid_redirect_uri, else
    invalid_client_metadata, with the member's name."""
    for name in REFUSED:
        if said.get(name):
            raise _bad(name, "is not supported")
    redirects = _addresses(said, "redirect_uris", "invalid_redirect_uri")
    method = _one_of(said, "token_endpoint_auth_method", METHODS)
    grants = _grants(said, method, redirects)
    values: dict[str, Any] = {
        "origin": "registered",
        "redirect_uris": redirects,
        "post_logout_redirect_uris": _addresses(said, "post_logout_redirect_uris"),
        "auth_method": method,
        "grant_types": grants,
        "response_types": _response_types(said, grants),
        "scopes": _scopes(said),
        "sector": sector_of(client_id, redirects),
        "id_token_alg": _one_of(said, "id_token_signed_response_alg", ("ES256", "RS256")),
        "name": _name(said, "client_name") or _name(said, "client_name#zh-CN") or client_id,
        "name_en": _name(said, "client_name#en"),
        **{name: _address(said, name) for name in ADDRESSES},
        **{ours: _flag(said, theirs, default=ours.startswith("back")) for theirs, ours in FLAGS.items()},
    }
    _one_of(said, "subject_type", ("pairwise",))
    _one_of(said, "application_type", ("web", "native"))
    return values | {"jwks": _jwks(said, values)}


def address_fault(address: str) -> str:
    """Why an address cannot be a client's, in English; "" if it can."""
    if not 0 < len(address) <= LONGEST_ADDRESS or not _PRINTABLE.match(address):
        return "is too long, or has characters that no address has"
    try:
        parts = urlsplit(address)
        authority = _AUTHORITY.match(parts.netloc.lower())
    except ValueError:
        return "is not an address"
    if parts.scheme not in ("https", "http") or not address.startswith(f"{parts.scheme}://"):
        return "is neither https nor http on loopback"
    if "#" in address or authority is None or int(authority[2] or 1) > 65535:
        return "has a fragment, a user, or an odd host or port"
    if parts.scheme == "http" and authority[1] not in _HERE:
        return "is http on another machine"
    return "" if _proper_host(authority[1]) else "has an odd host"


def _proper_host(host: str) -> bool:
    """Whether every parser reads the host alike (RFC 1123 §2.1; IP addresses in their one spelling)."""
    labels = host.split(".")
    try:
        if host.startswith("["):
            return bool(ipaddress.IPv6Address(host[1:-1]))
        if re.fullmatch(r"[0-9]+|0x[0-9a-f]*", labels[-1]):
            return bool(ipaddress.IPv4Address(host))
    except ValueError:
        return False
    return all(_LABEL.match(label) for label in labels)


def _addresses(said: Mapping[str, Any], name: str, error: str = "invalid_client_metadata") -> tuple[str, ...]:
    found = said.get(name) or []
    if not isinstance(found, list) or len(found) > MOST_ADDRESSES or len(found) != len(set(map(str, found))):
        raise _bad(name, f"is a list of at most {MOST_ADDRESSES} different addresses", error)
    for address in found:
        if fault := address_fault(address) if isinstance(address, str) else "is not a text":
            raise _bad(name, f"one {fault}", error)
    return tuple(found)


def _address(said: Mapping[str, Any], name: str) -> str:
    address = said.get(name) or ""
    if not isinstance(address, str):
        raise _bad(name, "is not a text")
    if address and (fault := address_fault(address)):
        raise _bad(name, fault)
    if name in ("logo_uri", "policy_uri") and address and not _on_the_web(address):
        raise _bad(name, "is not a public https address")
    return address


def _on_the_web(address: str) -> bool:
    """Whether a person's browser may be pointed there: public, as far as the spelling tells."""
    parts = urlsplit(address)
    host = parts.hostname or ""
    try:
        public = ipaddress.ip_address(host).is_global
    except ValueError:
        public = host != "localhost" and not host.endswith((".localhost", ".local", ".internal"))
    return parts.scheme == "https" and public


def _one_of(said: Mapping[str, Any], name: str, words: tuple[str, ...]) -> str:
    """The member, which defaults to the first word."""
    found = said.get(name, words[0])
    if found not in words or not isinstance(found, str):
        raise _bad(name, f"is one of {' '.join(words)}")
    return found


def _words(said: Mapping[str, Any], name: str, default: tuple[str, ...]) -> tuple[str, ...]:
    found = said.get(name, list(default))
    if not isinstance(found, list) or len(found) > 10 or not all(isinstance(each, str) for each in found):
        raise _bad(name, "is a list of texts")
    return tuple(dict.fromkeys(found))


def _grants(said: Mapping[str, Any], method: str, redirects: tuple[str, ...]) -> tuple[str, ...]:
    grants = _words(said, "grant_types", ("authorization_code",))
    if not grants or not set(grants) <= set(GRANTS):
        raise _bad("grant_types", f"are among {' '.join(GRANTS)}")
    if method == "none" and "client_credentials" in grants:
        raise _bad("grant_types", "client_credentials needs client authentication")
    if "authorization_code" in grants and not redirects:
        raise _bad("redirect_uris", "one is needed", "invalid_redirect_uri")
    return grants


def _response_types(said: Mapping[str, Any], grants: tuple[str, ...]) -> tuple[str, ...]:
    fitting = ("code",) if "authorization_code" in grants else ()
    if _words(said, "response_types", fitting) != fitting:
        raise _bad("response_types", f"are {list(fitting)} with these grant_types")
    return fitting


def _scopes(said: Mapping[str, Any]) -> tuple[str, ...]:
    text = said.get("scope", "openid profile")
    words = parsed(text) if isinstance(text, str) else None
    if not words or not allowed(words, SCOPES):
        raise _bad("scope", f"names some of {' '.join(SCOPES)}")
    return words


def _name(said: Mapping[str, Any], name: str) -> str:
    """A name for people: no control characters, nothing that turns the direction of what follows."""
    found = said.get(name) or ""
    if not isinstance(found, str) or len(found) > LONGEST_NAME:
        raise _bad(name, f"is a text of at most {LONGEST_NAME} characters")
    if any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") for char in found):
        raise _bad(name, "has characters that cannot be shown")
    return found.strip()


def _flag(said: Mapping[str, Any], name: str, *, default: bool) -> bool:
    found = said.get(name, default)
    if not isinstance(found, bool):
        raise _bad(name, "is true or false")
    return found


def _jwks(said: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any] | None:
    given = said.get("jwks")
    needed = values["auth_method"] == "private_key_jwt" or values["require_signed_request"]
    if given is not None and values["jwks_uri"]:
        raise _bad("jwks", "and jwks_uri are not given together")
    if needed and given is None and not values["jwks_uri"]:
        raise _bad("jwks", "or jwks_uri is needed")
    if given is None:
        return None
    try:
        keys = public_keys(given)
    except FetchFailed:
        raise _bad("jwks", "is not a set of public keys") from None
    if not keys or not all(isinstance(key.get("kid"), str) for key in keys):
        raise _bad("jwks", "has no key, or one without kid")
    return {"keys": list(keys)}


def _bad(name: str, why: str, error: str = "invalid_client_metadata") -> Refusal:
    return Refusal(error, f"{name} {why}")
