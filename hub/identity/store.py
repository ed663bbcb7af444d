"""The gate's store over MongoDB: journalled majority writes; errors translated once, here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby

from auth.errors import StoreDown, Taken
from auth.store import Document, Documents, Filter, IndexSpec, Order, Update
from hub.mongo import Collection, Index, Mongo, StorageConflict, StorageError


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except StorageConflict:
        raise Taken from None
    except StorageError:
        raise StoreDown from None


class MongoDocuments:
    """One collection, as `auth.store.Documents` promises."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def find_one(self, where: Filter) -> Document | None:
        with _translated():
            return await self._collection.find_one(where)

    async def find(self, where: Filter, *, limit: int, order: Order | None = None) -> list[Document]:
        with _translated():
            return await self._collection.find(where, limit=limit, order=order)

    async def stream(self, where: Filter, *, order: Order | None = None) -> AsyncIterator[Document]:
        with _translated():
            async for document in self._collection.stream(where, order=order):
                yield document

    async def count(self, where: Filter, *, limit: int | None = None) -> int:
        with _translated():
            return await self._collection.count(where, limit=limit)

    async def insert_one(self, document: Document) -> None:
        with _translated():
            await self._collection.insert_one(document)

    async def update_one(self, where: Filter, update: Update, *, upsert: bool = False) -> int:
        with _translated():
            done = await self._collection.update_one(where, update, upsert=upsert)
            return done.matched + done.inserted

    async def update_many(self, where: Filter, update: Update) -> int:
        with _translated():
            return (await self._collection.update_many(where, update)).matched

    async def find_one_and_update(
        self, where: Filter, update: Update, *, upsert: bool = False, before: bool = False
    ) -> Document | None:
        with _translated():
            return await self._collection.find_one_and_update(where, update, upsert=upsert, before=before)

    async def find_one_and_delete(self, where: Filter) -> Document | None:
        with _translated():
            return await self._collection.find_one_and_delete(where)

    async def delete_one(self, where: Filter) -> int:
        with _translated():
            return await self._collection.delete_one(where)

    async def delete_many(self, where: Filter) -> int:
        with _translated():
            return await self._collection.delete_many(where)


class MongoStore:
    """Hands out collections; `declare` makes their indexes."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo

    def collection(self, name: str) -> Documents:
        return MongoDocuments(self._mongo.collection(name))

    async def declare(self, indexes: Sequence[IndexSpec]) -> None:
        for name, wanted in groupby(sorted(indexes, key=_place), key=_place):
            with _translated():
                await self._mongo.collection(name).create_indexes([_index(each) for each in wanted])


def _place(index: IndexSpec) -> str:
    return index.collection


def _index(wanted: IndexSpec) -> Index:
    options: dict[str, object] = {"unique": True} if wanted.unique else {}
    if wanted.ttl:
        options["expireAfterSeconds"] = 0
    if wanted.partial:
        options["partialFilterExpression"] = dict(wanted.partial)
    return Index(list(wanted.keys), **options)
