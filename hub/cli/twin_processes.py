"""The sandbox country's twins as processes of the demonstration: started side by side, ended side by side."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from connectors.sandbox.twins import FRONTENDS, PASSPORT_NAMES, ROSTER_COUNTIES

PROCESSES: dict[str, tuple[str, ...]] = {
    "national": ("smartedu",),
    "repository": ("sd-repository",),
    "data-centre": ("sd-data",),
    "exchange": ("lc-exchange",),
    "platform": ("lc-platform",),
    "rosters": tuple(f"c{code}-roster" for code in ROSTER_COUNTIES),
    "school-roster": ("s-roster",),
    "school-lrs": ("s-lrs",),
    "school-repository": ("s-repository",),
    **dict.fromkeys((*PASSPORT_NAMES, *FRONTENDS), ()),
}
"""Twin process -> the sources that it speaks for; none for those that sign people in, or are signed in to."""

START_PATIENCE = {"demo": 60.0, "city": 600.0}
"""Seconds by scale: a city's rosters and tables are written out before its twins are ready."""
STOP_PATIENCE = 8.0


class DemoFailed(RuntimeError):
    """The demonstration cannot start; the message says which part, and what to do."""

    code = "DEMO_FAILED"


@dataclass(slots=True)
class Twin:
    """A twin's process, once it is ready; `url` its address, `pid` who to kill to silence it."""

    name: str
    process: asyncio.subprocess.Process
    url: str
    pid: int
    password: str = field(default="", repr=False)


@dataclass(slots=True)
class Twins:
    """Starts twins in one folder; each holds `lock` open, so that it is free when all are gone.

    `hub` is the address at which the applications among them sign people in.
    """

    folder: Path
    scale: str
    lock: int
    hub: str
    resources: int | None = None
    _processes: list[asyncio.subprocess.Process] = field(default_factory=list)
    _stopped: list[int] = field(default_factory=list)

    @contextlib.asynccontextmanager
    async def started(self) -> AsyncIterator[dict[str, Twin]]:
        """All twins, ready, by name; none of them lives on after the block. Raises `DemoFailed`."""
        starts = [asyncio.create_task(self._start(name)) for name in (*PROCESSES, "files")]
        try:
            try:
                twins = await asyncio.gather(*starts)
            except BaseException:
                for start in starts:
                    start.cancel()
                await asyncio.gather(*starts, return_exceptions=True)
                raise
            self._stopped.extend(twin.pid for twin in twins)
            yield {twin.name: twin for twin in twins if twin.name in PROCESSES}
        finally:
            await self._stop()

    async def _start(self, name: str) -> Twin:
        more = [] if self.resources is None else ["--resources", str(self.resources)]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "connectors.sandbox", name, "--scale", self.scale),
            *("--folder", str(self.folder), "--hub", self.hub, *more),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, start_new_session=True,
            pass_fds=(self.lock,),
        )  # fmt: skip
        self._processes.append(process)
        assert process.stdout is not None, "asked for a pipe"
        try:
            async with asyncio.timeout(START_PATIENCE[self.scale]):
                said = json.loads(await process.stdout.readline())
        except (TimeoutError, ValueError):
            raise DemoFailed(
                f"沙盒 {name} 未能启动，原因见上文 / sandbox twin {name} did not start: see its error above"
            ) from None
        return Twin(name, process, said["url"], said.get("server") or said["pid"], said.get("password", ""))

    async def _stop(self) -> None:
        """Ask all to end, and end those that do not."""
        _signal(self._stopped_servers(), signal.SIGCONT)
        await asyncio.gather(*(_ended(process) for process in self._processes))

    def _stopped_servers(self) -> Sequence[int]:
        """Servers of living twins that somebody may have frozen: a frozen one does not end."""
        living = {process.pid for process in self._processes if process.returncode is None}
        return [pid for pid in self._stopped if pid in living or _parent(pid) in living]


async def _ended(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(STOP_PATIENCE):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _signal(pids: Sequence[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _parent(pid: int) -> int:
    """The parent of a process, 0 if it is gone: a number that was given away again must not be signalled."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0
