"""The only place where things are built: settings in, a running hub out.

Everything is handed in or made here, and closed here in reverse. A database that is away keeps the hub
from nothing: it answers from its sources and its memory, and takes the database up again when it is back.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta, timezone
from pathlib import Path
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.routing import BaseRoute

from auth.broker.linking import RECENT
from auth.development import DevelopmentIdentity
from auth.errors import InvalidToken
from auth.keys import KeyRing
from auth.principal import Principal
from auth.tokens import AccessTokens
from connectors.errors import Malformed, Unavailable
from connectors.http import Http
from connectors.seal import Seal
from hub.cache.durable import Durable
from hub.cache.memory import Memory
from hub.cache.tiered import Cache
from hub.catalogue.catalogue import MongoCatalogue
from hub.clock import Clock
from hub.executor.run import SchemaExecutor
from hub.identity.fetch import HttpFetch
from hub.identity.gate import Asked, Gate, build_gate, graph_of
from hub.identity.store import MongoStore
from hub.mongo import Mongo, StorageError
from hub.people.erasure import Erasure
from hub.people.export import Export
from hub.people.pages import PersonalData
from hub.people.records import Records
from hub.people.rosters import RosterPeople
from hub.people.sign_ons import SignOns
from hub.settings import Loaded, Settings
from hub.sources.asking import Asking, Budget
from hub.sources.auditing import Auditing
from hub.sources.directory import SourceDirectory
from hub.sources.registry import Registry, build_registry
from hub.web.cors import Cors
from hub.web.graphql import GraphQLEndpoint
from hub.web.identify import presented
from hub.web.limits import Limits
from hub.web.page import page_client
from hub.web.provenance import extensions
from hub.web.routes import routes
from hub.web.sight import viewer_of
from schema.graph.build import build_schema, sdl
from schema.graph.context import Context, Diary
from schema.model.divisions import Divisions, shipped
from schema.model.privacy import Duty
from schema.model.viewer import Viewer
from schema.model.words import Kind, Word, WordSpec

BEIJING = timezone(timedelta(hours=8))
ISSUER = "https://hub.rongtong.invalid/development"
AUDIENCE = "rongtong-graph"
JOURNAL = "journal"
FETCHED = 1 << 20
"""Most bytes of another system's answer that the gate reads."""
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
    records: Records
    tokens: AccessTokens
    started: float
    gate: Gate | None = None
    gate_https: tuple[Http, ...] = ()
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
        return kind(self.registry.joined, self.specs, asking, viewer, self.divisions, self.today())

    def today(self) -> date:
        """The day in China."""
        return self.clock.now().astimezone(BEIJING).date()

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
            witness=self.records.witness,
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
        if self.gate is not None:
            await self.gate.aclose()
        for http in self.gate_https:
            await http.aclose()
        await self.records.aclose()
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
    seal = Seal(matching_key(loaded))
    registry = build_registry(loaded, seal, clock)
    ring = await asyncio.to_thread(key_ring, loaded)
    tokens = tokens_of(settings, ring, clock)
    identity = None
    if personas is not None:
        production = settings.hub.environment == "production"
        identity = DevelopmentIdentity(personas, tokens, production=production)
    every = settings.catalogue.harvest_every or 6 * 3600.0
    catalogue = MongoCatalogue(mongo, registry, clock, every=every) if mongo else None
    rosters = {code: source.connector for code, source in registry.joined.items()}
    journal = state_folder(loaded) / JOURNAL
    records = Records.on(journal, ring.derived("journal"), mongo, rosters, clock, seal.match_key)
    hub = Hub(
        loaded, registry, cache, catalogue, mongo, shipped(), clock, identity, records, tokens, clock.epoch()
    )
    if settings.identity.issuer and mongo is not None:
        networks = (settings.hub.allowed_networks, settings.identity.allowed_networks)
        hub.gate_https = tuple(Http(allowed, max_bytes=FETCHED) for allowed in networks)
        hub.gate = await asyncio.to_thread(build_gate, _asked_of(hub, ring, seal, mongo))
    return hub


def tokens_of(settings: Settings, ring: KeyRing, clock: Clock) -> AccessTokens:
    """The access tokens of these settings: of the hub's own issuer, or of the development identity's."""
    identity = settings.identity
    issuer, audience = (identity.issuer, graph_of(identity)) if identity.issuer else (ISSUER, AUDIENCE)
    return AccessTokens(ring, issuer=issuer, audience=audience, clock=clock.epoch)


def _asked_of(hub: Hub, ring: KeyRing, seal: Seal, mongo: Mongo) -> Asked:
    """What the gate is built from."""
    settings, index = hub.loaded.settings, hub.records.index
    page = page_client(settings.identity.issuer)
    inside, outside = (HttpFetch(http) for http in hub.gate_https)
    assert index is not None, "there is a database"

    def region_name(code: str, _language: str) -> str:
        region = hub.divisions.get(code)
        return str(region["name"]) if region else code

    return Asked(
        identity=settings.identity, trust=settings.trust, upstreams=settings.upstreams,
        clients=(*settings.clients, page), level=settings.hub.level.value,
        region=settings.hub.region,
        purposes=tuple(duty.value for duty in Duty), state=state_folder(hub.loaded), keys=ring,
        store=MongoStore(mongo), fetch=inside,
        outside=outside,
        people=RosterPeople(hub.directory, hub.today, index.find), matching=seal, audit=hub.records.log,
        clock=hub.clock.epoch, region_name=region_name,
    )  # fmt: skip


def create_app(hub: Hub, *, on_close: Callable[[], Awaitable[None]] | None = None) -> Starlette:
    """The hub over HTTP. Closing the application closes the hub."""
    settings = hub.loaded.settings
    production = settings.hub.environment == "production"
    gate = hub.gate

    def origins() -> frozenset[str]:
        return gate.clients.origins() if gate else frozenset()

    endpoint = GraphQLEndpoint(
        SchemaExecutor(build_schema()),
        _identify(hub),
        lambda request, viewer: _asked(hub, request, viewer),
        lambda context, _result: _finish(hub, context),
        Limits(),
        production,
        is_anonymous=lambda viewer: viewer.anonymous,
        allowed_origins=origins,
    )

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        hub.records.start()
        if gate is not None:
            gate.start()
        working = [asyncio.create_task(work(hub)) for work in (_harvest_now_and_then, _index_now_and_then)]
        try:
            yield
        finally:
            for work in working:
                work.cancel()
            await asyncio.gather(*working, return_exceptions=True)
            await hub.aclose()
            if on_close:
                await on_close()

    identity = hub.identity
    personas = (lambda: _shown_personas(identity)) if identity else None
    addresses = routes(endpoint, hub.state, sdl=sdl(), personas=personas)
    app = Starlette(
        routes=[*addresses, *(gate.routes if gate else ()), *_own_data(hub)],
        middleware=[Middleware(Cors, origins=origins)],
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # it builds its address from Host and X-Forwarded-Proto
    return app


def _own_data(hub: Hub) -> Sequence[BaseRoute]:
    """Where a person reads and erases what the hub holds of them; here, since gate and people meet here."""
    gate, mongo = hub.gate, hub.mongo
    if gate is None or mongo is None:
        return ()
    epoch, store = hub.clock.epoch, MongoStore(mongo)
    sign_ons = SignOns(gate.sessions, gate.endings, gate.families)
    return PersonalData(
        gate.pages, gate.sessions, Export(store, gate.accounts, epoch),
        Erasure(store, gate.accounts, sign_ons, hub.records.log, epoch),
        lambda session: epoch() - session.auth_time.timestamp() <= RECENT,
    ).routes()  # fmt: skip


def _identify(hub: Hub) -> Callable[[Request], Awaitable[Viewer]]:
    """From request to viewer; without sign-on and personas everybody is nobody, and any token is refused."""
    verify = hub.tokens.verify if hub.gate or hub.identity else _refuse
    possession = hub.gate.possession if hub.gate else None
    principal_of = presented(verify, possession, hub.tokens.audience)

    async def identify(request: Request) -> Viewer:
        declared = request.headers.get("x-rongtong-purpose", "")[:200]
        purposes = [word.strip() for word in declared.split(",")]
        viewer = viewer_of(await principal_of(request), purposes)
        consented = await hub.records.consented(viewer)
        return replace(viewer, consented=consented) if consented else viewer

    return identify


def _refuse(_token: str) -> Principal:
    raise InvalidToken


def _asked(hub: Hub, request: Request, viewer: Viewer) -> Context:
    context = hub.context(viewer)
    context.extras["provenance"] = bool(getattr(request.state, "provenance", False))
    context.extras["request"] = request.state.request_id
    return context


async def _finish(hub: Hub, context: Context) -> dict[str, Any] | None:
    """Write down what was read, then let the answer go. Raises `AuditUnavailable`."""
    await hub.records.log.wrote(context.viewer, context.diary.reads, context.extras["request"])
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


async def _index_now_and_then(hub: Hub) -> None:
    """Gather the numbers' homes at the harvests' pace."""
    every, index = hub.loaded.settings.catalogue.harvest_every, hub.records.index
    while index is not None and every > 0:
        with contextlib.suppress(StorageError):
            await index.refresh()
        await asyncio.sleep(every)


async def _harvest_now_and_then(hub: Hub) -> None:
    """Harvest at the settings' pace while the hub runs; what fails is tried again at the next turn."""
    every = hub.loaded.settings.catalogue.harvest_every
    if hub.catalogue is None or every <= 0:
        return
    while True:
        with contextlib.suppress(StorageError):
            await hub.catalogue.harvest_all()
        await asyncio.sleep(every)
