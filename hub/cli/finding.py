"""What `rongtong doctor` finds: one thing looked at, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: whether it is well, what was seen, what to do if not."""

    what: str
    well: bool
    seen: str
    remedy: str = ""

    def told(self) -> dict[str, Any]:
        """As plain data."""
        return {"what": self.what, "well": self.well, "seen": self.seen, "remedy": self.remedy}
