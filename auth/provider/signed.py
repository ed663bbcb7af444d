"""What clients sign: assertions (RFC 7523) and request objects (RFC 9101), checked in one place.

Rule 1: the algorithm is one of ours and the key is the one of the client's own set with that `kid`: no
none, no HMAC, no key inside the token, no crit (RFC 8725 §3).
Rule 2: what may be sent once is noted by its `jti`, atomically.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import import_key

from auth.documents import Client
from auth.errors import Taken
from auth.store import IndexSpec, Store, expiring, kept

ALGORITHMS: Mapping[str, tuple[str, str]] = {
    "ES256": ("EC", "P-256"), "RS256": ("RSA", ""), "PS256": ("RSA", ""), "Ed25519": ("OKP", "Ed25519"),
}  # fmt: skip
"""Accepted from clients: algorithm -> key type and curve."""
SKEW = 20
LARGEST = 16_384
_SMALLEST_RSA, _LARGEST_RSA = 341, 700  # base64url characters of a modulus of 2048 to about 4096 bits
USED = "auth_used_jti"
INDEXES: tuple[IndexSpec, ...] = (expiring(USED),)


class BadSignature(Exception):
    """It is not what that client signed. Says why, for the client's developer, without any value of it."""


class ClientKeys(Protocol):
    """The public keys of a client, as JWKs; an unknown `kid` makes it look again, at a bounded pace."""

    async def keys(self, client: Client, kid: str = "") -> list[dict[str, Any]]: ...


class Once:
    """Notes identifiers that may be used once, until they expire."""

    def __init__(self, store: Store) -> None:
        self._used = store.collection(USED)

    async def first(self, purpose: str, owner: str, jti: str, expires: float) -> bool:
        """Whether this is the first use; of many at a time one gets True. May raise `StoreDown`."""
        until = datetime.fromtimestamp(expires + 2 * SKEW, UTC)
        try:
            await self._used.insert_one({"_id": kept(f"{purpose}\0{owner}\0{jti}"), "expires": until})
        except Taken:
            return False
        return True


class Signed:
    """Verifies what a client signed with one of its keys. `clock` gives seconds since 1970."""

    def __init__(self, keys: ClientKeys, once: Once, clock: Callable[[], float]) -> None:
        self._keys, self._once, self._clock = keys, once, clock

    async def claims(
        self, client: Client, token: str, *, purpose: str, types: Collection[str], audiences: Collection[str],
        longest: int, extra_headers: Collection[str] = (),
    ) -> dict[str, Any]:  # fmt: skip
        """The claims of a token that this client signed for us, not used before.

        Checked: header, signature, iss = client, aud, exp within `longest` seconds, nbf, iat, jti once.
        Raises `BadSignature`, `StoreDown`, and what fetching the client's keys raises (`FetchFailed`).
        """
        header = _header(token, types, extra_headers)
        key = await self._key(client, header)
        claims = _decoded(token, key, header["alg"])
        self._check(client, claims, audiences, longest)
        if not await self._once.first(purpose, client.id, claims["jti"], claims["exp"]):
            raise BadSignature("jti was used before")
        return claims

    async def _key(self, client: Client, header: dict[str, Any]) -> Any:
        kind, curve = ALGORITHMS[header["alg"]]
        fitting = [
            each for each in await self._keys.keys(client, header["kid"])
            if each.get("kid") == header["kid"] and each.get("kty") == kind and each.get("crv", "") == curve
            and each.get("use", "sig") == "sig" and each.get("alg", header["alg"]) == header["alg"]
            and (kind != "RSA" or _SMALLEST_RSA <= len(str(each.get("n", ""))) <= _LARGEST_RSA)
        ]  # fmt: skip
        if len(fitting) != 1:
            raise BadSignature("no key of the client has this kid and algorithm")
        return fitting[0]

    def _check(
        self, client: Client, claims: dict[str, Any], audiences: Collection[str], longest: int
    ) -> None:
        now = self._clock()
        if claims.get("iss") != client.id:
            raise BadSignature("iss is not the client_id")
        _check_audience(claims.get("aud"), audiences)
        expires = _time(claims, "exp")
        if expires is None or expires <= now - SKEW:
            raise BadSignature("exp is missing or has passed")
        if expires > now + longest + SKEW:
            raise BadSignature("exp is too far ahead")
        for name in ("nbf", "iat"):
            value = _time(claims, name)
            if value is not None and value > now + SKEW:
                raise BadSignature(f"{name} is in the future")
        jti = claims.get("jti")
        if not isinstance(jti, str) or not 0 < len(jti) <= 256:
            raise BadSignature("jti is missing or too long")


def unverified_claim(token: str, name: str) -> str:
    """A claim before anything is proven, only to find whose keys to try; "" when there is none."""
    try:
        value = _part(token.split(".")[1]).get(name) if len(token) <= LARGEST else ""
    except (BadSignature, IndexError):
        return ""
    return value if isinstance(value, str) else ""


def _header(token: str, types: Collection[str], extra: Collection[str]) -> dict[str, Any]:
    if len(token) > LARGEST or token.count(".") != 2 or not token.isascii():
        raise BadSignature("not a compact JWS")
    header = _part(token.split(".")[0])
    if unknown := set(header) - {"alg", "kid", "typ", *extra}:
        raise BadSignature(f"header has {len(unknown)} members that are not accepted")
    if not isinstance(header.get("alg"), str) or header["alg"] not in ALGORITHMS:
        raise BadSignature("alg is not one of " + ", ".join(ALGORITHMS))
    if not isinstance(header.get("kid"), str) or not 0 < len(header["kid"]) <= 256:
        raise BadSignature("kid is missing")
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower().removeprefix("application/") not in types:
        raise BadSignature("typ is of something else")
    return header


def _part(segment: str) -> dict[str, Any]:
    try:
        text = base64.b64decode(segment + "=" * (-len(segment) % 4), altchars=b"-_", validate=True)
        pairs = json.loads(text, object_pairs_hook=_once_each)
    except (binascii.Error, ValueError, RecursionError):
        raise BadSignature("not base64url JSON") from None
    if not isinstance(pairs, dict):
        raise BadSignature("not a JSON object")
    return pairs


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):  # a member named twice is read differently by different parsers
        raise ValueError("a member twice")
    return found


def _decoded(token: str, jwk: dict[str, Any], algorithm: str) -> dict[str, Any]:
    public: dict[str, Any] = {name: jwk[name] for name in ("kty", "crv", "x", "y", "n", "e") if name in jwk}
    try:
        jwt.decode(token, import_key(public), algorithms=[algorithm])
    except (JoseError, ValueError, TypeError, KeyError):
        raise BadSignature("the signature does not verify") from None
    return _part(token.split(".")[1])


def _check_audience(audience: Any, ours: Collection[str]) -> None:
    named = [audience] if isinstance(audience, str) else audience
    # Every audience must be ours: one that is also written to somebody else could be replayed from there.
    if not isinstance(named, list) or not named or not all(each in ours for each in named):
        raise BadSignature("aud is not this provider alone")


def _time(claims: dict[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11:
        raise BadSignature(f"{name} is not a time")
    return float(value)
