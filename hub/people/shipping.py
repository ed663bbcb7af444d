"""The journal's copy in the database, for those who ask who looked: every strand of the folder, in order.

Rule 1: an entry's `_id` is strand and number, so shipping twice does no harm, and any process may ship any
strand that its folder holds, also one whose process is gone.
Rule 2: the database never slows an answer down: entries are on disk before the answer leaves, here after.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hub.mongo import ASCENDING, DESCENDING, Collection, Index, Mongo, StorageConflict, StorageError
from hub.people.journal import FIRST, Fault, checked, entries, moment, strands

COLLECTION = "audit"
INDEXES = [
    Index([("reads.about", ASCENDING), ("at", DESCENDING)]),
    Index([("person", ASCENDING), ("at", DESCENDING)], sparse=True),
    Index([("strand", ASCENDING), ("n", DESCENDING)], unique=True),
]
PAUSE, BATCH = 0.5, 200


@dataclass(slots=True)
class Shipping:
    """Ships the strands of one folder; `run` goes on until it is cancelled."""

    folder: Path
    mongo: Mongo
    _ends: dict[str, int] = field(default_factory=dict)
    _declared: bool = False

    async def run(self) -> None:
        """Ship what there is, again and again; a database that is away is waited for."""
        while True:
            with contextlib.suppress(StorageError, OSError):
                await self.ship()
            await asyncio.sleep(PAUSE)

    async def ship(self) -> int:
        """Ship what is not there yet; how many entries. Raises `StorageError`."""
        collection = self.mongo.collection(COLLECTION)
        if not self._declared:
            await collection.create_indexes(INDEXES)
            self._declared = True
        files = await asyncio.to_thread(strands, self.folder)
        return sum([await self._strand(collection, file) for file in files])

    async def _strand(self, collection: Collection, file: Path) -> int:
        shipped = 0
        if file.name not in self._ends:
            self._ends[file.name] = await self._end(collection, file)
        while batch := await asyncio.to_thread(_next, file, self._ends[file.name]):
            documents = [_document(entry) for entry, _ in batch]
            with contextlib.suppress(StorageConflict):  # another process was first
                await collection.insert_many(documents)
            self._ends[file.name] = batch[-1][1]
            shipped += len(batch)
        return shipped

    async def _end(self, collection: Collection, file: Path) -> int:
        """How far a strand had been shipped before this process began: a byte of its file."""
        strand = file.name.removesuffix(".jsonl")
        last = await collection.find_one({"strand": {"$eq": strand}}, order=[("n", DESCENDING)])
        return await asyncio.to_thread(_after, file, last["n"]) if last else 0


def _next(file: Path, start: int) -> list[tuple[dict[str, Any], int]]:
    if file.stat().st_size <= start:
        return []
    found = []
    for _, entry, after in entries(file, start):
        found.append((entry, after))
        if len(found) >= BATCH:
            break
    return found


def _after(file: Path, number: int) -> int:
    for _, entry, after in entries(file):
        if entry.get("n") == number:
            return after
    return 0


def _document(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        **entry,
        "_id": f"{entry['strand']}:{entry['n']}",
        "at": moment(entry["at"]),
        "told_at": entry["at"],
    }


@dataclass(frozen=True, slots=True)
class Verified:
    """What a check found: strands and entries that hold, and every fault."""

    strands: int
    entries: int
    faults: tuple[Fault, ...]


def verified(folder: Path, key: bytes) -> Verified:
    """Every strand checked against its own chain. Blocking; needs no database."""
    results = [checked(file, key) for file in strands(folder)]
    faults = tuple(fault for _, _, fault in results if fault is not None)
    return Verified(len(results), sum(number for number, _, _ in results), faults)


async def compared(folder: Path, key: bytes, mongo: Mongo) -> tuple[Fault, ...]:
    """Where the database's copy and the folder differ: an end cut off, a strand gone, an entry changed.

    Raises `StorageError`.
    """
    collection = mongo.collection(COLLECTION)
    held: dict[str, tuple[int, str]] = {}
    for file in await asyncio.to_thread(strands, folder):
        number, mac, _ = await asyncio.to_thread(checked, file, key)
        held[file.name.removesuffix(".jsonl")] = (number, mac)
    faults = []
    for strand in await collection.distinct("strand"):
        number, mac = held.get(strand, (0, FIRST))
        last = await collection.find_one({"strand": {"$eq": strand}}, order=[("n", DESCENDING)])
        if last is None:
            continue
        if last["n"] >= number:
            faults.append(
                Fault(strand, number + 1, "文件比数据库中的副本短 / the file is shorter than its copy")
            )
        elif last["n"] == number - 1 and last["mac"] != mac:
            faults.append(Fault(strand, number, "与数据库中的副本不同 / differs from its copy"))
    return tuple(faults)
