"""The catalogue as the rest of the hub knows it: harvested by many sources, searched by many viewers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from hub.cache.breaker import Breaker
from hub.catalogue.harvest import RESOURCES, Harvester, Progress
from hub.catalogue.search import PATIENCE, Searching
from hub.catalogue.standing import harvestable, status
from hub.catalogue.state import States
from hub.clock import Clock
from hub.mongo import Mongo
from hub.sources.directory import SourceDirectory
from hub.sources.registry import Registry
from schema.graph.context import Catalogue

__all__ = ["MongoCatalogue", "Progress"]

SIDE_BY_SIDE = 2
"""Sources harvested at the same time."""


class MongoCatalogue:
    """Harvested resource metadata in MongoDB. Nothing is sent before the first use.

    `every`: seconds between harvests, to tell which source's part has grown old. `lease`: seconds for which a
    harvester that has died keeps others off its source. `probe_every`: seconds between looks for a database
    that went away; meanwhile searches are told at once that there is no catalogue.
    """

    def __init__(
        self, mongo: Mongo, registry: Registry, clock: Clock, *, every: float = 6 * 3600,
        lease: float = 30.0, probe_every: float = 1.0,
    ) -> None:  # fmt: skip
        self._mongo = mongo
        self._registry = registry
        self._clock = clock
        self._every = every
        self._harvester = Harvester(mongo, clock, lease)
        self._states = States(mongo)
        self._breaker = Breaker(
            lambda: self._states.one(""), patience=2 * PATIENCE, probe_every=probe_every,
            part="资源目录 / resource catalogue",
        )  # fmt: skip
        self._prepared = False

    async def harvest_all(self, progress: Callable[[Progress], None] | None = None) -> None:
        """Harvest every source that can be; one that is silent stops no other. Raises `StorageError`."""
        await self._prepare()
        left = await self._states.all()
        for code in left.keys() - harvestable(self._registry).keys():
            await self._harvester.retire(code)
        room = asyncio.Semaphore(SIDE_BY_SIDE)

        async def one(code: str) -> Progress:
            async with room:
                return await self.harvest(code, progress)

        done = await asyncio.gather(*map(one, harvestable(self._registry)), return_exceptions=True)
        for outcome in done:
            if isinstance(outcome, BaseException):
                raise outcome

    async def harvest(
        self, source: str, progress: Callable[[Progress], None] | None = None, *, from_start: bool = False
    ) -> Progress:
        """Go on with one source where its last harvest ended, or broke off; `from_start` reads it anew.

        Nothing of the source is raised: it is the result's `error`. Raises `StorageError`.
        """
        joined = harvestable(self._registry).get(source)
        if joined is None:
            return Progress(source, error="SOURCE_CANNOT: 没有这个可采集的来源 / no such source to harvest")
        await self._prepare()
        return await self._harvester.harvest(joined, progress, from_start=from_start)

    def harvestable(self) -> tuple[str, ...]:
        """Codes of the sources that can be harvested, in order of the settings."""
        return tuple(harvestable(self._registry))

    def for_viewer(self, directory: SourceDirectory) -> Catalogue:
        """The catalogue for one request; what it finds is shown through the request's own directory."""
        kept = self._mongo.collection(RESOURCES)
        return Searching(
            kept, self._states, self._registry, directory, self._clock, self._every, self._breaker
        )

    async def aclose(self) -> None:
        """End the look-out for a database that is away."""
        await self._breaker.aclose()

    async def status(self) -> list[dict[str, Any]]:
        """How each harvestable source stands; raises `StorageError`."""
        kept = self._mongo.collection(RESOURCES)
        return await status(kept, await self._states.all(), self._registry, self._clock, self._every)

    async def _prepare(self) -> None:
        if not self._prepared:
            await self._harvester.prepare()
            self._prepared = True
