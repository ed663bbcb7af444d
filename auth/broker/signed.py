"""A provider's signed statements about a sign-on: ID tokens and logout tokens, read and verified.

Rule 1: the algorithm is one the operator pinned, and fits the key; what the token or the provider wishes
does not count. No `none`, no HMAC, ever.
Rule 2: the key comes from the provider's own set by `kid`, exactly one; a key that the token brings along or
points to (jwk, jku, x5u, x5c) ends it, and so does anything it calls critical.
Rule 3: a claim of a wrong type is a wrong claim.

Sources: RFC 7515, RFC 8725, OpenID Connect Core 1.0 §2, §3.1.3.7, Back-Channel Logout 1.0 §2.6.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry
from joserfc.util import urlsafe_b64decode, urlsafe_b64encode

from auth.broker.answers import object_of
from auth.broker.asserted import subject
from auth.broker.remote_keys import PublicKey
from auth.broker.upstream import UpstreamRefused

SKEW = 20.0
"""Seconds that two honest clocks may differ."""
LONGEST_TOKEN = 65_536
LOGOUT_LIFE = 300.0
"""Seconds for which a logout token counts after it was issued, whatever it says."""
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"

KINDS = {
    "RS256": "RSA", "RS384": "RSA", "RS512": "RSA", "PS256": "RSA", "PS384": "RSA", "PS512": "RSA",
    "ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "EdDSA": "Ed25519", "Ed25519": "Ed25519",
}  # fmt: skip
_BROUGHT_ALONG = frozenset({"jwk", "jku", "x5u", "x5c", "crit", "b64", "zip", "enc"})
_LATEST = float(1 << 53)


@dataclass(frozen=True, slots=True)
class Signed:
    """A compact JWS whose header passed; nothing of it is believed yet."""

    alg: str
    kid: str
    typ: str
    claims: dict[str, Any] = field(repr=False)
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)


def pinned(algorithms: Sequence[str], code: str) -> frozenset[str]:
    """The algorithms of the settings. Raises ValueError for one that cannot be believed."""
    if not algorithms or (odd := [each for each in algorithms if each not in KINDS]):
        names = ", ".join(odd) if algorithms else "-"
        raise ValueError(
            f"upstreams.{code}: 不可用的签名算法 {names}，可用 / no such algorithm, known: {', '.join(KINDS)}"
        )
    return frozenset(algorithms)


def opened(token: object, algorithms: frozenset[str]) -> Signed:
    """The token's parts, its header checked. Raises `UpstreamRefused`: token-unusable, algorithm, header."""
    if not isinstance(token, str) or len(token) > LONGEST_TOKEN or token.count(".") != 2:
        raise UpstreamRefused("token-unusable", "not a compact JWS")
    try:
        head, body, signature = token.encode("ascii").split(b".")
        header = object_of(urlsafe_b64decode(head))
        claims = object_of(urlsafe_b64decode(body))
        mark = urlsafe_b64decode(signature)
    except (ValueError, UpstreamRefused):
        raise UpstreamRefused("token-unusable", "not a compact JWS of JSON objects") from None
    alg, kid, typ = header.get("alg"), header.get("kid", ""), header.get("typ", "")
    if not isinstance(alg, str) or alg not in algorithms:
        raise UpstreamRefused("algorithm", "its algorithm is not one that the settings pin")
    if _BROUGHT_ALONG & header.keys() or not isinstance(kid, str) or not isinstance(typ, str):
        raise UpstreamRefused("header", "its header asks for what is not done")
    return Signed(alg, kid, typ.lower().removeprefix("application/"), claims, head + b"." + body, mark)


def key_for(token: Signed, keys: Sequence[PublicKey]) -> PublicKey | None:
    """The one key that may have signed it; None if there is none, or more than one.

    A token without `kid` is only of a provider with one such key (OIDC Core §10.1).
    """
    fitting = [key for key in keys if key.kind == KINDS[token.alg] and key.alg in ("", token.alg)]
    named = [key for key in fitting if key.kid == token.kid] if token.kid else fitting
    return named[0] if len(named) == 1 else None


def verify(token: Signed, key: PublicKey) -> dict[str, Any]:
    """The claims, now that the signature holds. Raises `UpstreamRefused("signature")`."""
    try:
        holds = JWSRegistry.algorithms[token.alg].verify(token.signed, token.signature, key.key)
    except (JoseError, ValueError, TypeError):
        holds = False
    if not holds:
        raise UpstreamRefused("signature", "its signature does not hold")
    return token.claims


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an ID token must say. `nonce` and `max_age` None: not asked for."""

    iss: str
    audience: str
    now: float
    nonce: str | None = None
    max_age: int | None = None


def check_id_token(token: Signed, wanted: Wanted, access_token: str = "") -> None:
    """Every claim that OIDC Core §3.1.3.7 names, and those we use. Raises `UpstreamRefused("claim-…")`."""
    claims = token.claims
    if token.typ not in ("", "jwt"):
        raise UpstreamRefused("token-type", "not an ID token")
    _check_origin(claims, wanted)
    _check_times(claims, wanted.now)
    if wanted.nonce is not None and not same(_text(claims, "nonce"), wanted.nonce):
        raise UpstreamRefused("claim-nonce", "not the answer to our question")
    subject(claims.get("sub"))
    _check_auth_time(claims, wanted)
    bound = _text(claims, "at_hash") if "at_hash" in claims else ""
    if bound and access_token and not same(bound, half_hash(token.alg, access_token)):
        raise UpstreamRefused("claim-at-hash", "made for another access token")
    for name in ("acr", "sid"):
        _text(claims, name, needed=False)
    amr = claims.get("amr", [])
    if not isinstance(amr, list) or not all(isinstance(each, str) for each in amr):
        raise UpstreamRefused("claim-amr", "not a list of words")


def check_logout_token(token: Signed, wanted: Wanted) -> tuple[str, str, str, float]:
    """(sub, sid, jti, until when it counts). Raises `UpstreamRefused`. `sub` or `sid` may be empty."""
    claims = token.claims
    if token.typ not in ("", "jwt", "logout+jwt"):
        raise UpstreamRefused("token-type", "not a logout token")
    _check_origin(claims, wanted)
    issued = _moment(claims, "iat")
    until = min(_moment(claims, "exp") if "exp" in claims else math.inf, issued + LOGOUT_LIFE)
    if issued > wanted.now + SKEW or until + SKEW <= wanted.now:
        raise UpstreamRefused("claim-exp", "of another time")
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
        raise UpstreamRefused("claim-events", "it does not say that a session ended")
    if "nonce" in claims:
        raise UpstreamRefused("claim-nonce", "an ID token, it seems")
    sub = subject(claims["sub"]) if "sub" in claims else ""
    sid = _text(claims, "sid", needed=False)
    if not sub and not sid:
        raise UpstreamRefused("claim-sub", "neither sub nor sid")
    return sub, sid, _text(claims, "jti"), until + SKEW


def half_hash(alg: str, value: str) -> str:
    """`at_hash` (OIDC Core §3.1.3.6): the left half of the hash that the algorithm uses."""
    size = "512" if KINDS[alg] == "Ed25519" else alg[-3:]
    digest = hashlib.new(f"sha{size}", value.encode()).digest()
    return urlsafe_b64encode(digest[: len(digest) // 2]).decode()


def same(one: str, other: str) -> bool:
    """Equal, in a time that does not tell how nearly."""
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))


def _check_origin(claims: Mapping[str, Any], wanted: Wanted) -> None:
    if claims.get("iss") != wanted.iss:
        raise UpstreamRefused("claim-iss", "of another issuer")
    aud = claims.get("aud")
    listed = aud if isinstance(aud, list) else [aud]
    if not all(isinstance(each, str) for each in listed) or wanted.audience not in listed:
        raise UpstreamRefused("claim-aud", "made for somebody else")
    if (len(listed) > 1 or "azp" in claims) and claims.get("azp") != wanted.audience:
        raise UpstreamRefused("claim-azp", "asked for by somebody else")


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    issued = _moment(claims, "iat")
    if _moment(claims, "exp") + SKEW <= now:
        raise UpstreamRefused("claim-exp", "it has expired")
    if issued > now + SKEW:
        raise UpstreamRefused("claim-iat", "issued in the future")
    if "nbf" in claims and _moment(claims, "nbf") > now + SKEW:
        raise UpstreamRefused("claim-nbf", "not valid yet")


def _check_auth_time(claims: Mapping[str, Any], wanted: Wanted) -> None:
    if "auth_time" not in claims and wanted.max_age is None:
        return
    signed_in = _moment(claims, "auth_time")
    too_old = wanted.max_age is not None and signed_in + wanted.max_age + SKEW < wanted.now
    if too_old or signed_in > wanted.now + SKEW:
        raise UpstreamRefused("claim-auth-time", "the person did not sign in there at such a time")


def _moment(claims: Mapping[str, Any], name: str) -> float:
    """A NumericDate (RFC 7519 §2). Raises `UpstreamRefused`."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _LATEST:
        raise UpstreamRefused(f"claim-{name.replace('_', '-')}", "not a moment in time")
    return float(value)


def _text(claims: Mapping[str, Any], name: str, *, needed: bool = True) -> str:
    value = claims.get(name, None if needed else "")
    if not isinstance(value, str) or len(value) > 512 or not value.isprintable() or (needed and not value):
        raise UpstreamRefused(f"claim-{name.replace('_', '-')}", "not a line of text")
    return value


def check_access_token(token: Signed, wanted: Wanted) -> None:
    """A JWT access token that names us as its audience (RFC 9068 §4). Raises `UpstreamRefused("claim-…")`."""
    if token.typ != "at+jwt":
        raise UpstreamRefused("token-type", "not a JWT access token")
    check_id_token(replace(token, typ=""), wanted)
