"""The provider's plain endpoints on a real port, over a real database: metadata, userinfo, introspection …

People are told from memory; everything else is the real thing.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
from starlette.applications import Starlette

from auth import clients as clients_module
from auth.clients import Clients
from auth.documents import Client
from auth.dpop import DPoP
from auth.keys import KeyRing
from auth.ports import Profile
from auth.principal import Principal, RoleClaim
from auth.proofs import RememberedProofs
from auth.provider import families as families_module
from auth.provider import revoke as revoke_module
from auth.provider import signed as signed_module
from auth.provider.client_auth import ClientAuthentication
from auth.provider.discovery import Discovery
from auth.provider.families import Families
from auth.provider.introspect import Introspection
from auth.provider.register import Registration
from auth.provider.revoke import Revocation, Revoked
from auth.provider.signed import Once, Signed
from auth.provider.subjects import subject_for
from auth.provider.userinfo import UserInfo
from auth.settings import ClientSettings
from auth.store import Store
from auth.tokens import AccessTokens
from connectors.http import Http
from hub.cli.listen import bound, serving
from hub.identity.fetch import HttpFetch
from hub.settings import Server

INDEXES = (
    *clients_module.INDEXES, *families_module.INDEXES, *revoke_module.INDEXES, *signed_module.INDEXES,
)  # fmt: skip
GRADEBOOK_SECRET, ARCHIVE_SECRET, WATCH_SECRET = "g" * 43, "a" * 43, "w" * 43
INITIAL = "initial-token-of-the-operator-32b"
CLIENTS = (
    ClientSettings(
        id="gradebook", name="成绩册", secret=GRADEBOOK_SECRET, minors=True,
        redirect_uris=("https://gradebook.test/cb",), scopes=("openid", "profile", "roles", "graph"),
    ),
    ClientSettings(id="archive", name="档案", secret=ARCHIVE_SECRET, redirect_uris=("https://archive.test/cb",)),
    ClientSettings(id="watch", name="资源服务", secret=WATCH_SECRET, scopes=("introspect",)),
    ClientSettings(id="page", name="网页", auth_method="none", redirect_uris=("https://page.test/cb",)),
)  # fmt: skip
TEACHER = Profile(
    person="P-teacher", level="COUNTY", name="县级教师甲", person_keys=("roster:7",), minor=False,
    roles=(RoleClaim("TEACHER", "371502", "3137000001", ("c-1", "c-2")),),
)  # fmt: skip
PUPIL = Profile(
    person="P-pupil", level="SCHOOL", name="学生乙", person_keys=("roster:8",), minor=True,
    roles=(RoleClaim("STUDENT", "371502", "3137000001", ("c-1",)),),
)  # fmt: skip


class Clock:
    """A clock that the story turns."""

    def __init__(self) -> None:
        self.now = 1_900_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Remembered:
    """Whom the story knows; what was noted."""

    people: dict[str, Profile] = field(default_factory=lambda: {p.person: p for p in (TEACHER, PUPIL)})
    notes: list[str] = field(default_factory=list)

    async def profile(self, person: str) -> Profile | None:
        return self.people.get(person)

    async def note(self, event: str, *, person: str = "", **facts: str) -> None:
        self.notes.append(event)


@dataclass
class Answer:
    """What came back, and that it is JSON nobody keeps."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def error(self) -> str:
        return str(self.body.get("error", "")) if isinstance(self.body, dict) else ""


@dataclass
class Desk:
    """The endpoints and their parts."""

    url: str
    http: aiohttp.ClientSession
    store: Store
    clock: Clock
    ring: KeyRing
    tokens: AccessTokens
    clients: Clients
    families: Families
    remembered: Remembered

    async def call(self, method: str, path: str, **more: Any) -> Answer:
        async with self.http.request(method, self.url + path, **more) as answer:
            content = await answer.read()
            json = "json" in answer.headers.get("Content-Type", "") and content
            return Answer(
                answer.status,
                answer.headers.copy(),
                await answer.json(content_type=None) if json else content,
            )

    async def raw(self, request: bytes) -> bytes:
        """Bytes on a socket, and all that comes back."""
        reader, writer = await asyncio.open_connection("127.0.0.1", int(self.url.rpartition(":")[2]))
        writer.write(request)
        answer = await reader.read()
        writer.close()
        return answer

    async def client(self, client_id: str) -> Client:
        found = await self.clients.get(client_id)
        assert found is not None
        return found

    async def grant(
        self, client_id: str = "gradebook", person: str = TEACHER.person,
        scopes: tuple[str, ...] = ("openid", "profile", "roles"), jkt: str = "", **more: Any,
    ) -> tuple[str, str, str]:  # fmt: skip
        """A family, its refresh token and an access token, as the token endpoint gives them out."""
        family, refresh = await self.families.start(
            True, client_id=client_id, person=person, session="S", scopes=scopes, jkt=jkt, **more
        )
        principal = Principal(
            issuer=self.tokens.issuer, subject=subject_for(self.ring, await self.client(client_id), person),
            level="COUNTY", person=person, scopes=scopes, client_id=client_id, jkt=jkt,
            acr="urn:rongtong:acr:face-verified", auth_time=1_899_999_000,
        )  # fmt: skip
        access = self.tokens.issue(principal, timedelta(minutes=5), family=family.id)
        return family.id, refresh, access


def basic(client_id: str, secret: str) -> dict[str, str]:
    return {"Authorization": aiohttp.encode_basic_auth(client_id, secret)}


def bearer(token: str, scheme: str = "Bearer") -> dict[str, str]:
    return {"Authorization": f"{scheme} {token}"}


GRADEBOOK = basic("gradebook", GRADEBOOK_SECRET)
ARCHIVE = basic("archive", ARCHIVE_SECRET)
WATCH = basic("watch", WATCH_SECRET)


@asynccontextmanager
async def desk(store: Store, folder: Path, *, initial_token: str = INITIAL) -> AsyncIterator[Desk]:
    """The endpoints on a free port. The hub may reach loopback by the name `localhost` only."""
    await store.declare(INDEXES)
    clock, remembered = Clock(), Remembered()
    ring = await asyncio.to_thread(KeyRing.open, folder / "keys", clock=clock)
    listening: socket.socket = bound(Server(port=0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    async with Http(["localhost"]) as http, aiohttp.ClientSession() as session:
        clients = Clients(store, CLIENTS, HttpFetch(http), clock, None)
        families = Families(store, clock, life=3600, grace=0)
        tokens = AccessTokens(ring, issuer=url, audience=f"{url}/graphql", clock=clock)
        authentication = ClientAuthentication(
            clients, Signed(clients, Once(store), clock), url, f"{url}/oauth/token"
        )
        revoked, proven = Revoked(store), DPoP(RememberedProofs(clock), clock)
        parts = (
            Discovery(url, ring, registration=bool(initial_token)),
            UserInfo(url, tokens, families, revoked, clients, remembered, proven),
            Introspection(url, authentication, tokens, families, revoked, ring, clock),
            Revocation(url, authentication, tokens, families, revoked),
            Registration(url, store, clients, ring, remembered, clock, initial_token=initial_token),
        )
        app = Starlette(routes=[route for part in parts for route in part.routes()])
        async with serving(app, Server(), listening):
            yield Desk(url, session, store, clock, ring, tokens, clients, families, remembered)
