"""Who looked at whom: sensitive reads go into the journal before the answer leaves, and come back to those
they are about.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from auth.errors import StoreDown
from hub.mongo import DESCENDING, Mongo
from hub.people.journal import AuditUnavailable, Journal
from hub.people.shipping import COLLECTION
from schema.graph.context import Read
from schema.model.viewer import Viewer
from schema.model.words import Kind

READ = "read"
MOST = 200
TOGETHER, PIECE = 200, 20
"""Keys that stand together, and such groups in one entry: a line has a limit, and so has an index."""


@dataclass(frozen=True, slots=True)
class AccessLog:
    """Writes what was read and what happened to identities; tells people what was read of them.

    Without a database it writes all the same, and tells nothing.
    """

    journal: Journal
    mongo: Mongo | None

    async def wrote(self, viewer: Viewer, reads: Iterable[Read], request: str) -> None:
        """Write down what an answer shows of others; nothing to write costs nothing.

        Raises `AuditUnavailable`: the answer must not leave then.
        """
        told = _told(reads)
        if not told:
            return
        reader = {**_reader(viewer), "request": request}
        pieces = [told[start : start + PIECE] for start in range(0, len(told), PIECE)]
        await asyncio.gather(*(self.journal.append(READ, {**reader, "reads": piece}) for piece in pieces))

    async def note(self, event: str, *, person: str = "", **facts: str) -> None:
        """`auth.ports.Audit`: an event of an identity. Raises `StoreDown` when it cannot be written."""
        try:
            await self.journal.append(event, {**({"person": person} if person else {}), "facts": facts})
        except AuditUnavailable:
            raise StoreDown from None

    async def accesses(
        self, about: Sequence[str], *, first: int, before: datetime | None = None
    ) -> list[Mapping[str, Any]]:
        """What was read of the persons with these keys, newest first, as values of `AccessRecord`.

        Raises `StorageError` when the database is away.
        """
        if self.mongo is None or not about:
            return []
        where: dict[str, Any] = {"reads.about": {"$in": list(about)}}
        if before is not None:
            where["at"] = {"$lt": before}
        collection = self.mongo.collection(COLLECTION)
        found = await collection.find(where, limit=min(first, MOST), order=[("at", DESCENDING)])
        keys = frozenset(about)
        return [_shown(entry, keys) for entry in found]


def _told(reads: Iterable[Read]) -> list[dict[str, Any]]:
    """What was shown of whom: those of whom the same was shown stand together."""
    shown: dict[tuple[Kind, tuple[str, ...]], dict[str, None]] = {}
    for read in reads:
        shown.setdefault((read.kind, read.fields), {}).update(dict.fromkeys(read.about))
    return [
        {"about": list(piece), "kind": kind.value, "fields": fields}
        for (kind, fields), about in shown.items()
        for piece in _pieces(list(about))
    ]


def _pieces(keys: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(keys), TOGETHER):
        yield keys[start : start + TOGETHER]


def _reader(viewer: Viewer) -> dict[str, Any]:
    standings = [
        {"role": one.role.value, "region": one.region_code, "school": one.school_code}
        for one in viewer.standings
    ]
    return {
        "by": viewer.person or viewer.subject,
        "as": standings,
        "client": viewer.client,
        "purposes": sorted(viewer.purposes),
    }


def _shown(entry: Mapping[str, Any], keys: frozenset[str]) -> dict[str, Any]:
    """One entry for the person it is about: when, by whom as what, with which application, for what, which
    fields. Not the reader's name, and nothing of other persons in the same answer."""
    reads = [read for read in entry["reads"] if keys & set(read["about"])]
    held = entry.get("as") or [{}]
    return {
        "at": entry["told_at"],
        "roles": list(dict.fromkeys(one["role"] for one in held if one.get("role"))),
        "region_code": held[0].get("region") or None,
        "school_code": held[0].get("school") or None,
        "client": entry.get("client") or None,
        "purposes": entry.get("purposes", []),
        "fields": sorted({f"{read['kind']}.{name}" for read in reads for name in read["fields"]}),
    }
