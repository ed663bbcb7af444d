"""How far each source has been harvested, and who is at it: one document a source.

Rule 1: a checkpoint is written after everything before it is, so an interruption repeats and never loses.
Rule 2: whoever writes must hold the lease; one clock, the database's, says until when.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hub.mongo import Document, Mongo, StorageConflict

NAME = "catalogue_sources"
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Pass:
    """One reading of a source: `full` from its start to its end; what it has `read` so far."""

    generation: int
    checkpoint: str
    full: bool
    read: int = 0
    deleted: int = 0
    refused: int = 0


class LeaseLost(Exception):
    """Another process harvests this source now."""

    code = "HARVEST_ELSEWHERE"
    public = "另一进程正在采集该来源 / another process is harvesting this source"


class States:
    """The documents; whoever harvests makes one of these for the run, which is then the lease's owner.

    `seconds`: how long a lease holds that nobody renews.
    """

    def __init__(self, mongo: Mongo, seconds: float = 30.0) -> None:
        self._kept = mongo.collection(NAME)
        self._owner = secrets.token_hex(12)
        self._seconds = seconds

    async def all(self) -> dict[str, Document]:
        """What is known of every source ever harvested, by its code."""
        return {state["_id"]: state for state in await self._kept.find({}, limit=10_000)}

    async def one(self, source: str) -> Document:
        """What is known of one; empty when it has never been harvested."""
        return await self._kept.find_one({"_id": source}) or {}

    async def acquire(self, source: str) -> None:
        """Take the lease, or raise `LeaseLost` while somebody else holds it."""
        free = {"$lte": [{"$ifNull": ["$lease.until", _LONG_AGO]}, "$$NOW"]}
        take = {"lease": {"$cond": [free, self._lease()["lease"], "$lease"]}}
        try:
            after = await self._kept.find_one_and_update({"_id": source}, [{"$set": take}], upsert=True) or {}
        except StorageConflict as error:  # another began with this source at the same moment
            raise LeaseLost from error
        if after["lease"]["owner"] != self._owner:
            raise LeaseLost

    async def renew(self, source: str) -> None:
        """Hold the lease for another while; `LeaseLost` when it is no longer ours."""
        await self._write(source, {})

    async def release(self, source: str) -> None:
        """Give the lease back, if it is still ours."""
        await self._kept.update_one({"_id": source, "lease.owner": self._owner}, {"$unset": {"lease": ""}})

    async def begin(self, source: str, *, from_start: bool, now: float) -> Pass:
        """The pass to make: the interrupted one, else a new one; a first one is full."""
        state = await self.one(source)
        if state.get("open") and not from_start:
            return Pass(**{name: state[name] for name in Pass.__slots__})
        full = from_start or not state.get("checkpoint")
        begun = Pass(state.get("generation", 0) + int(full), "" if full else state["checkpoint"], full)
        values = {"open": True, "generation": begun.generation, "checkpoint": begun.checkpoint, "full": full,
                  "read": 0, "deleted": 0, "refused": 0, "begun_at": now}  # fmt: skip
        await self._write(source, values)
        return begun

    async def advance(self, source: str, values: dict[str, Any]) -> None:
        """Note that everything up to `values["checkpoint"]` is written; renews the lease."""
        await self._write(source, values)

    async def finish(self, source: str, now: float) -> None:
        """The pass has come to the source's end."""
        await self._write(source, {"open": False, "finished_at": now, "error": None})

    async def fail(self, source: str, code: str, detail: str, now: float) -> None:
        """The source broke off; the pass stays open at its checkpoint."""
        await self._write(source, {"error": {"code": code, "detail": detail[:500], "at": now}})

    async def forget(self, source: str) -> None:
        """Drop what is known of a source, so that it starts anew should it come back."""
        await self._kept.delete_one({"_id": source})

    async def _write(self, source: str, values: dict[str, Any]) -> None:
        ours = {"_id": source, "lease.owner": self._owner}
        literal = {name: {"$literal": value} for name, value in values.items()}
        done = await self._kept.update_one(ours, [{"$set": literal | self._lease()}])
        if not done.matched:
            raise LeaseLost

    def _lease(self) -> dict[str, Any]:
        until = {"$add": ["$$NOW", int(self._seconds * 1000)]}
        return {"lease": {"owner": self._owner, "until": until}}
