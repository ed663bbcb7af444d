"""How a stroke against a tag travels: written once, heard by every process, caught up with after a silence.

Rule 1: only the tag collection is watched, never the cache, by one watcher a process.
Rule 2: the stream is opened before the tags are read, so nothing falls between the two.
Rule 3: where the server has no change streams, the collection is asked every second instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from hub.cache.durable import KEEP, Durable
from hub.cache.tags import EVERYTHING, Tags
from hub.mongo import DESCENDING, Collection, Document, Feed, StorageError, StorageRefused, UpdateOne

_log = logging.getLogger(__name__)
_AT_A_TIME = 500
_OVERLAP = timedelta(minutes=10)  # after a fail-over another member's clock counts
_POLL_OVERLAP = timedelta(seconds=10)


class Watcher:
    """Keeps `Tags` in step with the tag collection; `current` says whether it is right now."""

    def __init__(
        self, durable: Durable, tags: Tags, *, limit: int = 50_000, retry_every: float = 1.0
    ) -> None:
        self._durable = durable
        self._collection: Collection = durable.tags
        self._tags = tags
        self._limit = limit
        self._retry_every = retry_every
        self._newest: datetime | None = None
        self._task: asyncio.Task[None] | None = None
        self.current = asyncio.Event()

    def start(self) -> None:
        """Begin to watch; asked again, do nothing."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def aclose(self) -> None:
        """Stop watching."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def publish(self) -> None:
        """Tell the server of the tags struck here. Raises `StorageError`; what is untold stays pending."""
        pending = self._tags.pending
        for start in range(0, len(pending), _AT_A_TIME):
            some = pending[start : start + _AT_A_TIME]
            await self._collection.bulk_write([_stroke(tag) for tag, _ in some])
            written = await self._times([tag for tag, _ in some])
            for tag, stroke in some:
                if tag in written:
                    self._tags.settle(tag, written[tag], stroke)

    async def consult(self, tags: Sequence[str]) -> None:
        """Ask for these tags alone, while the watcher is not current. Raises `StorageError`."""
        for tag, at in (await self._times([*tags, EVERYTHING])).items():
            self._tags.learn(tag, at)

    async def _times(self, tags: Sequence[str]) -> dict[str, datetime]:
        found = await self._collection.find({"_id": {"$in": list(tags)}}, limit=len(tags))
        return {document["_id"]: document["at"] for document in found}

    async def _run(self) -> None:
        while True:
            try:
                await self._durable.prepare()
                await self._follow()
            except StorageRefused as error:
                if error.without_change_streams:
                    await self._poll()
                else:
                    _log.warning("缓存标签无法跟踪 / cache tags cannot be followed: %s", error)
            except StorageError:
                pass  # the breaker has said so already
            except Exception:
                _log.exception("缓存标签无法理解 / cache tags cannot be understood")
            finally:
                self.current.clear()
            await asyncio.sleep(self._retry_every)

    async def _follow(self) -> None:
        async with self._collection.watch() as feed:
            await self._catch_up(_OVERLAP)
            await self._listen(feed)

    async def _listen(self, feed: Feed) -> None:
        while feed.alive:
            change = await feed.next()
            if change is not None:
                self._hear(change)
            elif self._tags.pending:
                await self.publish()

    async def _poll(self) -> None:
        with contextlib.suppress(StorageError):
            while True:
                await self._catch_up(_POLL_OVERLAP)
                await asyncio.sleep(self._retry_every)

    async def _catch_up(self, overlap: timedelta) -> None:
        """Publish what waits, then learn every stroke since we last knew them all."""
        await self.publish()
        where: Document = {} if self._newest is None else {"at": {"$gte": self._newest - overlap}}
        strokes = await self._collection.find(where, order=[("at", DESCENDING)], limit=self._limit)
        for document in reversed(strokes):
            self._learn(document["_id"], document["at"])
        if len(strokes) == self._limit:
            self._tags.forget_before(strokes[-1]["at"])
        self.current.set()

    def _hear(self, change: Document) -> None:
        """A stroke is an insert, or an update of `at`; what the TTL index removes is of no interest."""
        whole = change.get("fullDocument") or change.get("updateDescription", {}).get("updatedFields", {})
        at = whole.get("at")
        if isinstance(at, datetime):
            self._learn(change["documentKey"]["_id"], at)

    def _learn(self, tag: str, at: datetime) -> None:
        self._tags.learn(tag, at)
        self._newest = at if self._newest is None else max(at, self._newest)


def _stroke(tag: str) -> UpdateOne:
    kept = {"$add": ["$$NOW", int((KEEP + 86_400) * 1000)]}
    return UpdateOne({"_id": tag}, [{"$set": {"at": "$$NOW", "expire": kept}}], upsert=True)
