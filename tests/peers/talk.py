"""A conversation with a script of this folder: one JSON line asked, one JSON line answered.

The script ends when its input ends, so that it never outlives the test that started it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.peers.node import beside_packages, installed

_PATIENCE = 30.0
_LONGEST_LINE = 1 << 20


class Refused(Exception):
    """What a script was asked for did not work; `said` is its error: name, code, message, error, status."""

    def __init__(self, said: dict[str, Any]) -> None:
        super().__init__(str(said))
        self.said = said

    @property
    def error(self) -> str:
        """The OAuth error that the hub answered, or ""."""
        return str(self.said.get("error") or "")


@dataclass
class Peer:
    """A running script. `url` is where it listens itself, with its keys at `/jwks`."""

    url: str
    _process: asyncio.subprocess.Process

    async def ask(self, what: str, **values: Any) -> Any:
        """Have it do something. Raises `Refused` when that failed there."""
        said = await exchanged(self._process, {"do": what, **values})
        if "failed" in said:
            raise Refused(said["failed"])
        return said["done"]


async def exchanged(process: asyncio.subprocess.Process, asked: dict[str, Any] | None) -> dict[str, Any]:
    """A line out, if there is one, and a line in. RuntimeError when the script has ended."""
    assert process.stdin is not None, "a pipe"
    assert process.stdout is not None, "a pipe"
    if asked is not None:
        process.stdin.write(json.dumps(asked).encode() + b"\n")
        await process.stdin.drain()
    line = await asyncio.wait_for(process.stdout.readline(), _PATIENCE)
    if not line:
        raise RuntimeError(f"the script ended with {await process.wait()}; its own words are above")
    said: dict[str, Any] = json.loads(line)
    return said


@asynccontextmanager
async def talking(script: str) -> AsyncIterator[Peer]:
    """`script` up until the block ends. RuntimeError, saying what to do, if it cannot run."""
    folder = await installed()
    copy = await asyncio.to_thread(beside_packages, folder, script)
    process = await asyncio.create_subprocess_exec(
        "node", str(copy), cwd=folder, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        limit=_LONGEST_LINE,
    )  # fmt: skip
    try:
        yield Peer((await exchanged(process, None))["url"], process)
    finally:
        assert process.stdin is not None, "a pipe"
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 5)
        except TimeoutError:
            process.kill()
            await process.wait()
