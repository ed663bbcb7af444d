"""The gate's token endpoint and device page on a real port: all real but the rosters and the audit."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from auth import proofs, sessions, throttle
from auth.broker import accounts
from auth.broker.accounts import Accounts
from auth.browser import Cookies
from auth.clients import Clients
from auth.documents import Account
from auth.dpop import DPoP
from auth.fetch import Fetched, FetchFailed
from auth.keys import KeyRing
from auth.pages import Pages
from auth.ports import Assertion, Profile
from auth.principal import RoleClaim
from auth.proofs import StoredProofs
from auth.provider import codes, consents, device_codes, families, interactions, revoke, signed
from auth.provider.arriving import Arriving
from auth.provider.authorize import Authorize
from auth.provider.client_auth import ClientAuthentication
from auth.provider.codes import Codes
from auth.provider.consents import Consents
from auth.provider.device import GRANT_TYPE, DeviceAuthorization, DeviceGrant
from auth.provider.device_codes import DeviceCodes
from auth.provider.device_page import GUESSES, DevicePage
from auth.provider.discovery import Discovery
from auth.provider.exchange import TokenExchange, Verifier
from auth.provider.families import Families
from auth.provider.id_tokens import IdTokens
from auth.provider.interactions import Interactions
from auth.provider.issuing import Issuing
from auth.provider.persons import Persons
from auth.provider.plugged import plugged
from auth.provider.pushed import Pushed
from auth.provider.request_object import RequestObjects
from auth.provider.revoke import Revocation, Revoked
from auth.provider.server import AuthorizationServer
from auth.provider.signed import Once, Signed
from auth.provider.subjects import subject_for
from auth.provider.token_endpoint import TokenEndpoint
from auth.sessions import Sessions
from auth.settings import ClientSettings
from auth.store import Store
from auth.throttle import Throttle
from auth.tokens import AccessTokens
from hub.cli.listen import address, bound, serving
from hub.settings import Server
from tests.fakes.gate import Clock, Visitor

INDEXES = (
    *proofs.INDEXES, *sessions.INDEXES, *throttle.INDEXES, *accounts.INDEXES, *codes.INDEXES,
    *consents.INDEXES, *device_codes.INDEXES, *families.INDEXES, *interactions.INDEXES, *revoke.INDEXES,
    *signed.INDEXES,
)  # fmt: skip
AUDIENCE = "rongtong-graph"
CLI = ClientSettings(
    id="rongtong-cli", name="融通命令行", name_en="Rongtong command line", first_party=True,
    grant_types=(GRANT_TYPE, "refresh_token"), scopes=("openid", "profile", "graph", "offline_access"),
    purposes=("teaching",),
)  # fmt: skip


class Rosters:
    """Everybody is a grown-up county teacher."""

    async def profile(self, person: str, accounts: Sequence[Account]) -> Profile:
        role = RoleClaim("TEACHER", "371502", "3137000001", ("c-301",))
        return Profile(person, "COUNTY", name="合成教师甲", roles=(role,), minor=False)


@dataclass
class Paper:
    """Notes what happened."""

    events: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    async def note(self, event: str, *, person: str = "", **facts: str) -> None:
        self.events.append((event, facts))

    def named(self) -> list[str]:
        return [event for event, _ in self.events]


async def nowhere(method: str, url: str, **_: Any) -> Fetched:
    """A way out that leads nowhere."""
    raise FetchFailed("unavailable")


@dataclass
class Granting:
    """A running gate and its parts."""

    url: str
    clock: Clock
    store: Store
    http: aiohttp.ClientSession
    cookies: Cookies
    sessions: Sessions
    accounts: Accounts
    families: Families
    devices: DeviceCodes
    consents: Consents
    tokens: AccessTokens
    id_tokens: IdTokens
    paper: Paper

    async def post(self, path: str, form: dict[str, str] | bytes, **more: Any) -> tuple[int, dict[str, Any]]:
        """POST a form to a JSON endpoint."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"} | more.pop("headers", {})
        async with self.http.post(self.url + path, data=form, headers=headers, **more) as answer:
            return answer.status, await answer.json()

    async def begin(self, client: ClientSettings = CLI, **form: str) -> dict[str, Any]:
        """What a device is told."""
        status, told = await self.post("/oauth/device_authorization", {"client_id": client.id} | form)
        assert status == 200, told
        return told

    async def poll(
        self, device_code: str, client_id: str = CLI.id, **headers: str
    ) -> tuple[int, dict[str, Any]]:
        """One poll of a device."""
        form = {"grant_type": GRANT_TYPE, "device_code": device_code, "client_id": client_id}
        return await self.post("/oauth/token", form, headers=headers)

    async def sign_in(self, visitor: Visitor, sub: str = "county-teacher") -> str:
        """A sign-on in the visitor's browser, as the broker makes it; the session's id."""
        assertion = Assertion(
            upstream="county", iss="https://county.example", sub=sub, level="COUNTY", name="合成教师甲",
            acr="urn:rongtong:acr:name-verified", amr=("pwd",), auth_time=int(self.clock()) - 60,
        )  # fmt: skip
        person = await self.accounts.person_for(assertion)
        session, cookie = await self.sessions.sign_in(None, visitor.mark, person, assertion)
        visitor.give(self.cookies.session_name, cookie)
        return session.id


@asynccontextmanager
async def granting(
    store: Store,
    folder: Path,
    clients: Sequence[ClientSettings] = (CLI,),
    id_tokens: Callable[[str], dict[str, Verifier]] = lambda issuer: {},
    access_tokens: Callable[[str], dict[str, Verifier]] = lambda issuer: {},
    beside: Callable[[AccessTokens], Sequence[BaseRoute]] = lambda tokens: (),
) -> AsyncIterator[Granting]:
    """The gate on a free port. `id_tokens`, `access_tokens`: verifiers by issuer; `beside`: more routes."""
    await store.declare(INDEXES)
    listening = bound(Server(host="127.0.0.1", port=0))
    url = address(Server(), listening.getsockname()[1])
    clock, paper, keys = Clock(), Paper(), KeyRing.open(folder)
    cookies = Cookies(url)
    pages = Pages(cookies, keys.derived("forms"))
    signed_on = Sessions(
        store, cookies, clock, life=43200, idle=7200, seal=keys.seal, open_sealed=keys.open_sealed
    )
    people = Accounts(store, paper, clock)
    kept = Families(store, clock, life=14 * 86400, grace=0)
    access = AccessTokens(keys, issuer=url, audience=AUDIENCE, clock=clock)
    own_id_tokens = IdTokens(keys, url, clock)
    issuing = Issuing(
        issuer=url, tokens=access, id_tokens=own_id_tokens, families=kept, sessions=signed_on,
        persons=Persons(Rosters(), people), subject=partial(subject_for, keys), life=300,
    )  # fmt: skip
    known = Clients(store, clients, nowhere, clock)
    proven = ClientAuthentication(known, Signed(known, Once(store), clock), url, f"{url}/oauth/token")
    agreed = Consents(store, clock, ended=kept.revoke_client_of, audit=paper)
    devices = DeviceCodes(store, clock, keys.derived("device codes"))
    server = AuthorizationServer(
        clients=known, authentication=proven, codes=Codes(store, clock), families=kept, issuing=issuing,
        audit=paper,
    )  # fmt: skip
    server.register_grant(plugged(DeviceGrant(devices, kept, issuing)))
    server.register_grant(
        plugged(
            TokenExchange(
                id_tokens=id_tokens(url), access_tokens=access_tokens(url), person_for=people.person_for,
                audiences=frozenset({AUDIENCE, f"{url}/graphql"}), families=kept, issuing=issuing,
                audit=paper, clock=clock, life=300,
            )
        )
    )  # fmt: skip
    slow = Throttle(store, clock, keys.derived("device guesses"), pair=GUESSES, account=GUESSES)
    page = DevicePage(
        pages, devices, known, signed_on, Interactions(store, clock), slow, agreed, paper, person_name=_name
    )
    dpop = DPoP(StoredProofs(store), clock)
    pushed, objects = Pushed(store, clock), RequestObjects(Signed(known, Once(store), clock), url)
    authorize = Authorize(
        issuer=url, server=server, arriving=Arriving(known, pushed, objects, own_id_tokens), pushed=pushed,
        interactions=Interactions(store, clock), sessions=signed_on, persons=Persons(Rosters(), people),
        consents=agreed, pages=pages, subject=partial(subject_for, keys), clock=clock,
    )  # fmt: skip
    routes = [
        *Discovery(url, keys, registration=False).routes(),
        *authorize.routes(),
        *TokenEndpoint(server, url, dpop).routes(),
        *DeviceAuthorization(url, proven, devices).routes(),
        *page.routes(),
        *Revocation(url, proven, access, kept, Revoked(store)).routes(),
        *beside(access),
    ]
    async with serving(Starlette(routes=routes), Server(), listening), aiohttp.ClientSession() as http:
        yield Granting(
            url, clock, store, http, cookies, signed_on, people, kept, devices, agreed, access,
            own_id_tokens, paper,
        )  # fmt: skip


async def _name(person: str) -> str:
    return "合成教师甲"


def bare(**other: Any) -> ClientSettings:
    """Another client of the settings, confidential unless said otherwise."""
    values: dict[str, Any] = {"id": f"c-{secrets.token_hex(4)}", "name": "另一个应用", "secret": "s" * 32}
    return ClientSettings(**(values | other))
