"""Entity identifiers: addresses that name an entity, compared character by character (Federation 1.0 §17).

Rule 1: one spelling an address: lower-case ASCII host without a final dot, no query, fragment or user.
Rule 2: https; plain http only on loopback, where the guard of the way out decides once more.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

WELL_KNOWN = "/.well-known/openid-federation"
LONGEST = 512
_SHAPE = re.compile(
    r"(https?)://"
    r"((?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])"
    r"(?::([1-9][0-9]{0,4}))?"
    r"((?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]*)*)"
)
_QUERY = re.compile(r"\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*")


def is_entity(value: object) -> bool:
    """Whether `value` is an entity identifier that we go along with."""
    return isinstance(value, str) and len(value) <= LONGEST and _good(_SHAPE.fullmatch(value))


def is_address(value: object) -> bool:
    """Whether `value` is the address of an endpoint: as an identifier, but it may have a query."""
    if not isinstance(value, str) or len(value) > 2048:
        return False
    match = _SHAPE.match(value)
    return _good(match) and match is not None and (
        match.end() == len(value) or _QUERY.fullmatch(value, match.end()) is not None
    )  # fmt: skip


def _good(match: re.Match[str] | None) -> bool:
    if match is None or int(match[3] or 1) > 65_535:
        return False
    dots = {".", "..", "%2e", "%2e%2e", ".%2e", "%2e."}
    if any(part.lower() in dots for part in match[4].split("/")):
        return False
    return match[1] == "https" or is_loopback(match[2])


def is_loopback(host: str) -> bool:
    """Whether a host (of a URL) is this machine: 127.0.0.0/8, ::1, localhost and below (RFC 6761 §6.3)."""
    bare = host.strip("[]")
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return bare == "localhost" or bare.endswith(".localhost")


def host_of(entity: str) -> str:
    """The host part; for pairwise subjects (OIDC Core 8.1) and naming constraints."""
    return urlsplit(entity).hostname or ""


def configuration_address(entity: str) -> str:
    """Where an entity publishes its configuration (§9)."""
    return entity.removesuffix("/") + WELL_KNOWN
