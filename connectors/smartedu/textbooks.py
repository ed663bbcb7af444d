"""The textbook catalogue: every record part in one index, kept until the version file tells of another."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from connectors.errors import Malformed
from connectors.flight import Flight
from connectors.smartedu import shapes, values
from connectors.smartedu.entry import Entry, entries, gathered
from connectors.smartedu.mirrors import Mirrors
from connectors.smartedu.options import BOOK_TAGS, BOOKS_VERSION, SmartEduOptions
from connectors.smartedu.tags import TagTree, named_by, tag_tree, wants_tree
from connectors.together import together

MOST_BOOKS = 100_000
PARTS = 4  # parts under way together: each may be large


@dataclass(frozen=True, slots=True)
class Book:
    """A textbook: its record, and its values in our words."""

    entry: Entry
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Index:
    """All textbooks of one version, in the platform's order; `at` when it was last told to be current."""

    version: str
    at: float
    books: dict[str, Book]
    remarks: tuple[str, ...]


@dataclass
class Textbooks:
    """The catalogue, loaded on first need and checked every `recheck` seconds."""

    mirrors: Mirrors
    options: SmartEduOptions
    flight: Flight
    _index: Index | None = field(default=None, init=False)
    _checked: float = field(default=0.0, init=False)

    async def index(self) -> Index:
        """The current index; one request when it is due for a check, none in between."""
        if self._index is not None and time.monotonic() - self._checked < self.options.recheck:
            return self._index
        return await self.flight.join("textbooks", self._refresh)

    async def named(self, ids: Iterable[str]) -> dict[str, Book]:
        """The textbooks of these ids."""
        books = (await self.index()).books
        return {key: books[key] for key in ids if key in books}

    async def _refresh(self) -> Index:
        within = self.options.load_within
        told = await self.mirrors.read(BOOKS_VERSION, shapes.version, within)
        version, paths = told.value or ("", ())
        if self._index is None or self._index.version != version:
            self._index = await self._load(version, paths, told.at)
        self._index, self._checked = replace(self._index, at=told.at), time.monotonic()
        return self._index

    async def _load(self, version: str, paths: tuple[str, ...], at: float) -> Index:
        within, bound = self.options.load_within, self.options.part_bytes
        reads = (partial(self.mirrors.read, path, entries, within, max_bytes=bound) for path in paths)
        parts = await together(reads, PARTS)
        listed = [one for part in parts for one in part.value or ()]
        if len(listed) > MOST_BOOKS:
            raise Malformed(f"more than {MOST_BOOKS} textbooks")
        tree: TagTree = {}
        if any(map(wants_tree, listed)):
            tree = (await self.mirrors.read(BOOK_TAGS, tag_tree, within, max_bytes=32 << 20)).value or {}
        return await asyncio.to_thread(_indexed, (version, at), tuple(listed), tree, self.options.landing)


def _indexed(told: tuple[str, float], listed: tuple[Entry, ...], tree: TagTree, landing: str) -> Index:
    remarks = values.Remarks()
    named = tuple(named_by(one, tree) if wants_tree(one) else one for one in listed)
    books = {one.id: Book(one, values.textbook(one, landing, remarks)) for one in gathered(named, {})}
    if len(books) < len(listed):
        remarks.add("有重复的教材标识，取后者 / textbook ids repeat: the last one counts")
    return Index(*told, books, remarks.all())
