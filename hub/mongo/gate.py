"""How much we ask of the database at once: few in flight, few waiting, nobody waiting for long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hub.mongo.errors import StorageBusy, StorageDown, translated


class Gate:
    """At most `in_flight` operations run, at most `waiting` wait, none longer than `patience` seconds."""

    def __init__(self, in_flight: int = 16, waiting: int = 2_000, patience: float = 1.0) -> None:
        self._slots = asyncio.Semaphore(in_flight)
        self._room = waiting
        self._patience = patience
        self._closed = False

    def close(self) -> None:
        """Refuse everything from now on."""
        self._closed = True

    @asynccontextmanager
    async def operation(self) -> AsyncIterator[None]:
        """One operation; raises `StorageBusy` without asking, or what the driver raised, translated."""
        if self._closed:
            raise StorageDown("the connection has been closed by us")
        await self._enter()
        try:
            with translated():
                yield
        finally:
            self._slots.release()

    async def _enter(self) -> None:
        if not self._slots.locked():
            await self._slots.acquire()
            return
        if self._room <= 0:
            raise StorageBusy("too many operations wait for the database")
        self._room -= 1
        try:
            async with asyncio.timeout(self._patience):
                await self._slots.acquire()
        except TimeoutError as error:
            raise StorageBusy("the database is too slow for what is asked of it") from error
        finally:
            self._room += 1
