"""What an OpenID provider says about itself (OpenID Connect Discovery 1.0 §3), as far as it is believed.

Rule 1: the issuer is exactly the configured one, or nothing of the document counts.
Rule 2: every address is of the issuer's own origin, or of one the operator names in `options["origins"]`: a
document that was tampered with must not send codes and secrets elsewhere.
Rule 3: nothing here can weaken what the settings pin: no algorithm is read from it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from auth.broker.upstream import UpstreamRefused
from auth.settings import UpstreamSettings

LONGEST_ADDRESS = 2048
_ADDRESS = re.compile(r"https?://[A-Za-z0-9._\[\]:-]{1,260}(?:[/?][!-~]*)?")  # ASCII, nobody before an "@"


@dataclass(frozen=True, slots=True)
class Provider:
    """The parts of its metadata that are used. Empty: not offered."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str
    end_session_endpoint: str
    sends_iss: bool
    """RFC 9207: its callbacks carry `iss`, so one without is refused."""
    token_auth: str
    """basic | post | none: how we authenticate at its token endpoint."""


def provider_of(document: Mapping[str, Any], settings: UpstreamSettings) -> Provider:
    """The provider its metadata describes. Raises `UpstreamRefused`: metadata-issuer, metadata-endpoint,
    metadata-unusable."""
    if document.get("issuer") != settings.issuer:
        raise UpstreamRefused("metadata-issuer", "its metadata names another issuer", status=502)
    origins = _origins(settings)
    needed = {
        name: _endpoint(document, name, origins)
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")
    }
    if not all(needed.values()):
        raise _unusable("an endpoint is missing")
    if "code" not in _words(document, "response_types_supported", "code"):
        raise _unusable("it does not offer the code flow")
    return Provider(
        **needed,
        userinfo_endpoint=_endpoint(document, "userinfo_endpoint", origins),
        end_session_endpoint=_endpoint(document, "end_session_endpoint", origins),
        sends_iss=_flag(document, "authorization_response_iss_parameter_supported"),
        token_auth=_token_auth(document, settings),
    )


def checked_address(name: str, value: str, settings: UpstreamSettings) -> str:
    """An address from the operator's table. Raises ValueError, saying what to write instead.

    Plain http only for addresses of this machine or a private network, or with `options.plain_http`.
    """
    if not _is_address(value):
        raise ValueError(
            f"upstreams.{settings.code}: {name} 应为完整的 http(s) 地址 / is a whole http(s) address"
        )
    if value.startswith("http:") and not _is_local(value) and settings.options.get("plain_http") is not True:
        raise ValueError(
            f"upstreams.{settings.code}: {name} 应使用 https；确在专网内请设 options.plain_http = true / "
            f"must be https, or set options.plain_http = true on a network of your own"
        )
    return value


def origin(url: str) -> str:
    """scheme://host[:port] in lower case, default ports left out; "" for what is no http(s) address."""
    if not _is_address(url):
        return ""
    parts = urlsplit(url)
    default = {"http": 80, "https": 443}[parts.scheme]
    host = parts.netloc.lower().removesuffix(f":{default}")
    return f"{parts.scheme}://{host}"


def _is_address(url: str) -> bool:
    if len(url) > LONGEST_ADDRESS or not _ADDRESS.fullmatch(url) or "#" in url or "\\" in url:
        return False
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _is_local(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _origins(settings: UpstreamSettings) -> frozenset[str]:
    named = settings.options.get("origins", ())
    more = [str(each) for each in named] if isinstance(named, list | tuple) else []
    return frozenset(map(origin, (settings.issuer, *more))) - {""}


def _endpoint(document: Mapping[str, Any], name: str, origins: frozenset[str]) -> str:
    value = document.get(name, "")
    if not isinstance(value, str) or (value and origin(value) not in origins):
        raise UpstreamRefused(
            "metadata-endpoint", f"{name} is not an address of the issuer's origin", status=502
        )
    return value


def _words(document: Mapping[str, Any], name: str, default: str) -> list[str]:
    value = document.get(name, [default])
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise _unusable(f"{name} is not a list of words")
    return value


def _flag(document: Mapping[str, Any], name: str) -> bool:
    value = document.get(name, False)
    if not isinstance(value, bool):
        raise _unusable(f"{name} is neither true nor false")
    return value


def _token_auth(document: Mapping[str, Any], settings: UpstreamSettings) -> str:
    if pinned := settings.options.get("token_auth"):
        return str(pinned)
    if not settings.client_secret:
        return "none"
    offered = _words(document, "token_endpoint_auth_methods_supported", "client_secret_basic")
    return "post" if "client_secret_basic" not in offered and "client_secret_post" in offered else "basic"


def _unusable(detail: str) -> UpstreamRefused:
    return UpstreamRefused("metadata-unusable", detail, status=502)
