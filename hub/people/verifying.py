"""Does the journal hold: each strand against its own chain, strands against those that follow them, and all
of it, entry by entry, against the copy in the database.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from hub.mongo import ASCENDING, Collection, Mongo
from hub.people.shipping import COLLECTION
from hub.people.strands import Checked, Entry, Fault, alive, checked, entries, moment, name_of, strands

CHUNK = 500
MOST_FAULTS = 100
_OURS = frozenset({"_id", "at", "told_at", "mac"})


@dataclass(frozen=True, slots=True)
class Verified:
    """What a check found: strands and entries that hold, and the first faults."""

    strands: int
    entries: int
    faults: tuple[Fault, ...]


def verified(folder: Path, key: bytes) -> Verified:
    """Every strand checked against its own chain, and those they follow. Blocking; needs no database."""
    files = strands(folder)
    found = {name_of(file): checked(file, key) for file in files}
    faults = [fault for file in files if (fault := _fault(file, found[name_of(file)]))]
    faults += [fault for one in found.values() if (fault := _predecessor(one, found))]
    return Verified(len(found), sum(one.entries for one in found.values()), tuple(faults[:MOST_FAULTS]))


def _fault(file: Path, one: Checked) -> Fault | None:
    if one.fault is None and one.half and not alive(file):
        return Fault(one.strand, one.entries + 1, "末行只有一半，写入时进程已终止 / half a line: cut short")
    return one.fault


def _predecessor(one: Checked, found: Mapping[str, Checked]) -> Fault | None:
    """What is wrong with the strand that this one follows."""
    if one.follows is None:
        return None
    name, wanted = str(one.follows.get("strand")), one.follows.get("entries")
    before = found.get(name)
    if before is None:
        return Fault(name, 1, "整个文件不见了 / the strand is gone")
    if before.fault is None and (before.entries, before.mac) != (wanted, one.follows.get("mac")):
        return Fault(name, before.entries + 1, "末尾与后续文件所记不符 / does not end as it was told")
    return None


async def compared(folder: Path, mongo: Mongo) -> tuple[Fault, ...]:
    """Where the database's copy and the folder differ: an end cut off, a strand gone, an entry changed in
    either. What is not shipped yet is no fault. Raises `StorageError`.
    """
    collection = mongo.collection(COLLECTION)
    files = {name_of(file): file for file in await asyncio.to_thread(strands, folder)}
    faults: list[Fault] = []
    for strand in sorted(await collection.distinct("strand")):
        fault = await _difference(collection, strand, files.get(strand))
        faults += [fault] if fault else []
        if len(faults) >= MOST_FAULTS:
            break
    return tuple(faults)


async def _difference(collection: Collection, strand: str, file: Path | None) -> Fault | None:
    if file is None:
        return Fault(strand, 1, "文件不见了，数据库中有副本 / the strand is gone; its copy is there")
    ours, number = _chunked(entries(file)), 0
    async for copy in collection.stream({"strand": {"$eq": strand}}, order=[("n", ASCENDING)]):
        entry = await anext(ours, None)
        cause = _unlike(copy, number, entry)
        if cause:
            return Fault(strand, number + 1, cause)
        number += 1
    return None


def _unlike(copy: Mapping[str, Any], number: int, entry: Entry | None) -> str:
    if copy["n"] != number:
        return "数据库中的副本缺这一条 / missing in the copy"
    if entry is None:
        return "文件比数据库中的副本短 / the file is shorter than its copy"
    bare = copy.get("refused") is True and not _fits(entry.values)
    if copy["mac"] != entry.mac or not (bare or _told(copy) == entry.told):
        return "与数据库中的副本不同 / differs from its copy"
    return ""


def _fits(value: object) -> bool:
    """Whether the database can hold it: then a copy without its content is somebody's doing."""
    if isinstance(value, Mapping):
        return all("\0" not in name and _fits(one) for name, one in value.items())
    if isinstance(value, list):
        return all(map(_fits, value))
    return not isinstance(value, int) or -(2**63) <= value < 2**63


def _told(copy: Mapping[str, Any]) -> bytes:
    """The bytes that this copy would have been written as; b"" for what no entry of ours can be."""
    try:
        if copy["at"] != moment(copy["told_at"]) or copy["_id"] != f"{copy['strand']}:{copy['n']}":
            return b""
        rest = {name: value for name, value in copy.items() if name not in _OURS}
        head = {"strand": rest.pop("strand"), "n": rest.pop("n"), "at": copy["told_at"]}
        return orjson.dumps({**head, **rest})
    except (KeyError, TypeError, ValueError):
        return b""


async def _chunked(found: Iterator[Entry]) -> AsyncIterator[Entry]:
    """The same, read on a thread, some at a time."""
    while chunk := await asyncio.to_thread(_some, found):
        for entry in chunk:
            yield entry


def _some(found: Iterator[Entry]) -> Sequence[Entry]:
    try:
        return list(islice(found, CHUNK))
    except OSError:
        return ()
