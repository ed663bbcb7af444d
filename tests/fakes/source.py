"""A source on a real socket whose script answers, hangs, drips, lies or vanishes; counted at the source."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

import pytest

from connectors.errors import SourceError
from connectors.http import Reply

LOOPBACK = ("127.0.0.0/8", "::1/128")
MIB = 1024 * 1024
SOON = 5.0  # seconds that an honest answer on loopback may take at most
PATIENCE = 0.25  # seconds after which a caller gives up on a hanging source

Writer = asyncio.StreamWriter
Script = Callable[["Source", Writer], Awaitable[bool]]


class Source:
    """A source on loopback whose script answers each request and says whether the connection goes on."""

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None) -> None:
        self.script, self.tls = script, tls
        self.asked: list[bytes] = []
        self.connections = 0
        self.sent = 0
        self.heard, self.left = asyncio.Event(), asyncio.Event()
        self.readers: dict[Writer, asyncio.StreamReader] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)
        self.port = int(self._server.sockets[0].getsockname()[1])
        self.url = f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/pupils/7"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        self.readers[writer] = reader
        try:
            while await self._turn(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError, asyncio.CancelledError):
            pass
        finally:
            self.left.set()
            self._tasks.discard(task)
            writer.close()
            with suppress(ConnectionError, ssl.SSLError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _turn(self, reader: asyncio.StreamReader, writer: Writer) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(_length(head))
        self.asked.append(head + body)
        self.heard.set()
        again = await self.script(self, writer)
        await writer.drain()
        return again

    async def hung_up_on(self) -> None:
        """Until the hub has let go of a connection."""
        async with asyncio.timeout(SOON):
            await self.left.wait()


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


def answer(status: str = "200 OK", body: bytes = b"{}", *headers: str, length: int | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def says(*answers: bytes, stay: bool = True) -> Script:
    """Each answer in turn, the last one for ever."""

    async def script(source: Source, writer: Writer) -> bool:
        writer.write(answers[min(len(source.asked), len(answers)) - 1])
        return stay

    return script


async def hang(source: Source, writer: Writer) -> bool:
    await source.readers[writer].read()  # until the hub hangs up
    return False


async def vanish(source: Source, writer: Writer) -> bool:
    return False


async def error_of(call: Awaitable[Reply]) -> SourceError:
    with pytest.raises(SourceError) as caught:
        await call
    return caught.value
