"""Entity statements: one signed paper each, read strictly, written plainly (Federation 1.0 §3).

Rule 1: header and claims are read by us before any signature is checked: sizes, members named once, `typ`,
`alg` and `kid` first; a header that brings a key or a critical extension of its own is refused.
Rule 2: reading says that a paper is well-formed and about whom; only `verify` says that somebody signed it.
Rule 3: what belongs to one kind of statement (configuration, about a subordinate) is refused in the other.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from joserfc import jwt

from auth.trust.errors import Distrusted
from auth.trust.identifiers import is_address, is_entity
from auth.trust.keys import ALGORITHMS, LONGEST_KID, Published, Signer, published, signed_by

STATEMENT = "entity-statement+jwt"
LARGEST = 131_072
"""Longest statement in bytes."""
LEEWAY = 60.0
"""Seconds of clock skew that are forgiven."""
MOST_HINTS, DEEPEST = 10, 32

_TOKEN = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
_ITS_OWN_KEY = ("jwk", "jku", "x5u", "x5c", "crit", "b64", "zip", "trust_chain", "peer_trust_chain")
_OF_CONFIGURATIONS = (
    "authority_hints", "trust_anchor_hints", "trust_marks", "trust_mark_issuers", "trust_mark_owners",
)  # fmt: skip
_OF_SUBORDINATES = ("metadata_policy", "metadata_policy_crit", "constraints", "source_endpoint")
_DEFINED = frozenset(
    ("iss", "sub", "iat", "exp", "jwks", "metadata", "crit", "aud", *_OF_CONFIGURATIONS, *_OF_SUBORDINATES)
)


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed paper as it was read; nobody has checked the signature yet."""

    token: str = field(repr=False)
    kid: str
    algorithm: str
    claims: Mapping[str, Any] = field(repr=False)

    def verify(self, keys: Published, who: str, depth: int | None = None) -> None:
        """Raises `Distrusted`: foreign-key when `keys` has none of that name, else bad-signature."""
        key = keys.get(self.kid)
        if key is None:
            raise Distrusted("foreign-key", who, depth)
        message, _, signature = self.token.rpartition(".")
        if not signed_by(key, self.algorithm, message.encode(), _decoded(signature)):
            raise Distrusted("bad-signature", who, depth)


@dataclass(frozen=True, slots=True)
class Statement(Signed):
    """An entity statement: `iss` says something about `sub`; a configuration when both are the same.

    `keys` are the subject's federation keys. `until`: when it ends, at the latest that we go along with.
    """

    iss: str
    sub: str
    until: float
    keys: Published = field(repr=False)

    def of(self, name: str) -> dict[str, Any]:
        """A claim that is an object; empty when it is absent."""
        value = self.claims.get(name)
        return value if isinstance(value, dict) else {}

    def entity(self) -> dict[str, Any]:
        """The subject's `federation_entity` metadata."""
        found = self.of("metadata").get("federation_entity")
        return found if isinstance(found, dict) else {}

    def hints(self) -> tuple[str, ...]:
        """Its immediate superiors, as it says."""
        return tuple(self.claims.get("authority_hints") or ())


def signed(token: bytes | str, typ: str, who: str, depth: int | None = None) -> Signed:
    """The paper in `token`, its header and claims read. Raises `Distrusted`."""
    raw = token.encode("utf-8", "replace") if isinstance(token, str) else token
    if len(raw) > LARGEST:
        raise Distrusted("too-large", who, depth)
    raw = raw.strip()
    if not _TOKEN.fullmatch(raw):
        raise Distrusted("malformed", who, depth)
    text = raw.decode("ascii")
    head, body, _ = text.split(".")
    try:
        header, claims = _object(head), _object(body)
    except (ValueError, RecursionError):
        raise Distrusted("malformed", who, depth) from None
    kid, algorithm = _checked(header, typ, who, depth)
    return Signed(text, kid, algorithm, claims)


def _checked(header: Mapping[str, Any], typ: str, who: str, depth: int | None) -> tuple[str, str]:
    kind, algorithm, kid = header.get("typ"), header.get("alg"), header.get("kid")
    if not isinstance(kind, str) or kind.lower().removeprefix("application/") != typ:
        raise Distrusted("wrong-type", who, depth)
    if algorithm not in ALGORITHMS:
        raise Distrusted("bad-algorithm", who, depth)
    if any(name in header for name in _ITS_OWN_KEY):
        raise Distrusted("malformed", who, depth, detail="header")
    if not isinstance(kid, str) or not 0 < len(kid) <= LONGEST_KID:
        raise Distrusted("foreign-key", who, depth)
    return kid, algorithm


def statement(
    token: bytes | str, iss: str, sub: str, *, now: float, lifetime: float, depth: int | None = None
) -> Statement:
    """The statement of `iss` about `sub` in `token`, read and checked but for its signature (§3.2).

    `lifetime`: seconds that a statement is believed at most after it was issued, whatever it says.
    Raises `Distrusted` naming the subject.
    """
    paper = signed(token, STATEMENT, sub, depth)
    claims = paper.claims
    _names(claims, iss, sub, depth)
    until = valid_until(claims, now, lifetime, sub, depth)
    try:
        keys = published(claims.get("jwks"))
        _shape(claims, own=iss == sub)
    except ValueError as flaw:
        raise Distrusted("malformed", sub, depth, detail=str(flaw)) from None
    if "crit" in claims:
        _refuse_critical(claims["crit"], sub, depth)
    return Statement(paper.token, paper.kid, paper.algorithm, claims, iss, sub, until, keys)


def _names(claims: Mapping[str, Any], iss: str, sub: str, depth: int | None) -> None:
    if claims.get("iss") != iss:
        raise Distrusted("wrong-issuer", sub, depth)
    if claims.get("sub") != sub:
        raise Distrusted("wrong-subject", sub, depth)
    if "aud" in claims or "trust_anchor" in claims:  # papers of explicit registration, §3.1.4, §3.1.5
        raise Distrusted("wrong-audience", sub, depth)


def valid_until(
    claims: Mapping[str, Any], now: float, lifetime: float, who: str, depth: int | None = None,
    *, endless: bool = False,
) -> float:  # fmt: skip
    """When a paper ends. Raises `Distrusted` unless it is valid now, `LEEWAY` allowed.

    `endless`: it may be without an end of its own (trust marks), and lives for `lifetime` then.
    """
    issued, ends = _time(claims.get("iat")), _time(claims.get("exp"))
    if issued is None or (ends is None and (not endless or "exp" in claims)):
        raise Distrusted("malformed", who, depth, detail="iat, exp")
    begins = _time(claims.get("nbf", issued))
    if begins is None:
        raise Distrusted("malformed", who, depth, detail="nbf")
    if max(issued, begins) > now + LEEWAY:
        raise Distrusted("not-yet-valid", who, depth)
    until = min(issued + lifetime, ends) if ends is not None else issued + lifetime
    if until + LEEWAY <= now:
        raise Distrusted("expired", who, depth)
    return until


def _time(value: object) -> float | None:
    good = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e12
    return float(value) if good and isinstance(value, int | float) else None


def _refuse_critical(names: object, sub: str, depth: int | None) -> NoReturn:
    """We understand no extension: any well-formed `crit` names one, any other is malformed (§13.4)."""
    good = isinstance(names, list) and names and all(isinstance(name, str) for name in names)
    if not good or any(name in _DEFINED for name in names):  # type: ignore[attr-defined]
        raise Distrusted("malformed", sub, depth, detail="crit")
    raise Distrusted("unknown-critical", sub, depth, detail=",".join(names[:5]))  # type: ignore[index]


def _shape(claims: Mapping[str, Any], *, own: bool) -> None:
    """Raises ValueError with the name of the claim that is not as §3.1 has it."""
    for name in _OF_SUBORDINATES if own else _OF_CONFIGURATIONS:
        if name in claims:
            raise ValueError(name)
    if "metadata" in claims:
        _metadata(claims["metadata"])
    for name in ("authority_hints", "trust_anchor_hints"):
        if name in claims:
            _entities(claims[name], name)
    if "trust_marks" in claims and not _objects(claims["trust_marks"]):
        raise ValueError("trust_marks")
    for name in ("trust_mark_issuers", "trust_mark_owners", "metadata_policy", "constraints"):
        if name in claims and not isinstance(claims[name], dict):
            raise ValueError(name)
    if "source_endpoint" in claims and not is_address(claims["source_endpoint"]):
        raise ValueError("source_endpoint")


def _metadata(value: object) -> None:
    """An object of objects by entity type, nothing in them null (§3.1.1, §5)."""
    if not isinstance(value, dict) or not all(isinstance(each, dict) for each in value.values()):
        raise ValueError("metadata")
    if any(entry is None for each in value.values() for entry in each.values()):
        raise ValueError("metadata")


def _entities(value: object, name: str) -> None:
    """A list that is not empty; what is no identifier in it is left to whoever follows it."""
    if not isinstance(value, list) or not value or not all(isinstance(each, str) for each in value):
        raise ValueError(name)
    if len(value) != len(set(value)) or not any(is_entity(each) for each in value):
        raise ValueError(name)


def _objects(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)


def _object(segment: str) -> dict[str, Any]:
    """A segment's JSON object. ValueError: a member named twice, a NaN, deep nesting, anything else."""
    value = json.loads(_decoded(segment), object_pairs_hook=_once, parse_constant=_no_number)
    if not isinstance(value, dict) or _is_deep(value):
        raise ValueError("an object")
    return value


def _is_deep(value: Any) -> bool:
    """Whether something is nested deeper than anything honest: later steps walk it by recursion."""
    level = [value]
    for _ in range(DEEPEST):
        inner: list[Any] = []
        for each in level:
            inner += each.values() if isinstance(each, dict) else each if isinstance(each, list) else ()
        level = [each for each in inner if isinstance(each, dict | list)]
        if not level:
            return False
    return True


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):  # read differently by different parsers
        raise ValueError("a member twice")
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)


def _decoded(segment: str) -> bytes:
    return urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def written(signer: Signer, typ: str, claims: Mapping[str, Any]) -> str:
    """`claims` as a paper signed by `signer`: ES256 with explicit type and key name."""
    header = {"alg": "ES256", "kid": signer.kid, "typ": typ}
    return str(jwt.encode(header, dict(claims), signer.key, algorithms=["ES256"]))
