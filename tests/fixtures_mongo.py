"""A real MongoDB for the stories: one server a test process, one database a story."""

from __future__ import annotations

import asyncio
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from hub.embedded import EmbeddedMongo, storage
from hub.mongo import Driver, Mongo


@pytest.fixture(scope="session")
def mongo_uri() -> Iterator[str]:
    """The address of a server that nobody stops: `MONGODB_URI`, else an embedded one.

    It runs on a loop of its own, so stories on any loop may use it.
    """
    loop = asyncio.new_event_loop()
    with tempfile.TemporaryDirectory(prefix="rongtong-mongo-") as folder:
        server = storage(Path(folder) / "mongo")
        try:
            yield loop.run_until_complete(server.__aenter__())
        finally:
            loop.run_until_complete(server.__aexit__(None, None, None))
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()


@pytest.fixture(params=["motor", "pymongo"])
def driver(request: pytest.FixtureRequest) -> Driver:
    """Each story that asks for this is told twice, once over each driver."""
    name: Driver = request.param
    return name


@pytest.fixture
def database() -> str:
    """The name of a database of the story's own."""
    return f"story_{uuid.uuid4().hex[:16]}"


@pytest.fixture
async def mongo(mongo_uri: str, database: str) -> AsyncIterator[Mongo]:
    """A connection over the default driver to an empty database, which is removed afterwards."""
    connection = Mongo.connect(mongo_uri, database)
    yield connection
    await connection.drop()
    await connection.close()


@pytest.fixture
async def any_mongo(mongo_uri: str, database: str, driver: Driver) -> AsyncIterator[Mongo]:
    """The same over both drivers, one after the other."""
    connection = Mongo.connect(mongo_uri, database, driver)
    yield connection
    await connection.drop()
    await connection.close()


@pytest.fixture
async def mortal_mongo(tmp_path: Path) -> AsyncIterator[EmbeddedMongo]:
    """A server of the story's own, running, to be killed and started again."""
    server = EmbeddedMongo(tmp_path / "mortal")
    await server.start()
    yield server
    await server.stop()
