"""The journal's copy in the database, for those who ask who looked: every strand of the folder, in order.

Rule 1: an entry's `_id` is strand and number, so shipping twice does no harm. A process ships its own
strand as far as it is on disk, and those whose process is gone; the others are their processes' work.
Rule 2: the database never slows an answer down: entries are on disk before the answer leaves, here after.
Rule 3: only what holds is shipped; a strand with a fault ends there, and the check tells of it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hub.mongo import (
    ASCENDING,
    DESCENDING,
    Collection,
    Index,
    Mongo,
    StorageConflict,
    StorageError,
    StorageRefused,
)
from hub.people.journal import Journal
from hub.people.strands import FIRST, Entry, alive, entries, holds, last_mac, moment, name_of, strands

COLLECTION = "audit"
INDEXES = [
    Index([("reads.about", ASCENDING), ("at", DESCENDING)]),
    Index(
        [("person", ASCENDING), ("at", DESCENDING)],
        name="of_person", partialFilterExpression={"person": {"$exists": True}},
    ),
    Index(
        [("by", ASCENDING), ("at", DESCENDING)],
        name="by_reader", partialFilterExpression={"by": {"$exists": True}},
    ),
    Index([("strand", ASCENDING), ("n", DESCENDING)], unique=True),
]  # fmt: skip
PAUSE, BATCH, MOST_BYTES = 0.5, 200, 4 << 20


@dataclass(slots=True)
class _Reached:
    """How far a strand was shipped: byte of its file, entries, the last one's mac."""

    offset: int = 0
    number: int = 0
    mac: str = FIRST


@dataclass(slots=True)
class Shipping:
    """Ships the strands of a journal's folder; `run` goes on until it is cancelled."""

    journal: Journal
    mongo: Mongo
    _reached: dict[str, _Reached] = field(default_factory=dict)
    _done: set[str] = field(default_factory=set)
    _declared: bool = False

    async def run(self) -> None:
        """Ship what there is, again and again; a database that is away is waited for."""
        while True:
            with contextlib.suppress(StorageError, OSError):
                await self.ship()
            await asyncio.sleep(PAUSE)

    async def ship(self) -> int:
        """Ship what is not there yet; how many entries. Raises `StorageError`, `OSError`."""
        collection = self.mongo.collection(COLLECTION)
        if not self._declared:
            await collection.create_indexes(INDEXES)
            self._declared = True
        files = await asyncio.to_thread(self._unfinished)
        return sum([await self._strand(collection, file, limit) for file, limit in files])

    def _unfinished(self) -> list[tuple[Path, int | None]]:
        """Strands that may have more for us, and how far they are on disk; None: whole, their process is
        gone. Blocking."""
        found: list[tuple[Path, int | None]] = []
        for file in strands(self.journal.folder):
            name = name_of(file)
            if name not in self._done:
                own = self.journal.reached(name)
                with contextlib.suppress(OSError):  # a link, a folder: the check tells of it
                    if own is not None or not alive(file):
                        found.append((file, own))
        return found

    async def _strand(self, collection: Collection, file: Path, limit: int | None) -> int:
        name, shipped = name_of(file), 0
        reached = self._reached.get(name)
        if reached is None:
            reached = self._reached[name] = await self._begun(collection, file)
        while batch := await asyncio.to_thread(_next, file, self.journal.key, reached, limit):
            await _insert(collection, [_document(entry) for entry in batch])
            last = batch[-1]
            reached.offset, reached.mac = last.end, last.mac
            reached.number += len(batch)
            shipped += len(batch)
        if limit is None and reached.number:
            self._done.add(name)
            del self._reached[name]
        return shipped

    async def _begun(self, collection: Collection, file: Path) -> _Reached:
        """How far a strand had been shipped before this process began."""
        last = await collection.find_one({"strand": {"$eq": name_of(file)}}, order=[("n", DESCENDING)])
        return await asyncio.to_thread(_found_again, file, last) if last else _Reached()


def _found_again(file: Path, last: Mapping[str, Any]) -> _Reached:
    """Where the file goes on after its last entry in the copy; nowhere, if it does not hold that entry."""
    number, mac = last["n"] + 1, last["mac"]
    if last_mac(file) == mac:
        return _Reached(file.stat().st_size, number, mac)
    for entry in entries(file):
        if entry.mac == mac:
            return _Reached(entry.end, number, mac)
    return _Reached(file.stat().st_size, number, mac)


def _next(file: Path, key: bytes, reached: _Reached, limit: int | None) -> list[Entry]:
    found: list[Entry] = []
    number, mac, size = reached.number, reached.mac, 0
    for entry in entries(file, reached.offset):
        size += len(entry.told)
        over = len(found) >= BATCH or (found and size > MOST_BYTES)
        if over or (limit is not None and entry.end > limit):
            break
        if holds(key, name_of(file), number, mac, entry):
            break
        found.append(entry)
        number, mac = number + 1, entry.mac
    return found


async def _insert(collection: Collection, documents: Sequence[dict[str, Any]]) -> None:
    """Each once, whoever was first. What the database refuses stands there without its content."""
    with contextlib.suppress(StorageConflict):
        try:
            await collection.insert_many(documents)
        except StorageRefused:
            await _insert_each(collection, documents)


async def _insert_each(collection: Collection, documents: Sequence[dict[str, Any]]) -> None:
    for document in documents:
        with contextlib.suppress(StorageConflict):
            try:
                await collection.insert_one(document)
            except StorageRefused:
                head = ("_id", "strand", "n", "at", "told_at", "event", "mac")
                await collection.insert_one({**{name: document[name] for name in head}, "refused": True})


def _document(entry: Entry) -> dict[str, Any]:
    values = entry.values
    name = f"{values['strand']}:{values['n']}"
    at = values["at"]
    return {**values, "_id": name, "at": moment(at), "told_at": at, "mac": entry.mac}
