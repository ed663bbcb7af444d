"""Files of secrets: whole or not at all, read by their owner only, changed by one process at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from auth.errors import KeyUnusable

LARGEST = 1 << 20
"""Most bytes that are read of one."""
Stamp = tuple[int, int, int]
"""Tells a file from its successor: number, time, size."""


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Held on the folder itself, so that no lock file can be left behind."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def stamp(found: os.stat_result) -> Stamp:
    """The stamp of a file by its status."""
    return found.st_ino, found.st_mtime_ns, found.st_size


def contents(path: Path) -> tuple[Stamp, bytes]:
    """A file's stamp and bytes, if it is a regular file that nobody else can read; raises `KeyUnusable`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise unusable(path, "打不开", "cannot be opened") from error
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or stat.S_IMODE(found.st_mode) & 0o077:
            raise unusable(path, "他人可读，请执行 chmod 600", "is open to others: chmod 600 it")
        return stamp(found), file.read(LARGEST + 1)


def write(path: Path, content: bytes) -> None:
    """Replace a file as a whole, readable by nobody else from its first byte, later than it was before."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with open(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _follow(draft, path)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _follow(draft: Path, path: Path) -> None:
    """Give a draft its predecessor's owner (an operator may be root), and a later time than it had: clocks of
    file systems are coarse, and readers tell a new file by it."""
    if not path.exists():
        return
    before = path.stat()
    if os.geteuid() == 0:
        os.chown(draft, before.st_uid, before.st_gid)
    at = max(time.time_ns(), before.st_mtime_ns + 1_000_000)
    os.utime(draft, ns=(at, at))


def damaged(path: Path) -> KeyUnusable:
    """What to raise about a file whose content is wrong; the content is never quoted."""
    return unusable(path, "已损坏，请从备份恢复", "is damaged: restore it from a backup")


def unusable(path: Path, chinese: str, english: str) -> KeyUnusable:
    """What to raise about a file that cannot be used, with its name and the remedy."""
    return KeyUnusable(f"密钥文件 {path.name} {chinese} / the key file {path.name} {english}")
