"""Where an authorization request ends: for the pages' policy and for the person to see."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

_HOST = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5})?")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{0,60}")


def form_targets(params: Mapping[str, Any]) -> tuple[str, ...]:
    """What `form-action` must name besides ourselves, for a form whose answer may lead to the client (CSP 3
    §6.4.2: browsers check the whole chain of redirects): the origin of its proven redirect_uri, or its
    scheme where an origin cannot be written (private-use schemes, IPv6)."""
    scheme, host = _parts(params)
    if not _SCHEME.fullmatch(scheme) or scheme in ("javascript", "data", "blob"):
        return ()
    plain = scheme in ("http", "https") and _HOST.fullmatch(host)
    return (f"{scheme}://{host}" if plain else f"{scheme}:",)


def back_to(params: Mapping[str, Any]) -> str:
    """The host that the person returns to, or the scheme of a native application."""
    scheme, host = _parts(params)
    return host or scheme


def _parts(params: Mapping[str, Any]) -> tuple[str, str]:
    try:
        found = urlsplit(str(params.get("redirect_uri") or ""))
    except ValueError:
        return "", ""
    return found.scheme, found.netloc
