"""The first minute of an empty server: one member, its set, its first user."""

from __future__ import annotations

import asyncio
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure

from hub.mongo.collection import Document
from hub.mongo.errors import StorageDown, translated

_DONE_BEFORE = (23, 13)  # initialised already; a user exists already, so strangers may do nothing more
_STEP = 0.01

_Client = AsyncMongoClient[Document]


async def found_replica_set(
    port: int, *, name: str, user: str, password: str, fresh: bool, seconds: float = 20.0
) -> None:
    """Make the server on loopback `port` a primary that knows `user`; what is done already is left alone.

    On a `fresh` folder it creates the set and the user; on a later start it only waits for the primary
    (the port must be the one it was founded with: the set knows its member by it). Raises `StorageDown`
    after `seconds`.
    """
    try:
        async with asyncio.timeout(seconds):
            if fresh:
                await _create(port, name, user, password)
            await _settle(port, user, password)
    except TimeoutError as error:
        raise StorageDown("the embedded database did not become ready") from error


async def _create(port: int, name: str, user: str, password: str) -> None:
    async with _client(port) as client:
        with translated():
            await _unless_done(client, "replSetInitiate", _members(name, port))
            await _until_primary(client)
            await _unless_done(client, "createUser", user, pwd=password, roles=["root"])


async def _settle(port: int, user: str, password: str) -> None:
    async with _client(port, username=user, password=password) as client:
        with translated():
            await _until_primary(client)


def _client(port: int, **credentials: Any) -> _Client:
    return AsyncMongoClient(
        "127.0.0.1", port, directConnection=True, serverSelectionTimeoutMS=15_000, **credentials
    )


def _members(name: str, port: int) -> Document:
    return {"_id": name, "version": 1, "members": [{"_id": 0, "host": f"127.0.0.1:{port}"}]}


async def _unless_done(client: _Client, command: str, value: Any, **more: Any) -> None:
    try:
        await client.admin.command(command, value, **more)
    except OperationFailure as error:
        if error.code not in _DONE_BEFORE:
            raise


async def _until_primary(client: _Client) -> None:
    while not (await client.admin.command("hello"))["isWritablePrimary"]:  # noqa: ASYNC110
        await asyncio.sleep(_STEP)
