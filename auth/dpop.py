"""Proof of possession: whoever shows a token also shows that they hold its key (RFC 9449, `dpop+jwt`).

Rule 1: one well-formed proof or none; every flaw is the same InvalidDPoP.
Rule 2: exactly the header members `typ`, `alg` and `jwk`; the algorithm is from our list, the key public
and of the algorithm's own kind, so that no private, symmetric or foreign key is ever taken up (§4.3, §11.6).
Rule 3: the address is ours, from the configured issuer, never from Host; query and fragment do not count.
Rule 4: a proof counts once. It is noted last, after everything else has been found good, and under its own
key, so that nobody can use up another's.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from typing import Any, NoReturn
from urllib.parse import urlsplit

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from auth.errors import AuthError
from auth.proofs import Proofs

ALGORITHMS: tuple[str, ...] = ("ES256", "PS256", "Ed25519", "EdDSA")
"""For `dpop_signing_alg_values_supported` and `WWW-Authenticate: DPoP algs=`."""
WINDOW = 60.0
"""Seconds that a proof's `iat` may lie before or after our clock."""
LARGEST = 4096
LONGEST_ID = 256
_KINDS: dict[str, tuple[type[ECKey] | type[OKPKey] | type[RSAKey], dict[str, str | None]]] = {
    "ES256": (ECKey, {"kty": "EC", "crv": "P-256", "x": None, "y": None}),
    "PS256": (RSAKey, {"kty": "RSA", "n": None, "e": "AQAB"}),
    "Ed25519": (OKPKey, {"kty": "OKP", "crv": "Ed25519", "x": None}),
    "EdDSA": (OKPKey, {"kty": "OKP", "crv": "Ed25519", "x": None}),
}
_HARMLESS = frozenset({"alg", "ext", "key_ops", "kid", "use"})  # what browsers' exportKey adds
_SEGMENT = re.compile(r"[A-Za-z0-9_-]+")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]{1,700}")
_MODULUS = range(342, 684)  # characters: 2048 to 4096 bits
_PORTS = {"https": 443, "http": 80}


class InvalidDPoP(AuthError):
    """No acceptable proof. One text for every cause; `error` is what OAuth answers (RFC 9449 §5)."""

    code = "INVALID_DPOP_PROOF"
    error = "invalid_dpop_proof"
    public = "缺少有效的持有证明（DPoP）/ there is no acceptable DPoP proof"
    status = 400

    def __init__(self) -> None:
        super().__init__()


class DPoP:
    """Checks proofs. `proofs` notes which were seen; `clock` gives seconds since 1970."""

    def __init__(self, proofs: Proofs, clock: Callable[[], float]) -> None:
        self._proofs, self._clock = proofs, clock

    @staticmethod
    def given(headers: Mapping[str, str]) -> bool:
        """Whether a request carries anything by that name; then it must be right."""
        return any(name.lower() == "dpop" for name, _ in headers.items())

    async def thumbprint(
        self, method: str, url: str, headers: Mapping[str, str], access_token: str = ""
    ) -> str:
        """The JWK thumbprint (RFC 7638) of the key that the request's one proof is signed with.

        `url` is the address as the configured issuer has it. With `access_token` the proof must name its
        hash. Raises InvalidDPoP, also without a proof and for one seen before; `StoreDown`.
        """
        proof = _only(headers)
        try:
            header, claims = _read(proof)
            key, members = _key(header)
            _signed(proof, header["alg"], key)
            self._concerns(claims, method, url, access_token)
        except (ValueError, KeyError, TypeError, ArithmeticError, RecursionError, JoseError):
            raise InvalidDPoP from None
        thumbprint = _thumbprint(members)
        seen = hashlib.sha256(f"{thumbprint}\0{claims['jti']}".encode("utf-8", "surrogatepass")).hexdigest()
        if not await self._proofs.first(seen, self._clock() + 2 * WINDOW):
            raise InvalidDPoP
        return thumbprint

    def _concerns(self, claims: Mapping[str, Any], method: str, url: str, access_token: str) -> None:
        """RFC 9449 §4.3, items 8 to 12."""
        issued, name = claims["iat"], claims["jti"]
        if not isinstance(name, str) or not 0 < len(name) <= LONGEST_ID:
            _no("jti")
        if isinstance(issued, bool) or not isinstance(issued, int | float):
            _no("iat")
        if not abs(self._clock() - issued) <= WINDOW:
            _no("iat")
        if claims["htm"] != method or _address(claims["htu"]) != _address(url):
            _no("another request")
        if access_token and not _same(claims["ath"], _digest(access_token.encode())):
            _no("another token")


def _only(headers: Mapping[str, str]) -> str:
    given = [value for name, value in headers.items() if name.lower() == "dpop"]
    if len(given) != 1 or len(given[0]) > LARGEST or given[0].count(".") != 2 or not given[0].isascii():
        raise InvalidDPoP
    return given[0]


def _read(proof: str) -> tuple[dict[str, Any], dict[str, Any]]:
    head, body, _ = proof.split(".")
    header, claims = _members(head), _members(body)
    if set(header) != {"typ", "alg", "jwk"} or header["typ"] != "dpop+jwt":
        _no("header")
    return header, claims


def _members(segment: str) -> dict[str, Any]:
    """A JSON object whose members are named once each: parsers differ in which of two they take."""
    found = json.loads(_decoded(segment), object_pairs_hook=_once, parse_constant=_no)
    if not isinstance(found, dict):
        _no("not an object")
    return found


def _decoded(segment: str) -> bytes:
    if not _SEGMENT.fullmatch(segment):
        _no("base64url")
    return urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        _no("named twice")
    return found


def _key(header: Mapping[str, Any]) -> tuple[ECKey | OKPKey | RSAKey, dict[str, str]]:
    """The header's key, built of its required public members alone, and those members."""
    kind, wanted = _KINDS[header["alg"]]
    given = header["jwk"]
    if not isinstance(given, dict) or set(given) - _HARMLESS != set(wanted):
        _no("members of the key")
    members: dict[str, str] = {}
    for name, fixed in wanted.items():
        value = given[name]
        if not isinstance(value, str) or not (value == fixed if fixed else _BASE64URL.fullmatch(value)):
            _no(name)
        members[name] = value
    if kind is RSAKey and len(members["n"]) not in _MODULUS:
        _no("modulus")
    return kind.import_key(dict(members)), members


def _signed(proof: str, alg: str, key: ECKey | OKPKey | RSAKey) -> None:
    signing, _, mark = proof.rpartition(".")
    # EdDSA is the older name of Ed25519 (RFC 9864 §4.1); the library warns each time it is said.
    algorithm = jws.JWSRegistry.algorithms["Ed25519" if alg == "EdDSA" else alg]
    if not algorithm.verify(signing.encode(), _decoded(mark), key):
        _no("signature")


def _thumbprint(members: Mapping[str, str]) -> str:
    text = json.dumps(members, sort_keys=True, separators=(",", ":"))
    return _digest(text.encode())


def _digest(value: bytes) -> str:
    return urlsafe_b64encode(hashlib.sha256(value).digest()).rstrip(b"=").decode()


def _same(given: object, wanted: str) -> bool:
    return isinstance(given, str) and hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())


def _address(url: object) -> tuple[str, str, int, str]:
    """What of an address counts: scheme, host, port, path (RFC 9449 §4.3; RFC 3986 §6.2.2, §6.2.3)."""
    if not isinstance(url, str) or not 0 < len(url) <= 2048 or not url.isascii() or not url.isprintable():
        _no("address")
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname or "@" in parts.netloc or "\\" in url:
        _no("address")
    return parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme], parts.path or "/"


def _no(_cause: str) -> NoReturn:
    raise InvalidDPoP
