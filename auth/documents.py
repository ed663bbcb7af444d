"""What the gate keeps: clients, sessions, accounts, persons, interactions; plain values, and how stored.

Each is one MongoDB document: `_id` is the field `id`. Dates are aware and in UTC. What opens something
(cookie, code, token) is kept as its SHA-256 (`auth.store.kept`), never itself.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeVar

import msgspec

from auth.principal import RoleClaim
from auth.store import Document

T = TypeVar("T", bound="Kept")


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """Something kept under `id`. Never prints its fields: most are about a person."""

    id: str

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"

    def document(self) -> Document:
        """As it is stored."""
        values: Document = msgspec.to_builtins(self, builtin_types=(datetime,))
        values["_id"] = values.pop("id")
        return values


def kept_as(kind: type[T], document: Document) -> T:
    """What a stored document says. Unknown fields are left out: an older process reads a newer one's."""
    return msgspec.convert({**document, "id": document["_id"]}, kind, builtin_types=(datetime,))


class Client(Kept, frozen=True, kw_only=True):
    """A relying party: an application that signs people in here (RFC 7591 metadata, in its words).

    `id` is the client_id. `origin`: settings | registered | federation. `sector`: the host that pairwise
    subjects are made for (OIDC Core 8.1). `first_party`: no consent page. `families`: of the graph's three
    families of data those it may ask for. `minors`: may be told of persons under 14. `level`: who vouches.
    """

    name: str
    name_en: str = ""
    origin: str = "settings"
    redirect_uris: tuple[str, ...] = ()
    post_logout_redirect_uris: tuple[str, ...] = ()
    grant_types: tuple[str, ...] = ("authorization_code", "refresh_token")
    response_types: tuple[str, ...] = ("code",)
    auth_method: str = "client_secret_basic"
    """none | client_secret_basic | client_secret_post | private_key_jwt"""
    secret_kept: str = ""
    jwks: dict[str, Any] | None = None
    jwks_uri: str = ""
    scopes: tuple[str, ...] = ("openid", "profile")
    purposes: tuple[str, ...] = ()
    sector: str = ""
    id_token_alg: str = "ES256"  # noqa: S105 - an algorithm
    """ES256, or RS256 for peers that know nothing else."""
    require_pkce: bool = True
    require_par: bool = False
    require_signed_request: bool = False
    dpop_bound: bool = False
    backchannel_logout_uri: str = ""
    backchannel_logout_session: bool = True
    initiate_login_uri: str = ""
    first_party: bool = False
    minors: bool = False
    region: str = ""
    logo_uri: str = ""
    policy_uri: str = ""
    created: datetime | None = None
    expires: datetime | None = None
    registration_kept: str = ""
    """SHA-256 of the registration access token (RFC 7592)."""
    chain_expires: datetime | None = None
    """When the trust chain that admitted it ends (OpenID Federation 12.1)."""


class UpstreamSession(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-on at a level's provider that this session rests on. All are kept, or logout goes astray."""

    upstream: str
    iss: str
    sub: str
    sid: str = ""
    """The provider's own session: OIDC `sid`, CAS service ticket, ticket session."""
    hint: str = ""
    """What its logout wants: an ID token (OIDC), else empty. Sealed at rest by whoever stores it."""
    acr: str = ""
    amr: tuple[str, ...] = ()
    at: datetime


class ClientSession(msgspec.Struct, frozen=True, kw_only=True):
    """A client that was told who is here; it must be told of the end."""

    client_id: str
    sub: str
    sid: str
    at: datetime


class Session(Kept, frozen=True, kw_only=True):
    """One browser's sign-on. `id` is the public session id; `cookie_kept` is what its cookie hashes to.

    `acr` and `auth_time` are of the strongest and latest proof. `browser` is the browser's own mark.
    """

    cookie_kept: str
    person: str
    created: datetime
    seen: datetime
    expires: datetime
    auth_time: datetime
    acr: str = ""
    amr: tuple[str, ...] = ()
    browser: str = ""
    level: str = ""
    upstreams: tuple[UpstreamSession, ...] = ()
    clients: tuple[ClientSession, ...] = ()
    ended: datetime | None = None


class Account(Kept, frozen=True, kw_only=True):
    """An account at some provider: `id` is `account_id(iss, sub)`, unique; it belongs to one person.

    `identifiers`: namespace -> value as asserted by an authority for it and verified (`roster:<source>` ->
    sourcedId, `match` -> keyed hash of an ID number). `proof` says what linked it (first | authority | both).
    """

    iss: str
    sub: str
    person: str
    upstream: str
    level: str
    region: str = ""
    school: str = ""
    display_name: str = ""
    identifiers: dict[str, str] = {}
    roles: tuple[RoleClaim, ...] = ()
    assurance: str = ""
    proof: str = "first"
    created: datetime
    seen: datetime


class Person(Kept, frozen=True, kw_only=True):
    """一人一号: `id` is random and never derived. A merged one names who it became."""

    created: datetime
    merged_into: str = ""
    erased: datetime | None = None


class Interaction(Kept, frozen=True, kw_only=True):
    """An authorization request under way in one browser: `params` are the validated parameters.

    `browser` is the SHA-256 of the browser's mark; nobody else's browser can go on with it.
    """

    browser: str
    client_id: str
    params: dict[str, Any]
    created: datetime
    expires: datetime
    signed_in: datetime | None = None
    """When this interaction itself was answered by a sign-in (prompt=login, max_age)."""
    consented: tuple[str, ...] | None = None
    par: str = ""
    """`id` of the pushed request it came by, consumed at the end (RFC 9126 §4)."""
