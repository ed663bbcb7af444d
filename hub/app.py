"""The only place where things are built: settings in, a running hub out.

Everything is handed in or made here, and closed here in reverse. A database that is away keeps the hub
from nothing: it answers from its sources and its memory, and takes the database up again when it is back.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any, TypeVar

from graphql import ExecutionResult
from starlette.applications import Starlette
from starlette.requests import Request

from auth.development import DevelopmentIdentity
from auth.errors import InvalidToken
from auth.keys import KeyRing
from auth.principal import Principal
from auth.tokens import AccessTokens
from connectors.errors import Malformed, Unavailable
from connectors.seal import Seal
from hub.cache.durable import Durable
from hub.cache.memory import Memory
from hub.cache.tiered import Cache
from hub.catalogue.catalogue import MongoCatalogue
from hub.clock import Clock
from hub.executor.run import SchemaExecutor
from hub.mongo import Mongo, StorageError
from hub.settings import Loaded
from hub.sources.asking import Asking, Budget
from hub.sources.auditing import Auditing
from hub.sources.directory import SourceDirectory
from hub.sources.registry import Registry, build_registry
from hub.web.graphql import GraphQLEndpoint
from hub.web.identify import bearer
from hub.web.limits import Limits
from hub.web.provenance import extensions
from hub.web.routes import routes
from hub.web.sight import viewer_of
from schema.graph.build import build_schema, sdl
from schema.graph.context import Context, Diary
from schema.model.divisions import Divisions, shipped
from schema.model.viewer import Viewer
from schema.model.words import Kind, Word, WordSpec

BEIJING = timezone(timedelta(hours=8))
ISSUER = "https://hub.rongtong.invalid/development"
AUDIENCE = "rongtong-graph"
KEYS = "keys"
"""The folder of signing keys in the state folder."""
D = TypeVar("D", bound=SourceDirectory)


@dataclass(slots=True)
class Hub:
    """A hub that is built: its parts, for the web, the command line and tests."""

    loaded: Loaded
    registry: Registry
    cache: Cache
    catalogue: MongoCatalogue | None
    mongo: Mongo | None
    divisions: Divisions
    clock: Clock
    identity: DevelopmentIdentity | None
    started: float
    specs: Mapping[Kind, WordSpec] = field(default_factory=lambda: specs())

    def directory(self, viewer: Viewer) -> SourceDirectory:
        """A directory for one viewer's one request."""
        return self._directory(SourceDirectory, viewer)

    def auditing(self, viewer: Viewer) -> Auditing:
        """The same, keeping why it shows or hides."""
        return self._directory(Auditing, viewer)

    def _directory(self, kind: type[D], viewer: Viewer) -> D:
        budget = Budget(self.loaded.settings.hub.deadline, self.clock.monotonic)
        asking = Asking(self.registry.joined, self.cache, budget, viewer.audience)
        today = self.clock.now().astimezone(BEIJING).date()
        return kind(self.registry.joined, self.specs, asking, viewer, self.divisions, today)

    def context(self, viewer: Viewer) -> Context:
        """What the resolvers of one request can reach."""
        directory = self.directory(viewer)
        return Context(
            viewer=viewer,
            directory=directory,
            catalogue=self.catalogue.for_viewer(directory) if self.catalogue else None,
            sources=self.registry,
            divisions=self.divisions,
            diary=Diary(),
            now=self.clock.now().astimezone(BEIJING),
            hub_region=self.loaded.settings.hub.region,
            extras={"regions_at": self.started},
        )

    async def state(self) -> dict[str, str]:
        """What `/readyz` tells: a hub with sources can answer, with a database or without."""
        storage = "degraded"
        if self.mongo is not None:
            with contextlib.suppress(StorageError):
                await self.mongo.ready()
                storage = "ok"
        return {"storage": storage, "sources": "ok" if self.registry.joined else "down"}

    async def aclose(self) -> None:
        """Close in reverse of building."""
        if self.catalogue is not None:
            await self.catalogue.aclose()
        await self.cache.aclose()
        await self.registry.aclose()
        if self.mongo is not None:
            await self.mongo.close()


def specs() -> dict[Kind, WordSpec]:
    """Every kind's declaration."""
    return {word.spec.kind: word.spec for word in Word.declared.values() if word.spec.kind is not None}


def state_folder(loaded: Loaded) -> Path:
    """The folder for keys and the embedded database, made with 0700 when missing."""
    folder = loaded.root / loaded.settings.hub.state
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def key_ring(loaded: Loaded) -> KeyRing:
    """The ring of signing keys in the state folder, made when missing. Blocking."""
    return KeyRing.open(state_folder(loaded) / KEYS, overlap=loaded.settings.identity.key_overlap)


def matching_key(loaded: Loaded) -> bytes:
    """The key for match keys: from the settings, else made once in the state folder (0600)."""
    given = loaded.settings.hub.matching_key
    if given:
        return given.encode()
    path = state_folder(loaded) / "matching.key"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(32), "ascii")
    return path.read_text("ascii").strip().encode()


async def build(
    loaded: Loaded,
    *,
    mongo_uri: str = "",
    personas: Mapping[str, Mapping[str, Any]] | None = None,
    clock: Clock | None = None,
) -> Hub:
    """Build a hub inside the running loop. `mongo_uri` "" means without a database: memory only.

    `personas` turns the development identity on; in production that is refused.
    """
    settings = loaded.settings
    clock = clock or Clock()
    mongo = (
        Mongo.connect(mongo_uri, settings.storage.database, settings.storage.driver) if mongo_uri else None
    )
    durable = Durable.on(mongo) if mongo and settings.cache.durable else None
    cache = Cache(
        durable=durable,
        down_errors=(Unavailable, Malformed),
        memory=Memory(max_bytes=settings.cache.memory_mb * 1024 * 1024),
        clock=clock,
    )
    registry = build_registry(loaded, Seal(matching_key(loaded)), clock)
    production = settings.hub.environment == "production"
    identity = None
    if personas is not None:
        ring = await asyncio.to_thread(key_ring, loaded)
        tokens = AccessTokens(ring, issuer=ISSUER, audience=AUDIENCE, clock=clock.epoch)
        identity = DevelopmentIdentity(personas, tokens, production=production)
    every = settings.catalogue.harvest_every or 6 * 3600.0
    catalogue = MongoCatalogue(mongo, registry, clock, every=every) if mongo else None
    return Hub(loaded, registry, cache, catalogue, mongo, shipped(), clock, identity, clock.epoch())


def create_app(hub: Hub, *, on_close: Callable[[], Awaitable[None]] | None = None) -> Starlette:
    """The hub over HTTP. Closing the application closes the hub."""
    settings = hub.loaded.settings
    production = settings.hub.environment == "production"
    endpoint = GraphQLEndpoint(
        SchemaExecutor(build_schema()),
        _identify(hub.identity),
        lambda request, viewer: _asked(hub, request, viewer),
        _finish,
        Limits(),
        production,
        is_anonymous=lambda viewer: viewer.anonymous,
    )

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        harvesting = asyncio.create_task(_harvest_now_and_then(hub))
        try:
            yield
        finally:
            harvesting.cancel()
            await asyncio.gather(harvesting, return_exceptions=True)
            await hub.aclose()
            if on_close:
                await on_close()

    identity = hub.identity
    personas = (lambda: _shown_personas(identity)) if identity else None
    return Starlette(routes=routes(endpoint, hub.state, sdl=sdl(), personas=personas), lifespan=lifespan)


def _identify(identity: DevelopmentIdentity | None) -> Callable[[Request], Awaitable[Viewer]]:
    """From request to viewer; without an identity everybody is nobody, and any token is refused."""
    principal_of = bearer(identity.verify if identity else _refuse)

    async def identify(request: Request) -> Viewer:
        purposes = request.headers.get("x-rongtong-purpose", "")[:200]
        return viewer_of(await principal_of(request), (word.strip() for word in purposes.split(",")))

    return identify


def _refuse(_token: str) -> Principal:
    raise InvalidToken


def _asked(hub: Hub, request: Request, viewer: Viewer) -> Context:
    context = hub.context(viewer)
    context.extras["provenance"] = bool(getattr(request.state, "provenance", False))
    return context


async def _finish(context: Context, _result: ExecutionResult) -> dict[str, Any] | None:
    return extensions(context, wanted=context.extras["provenance"])


def _shown_personas(identity: DevelopmentIdentity) -> Sequence[Mapping[str, str]]:
    """What the query page offers to be: name, title in two languages, a fresh token."""
    shown: list[Mapping[str, str]] = []
    for name in identity.names:
        zh, en = TITLES.get(name, (name, name))
        shown.append({"name": name, "title_zh": zh, "title_en": en, "token": identity.token(name)})
    return shown


TITLES = {
    "teacher": ("县里的教师", "county teacher"),
    "pupil": ("她的学生", "her pupil"),
    "guardian": ("学生的监护人", "the pupil's guardian"),
    "officer": ("省级管理员", "provincial officer"),
    "city_officer": ("市级管理员", "city officer"),
    "county_officer": ("县级管理员", "county officer"),
    "principal": ("校长", "head of the school"),
    "stranger": ("外县教师", "a stranger: teacher elsewhere"),
    "senior": ("高中生", "senior pupil"),
}


async def _harvest_now_and_then(hub: Hub) -> None:
    """Harvest at the settings' pace while the hub runs; what fails is tried again at the next turn."""
    every = hub.loaded.settings.catalogue.harvest_every
    if hub.catalogue is None or every <= 0:
        return
    while True:
        with contextlib.suppress(StorageError):
            await hub.catalogue.harvest_all()
        await asyncio.sleep(every)
