"""Tier one: this process's own memory, bounded by bytes and by entries; the longest unused goes first.

Rule 1: what is put in is never changed afterwards, by anybody.
Rule 2: nothing here waits: a look is one synchronous step.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

V = TypeVar("V")

_OVERHEAD = 400  # bytes an entry costs beside its value: names, dates, tags, the table itself


class Memory(Generic[V]):
    """At most `max_bytes` and `max_entries`; a value above `entry_limit` bytes is not kept."""

    def __init__(
        self, *, max_bytes: int = 64_000_000, max_entries: int = 50_000, entry_limit: int = 1_000_000
    ) -> None:
        self._held: OrderedDict[str, tuple[V, int]] = OrderedDict()
        self._max_bytes = max_bytes
        self._max_entries = max_entries
        self._entry_limit = entry_limit
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._held)

    def get(self, key: str) -> V | None:
        """The value, which thereby becomes the most recently used; or None."""
        held = self._held.get(key)
        if held is None:
            return None
        self._held.move_to_end(key)
        return held[0]

    def put(self, key: str, value: V, size: int) -> bool:
        """Keep a value of `size` bytes, at the cost of the longest unused; False when it is too large."""
        self.drop(key)
        cost = size + _OVERHEAD
        if size > self._entry_limit or cost > self._max_bytes:
            return False
        self._held[key] = (value, cost)
        self.bytes += cost
        while self.bytes > self._max_bytes or len(self._held) > self._max_entries:
            _, (_, freed) = self._held.popitem(last=False)
            self.bytes -= freed
        return True

    def drop(self, key: str) -> None:
        """Forget one value."""
        held = self._held.pop(key, None)
        if held is not None:
            self.bytes -= held[1]

    def clear(self) -> None:
        """Forget everything."""
        self._held.clear()
        self.bytes = 0
