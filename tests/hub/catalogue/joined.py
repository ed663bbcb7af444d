"""A few repositories joined to a hub's catalogue, without the rest of the hub."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

import schema.model.resource  # noqa: F401 - declares the words
from connectors.base import Connector, Identity, Tools
from connectors.http import Http
from connectors.seal import Seal
from hub.cache.tiered import Cache, Policy
from hub.catalogue.catalogue import MongoCatalogue
from hub.clock import Clock
from hub.mongo import Mongo
from hub.sources.asking import Asking, Budget, Joined
from hub.sources.directory import SourceDirectory
from hub.sources.health import Health
from hub.sources.registry import Registry
from schema.graph.context import Catalogue, CatalogueHits, Face
from schema.model.codes import Level
from schema.model.divisions import shipped
from schema.model.viewer import Viewer
from schema.model.words import Word
from tests.fakes.harvestable import Repository

SPECS = {word.spec.kind: word.spec for word in Word.declared.values() if word.spec.kind is not None}
LEVELS = {
    "nation": Level.NATIONAL,
    "province": Level.PROVINCIAL,
    "city": Level.MUNICIPAL,
    "county": Level.COUNTY,
    "school": Level.SCHOOL,
}


@dataclass
class Library:
    """Repositories of several levels and the catalogue over them; closed with the story's database."""

    mongo: Mongo
    clock: Clock = field(default_factory=Clock)
    every: float = 3600.0
    lease: float = 30.0
    registry: Registry = field(init=False)
    catalogue: MongoCatalogue = field(init=False)

    def __post_init__(self) -> None:
        self.http = Http(())
        self.tools = Tools(self.http, Seal(b"a key for matching in tests only"), now=self.clock.epoch)
        self.registry = Registry({}, self.http, self.clock)
        self.catalogue = self.another()

    def another(self) -> MongoCatalogue:
        """A catalogue as a second process would have it."""
        return MongoCatalogue(self.mongo, self.registry, self.clock, every=self.every, lease=self.lease)

    def join(self, code: str, *, harvestable: bool = True) -> Repository:
        """Join an empty repository of the level that its code names."""
        repository = Repository(identity(code), self.tools, harvestable=harvestable)
        self.admit(code, repository)
        return repository

    def admit(self, code: str, connector: Connector) -> None:
        """Join any source."""
        face = Face(code, code, code, connector.identity.level, "371500", str(connector.protocol))
        health = Health(self.clock.monotonic, self.clock.epoch)
        self.registry.joined[code] = Joined(face, "", connector, health, Policy(fresh_for=60.0), 2.0)

    def leave(self, code: str) -> None:
        """A source is no longer joined."""
        del self.registry.joined[code]

    def viewer(self, viewer: Viewer | None = None) -> Catalogue:
        """The catalogue as one request of a viewer has it; anonymous unless told."""
        viewer = viewer or Viewer()
        asking = Asking(self.registry.joined, Cache(), Budget(5.0), "")
        directory = SourceDirectory(self.registry.joined, SPECS, asking, viewer, shipped(), date(2026, 9, 1))
        return self.catalogue.for_viewer(directory)

    async def titles(self, text: str, **filters: list[str]) -> list[str]:
        """Titles found, best first."""
        hits = await self.viewer().search(text, filters=filters, first=100)
        assert hits is not None
        return [entity.values["title"] for entity in hits.found.entities]

    async def hits(self, text: str = "", **filters: list[str]) -> CatalogueHits:
        """What is found, with every facet."""
        facets = ("level", "stage", "subject_code", "grade_code", "version_name", "chapter_keys")
        hits = await self.viewer().search(text, filters=filters, facets=facets, first=100)
        assert hits is not None
        return hits


def identity(code: str) -> Identity:
    """Who a source of the library is."""
    return Identity(code, LEVELS.get(code, Level.COUNTY), "371500")
