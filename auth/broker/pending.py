"""Sign-ins under way at a level's provider: one state, one browser, one provider, once.

Rule 1: the state counts only in the browser that began (its mark), at the provider it was made for, and once:
it is taken by one atomic step. At another provider (mix-up) it is spent; in another browser it is untouched.
Rule 2: what the provider's kind needs back (nonce, verifier) is sealed at rest.
Rule 3: an answer that was posted (form_post) comes without our cookies; it is kept under its state and read
by the GET that follows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import orjson

from auth.documents import Kept, kept_as
from auth.errors import Denied
from auth.sessions import Open, Seal
from auth.store import IndexSpec, Store, expiring, kept, secret

COLLECTION = "auth_pending"
INDEXES: tuple[IndexSpec, ...] = (expiring(COLLECTION),)
LIFE = timedelta(minutes=10)
LABEL = "pending"


@dataclass(frozen=True, slots=True)
class Intention:
    """What a sign-in is for: an interaction, or linking for the person of a session. Texts may be empty."""

    interaction: str = ""
    session: str = ""
    person: str = field(default="", repr=False)

    @property
    def links(self) -> bool:
        """Whether it is to prove another account of somebody signed in."""
        return bool(self.session)


class Pending(Kept, frozen=True, kw_only=True):
    """One of them; `id` is the SHA-256 of its state, `browser` of the browser's mark."""

    browser: str
    upstream: str
    interaction: str = ""
    session: str = ""
    person: str = ""
    sealed: str = ""
    posted: str = ""
    created: datetime
    expires: datetime

    @property
    def intention(self) -> Intention:
        """What it is for."""
        return Intention(self.interaction, self.session, self.person)


class Pendings:
    """Keeps them. `clock` gives seconds since 1970. Every method may raise `StoreDown`."""

    def __init__(self, store: Store, clock: Callable[[], float], seal: Seal, open_sealed: Open) -> None:
        self._kept = store.collection(COLLECTION)
        self._clock, self._seal, self._open = clock, seal, open_sealed

    def state(self) -> str:
        """A fresh state."""
        return secret()

    async def begin(
        self, state: str, mark: str, upstream: str, intention: Intention, back: Mapping[str, str]
    ) -> None:
        """Keep it before the browser leaves; `back` is what the provider's `begin` wants back."""
        now = self._now()
        pending = Pending(
            id=kept(state), browser=kept(mark), upstream=upstream, interaction=intention.interaction,
            session=intention.session, person=intention.person, created=now, expires=now + LIFE,
            sealed=self._seal(LABEL, orjson.dumps(dict(back))),
        )  # fmt: skip
        await self._kept.insert_one(pending.document())

    async def take(self, state: str, mark: str, upstream: str) -> Pending:
        """It, once. Raises `Denied` for any state that is not this browser's, this provider's and fresh."""
        found = await self._kept.find_one_and_delete(
            {"_id": {"$eq": kept(state)}, "browser": {"$eq": kept(mark)}, "expires": {"$gt": self._now()}}
        )
        pending = kept_as(Pending, found) if found and mark else None
        if pending is None or pending.upstream != upstream:
            raise over()
        return pending

    async def post(self, state: str, upstream: str, fields: Mapping[str, str]) -> None:
        """Keep an answer that was posted, the first one only. Raises `Denied` for an unknown state."""
        noted = await self._kept.update_one(
            {
                "_id": {"$eq": kept(state)}, "upstream": {"$eq": upstream}, "posted": "",
                "expires": {"$gt": self._now()},
            },
            {"$set": {"posted": self._seal(LABEL, orjson.dumps(dict(fields)))}},
        )  # fmt: skip
        if not noted:
            raise over()

    def back(self, pending: Pending) -> dict[str, str]:
        """What `begin` was given to keep."""
        return self._opened(pending.sealed)

    def posted(self, pending: Pending) -> dict[str, str]:
        """The answer that was posted; empty if none was."""
        return self._opened(pending.posted) if pending.posted else {}

    def _opened(self, sealed: str) -> dict[str, str]:
        values: dict[str, str] = orjson.loads(self._open(LABEL, sealed))
        return values

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)


def over() -> Denied:
    """One text for every state that does not count."""
    return Denied(
        "SIGN_IN_OVER",
        "这次登录已过期、已用过，或不是在本浏览器发起的，请重新登录 / "
        "this sign-in has expired, was used, or was not begun in this browser: sign in again",
    )
