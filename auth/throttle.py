"""Guessing made slow, by account and by address, without locking the owner out from elsewhere.

Rule 1: an attempt is counted before it is checked, by one atomic step, so that guesses in parallel count.
Rule 2: after the free ones, one attempt passes per delay, and the delay grows; nothing is ever locked.
Rule 3: what slows guesses at one account from everywhere spares the addresses that its owner has signed in
from; guesses from one address slow that address only. A browser its owner has signed in from (its mark is a
secret) is counted for itself alone: a neighbour behind the same address cannot keep them out.
Rule 4: nobody's name or address is kept, only keyed hashes; unknown accounts are counted like known ones.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from auth.errors import AuthError, StoreDown, Taken
from auth.store import Document, IndexSpec, Store, expiring

COLLECTION, KNOWN = "auth_attempts", "auth_known_places"
INDEXES: tuple[IndexSpec, ...] = (expiring(COLLECTION), expiring(KNOWN))
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class Throttled(AuthError):
    """Too many attempts: this one was not checked. `retry_after` is in seconds."""

    code = "TOO_MANY_ATTEMPTS"
    public = "尝试次数过多，请稍后再试 / too many attempts: try again later"
    status = 429

    def __init__(self, retry_after: float) -> None:
        super().__init__()
        self.retry_after = max(1.0, retry_after)


@dataclass(frozen=True, slots=True)
class Allowance:
    """`free` attempts, then one each `first` seconds, doubling up to `most`; forgotten after `memory`."""

    free: int
    first: float
    most: float
    memory: float

    def delay(self, slots: int) -> float:
        """Seconds after the n-th delayed attempt."""
        return float(min(self.most, self.first * 2 ** min(slots, 30)))


PAIR = Allowance(free=5, first=2, most=900, memory=3600)
"""One account from one address."""
ADDRESS = Allowance(free=50, first=1, most=60, memory=3600)
"""One address, any account: a school's thousand people may sit behind it."""
ACCOUNT = Allowance(free=100, first=1, most=60, memory=3600)
"""One account, from addresses and browsers its owner never used."""
KNOWN_FOR = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One that was let through; tell how it ended by `Throttle.succeeded`, else it counts as failed."""

    keys: tuple[str, ...]
    places: tuple[str, ...]


class Throttle:
    """Counts in the store. `key` keys the hashes. Methods may raise `StoreDown`: then nothing is let in."""

    def __init__(
        self, store: Store, clock: Callable[[], float], key: bytes,
        *, pair: Allowance = PAIR, address: Allowance = ADDRESS, account: Allowance = ACCOUNT,
    ) -> None:  # fmt: skip
        self._counts, self._known = store.collection(COLLECTION), store.collection(KNOWN)
        self._clock, self._key = clock, key
        self._pair, self._address, self._account = pair, address, account

    async def admit(self, login: str, address: str, mark: str = "") -> Attempt:
        """Let an attempt through, counted as failed until told otherwise. Raises `Throttled`.

        `address` is the peer's IP address, `mark` the browser's.
        """
        place = network(address)
        places = self._hash("place", login, place), self._hash("browser", login, mark)
        wanted = [(self._hash("pair", login, place), self._pair)]
        if mark and await self._has_known(places[1:]):
            wanted = [(self._hash("own", login, mark), self._pair)]
        else:
            if not await self._has_known(places[:1]):
                wanted.append((self._hash("account", login), self._account))
            wanted.append((self._hash("address", place), self._address))
        taken: list[str] = []
        try:
            for key, allowance in wanted:
                await self._take(key, allowance)
                taken.append(key)
        except Throttled:
            for key in taken:
                await self._give_back(key)
            raise
        return Attempt(tuple(taken), places if mark else places[:1])

    async def succeeded(self, attempt: Attempt) -> None:
        """It was the owner: their own failures here are forgotten, and the place is known from now on."""
        pair, *others = attempt.keys
        await self._counts.delete_one({"_id": {"$eq": pair}})
        for key in others:
            await self._give_back(key)
        until = self._now() + KNOWN_FOR
        for place in attempt.places:
            with suppress(Taken):  # two sign-ins at once
                await self._known.update_one(
                    {"_id": {"$eq": place}}, {"$set": {"expires": until}}, upsert=True
                )

    async def withdrawn(self, attempt: Attempt) -> None:
        """It was never checked (too busy, the database away): it does not count."""
        with suppress(StoreDown):
            for key in attempt.keys:
                await self._give_back(key)

    async def _take(self, key: str, allowance: Allowance) -> None:
        found = await self._counted(key, allowance)
        if found["failures"] <= allowance.free:
            return
        now, slots = self._now(), found.get("slots", 0)
        until = now + timedelta(seconds=allowance.delay(slots))
        mine = await self._counts.find_one_and_update(
            {"_id": {"$eq": key}, "slots": {"$eq": slots}, "until": {"$lte": now}},
            {"$set": {"until": until}, "$inc": {"slots": 1}},
        )
        if mine is None:
            await self._give_back(key)
            current = await self._counts.find_one({"_id": {"$eq": key}}) or found
            raise Throttled((current["until"] - now).total_seconds())

    async def _counted(self, key: str, allowance: Allowance) -> Document:
        """The counter with this attempt in it."""
        for _ in range(8):
            now = self._now()
            update: dict[str, Any] = {
                "$inc": {"failures": 1},
                "$set": {"expires": now + timedelta(seconds=allowance.memory)},
                "$setOnInsert": {"slots": 0, "until": _LONG_AGO},
            }
            where = {"_id": {"$eq": key}, "expires": {"$gt": now}}
            try:
                if found := await self._counts.find_one_and_update(where, update, upsert=True):
                    return found
            except Taken:  # made by another just now, or outlived and not yet swept away
                await self._counts.delete_one({"_id": {"$eq": key}, "expires": {"$lte": now}})
        raise Throttled(1)

    async def _give_back(self, key: str) -> None:
        await self._counts.update_one(
            {"_id": {"$eq": key}, "failures": {"$gt": 0}}, {"$inc": {"failures": -1}}
        )

    async def _has_known(self, places: tuple[str, ...]) -> bool:
        where = {"_id": {"$in": list(places)}, "expires": {"$gt": self._now()}}
        return await self._known.find_one(where) is not None

    def _hash(self, *parts: str) -> str:
        return hmac.digest(self._key, "\0".join(parts).encode("utf-8", "replace"), hashlib.sha256).hex()

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)


def network(address: str) -> str:
    """Whom an address stands for: itself (IPv4), its /64 (IPv6: one subscriber); mapped ones as IPv4."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "?"
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or ipaddress.ip_network((found, 64), strict=False))
