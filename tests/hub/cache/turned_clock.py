"""A clock whose hands the story turns."""

from __future__ import annotations

from hub.clock import Clock


class TurnedClock(Clock):
    """Stands still until `turn`ed."""

    def __init__(self, epoch: float = 1_788_220_800.0) -> None:
        self._epoch = epoch
        self._passed = 0.0

    def turn(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self._passed += seconds

    def epoch(self) -> float:
        """Wall time, as turned."""
        return self._epoch + self._passed

    def monotonic(self) -> float:
        """Seconds passed, as turned."""
        return self._passed
