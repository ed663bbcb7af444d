"""A database that keeps its indexes from story to story, and nothing else: to make them anew costs more than
most stories do."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from hub.mongo import Mongo


@contextmanager
def kept(uri: str) -> Iterator[str]:
    """The name of a database for many stories, which is removed after the last. On no loop of anybody's."""
    name = f"stories_{uuid.uuid4().hex[:16]}"
    yield name
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(_removed(uri, name))
    finally:
        loop.close()


async def _removed(uri: str, name: str) -> None:
    connection = Mongo.connect(uri, name, "pymongo")
    await connection.drop()
    await connection.close()


@asynccontextmanager
async def emptied(uri: str, name: str) -> AsyncIterator[Mongo]:
    """A connection to it, with not one document in it."""
    connection = Mongo.connect(uri, name)
    for each in await connection.collection_names():
        await connection.collection(each).delete_many({})
    yield connection
    await connection.close()
