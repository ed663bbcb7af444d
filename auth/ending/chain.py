"""The browser's way through the logouts of every provider a sign-on rested on, one after the other.

Rule 1: a step counts only in the browser that signed out (its mark).
Rule 2: a provider that offers no logout, does not answer, or does not send the browser back hinders nobody:
the way goes on from wherever the browser turns up again, and the page says which ones did not confirm.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from auth.broker.upstream import Upstream
from auth.documents import Kept, Session, UpstreamSession, kept_as
from auth.errors import AuthError
from auth.sessions import Sessions
from auth.store import IndexSpec, Store, expiring, kept, secret

COLLECTION = "auth_leavings"
INDEXES: tuple[IndexSpec, ...] = (
    expiring(COLLECTION),
    IndexSpec(COLLECTION, (("browser", 1), ("created", -1))),
)
LIFE = timedelta(minutes=30)
MOST_STEPS = 12
WITHIN = 4.0


class Leaving(Kept, frozen=True, kw_only=True):
    """A browser on its way: `upstreams` to visit in order (hints sealed), `at` the next one, `returned` those
    it came back from. `clients`: client_id -> whether it knows. `back`: where it ends, "" for our page."""

    browser: str
    upstreams: tuple[UpstreamSession, ...] = ()
    at: int = 0
    returned: tuple[int, ...] = ()
    clients: dict[str, bool]
    back: str = ""
    client_id: str = ""
    created: datetime
    expires: datetime


class Chain:
    """Keeps and leads them. `clock` gives seconds since 1970. Every method may raise `StoreDown`."""

    def __init__(
        self, store: Store, sessions: Sessions, upstreams: Mapping[str, Upstream], clock: Callable[[], float],
        *, issuer: str,
    ) -> None:  # fmt: skip
        self._kept, self._sessions = store.collection(COLLECTION), sessions
        self._upstreams, self._clock, self._issuer = upstreams, clock, issuer

    async def begin(
        self, mark: str, session: Session | None, clients: Mapping[str, bool], *, back: str, client_id: str
    ) -> Leaving:
        """A browser's way from a session that has ended (None: there was none)."""
        now = self._now()
        leaving = Leaving(
            id=secret(128), browser=kept(mark), clients=dict(clients), back=back, client_id=client_id,
            upstreams=tuple(self._visited(session.upstreams)) if session else (), created=now,
            expires=now + LIFE,
        )  # fmt: skip
        await self._kept.insert_one(_document(leaving))
        return leaving

    async def latest(self, mark: str) -> Leaving | None:
        """The last way that this browser began, if it is young enough."""
        found = await self._kept.find(
            {"browser": {"$eq": kept(mark)}, "expires": {"$gt": self._now()}}, limit=1,
            order=[("created", -1)],
        )  # fmt: skip
        return _leaving(found[0]) if found else None

    async def came(self, state: str, mark: str) -> Leaving | None:
        """The way as it is when the browser turns up with `state` ("id" or "id.step"); a step's own state
        notes that its provider sent the browser back. None: not this browser's."""
        name, _, step = state.partition(".")
        mine = {
            "_id": {"$eq": name}, "browser": {"$eq": kept(mark)}, "expires": {"$gt": self._now()},
        }  # fmt: skip
        number = int(step) if step.isascii() and step.isdigit() and len(step) < 4 else -1
        if number >= 0:
            await self._kept.update_one({**mine, "at": {"$gt": number}}, {"$addToSet": {"returned": number}})
        found = await self._kept.find_one(mine)
        return _leaving(found) if found else None

    async def onward(self, leaving: Leaving) -> tuple[Leaving, str]:
        """The way with its next step taken, and the address of that provider's logout; "" at the end."""
        for number in range(leaving.at, len(leaving.upstreams)):
            found = await self._kept.find_one_and_update(
                {"_id": leaving.id, "at": {"$lte": number}}, {"$set": {"at": number + 1}}
            )
            leaving = _leaving(found) if found else leaving
            url = await self._logout_url(leaving.upstreams[number], f"{leaving.id}.{number}")
            if found and url:
                return leaving, url
        return leaving, ""

    def left(self, leaving: Leaving) -> int:
        """How many steps are still to be taken."""
        return len(leaving.upstreams) - leaving.at

    async def _logout_url(self, upstream: UpstreamSession, state: str) -> str:
        known = self._upstreams.get(upstream.upstream)
        if known is None:
            return ""
        try:
            opened = self._sessions.opened(upstream)
            async with asyncio.timeout(WITHIN):
                return await known.logout_url(opened, f"{self._issuer}/signed-out", state) or ""
        except (AuthError, TimeoutError):  # our own end must not wait for theirs
            return ""

    def _visited(self, upstreams: Sequence[UpstreamSession]) -> list[UpstreamSession]:
        """The newest session of each account at each provider that we know, the first signed in first."""
        newest = {(each.upstream, each.iss, each.sub): each for each in upstreams}
        known: Iterable[UpstreamSession] = (
            each for each in newest.values() if each.upstream in self._upstreams
        )
        return list(known)[-MOST_STEPS:]

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)


def _document(leaving: Leaving) -> dict[str, object]:
    """Clients as pairs: a client_id may hold dots and dollar signs, which are no field names."""
    return {**leaving.document(), "clients": [list(pair) for pair in leaving.clients.items()]}


def _leaving(found: Mapping[str, object]) -> Leaving:
    pairs = msgspec.convert(found["clients"], list[tuple[str, bool]])
    return kept_as(Leaving, {**found, "clients": dict(pairs)})
