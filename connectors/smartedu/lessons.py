"""Resources: those of a textbook by their lists, single ones by their details.

Rule 1: a part of a compound goes by `whole~part`, since only its whole's details can be read (trap 2).
Rule 2: a list is asked for again only with its ETag; a list or record that is not there is empty, no error.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from connectors.errors import SourceError
from connectors.smartedu import shapes
from connectors.smartedu.entry import Entry, entries, gathered, inherit
from connectors.smartedu.flight import Flight
from connectors.smartedu.mirrors import Mirrors, gone
from connectors.smartedu.options import DETAILS, LESSONS, SmartEduOptions
from connectors.smartedu.pages import detail

AT_ONCE = 8
KEPT = 128  # lists in memory
KNOWN = 200_000  # records whose list is remembered


class Piece(msgspec.Struct, frozen=True):
    """A resource and the module it stands in."""

    module: str
    entry: Entry

    @property
    def local_id(self) -> str:
        """The id it goes by here."""
        one = self.entry
        return f"{one.whole}~{one.id}" if one.sub and one.whole not in ("", one.id) else one.id


@dataclass(frozen=True, slots=True)
class _List:
    pieces: tuple[Piece, ...]
    etag: str
    checked: float


@dataclass
class Lessons:
    """Resources, read through mirrors; lists are kept, details are not."""

    mirrors: Mirrors
    options: SmartEduOptions
    flight: Flight
    _kept: OrderedDict[tuple[str, str], _List] = field(default_factory=OrderedDict, init=False)
    _known: OrderedDict[str, tuple[str, str]] = field(default_factory=OrderedDict, init=False)

    async def of(self, textbooks: Iterable[str]) -> list[Piece]:
        """The resources of these textbooks, each once, by module and in the platform's order."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(module: str, textbook: str) -> tuple[Piece, ...]:
            async with gate:
                return await self._list(module, textbook)

        asked = [(module, book) for book in textbooks if shapes.ident(book)
                 for module in self.options.modules if module in LESSONS]  # fmt: skip
        found = await asyncio.gather(*(one(*pair) for pair in asked))
        return list({piece.local_id: piece for pieces in found for piece in pieces}.values())

    async def named(self, local_ids: Iterable[str]) -> list[Piece]:
        """The resources of these ids; those that are not to be had are absent."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(local_id: str) -> Piece | None:
            async with gate:
                return await self._named(local_id)

        found = await asyncio.gather(*map(one, dict.fromkeys(local_ids)))
        return [piece for piece in found if piece is not None]

    async def detailed(self, pieces: Iterable[Piece]) -> list[Piece]:
        """The same pieces with their files, where their details can be read."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(piece: Piece) -> Piece:
            if piece.entry.files is not None:
                return piece
            async with gate:
                full = await self._named(piece.local_id)
            files = full.entry.files if full else None
            return Piece(piece.module, msgspec.structs.replace(piece.entry, files=files))

        return list(await asyncio.gather(*map(one, pieces)))

    async def details(self, key: str) -> Piece | None:
        """The record of that id from its own details, wherever it stands; None if no module gives it."""
        return await self.flight.join(f"details {key}", lambda: self._details(key))

    async def _named(self, local_id: str) -> Piece | None:
        whole, _, part = local_id.partition("~")
        if not shapes.ident(whole) or (part and not shapes.ident(part)):
            return None
        found = await self.details(whole)
        if found is not None and part:
            parts = (inherit(one, found.entry) for one in found.entry.parts if one.id == part)
            found = next((_part(found.module, one) for one in parts), None)
        return found or await self._remembered(local_id)

    async def _remembered(self, local_id: str) -> Piece | None:
        """From the list that told of it: its details are gone or forbidden, but it is still listed."""
        known = self._known.get(local_id)
        if known is None:
            return None
        return next((piece for piece in await self._list(*known) if piece.local_id == local_id), None)

    async def _details(self, key: str) -> Piece | None:
        first = self._known[key][0] if key in self._known else self.options.modules[0]
        for module in dict.fromkeys((first, *self.options.modules)):
            path = DETAILS[module].format(key)
            try:
                document = await self.mirrors.read(
                    path, lambda raw: detail(raw, key), self.options.load_within
                )
            except SourceError as error:
                if not gone(error):
                    raise
                continue
            if document.value is not None:
                return Piece(module, document.value)
        return None

    async def _list(self, module: str, textbook: str) -> tuple[Piece, ...]:
        kept = self._kept.get((module, textbook))
        if kept is None or time.monotonic() - kept.checked > self.options.recheck:
            name = f"lessons {module} {textbook}"
            kept = await self.flight.join(name, lambda: self._fetch(module, textbook))
        return kept.pieces

    async def _fetch(self, module: str, textbook: str) -> _List:
        old = self._kept.get((module, textbook))
        try:
            pieces, mark = await self._read(module, textbook, old)
        except SourceError as error:
            if not gone(error):
                raise
            pieces, mark = (), ""
        kept = self._kept[module, textbook] = _List(pieces, mark, time.monotonic())
        self._kept.move_to_end((module, textbook))
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        self._remember(module, textbook, pieces)
        return kept

    async def _read(self, module: str, textbook: str, old: _List | None) -> tuple[tuple[Piece, ...], str]:
        path = LESSONS[module].format(textbook)
        if path.endswith("/parts.json"):
            parts = (await self.mirrors.read(path, shapes.paths, self.options.load_within)).value or ()
            found = [one for part in parts for one in (await self._part(part, ""))[0] or ()]
            return _pieces(module, tuple(found)), ""
        listed, mark = await self._part(path, old.etag if old else "")
        if listed is None:
            return (old.pieces if old else ()), mark
        return _pieces(module, listed), mark

    async def _part(self, path: str, etag: str) -> tuple[tuple[Entry, ...] | None, str]:
        document = await self.mirrors.read(
            path, entries, self.options.load_within, max_bytes=self.options.part_bytes, etag=etag
        )
        return document.value, document.etag

    def _remember(self, module: str, textbook: str, pieces: tuple[Piece, ...]) -> None:
        self._known |= {piece.local_id: (module, textbook) for piece in pieces}
        while len(self._known) > KNOWN:
            self._known.popitem(last=False)


def _pieces(module: str, found: tuple[Entry, ...]) -> tuple[Piece, ...]:
    return tuple(Piece(module, one) for one in gathered(found, {}))


def _part(module: str, one: Entry) -> Piece:
    return Piece(module, msgspec.structs.replace(one, role="sub"))
