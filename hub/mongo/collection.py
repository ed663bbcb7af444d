"""One collection: the small surface the hub uses, the same over both drivers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from pymongo import ReturnDocument

from hub.mongo.errors import translated
from hub.mongo.gate import Gate

Document = dict[str, Any]
Filter = Mapping[str, Any]
Update = Mapping[str, Any] | Sequence[Mapping[str, Any]]  # operators, or a pipeline
Order = Sequence[tuple[str, int]]

_PAGE = 500  # documents fetched at a time while streaming


@dataclass(frozen=True, slots=True)
class Updated:
    """What a write changed: documents `matched`, `modified`, `inserted` (by upsert), `deleted`."""

    matched: int = 0
    modified: int = 0
    inserted: int = 0
    deleted: int = 0


class Feed:
    """An open change stream, begun before `Collection.watch` handed it out: nothing after that is missed."""

    def __init__(self, stream: Any, first: Document | None) -> None:
        self._stream = stream
        self._first = first

    @property
    def resume_token(self) -> Document | None:
        """Where to continue after an interruption; save it after acting on a change."""
        token: Document | None = self._stream.resume_token
        return token

    async def next(self) -> Document | None:
        """The next change, or None when none came for a moment. `StorageDown` when the stream broke."""
        if self._first is not None:
            change, self._first = self._first, None
            return change
        with translated():
            found: Document | None = await self._stream.try_next()
        return found

    @property
    def alive(self) -> bool:
        """False once the server has ended the stream (collection dropped or renamed)."""
        return self._first is not None or bool(self._stream.alive)


class Collection:
    """A collection of documents. Every method raises the errors of `hub.mongo.errors` and no others.

    Filters come from our own code; a caller's value is only ever compared with (`{"field": {"$eq": value}}`).
    """

    def __init__(self, raw: Any, gate: Gate, *, awaited_cursors: bool) -> None:
        self._raw = raw
        self._gate = gate
        self._awaited_cursors = awaited_cursors

    @property
    def name(self) -> str:
        """The collection's name."""
        return str(self._raw.name)

    # -- reading ---------------------------------------------------------------------------------------

    async def find_one(
        self, where: Filter, *, fields: Mapping[str, Any] | None = None, order: Order | None = None
    ) -> Document | None:
        """The first match, or None."""
        async with self._gate.operation():
            found: Document | None = await self._raw.find_one(where, fields, sort=order)
            return found

    async def find(
        self,
        where: Filter,
        *,
        limit: int,
        fields: Mapping[str, Any] | None = None,
        order: Order | None = None,
        skip: int = 0,
    ) -> list[Document]:
        """At most `limit` matches (at least 1: an unbounded list is asked for with `stream`)."""
        limit = max(1, limit)
        async with self._gate.operation():
            cursor = self._raw.find(where, fields, sort=order, skip=skip, limit=limit, batch_size=limit)
            found: list[Document] = await cursor.to_list(limit)
            return found

    async def stream(
        self, where: Filter, *, fields: Mapping[str, Any] | None = None, order: Order | None = None
    ) -> AsyncIterator[Document]:
        """All matches, a page at a time; the gate is held only while a page travels."""
        cursor = self._raw.find(where, fields, sort=order, batch_size=_PAGE)
        async for document in self._pages(cursor):
            yield document

    async def aggregate(
        self, pipeline: Sequence[Mapping[str, Any]], *, limit: int, seconds: float | None = None
    ) -> list[Document]:
        """At most `limit` results of a pipeline; `seconds` bounds the work on the server."""
        async with self._gate.operation():
            cursor = await self._aggregation(pipeline, seconds)
            try:
                found: list[Document] = await cursor.to_list(limit)
            finally:
                await cursor.close()
            return found

    async def aggregate_stream(
        self, pipeline: Sequence[Mapping[str, Any]], *, seconds: float | None = None
    ) -> AsyncIterator[Document]:
        """All results of a pipeline, a page at a time."""
        async with self._gate.operation():
            cursor = await self._aggregation(pipeline, seconds)
        async for document in self._pages(cursor):
            yield document

    async def count(self, where: Filter, *, limit: int | None = None) -> int:
        """How many match, counting no further than `limit`."""
        bound = {} if limit is None else {"limit": limit}
        async with self._gate.operation():
            return int(await self._raw.count_documents(where, **bound))

    async def estimated_count(self) -> int:
        """About how many documents there are, from the collection's metadata: O(1)."""
        async with self._gate.operation():
            return int(await self._raw.estimated_document_count())

    async def distinct(self, field: str, where: Filter | None = None) -> list[Any]:
        """The different values of a field; for fields with few values."""
        async with self._gate.operation():
            return list(await self._raw.distinct(field, where or {}))

    # -- writing ---------------------------------------------------------------------------------------

    async def insert_one(self, document: Document) -> None:
        """Store one new document; `StorageConflict` when its key exists."""
        async with self._gate.operation():
            await self._raw.insert_one(document)

    async def insert_many(self, documents: Sequence[Document], *, ordered: bool = False) -> int:
        """Store new documents in one batch; how many. `StorageConflict` after storing those that were new."""
        async with self._gate.operation():
            done = await self._raw.insert_many(list(documents), ordered=ordered)
            return len(done.inserted_ids)

    async def update_one(self, where: Filter, update: Update, *, upsert: bool = False) -> Updated:
        """Change the first match."""
        async with self._gate.operation():
            return _updated(await self._raw.update_one(where, update, upsert=upsert))

    async def update_many(self, where: Filter, update: Update) -> Updated:
        """Change every match."""
        async with self._gate.operation():
            return _updated(await self._raw.update_many(where, update))

    async def replace_one(self, where: Filter, document: Document, *, upsert: bool = False) -> Updated:
        """Put a whole document in the place of the first match."""
        async with self._gate.operation():
            return _updated(await self._raw.replace_one(where, document, upsert=upsert))

    async def find_one_and_update(
        self,
        where: Filter,
        update: Update,
        *,
        upsert: bool = False,
        before: bool = False,
        fields: Mapping[str, Any] | None = None,
        order: Order | None = None,
    ) -> Document | None:
        """Change the first match and return it as it is afterwards (or was `before`), in one atomic step."""
        when = ReturnDocument.BEFORE if before else ReturnDocument.AFTER
        async with self._gate.operation():
            found: Document | None = await self._raw.find_one_and_update(
                where, update, projection=fields, sort=order, upsert=upsert, return_document=when
            )
            return found

    async def find_one_and_delete(self, where: Filter, *, order: Order | None = None) -> Document | None:
        """Take the first match out and return it; what is taken once is taken for everybody."""
        async with self._gate.operation():
            found: Document | None = await self._raw.find_one_and_delete(where, sort=order)
            return found

    async def delete_one(self, where: Filter) -> int:
        """Remove the first match; how many were removed."""
        async with self._gate.operation():
            return int((await self._raw.delete_one(where)).deleted_count)

    async def delete_many(self, where: Filter) -> int:
        """Remove every match; how many were removed."""
        async with self._gate.operation():
            return int((await self._raw.delete_many(where)).deleted_count)

    async def bulk_write(self, operations: Sequence[Any], *, ordered: bool = False) -> Updated:
        """Many of `InsertOne UpdateOne UpdateMany ReplaceOne DeleteOne` (from `hub.mongo`) in one message."""
        if not operations:
            return Updated()
        async with self._gate.operation():
            done = await self._raw.bulk_write(list(operations), ordered=ordered)
            return Updated(
                done.matched_count,
                done.modified_count,
                done.upserted_count + done.inserted_count,
                done.deleted_count,
            )

    # -- indexes, changes ------------------------------------------------------------------------------

    async def create_indexes(self, indexes: Sequence[Any]) -> list[str]:
        """Make sure these `Index`es (from `hub.mongo`) exist; their names. Asking twice does no harm."""
        async with self._gate.operation():
            return list(await self._raw.create_indexes(list(indexes)))

    async def list_indexes(self) -> list[Document]:
        """The indexes as the server describes them; empty when the collection does not exist."""
        async with self._gate.operation():
            cursor = self._raw.list_indexes()
            if self._awaited_cursors:
                cursor = await cursor
            return [dict(index) for index in await cursor.to_list(None)]

    async def drop(self) -> None:
        """Remove the collection with all its documents and indexes."""
        async with self._gate.operation():
            await self._raw.drop()

    @asynccontextmanager
    async def watch(
        self,
        pipeline: Sequence[Mapping[str, Any]] = (),
        *,
        resume_after: Document | None = None,
        full_document: str | None = None,
        wait_ms: int = 500,
    ) -> AsyncIterator[Feed]:
        """Changes as they happen. Keep them few: with motor each open stream keeps a thread waiting.

        Raises `StorageRefused` with `without_change_streams` where the server is no replica set.
        """
        with translated():
            stream = self._raw.watch(
                list(pipeline),
                full_document=full_document,
                resume_after=resume_after,
                max_await_time_ms=wait_ms,
            )
            if self._awaited_cursors:
                stream = await stream
        try:
            with translated():
                first = await stream.try_next()  # motor opens the stream with its first request
            yield Feed(stream, first)
        finally:
            with translated():
                await stream.close()

    async def _aggregation(self, pipeline: Sequence[Mapping[str, Any]], seconds: float | None) -> Any:
        bound = {} if seconds is None else {"maxTimeMS": max(1, int(seconds * 1000))}
        cursor = self._raw.aggregate(list(pipeline), batchSize=_PAGE, **bound)
        return await cursor if self._awaited_cursors else cursor

    async def _pages(self, cursor: Any) -> AsyncIterator[Document]:
        try:
            while True:
                async with self._gate.operation():
                    page: list[Document] = await cursor.to_list(_PAGE)
                for document in page:
                    yield document
                if len(page) < _PAGE:
                    return
        finally:
            with translated():
                await cursor.close()


def _updated(result: Any) -> Updated:
    return Updated(result.matched_count, result.modified_count, int(result.upserted_id is not None))
