"""The national platform (basic.smartedu.cn): textbooks, chapters and resources from static JSON.

Rule 1: metadata and a page to open it at; no file is signed for, none is fetched (DOMAIN 2.1).
Rule 2: documents are shared: whoever asks first starts them, all who ask meanwhile wait for the same one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from functools import cached_property
from typing import Any, ClassVar

from connectors.base import Capabilities, Connector, Identity, Offer, Tools, only
from connectors.errors import SourceError, TimedOut, Unanswerable
from connectors.smartedu import shapes, values
from connectors.smartedu.flight import Flight
from connectors.smartedu.harvest import Walk, mark_of, written
from connectors.smartedu.lessons import Lessons, Piece
from connectors.smartedu.mirrors import Mirrors
from connectors.smartedu.options import BOOKS_VERSION, SmartEduOptions
from connectors.smartedu.pages import Pages
from connectors.smartedu.textbooks import Textbooks
from connectors.smartedu.trees import Node, Trees
from schema.model.record import Answer, Batch, Lookup, Record
from schema.model.words import Kind

MOST = 5_000  # records of an answer without a page
IN_DETAILS = frozenset({"files", "content_hash", "page_count"})
DETAILED = 200  # records of one answer whose details are asked for
ABOUT_BOOK = frozenset({"stage", "schooling_system", "subject_code", "grade_code", "version_name", "volume"})
TOLD = frozenset({
    "title", "summary", "type_code", "format", "level", "stage", "subject_code", "grade_code", "version_name",
    "volume", "textbook_key", "chapter_keys", "tags", "providers", "contributor_name", "created_at",
    "updated_at", "online", "files", "cover_url", "landing_url", "page_count", "parent_key", "content_hash",
})  # fmt: skip


def _offers() -> dict[Kind, Offer]:
    book = ABOUT_BOOK | {"title", "edition_age", "providers", "has_pdf", "cover_url", "landing_url"}
    chapter = {"title", "order", "page", "path", "textbook_key", "parent_key", "depth"}
    return {
        Kind.TEXTBOOK: Offer(book, ABOUT_BOOK | {"key"}, 500, pages=True, totals=True, fresh_for=3600.0),
        Kind.CHAPTER: Offer(
            frozenset(chapter), frozenset({"key", "textbook_key", "parent_key"}), pages=True, totals=True,
            fresh_for=3600.0,
        ),
        Kind.RESOURCE: Offer(
            TOLD, frozenset({"key", "chapter_keys", "textbook_key"}), pages=True, totals=True, harvest=True,
            fresh_for=600.0,
        ),
    }  # fmt: skip


class SmartEdu(Connector):
    """A joined national platform."""

    protocol: ClassVar[str] = "smartedu"
    options: ClassVar[type[SmartEduOptions]] = SmartEduOptions

    def __init__(self, identity: Identity, options: SmartEduOptions, tools: Tools) -> None:
        super().__init__(identity, options, tools)
        self._flight = Flight()
        self._mirrors = Mirrors(tools.http, options.bases)
        self._textbooks = Textbooks(self._mirrors, options, self._flight)
        self._trees = Trees(self._mirrors, self._textbooks, options, self._flight)
        self._lessons = Lessons(self._mirrors, options, self._flight)
        self._pages = Pages(self._mirrors, Mirrors(tools.http, options.stores), options, self._flight)

    @cached_property
    def _capabilities(self) -> Capabilities:
        return Capabilities(_offers())

    @property
    def capabilities(self) -> Capabilities:
        """Textbooks, chapters and resources."""
        return self._capabilities

    async def look_up(self, lookup: Lookup, within: float) -> Answer:
        """See `Connector.look_up`; chapters and resources want a key, a textbook or a chapter."""
        self.offer(lookup)
        answers = {Kind.TEXTBOOK: self._books, Kind.CHAPTER: self._chapters, Kind.RESOURCE: self._resources}
        try:
            async with asyncio.timeout(within):
                return await answers[lookup.kind](lookup)
        except TimeoutError:
            raise TimedOut(f"{self.identity.code}: no whole answer within {within:g} s") from None

    async def harvest(self, kind: Kind, checkpoint: str, within: float) -> AsyncIterator[Batch]:
        """All resources; from a checkpoint only what is left or has a new version."""
        if kind is not Kind.RESOURCE:
            raise Unanswerable(f"{self.identity.code} cannot be harvested for {kind}")
        remarks = values.Remarks()
        async for step in Walk(self._lessons, mark_of(checkpoint), within).steps():
            records = {piece.local_id: self._resource(piece, TOLD, remarks) for piece in step.pieces}
            yield Batch(tuple(records.values()), (), written(step.mark))

    async def probe(self, within: float) -> None:
        """Ask for the version of the textbook catalogue."""
        await self._mirrors.read(BOOKS_VERSION, shapes.version, within)

    async def aclose(self) -> None:
        """End what is under way."""
        await self._flight.aclose()

    async def _books(self, lookup: Lookup) -> Answer:
        index = await self._textbooks.index()
        keys = [key for key in lookup.keys if key in index.books] if lookup.keys else list(index.books)
        tests = [(name, wanted) for name, wanted in lookup.where if name != "key"]
        found = [key for key in keys if _fits(index.books[key].values, tests)]
        page, total, more = _window(found, lookup)
        records = [self._book(key, index.books[key].values, lookup, index.books[key].entry.updated_at)
                   for key in page]  # fmt: skip
        return Answer(tuple(records), total, more, index.remarks)

    def _book(self, key: str, told: dict[str, Any], lookup: Lookup, updated: str | None) -> Record:
        return self.record(Kind.TEXTBOOK, key, key, only(told, lookup.fields), updated_at=updated)

    async def _chapters(self, lookup: Lookup) -> Answer:
        nodes, page_of, remarks = await self._nodes(lookup), dict[str, int](), values.Remarks()
        page, total, more = _window(nodes, lookup)
        if "page" in lookup.fields:
            page_of = await self._page_numbers({node.textbook for node in page}, remarks)
        records = [self._chapter(node, page_of, lookup) for node in page]
        return Answer(tuple(records), total, more, remarks.all())

    async def _nodes(self, lookup: Lookup) -> list[Node]:
        keys, parents, books = (lookup.values(name) for name in ("key", "parent_key", "textbook_key"))
        if not (keys or parents or books):
            raise Unanswerable(f"{self.identity.code} lists chapters by key, textbook or parent only")
        if not books:
            books = tuple((await self._trees.owners(keys or parents)).values())
        trees = await self._trees.many(books)
        every = (node for tree in trees.values() for node in tree.values())
        return [node for node in every
                if (not keys or node.id in keys) and (not parents or node.parent in parents)]  # fmt: skip

    async def _page_numbers(self, textbooks: Iterable[str], remarks: values.Remarks) -> dict[str, int]:
        gate = asyncio.Semaphore(8)

        async def one(textbook: str) -> dict[str, int]:
            async with gate:
                try:
                    return await self._pages.of(textbook)
                except SourceError:
                    remarks.add("有教材读不到页码对照 / the page numbers of a textbook cannot be read")
                    return {}

        found = await asyncio.gather(*map(one, textbooks))
        return {key: page for pages in found for key, page in pages.items()}

    def _chapter(self, node: Node, page_of: dict[str, int], lookup: Lookup) -> Record:
        told = {
            "title": node.title or None, "order": node.order, "depth": node.depth, "path": node.path,
            "page": page_of.get(node.id), "textbook_key": node.textbook, "parent_key": node.parent or None,
        }  # fmt: skip
        return self.record(Kind.CHAPTER, node.id, node.id, only(told, lookup.fields))

    async def _resources(self, lookup: Lookup) -> Answer:
        found = await self._pieces(lookup)
        page, total, more = _window(found, lookup)
        remarks = values.Remarks()
        if IN_DETAILS & set(lookup.fields):
            page = [*await self._lessons.detailed(page[:DETAILED]), *page[DETAILED:]]
            if len(page) > DETAILED:
                remarks.add(f"只有前 {DETAILED} 条带文件 / files are told of the first {DETAILED} only")
        records = [self._resource(piece, lookup.fields, remarks) for piece in page]
        return Answer(tuple(records), total, more, remarks.all())

    async def _pieces(self, lookup: Lookup) -> list[Piece]:
        keys, chapters, books = (lookup.values(name) for name in ("key", "chapter_keys", "textbook_key"))
        if not (keys or chapters or books):
            raise Unanswerable(f"{self.identity.code} lists resources by key, textbook or chapter only")
        if keys:
            found = await self._lessons.named(self.local(keys))
        else:
            owners = books or sorted(set((await self._trees.owners(chapters)).values()))
            found = await self._lessons.of(owners)
        return [piece for piece in found
                if (not chapters or not set(chapters).isdisjoint(piece.entry.chapters))
                and (not books or not set(books).isdisjoint(piece.entry.textbooks))]  # fmt: skip

    def _resource(self, piece: Piece, fields: Iterable[str], remarks: values.Remarks) -> Record:
        one = piece.entry
        told = values.resource(one, piece.module, self.settings.landing.rstrip("/"), remarks)
        told["parent_key"] = self.key(one.whole) if piece.local_id != one.id else None
        key = self.key(piece.local_id)
        return self.record(Kind.RESOURCE, key, piece.local_id, only(told, fields), updated_at=one.updated_at)


def _fits(told: dict[str, Any], tests: list[tuple[str, tuple[str, ...]]]) -> bool:
    return all(told.get(name) in wanted for name, wanted in tests)


def _window(found: Sequence[Any], lookup: Lookup) -> tuple[list[Any], int, bool]:
    start, limit = (lookup.page.offset, lookup.page.limit) if lookup.page else (0, MOST)
    end = min(start + limit, start + MOST)
    return list(found[start:end]), len(found), end < len(found)
