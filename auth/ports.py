"""What the gate asks of the hub about people; the hub answers from its rosters (`hub/people`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from auth.documents import Account
from auth.principal import RoleClaim


@dataclass(frozen=True, slots=True)
class Assertion:
    """What a level's provider said about an account, checked: the one result of every kind of upstream.

    `iss` is the provider's exact issuer (for CAS and ticket kinds its configured `issuer`), `sub` the
    account there. `identifiers` holds only namespaces the provider is an authority for and that it says are
    verified; ID numbers are keyed hashes by now (namespace `match`). `roles` only what it may assert, in its
    own region. `hint` and `sid` are what its logout wants. `minor` None: not told.
    """

    upstream: str
    iss: str
    sub: str = field(repr=False)
    level: str
    region: str = ""
    school: str = ""
    name: str = field(default="", repr=False)
    identifiers: dict[str, str] = field(default_factory=dict, repr=False)
    roles: tuple[RoleClaim, ...] = ()
    assurance: str = ""
    """SELF_ASSERTED | NAME_VERIFIED | FACE_VERIFIED"""
    acr: str = ""
    amr: tuple[str, ...] = ()
    auth_time: int = 0
    sid: str = ""
    hint: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Profile:
    """A person as their accounts and the rosters tell it, for tokens and claims. Keys never print.

    `minor`: under 14 or of unknown age while a pupil; no shared identifier of theirs leaves the hub.
    """

    person: str = field(repr=False)
    level: str
    name: str = field(default="", repr=False)
    roles: tuple[RoleClaim, ...] = ()
    person_keys: tuple[str, ...] = field(default=(), repr=False)
    children_keys: tuple[str, ...] = field(default=(), repr=False)
    minor: bool = True
    assurance: str = ""


class People(Protocol):
    """Tells who a person is by now; asked at sign-in and when tokens are made, never for each query."""

    async def profile(self, person: str, accounts: Sequence[Account]) -> Profile:
        """Roles and records from the rosters of the joined sources, within their deadlines; what a silent
        roster told before is used. Never raises for a silent source: fewer roles then."""
        ...


class Matching(Protocol):
    """Turns numbers of persons into keyed hashes (`connectors.seal`), so that none is kept or compared."""

    def match_key(self, number: str) -> str: ...


class Audit(Protocol):
    """Notes what happened to identities, append-only; returns when it is durable, raises `StoreDown` else."""

    async def note(self, event: str, *, person: str = "", **facts: str) -> None:
        """`event` such as `account.linked`; `facts` hold no secrets and no values of persons."""
        ...
