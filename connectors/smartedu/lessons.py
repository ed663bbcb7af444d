"""Resources: those of a textbook by their lists, single ones by their details.

Rule 1: a part of a compound goes by `whole~part`, since only its whole's details can be read (trap 2).
Rule 2: a list is asked for again only with its ETag; a list or record that is not there is empty, no error.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial

import msgspec

from connectors.errors import SourceError
from connectors.flight import Flight
from connectors.smartedu import shapes
from connectors.smartedu.entry import Entry, entries, gathered, inherit
from connectors.smartedu.mirrors import Document, Mirrors, gone
from connectors.smartedu.options import DETAILS, LESSONS, SmartEduOptions
from connectors.smartedu.pages import detail
from connectors.together import together

KEPT = 128  # lists in memory
KNOWN = 200_000  # records whose list is remembered


class Piece(msgspec.Struct, frozen=True):
    """A resource, the module it stands in, and when it was read there or last found unchanged."""

    module: str
    entry: Entry
    at: float

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
        asked = [(module, book) for book in textbooks if shapes.ident(book)
                 for module in self.options.modules if module in LESSONS]  # fmt: skip
        found = await together(partial(self._list, *pair) for pair in asked)
        return list({piece.local_id: piece for pieces in found for piece in pieces}.values())

    async def named(self, local_ids: Iterable[str]) -> list[Piece]:
        """The resources of these ids; those that are not to be had are absent."""
        found = await together(partial(self._named, one) for one in dict.fromkeys(local_ids))
        return [piece for piece in found if piece is not None]

    async def detailed(self, pieces: Iterable[Piece]) -> list[Piece]:
        """The same pieces with their files, where their details can be read."""
        return await together(partial(self._detailed, piece) for piece in pieces)

    async def details(self, key: str) -> Piece | None:
        """The record of that id from its own details, wherever it stands; None if no module gives it."""
        return await self.flight.join(f"details {key}", lambda: self._details(key))

    async def _detailed(self, piece: Piece) -> Piece:
        if piece.entry.files is not None:
            return piece
        full = await self._named(piece.local_id)
        files = full.entry.files if full else None
        return Piece(piece.module, msgspec.structs.replace(piece.entry, files=files), piece.at)

    async def _named(self, local_id: str) -> Piece | None:
        whole, _, part = local_id.partition("~")
        if not shapes.ident(whole) or (part and not shapes.ident(part)):
            return None
        found = await self.details(whole)
        if found is not None and part:
            parts = (inherit(one, found.entry) for one in found.entry.parts if one.id == part)
            found = next((_part(found, one) for one in parts), None)
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
                return Piece(module, document.value, document.at)
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
            read = [await self._part(part, "") for part in parts]
            found = tuple(one for part in read for one in part.value or ())
            return _pieces(module, found, min((part.at for part in read), default=0.0)), ""
        told = await self._part(path, old.etag if old else "")
        if told.value is None:
            kept = old.pieces if old else ()
            return tuple(msgspec.structs.replace(piece, at=told.at) for piece in kept), told.etag
        return _pieces(module, told.value, told.at), told.etag

    async def _part(self, path: str, etag: str) -> Document[tuple[Entry, ...]]:
        bound = self.options.part_bytes
        return await self.mirrors.read(path, entries, self.options.load_within, max_bytes=bound, etag=etag)

    def _remember(self, module: str, textbook: str, pieces: tuple[Piece, ...]) -> None:
        self._known |= {piece.local_id: (module, textbook) for piece in pieces}
        while len(self._known) > KNOWN:
            self._known.popitem(last=False)


def _pieces(module: str, found: tuple[Entry, ...], at: float) -> tuple[Piece, ...]:
    return tuple(Piece(module, one, at) for one in gathered(found, {}))


def _part(whole: Piece, one: Entry) -> Piece:
    return Piece(whole.module, msgspec.structs.replace(one, role="sub"), whole.at)
