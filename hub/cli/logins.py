"""The logins this user keeps: one a hub, in a file that only they can read.

It lies in `$XDG_CONFIG_HOME/rongtong`, else `~/.config/rongtong`. A refresh token is used once, so whoever
uses one does so alone (`alone`): two commands at a time would look like a thief to the hub.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from hub.cli.say import Refusal

FILE, LOCK = "logins.json", "logins.lock"
LARGEST = 1_048_576


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """A login at one hub, named by its issuer; `expires`, seconds since 1970, is of the access token."""

    issuer: str
    client_id: str
    access_token: str
    refresh_token: str = ""
    expires: float
    token_endpoint: str
    revocation_endpoint: str = ""

    def __repr__(self) -> str:
        return f"Login({self.issuer!r}, …)"


def config_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """The user's own configuration folder (XDG Base Directory: a relative path does not count)."""
    given = environ.get("XDG_CONFIG_HOME", "")
    base = Path(given) if given.startswith("/") else Path.home() / ".config"
    return base / "rongtong"


class Logins:
    """The file in `folder`, which is made when something is kept. Blocking."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, issuer: str) -> Login | None:
        """The login at this hub. Raises `Refusal` when others can read the file."""
        return self._all().get(issuer)

    def keep(self, login: Login) -> None:
        """Keep it in place of any at the same hub."""
        self._write(self._all() | {login.issuer: login})

    def forget(self, issuer: str) -> Login | None:
        """Forget the login at this hub, and tell what it was."""
        kept = self._all()
        gone = kept.pop(issuer, None)
        if gone is not None:
            self._write(kept)
        return gone

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else uses the logins meanwhile."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self._folder / LOCK, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _all(self) -> dict[str, Login]:
        """What is kept; a damaged file holds nothing: the next login writes it anew."""
        try:
            with (self._folder / FILE).open("rb") as file:
                if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                    raise Refusal(
                        f"{file.name} 可被他人读取：请执行 chmod 600 / others can read it: chmod 600",
                        "LOGIN_EXPOSED",
                    )
                found = msgspec.json.decode(file.read(LARGEST), type=list[Login])
        except (FileNotFoundError, msgspec.DecodeError):
            return {}
        return {each.issuer: each for each in found}

    def _write(self, logins: Mapping[str, Login]) -> None:
        """Whole or not at all, and from its first byte for its owner alone."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = self._folder / f".{FILE}.{secrets.token_hex(8)}"
        handle = os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(msgspec.json.encode(list(logins.values())))
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._folder / FILE)
        except BaseException:
            new.unlink(missing_ok=True)
            raise
