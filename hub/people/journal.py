"""The journal: what happened to identities and who read what, append-only, chained, on disk before it counts.

Each process writes strands of its own, `<folder>/<strand>.jsonl` (`hub.people.strands`), one at a time, and
holds the lock of the one it writes. A changed, inserted, removed or swapped line is found offline, so is a
missing strand that another follows; the end cut off the last one by the copy in the database
(`hub.people.shipping`).
Rule 1: `append` returns when the entry is on disk, and raises `AuditUnavailable` else, within `patience`:
then nothing of what was to be written down may be told to anybody.
Rule 2: entries of many requests travel in one write (group commit), on a thread of the journal's own.
Rule 3: what a failed write of ours left behind is cut off before the next. Whatever somebody else did to the
file stays as it is, for the check to find: a new strand follows the old one.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import secrets
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import orjson

from hub.clock import Clock
from hub.people.strands import FIRST, FOLLOWS, LONGEST, SUFFIX, chained, lined, strands

MOST_AT_ONCE = 500
MOST_BYTES = 8 << 20
"""Most that one write holds, in entries and in bytes."""
MOST_WAITING = 20_000
LARGEST, OLDEST = 64 << 20, 86_400.0
"""Bytes and seconds after which a strand is followed by the next."""
PATIENCE = 1.0
"""Seconds after which a disk that does not answer is one that cannot be written."""
_ROOM = 1_024
_RESERVED = frozenset({"strand", "n", "at", "event", "mac"})


class AuditUnavailable(Exception):
    """What must be written down cannot be; nothing of it may be told."""

    code = "AUDIT_UNAVAILABLE"
    public = (
        "访问记录暂时无法写入，个人信息不予提供，请稍后再试 / the access log cannot be written just now: "
        "personal data is not given out; try again soon"
    )
    status = 503
    retry_after = 2.0


class _Strand:
    """One file, written by the journal's thread alone."""

    def __init__(self, folder: Path, name: str, born: float) -> None:
        self.name, self.file, self.born = name, folder / f"{name}{SUFFIX}", born
        self.entries, self.mac, self.size = 0, FIRST, 0
        self.lost = False
        self._descriptor, self._torn = -1, False

    def write(self, lines: bytes) -> None:
        """Put them after what counts, durably. Blocking. Raises `OSError`; `lost` when it can never be."""
        if self._descriptor < 0:
            self._open()
        self._look()
        self._torn = True
        written = 0
        while written < len(lines):
            written += os.pwrite(self._descriptor, lines[written:], self.size + written)
        _synced(self._descriptor)
        self._torn = False

    def close(self) -> None:
        """Let go of it; what a failed write left is cut off. Blocking."""
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):
                if self._torn:
                    self._look()
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self) -> None:
        self.lost = True  # a name is used once, whatever becomes of it
        folder = self.file.parent
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_mode & 0o077:
            folder.chmod(0o700)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self._descriptor = os.open(self.file, flags, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        _folder_synced(folder)
        self.lost = False

    def _look(self) -> None:
        """See that the file is as we left it, but for what we tore ourselves."""
        ours = os.fstat(self._descriptor)
        try:
            there = self.file.stat(follow_symlinks=False)
        except FileNotFoundError:
            self.lost = True
            raise
        if (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino):
            self.lost = True
        elif self._torn:
            os.ftruncate(self._descriptor, self.size)
        elif ours.st_size != self.size:
            self.lost = True
        if self.lost:
            raise OSError(0, "somebody else changed it", str(self.file))


class _Waiting:
    __slots__ = ("body", "written")

    def __init__(self, body: bytes, written: asyncio.Future[None]) -> None:
        self.body, self.written = body, written


class Journal:
    """One process's part of the journal in `folder`, chained under `key`; `aclose` writes what is waiting.

    Nothing is on disk before the first entry, so that a journal whose folder cannot be written now may be
    made all the same.
    """

    def __init__(self, folder: Path, key: bytes, clock: Clock | None = None) -> None:
        self.folder, self.key, self.clock = folder, key, clock or Clock()
        self.patience, self.largest, self.oldest = PATIENCE, LARGEST, OLDEST
        self._strand = self._fresh()
        self._before: dict[str, Any] | None = None
        self._waiting: list[_Waiting] = []
        self._writer: asyncio.Task[None] | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._looked = self._stuck = self._closed = False

    @property
    def strand(self) -> str:
        """The strand written now."""
        return self._strand.name

    @property
    def file(self) -> Path:
        """Where it lies."""
        return self._strand.file

    def reached(self, strand: str) -> int | None:
        """How many bytes of a strand are on disk for certain; None for one that is not written here now."""
        return self._strand.size if strand == self._strand.name else None

    async def append(self, event: str, body: Mapping[str, Any]) -> None:
        """Write one entry; returns when it is on disk. Raises `AuditUnavailable`.

        Raises `ValueError` for names that are the journal's own, `TypeError` for what is no JSON.
        """
        if not _RESERVED.isdisjoint(body):
            raise ValueError("an entry's own names are taken")
        told = orjson.dumps({"event": event, **body})
        if self._closed or self._stuck or len(self._waiting) >= MOST_WAITING:
            raise AuditUnavailable
        if len(told) > LONGEST - _ROOM:
            raise AuditUnavailable
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(told, written))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        await asyncio.shield(written)  # whoever goes away does not take the entry along

    async def aclose(self) -> None:
        """Write what is waiting, then accept no more."""
        self._closed = True
        if self._writer is not None:
            await asyncio.gather(self._writer, return_exceptions=True)
        if self._thread is not None:
            self._thread.submit(self._strand.close)
            self._thread.shutdown(wait=False)
            self._thread = None

    async def _write(self) -> None:
        try:
            while self._waiting:
                await self._put(self._batch())
        finally:  # cut short: the loop is being closed
            self._give_up(())

    async def _put(self, batch: list[_Waiting]) -> None:
        loop = asyncio.get_running_loop()
        late = loop.call_later(self.patience, self._too_late, batch)
        lines = b""
        try:
            if not self._looked:
                await loop.run_in_executor(self._own_thread(), mended, self.folder)
                self._looked = True
            strand = self._current()
            lines, number, mac = self._lines(strand, batch)
            await loop.run_in_executor(self._own_thread(), strand.write, lines)
        except BaseException as error:
            self._give_up(batch)
            if not isinstance(error, OSError):
                self._closed = self._closed or not isinstance(error, Exception)
                raise
        else:
            strand.entries, strand.mac, strand.size = number, mac, strand.size + len(lines)
            for one in batch:
                _settle(one.written, None)
        finally:
            late.cancel()
            self._stuck = False

    def _too_late(self, batch: list[_Waiting]) -> None:
        """The disk does not answer: nobody waits any longer, nobody new begins to."""
        self._stuck = True
        self._give_up(batch)

    def _give_up(self, batch: list[_Waiting] | tuple[()]) -> None:
        waiting, self._waiting = self._waiting, []
        for one in (*batch, *waiting):
            _settle(one.written, AuditUnavailable())

    def _batch(self) -> list[_Waiting]:
        size = count = 0
        for one in self._waiting[:MOST_AT_ONCE]:
            size += len(one.body)
            if count and size > MOST_BYTES:
                break
            count += 1
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        return batch

    def _lines(self, strand: _Strand, batch: list[_Waiting]) -> tuple[bytes, int, str]:
        bodies = [one.body for one in batch]
        if strand.entries == 0 and self._before is not None:
            bodies.insert(0, orjson.dumps({"event": FOLLOWS, "facts": self._before}))
        number, mac, lines = strand.entries, strand.mac, bytearray()
        for body in bodies:
            at = self.clock.now().isoformat(timespec="milliseconds")
            told = orjson.dumps({"strand": strand.name, "n": number, "at": at})[:-1] + b"," + body[1:]
            mac = chained(self.key, mac, told)
            lines += lined(told, mac)
            number += 1
        return bytes(lines), number, mac

    def _current(self) -> _Strand:
        """The strand to write now: the next one, where this is lost, large or old."""
        strand = self._strand
        age = self.clock.epoch() - strand.born
        if strand.lost or (strand.entries and (strand.size >= self.largest or age >= self.oldest)):
            if strand.entries:
                self._before = {"strand": strand.name, "entries": strand.entries, "mac": strand.mac}
            self._own_thread().submit(strand.close)
            self._strand = self._fresh()
        return self._strand

    def _fresh(self) -> _Strand:
        begun = self.clock.now().strftime("%Y%m%dT%H%M%S")
        name = f"{begun}-{os.getpid()}-{secrets.token_hex(4)}"
        return _Strand(self.folder, name, self.clock.epoch())

    def _own_thread(self) -> ThreadPoolExecutor:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "journal")
        return self._thread


def _settle(future: asyncio.Future[None], error: Exception | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
        future.exception()  # marked as seen: whoever waited may have gone away


def mended(folder: Path) -> None:
    """Cut off the half lines of processes that died while they wrote: nobody was told of them. Blocking."""
    for file in strands(folder):
        with contextlib.suppress(OSError):
            _mend(file)


def _mend(file: Path) -> None:
    descriptor = os.open(file, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        size = os.fstat(descriptor).st_size
        if not size or os.pread(descriptor, 1, size - 1) == b"\n":
            return
        start = max(0, size - LONGEST)
        last = os.pread(descriptor, LONGEST, start).rfind(b"\n")
        if last >= 0 or start == 0:
            os.ftruncate(descriptor, start + last + 1)
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


_synced = getattr(os, "fdatasync", os.fsync)  # the file's length is data, too (fdatasync(2))


def _folder_synced(folder: Path) -> None:
    """Have the folder's names on disk; some file systems do not have it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
