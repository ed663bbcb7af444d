"""Applications are told that a sign-on ended (OpenID Connect Back-Channel Logout 1.0): a durable outbox.

Rule 1: a notice is stored before anybody says that it will be sent, and removed when its client took it.
Rule 2: who sends one takes it by an atomic lease; if that process dies, another one takes it later.
Rule 3: many at a time, but bounded, and few for one client: one that hangs delays nobody else's notice.
Rule 4: after 24 hours of trying a notice is given up, and the audit log says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from joserfc import jwt

from auth.documents import Client, Kept, Session, kept_as
from auth.errors import AuthError, StoreDown, Taken
from auth.fetch import Fetch, FetchFailed
from auth.keys import Algorithm, SigningKey
from auth.ports import Audit
from auth.store import IndexSpec, Store, expiring, secret

COLLECTION = "auth_notices"
INDEXES: tuple[IndexSpec, ...] = (expiring(COLLECTION), IndexSpec(COLLECTION, (("next", 1),)))
EVENT = "http://schemas.openid.net/event/backchannel-logout"
TYPE = "logout+jwt"
TOKEN_LIFE = 120
GIVEN_UP = timedelta(hours=24)
LEASE = timedelta(seconds=30)
WITHIN = 5.0
PARALLEL, PER_CLIENT = 16, 4
LOOK_EVERY, WATCH_EVERY = 2.0, 0.05
_LONGEST_WAIT, _LARGEST_ANSWER = 3600.0, 16_384
_LOG = logging.getLogger(__name__)


class KnownClients(Protocol):
    """Finds applications (`auth.clients.Clients`)."""

    async def get(self, client_id: str) -> Client | None: ...


class Keys(Protocol):
    """Signs (`auth.keys.KeyRing`)."""

    async def ensured(self, alg: Algorithm) -> SigningKey: ...


class Notice(Kept, frozen=True, kw_only=True):
    """That `client_id` must be told: the sign-on it knew as `sub` and `sid` has ended. `next`: when to try;
    `tries`: how often it was begun; `leased`: somebody is at it."""

    client_id: str
    sub: str
    sid: str
    created: datetime
    next: datetime
    expires: datetime
    tries: int = 0
    leased: bool = False


class Notices:
    """The outbox. `clock` gives seconds since 1970; `run` is the worker that the hub keeps running."""

    def __init__(
        self, store: Store, clients: KnownClients, keys: Keys, fetch: Fetch, audit: Audit,
        clock: Callable[[], float], *, issuer: str, parallel: int = PARALLEL,
    ) -> None:  # fmt: skip
        self._kept, self._clients, self._keys = store.collection(COLLECTION), clients, keys
        self._fetch, self._audit, self._clock, self._issuer = fetch, audit, clock, issuer
        self._room = asyncio.Semaphore(parallel)
        self._sending: set[asyncio.Task[None]] = set()
        self._busy: Counter[str] = Counter()
        self._wake = asyncio.Event()

    async def put(self, session: Session) -> list[str]:
        """Store a notice for every client of the session that wants one; their ids. Repeating is safe."""
        now = self._now()
        ids = []
        for each in session.clients:
            client = await self._clients.get(each.client_id)
            if client is None or not client.backchannel_logout_uri:
                continue
            notice = Notice(
                id=f"{session.id}.{each.sid}", client_id=each.client_id, sub=each.sub, sid=each.sid,
                created=now, next=now, expires=now + GIVEN_UP + timedelta(hours=1),
            )  # fmt: skip
            with contextlib.suppress(Taken):  # put already: by a process that died before it was done
                await self._kept.insert_one(notice.document())
            ids.append(notice.id)
        self._wake.set()
        return ids

    async def sent(self, ids: Iterable[str], within: float) -> dict[str, bool]:
        """Try these at once, waiting at most `within` seconds, also for those that the worker or another
        process took first; whether each has arrived. Those that failed are tried again later."""
        tasks = {each: self._begun(self._try(each)) for each in ids}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                if tasks:
                    await asyncio.wait(tasks.values())
                while any(each.get("leased") for each in await self._left_of(tasks)):  # noqa: ASYNC110
                    await asyncio.sleep(WATCH_EVERY)
        left = {each["_id"] for each in await self._left_of(tasks)}
        return {each: each not in left for each in tasks}

    async def _left_of(self, ids: Iterable[str]) -> list[dict[str, Any]]:
        return await self._kept.find({"_id": {"$in": list(ids)}}, limit=1000)

    async def run(self) -> None:
        """Send what is due until cancelled. Without a database it waits for one."""
        try:
            while True:
                self._wake.clear()
                if not await self._round():
                    await self._idle()
        finally:
            await self.aclose()

    async def _idle(self) -> None:
        # Not `wait_for`: before Python 3.12 it swallows a cancellation that comes with the event.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_EVERY):
                await self._wake.wait()

    async def aclose(self) -> None:
        """Stop sending; whatever was under way is tried again after its lease."""
        for task in (sending := list(self._sending)):
            task.cancel()
        await asyncio.gather(*sending, return_exceptions=True)

    def wake(self) -> None:
        """Have the worker look now."""
        self._wake.set()

    async def _round(self) -> bool:
        """Begin one that is due, when there is room; whether there was one."""
        async with self._room:
            pass  # nothing is taken from the outbox that could not be sent at once
        try:
            taken = await self._taken({})
        except StoreDown:
            return False
        except Exception as error:  # whatever is wrong with one document must not stop the others
            _LOG.error("a logout notice cannot be read: %s", type(error).__name__)
            return False
        if taken is not None:
            self._begun(self._send(taken))
        return taken is not None

    async def _try(self, notice_id: str) -> None:
        taken = await self._taken({"_id": {"$eq": notice_id}})
        if taken is not None:
            await self._send(taken)

    async def _taken(self, which: dict[str, Any]) -> Notice | None:
        """A notice that is due, leased: nobody else takes it for half a minute."""
        now = self._now()
        full = [client_id for client_id, count in self._busy.items() if count >= PER_CLIENT]
        found = await self._kept.find_one_and_update(
            {**which, "next": {"$lte": now}, "client_id": {"$nin": full}},
            {"$set": {"next": now + LEASE, "leased": True}, "$inc": {"tries": 1}},
        )
        if found is None:
            return None
        notice = kept_as(Notice, found)
        self._busy[notice.client_id] += 1  # until `_send` is done with it
        return notice

    async def _send(self, notice: Notice) -> None:
        """One attempt, and what follows from it."""
        mine = {"_id": notice.id, "tries": notice.tries}
        try:
            async with self._room:
                arrived = await self._posted(notice)
        finally:
            self._left(notice.client_id)
        if arrived:
            await self._kept.delete_one(mine)
        elif self._now() - notice.created >= GIVEN_UP:
            await self._audit.note("logout.undelivered", client=notice.client_id)
            await self._kept.delete_one(mine)
        else:
            wait = timedelta(seconds=min(_LONGEST_WAIT, 2.0 * 4.0 ** min(notice.tries - 1, 8)))
            await self._kept.update_one(mine, {"$set": {"next": self._now() + wait, "leased": False}})

    def _left(self, client_id: str) -> None:
        self._busy[client_id] -= 1
        if self._busy[client_id] <= 0:
            del self._busy[client_id]
        self._wake.set()

    async def _posted(self, notice: Notice) -> bool:
        """Whether the client took it (§2.8: 200, or 204); a client that is no more needs none."""
        client = await self._clients.get(notice.client_id)
        if client is None or not client.backchannel_logout_uri:
            return True
        try:
            token = await self._token(notice, client)
            await self._fetch(
                "POST", client.backchannel_logout_uri, form={"logout_token": token}, within=WITHIN,
                max_bytes=_LARGEST_ANSWER,
            )  # fmt: skip
        except (FetchFailed, AuthError):
            return False
        return True

    async def _token(self, notice: Notice, client: Client) -> str:
        """A logout token (§2.4): never a nonce, so that it is no ID token."""
        now = int(self._clock())
        wants_rsa = client.id_token_alg == "RS256"  # noqa: S105 - an algorithm's name
        key = await self._keys.ensured("RS256" if wants_rsa else "ES256")
        claims = {
            "iss": self._issuer, "aud": client.id, "iat": now, "exp": now + TOKEN_LIFE, "jti": secret(128),
            "events": {EVENT: {}}, "sub": notice.sub, "sid": notice.sid,
        }  # fmt: skip
        header = {"alg": key.alg, "kid": key.kid, "typ": TYPE}
        return jwt.encode(header, claims, key.key, algorithms=[key.alg])

    def _begun(self, work: Awaitable[None]) -> asyncio.Task[None]:
        """A task that is held on to; if it fails, its notice's lease passes and it is tried again."""
        task = asyncio.ensure_future(_unless_down(work))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)
        return task

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)


async def _unless_down(work: Awaitable[None]) -> None:
    try:
        await work
    except AuthError:
        pass
    except Exception as error:  # a fault of ours; the notice stays in the outbox
        _LOG.error("a logout notice was not sent: %s", type(error).__name__)
