"""One document from several mirrors, any of which may be dead, slow or wrong.

Rule 1: the mirror that answered last is asked first; another joins in when it fails or takes its time.
Rule 2: an answer is good only when it has been read; nonsense from one mirror is no answer.
Rule 3: that something is not there (403, 404) is believed from a mirror that has proved to work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from connectors.errors import Malformed, Refused, SourceError, Unavailable
from connectors.http import Http, Reply, status_of

T = TypeVar("T")
Reader = Callable[[Any], T]
SMALL = 64 * 1024  # bytes that may be read on the loop
USUAL = 8 * 1024 * 1024  # bytes; what may be larger is given more time before a second mirror joins in
PATIENCE = 0.5  # seconds
GONE = frozenset({403, 404, 410})


@dataclass(frozen=True, slots=True)
class Document(Generic[T]):
    """What a mirror gave: the value read (None when unchanged since `etag`), when it was asked, its tag."""

    value: T | None
    at: float
    etag: str = ""


class Mirrors:
    """The same paths behind several bases."""

    def __init__(self, http: Http, bases: tuple[str, ...], now: Callable[[], float]) -> None:
        self._http, self.now = http, now
        self._bases = tuple(base.rstrip("/") for base in bases)
        self._good = 0
        self._proved: set[int] = set()

    async def read(
        self,
        path: str,
        reader: Reader[T],
        within: float,
        *,
        max_bytes: int = 8 << 20,
        etag: str = "",
    ) -> Document[T]:
        """The JSON document at `path`, through `reader` (on a thread when large).

        Raises the most hopeful of the mirrors' errors when none gives it.
        """
        waiting = [*range(self._good, len(self._bases)), *range(self._good)]
        patience = min(within / (len(waiting) + 1), PATIENCE * (1 if max_bytes <= USUAL else 6))
        running: dict[asyncio.Task[Document[T]], int] = {}
        failures: list[SourceError] = []
        try:
            while waiting or running:
                if waiting:
                    number = waiting.pop(0)
                    ask = self._ask(number, path, reader, within, max_bytes, etag)
                    running[asyncio.create_task(ask)] = number
                found = await self._first(running, failures, patience if waiting else None)
                if found is not None:
                    return found
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        raise min(failures, key=_hope)

    async def _first(
        self,
        running: dict[asyncio.Task[Document[T]], int],
        failures: list[SourceError],
        patience: float | None,
    ) -> Document[T] | None:
        done, _ = await asyncio.wait(running, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            number = running.pop(task)
            error = task.exception()
            if error is None:
                self._good = number
                self._proved.add(number)
                return task.result()
            self._judge(number, error, failures)
        return None

    def _judge(self, number: int, error: BaseException, failures: list[SourceError]) -> None:
        if not isinstance(error, SourceError):
            raise error
        if number in self._proved and gone(error):
            raise error
        self._proved.discard(number)
        failures.append(error)

    async def _ask(
        self, number: int, path: str, reader: Reader[T], within: float, max_bytes: int, etag: str
    ) -> Document[T]:
        headers = {"If-None-Match": etag} if etag else {}
        url, at = self._bases[number] + path, self.now()
        reply = await self._http.get(url, headers=headers, within=within, max_bytes=max_bytes)
        mark = reply.headers.get("ETag", "")
        if reply.status == 304:
            if not etag:
                raise Malformed("304 without having been asked whether it changed")
            return Document(None, at, mark or etag)
        if len(reply.body) <= SMALL:
            return Document(_through(reply, reader), at, mark)
        return Document(await asyncio.to_thread(_through, reply, reader), at, mark)


def gone(error: SourceError) -> bool:
    """Whether the error says that this one document is not to be had."""
    return isinstance(error, Refused) and status_of(error) in GONE


def _through(reply: Reply, reader: Reader[T]) -> T:
    return reader(reply.json())


def _hope(error: SourceError) -> int:
    return 0 if isinstance(error, Unavailable) else 1 if isinstance(error, Malformed) else 2
