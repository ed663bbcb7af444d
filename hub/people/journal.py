"""The journal: what happened to identities and who read what, append-only, chained, on disk before it counts.

Each process writes a strand of its own, `<folder>/<strand>.jsonl`: one line an entry, `mac` over the entry
and the line before, under a key that only the hub has. So a changed, inserted, removed or swapped line is
found offline (`checked`), a cut-off end by the copy in the database (`hub.people.shipping`).
Rule 1: `append` returns when the entry is on disk, and raises `AuditUnavailable` else: then nothing of what
was to be written down may be told to anybody.
Rule 2: entries of many requests travel in one write (group commit); no request waits for another's turn.
Rule 3: a line is written whole or not at all: what a failed write left behind is cut off before the next.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from hub.clock import Clock

FIRST = "0" * 64
"""What the first entry of a strand is chained to."""
LONGEST = 1 << 20
"""Longest line in bytes that is read back."""
MOST_AT_ONCE = 500
_SUFFIX = ".jsonl"


class AuditUnavailable(Exception):
    """What must be written down cannot be; nothing of it may be told."""

    code = "AUDIT_UNAVAILABLE"
    public = (
        "访问记录暂时无法写入，个人信息不予提供，请稍后再试 / the access log cannot be written just now: "
        "personal data is not given out; try again soon"
    )
    status = 503
    retry_after = 2.0


@dataclass(slots=True)
class _Waiting:
    body: dict[str, Any]
    written: asyncio.Future[None]


@dataclass(slots=True)
class Journal:
    """One process's strand. Made in the running loop; `aclose` writes what is waiting."""

    folder: Path
    key: bytes = field(repr=False)
    clock: Clock = field(default_factory=Clock)
    strand: str = ""
    _next: int = 0
    _mac: str = FIRST
    _size: int = 0
    _waiting: list[_Waiting] = field(default_factory=list)
    _writer: asyncio.Task[None] | None = None
    _closed: bool = False

    def __post_init__(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        moment = self.clock.now().strftime("%Y%m%dT%H%M%S")
        self.strand = self.strand or f"{moment}-{os.getpid()}-{secrets.token_hex(4)}"

    @property
    def file(self) -> Path:
        """Where the strand lies."""
        return self.folder / f"{self.strand}{_SUFFIX}"

    async def append(self, event: str, body: Mapping[str, Any]) -> None:
        """Write one entry; returns when it is on disk. Raises `AuditUnavailable`."""
        if self._closed:
            raise AuditUnavailable
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting({"event": event, **body}, written))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        await asyncio.shield(written)  # whoever goes away does not take the entry along

    async def aclose(self) -> None:
        """Write what is waiting, then accept no more."""
        self._closed = True
        if self._writer is not None:
            await asyncio.gather(self._writer, return_exceptions=True)

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
            lines, number, mac = self._lines(batch)
            try:
                await asyncio.to_thread(_appended, self.file, self._size, lines)
            except OSError:
                for one in batch:
                    _settle(one.written, AuditUnavailable())
                continue
            self._next, self._mac, self._size = number, mac, self._size + len(lines)
            for one in batch:
                _settle(one.written, None)

    def _lines(self, batch: list[_Waiting]) -> tuple[bytes, int, str]:
        number, mac, lines = self._next, self._mac, bytearray()
        for one in batch:
            at = self.clock.now().isoformat(timespec="milliseconds")
            entry = {"strand": self.strand, "n": number, "at": at, **one.body}
            mac = chained(self.key, mac, entry)
            lines += orjson.dumps({**entry, "mac": mac}) + b"\n"
            number += 1
        return bytes(lines), number, mac


def _settle(future: asyncio.Future[None], error: Exception | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
        future.exception()  # marked as seen: whoever waited may have gone away


def _appended(file: Path, size: int, lines: bytes) -> None:
    """Write at the end of what counts, cutting off what a failed write left. Blocking."""
    new = not file.exists()
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    try:
        if os.fstat(descriptor).st_size != size:
            os.ftruncate(descriptor, size)
        written = 0
        while written < len(lines):
            written += os.pwrite(descriptor, lines[written:], size + written)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if new:
        with contextlib.suppress(OSError):  # the name itself; some file systems do not have it
            folder = os.open(file.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def chained(key: bytes, before: str, entry: Mapping[str, Any]) -> str:
    """The `mac` of an entry: HMAC-SHA-256 over the mac before and the entry, keys in order."""
    told = orjson.dumps(entry, option=orjson.OPT_SORT_KEYS)
    return hmac.digest(key, before.encode("ascii") + b"\n" + told, hashlib.sha256).hex()


# --- reading back ---


@dataclass(frozen=True, slots=True)
class Fault:
    """Where a strand does not hold: file, line from 1, and what is wrong."""

    strand: str
    line: int
    cause: str


def strands(folder: Path) -> list[Path]:
    """Every strand's file, oldest first."""
    return sorted(folder.glob(f"*{_SUFFIX}"))


def entries(file: Path, start: int = 0) -> Iterator[tuple[int, dict[str, Any], int]]:
    """The entries of a strand from byte `start`: where each begins, the entry, where it ends. Blocking.

    A line that is no entry ends the reading: what follows a fault proves nothing.
    """
    with file.open("rb") as opened:
        opened.seek(start)
        here = start
        while line := opened.readline(LONGEST):
            try:
                entry = orjson.loads(line) if line.endswith(b"\n") else None
            except orjson.JSONDecodeError:
                entry = None
            if not isinstance(entry, dict):
                return
            yield here, entry, here + len(line)
            here += len(line)


def checked(file: Path, key: bytes) -> tuple[int, str, Fault | None]:
    """How many entries hold, the last mac, and the first fault. Blocking; needs no database."""
    strand, number, mac, end = file.name.removesuffix(_SUFFIX), 0, FIRST, 0
    for _, entry, after in entries(file):
        told = entry.pop("mac", "")
        if entry.get("strand") != strand or entry.get("n") != number:
            return number, mac, Fault(strand, number + 1, "次序不符 / out of order")
        wanted = chained(key, mac, entry)
        if not isinstance(told, str) or not hmac.compare_digest(wanted, told):
            return number, mac, Fault(strand, number + 1, "校验不符，内容已被改动 / altered")
        number, mac, end = number + 1, wanted, after
    if end != file.stat().st_size:
        return number, mac, Fault(strand, number + 1, "不是完整的一行 / not a whole line")
    return number, mac, None


def moment(text: str) -> datetime:
    """When an entry was written."""
    return datetime.fromisoformat(text)
