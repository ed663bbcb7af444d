"""Keys of entities: our own ring as we need it, and other entities' published sets, checked before use.

Rule 1: a signature is checked with the one key that its `kid` names in a set somebody vouched for; keys in
headers (jwk, jku, x5c, x5u) are refused elsewhere and never looked at here.
Rule 2: the algorithm follows from the key: P-256 ES256, RSA RS256, Ed25519 EdDSA (RFC 8037) or Ed25519
(RFC 9864).
Rule 3: a set with a private or symmetric key, or with one `kid` twice, is refused as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

MOST_KEYS = 20
LONGEST_KID = 256
ALGORITHMS = ("ES256", "RS256", "EdDSA", "Ed25519")
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_MODULUS = range(342, 1367)  # characters of base64url: 2048 to 8192 bits

Jwk = Mapping[str, Any]
Published = Mapping[str, Jwk]
"""Public keys by `kid`."""


class Signer(Protocol):
    """A private key: what `auth.keys.SigningKey` is."""

    @property
    def kid(self) -> str: ...

    @property
    def key(self) -> Any: ...


class FederationKeys(Protocol):
    """Our federation keys, apart from those of OIDC (§3.1.1): an `auth.keys.KeyRing` of their own folder."""

    def signing(self) -> Signer: ...

    def public(self) -> dict[str, Any]: ...

    async def refreshed(self) -> None: ...


def published(jwks: object) -> dict[str, Jwk]:
    """The keys of a JWK Set by `kid`. Raises ValueError for a set that breaks rule 3 or is none."""
    keys = jwks.get("keys") if isinstance(jwks, dict) else None
    if not isinstance(keys, list) or not 0 < len(keys) <= MOST_KEYS:
        raise ValueError("jwks")
    found: dict[str, Jwk] = {}
    for key in keys:
        kid = key.get("kid") if isinstance(key, dict) else None
        if not isinstance(kid, str) or not 0 < len(kid) <= LONGEST_KID or kid in found:
            raise ValueError("kid")
        if _PRIVATE & key.keys() or key.get("kty") == "oct":
            raise ValueError("a private key")
        found[kid] = key
    return found


def algorithms_of(jwk: Jwk) -> tuple[str, ...]:
    """Names of the algorithms that a key may sign with; none for keys of other kinds or uses."""
    if jwk.get("use", "sig") != "sig":
        return ()
    kind, curve = jwk.get("kty"), jwk.get("crv")
    names: tuple[str, ...] = ()
    if kind == "EC" and curve == "P-256":
        names = ("ES256",)
    elif kind == "RSA" and _is_sound_rsa(jwk):
        names = ("RS256",)
    elif kind == "OKP" and curve == "Ed25519":
        names = ("EdDSA", "Ed25519")
    stated = jwk.get("alg")
    return names if stated is None or stated in names else ()


def _is_sound_rsa(jwk: Jwk) -> bool:
    """Large enough to be safe, small enough to be quick: a huge exponent would keep us busy."""
    modulus, exponent = jwk.get("n"), jwk.get("e")
    return (
        isinstance(modulus, str) and len(modulus) in _MODULUS
        and isinstance(exponent, str) and 0 < len(exponent) <= 6
    )  # fmt: skip


def signed_by(jwk: Jwk, algorithm: str, message: bytes, signature: bytes) -> bool:
    """Whether `signature` over `message` is this key's. False for anything that cannot be checked."""
    if algorithm not in algorithms_of(jwk):
        return False
    kind = {"EC": ECKey, "RSA": RSAKey, "OKP": OKPKey}[jwk["kty"]]
    plain = {name: value for name, value in jwk.items() if name in ("kty", "crv", "x", "y", "n", "e")}
    try:
        key = kind.import_key(plain)  # type: ignore[attr-defined]
        # Through the algorithm itself: joserfc warns of the name EdDSA, which peers still use.
        return bool(JWSRegistry.algorithms[algorithm].verify(message, signature, key))
    except (JoseError, ValueError, TypeError, KeyError, OverflowError):
        return False


def thumbprints(jwks: Mapping[str, Any]) -> list[str]:
    """RFC 7638 thumbprints of a set's signing keys, for people to compare. Raises ValueError."""
    found = []
    for jwk in published(jwks).values():
        kind = {"EC": ECKey, "RSA": RSAKey, "OKP": OKPKey}.get(str(jwk.get("kty")))
        if kind is not None and algorithms_of(jwk):
            try:
                found.append(str(kind.import_key(dict(jwk)).thumbprint()))  # type: ignore[attr-defined]
            except (JoseError, TypeError, KeyError):
                raise ValueError("key") from None
    return found
