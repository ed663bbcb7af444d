"""What is fetched from a provider and used for a while: its metadata, and the keys it signs with.

Rule 1: only what was checked whole is kept; a malformed answer changes nothing.
Rule 2: what is kept has an age of its own: asked for no sooner than `MIN_AGE`, renewed in the background once
stale, and used up to `MAX_AGE` while the provider is broken, whatever its cache headers say.
Rule 3: an unknown key id asks again, but never sooner than `MIN_AGE` after the last time: a flood of made-up
key ids costs the provider, and us, one request in ten seconds.
Rule 4: many who wait, wait for one request; that one of them gives up does not end it for the others.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from joserfc.util import urlsafe_b64decode

from auth.broker.upstream import UpstreamRefused

T = TypeVar("T")

MIN_AGE = 10.0
"""Seconds between two requests for the same thing, at least."""
FRESH_LEAST, FRESH_MOST = 60.0, 3600.0
"""Bounds, in seconds, on how long an answer is taken for fresh."""
MAX_AGE = 24 * 3600.0
"""Seconds after which what is kept is no longer believed."""
MOST_KEYS = 100
RSA_BITS = range(2048, 8193)

_FIELDS = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
_SECRET_FIELDS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_CURVES = frozenset({"P-256", "P-384", "P-521", "Ed25519"})
_NUMBER = re.compile(r"[A-Za-z0-9_-]{1,2048}")
_AGE = re.compile(r"(?:^|[,\s])max-age=([0-9]{1,9})(?:$|[,\s])", re.IGNORECASE)


class Remembered(Generic[T]):
    """One thing of a provider. `load` gives it, checked, with the seconds it is fresh; raises
    `UpstreamRefused` else. For one event loop."""

    def __init__(self, load: Callable[[], Awaitable[tuple[T, float]]], clock: Callable[[], float]) -> None:
        self._load, self._clock = load, clock
        self._value: T | None = None
        self._at = self._stale_at = self._tried_at = float("-inf")
        self._asking: asyncio.Task[T] | None = None

    async def get(self) -> T:
        """What is known, asking only if nothing is; renews behind the caller's back once stale."""
        now = self._clock()
        value = self._value
        if value is None or now >= self._at + MAX_AGE:
            return await self._asked()
        if now >= self._stale_at and now >= self._tried_at + MIN_AGE:
            self._ask()
        return value

    async def renewed(self) -> T:
        """Asked anew, unless that was done less than `MIN_AGE` ago: then what is known."""
        if self._value is not None and self._asking is None and self._clock() < self._tried_at + MIN_AGE:
            return self._value
        return await self._asked()

    async def _asked(self) -> T:
        return await asyncio.shield(self._ask())

    def _ask(self) -> asyncio.Task[T]:
        if self._asking is None:
            self._tried_at = self._clock()
            self._asking = asyncio.create_task(self._loaded())
            self._asking.add_done_callback(self._asked_all)
        return self._asking

    async def _loaded(self) -> T:
        value, fresh = await self._load()
        self._value, self._at = value, self._clock()
        self._stale_at = self._at + min(max(fresh, FRESH_LEAST), FRESH_MOST)
        return value

    def _asked_all(self, done: asyncio.Task[T]) -> None:
        self._asking = None
        if not done.cancelled():
            done.exception()  # seen, even if nobody waits any more


def freshness(headers: Mapping[str, str], default: float) -> float:
    """Seconds an answer calls itself fresh (RFC 9111 §5.2.2.1), or `default`."""
    said = _AGE.search(headers.get("Cache-Control", "")[:1000])
    return float(said[1]) if said else default


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that may verify signatures. `kind` is its JWK type or, for curves, the curve."""

    kid: str
    kind: str
    alg: str
    key: Key = field(repr=False)


def keys_of(document: Mapping[str, Any]) -> tuple[PublicKey, ...]:
    """The keys of a JWK set (RFC 7517 §5) that may verify signatures; those of other kinds are passed over.

    Raises `UpstreamRefused("keys-unusable")` for no set, too large a set, one without any such key, and for
    one that gives away secret keys: whoever published them no longer knows who signs.
    """
    listed = document.get("keys")
    if not isinstance(listed, list) or not 0 < len(listed) <= MOST_KEYS:
        raise _unusable("not a set of 1 to 100 keys")
    if not all(isinstance(each, dict) for each in listed):
        raise _unusable("a key is not an object")
    if any(_SECRET_FIELDS & each.keys() for each in listed):
        raise _unusable("the set holds secret keys")
    found = tuple(key for key in map(_public, listed) if key)
    if not found:
        raise _unusable("no key verifies signatures")
    return found


def _unusable(detail: str) -> UpstreamRefused:
    return UpstreamRefused("keys-unusable", detail, status=502)


def _public(jwk: Mapping[str, Any]) -> PublicKey | None:
    kty, kid, alg = jwk.get("kty"), jwk.get("kid", ""), jwk.get("alg", "")
    if not isinstance(kty, str) or kty not in _FIELDS or not _verifies(jwk):
        return None
    if not all(isinstance(each, str) and len(each) <= 255 for each in (kid, alg)):
        return None
    members = {name: jwk.get(name) for name in ("kty", *_FIELDS[kty])}
    if not all(isinstance(each, str) and _NUMBER.fullmatch(each) for each in members.values()):
        return None
    key = _imported({name: str(value) for name, value in members.items()})
    kind = "RSA" if kty == "RSA" else str(members["crv"])
    return PublicKey(kid, kind, alg, key) if key else None


def _verifies(jwk: Mapping[str, Any]) -> bool:
    operations = jwk.get("key_ops", ["verify"])
    return jwk.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations


def _imported(members: Mapping[str, str]) -> Key | None:
    kty = members["kty"]
    try:
        if kty == "RSA":
            return RSAKey.import_key(dict(members)) if _strong(members) else None
        if members["crv"] not in _CURVES:
            return None
        return ECKey.import_key(dict(members)) if kty == "EC" else OKPKey.import_key(dict(members))
    except (JoseError, ValueError, TypeError, KeyError, UnsupportedAlgorithm):
        return None


def _strong(members: Mapping[str, str]) -> bool:
    """RFC 7518 §3.3: 2048 bits or more; not so many that verifying is an attack; a common exponent."""
    modulus = int.from_bytes(urlsafe_b64decode(members["n"].encode()), "big")
    exponent = int.from_bytes(urlsafe_b64decode(members["e"].encode()), "big")
    return modulus.bit_length() in RSA_BITS and exponent % 2 == 1 and 65537 <= exponent < 1 << 32
