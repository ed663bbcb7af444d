"""Pairwise subjects: every application knows a person by a name of its own (OpenID Connect Core 8.1).

Applications of one sector (the host they live on) share it; nobody else can join two of them.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from typing import Protocol

from auth.documents import Client


class _Keys(Protocol):
    def derived(self, label: str, length: int = 32) -> bytes: ...


def subject_for(keys: _Keys, client: Client, person: str) -> str:
    """The `sub` of a person for a client: 43 characters, the same for ever, for every process."""
    sector = client.sector or f"client:{client.id}"
    digest = hmac.digest(keys.derived("pairwise"), f"{sector}\0{person}".encode(), hashlib.sha256)
    return urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
