"""A second hub process beside a demonstration's own: the same database, state folder and issuer."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from tests.journeys.command import PATIENCE, RONGTONG, environment


@dataclass
class Second:
    """The process; `url` is where it is asked. It keeps its port over restarts."""

    config: Path
    url: str
    process: subprocess.Popen[bytes] = field(init=False)

    def start(self) -> None:
        """Start it; returns when it is ready."""
        with (self.config.with_suffix(".err")).open("ab") as errors:
            self.process = subprocess.Popen(
                [*RONGTONG, "serve", "--config", str(self.config), "--json"], cwd=self.config.parent,
                env=environment(), stdout=subprocess.PIPE, stderr=errors, start_new_session=True,
            )  # fmt: skip
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.endswith(b"\n"), self.config.with_suffix(".err").read_text("utf-8")
        assert orjson.loads(line)["page"] == f"{self.url}/"

    def kill(self) -> None:
        """End it at once, as a crash does."""
        self.process.kill()
        self.process.wait(PATIENCE)
        if self.process.stdout is not None:
            self.process.stdout.close()


@contextmanager
def second(settings: Path) -> Iterator[Second]:
    """A second process with the demonstration's own settings, on a port of its own; killed at the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = settings.with_name("second.toml")
    text, changed = re.subn(r"(?m)^port = \d+$", f"port = {port}", settings.read_text("utf-8"))
    assert changed == 1
    text, changed = re.subn(r'(?m)^harvest_every = "6h"$', 'harvest_every = "0s"', text)
    assert changed == 1, "without harvests of its own accord, as the journeys' first one"
    config.touch(mode=0o600)
    config.write_text(text, "utf-8")
    one = Second(config, f"http://127.0.0.1:{port}")
    one.start()
    try:
        yield one
    finally:
        one.kill()
