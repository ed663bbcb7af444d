"""ID tokens: signed statements to one client about a sign-in (OIDC Core 2), and what comes back of them."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError

from auth.documents import Client
from auth.keys import Algorithm, KeyRing
from auth.ports import Profile

LIFE = 300
_LARGEST = 16_384
_ALGORITHMS = ("ES256", "RS256")


def claims_about(profile: Profile, scopes: Collection[str]) -> dict[str, Any]:
    """What these scopes tell of a person, in ID tokens and at userinfo: `name` (profile); `roles` (roles),
    each as {role, region, school}, and the same in `groups`; never a key of a person or class."""
    claims: dict[str, Any] = {}
    if "profile" in scopes and profile.name:
        claims["name"] = profile.name
    if "roles" in scopes:
        each = [(role.role, role.region_code, role.school_code) for role in profile.roles]
        named = [{"role": r, "region": region, "school": school} for r, region, school in dict.fromkeys(each)]
        claims["roles"] = [{k: v for k, v in role.items() if v} for role in named]
        claims["groups"] = _groups(each)
    return claims


def _groups(roles: Iterable[tuple[str, str | None, str | None]]) -> list[str]:
    """Roles as plain words, for web servers and products that compare nothing but words: `TEACHER`, and with
    the place `TEACHER@3137000001` (a school) or `ADMIN@371500` (a region)."""
    words: dict[str, None] = {}
    for role, region, school in roles:
        words |= {role: None, f"{role}@{school or region}" if school or region else role: None}
    return list(words)


def half_hash(value: str) -> str:
    """`at_hash`, `c_hash`: the left half of SHA-256, base64url (OIDC Core 3.1.3.6, 3.3.2.11)."""
    digest = hashlib.sha256(value.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest[:16]).rstrip(b"=").decode("ascii")


class IdTokens:
    """Makes and recognises them. `clock` gives seconds since 1970; a token lives five minutes."""

    def __init__(self, keys: KeyRing, issuer: str, clock: Callable[[], float]) -> None:
        self._keys, self._issuer, self._clock = keys, issuer, clock

    def make(self, client: Client, sub: str, claims: Mapping[str, Any], access_token: str = "") -> str:
        """A token for `client` about `sub`; empty claims are left out; with `access_token` its `at_hash`."""
        now = int(self._clock())
        key = self._keys.signing(_algorithm(client))
        body = {name: value for name, value in claims.items() if value not in ("", None, (), [], 0)}
        if access_token:
            body["at_hash"] = half_hash(access_token)
        body |= {
            "iss": self._issuer, "sub": sub, "aud": client.id, "azp": client.id,
            "iat": now, "exp": now + LIFE,
        }  # fmt: skip
        header = {"alg": key.alg, "kid": key.kid, "typ": "JWT"}
        return jwt.encode(header, body, key.key, algorithms=[key.alg])

    async def ready(self, client: Client) -> None:
        """Have the newest keys at hand, and one of the client's algorithm."""
        await self._keys.refreshed()
        await self._keys.ensured(_algorithm(client))

    def subject(self, token: str, client: Client) -> str:
        """The `sub` of an ID token of ours for this client, expired or not (`id_token_hint`, OIDC Core
        3.1.2.1); "" for whatever else it may be."""
        return str(self.claims(token, client).get("sub", ""))

    def claims(self, token: str, client: Client | None = None) -> dict[str, Any]:
        """All it says, if it is an ID token of ours (for this client), expired or not; else nothing."""
        try:
            header = _header(token)
            key = self._keys.find(header["kid"])
            if key is None or header["alg"] != key.alg:
                return {}
            said: dict[str, Any] = jwt.decode(token, key.key, algorithms=[key.alg]).claims
        except (JoseError, ValueError, TypeError, KeyError, RecursionError):
            return {}
        ours = said.get("iss") == self._issuer and isinstance(said.get("aud"), str)
        return said if ours and (client is None or said["aud"] == client.id) else {}


def _algorithm(client: Client) -> Algorithm:
    return "RS256" if client.id_token_alg == "RS256" else "ES256"  # noqa: S105 - no password


def _header(token: str) -> dict[str, Any]:
    """The header of what may be an ID token: an access token has another `typ` and is none."""
    if len(token) > _LARGEST or token.count(".") != 2:
        raise ValueError
    segment = token.split(".", 1)[0]
    header = json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    if not isinstance(header, dict) or set(header) != {"alg", "kid", "typ"} or header["typ"] != "JWT":
        raise ValueError
    if not isinstance(header["kid"], str) or header["alg"] not in _ALGORITHMS:
        raise ValueError
    return header
