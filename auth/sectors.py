"""Whose eyes a pairwise subject is made for: the sector of an application (OpenID Connect Core 8.1)."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def sector_of(client_id: str, redirect_uris: Sequence[str]) -> str:
    """The sector of a client: the one host of its redirect addresses; of several, or on the person's own
    machine where hosts name nobody, the client itself."""
    hosts = {urlsplit(uri).hostname or "" for uri in redirect_uris}
    host = hosts.pop() if len(hosts) == 1 else ""
    return host if host and host not in _LOOPBACK else f"client:{client_id}"
