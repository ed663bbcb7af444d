"""What time it is: handed in wherever time matters, so that a story can hand in its own.

Rule 1: what is shown or stored is wall time, aware and in UTC.
Rule 2: what is waited for is monotonic, so a corrected clock breaks no timer.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime


class Clock:
    """The machine's own clock. A story subclasses it and turns the hands itself."""

    def now(self) -> datetime:
        """The moment, aware, in UTC."""
        return datetime.fromtimestamp(self.epoch(), UTC)

    def epoch(self) -> float:
        """The moment as seconds since 1970-01-01 UTC."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that only ever grow, from an arbitrary start."""
        return time.monotonic()
