"""What the hub itself keeps about persons, in one hand: journal, its copy, consents, index of numbers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from connectors.base import Connector
from hub.clock import Clock
from hub.mongo import Mongo, StorageError
from hub.people.access_log import AccessLog
from hub.people.consents import Consents
from hub.people.index import MatchIndex
from hub.people.journal import Journal
from hub.people.shipping import Shipping
from hub.people.witness import PeopleWitness
from schema.model.privacy import Duty
from schema.model.viewer import Viewer


@dataclass(slots=True)
class Records:
    """Without a database the journal is written all the same, and nobody is consented to."""

    log: AccessLog
    consents: Consents | None
    index: MatchIndex | None
    _shipping: Shipping | None
    _workers: list[asyncio.Task[None]] = field(default_factory=list)

    @classmethod
    def on(
        cls, folder: Path, key: bytes, mongo: Mongo | None, rosters: Mapping[str, Connector], clock: Clock,
        sealed: Callable[[str], str] | None = None,
    ) -> Records:  # fmt: skip
        """The records of one process; `folder` holds the journal, `key` chains it; `sealed` makes keyed
        hashes of names (`MatchIndex`)."""
        log = AccessLog(Journal(folder, key, clock), mongo)
        if mongo is None:
            return cls(log, None, None, None)
        index = MatchIndex(mongo, rosters, clock, sealed)
        return cls(log, Consents(mongo, clock), index, Shipping(log.journal, mongo))

    @property
    def witness(self) -> PeopleWitness | None:
        """The graph's port to them."""
        return PeopleWitness(self.log, self.consents) if self.consents else None

    async def consented(self, viewer: Viewer) -> frozenset[tuple[str, Duty]]:
        """Whom a third party's viewer may see beyond themselves, and for what; nobody while that cannot be
        read."""
        if self.consents is None or not viewer.third_party or viewer.anonymous:
            return frozenset()
        try:
            return await self.consents.consented(viewer.client, viewer.purposes)
        except StorageError:
            return frozenset()

    def start(self) -> None:
        """Keep the journal's copy up to date."""
        if self._shipping is not None:
            self._workers.append(asyncio.create_task(self._shipping.run()))

    async def aclose(self) -> None:
        """Write what is waiting, and end."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        await self.log.journal.aclose()
