"""A provider assembled of the real parts over a real store, with a sign-in page that asks nobody anything.

What a story may turn: the clock, what the rosters tell of a person, which process answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from auth.broker import accounts as account_files
from auth.broker.accounts import Accounts
from auth.browser import Cookies, query
from auth.clients import Clients
from auth.documents import Account, Client
from auth.dpop import DPoP
from auth.fetch import Fetched, FetchFailed
from auth.keys import KeyRing
from auth.pages import Pages
from auth.ports import Assertion, Profile
from auth.principal import RoleClaim
from auth.proofs import RememberedProofs
from auth.provider import codes, consents, families, interactions, pushed, signed
from auth.provider.arriving import Arriving
from auth.provider.authorize import Authorize
from auth.provider.client_auth import ClientAuthentication
from auth.provider.codes import Codes
from auth.provider.consent import ConsentPages
from auth.provider.consents import Consents
from auth.provider.families import Families
from auth.provider.id_tokens import IdTokens
from auth.provider.interactions import Interactions
from auth.provider.issuing import Issuing
from auth.provider.par import PushedRequests
from auth.provider.persons import Persons
from auth.provider.pushed import Pushed
from auth.provider.request_object import RequestObjects
from auth.provider.server import AuthorizationServer
from auth.provider.signed import Once, Signed
from auth.provider.subjects import subject_for
from auth.provider.token_endpoint import TokenEndpoint
from auth.sessions import INDEXES as SESSION_INDEXES
from auth.sessions import Sessions
from auth.settings import ClientSettings
from auth.store import IndexSpec, Store
from auth.tokens import AccessTokens
from hub.cli.listen import bound, serving
from hub.settings import Server

INDEXES: tuple[IndexSpec, ...] = (
    *codes.INDEXES, *consents.INDEXES, *families.INDEXES, *interactions.INDEXES, *pushed.INDEXES,
    *signed.INDEXES, *SESSION_INDEXES, *account_files.INDEXES,
)  # fmt: skip
TEACHER, PUPIL = "county-teacher", "pupil"


class Clock:
    """The real time, and what the story adds to it."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@dataclass
class Rosters:
    """Answers for the rosters: a teacher of the county, her pupil of eleven; `gone` are known no more."""

    async def profile(self, person: str, accounts: Sequence[Account]) -> Profile:
        names = {each.sub for each in accounts}
        if PUPIL in names:
            role = RoleClaim("STUDENT", "371502", "3137000001", ("c-301",))
            return Profile(person, "SCHOOL", "学生甲", (role,), ("roster:p-8",), (), minor=True)
        role = RoleClaim("TEACHER", "371502", "3137000001", ("c-301", "c-302"))
        return Profile(person, "COUNTY", "教师甲", (role,), ("roster:p-7",), (), minor=False)


@dataclass
class Notes:
    """Remembers what was audited."""

    events: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    async def note(self, event: str, *, person: str = "", **facts: str) -> None:
        self.events.append((event, facts))

    def named(self) -> list[str]:
        """The events' names."""
        return [event for event, _ in self.events]


@dataclass
class KeySets:
    """What clients publish at their jwks_uri; everything else cannot be reached."""

    served: dict[str, bytes] = field(default_factory=dict)

    async def __call__(self, method: str, url: str, **_: Any) -> Fetched:
        if url not in self.served:
            raise FetchFailed("unavailable")
        return Fetched(200, {}, self.served[url])


@dataclass
class Provider:
    """One process of the hub's sign-on. `url` is where it listens, `issuer` how the world knows it."""

    url: str
    issuer: str
    clock: Clock
    keys: KeyRing
    tokens: AccessTokens
    clients: Clients
    families: Families
    sessions: Sessions
    accounts: Accounts
    interactions: Interactions
    consents: Consents
    audit: Notes
    server: AuthorizationServer
    routes: list[BaseRoute]
    key_sets: KeySets

    def subject(self, client: Client, person: str) -> str:
        """A person's pairwise name."""
        return subject_for(self.keys, client, person)


def assembled(
    issuer: str, store: Store, keys: KeyRing, clients: Sequence[ClientSettings], clock: Clock,
    grace: float = 0.0,
) -> Provider:  # fmt: skip
    """The parts, put together."""
    audit, key_sets, cookies = Notes(), KeySets(), Cookies(issuer)
    pages = Pages(cookies, keys.derived("forms"))
    found = Clients(store, clients, key_sets, clock)
    kept = Families(store, clock, life=14 * 86400, grace=grace)
    sessions = Sessions(
        store, cookies, clock, life=43200, idle=7200, seal=keys.seal, open_sealed=keys.open_sealed
    )
    accounts = Accounts(store, audit, clock)
    persons, subject = Persons(Rosters(), accounts), partial(subject_for, keys)
    tokens = AccessTokens(keys, issuer=issuer, audience=f"{issuer}/graphql", clock=clock)
    id_tokens = IdTokens(keys, issuer, clock)
    checked = Signed(found, Once(store), clock)
    objects, pushes = RequestObjects(checked, issuer), Pushed(store, clock)
    issuing = Issuing(
        issuer=issuer, tokens=tokens, id_tokens=id_tokens, families=kept, sessions=sessions,
        persons=persons, subject=subject, life=300,
    )  # fmt: skip
    server = AuthorizationServer(
        clients=found, authentication=ClientAuthentication(found, checked, issuer, f"{issuer}/oauth/token"),
        codes=Codes(store, clock), families=kept, issuing=issuing, audit=audit,
    )  # fmt: skip
    under_way = Interactions(store, clock)
    agreed = Consents(store, clock, ended=kept.revoke_client_of)
    authorize = Authorize(
        issuer=issuer, server=server, arriving=Arriving(found, pushes, objects, id_tokens), pushed=pushes,
        interactions=under_way, sessions=sessions, persons=persons, consents=agreed, pages=pages,
        subject=subject, clock=clock,
    )  # fmt: skip
    dpop = DPoP(RememberedProofs(clock), clock)

    async def nobody(_person: str) -> str:
        return ""

    consent = ConsentPages(pages, under_way, found, sessions, agreed, person_name=nobody)
    door = _Door(cookies, sessions, accounts, under_way, issuer, clock)
    routes = [
        *authorize.routes(), *PushedRequests(server, issuer, pushes, objects, id_tokens, dpop).routes(),
        *TokenEndpoint(server, issuer, dpop).routes(), *consent.routes(), *door.routes(),
    ]  # fmt: skip
    return Provider(
        issuer, issuer, clock, keys, tokens, found, kept, sessions, accounts, under_way, agreed, audit,
        server, routes, key_sets,
    )  # fmt: skip


class _Door:
    """A level's provider that believes everybody: `/sign-in?i=&as=&acr=&amr=&since=` signs in at once."""

    def __init__(
        self, cookies: Cookies, sessions: Sessions, accounts: Accounts, interactions: Interactions,
        issuer: str, clock: Clock,
    ) -> None:  # fmt: skip
        self._cookies, self._sessions, self._accounts = cookies, sessions, accounts
        self._interactions, self._issuer, self._clock = interactions, issuer, clock

    def routes(self) -> list[BaseRoute]:
        return [Route("/sign-in", self._answer, methods=["GET"])]

    async def _answer(self, request: Request) -> Response:
        given = query(request)
        if "as" not in given:
            return PlainTextResponse("who are you?")
        mark = self._cookies.mark(request)
        assertion = Assertion(
            upstream="county", iss="https://county.test", sub=given["as"], level="COUNTY",
            acr=given.get("acr", "urn:rongtong:acr:password"), amr=tuple(given.get("amr", "pwd").split()),
            auth_time=int(self._clock() - float(given.get("since", "0"))),
        )  # fmt: skip
        person = await self._accounts.person_for(assertion)
        old = await self._sessions.current(request)
        session, cookie = await self._sessions.sign_in(old, mark, person, assertion)
        await self._interactions.signed_in(given["i"], mark)
        response = Response(status_code=303)
        response.headers["Location"] = f"{self._issuer}/oauth/authorize/resume?i={given['i']}"
        response.headers["X-Session"] = session.id
        self._sessions.keep(response, cookie)
        return response


@contextlib.asynccontextmanager
async def provider(
    store: Store, folder: Path, clients: Sequence[ClientSettings], *, registered: Sequence[Client] = (),
    grace: float = 0.0, processes: int = 1,
) -> AsyncIterator[list[Provider]]:  # fmt: skip
    """That many processes' worth of it, each with parts of its own on a port of its own; one store, one
    key folder, one issuer: the first one's address. `registered`: clients beyond the settings' words."""
    await store.declare(INDEXES)
    for each in registered:
        await store.collection("auth_clients").insert_one(each.document())
    clock = Clock()
    keys = await asyncio.to_thread(KeyRing.open, folder / "keys", clock=clock)
    places = [(settings := Server(host="127.0.0.1", port=0), bound(settings)) for _ in range(processes)]
    issuer = f"http://127.0.0.1:{places[0][1].getsockname()[1]}"
    async with contextlib.AsyncExitStack() as stack:
        running = []
        for settings, listening in places:
            process = assembled(issuer, store, keys, clients, clock, grace)
            app = Starlette(routes=process.routes)
            process.url = await stack.enter_async_context(serving(app, settings, listening))
            running.append(process)
        yield running
