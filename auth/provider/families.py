"""Refresh tokens: each is used once, and all that come from one sign-in are one family (RFC 9700 §4.14).

Rule 1: a family is one document; beginning, rotating and revoking it is one atomic step each.
Rule 2: a token is `root.turn`: `root` says which family, for good; `turn` changes with every use. Only the
owner's client gets anything moved: a stranger who names the token changes nothing.
Rule 3: codes go first, then families: a code that is just being redeemed is looked for again afterwards.
Rule 4: the right root with a turn that is over means that somebody has copied it: the family is revoked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from auth.documents import Kept, kept_as
from auth.errors import AuthError
from auth.provider.codes import COLLECTION as CODES
from auth.store import Document, IndexSpec, Store, expiring, kept, secret

COLLECTION = "auth_families"
INDEXES: tuple[IndexSpec, ...] = (
    expiring(COLLECTION),
    IndexSpec(COLLECTION, (("root", 1),)),
    IndexSpec(COLLECTION, (("person", 1),)),
    IndexSpec(COLLECTION, (("session", 1),)),
)
MOST_OF_A_PERSON = 500
_TURNS_IN_GRACE = 4
_LONGEST = 200


class Unknown(AuthError):
    """No such refresh token for this client: never issued to it, expired, revoked, or of another key."""

    code = "REFRESH_UNKNOWN"
    error = "invalid_grant"
    public = "刷新令牌无效 / the refresh token is not valid"


class Replayed(AuthError):
    """A refresh token was used again: somebody has a copy. Its whole family is revoked by now."""

    code = "REFRESH_REPLAYED"
    error = "invalid_grant"
    public = "刷新令牌已被使用过，相关登录已撤销 / the refresh token was used before: its family is revoked"


class Family(Kept, frozen=True, kw_only=True):
    """What one grant led to. `jkt`: the key its refresh tokens are bound to; `offline`: outlives the session;
    `claims`: the claims request; `auth_time` in seconds since 1970, of the sign-in itself, for good."""

    client_id: str
    person: str
    session: str = ""
    scopes: tuple[str, ...] = ()
    jkt: str = ""
    offline: bool = False
    auth_time: int = 0
    acr: str = ""
    amr: tuple[str, ...] = ()
    nonce: str = ""
    claims: dict[str, Any] = msgspec.field(default_factory=dict)
    root: str = ""
    current: tuple[str, ...] = ()
    previous: str = ""
    rotated: datetime | None = None
    created: datetime
    expires: datetime
    revoked: datetime | None = None


@dataclass(frozen=True, slots=True)
class Redeemed:
    """A refresh token's use: its family, and the token that follows it."""

    family: Family
    token: str = field(repr=False)


def family_of_code(code_id: str) -> str:
    """The id of the family that a code (by its kept form) begins: one code, one family, whoever is first."""
    return hashlib.sha256(f"family of code {code_id}".encode()).hexdigest()


class Families:
    """Keeps them for `life` seconds; for `grace` seconds a rotated token may be sent again by its owner.

    `clock` gives seconds since 1970. Every method may raise `StoreDown`.
    """

    def __init__(self, store: Store, clock: Callable[[], float], *, life: float, grace: float) -> None:
        self._kept, self._codes = store.collection(COLLECTION), store.collection(CODES)
        self._clock = clock
        self._life, self._grace = timedelta(seconds=life), timedelta(seconds=grace)

    async def begin(
        self, *, client_id: str, person: str, session: str, scopes: tuple[str, ...], jkt: str = "",
        offline: bool = False, code_id: str = "", auth_time: int = 0, acr: str = "",
        amr: tuple[str, ...] = (), nonce: str = "", claims: dict[str, Any] | None = None,
        until: datetime | None = None,
    ) -> str:  # fmt: skip
        """Begin a family and give its id. With `code_id` raises `Taken` for all but the first: that is how a
        code is redeemed once. `until` ends it sooner than its life (the session's end)."""
        family, _ = await self.start(
            False, client_id=client_id, person=person, session=session, scopes=scopes, jkt=jkt,
            offline=offline, code_id=code_id, auth_time=auth_time, acr=acr, amr=amr, nonce=nonce,
            claims=claims, until=until,
        )  # fmt: skip
        return family.id

    async def start(
        self, with_token: bool, *, code_id: str = "", until: datetime | None = None,
        claims: dict[str, Any] | None = None, **values: Any,
    ) -> tuple[Family, str]:  # fmt: skip
        """As `begin`, with the first refresh token ("" unless `with_token`) in the same single write."""
        now = self._now()
        root, turn = secret(), secret()
        end = now + self._life
        family = Family(
            id=family_of_code(code_id) if code_id else secret(),
            created=now, expires=min(end, until) if until else end, claims=claims or {}, root=kept(root),
            current=(kept(turn),) if with_token else (), **values,
        )  # fmt: skip
        await self._kept.insert_one(family.document())
        return family, f"{root}.{turn}" if with_token else ""

    async def refresh_token(self, family: str) -> str:
        """A refresh token for a family that was begun without, or in place of what it had.
        Raises `Unknown` when the family is over."""
        root, turn = secret(), secret()
        done = await self._kept.update_one(
            self._alive({"_id": {"$eq": family}}), {"$set": {"root": kept(root), "current": [kept(turn)]}}
        )
        if not done:
            raise Unknown
        return f"{root}.{turn}"

    async def redeem(self, token: str, client_id: str, jkt: str = "") -> Redeemed:
        """Use a token, once: of many at a time one gets through. `jkt`: the key proven with the request.

        Raises `Replayed` after revoking the family, `Unknown`; a stranger's client_id, or a family bound to
        another key, changes nothing.
        """
        root, turn = _parts(token)
        new = secret()
        its = {"root": {"$eq": root}, "client_id": {"$eq": client_id}, "jkt": {"$in": ["", jkt]}}
        mine = self._alive(its)
        moved = await self._turn(mine, turn, new) or await self._turn_in_grace(mine, turn, new)
        if moved is None:
            raise await self._refused(mine)
        return Redeemed(kept_as(Family, moved), f"{token.partition('.')[0]}.{new}")

    async def find(self, token: str) -> Family | None:
        """The family of a token that could be used now; changes nothing."""
        root, turn = _parts(token)
        found = await self._kept.find_one(self._alive({"root": {"$eq": root}, "current": {"$eq": turn}}))
        return kept_as(Family, found) if found else None

    async def find_any(self, token: str) -> Family | None:
        """The family a token belongs to, used up or not, if it still lives; changes nothing."""
        found = await self._kept.find_one(self._alive({"root": {"$eq": _parts(token)[0]}}))
        return kept_as(Family, found) if found else None

    async def get(self, family_id: str) -> Family | None:
        """The family, if it still lives."""
        found = await self._kept.find_one(self._alive({"_id": {"$eq": family_id}}))
        return kept_as(Family, found) if found else None

    async def active(self, family_id: str) -> bool:
        """Whether it lives: begun, not revoked, not expired."""
        return await self.get(family_id) is not None

    async def revoke(self, family_id: str) -> None:
        """End it, for good; again is nothing."""
        await self._revoke({"_id": {"$eq": family_id}})

    async def revoke_session(self, session_id: str) -> None:
        """End those that hang on a session; offline ones live on (OIDC Core 11)."""
        await self._codes.delete_many({"session": {"$eq": session_id}})
        await self._revoke({"session": {"$eq": session_id}, "offline": {"$eq": False}})

    async def revoke_person(self, person: str) -> None:
        """End all of a person's."""
        await self._codes.delete_many({"person": {"$eq": person}})
        await self._revoke({"person": {"$eq": person}})

    async def revoke_client_of(self, person: str, client_id: str) -> None:
        """End what one application has of a person."""
        theirs = {"person": {"$eq": person}, "client_id": {"$eq": client_id}}
        await self._codes.delete_many(theirs)
        await self._revoke(theirs)

    async def of_person(self, person: str) -> list[Family]:
        """A person's living families, newest first, at most 500."""
        found = await self._kept.find(
            self._alive({"person": {"$eq": person}}), limit=MOST_OF_A_PERSON, order=[("created", -1)]
        )
        return [kept_as(Family, each) for each in found]

    async def _turn(self, mine: dict[str, Any], turn: str, new: str) -> Document | None:
        change = {"$set": {"current": [kept(new)], "previous": turn, "rotated": self._now()}}
        return await self._kept.find_one_and_update({**mine, "current": {"$eq": turn}}, change)

    async def _turn_in_grace(self, mine: dict[str, Any], turn: str, new: str) -> Document | None:
        """The owner asks again, because the answer was lost: what was given then stays good as well."""
        if not self._grace:
            return None
        lately = {"previous": {"$eq": turn}, "rotated": {"$gt": self._now() - self._grace}}
        change = {"$push": {"current": {"$each": [kept(new)], "$slice": -_TURNS_IN_GRACE}}}
        return await self._kept.find_one_and_update({**mine, **lately}, change)

    async def _refused(self, mine: dict[str, Any]) -> AuthError:
        """Its root is right and its turn is over: a copy is about."""
        revoked = await self._kept.find_one_and_update(mine, {"$set": {"revoked": self._now()}})
        return Replayed() if revoked else Unknown()

    async def _revoke(self, which: dict[str, Any]) -> None:
        change = {"$set": {"revoked": self._now()}}
        await self._kept.update_many({**which, "revoked": {"$eq": None}}, change)

    def _alive(self, which: dict[str, Any]) -> dict[str, Any]:
        return {**which, "revoked": {"$eq": None}, "expires": {"$gt": self._now()}}

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)


def _parts(token: str) -> tuple[str, str]:
    """Both halves as they are kept; what cannot be a token gives hashes that nothing has."""
    root, _, turn = token.partition(".") if len(token) <= _LONGEST else ("", "", "")
    return kept(root), kept(turn)
