"""Tier two: a collection shared by all processes; slower than a fast source, better than a slow or dead one.

One document an entry:
    {_id: key, v: zstd(JSON), size, tags, born, fetched, fresh, expire, lease: {by, since, until}}
born     when its loading began: older than one of its tags' times, it is dead
fetched  when it arrived from its source
fresh    until when it needs no refreshing
expire   until when it is of any use; a TTL index removes it some time later, so readers look at the date

Rule 1: every date is the server's ($$NOW): one clock, however wrong those of the processes are.
Rule 2: no failure of this tier is a failure of the hub: every method answers None or False instead.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from aiodataloader import DataLoader

from hub.cache.breaker import Breaker
from hub.cache.packing import Unpackable, pack, unpack
from hub.mongo import ASCENDING, Collection, Document, Index, Mongo, StorageConflict, StorageError

T = TypeVar("T")

KEEP = 30 * 86_400.0  # seconds; no entry is of use for longer, and tags are kept a day longer than entries
_BATCH = 100
_SEEN = {"v": 1, "tags": 1, "born": 1, "fetched": 1, "fresh": 1, "expire": 1, "lease": 1, "now": "$$NOW"}


@dataclass(frozen=True, slots=True)
class Found:
    """One document as it is now. `raw` is None when it holds no usable value; times are seconds from now."""

    raw: bytes | None
    tags: tuple[str, ...]
    born: datetime | None
    age: float
    fresh_left: float
    use_left: float
    lease_left: float


@dataclass(frozen=True, slots=True)
class Lease:
    """Who may load: we, if `won`. `born` is the server's time at which the loading begins."""

    token: str
    won: bool
    born: datetime


class Durable:
    """The second tier over two collections: entries, and the tags that can kill them."""

    def __init__(
        self,
        entries: Collection,
        tags: Collection,
        *,
        patience: float = 0.25,
        probe_every: float = 1.0,
        lease_for: float = 5.0,
    ) -> None:
        self.tags = tags
        self.lease_for = lease_for
        self._entries = entries
        self._breaker = Breaker(self._look, patience=patience, probe_every=probe_every)
        self._batches: DataLoader[str, Found | None] | None = None

    @classmethod
    def on(cls, mongo: Mongo, **options: float) -> Durable:
        """The second tier in this database: collections `cache` and `cache_tags`."""
        entries = mongo.collection("cache", durability="cache")
        return cls(entries, mongo.collection("cache_tags"), **options)

    @property
    def skipped(self) -> bool:
        """True while this tier does not answer and is not asked."""
        return self._breaker.open

    async def prepare(self) -> None:
        """Make sure the indexes exist. Raises `StorageError`."""
        gone = Index([("expire", ASCENDING)], expireAfterSeconds=0)
        await self._entries.create_indexes([gone])
        await self.tags.create_indexes([gone, Index([("at", ASCENDING)])])

    async def read(self, key: str) -> Found | None:
        """The document under this key; all keys asked for in one tick travel together."""
        if self._breaker.open:
            return None
        if self._batches is None:
            self._batches = DataLoader(self._read_many, max_batch_size=_BATCH, cache=False)
        return await self._batches.load(key)

    async def lease(self, key: str) -> Lease | None:
        """Ask to be the one who loads, in all processes; None when this tier cannot say."""
        token = secrets.token_hex(8)
        try:
            document = await self._breaker.run(lambda: self._lease(key, token))
        except StorageError:
            return None
        lease = (document or {}).get("lease") or {}
        if not isinstance(lease.get("since"), datetime):
            return None
        return Lease(token, lease.get("by") == token, lease["since"])

    async def store(
        self, key: str, raw: bytes, lease: Lease, *, fresh_for: float, keep_for: float, tags: Sequence[str]
    ) -> bool:
        """Keep a value that was loaded under this lease, unless a younger one has come meanwhile."""
        try:
            packed = await pack(raw)
        except Unpackable:
            await self.release(key, lease)
            return False
        where = {"_id": key, "$or": [{"born": {"$exists": False}}, {"born": {"$lte": lease.born}}]}
        entry = {
            "v": {"$literal": packed},
            "size": len(raw),
            "tags": {"$literal": list(tags)},
            "born": lease.born,
            "fetched": "$$NOW",
            "fresh": _in(fresh_for),
            "expire": _in(min(keep_for, KEEP)),
        }
        update: list[Document] = [{"$set": entry}, {"$unset": "lease"}]
        try:
            await self._breaker.run(lambda: self._entries.update_one(where, update, upsert=True))
        except StorageError:
            return False
        return True

    async def release(self, key: str, lease: Lease) -> None:
        """Give the lease back without a value, so that others need not wait for it to run out."""
        where = {"_id": key, "lease.by": lease.token}
        update = {"$unset": {"lease": 1}}
        try:
            await self._breaker.run(lambda: self._entries.update_one(where, update))
        except StorageError:
            return

    async def run(self, work: Callable[[], Awaitable[T]], patience: float) -> T:
        """Do related work behind the same breaker. Raises `StorageError`."""
        return await self._breaker.run(work, patience)

    async def aclose(self) -> None:
        """End the probe, if one runs."""
        await self._breaker.aclose()

    async def _look(self) -> None:
        await self._entries.find_one({"_id": ""})

    async def _read_many(self, keys: list[str]) -> list[Found | None]:
        wanted = list(dict.fromkeys(keys))
        where = {"_id": {"$in": wanted}}
        try:
            documents = await self._breaker.run(
                lambda: self._entries.find(where, fields=_SEEN, limit=len(wanted))
            )
        except StorageError:
            return [None] * len(keys)
        found = {document["_id"]: await _found(document) for document in documents}
        return [found.get(key) for key in keys]

    async def _lease(self, key: str, token: str) -> Document | None:
        taken = {"$gt": ["$lease.until", "$$NOW"]}
        ours = {"by": {"$literal": token}, "since": "$$NOW", "until": _in(self.lease_for)}
        # A document without a value lives a minute longer than its lease; one with a value, as long as that.
        expire = {"$ifNull": ["$expire", _in(self.lease_for + 60)]}
        update = [{"$set": {"lease": {"$cond": [taken, "$lease", ours]}, "expire": expire}}]
        fields = {"lease": 1}
        try:
            return await self._entries.find_one_and_update({"_id": key}, update, upsert=True, fields=fields)
        except StorageConflict:  # two upserts at once: the other has made the document
            return await self._entries.find_one_and_update({"_id": key}, update, upsert=True, fields=fields)


def _in(seconds: float) -> Document:
    return {"$add": ["$$NOW", max(1, int(seconds * 1000))]}


async def _found(document: Document) -> Found | None:
    """Read a document that anybody with the database's password may have written: believe no shape."""
    try:
        now = document["now"]
        lease = document.get("lease")
        lease_left = _seconds(lease["until"], now) if lease else 0.0
        if "v" not in document:
            return Found(None, (), None, 0.0, 0.0, 0.0, lease_left)
        use_left = _seconds(document["expire"], now)
        return Found(
            raw=await unpack(document["v"]) if use_left > 0 else None,
            tags=tuple(str(tag) for tag in document["tags"]),
            born=document["born"],
            age=max(0.0, -_seconds(document["fetched"], now)),
            fresh_left=_seconds(document["fresh"], now),
            use_left=use_left,
            lease_left=lease_left,
        )
    except (Unpackable, KeyError, TypeError, AttributeError):
        return None


def _seconds(moment: Any, now: datetime) -> float:
    left: float = (moment - now).total_seconds()
    return left
