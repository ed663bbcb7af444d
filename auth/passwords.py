"""Passwords of the hub's own accounts: Argon2id in a small pool of threads, and which ones are too common.

Rule 1: hashing never runs on the loop; at most `at_once` run, at most `waiting` wait, the rest is told to
come back. A hundred guesses at once cost no more memory than two.
Rule 2: one call of `matches` is one verification, whatever is found, so that its cost tells nothing.
"""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from itertools import pairwise
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from auth.errors import AuthError

SHORTEST, LONGEST = 8, 256
T = TypeVar("T")


class Busy(AuthError):
    """More passwords are being checked than this machine can: nothing was tried."""

    code = "BUSY"
    public = "登录的人很多，请稍后再试 / many people are signing in: try again soon"
    status = 503
    retry_after = 5.0


class WeakPassword(AuthError):
    """The password may not be used; the text says why."""

    code = "WEAK_PASSWORD"
    status = 400


class Passwords:
    """Hashes and checks. Default: Argon2id, RFC 9106 §4 second recommended (t=3, p=4, 64 MiB)."""

    def __init__(self, hasher: PasswordHasher | None = None, *, at_once: int = 2, waiting: int = 64) -> None:
        self._hasher = hasher or PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
        self._pool = ThreadPoolExecutor(at_once, "argon2")
        self._most, self._now = at_once + waiting, 0
        self._nobody = ""

    async def hashed(self, password: str) -> str:
        """What is kept of a password. Raises `Busy`."""
        return await self._apart(lambda: self._hasher.hash(_bytes(password)))

    async def matches(self, hashed: str, password: str) -> bool:
        """Whether `password` is the one kept; "" stands for nobody's and costs the same. Raises `Busy`."""
        # Made for everyone alike, so that the first stranger after a start is not the slower one.
        self._nobody = self._nobody or await self.hashed("nobody's password")
        right = await self._apart(lambda: self._verify(hashed or self._nobody, password))
        return right and bool(hashed) and len(password) <= LONGEST

    def outdated(self, hashed: str) -> bool:
        """Whether it was made with other parameters than those of today."""
        return self._hasher.check_needs_rehash(hashed)

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _verify(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, _bytes(password))
        except (VerificationError, InvalidHashError):
            return False

    async def _apart(self, work: Callable[[], T]) -> T:
        if self._now >= self._most:
            raise Busy
        self._now += 1
        running = asyncio.get_running_loop().run_in_executor(self._pool, work)
        # Counted until the thread is done: whoever hangs up makes no room for more.
        running.add_done_callback(self._done)
        return await asyncio.shield(running)

    def _done(self, running: asyncio.Future[T]) -> None:
        self._now -= 1
        if not running.cancelled():
            running.exception()


class CommonPasswords:
    """A small list from our own disk, with the rules that stand for the rest (NIST SP 800-63B §3.1.1.2)."""

    def __init__(self) -> None:
        text = resources.files("auth").joinpath("common_passwords.txt").read_text("utf-8")
        self._common = frozenset(text.split())

    def check(self, password: str, login: str) -> None:
        """Raises `WeakPassword` with a text for people."""
        if not SHORTEST <= len(_usual(password)) <= LONGEST:
            raise WeakPassword(
                f"密码须为 {SHORTEST} 至 {LONGEST} 个字符 / a password has {SHORTEST} to {LONGEST} characters"
            )
        if self._guessable(_usual(password).casefold(), login.casefold()):
            raise WeakPassword("这个密码太常见，容易被猜到 / this password is too common and easily guessed")

    def _guessable(self, password: str, login: str) -> bool:
        core = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", password)
        return (
            password in self._common
            or core in self._common
            or len(set(password)) < 4
            or _in_a_row(password)
            or (len(login) > 2 and login in password)
        )


def _in_a_row(password: str) -> bool:
    """12345678, hgfedcba: each character follows the one before."""
    steps = {ord(later) - ord(earlier) for earlier, later in pairwise(password)}
    return steps in ({1}, {-1})


def _usual(password: str) -> str:
    """The same however a keyboard composes it (NFKC), as SP 800-63B §3.1.1.2 asks."""
    return unicodedata.normalize("NFKC", password)


def _bytes(password: str) -> bytes:
    return _usual(password[: LONGEST + 1]).encode("utf-8", "replace")
