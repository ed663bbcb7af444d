"""How each source has answered lately: a breaker that rests a failing one, and what operators are shown.

Rests after three failures in a row that waiting may mend; then one question a time goes through as a probe,
and the first answer ends the rest. Refusals and nonsense count too: asking again at once would not help.
A source that asks for patience gets it from its first word on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from statistics import median
from typing import Any

from connectors.errors import Overloaded, SourceError

FAILURES = 3
REST = 2.0
MOST_PATIENCE = 60.0
"""Seconds; whatever a source asks for, it is asked again after that."""


@dataclass(slots=True)
class Health:
    """One source's record; `monotonic` seconds for the breaker, `now` seconds since 1970 for people."""

    monotonic: Callable[[], float]
    now: Callable[[], float]
    answered: int = 0
    failed: int = 0
    row: int = 0
    rests_until: float = -inf
    patient_until: float = -inf
    probing: bool = False
    last_success: float | None = None
    last_error: tuple[float, str] | None = None
    last_reason: SourceError | None = None
    took: deque[float] = field(default_factory=lambda: deque(maxlen=101))

    @property
    def resting(self) -> bool:
        """Whether the breaker is open now."""
        if self.monotonic() < self.patient_until:
            return True
        return self.row >= FAILURES and (self.probing or self.monotonic() < self.rests_until)

    def admit(self) -> bool:
        """Whether a question may go out; after the rest exactly one does, as a probe."""
        if self.resting:
            return False
        self.probing = self.row >= FAILURES
        return True

    def succeeded(self, seconds: float) -> None:
        """An answer came after `seconds`."""
        self.answered += 1
        self.row = 0
        self.probing = False
        self.last_success = self.now()
        self.took.append(seconds)

    def broke(self, error: SourceError) -> None:
        """A question failed."""
        self.failed += 1
        self.row += 1
        self.probing = False
        self.last_error = (self.now(), error.code)
        self.last_reason = error
        self.rests_until = self.monotonic() + REST
        if isinstance(error, Overloaded):
            self.patient_until = self.monotonic() + min(max(error.retry_after, 0.0), MOST_PATIENCE)

    def abandoned(self) -> None:
        """A question was given up by its asker: it tells nothing about the source."""
        self.probing = False

    def shown(self, rfc3339: Callable[[float], str]) -> dict[str, Any]:
        """Values of `SourceHealth`, in the model's names."""
        state = "unknown" if not self.answered + self.failed else "up"
        if self.row:
            state = "down" if self.row >= FAILURES else "failing"
        values = {
            "state": state,
            "last_success_at": rfc3339(self.last_success) if self.last_success else None,
            "last_error_code": self.last_error[1] if self.last_error else None,
            "last_error_at": rfc3339(self.last_error[0]) if self.last_error else None,
            "answered": self.answered,
            "failed": self.failed,
            "median_ms": round(median(self.took) * 1000, 1) if self.took else None,
        }
        return {name: value for name, value in values.items() if value is not None}
