"""A strand of the journal: how its lines are chained, and how they are read back and checked.

A line is one JSON object whose last member is `mac`: HMAC-SHA-256, under a key that only the hub has, over
the mac of the line before and the very bytes of this one before its `mac`. Bytes, not values: whoever writes
the same value in another way is found, too.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

FIRST = "0" * 64
"""What the first entry of a strand is chained to."""
LONGEST = 1 << 20
"""Longest line in bytes; longer ones are neither written nor read."""
SUFFIX = ".jsonl"
FOLLOWS = "journal.follows"
"""The first entry of a strand that takes over from another: `facts` name it, its entries and last mac."""
_MARK, _END = b',"mac":"', b'"}\n'
_TAIL = len(_MARK) + 64 + len(_END)


@dataclass(frozen=True, slots=True)
class Fault:
    """Where a strand does not hold: its name, line from 1, and what is wrong."""

    strand: str
    line: int
    cause: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: its values without `mac`, the bytes the mac is over, the mac, the byte after the line."""

    values: Mapping[str, Any]
    told: bytes
    mac: str
    end: int


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check of one strand found: entries that hold, the last mac, whom it follows, the first fault.

    `half`: bytes of a last line that was never finished: its process died while it wrote.
    """

    strand: str
    entries: int
    mac: str
    follows: Mapping[str, Any] | None
    half: int
    fault: Fault | None


def chained(key: bytes, before: str, told: bytes) -> str:
    """The mac of a line whose bytes before its mac are `told`, after a line with the mac `before`."""
    return hmac.digest(key, before.encode("ascii") + b"\n" + told, hashlib.sha256).hex()


def lined(told: bytes, mac: str) -> bytes:
    """The line as it is written: the object `told` with its mac as the last member."""
    return told[:-1] + _MARK + mac.encode("ascii") + _END


def strands(folder: Path) -> list[Path]:
    """Every strand's file, oldest first; none where there is no folder."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def name_of(file: Path) -> str:
    """The strand that lies in a file."""
    return file.name.removesuffix(SUFFIX)


def alive(file: Path) -> bool:
    """Whether a process still writes it: it holds the file's lock. Blocking."""
    descriptor = _opened(file)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def entries(file: Path, start: int = 0) -> Iterator[Entry]:
    """The entries of a strand from byte `start`. Blocking. Raises `OSError`.

    A line that is no entry ends the reading: what follows a fault proves nothing.
    """
    with os.fdopen(_opened(file), "rb") as opened:
        opened.seek(start)
        here = start
        while line := opened.readline(LONGEST):
            here += len(line)
            entry = _read(line, here)
            if entry is None:
                return
            yield entry


def last_mac(file: Path) -> str:
    """The mac that the file's last bytes tell; "" where they are no end of a line. Blocking."""
    with os.fdopen(_opened(file), "rb") as opened:
        size = opened.seek(0, os.SEEK_END)
        opened.seek(max(0, size - _TAIL))
        tail = opened.read()
    whole = len(tail) == _TAIL and tail.startswith(_MARK) and tail.endswith(_END)
    return tail[len(_MARK) : -len(_END)].decode("ascii", "replace") if whole else ""


def holds(key: bytes, strand: str, number: int, before: str, entry: Entry) -> str:
    """ "" where the entry is this one of this strand; else what is wrong with it."""
    if not hmac.compare_digest(chained(key, before, entry.told), entry.mac):
        return "校验不符：内容或密钥不同 / altered, or written under another key"
    if entry.values["strand"] != strand or entry.values["n"] != number:
        return "不属于这里 / not of this place"
    return ""


def checked(file: Path, key: bytes) -> Checked:
    """The strand checked from its first line on. Blocking; needs no database; never raises."""
    strand, number, mac, end, cause = name_of(file), 0, FIRST, 0, ""
    follows: Mapping[str, Any] | None = None
    size = half = 0
    try:
        for entry in entries(file):
            if cause := holds(key, strand, number, mac, entry):
                break
            if number == 0 and entry.values["event"] == FOLLOWS:
                follows = entry.values.get("facts")
            number, mac, end = number + 1, entry.mac, entry.end
        size = file.stat().st_size
        half = size - end if not cause and not _has_line(file, end) else 0
    except OSError as error:
        cause = f"读不到 / cannot be read: {error.strerror}"
    if not cause and size != end and not half:
        cause = "不是一条记录 / not an entry"
    return Checked(strand, number, mac, follows, half, Fault(strand, number + 1, cause) if cause else None)


def moment(text: str) -> datetime:
    """When an entry was written."""
    return datetime.fromisoformat(text)


def _opened(file: Path) -> int:
    """A descriptor of a regular file, never of what a link names. Raises `OSError`."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(0, "不是普通文件 / not a regular file", str(file))
    return descriptor


def _has_line(file: Path, start: int) -> bool:
    """Whether a whole line, or too long a one, begins at `start`."""
    with os.fdopen(_opened(file), "rb") as opened:
        opened.seek(start)
        line = opened.readline(LONGEST)
    return line.endswith(b"\n") or len(line) == LONGEST


def _read(line: bytes, end: int) -> Entry | None:
    head, tail = line[:-_TAIL], line[-_TAIL:]
    if not (head and tail.startswith(_MARK) and tail.endswith(_END)):
        return None
    told = head + b"}"
    try:
        values = orjson.loads(told)
        mac = tail[len(_MARK) : -len(_END)].decode("ascii")
        moment(values["at"])
    except (ValueError, TypeError, KeyError):
        return None
    if not isinstance(values.get("strand"), str) or type(values.get("n")) is not int:
        return None
    return Entry(values, told, mac, end) if isinstance(values.get("event"), str) else None
