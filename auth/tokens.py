"""Access tokens: signed statements about a principal (RFC 9068, `typ: at+jwt`, ES256 only).

Rule 1: every failure is the same InvalidToken, without a cause.
Rule 2: the algorithm and the key are ours to choose, never the token's: exactly the header members
`alg`, `kid` and `typ` are accepted, so jwk, jku, x5u and crit have nowhere to stand (RFC 8725 §3).
Rule 3: nothing is parsed that is longer than 4 kB.
"""

from __future__ import annotations

import json
import secrets
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey
from joserfc.jwt import JWTClaimsRegistry

from auth.errors import InvalidToken, TokenTooLarge
from auth.keys import SigningKey
from auth.principal import Principal, RoleClaim, principal_from

ALGORITHM = "ES256"
TYPES = frozenset({"at+jwt", "application/at+jwt"})
LARGEST = 4096
"""Longest token in bytes."""


class AccessTokens:
    """Issues and verifies the tokens of one issuer for one audience.

    `signing` signs; it and every key of `trusted` verify, each only under its own `kid`.
    `clock` gives seconds since the epoch. Verification allows `leeway` of clock skew.
    """

    def __init__(
        self,
        signing: SigningKey,
        *,
        issuer: str,
        audience: str,
        client_id: str = "rongtong",
        trusted: Iterable[SigningKey] = (),
        clock: Callable[[], float] = time.time,
        leeway: timedelta = timedelta(seconds=60),
    ) -> None:
        self.issuer = issuer
        self._audience = audience
        self._client_id = client_id
        self._signing = signing
        self._keys: dict[str, ECKey] = {each.kid: each.key for each in (*trusted, signing)}
        self._clock = clock
        self._leeway = int(leeway.total_seconds())

    def issue(self, principal: Principal, lifetime: timedelta = timedelta(hours=1)) -> str:
        """A token for `principal`; its `iss` is ours, whatever the principal's own issuer.

        Raises TokenTooLarge when the claims exceed 4 kB.
        """
        header = {"alg": ALGORITHM, "kid": self._signing.kid, "typ": "at+jwt"}
        claims = self._envelope(lifetime) | _claims_of(principal)
        token = jwt.encode(header, claims, self._signing.key, algorithms=[ALGORITHM])
        if len(token) > LARGEST:
            raise TokenTooLarge("令牌超过 4 kB，请减少角色或班级 / over 4 kB: fewer roles or classes")
        return token

    def verify(self, token: str) -> Principal:
        """The principal a token speaks of. Raises InvalidToken for whatever is wrong."""
        try:
            key = self._key_for(token)
            claims = jwt.decode(token, key, algorithms=[ALGORITHM]).claims
            self._rules().validate(claims)
            return _principal_of(claims)
        except Exception:  # one refusal for every cause: see rule 1
            raise InvalidToken from None

    def _envelope(self, lifetime: timedelta) -> dict[str, Any]:
        now = int(self._clock())
        return {
            "iss": self.issuer,
            "aud": self._audience,
            "client_id": self._client_id,
            "iat": now,
            "exp": now + int(lifetime.total_seconds()),
            "jti": secrets.token_urlsafe(16),
        }

    def _key_for(self, token: str) -> ECKey:
        if len(token) > LARGEST or token.count(".") != 2:
            raise InvalidToken
        header = _header_of(token)
        if set(header) != {"alg", "kid", "typ"} or header["alg"] != ALGORITHM:
            raise InvalidToken
        if not isinstance(header["typ"], str) or header["typ"].lower() not in TYPES:
            raise InvalidToken
        return self._keys[header["kid"]]

    def _rules(self) -> JWTClaimsRegistry:
        return JWTClaimsRegistry(
            now=int(self._clock()),
            leeway=self._leeway,
            iss={"essential": True, "value": self.issuer},
            aud={"essential": True, "value": self._audience},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            jti={"essential": True},
            client_id={"essential": True},
        )


def _header_of(token: str) -> dict[str, Any]:
    segment = token.split(".", 1)[0]
    pairs = json.loads(urlsafe_b64decode(segment + "=" * (-len(segment) % 4)), object_pairs_hook=list)
    header = dict(pairs)
    if len(header) != len(pairs):  # a member named twice is read differently by different parsers
        raise InvalidToken
    return header


def _claims_of(principal: Principal) -> dict[str, Any]:
    claims: dict[str, Any] = {"sub": principal.subject, "level": principal.level}
    optional = {
        "roles": [_role_claims(role) for role in principal.roles],
        "person": list(principal.person_keys),
        "children": list(principal.children_keys),
        "scope": " ".join(principal.scopes),  # RFC 9068 §2.2.3
        "purposes": list(principal.purposes),
    }
    return claims | {name: value for name, value in optional.items() if value}


def _role_claims(role: RoleClaim) -> dict[str, Any]:
    values = {"role": role.role, "region": role.region_code, "school": role.school_code}
    return {k: v for k, v in values.items() if v} | ({"classes": role.class_keys} if role.class_keys else {})


def _principal_of(claims: Mapping[str, Any]) -> Principal:
    return principal_from(
        {
            "subject": claims["sub"],
            "level": claims["level"],
            "roles": [_role_values(role) for role in claims.get("roles", [])],
            "person_keys": claims.get("person", []),
            "children_keys": claims.get("children", []),
            "scopes": claims.get("scope", "").split(),
            "purposes": claims.get("purposes", []),
        },
        issuer=claims["iss"],
    )


def _role_values(claims: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "role": claims["role"],
        "region_code": claims.get("region"),
        "school_code": claims.get("school"),
        "class_keys": claims.get("classes", []),
    }
