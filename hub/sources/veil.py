"""Covers ids and cursors: AES-SIV (RFC 5297), deterministic for names, with a nonce for seals.

Rule 1: what was not covered under this key and for this use is not uncovered, and is no error either.
Rule 2: this file does no I/O but for the system's random numbers. It cannot be async.
"""

from __future__ import annotations

import base64
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

LONGEST = 32_768
"""Most characters of what is uncovered: the longest cursor (`paging.LONGEST`), padded and covered."""
_NONCE = 12
_BLOCK = 64


class Veil:
    """The `Veil` port under one key of 32 bytes, which never prints."""

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes) -> None:
        if len(key) != 32:
            raise ValueError("a veil's key has 32 bytes")
        self._cipher = AESSIV(key)

    def __repr__(self) -> str:
        return "Veil(…)"

    @classmethod
    def fresh(cls) -> Veil:
        """A veil under a key of its own, which lasts no longer than itself."""
        return cls(os.urandom(32))

    def name(self, text: str, use: str) -> str:
        """The same name for the same text."""
        return _written(self._cipher.encrypt(text.encode("utf-8", "surrogatepass"), [use.encode()]))

    def named(self, name: str, use: str) -> str | None:
        """The text under a name."""
        return self._uncovered(_read(name), [use.encode()])

    def seal(self, text: str, use: str) -> str:
        """Another seal each time, its length in steps."""
        nonce, plain = os.urandom(_NONCE), text.encode("utf-8", "surrogatepass")
        padded = plain + b"\0" * (-len(plain) % _BLOCK)
        return _written(nonce + self._cipher.encrypt(padded, [use.encode(), nonce]))

    def unseal(self, sealed: str, use: str) -> str | None:
        """The text under a seal."""
        whole = _read(sealed)
        text = self._uncovered(whole[_NONCE:], [use.encode(), whole[:_NONCE]])
        return text.rstrip("\0") if text is not None else None

    def _uncovered(self, covered: bytes, use: list[bytes]) -> str | None:
        try:
            return self._cipher.decrypt(covered, use).decode("utf-8", "surrogatepass")
        except (InvalidTag, ValueError):
            return None


def _written(covered: bytes) -> str:
    return base64.urlsafe_b64encode(covered).decode().rstrip("=")


def _read(text: str) -> bytes:
    """What base64url says; nothing for what is none."""
    if len(text) > LONGEST or not text.isascii():
        return b""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return b""
