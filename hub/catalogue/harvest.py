"""Read a source's resources whole into the catalogue, so that a kill at any point loses and doubles nothing.

Rule 1: a batch is written, majority and journal, before its checkpoint; writing it twice is the same.
Rule 2: while one batch is written the next is read and prepared; no more than these two are ever held.
Rule 3: what a full pass has not met is gone, but only once that pass has come to the source's own end.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from connectors.errors import Malformed, SourceError, TimedOut
from hub.catalogue.documents import documents
from hub.catalogue.state import LeaseLost, Pass, States
from hub.clock import Clock
from hub.mongo import ASCENDING, DESCENDING, Collection, Index, Mongo, ReplaceOne, StorageError
from hub.sources.asking import Joined
from schema.model.record import Batch, Record
from schema.model.words import Kind

RESOURCES = "catalogue"
BATCH = 500
STEP_PATIENCE = 120.0
"""Seconds after which a source that sends no next batch counts as silent."""
KEPT_GONE = 90 * 86_400
"""Seconds after which what is gone is removed for good."""

_ORDER = [("rank", DESCENDING), ("_id", ASCENDING)]
INDEXES = [
    Index([("terms", ASCENDING)]),
    Index([("live", ASCENDING), *_ORDER]),
    Index([("facts.subject_code", ASCENDING), ("facts.grade_code", ASCENDING), *_ORDER]),
    Index([("facts.chapter_keys", ASCENDING), *_ORDER]),
    Index([("facts.textbook_key", ASCENDING), *_ORDER]),
    Index([("works", ASCENDING)]),
    Index([("source", ASCENDING), ("live", ASCENDING), ("generation", ASCENDING)]),
    Index([("gone_at", ASCENDING)], expireAfterSeconds=KEPT_GONE, sparse=True),
]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a pass has come, counted from its start even where it was interrupted.

    `total` if the source tells it; `refused` records could not be kept; `error`: why it broke off, else "".
    """

    source: str
    records: int = 0
    deleted: int = 0
    total: int | None = None
    finished: bool = False
    error: str = ""
    refused: int = 0


Told = Callable[[Progress], None]


class Harvester:
    """Harvests single sources; several may run side by side, one a source across all processes.

    `lease`: seconds for which a harvester that has died keeps others off its source.
    """

    def __init__(self, mongo: Mongo, clock: Clock, lease: float = 30.0) -> None:
        self._mongo = mongo
        self._shelf = Shelf(mongo.collection(RESOURCES), clock)
        self._lease = lease
        self._clock = clock

    async def prepare(self) -> None:
        """Make sure of the indexes."""
        await self._mongo.collection(RESOURCES).create_indexes(INDEXES)

    async def harvest(
        self, source: Joined, told: Told | None = None, *, from_start: bool = False
    ) -> Progress:
        """One pass over one source, or the rest of an interrupted one; raises `StorageError` only."""
        states = States(self._mongo, self._lease)
        code = source.face.code
        try:
            await states.acquire(code)
        except LeaseLost as lost:
            return Progress(code, error=f"{lost.code}: {lost.public}")
        beating = asyncio.create_task(self._beat(states, code))
        try:
            begun = await states.begin(code, from_start=from_start, now=self._clock.epoch())
            return await _Run(self._shelf, states, source, begun, told or _quiet).whole(self._clock)
        except LeaseLost as lost:
            return Progress(code, error=f"{lost.code}: {lost.public}")
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)
            await states.release(code)

    async def retire(self, source: str) -> None:
        """Take a source that is no longer joined out of the catalogue."""
        await self._shelf.sweep(source, {})
        await States(self._mongo).forget(source)

    async def _beat(self, states: States, source: str) -> None:
        """Renew the lease while a slow source is waited for; a lost one shows at the next write."""
        while True:
            await asyncio.sleep(self._lease / 3)
            with contextlib.suppress(StorageError, LeaseLost):
                await states.renew(source)


class Shelf:
    """Where the documents stand."""

    def __init__(self, kept: Collection, clock: Clock) -> None:
        self._kept = kept
        self._clock = clock

    async def put(self, source: Joined, records: Sequence[Record], generation: int) -> int:
        """Write records, each in the place of what it was before; how many were refused."""
        refused = 0
        for start in range(0, len(records), BATCH):
            made, unfit = await asyncio.to_thread(
                documents, records[start : start + BATCH], source.face.code, source.face.level, generation
            )
            refused += unfit
            await self._kept.bulk_write([ReplaceOne({"_id": one["_id"]}, one, upsert=True) for one in made])
        return refused

    async def gone(self, source: str, keys: Sequence[str]) -> int:
        """Mark these records of a source as gone, found no more, removed for good much later; how many."""
        gone = 0
        emptied = {"live": False, "terms": [], "title_terms": [], "works": [], "gone_at": self._clock.now()}
        for start in range(0, len(keys), BATCH):
            these = {"_id": {"$in": list(keys[start : start + BATCH])}, "source": source, "live": True}
            gone += (await self._kept.update_many(these, {"$set": emptied})).modified
        return gone

    async def sweep(self, source: str, where: Mapping[str, object]) -> int:
        """Mark all of a source's that match as gone, in pieces that no time limit cuts off; how many."""
        swept = 0
        these = {"source": source, "live": True, **where}
        while found := await self._kept.find(these, limit=BATCH, fields={"_id": 1}):
            swept += await self.gone(source, [document["_id"] for document in found])
        return swept


class _Run:
    """One pass on its way."""

    def __init__(self, shelf: Shelf, states: States, source: Joined, begun: Pass, told: Told) -> None:
        self._shelf = shelf
        self._states = states
        self._source = source
        self._begun = begun
        self._told = told
        self._code = source.face.code
        self._done = Progress(self._code, begun.read, begun.deleted, refused=begun.refused)

    async def whole(self, clock: Clock) -> Progress:
        """Read to the end, then take out what is gone; where the source breaks off, remember why."""
        try:
            await self._read()
        except SourceError as error:
            await self._states.fail(self._code, error.code, error.detail, clock.epoch())
            return self._tell(replace(self._done, error=f"{error.code}: {error.detail}"))
        swept = 0
        if self._begun.full:
            swept = await self._shelf.sweep(self._code, {"generation": {"$lt": self._begun.generation}})
        await self._states.finish(self._code, clock.epoch())
        return self._tell(replace(self._done, finished=True, deleted=self._done.deleted + swept))

    async def _read(self) -> None:
        """Everything the source has from the checkpoint on; `SourceError` where it breaks off."""
        writing: asyncio.Task[None] | None = None
        try:
            async with contextlib.aclosing(_batches(self._source, self._begun.checkpoint)) as batches:
                async for batch in batches:
                    if writing is not None:
                        await writing
                    writing = asyncio.create_task(self._keep(batch))
        finally:
            if writing is not None:
                await writing  # also when the source broke off: what it had sent is kept

    async def _keep(self, batch: Batch) -> None:
        done = self._done
        refused = await self._shelf.put(self._source, batch.records, self._begun.generation)
        deleted = await self._shelf.gone(self._code, batch.deleted)
        done = replace(
            done, records=done.records + len(batch.records), deleted=done.deleted + deleted,
            refused=done.refused + refused, total=batch.total if batch.total is not None else done.total,
        )  # fmt: skip
        values = {"checkpoint": batch.checkpoint, "read": done.records, "deleted": done.deleted,
                  "refused": done.refused, "total": done.total}  # fmt: skip
        await self._states.advance(self._code, values)
        self._tell(done)

    def _tell(self, progress: Progress) -> Progress:
        self._done = progress
        self._told(progress)
        return progress


def _quiet(_progress: Progress) -> None:
    return


async def _batches(source: Joined, checkpoint: str) -> AsyncGenerator[Batch, None]:
    """The source's batches; whatever goes wrong in its tongue is a `SourceError`."""
    batches = source.connector.harvest(Kind.RESOURCE, checkpoint, max(source.deadline, 30.0))
    try:
        while True:
            async with asyncio.timeout(STEP_PATIENCE):
                batch = await anext(batches, None)
            if batch is None:
                return
            yield batch
    except TimeoutError as error:
        raise TimedOut(f"没有在 {STEP_PATIENCE:.0f} 秒内送来下一批 / no next batch in time") from error
    except SourceError:
        raise
    except Exception as error:
        raise Malformed(f"{type(error).__name__} in the {source.face.protocol} tongue") from error
    finally:
        closing = getattr(batches, "aclose", None)
        if closing is not None:
            await closing()
