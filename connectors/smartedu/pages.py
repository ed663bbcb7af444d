"""Printed page numbers of chapters: the ebook_mapping file that a textbook's details name (DOMAIN 2.1)."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from connectors.errors import Malformed, SourceError
from connectors.flight import Flight
from connectors.smartedu import shapes
from connectors.smartedu.entry import Entry, entry
from connectors.smartedu.mirrors import Mirrors, gone
from connectors.smartedu.options import SmartEduOptions

DETAILS = "/zxx/ndrv2/resources/tch_material/details/{}.json"
KEPT = 512


def detail(raw: Any, key: str) -> Entry:
    """The record of a details document, which must be the one asked for."""
    found = entry(raw) if isinstance(raw, dict) else None
    if found is None or found.id != key:
        raise Malformed("details that are of something else than was asked for")
    return found


def printed(raw: Any) -> dict[str, int]:
    """Printed page by chapter: page_number less the pages in front; pages in front have none."""
    if not isinstance(raw, dict):
        raise Malformed("an ebook_mapping that is no object")
    front = shapes.number(raw.get("front_page")) or 0
    found = ((shapes.ident(item.get("node_id")), shapes.number(item.get("page_number")))
             for item in shapes.items(raw.get("mappings"))[:20_000])  # fmt: skip
    return {key: page - front for key, page in found if key and page is not None and page > front}


@dataclass(frozen=True, slots=True)
class Printed:
    """Page numbers by chapter, read `at`; `checked` by the monotonic clock."""

    pages: dict[str, int]
    at: float
    checked: float


@dataclass
class Pages:
    """Page numbers by textbook, kept for a while."""

    mirrors: Mirrors
    stores: Mirrors
    options: SmartEduOptions
    flight: Flight
    _kept: OrderedDict[str, Printed] = field(default_factory=OrderedDict, init=False)

    async def of(self, textbook: str) -> Printed:
        """Printed page by chapter of a textbook; none when it has no mapping."""
        kept = self._kept.get(textbook)
        if kept is not None and time.monotonic() - kept.checked < self.options.recheck:
            return kept
        return await self.flight.join(f"pages {textbook}", lambda: self._fetch(textbook))

    async def _fetch(self, textbook: str) -> Printed:
        within, found, at = self.options.load_within, dict[str, int](), self.mirrors.now()
        try:
            about = await self.mirrors.read(
                DETAILS.format(textbook), lambda raw: detail(raw, textbook), within
            )
            store = _mapping(about.value)
            if store:
                found = (await self.stores.read(store, printed, within)).value or {}
        except SourceError as error:
            if not gone(error):
                raise
        kept = self._kept[textbook] = Printed(found, at, time.monotonic())
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return kept


def _mapping(about: Entry | None) -> str:
    files = (about.files if about else None) or ()
    store = next((file.store for file in files if file.role == "ebook_mapping"), "")
    plain = all(char.isalnum() or char in "/._-" for char in store) and ".." not in store
    return store if plain and store.endswith(".json") else ""
