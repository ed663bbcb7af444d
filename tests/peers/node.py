"""Runs a script of this folder under Node.js with the packages that `package-lock.json` pins.

The packages are installed once for each version of the lock, into `.rongtong/peers/` of the checkout; two
test processes may do so at once, the first to finish wins.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CACHE = HERE.parents[1] / ".rongtong" / "peers"
_MISSING = (
    "node (20 or later) and npm are missing: on Debian and Ubuntu, apt-get install --no-install-recommends "
    "nodejs npm; .ci/run installs them"
)
_PACKAGE = ("package.json", "package-lock.json")


async def installed() -> Path:
    """The folder with the packages; a minute the first time. RuntimeError, saying what to do, if it fails."""
    if not shutil.which("node") or not shutil.which("npm"):
        raise RuntimeError(_MISSING)
    pinned = b"\0".join((HERE / name).read_bytes() for name in _PACKAGE)
    folder = CACHE / hashlib.sha256(pinned).hexdigest()[:16]
    if not folder.is_dir():
        await _install(folder)
    return folder


async def _install(folder: Path) -> None:
    CACHE.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=CACHE))
    try:
        for name in _PACKAGE:
            shutil.copy(HERE / name, made / name)
        npm = await asyncio.create_subprocess_exec(
            "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error",
            cwd=made, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await npm.communicate()
        if npm.returncode:
            raise RuntimeError(f"npm ci failed in tests/peers: {said.decode(errors='replace')[-2000:]}")
        await asyncio.to_thread(_settle, made, folder)
    finally:
        await asyncio.to_thread(shutil.rmtree, made, ignore_errors=True)


def _settle(made: Path, folder: Path) -> None:
    try:
        made.rename(folder)
    except OSError:  # another process was first
        if not folder.is_dir():
            raise


@asynccontextmanager
async def running(script: str, configuration: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
    """`script` (a file of this folder) up until the block ends; yields the JSON line it wrote when it was.

    It gets `configuration` as a JSON line, and its input stays open while it shall run.
    """
    folder = await installed()
    copy = await asyncio.to_thread(beside_packages, folder, script)
    process = await asyncio.create_subprocess_exec(
        "node", str(copy), cwd=folder, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(configuration).encode() + b"\n")
        await process.stdin.drain()
        line = await process.stdout.readline()
        if not line:
            raise RuntimeError(f"{script} ended before it was up, with {await process.wait()}")
        yield json.loads(line)
    finally:
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 5)
        except TimeoutError:
            process.kill()
            await process.wait()


def beside_packages(folder: Path, script: str) -> Path:
    """`script` in a copy of this folder's scripts, where ECMAScript modules look for packages: under the
    folder that has `node_modules`."""
    texts = {path.name: path.read_bytes() for path in sorted(HERE.glob("*.mjs"))}
    version = hashlib.sha256(b"\0".join(texts.values())).hexdigest()[:12]
    copies = folder / version
    if not copies.is_dir():
        made = Path(tempfile.mkdtemp(dir=folder))
        for name, text in texts.items():
            (made / name).write_bytes(text)
        _settle(made, copies)
        shutil.rmtree(made, ignore_errors=True)
    return copies / script
