"""Access tokens: signed statements about a principal (RFC 9068, `typ: at+jwt`, ES256 only).

Rule 1: every failure is the same InvalidToken, without a cause.
Rule 2: the algorithm and the key are ours to choose, never the token's: exactly the header members
`alg`, `kid` and `typ` are accepted, so jwk, jku, x5u and crit have nowhere to stand (RFC 8725 §3).
Rule 3: nothing is parsed that is longer than 8 kB, nothing is inflated beyond 64 kB.
Rule 4: what is about the person is sealed for the hub alone (`ctx`): the application that carries the token,
and whoever steals it, reads a pairwise subject and no key, role, class or child.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
import zlib
from base64 import urlsafe_b64decode
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from joserfc import jws

from auth.errors import InvalidToken, TokenTooLarge
from auth.keys import KeyRing, SigningKey
from auth.principal import Principal, RoleClaim

ALGORITHM: Final = "ES256"
TYPES = frozenset({"at+jwt", "application/at+jwt"})
LARGEST = 8192
"""Longest token in bytes."""
LARGEST_CONTEXT = 65_536
NO_CLIENT = "rongtong"
"""`client_id` of tokens that the hub gives out by itself (RFC 9068 §2.2 wants one)."""
_REMEMBERED, _HEADERS = 1024, 256
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")

_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


@dataclass(frozen=True, slots=True)
class Opened:
    """A verified token: whom it speaks of, and what revocation and introspection ask about it.

    `family`: the refresh family it was issued with, "" without one. Times in seconds since 1970.
    """

    principal: Principal
    kid: str
    jti: str
    issued: int
    expires: int
    family: str = field(default="", repr=False)


_Key = str | tuple[str, bytes]
"""A key of a person or class; one that ends in a UUID, as rosters' often do, in half the room."""


class _Role(msgspec.Struct, array_like=True, frozen=True):
    role: str
    region: str | None
    school: str | None
    classes: tuple[_Key, ...]


class _Context(msgspec.Struct, array_like=True, frozen=True):
    """What is sealed; new members go at the end and have defaults: processes of two versions agree then."""

    level: str
    person: str
    session: str
    family: str
    roles: tuple[_Role, ...]
    person_keys: tuple[_Key, ...]
    children_keys: tuple[_Key, ...]
    purposes: tuple[str, ...]
    first_party: bool = False
    minors: bool = False


class _Bound(msgspec.Struct, frozen=True):
    jkt: str = ""


class _Claims(msgspec.Struct, frozen=True):
    iss: str
    sub: _Text
    aud: str
    client_id: _Text
    iat: int
    exp: int
    jti: _Text
    ctx: str
    scope: str = ""
    acr: str = ""
    auth_time: int = 0
    cnf: _Bound = _Bound()


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    alg: str
    kid: str
    typ: str


class AccessTokens:
    """Issues and verifies the tokens of one issuer for one audience, with the keys of one ring.

    `clock` gives seconds since the epoch. Verification allows `leeway` of clock skew, and remembers the
    last thousand tokens it has verified; expiry and the key's standing are looked at each time.
    """

    def __init__(
        self,
        keys: KeyRing,
        *,
        issuer: str,
        audience: str,
        clock: Callable[[], float] = time.time,
        leeway: timedelta = timedelta(seconds=60),
    ) -> None:
        self.issuer, self.audience = issuer, audience
        self._keys, self._clock = keys, clock
        self._leeway = int(leeway.total_seconds())
        self._known: OrderedDict[bytes, Opened] = OrderedDict()
        self._headers: dict[str, str] = {}

    def issue(
        self, principal: Principal, lifetime: timedelta = timedelta(hours=1), *, family: str = ""
    ) -> str:
        """A token for `principal`; its `iss` is ours, whatever the principal's own issuer.

        Raises TokenTooLarge when the claims exceed 8 kB (some 200 classes).
        """
        signing = self._keys.signing(ALGORITHM)
        header = {"alg": ALGORITHM, "kid": signing.kid, "typ": "at+jwt"}
        context = self._keys.seal(_label(signing.kid), _packed(principal, family))
        claims = self._claims(principal, lifetime) | {"ctx": context}
        token = jws.serialize_compact(header, msgspec.json.encode(claims), signing.key, [ALGORITHM])
        if len(token) > LARGEST:
            raise TokenTooLarge("令牌超过 8 kB，请减少角色或班级 / over 8 kB: fewer roles or classes")
        return token

    def verify(self, token: str) -> Principal:
        """The principal a token speaks of. Raises InvalidToken for whatever is wrong."""
        return self.opened(token).principal

    def opened(self, token: str) -> Opened:
        """The principal and the token's own facts. Raises InvalidToken for whatever is wrong."""
        try:
            if len(token) > LARGEST or token.count(".") != 2:
                raise InvalidToken
            digest = hashlib.sha256(token.encode("ascii")).digest()
            found = self._known.get(digest)
            if found is None:
                found = self._read(token)
            self._check_time(found)
            if self._keys.find(found.kid) is None:
                raise InvalidToken
            self._remember(digest, found)
            return found
        except Exception:  # one refusal for every cause: see rule 1
            raise InvalidToken from None

    def _claims(self, principal: Principal, lifetime: timedelta) -> dict[str, Any]:
        now = int(self._clock())
        claims = {
            "iss": self.issuer,
            "sub": principal.subject,
            "aud": self.audience,
            "client_id": principal.client_id or NO_CLIENT,
            "iat": now,
            "exp": now + int(lifetime.total_seconds()),
            "jti": secrets.token_urlsafe(16),
        }
        optional = {
            "scope": " ".join(principal.scopes),  # RFC 9068 §2.2.3
            "acr": principal.acr,
            "auth_time": principal.auth_time,
            "cnf": {"jkt": principal.jkt} if principal.jkt else None,  # RFC 9449 §6.1
        }
        return claims | {name: value for name, value in optional.items() if value}

    def _read(self, token: str) -> Opened:
        """Verify the signature and open the token; what time says is not looked at."""
        head = token.split(".", 1)[0]
        key = self._key_of(self._headers.get(head) or _kid_of(head))
        content = jws.deserialize_compact(token, key.key, [ALGORITHM]).payload
        if len(self._headers) < _HEADERS:
            self._headers[head] = key.kid
        claims = msgspec.json.decode(content, type=_Claims)
        if claims.iss != self.issuer or claims.aud != self.audience:
            raise InvalidToken
        context = _unpacked(self._keys.open_sealed(_label(key.kid), claims.ctx))
        return Opened(
            principal=_principal(claims, context), kid=key.kid, jti=claims.jti,
            issued=claims.iat, expires=claims.exp, family=context.family,
        )  # fmt: skip

    def _key_of(self, kid: str) -> SigningKey:
        key = self._keys.find(kid)
        if key is None or key.alg != ALGORITHM:
            raise InvalidToken
        return key

    def _check_time(self, found: Opened) -> None:
        now = self._clock()
        if found.expires + self._leeway <= now or found.issued - self._leeway > now:
            raise InvalidToken

    def _remember(self, digest: bytes, found: Opened) -> None:
        self._known[digest] = found
        self._known.move_to_end(digest)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)


def _label(kid: str) -> str:
    """Each signing key has its own sealing key, so that rotation also bounds what one of them seals."""
    return f"ctx:{kid}"


def _kid_of(segment: str) -> str:
    content = urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    header = msgspec.json.decode(content, type=_Header)
    if header.alg != ALGORITHM or header.typ.lower() not in TYPES:
        raise InvalidToken
    if content.count(b'"kid"') != 1 or content.count(b'"alg"') != 1 or content.count(b'"typ"') != 1:
        raise InvalidToken  # a member named twice is read differently by different parsers
    return header.kid


def _packed(principal: Principal, family: str) -> bytes:
    context = _Context(
        principal.level, principal.person, principal.session, family,
        tuple(_Role(each.role, each.region_code, each.school_code, _slim(each.class_keys))
              for each in principal.roles),
        _slim(principal.person_keys), _slim(principal.children_keys), principal.purposes,
        principal.first_party, principal.minors,
    )  # fmt: skip
    return zlib.compress(msgspec.msgpack.encode(context), wbits=-15)


def _slim(keys: Iterable[str]) -> tuple[_Key, ...]:
    found = ((key, _UUID.search(key)) for key in keys)
    return tuple((key[:-36], bytes.fromhex(end[0].replace("-", ""))) if end else key for key, end in found)


def _full(keys: Iterable[_Key]) -> tuple[str, ...]:
    return tuple(key if isinstance(key, str) else f"{key[0]}{UUID(bytes=key[1])}" for key in keys)


def _unpacked(sealed: bytes) -> _Context:
    inflater = zlib.decompressobj(wbits=-15)
    content = inflater.decompress(sealed, LARGEST_CONTEXT)
    if not inflater.eof:
        raise InvalidToken
    return msgspec.msgpack.decode(content, type=_Context)


def _principal(claims: _Claims, context: _Context) -> Principal:
    return Principal(
        issuer=claims.iss,
        subject=claims.sub,
        level=context.level,
        roles=tuple(RoleClaim(r.role, r.region, r.school, _full(r.classes)) for r in context.roles),
        person=context.person,
        person_keys=_full(context.person_keys),
        children_keys=_full(context.children_keys),
        scopes=tuple(claims.scope.split()),
        purposes=context.purposes,
        client_id=claims.client_id,
        first_party=context.first_party,
        minors=context.minors,
        session=context.session,
        jkt=claims.cnf.jkt,
        acr=claims.acr,
        auth_time=claims.auth_time,
    )
