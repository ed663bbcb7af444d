"""Which tags have been struck, and when: decides whether a remembered entry is dead. Pure, no I/O.

Two measures, because two questions. An entry of the second tier is dead when the server's time of one of
its tags is not before the entry was born. An entry of this process's memory is dead when this process has
learnt of such a stroke after the entry's loading began (`epoch` counts what was learnt): that needs no clock.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from datetime import UTC, datetime

EVERYTHING = "*"  # every entry carries this tag
_NEVER = datetime.min.replace(tzinfo=UTC)
_ALWAYS = datetime.max.replace(tzinfo=UTC)


class Tags:
    """At most `limit` tags are known by name; of the others only when they were struck at the latest."""

    def __init__(self, limit: int = 50_000, pending_limit: int = 10_000) -> None:
        self._known: OrderedDict[str, tuple[datetime, int]] = OrderedDict()
        self._pending: dict[str, int] = {}
        self._limit = limit
        self._pending_limit = pending_limit
        self._floor: tuple[datetime, int] = (_NEVER, 0)
        self.epoch = 0

    def __len__(self) -> int:
        return len(self._known)

    @property
    def pending(self) -> list[tuple[str, int]]:
        """Tags struck here that the server has not been told of yet, each with the number of its stroke."""
        return list(self._pending.items())

    def strike(self, tag: str) -> None:
        """Struck here, unknown to the server: kills all that memory holds, and all in the second tier."""
        if tag not in self._pending and len(self._pending) >= self._pending_limit:
            self._strike_everything()
            return
        self._note(tag, _ALWAYS)
        if tag in self._known:
            self._pending[tag] = self.epoch

    def settle(self, tag: str, at: datetime, stroke: int) -> None:
        """The server has written `stroke` down at `at`; unless struck again, what is younger may live."""
        if self._pending.get(tag) == stroke:
            del self._pending[tag]
            self._known[tag] = (at, stroke)

    def learn(self, tag: str, at: datetime) -> None:
        """Somebody struck this tag at the server's time `at`; hearing it twice changes nothing."""
        known = self._known.get(tag)
        if known is None or at > known[0]:
            self._note(tag, at)

    def forget_before(self, at: datetime) -> None:
        """More tags exist than are known by name: whatever was born by `at` counts as dead."""
        if at > self._floor[0]:
            self.epoch += 1
            self._floor = (at, self.epoch)

    def kills(self, tags: Sequence[str], born: datetime) -> bool:
        """Is an entry of the second tier, whose loading began at the server's time `born`, dead?"""
        return born <= self._floor[0] or any(born <= at for at, _ in self._of(tags))

    def killed_since(self, tags: Sequence[str], born: datetime | None, began: int) -> bool:
        """Is an entry of this memory dead, whose loading began at our epoch `began`?"""
        strokes = (self._floor, *self._of(tags))
        return any(epoch > began and (born is None or born <= at) for at, epoch in strokes)

    def _of(self, tags: Sequence[str]) -> list[tuple[datetime, int]]:
        return [known for tag in (*tags, EVERYTHING) if (known := self._known.get(tag)) is not None]

    def _note(self, tag: str, at: datetime) -> None:
        self.epoch += 1
        self._known[tag] = (at, self.epoch)
        self._known.move_to_end(tag)
        if len(self._known) > self._limit:
            self._forget_one()

    def _forget_one(self) -> None:
        """Forget the stroke learnt longest ago; whatever is as old as it counts as dead from now on."""
        tag, (at, epoch) = self._known.popitem(last=False)
        if tag in self._pending:
            self._strike_everything()
        else:
            self._floor = (max(at, self._floor[0]), max(epoch, self._floor[1]))

    def _strike_everything(self) -> None:
        """Too many strokes wait for the server: one stroke against everything takes their place."""
        for tag in self._pending:
            self._known.pop(tag, None)
        self._pending = {}
        self._note(EVERYTHING, _ALWAYS)
        self._pending[EVERYTHING] = self.epoch
