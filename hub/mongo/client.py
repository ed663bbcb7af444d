"""The connection: which driver, how patient, how durable; hands out collections."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any, Literal

from bson.codec_options import CodecOptions
from pymongo import AsyncMongoClient, ReadPreference, WriteConcern

from hub.mongo.collection import Collection, Document
from hub.mongo.errors import translated
from hub.mongo.gate import Gate

Driver = Literal["motor", "pymongo"]
Durability = Literal["safe", "cache"]
Reading = Literal["primary", "secondary"]

_SAFE = WriteConcern(w="majority", j=True, wtimeout=5_000)
_CACHE = WriteConcern(w=1)
_NEAR = ReadPreference.SECONDARY_PREFERRED
_CODEC: CodecOptions[Document] = CodecOptions(document_class=dict, tz_aware=True, tzinfo=UTC)

# A stopped database must cost little: no server within `serverSelectionTimeoutMS` is no server.
_PATIENCE: dict[str, Any] = {
    "serverSelectionTimeoutMS": 800,
    "connectTimeoutMS": 1_000,
    "socketTimeoutMS": 30_000,
    "waitQueueTimeoutMS": 1_000,
    "heartbeatFrequencyMS": 2_000,
    "maxPoolSize": 24,
    "appname": "rongtong",
}


class Mongo:
    """One database over one of two drivers by the same makers; the caller cannot tell which.

    Call `connect` inside the running loop, `close` in the same one. Nothing is sent before the first use.
    """

    def __init__(self, client: Any, database: str, driver: Driver, gate: Gate) -> None:
        self._client = client
        self._gate = gate
        self.database = database
        self.driver = driver

    @classmethod
    def connect(cls, uri: str, database: str, driver: Driver = "motor", *, in_flight: int = 16) -> Mongo:
        """A connection to `database`; at most `in_flight` operations at once (more only makes the loop lag).

        What the address itself says (`?serverSelectionTimeoutMS=...`) counts more than our defaults.
        Raises `StorageRefused` when the address cannot be understood.
        """
        loop = asyncio.get_running_loop()
        with translated():
            client = _motor(uri, loop) if driver == "motor" else AsyncMongoClient(uri, **_unless_said(uri))
        return cls(client, database, driver, Gate(in_flight))

    async def ready(self) -> None:
        """Return when a server that takes writes answers; else raise `StorageDown` within about a second."""
        async with self._gate.operation():
            await self._client.admin.command("ping")

    async def server_time(self) -> datetime:
        """What the primary's clock says, aware, in UTC, to the millisecond."""
        moment: datetime = (await self.command("hello"))["localTime"]
        return moment

    async def command(self, name: str, value: Any = 1, **arguments: Any) -> Document:
        """Run one database command and return the server's answer."""
        async with self._gate.operation():
            database = self._client.get_database(self.database, codec_options=_CODEC)
            return dict(await database.command(name, value, codec_options=_CODEC, **arguments))

    def collection(
        self, name: str, *, durability: Durability = "safe", reading: Reading = "primary"
    ) -> Collection:
        """A collection: "safe" writes wait for a journalled majority, "cache" writes for one member's memory.

        "secondary" reads prefer members that take no writes (reports); they may lag behind.
        """
        raw = self._client.get_database(self.database).get_collection(
            name,
            codec_options=_CODEC,
            write_concern=_SAFE if durability == "safe" else _CACHE,
            read_preference=_NEAR if reading == "secondary" else ReadPreference.PRIMARY,
        )
        return Collection(raw, self._gate, awaited_cursors=self.driver == "pymongo")

    async def collection_names(self) -> list[str]:
        """The collections that exist in this database."""
        async with self._gate.operation():
            return list(await self._client.get_database(self.database).list_collection_names())

    async def create_collection(self, name: str, **options: Any) -> None:
        """Create a collection with options (time series, validator); an existing one is left as it is."""
        if name in await self.collection_names():
            return
        async with self._gate.operation():
            await self._client.get_database(self.database).create_collection(name, **options)

    async def drop(self) -> None:
        """Remove the whole database. For tests and demonstrations."""
        async with self._gate.operation():
            await self._client.drop_database(self.database)

    async def close(self) -> None:
        """Let go of every connection; later operations raise `StorageDown`. Closing twice does no harm."""
        self._gate.close()
        closing = self._client.close()
        if self.driver == "pymongo":
            await closing

    def __repr__(self) -> str:
        return f"Mongo({self.database!r}, {self.driver!r})"  # never the address: it holds a password


def _motor(uri: str, loop: asyncio.AbstractEventLoop) -> Any:
    from motor.motor_asyncio import AsyncIOMotorClient  # loaded only where it is chosen

    return AsyncIOMotorClient(uri, io_loop=loop, **_unless_said(uri))


def _unless_said(uri: str) -> dict[str, Any]:
    said = uri.lower()
    return {option: value for option, value in _PATIENCE.items() if f"{option.lower()}=" not in said}
