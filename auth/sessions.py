"""Sign-ons: one document a browser, whatever the process; the cookie's secret is kept as its hash only.

Rule 1: every sign-in gives a fresh cookie, so that nobody can have planted the one that counts.
Rule 2: a session ends once, by one atomic step; what must follow is marked as owed (`told`) in that step.
Rule 3: what the providers' logouts want (ID tokens) is sealed at rest; `opened` gives it back.
Rule 4: `seen` is written at most once a minute; `expires` is the nearer of the idle and the absolute end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from auth.browser import Cookies
from auth.documents import ClientSession, Session, UpstreamSession, kept_as
from auth.ports import Assertion
from auth.store import Document, IndexSpec, Store, expiring, kept, secret

COLLECTION = "auth_sessions"
INDEXES: tuple[IndexSpec, ...] = (
    expiring(COLLECTION),
    IndexSpec(COLLECTION, (("cookie_kept", 1),), unique=True),
    IndexSpec(COLLECTION, (("person", 1),)),
    IndexSpec(COLLECTION, (("upstreams.iss", 1), ("upstreams.sub", 1))),
    IndexSpec(COLLECTION, (("upstreams.sid", 1),)),
    IndexSpec(COLLECTION, (("clients.sid", 1),)),
    IndexSpec(COLLECTION, (("ended", 1),), partial=(("told", False),)),
)
LABEL = "session-hint"
MINUTE = timedelta(minutes=1)
AFTERLIFE = timedelta(days=1)
"""How long an ended session stays, so that what follows from its end can be made up for."""
MOST_UPSTREAMS, MOST_CLIENTS, MOST_LISTED = 64, 500, 200
LARGEST_HINT = 16_384
_TRIES = 8

STRENGTH = {
    "urn:rongtong:acr:password": 1,
    "urn:rongtong:acr:passkey": 2,
    "urn:rongtong:acr:name-verified": 3,
    "urn:rongtong:acr:face-verified": 4,
}
"""Which of two proofs is kept as the session's `acr`."""

Seal = Callable[[str, bytes], str]
Open = Callable[[str, str], bytes]


class Sessions:
    """Keeps them. `clock` gives seconds since 1970; `life` and `idle` are in seconds.

    Every method may raise `StoreDown`; nothing is held in memory.
    """

    def __init__(
        self,
        store: Store,
        cookies: Cookies,
        clock: Callable[[], float],
        *,
        life: float,
        idle: float,
        seal: Seal,
        open_sealed: Open,
    ) -> None:
        self._kept = store.collection(COLLECTION)
        self._cookies, self._clock = cookies, clock
        self._life, self._idle = timedelta(seconds=life), timedelta(seconds=idle)
        self._seal, self._open = seal, open_sealed

    async def current(self, request: Request) -> Session | None:
        """The session of the request's cookie, alive; using it pushes the idle end away."""
        cookie = self._cookies.session(request)
        if not cookie:
            return None
        now = self._now()
        found = await self._kept.find_one({"cookie_kept": {"$eq": kept(cookie)}, **_alive(now)})
        if found is None:
            return None
        if now - found["seen"] >= MINUTE:
            await self._note_seen(found, now)
        return kept_as(Session, found)

    async def get(self, session_id: str) -> Session | None:
        """The session of this public id, alive."""
        found = await self._kept.find_one({"_id": {"$eq": session_id}, **_alive(self._now())})
        return kept_as(Session, found) if found else None

    async def sign_in(
        self, old: Session | None, mark: str, person: str, assertion: Assertion
    ) -> tuple[Session, str]:
        """The session after a sign-in, and its cookie's fresh secret (`keep` sets it).

        `old`, of the same person and alive, goes on under its id; all its earlier cookies are void. Of
        another person it is left alone: whoever calls ends it first, so that its clients are told.
        """
        proof = self._proof(assertion)
        for _ in range(_TRIES):
            if old is None or old.person != person:
                break
            cookie = secret()
            found = await self._kept.find_one_and_update(
                {"_id": {"$eq": old.id}, "cookie_kept": {"$eq": old.cookie_kept}, **_alive(proof.at)},
                {"$set": self._renewed(old, mark, proof, assertion, kept(cookie))},
            )
            if found is not None:
                return kept_as(Session, found), cookie
            old = await self.get(old.id)  # a sign-in of another tab came between, or it has ended
        return await self._begun(mark, person, proof, assertion)

    def keep(self, response: Response, cookie: str) -> None:
        """Have the browser keep the secret that `sign_in` gave."""
        self._cookies.keep_session(response, cookie, int(self._life.total_seconds()))

    def forget(self, response: Response) -> None:
        """Have the browser forget its session."""
        self._cookies.forget_session(response)

    async def note_client(self, session_id: str, client_id: str, sub: str) -> str:
        """Note that this client is told who is here; its own random `sid`, the same each time. "" when the
        session is over (or has more clients than anybody uses): the client must not be told then."""
        now = self._now()
        entry = ClientSession(client_id=client_id, sub=sub, sid=secret(128), at=now)
        found = await self._kept.find_one_and_update(
            {
                "_id": {"$eq": session_id},
                "clients.client_id": {"$ne": client_id},
                f"clients.{MOST_CLIENTS - 1}": {"$exists": False},
                **_alive(now),
            },
            {"$push": {"clients": msgspec.to_builtins(entry, builtin_types=(datetime,))}},
        )
        session = kept_as(Session, found) if found else await self.get(session_id)
        clients = session.clients if session else ()
        return next((each.sid for each in clients if each.client_id == client_id), "")

    async def by_client_sid(self, client_id: str, sid: str) -> Session | None:
        """The session, alive, that this client knows as `sid`."""
        entry = {"$elemMatch": {"client_id": {"$eq": client_id}, "sid": {"$eq": sid}}}
        found = await self._kept.find_one({"clients": entry, **_alive(self._now())})
        return kept_as(Session, found) if found else None

    async def by_upstream(self, iss: str, sub: str, sid: str) -> list[Session]:
        """Sessions, alive, that rest on the provider's session `sid`; without one, on the account `sub`.

        At most 200: whoever ends them all asks again until there is none.
        """
        entry = {"iss": {"$eq": iss}} | {
            name: {"$eq": value} for name, value in (("sub", sub), ("sid", sid)) if value
        }
        if len(entry) == 1:
            return []
        return await self._all({"upstreams": {"$elemMatch": entry}, **_alive(self._now())})

    async def of_person(self, person: str) -> list[Session]:
        """A person's sessions, alive, the last used first; at most 200."""
        return await self._all({"person": {"$eq": person}, **_alive(self._now())})

    async def end(self, session_id: str) -> Session | None:
        """End it: the session as it was, for one caller only; None for everybody else.

        Its hints stay with that caller. It remains owed (`untold`) until `told`.
        """
        now = self._now()
        found = await self._kept.find_one_and_update(
            {"_id": {"$eq": session_id}, **_alive(now)},
            {"$set": {"ended": now, "told": False, "expires": now + AFTERLIFE, "upstreams.$[].hint": ""}},
            before=True,
        )
        return kept_as(Session, found) if found else None

    async def told(self, session_id: str) -> None:
        """Note that everybody concerned will hear of the end."""
        await self._kept.update_one({"_id": {"$eq": session_id}}, {"$set": {"told": True}})

    async def untold(self, older_than: float) -> list[Session]:
        """Sessions that ended more than `older_than` seconds ago, with nobody told: a process died there."""
        before = self._now() - timedelta(seconds=older_than)
        return await self._all({"told": False, "ended": {"$lt": before}})

    def opened(self, upstream: UpstreamSession) -> UpstreamSession:
        """The same with its hint readable. Raises what `open_sealed` raises for a foreign seal."""
        if not upstream.hint:
            return upstream
        return msgspec.structs.replace(upstream, hint=self._open(LABEL, upstream.hint).decode())

    async def _all(self, where: Document) -> list[Session]:
        found = await self._kept.find(where, limit=MOST_LISTED, order=[("seen", -1)])
        return [kept_as(Session, each) for each in found]

    async def _begun(
        self, mark: str, person: str, proof: UpstreamSession, assertion: Assertion
    ) -> tuple[Session, str]:
        cookie = secret()
        session = Session(
            id=secret(128), cookie_kept=kept(cookie), person=person, created=proof.at, seen=proof.at,
            expires=proof.at + min(self._idle, self._life), auth_time=_told_time(assertion, proof.at),
            acr=assertion.acr, amr=assertion.amr[:16], browser=kept(mark), level=assertion.level,
            upstreams=(proof,),
        )  # fmt: skip
        await self._kept.insert_one({**session.document(), "until": proof.at + self._life})
        return session, cookie

    def _renewed(
        self, old: Session, mark: str, proof: UpstreamSession, assertion: Assertion, cookie_kept: str
    ) -> Document:
        upstreams = _joined(old.upstreams, proof)
        stronger = STRENGTH.get(assertion.acr, 0) >= STRENGTH.get(old.acr, 0)
        return {
            "cookie_kept": cookie_kept,
            "browser": kept(mark),
            "seen": proof.at,
            "until": proof.at + self._life,
            "expires": proof.at + min(self._idle, self._life),
            "auth_time": max(old.auth_time, _told_time(assertion, proof.at)),
            "acr": assertion.acr if stronger else old.acr,
            "amr": list(dict.fromkeys((*old.amr, *assertion.amr)))[:16],
            "level": assertion.level,
            "upstreams": [msgspec.to_builtins(each, builtin_types=(datetime,)) for each in upstreams],
        }

    def _proof(self, assertion: Assertion) -> UpstreamSession:
        hint = assertion.hint if len(assertion.hint) <= LARGEST_HINT else ""
        return UpstreamSession(
            upstream=assertion.upstream, iss=assertion.iss, sub=assertion.sub, sid=assertion.sid,
            hint=self._seal(LABEL, hint.encode()) if hint else "",
            acr=assertion.acr, amr=assertion.amr[:16], at=self._now(),
        )  # fmt: skip

    async def _note_seen(self, found: Document, now: datetime) -> None:
        """One of many parallel requests writes; the others compared with a `seen` that is gone."""
        until: datetime = found["until"]
        await self._kept.update_one(
            {"_id": found["_id"], "seen": found["seen"], **_alive(now)},
            {"$set": {"seen": now, "expires": min(until, now + self._idle)}},
        )

    def _now(self) -> datetime:
        """To the millisecond, as the database keeps it."""
        now = datetime.fromtimestamp(self._clock(), UTC)
        return now.replace(microsecond=now.microsecond // 1000 * 1000)


def _alive(now: datetime) -> dict[str, Any]:
    return {"ended": None, "expires": {"$gt": now}}


def _told_time(assertion: Assertion, now: datetime) -> datetime:
    """When the person proved themselves: as the provider tells it, never later than now."""
    if assertion.auth_time <= 0:
        return now
    return datetime.fromtimestamp(min(float(assertion.auth_time), now.timestamp()), UTC)


def _joined(old: Sequence[UpstreamSession], new: UpstreamSession) -> list[UpstreamSession]:
    """All of them, each (account, provider's session) once; the same again takes the place of its elder."""
    name = (new.upstream, new.iss, new.sub, new.sid)
    others = [each for each in old if (each.upstream, each.iss, each.sub, each.sid) != name]
    return [*others, new][-MOST_UPSTREAMS:]
