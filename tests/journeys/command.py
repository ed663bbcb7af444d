"""`rongtong` as a process of its own, and what it leaves behind, read from /proc so that nothing can hide."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

PATIENCE = 60.0
ROOT = Path(__file__).parents[2]
RONGTONG = (sys.executable, "-m", "hub.cli.main")

Known = frozenset[tuple[int, str]]
"""Processes as pid and start time, since pids are given away again."""


def environment(**more: str) -> dict[str, str]:
    """This process's environment without what would colour or configure a command."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("RONGTONG_", "MONGODB_", "NO_COLOR"))}
    return kept | {"PYTHONPATH": str(ROOT)} | more


def rongtong(*words: str, cwd: Path, stdin: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [*RONGTONG, *words], cwd=cwd, input=stdin, env=environment(**more), text=True, capture_output=True,
        timeout=PATIENCE, check=False,
    )  # fmt: skip


@dataclass
class Started:
    """A demonstration that says it is ready: what it said, its process, all processes under it."""

    process: subprocess.Popen[bytes]
    told: dict[str, Any]
    folder: Path
    family: Known
    complaints: Path

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def rest(self) -> bytes:
        """What it printed after its first line."""
        assert self.process.stdout is not None
        return self.process.stdout.read()

    def said(self) -> str:
        """What it said on standard error."""
        return self.complaints.read_text("utf-8")


@contextlib.contextmanager
def demonstration(folder: Path, scratch: Path) -> Iterator[Started]:
    """A demonstration of its own, ended in any case; `scratch` is where it may put temporary files."""
    with launched(folder, scratch) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.endswith(b"\n"), complaints(scratch).read_text("utf-8")
        found = under(process.pid)
        try:
            yield Started(process, orjson.loads(line), folder, found, complaints(scratch))
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(PATIENCE)


@contextlib.contextmanager
def launched(folder: Path, scratch: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The process, not waited for; killed at the end if it is still there."""
    temporary = scratch / "tmp"
    temporary.mkdir(exist_ok=True)
    with complaints(scratch).open("wb") as errors:
        process = subprocess.Popen(
            [*RONGTONG, "demo", "--port", "0", "--json", "--folder", str(folder)], cwd=scratch,
            env=environment(TMPDIR=str(temporary)), stdout=subprocess.PIPE, stderr=errors,
            start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def complaints(scratch: Path) -> Path:
    """The file that holds its standard error."""
    return scratch / "stderr"


def under(root: int) -> Known:
    """All processes below `root`, whatever session they are in."""
    children: dict[int, list[int]] = {}
    starts = {}
    for pid, (parent, started, _) in table().items():
        children.setdefault(parent, []).append(pid)
        starts[pid] = started
    found: set[tuple[int, str]] = set()
    waiting = [root]
    while waiting:
        for child in children.get(waiting.pop(), []):
            found.add((child, starts[child]))
            waiting.append(child)
    return frozenset(found)


def alive(family: Known) -> list[str]:
    """Those that still run, as the system names them; who is dead and not yet buried does not count."""
    now = table()
    living = [pid for pid, started in family if pid in now and now[pid][1] == started and now[pid][2] != "Z"]
    return [f"{pid} {_command(pid)}" for pid in living]


def naming(folder: Path) -> list[str]:
    """Processes whose command line names `folder`."""
    return [f"{pid} {said}" for pid in table() if str(folder) in (said := _command(pid))]


def table() -> dict[int, tuple[int, str, str]]:
    """pid -> parent, start time, state, from proc(5)."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            rest = stat.read_text("utf-8", "replace").rpartition(")")[2].split()
            found[int(stat.parent.name)] = (int(rest[1]), rest[19], rest[0])
    return found


def segments(family: Known) -> list[str]:
    """System V shared memory that the family made and left."""
    pids = {str(pid) for pid, _ in family}
    rows = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    return [row for row in rows if row.split()[4] in pids]


def eventually(nothing: Callable[[], list[str]], patience: float = 30.0) -> list[str]:
    """What is left once `nothing` is left, or after the patience."""
    deadline = time.monotonic() + patience
    while (left := nothing()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def _command(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    return ""
