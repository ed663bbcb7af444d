"""The gate, put together: provider, broker and trust over the hub's store, as one list of addresses.

Everything is handed in or made here once; `Gate.run` keeps its workers going, `Gate.aclose` ends them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from starlette.routing import BaseRoute

from auth import clients as client_files
from auth import local, passkeys, proofs, sessions, throttle
from auth.broker import accounts as account_files
from auth.broker import kinds, linking, pending
from auth.broker.account_page import AccountPage
from auth.broker.accounts import Accounts
from auth.broker.linking import Linking
from auth.broker.login import SignIn
from auth.broker.oidc import Oidc
from auth.broker.pending import Pendings
from auth.broker.upstream import Upstream, UpstreamRefused
from auth.browser import Cookies
from auth.clients import Clients
from auth.dpop import DPoP
from auth.ending import chain, notices, upstream_notices
from auth.ending.chain import Chain
from auth.ending.endings import Endings
from auth.ending.logout import Logout
from auth.ending.notices import Notices
from auth.ending.upstream_notices import UpstreamNotices
from auth.errors import StoreDown
from auth.fetch import Fetch
from auth.keys import KeyRing
from auth.local import LocalAccounts
from auth.pages import Pages
from auth.passkey_pages import PasskeyPages
from auth.passkeys import Passkeys
from auth.passwords import Passwords
from auth.ports import Audit, Matching, People
from auth.proofs import RememberedProofs, SteadyProofs, StoredProofs
from auth.provider import codes, consents, device_codes, families, interactions, pushed, revoke, signed
from auth.provider.arriving import Arriving
from auth.provider.authorize import Authorize
from auth.provider.client_auth import ClientAuthentication
from auth.provider.codes import Codes
from auth.provider.consent import ConsentPages
from auth.provider.consents import Consents
from auth.provider.device import DeviceAuthorization, DeviceGrant
from auth.provider.device_codes import DeviceCodes
from auth.provider.device_page import GUESSES, DevicePage
from auth.provider.discovery import Discovery
from auth.provider.exchange import AccessTokensOf, IdTokensOf, TokenExchange
from auth.provider.families import Families
from auth.provider.id_tokens import IdTokens
from auth.provider.interactions import Interactions
from auth.provider.introspect import Introspection
from auth.provider.issuing import Issuing
from auth.provider.par import PushedRequests
from auth.provider.persons import Persons
from auth.provider.plugged import plugged
from auth.provider.pushed import Pushed
from auth.provider.register import Registration
from auth.provider.request_object import RequestObjects
from auth.provider.revoke import Revocation, Revoked
from auth.provider.server import AuthorizationServer
from auth.provider.sign_in import OwnAccounts, SignInPages
from auth.provider.signed import Once, Signed
from auth.provider.subjects import subject_for
from auth.provider.token_endpoint import TokenEndpoint
from auth.provider.userinfo import UserInfo
from auth.sessions import Sessions
from auth.settings import ClientSettings, IdentitySettings, TrustSettings, UpstreamSettings
from auth.store import IndexSpec, Store
from auth.throttle import Throttle
from auth.tokens import AccessTokens
from auth.trust import federation as trust
from auth.trust.authority import Published
from auth.trust.errors import Distrusted
from auth.trust.federation import Federation
from hub.identity.fetch import Written

INDEXES: tuple[IndexSpec, ...] = (
    *account_files.INDEXES, *chain.INDEXES, *client_files.INDEXES, *codes.INDEXES, *consents.INDEXES,
    *device_codes.INDEXES, *families.INDEXES, *interactions.INDEXES, *linking.INDEXES, *local.INDEXES,
    *notices.INDEXES, *passkeys.INDEXES, *pending.INDEXES, *proofs.INDEXES, *pushed.INDEXES, *revoke.INDEXES,
    *sessions.INDEXES, *signed.INDEXES, *throttle.INDEXES, *trust.INDEXES, *upstream_notices.INDEXES,
)  # fmt: skip
FEDERATION_KEYS = "federation-keys"
ORIGINS_EVERY = 10.0
DECLARE_EVERY = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the gate is built from: settings, and what the hub lends it. `level` and `region` are the hub's,
    `purposes` those it knows; `region_name(code, language)` names a place for people. `fetch` goes where the
    operator's tables say, `outside` where strangers say: applications that registered, entities."""

    identity: IdentitySettings
    trust: TrustSettings
    upstreams: tuple[UpstreamSettings, ...]
    clients: tuple[ClientSettings, ...]
    level: str
    region: str
    purposes: tuple[str, ...]
    state: Path
    keys: KeyRing
    store: Store
    fetch: Fetch
    outside: Fetch
    people: People
    matching: Matching
    audit: Audit
    clock: Callable[[], float]
    region_name: Callable[[str, str], str]

    @property
    def to_clients(self) -> Fetch:
        """The way to applications: those of the settings may live inside."""
        return Written(self.fetch, self.outside, written(self.clients))

    @property
    def graph(self) -> str:
        """The graph's address: the audience of access tokens."""
        return graph_of(self.identity)


def written(clients: Iterable[ClientSettings]) -> Iterator[str]:
    """The addresses of applications' servers that the operator wrote down."""
    for client in clients:
        yield from (client.jwks_uri, client.backchannel_logout_uri)


def graph_of(identity: IdentitySettings) -> str:
    """The graph's own address as its clients know it."""
    return f"{identity.issuer}/graphql"


@dataclass(slots=True)
class Gate:
    """The gate that is built: what the web, the command line and tests reach of it."""

    routes: list[BaseRoute]
    clients: Clients
    sessions: Sessions
    accounts: Accounts
    families: Families
    consents: Consents
    local: LocalAccounts
    endings: Endings
    federation: Federation
    possession: DPoP
    upstreams: Mapping[str, Upstream]
    pages: Pages
    _store: Store
    _notices: Notices
    _keys: KeyRing
    _passwords: Passwords
    _workers: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self) -> None:
        """Keep the workers going: indexes, key ring, notices of sign-ons that ended, origins."""
        work = (self._declared(), self._keys.watch(), self.endings.run(), self._origins())
        self._workers = [asyncio.create_task(each) for each in work]

    async def aclose(self) -> None:
        """End the workers."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        await self._notices.aclose()
        await self.federation.aclose()
        self._passwords.close()

    async def declare(self) -> None:
        """Have the indexes made, TTL among them. Raises `StoreDown`."""
        await self._store.declare(INDEXES)

    async def _declared(self) -> None:
        while True:
            with contextlib.suppress(StoreDown):
                await self.declare()
                return
            await asyncio.sleep(DECLARE_EVERY)

    async def _origins(self) -> None:
        while True:
            with contextlib.suppress(StoreDown):
                await self.clients.refreshed()
            await asyncio.sleep(ORIGINS_EVERY)


@dataclass(slots=True)
class _Core:
    """What provider and broker both stand on."""

    asked: Asked
    cookies: Cookies
    pages: Pages
    federation: Federation
    clients: Clients
    sessions: Sessions
    families: Families
    accounts: Accounts
    interactions: Interactions
    consents: Consents
    id_tokens: IdTokens
    tokens: AccessTokens
    upstreams: dict[str, Upstream]

    async def person_name(self, person: str) -> str:
        """What to call a person; "" where nobody knows."""
        accounts = await self.accounts.of_person(person)
        return next((account.display_name for account in accounts if account.display_name), "")


def build_gate(asked: Asked) -> Gate:
    """The gate for these settings; nothing is asked of anybody yet. Raises ValueError for settings that
    contradict themselves. Blocking for a moment: key files."""
    core = _core(asked)
    outbox = Notices(
        asked.store, core.clients, asked.keys, asked.to_clients, asked.audit, asked.clock,
        issuer=asked.identity.issuer,
    )  # fmt: skip
    endings = Endings(core.sessions, outbox, core.families, asked.audit)
    passwords = Passwords()
    own = LocalAccounts(
        asked.store, passwords, asked.clock, issuer=asked.identity.issuer, level=asked.level,
        region=asked.region, audit=asked.audit,
    )  # fmt: skip
    possession = DPoP(SteadyProofs(StoredProofs(asked.store), RememberedProofs(asked.clock)), asked.clock)
    routes = [
        *_provider(core, DPoP(StoredProofs(asked.store), asked.clock)),
        *_broker(core, endings, own),
        *core.federation.routes(),
    ]
    return Gate(
        routes, core.clients, core.sessions, core.accounts, core.families, core.consents, own, endings,
        core.federation, possession, core.upstreams, core.pages, asked.store, outbox, asked.keys, passwords,
    )  # fmt: skip


def _core(asked: Asked) -> _Core:
    identity, store, clock, keys = asked.identity, asked.store, asked.clock, asked.keys
    cookies = Cookies(identity.issuer)
    found: dict[str, Any] = {}
    federation = _federation(asked, found)
    clients = Clients(store, asked.clients, asked.to_clients, clock, federation.client)
    family_store = Families(store, clock, life=identity.refresh_token_life, grace=identity.refresh_grace)
    core = _Core(
        asked, cookies, Pages(cookies, keys.derived("forms")), federation, clients,
        Sessions(
            store, cookies, clock, life=identity.session_life, idle=identity.session_idle, seal=keys.seal,
            open_sealed=keys.open_sealed,
        ),
        family_store, Accounts(store, asked.audit, clock), Interactions(store, clock),
        Consents(store, clock, ended=family_store.revoke_client_of, audit=asked.audit),
        IdTokens(keys, identity.issuer, clock),
        AccessTokens(keys, issuer=identity.issuer, audience=asked.graph, clock=clock),
        {each.code: _upstream(asked, federation, each) for each in asked.upstreams},
    )  # fmt: skip
    found["openid_provider"] = Discovery(
        identity.issuer, keys, registration=bool(identity.registration_token)
    ).metadata | {"client_registration_types_supported": ["automatic"]}
    return core


def _federation(asked: Asked, metadata: Mapping[str, Any]) -> Federation:
    ring = KeyRing.open(asked.state / FEDERATION_KEYS, overlap=asked.identity.key_overlap, clock=asked.clock)

    def told() -> dict[str, dict[str, Any]]:  # keys as of now: they are rotated
        return {kind: {**said, "jwks": asked.keys.public()} for kind, said in metadata.items()}

    published = Published(metadata=told, superiors=asked.trust.authority_hints)
    return Federation(
        asked.identity.issuer, asked.trust, asked.store, asked.outside, ring, published, asked.clock,
        purposes=asked.purposes,
    )  # fmt: skip


def _upstream(asked: Asked, federation: Federation, settings: UpstreamSettings) -> Upstream:
    """The provider of one table; one with `trusted_by` is known by its chain alone."""
    metadata: Callable[[], Awaitable[Mapping[str, Any]]] | None = None
    if settings.trusted_by:
        metadata = _by_chain(federation, settings)
    return kinds.upstream(
        settings, asked.fetch, asked.matching, asked.clock, metadata=metadata,
    )  # fmt: skip


def _by_chain(
    federation: Federation, settings: UpstreamSettings
) -> Callable[[], Awaitable[Mapping[str, Any]]]:
    """A provider's metadata by its chain of trust; what breaks the chain refuses the sign-in."""

    async def metadata() -> Mapping[str, Any]:
        try:
            return await federation.provider(settings.issuer, settings.trusted_by)
        except Distrusted as error:
            status = 502 if error.retry_after is None else 503
            raise UpstreamRefused("distrusted", error.reason, status=status) from None
        except StoreDown:
            raise UpstreamRefused("store-down", "our subordinates cannot be read", status=503) from None

    return metadata


def _provider(core: _Core, dpop: DPoP) -> list[BaseRoute]:
    """What applications call."""
    asked, store, clock, keys = core.asked, core.asked.store, core.asked.clock, core.asked.keys
    issuer, subject = asked.identity.issuer, partial(subject_for, keys)
    people = Persons(asked.people, core.accounts)
    checked = Signed(core.clients, Once(store), clock)
    authentication = ClientAuthentication(core.clients, checked, issuer, f"{issuer}/oauth/token")
    objects, pushes, device = RequestObjects(checked, issuer), Pushed(store, clock), _devices(core)
    issuing = Issuing(
        issuer=issuer, tokens=core.tokens, id_tokens=core.id_tokens, families=core.families,
        sessions=core.sessions, persons=people, subject=subject, life=asked.identity.access_token_life,
        clock=clock,
    )  # fmt: skip
    server = AuthorizationServer(
        clients=core.clients, authentication=authentication, codes=Codes(store, clock),
        families=core.families, issuing=issuing, audit=asked.audit,
    )  # fmt: skip
    levels = [each for each in core.upstreams.values() if isinstance(each, Oidc)]
    exchange = TokenExchange(
        id_tokens={one.settings.issuer: IdTokensOf(one, one.settings.client_id) for one in levels},
        access_tokens={one.settings.issuer: AccessTokensOf(one, issuer) for one in levels},
        person_for=core.accounts.handed_on, audiences=frozenset({asked.graph}),
        families=core.families, issuing=issuing, audit=asked.audit, clock=clock,
        life=asked.identity.access_token_life,
    )  # fmt: skip
    for grant in (DeviceGrant(device, core.families, issuing), exchange):
        server.register_grant(plugged(grant))
    authorize = Authorize(
        issuer=issuer, server=server, arriving=Arriving(core.clients, pushes, objects, core.id_tokens),
        pushed=pushes, interactions=core.interactions, sessions=core.sessions, persons=people,
        consents=core.consents, pages=core.pages, subject=subject, clock=clock,
    )  # fmt: skip
    revoked = Revoked(store)
    parts = (
        Discovery(
            issuer, keys, registration=bool(asked.identity.registration_token),
            more={"client_registration_types_supported": ["automatic"]},
        ),
        authorize,
        PushedRequests(server, issuer, pushes, objects, core.id_tokens, dpop),
        TokenEndpoint(server, issuer, dpop),
        DeviceAuthorization(issuer, authentication, device),
        UserInfo(issuer, core.tokens, core.families, revoked, core.clients, people, dpop),
        Introspection(issuer, authentication, core.tokens, core.families, revoked, keys, clock),
        Revocation(issuer, authentication, core.tokens, core.families, revoked),
        Registration(
            issuer, store, core.clients, keys, asked.audit, clock,
            initial_token=asked.identity.registration_token,
        ),
    )  # fmt: skip
    return [route for part in parts for route in part.routes()]


def _devices(core: _Core) -> DeviceCodes:
    return DeviceCodes(core.asked.store, core.asked.clock, core.asked.keys.derived("device-codes"))


def _broker(core: _Core, endings: Endings, own: LocalAccounts) -> list[BaseRoute]:
    """What people see."""
    asked, store, clock, keys = core.asked, core.asked.store, core.asked.clock, core.asked.keys
    issuer, upstreams = asked.identity.issuer, core.upstreams
    slow = Throttle(store, clock, keys.derived("throttle"))
    guesses = Throttle(store, clock, keys.derived("device-guesses"), pair=GUESSES, account=GUESSES)
    keyed = Passkeys(store, clock, keys.derived("passkeys"), issuer=issuer, audit=asked.audit)
    links = Linking(core.accounts, core.sessions, endings, core.families, core.consents, store, clock)
    sign_in = SignIn(
        core.pages, core.sessions, core.accounts, core.interactions,
        Pendings(store, clock, keys.seal, keys.open_sealed), links, endings, upstreams, asked.audit,
        issuer=issuer,
    )  # fmt: skip
    with_passkeys = asked.identity.local_accounts and keyed.available
    parts: list[Any] = [
        SignInPages(
            core.pages, core.interactions, core.clients, core.sessions, asked.upstreams, sign_in,
            OwnAccounts(own, slow, with_passkeys) if asked.identity.local_accounts else None,
            asked.region_name,
        ),
        ConsentPages(
            core.pages, core.interactions, core.clients, core.sessions, core.consents,
            person_name=core.person_name, region_name=asked.region_name,
        ),
        DevicePage(
            core.pages, _devices(core), core.clients, core.sessions, core.interactions, guesses,
            core.consents, asked.audit, person_name=core.person_name,
        ),
        sign_in,
        AccountPage(
            core.pages, core.sessions, core.accounts, links, core.consents, endings, upstreams,
            passkeys_url="/account/passkeys" if with_passkeys else "",
        ),
        Logout(
            core.pages, core.sessions, endings, Chain(store, core.sessions, upstreams, clock, issuer=issuer),
            core.clients, core.id_tokens, upstreams,
        ),
        UpstreamNotices(upstreams, core.sessions, endings, store, asked.audit, clock),
    ]  # fmt: skip
    if with_passkeys:
        parts.append(PasskeyPages(core.pages, keyed, own, core.sessions, sign_in, clock))
    return [route for part in parts for route in part.routes()]
