"""The national platform (basic.smartedu.cn): textbooks, chapters and resources from static JSON.

Rule 1: metadata and a page to open it at; no file is signed for, none is fetched (DOMAIN 2.1).
Rule 2: documents are shared: whoever asks first starts them, all who ask meanwhile wait for the same one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from functools import cached_property, partial
from typing import ClassVar

from connectors.base import Capabilities, Connector, Identity, Offer, Tools, filters, meets, only, window
from connectors.deadline import in_time
from connectors.errors import SourceError, Unanswerable
from connectors.flight import Flight
from connectors.smartedu import shapes, values
from connectors.smartedu.harvest import Walk, mark_of, written
from connectors.smartedu.lessons import Lessons, Piece
from connectors.smartedu.mirrors import Mirrors
from connectors.smartedu.options import BOOKS_VERSION, SmartEduOptions
from connectors.smartedu.pages import Pages, Printed
from connectors.smartedu.textbooks import Index, Textbooks
from connectors.smartedu.trees import Node, Tree, Trees
from connectors.together import together
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
        self._mirrors = Mirrors(tools.http, options.bases, tools.now)
        self._textbooks = Textbooks(self._mirrors, options, self._flight)
        self._trees = Trees(self._mirrors, self._textbooks, options, self._flight)
        self._lessons = Lessons(self._mirrors, options, self._flight)
        stores = Mirrors(tools.http, options.stores, tools.now)
        self._pages = Pages(self._mirrors, stores, options, self._flight)

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
        async with in_time(within, f"{self.identity.code}: no whole answer"):
            return await answers[lookup.kind](lookup)

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
        where = filters(lookup, but=("key",))
        found = [key for key in keys if meets(index.books[key].values, where)]
        page, more = window(found, lookup.page, MOST)
        records = tuple(self._book(key, index, lookup) for key in page)
        return Answer(records, len(found), more, index.remarks)

    def _book(self, key: str, index: Index, lookup: Lookup) -> Record:
        told, updated = index.books[key].values, index.books[key].entry.updated_at
        return self.record(
            Kind.TEXTBOOK, key, key, only(told, lookup.fields), updated_at=updated, fetched_at=index.at
        )

    async def _chapters(self, lookup: Lookup) -> Answer:
        trees, remarks = await self._in_trees(lookup), values.Remarks()
        keys, parents = frozenset(lookup.keys), frozenset(lookup.values("parent_key"))
        nodes = [node for tree in trees.values() for node in tree.nodes.values()
                 if (not keys or node.id in keys) and (not parents or node.parent in parents)]  # fmt: skip
        page, more = window(nodes, lookup.page, MOST)
        books = {node.textbook for node in page} if "page" in lookup.fields else set()
        printed = await self._printed(sorted(books), remarks)
        records = tuple(
            self._chapter(node, trees[node.textbook], printed.get(node.textbook), lookup) for node in page
        )
        return Answer(records, len(nodes), more, remarks.all())

    async def _in_trees(self, lookup: Lookup) -> dict[str, Tree]:
        """The trees in which the chapters asked for stand."""
        keys, parents, books = (lookup.values(name) for name in ("key", "parent_key", "textbook_key"))
        if not (keys or parents or books):
            raise Unanswerable(f"{self.identity.code} lists chapters by key, textbook or parent only")
        if not books:
            books = tuple((await self._trees.owners(keys or parents)).values())
        return await self._trees.many(books)

    async def _printed(self, textbooks: Sequence[str], remarks: values.Remarks) -> dict[str, Printed]:
        """Page numbers by textbook, of those whose numbers can be read."""

        async def one(textbook: str) -> Printed | None:
            try:
                return await self._pages.of(textbook)
            except SourceError:
                remarks.add("有教材读不到页码对照 / the page numbers of a textbook cannot be read")
                return None

        found = await together(partial(one, textbook) for textbook in textbooks)
        return {book: printed for book, printed in zip(textbooks, found, strict=True) if printed}

    def _chapter(self, node: Node, tree: Tree, printed: Printed | None, lookup: Lookup) -> Record:
        told = {
            "title": node.title or None, "order": node.order, "depth": node.depth, "path": node.path,
            "page": printed.pages.get(node.id) if printed else None, "textbook_key": node.textbook,
            "parent_key": node.parent or None,
        }  # fmt: skip
        at = min(tree.at, printed.at) if printed else tree.at
        return self.record(Kind.CHAPTER, node.id, node.id, only(told, lookup.fields), fetched_at=at)

    async def _resources(self, lookup: Lookup) -> Answer:
        found = await self._pieces(lookup)
        shown, more = window(found, lookup.page, MOST)
        page, remarks = list(shown), values.Remarks()
        if IN_DETAILS & set(lookup.fields):
            page = [*await self._lessons.detailed(page[:DETAILED]), *page[DETAILED:]]
            if len(page) > DETAILED:
                remarks.add(f"只有前 {DETAILED} 条带文件 / files are told of the first {DETAILED} only")
        records = [self._resource(piece, lookup.fields, remarks) for piece in page]
        return Answer(tuple(records), len(found), more, remarks.all())

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
        return self.record(
            Kind.RESOURCE, key, piece.local_id, only(told, fields),
            updated_at=one.updated_at, fetched_at=piece.at,
        )  # fmt: skip
