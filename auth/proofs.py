"""Which proofs have been seen: each counts once, in one process or in all of them.

A proof is named by a digest that its checker makes; it is remembered until it would be refused as too old.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from auth.errors import StoreDown, Taken
from auth.store import IndexSpec, Store, expiring

COLLECTION = "auth_proofs"
INDEXES: tuple[IndexSpec, ...] = (expiring(COLLECTION),)
MOST = 100_000
"""Proofs one process remembers: about 20 MB; at two minutes each, 800 a second."""


class Proofs(Protocol):
    """Notes proofs."""

    async def first(self, proof: str, until: float) -> bool:
        """Whether `proof` (a digest) was not seen before; it is remembered until then (seconds since 1970).
        Raises `StoreDown` when nobody can say."""
        ...


class StoredProofs:
    """Once among all processes: a unique `_id` decides."""

    def __init__(self, store: Store) -> None:
        self._seen = store.collection(COLLECTION)

    async def first(self, proof: str, until: float) -> bool:
        """As `Proofs` promises."""
        try:
            await self._seen.insert_one({"_id": proof, "expires": datetime.fromtimestamp(until, UTC)})
        except Taken:
            return False
        return True


class RememberedProofs:
    """Once in this process. When `most` are remembered and none has aged, nobody can say: `StoreDown`."""

    def __init__(self, clock: Callable[[], float], most: int = MOST) -> None:
        self._clock, self._most = clock, most
        self._seen: set[str] = set()
        self._ages: list[tuple[float, str]] = []

    async def first(self, proof: str, until: float) -> bool:
        """As `Proofs` promises; constant work but for the forgetting, logarithmic."""
        self._forget(self._clock())
        if proof in self._seen:
            return False
        if len(self._seen) >= self._most:
            raise StoreDown
        self._seen.add(proof)
        heapq.heappush(self._ages, (until, proof))
        return True

    def _forget(self, now: float) -> None:
        while self._ages and self._ages[0][0] <= now:
            self._seen.discard(heapq.heappop(self._ages)[1])


class SteadyProofs:
    """For the graph: once among all processes while the store answers, once in this process while it is
    away, so that a valid token goes on working. What may happen then: within its minute a stolen proof is
    taken a second time by another process, together with its stolen token."""

    def __init__(self, stored: Proofs, remembered: Proofs) -> None:
        self._stored, self._remembered = stored, remembered

    async def first(self, proof: str, until: float) -> bool:
        """As `Proofs` promises; `StoreDown` only when the memory is full too."""
        if not await self._remembered.first(proof, until):
            return False
        try:
            return await self._stored.first(proof, until)
        except StoreDown:
            return True
