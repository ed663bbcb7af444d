"""`rongtong audit`: does the journal hold, and what does it say.

`verify` needs no database; where one answers, its copy is compared, too. What it finds missing or changed
is exit code 1.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from hub.app import JOURNAL, key_ring, state_folder
from hub.cli.parts import database
from hub.cli.say import Refusal, dumps, printable, table
from hub.mongo import DESCENDING, Mongo, StorageError
from hub.people.shipping import COLLECTION
from hub.people.strands import Fault, entries, strands
from hub.people.verifying import compared, verified
from hub.settings import Loaded, load

JOURNALS_KEY = "journal"
FIRST_FAULTS = 20


def verify(config: Path, as_json: bool) -> None:
    """`rongtong audit verify`: every strand by itself, then against its copy; exit code 1 for any fault."""
    loaded = load(config)
    folder, key = state_folder(loaded) / JOURNAL, key_ring(loaded).derived(JOURNALS_KEY)
    found = verified(folder, key)
    copied = asyncio.run(_against_the_copy(loaded, folder))
    faults = [*found.faults, *(copied or ())]
    if as_json:
        told = {"strands": found.strands, "entries": found.entries, "compared": copied is not None}
        print(dumps({**told, "faults": [_told(fault) for fault in faults]}))
    else:
        _show(found.strands, found.entries, copied is not None, faults)
    if faults:
        raise SystemExit(1)


async def _against_the_copy(loaded: Loaded, folder: Path) -> tuple[Fault, ...] | None:
    """The differences; None where no database answers."""
    with contextlib.suppress(StorageError, Refusal):
        async with _copy(loaded) as mongo:
            return await compared(folder, mongo)
    return None


@contextlib.asynccontextmanager
async def _copy(loaded: Loaded) -> Any:
    storage = loaded.settings.storage
    async with database(loaded) as uri:
        mongo = Mongo.connect(uri, storage.database, storage.driver)
        try:
            yield mongo
        finally:
            await mongo.close()


def _told(fault: Fault) -> dict[str, Any]:
    return {"strand": fault.strand, "line": fault.line, "cause": fault.cause}


def _show(count: int, number: int, compared: bool, faults: Sequence[Fault]) -> None:
    print(f"{count} 个文件 / strands, {number} 条记录完好 / entries hold")
    if not compared:
        print("数据库未应答，未与副本比对 / no database answered: not compared with the copy")
    for fault in faults[:FIRST_FAULTS]:
        print(printable(f"✗ {fault.strand}:{fault.line} {fault.cause}"))
    if len(faults) > FIRST_FAULTS:
        print(f"… 另有 {len(faults) - FIRST_FAULTS} 处 / more")
    if not faults:
        print("✓ 未发现改动 / nothing was altered")


def show(config: Path, about: str, person: str, limit: int, as_json: bool) -> None:
    """`rongtong audit show`: who read what of a record's person, or what happened to a person number and
    what it read; from the copy, and from the files where no database answers."""
    if bool(about) == bool(person):
        raise Refusal("请给出 --about 或 --person 之一 / give --about or --person", "ASK_FOR_ONE")
    loaded = load(config)
    found = asyncio.run(_from_the_copy(loaded, about, person, limit))
    if found is None:
        found = _from_the_files(state_folder(loaded) / JOURNAL, about, person, limit)
    if as_json:
        print(dumps([_plain(entry) for entry in found]))
        return
    rows = [_row(entry, about) for entry in found]
    table("访问记录 / the access log", ("时间", "事件", "何人", "身份", "应用", "用途", "内容"), rows)


async def _from_the_copy(
    loaded: Loaded, about: str, person: str, limit: int
) -> list[Mapping[str, Any]] | None:
    wheres: list[dict[str, Any]] = (
        [{"reads.about": {"$eq": about}}] if about else [{"person": {"$eq": person}}, {"by": {"$eq": person}}]
    )
    with contextlib.suppress(StorageError, Refusal):
        async with _copy(loaded) as mongo:
            collection, order = mongo.collection(COLLECTION), [("at", DESCENDING)]
            held = [await collection.find(where, limit=limit, order=order) for where in wheres]
        found: list[Mapping[str, Any]] = [
            {**entry, "at": entry["told_at"]} for each in held for entry in each
        ]
        return sorted(found, key=lambda entry: str(entry["at"]), reverse=True)[:limit]
    return None


def _from_the_files(folder: Path, about: str, person: str, limit: int) -> list[Mapping[str, Any]]:
    """The newest strands first; a strand is in order of time itself."""
    matching = (
        entry.values
        for file in reversed(strands(folder))
        for entry in reversed([one for one in entries(file) if _concerns(one.values, about, person)])
    )
    return list(islice(matching, limit))


def _concerns(entry: Mapping[str, Any], about: str, person: str) -> bool:
    if person:
        return person in (entry.get("person"), entry.get("by"))
    return any(about in read.get("about", ()) for read in entry.get("reads", ()))


def _plain(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name not in ("_id", "mac", "told_at")}


def _row(entry: Mapping[str, Any], about: str) -> tuple[str, ...]:
    reads = [read for read in entry.get("reads", ()) if not about or about in read["about"]]
    fields = sorted({f"{read['kind']}.{name}" for read in reads for name in read["fields"]})
    facts = [f"{name}={value}" for name, value in entry.get("facts", {}).items()]
    return (
        str(entry["at"]), str(entry["event"]), str(entry.get("by") or entry.get("person") or ""),
        ", ".join(str(one.get("role")) for one in entry.get("as", ())), str(entry.get("client") or ""),
        ", ".join(entry.get("purposes", ())), ", ".join([*fields, *facts]),
    )  # fmt: skip
