"""A source that keeps its records in memory and can fall ill: hang, die, refuse, or talk nonsense.

It filters, pages and counts as its offers say, refuses what they do not say, and keeps what it was asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, ClassVar

from connectors.base import Capabilities, Connector, Identity, Offer, Options, Tools, only
from connectors.errors import Malformed, Overloaded, Refused, Unavailable
from schema.model.record import Answer, Lookup, Record
from schema.model.words import Kind

Row = Mapping[str, Any]
"""Values of a record, and `local_id`; `key` where the kind's key is shared; `updated_at` if it is known."""


class Mood(Enum):
    """How a source behaves."""

    WELL = "well"
    HANGING = "hanging"
    DEAD = "dead"
    REFUSING = "refusing"
    BUSY = "busy"
    GARBAGE = "garbage"
    STUMBLING = "stumbling"


class Nothing(Options, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """This tongue has no settings."""


class MemorySource(Connector):
    """Holds rows by kind, in the order they are listed in. `door` holds answers back while it is shut."""

    protocol: ClassVar[str] = "rest"
    options: ClassVar[type[Options]] = Nothing

    def __init__(
        self,
        identity: Identity,
        tools: Tools,
        offers: Mapping[Kind, Offer],
        rows: Mapping[Kind, Iterable[Row]],
        *,
        bound: int = 10_000,
    ) -> None:
        super().__init__(identity, Nothing(), tools)
        self._offers = Capabilities(offers)
        self.rows = {kind: list(held) for kind, held in rows.items()}
        self.bound = bound
        self.mood = Mood.WELL
        self.asked: list[Lookup] = []
        self.given_up = 0
        self.door = asyncio.Event()
        self.door.set()
        self.closed = False

    @property
    def capabilities(self) -> Capabilities:
        """As it was made."""
        return self._offers

    async def look_up(self, lookup: Lookup, within: float) -> Answer:
        """Matches in the order of its rows; never keeps to `within` when it hangs."""
        self.asked.append(lookup)
        offer = self.offer(lookup)
        try:
            await self.door.wait()
            if self.mood is Mood.HANGING:
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        self._ill()
        found = [row for row in self.rows.get(lookup.kind, ()) if self._holds(row, lookup)]
        start, size = (lookup.page.offset, lookup.page.limit) if lookup.page else (0, self.bound)
        window = found[start : start + size]
        records = tuple(self._record(lookup, row) for row in window)
        return Answer(records, len(found) if offer.totals else None, start + len(window) < len(found))

    async def aclose(self) -> None:
        """Remembered."""
        self.closed = True

    def _ill(self) -> None:
        match self.mood:
            case Mood.DEAD:
                raise Unavailable("连接被拒绝 / connection refused")
            case Mood.REFUSING:
                raise Refused("凭据无效 / credentials refused")
            case Mood.BUSY:
                raise Overloaded("请稍后 / later, please", retry_after=30.0)
            case Mood.GARBAGE:
                raise Malformed("不是 JSON / not JSON")
            case Mood.STUMBLING:
                raise KeyError("a field that was always there")

    def _holds(self, row: Row, lookup: Lookup) -> bool:
        if lookup.text and lookup.text not in "".join(str(value) for value in row.values()):
            return False
        for name, wishes in lookup.where:
            value = self._key(row) if name == "key" else row.get(name)
            if not set(value if isinstance(value, list) else [value]) & set(wishes):
                return False
        return True

    def _key(self, row: Row) -> str:
        return str(row["key"]) if "key" in row else self.key(str(row["local_id"]))

    def _record(self, lookup: Lookup, row: Row) -> Record:
        sent = self.offer(lookup).fields & set(lookup.fields)
        local_id = str(row.get("local_id") or row["key"])
        values = only(row, sent)
        return self.record(lookup.kind, self._key(row), local_id, values, updated_at=row.get("updated_at"))
