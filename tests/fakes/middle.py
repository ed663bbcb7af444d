"""The middle of the gate on a real port, between two real providers of the sandbox and a real application.

County and school sign people in with OpenID Connect; the county vouches for ID numbers, the school for
nothing. The application hears logout notices. What comes after signing in is a page that says who is here.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from auth import sessions as session_files
from auth.broker import accounts as account_files
from auth.broker import linking as linking_files
from auth.broker import pending as pending_files
from auth.broker.account_page import AccountPage
from auth.broker.accounts import Accounts
from auth.broker.kinds import upstream
from auth.broker.linking import Linking
from auth.broker.login import SignIn
from auth.broker.pending import Pendings
from auth.broker.upstream import Upstream
from auth.browser import Cookies
from auth.documents import Client, Session
from auth.ending import chain as chain_files
from auth.ending import notices as notice_files
from auth.ending import upstream_notices as upstream_notice_files
from auth.ending.chain import Chain
from auth.ending.endings import Endings
from auth.ending.logout import Logout
from auth.ending.notices import Notices
from auth.ending.upstream_notices import UpstreamNotices
from auth.keys import KeyRing
from auth.pages import Pages
from auth.ports import Assertion
from auth.provider import consents as consent_files
from auth.provider import families as family_files
from auth.provider import interactions as interaction_files
from auth.provider.consents import Consents
from auth.provider.families import Families
from auth.provider.id_tokens import IdTokens
from auth.provider.interactions import Interactions
from auth.provider.sign_in import SignInPages
from auth.provider.subjects import subject_for
from auth.sessions import Sessions
from auth.settings import UpstreamSettings
from auth.store import Store
from connectors.http import Http
from connectors.sandbox.country import Country
from connectors.sandbox.frame import Served, served
from connectors.sandbox.passport import KINDS, PASSPORTS, demo_users, oidc
from connectors.seal import Seal
from hub.cli.listen import address, bound, serving
from hub.identity.fetch import HttpFetch
from hub.settings import Server
from tests.connectors.sandbox.browser import Browser, Seen
from tests.fakes.recorded import AuditList, Clock
from tests.fakes.together import together

INDEXES = (
    *session_files.INDEXES, *account_files.INDEXES, *linking_files.INDEXES, *pending_files.INDEXES,
    *chain_files.INDEXES, *notice_files.INDEXES, *upstream_notice_files.INDEXES, *consent_files.INDEXES,
    *family_files.INDEXES, *interaction_files.INDEXES,
)  # fmt: skip
COUNTRY = Country()
PASSWORDS = {
    (each["persona"], each["provider"]): (each["login"], each["password"]) for each in demo_users(COUNTRY)
}
_CSRF = re.compile(r'name="csrf" value="([0-9a-f]+)"')


def county(issuer: str) -> UpstreamSettings:
    """The county's table: an authority for ID numbers."""
    return UpstreamSettings(
        code="county", kind="oidc", name="东昌府区教育统一身份认证", name_en="District sign-in",
        level="COUNTY", region="371502", issuer=issuer, client_id=oidc.CLIENT_ID,
        client_secret=oidc.CLIENT_SECRETS["county-passport"], authoritative=("id_number",),
        claims={"id_number": "id_number"}, assurance={oidc.REAL_NAME: "NAME_VERIFIED"},
        options={"verified_claim": "id_number_verified"},
    )  # fmt: skip


def school(issuer: str) -> UpstreamSettings:
    """The school's table: an authority for nothing."""
    return UpstreamSettings(
        code="school", kind="oidc", name="校园统一身份认证", name_en="School sign-in", level="SCHOOL",
        region="371502", issuer=issuer, client_id=oidc.CLIENT_ID,
        client_secret=oidc.CLIENT_SECRETS["school-passport"],
    )  # fmt: skip


class Applications(dict[str, Client]):
    """The applications that are known."""

    async def get(self, client_id: str) -> Client | None:  # type: ignore[override]
        return super().get(client_id)


@dataclass
class Application:
    """An application that hears logout notices, and may be told to fail or to hang."""

    heard: list[str] = field(default_factory=list)
    mode: str = "ok"
    tried: int = 0
    came: asyncio.Event = field(default_factory=asyncio.Event)

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/backchannel", self._told, methods=["POST"])])

    async def _told(self, request: Request) -> Response:
        self.tried += 1
        form = dict(parse_qsl((await request.body()).decode()))
        if self.mode == "hang":
            while (await request.receive())["type"] != "http.disconnect":
                pass
        if self.mode == "fail":
            return Response(status_code=500)
        self.heard.append(form["logout_token"])
        self.came.set()
        return Response(status_code=200)


@dataclass
class Middle:
    """The gate and its parts; `county` and `school` the providers' addresses."""

    url: str
    store: Store
    clock: Clock
    audit: AuditList
    ring: KeyRing
    cookies: Cookies
    sessions: Sessions
    accounts: Accounts
    interactions: Interactions
    linking: Linking
    families: Families
    consents: Consents
    notices: Notices
    endings: Endings
    sign_in: SignIn
    applications: Applications
    application: Application
    upstreams: dict[str, Upstream]
    county: Served
    school: Served
    id_tokens: IdTokens
    routes: list[BaseRoute]

    async def session(self, browser: Browser) -> Session | None:
        """Whose browser it is."""
        return await self.sessions.get((await self.who(browser)).get("session", ""))

    async def who(self, browser: Browser) -> dict[str, str]:
        """What the page after signing in says: session and person."""
        seen = await browser.open(f"{self.url}/who")
        return dict(_json(seen.text))

    async def enter(
        self, browser: Browser, persona: str = "teacher", at: str = "county", **query: str
    ) -> Seen:
        """Sign in at a provider; the browser stands where the callback sent it."""
        return await self.through(browser, await self.leave(browser, at, **query), persona, at)

    async def leave(self, browser: Browser, at: str, **query: str) -> str:
        """Begin at a provider: its address."""
        seen = await browser.open(f"{self.url}/sign-in/{at}/start?{urlencode(query)}")
        assert seen.status == 303, seen
        return seen.location

    async def through(self, browser: Browser, there: str, persona: str, at: str) -> Seen:
        """Give the password there (or be let through), and open the callback."""
        return await browser.open(await self.answer(browser, there, persona, at))

    async def answer(self, browser: Browser, there: str, persona: str, at: str) -> str:
        """Give the password there (or be let through): the callback's address."""
        login, password = PASSWORDS[persona, f"{at}-passport"]
        seen = await browser.open(there)
        if seen.status == 200:
            seen = await browser.send(there, username=login, password=password)
        assert seen.status == 303, seen
        return seen.location

    async def link(self, browser: Browser, at: str) -> str:
        """Begin linking from the chooser: the provider's address, read from the page that leads on."""
        page = await browser.open(f"{self.url}/sign-in?intent=link")
        seen = await browser.send(f"{self.url}/sign-in/{at}/start", csrf=token_on(page), intent="link")
        assert seen.status == 200, seen
        found = re.search(r'http-equiv="refresh" content="0;url=([^"]+)"', seen.text)
        assert found is not None, seen.text
        return found[1].replace("&amp;", "&")

    async def use(self, browser: Browser, client_id: str) -> tuple[str, str]:
        """What an application is told at signing in: (its ID token, a refresh token)."""
        session = await self.session(browser)
        assert session is not None
        client = self.applications[client_id]
        sub = subject_for(self.ring, client, session.person)
        sid = await self.sessions.note_client(session.id, client_id, sub)
        family = await self.families.begin(
            client_id=client_id, person=session.person, session=session.id, scopes=("openid",)
        )
        refresh = await self.families.refresh_token(family)
        return self.id_tokens.make(client, sub, {"sid": sid}), refresh


def token_on(page: Seen) -> str:
    """The form token of a page."""
    found = _CSRF.search(page.text)
    assert found is not None, page
    return found[1]


def _json(text: str) -> Mapping[str, str]:
    found: Mapping[str, str] = orjson.loads(text)
    return found


async def follow(browser: Browser, seen: Seen, base: str, most: int = 12) -> tuple[Seen, list[str]]:
    """Follow redirects as a browser would: the last answer, and every address on the way."""
    on_the_way: list[str] = []
    while seen.location and len(on_the_way) < most:
        base = urljoin(base, seen.location)
        on_the_way.append(base)
        if not base.startswith("http://127.0.0.1:"):
            break  # out of this machine's sandbox
        seen = await browser.open(base)
    return seen, on_the_way


@asynccontextmanager
async def middle(
    store: Store, folder: Path, *, clock: Clock | None = None, more: Mapping[str, Upstream] | None = None
) -> AsyncIterator[Middle]:
    """It, running, between providers and an application that run, too."""
    clock = clock or Clock()
    await store.declare(INDEXES)
    async with AsyncExitStack() as stack:
        application = Application()
        apps = (_passport("county-passport", clock), _passport("school-passport", clock), application.app())
        one, two, three = await stack.enter_async_context(together(*map(served, apps)))
        http = await stack.enter_async_context(Http(["127.0.0.0/8"]))
        listening = bound(Server(port=0))
        url = address(Server(), listening.getsockname()[1])
        found = assembled(store, folder, clock, url, one, two, http, more or {})
        found.application = application
        found.applications |= _applications(three.url)
        await stack.enter_async_context(serving(_app(found), Server(), listening))
        yield found
        await found.notices.aclose()


def _passport(name: str, clock: Clock) -> Starlette:
    return KINDS[name](COUNTRY, PASSPORTS[name], now=clock)


def _applications(url: str) -> dict[str, Client]:
    common: dict[str, Any] = {"sector": "app.test", "redirect_uris": ("https://app.test/cb",)}
    return {
        "gradebook": Client(
            id="gradebook", name="成绩册", name_en="Gradebook", backchannel_logout_uri=f"{url}/backchannel",
            post_logout_redirect_uris=("https://app.test/bye?kept=1", "https://app.test/bye"), **common,
        ),
        "archive": Client(
            id="archive", name="档案", backchannel_logout_uri=f"{url}/backchannel", id_token_alg="RS256",
            **common,
        ),
        "silent": Client(id="silent", name="不接收通知的应用", **common),
    }  # fmt: skip


def assembled(
    store: Store, folder: Path, clock: Clock, url: str, one: Served, two: Served, http: Http,
    more: Mapping[str, Upstream],
) -> Middle:  # fmt: skip
    """The parts, put together as the hub does it."""
    audit, ring, cookies = AuditList(), KeyRing.open(folder / "keys"), Cookies(url)
    fetch, seal = HttpFetch(http), Seal(b"m" * 32)
    upstreams: dict[str, Upstream] = {
        each.code: upstream(each, fetch, seal, clock) for each in (county(one.url), school(two.url))
    }
    upstreams |= more
    pages = Pages(cookies, ring.derived("forms"))
    sessions = Sessions(
        store, cookies, clock, life=12 * 3600, idle=2 * 3600, seal=ring.seal, open_sealed=ring.open_sealed
    )
    accounts, interactions = Accounts(store, audit, clock), Interactions(store, clock)
    families, applications = Families(store, clock, life=86400.0, grace=0.0), Applications()
    consents = Consents(store, clock, ended=families.revoke_client_of, audit=audit)
    id_tokens = IdTokens(ring, url, clock)
    notices = Notices(store, applications, ring, fetch, audit, clock, issuer=url)
    endings = Endings(sessions, notices, families, audit)
    linking = Linking(accounts, sessions, endings, families, consents, store, clock)
    pendings = Pendings(store, clock, ring.seal, ring.open_sealed)
    sign_in = SignIn(
        pages, sessions, accounts, interactions, pendings, linking, endings, upstreams, audit, issuer=url
    )
    routes: list[BaseRoute] = [
        *sign_in.routes(),
        *AccountPage(pages, sessions, accounts, linking, consents, endings, upstreams).routes(),
        *Logout(
            pages, sessions, endings,
            Chain(store, sessions, upstreams, clock, issuer=url), applications, id_tokens, upstreams,
        ).routes(),
        *UpstreamNotices(upstreams, sessions, endings, store, audit, clock).routes(),
        *SignInPages(
            pages, interactions, applications, sessions,
            [each.settings for each in upstreams.values()], sign_in,
        ).routes(),
    ]  # fmt: skip
    return Middle(
        url, store, clock, audit, ring, cookies, sessions, accounts, interactions, linking, families,
        consents, notices, endings, sign_in, applications, Application(), upstreams, one, two, id_tokens,
        routes,
    )  # fmt: skip


def _app(found: Middle) -> Starlette:
    async def who(request: Request) -> Response:
        session = await found.sessions.current(request)
        return JSONResponse({"session": session.id, "person": session.person} if session else {})

    async def own(request: Request) -> Response:
        """The hub's own accounts, as their page would hand one in."""
        query = request.query_params
        assertion = Assertion(
            upstream="local", iss=found.url, sub=query["sub"], level="MUNICIPAL",
            acr="urn:rongtong:acr:password", auth_time=int(found.clock()),
        )  # fmt: skip
        intent = "link" if query.get("intent") == "link" else "sign_in"
        return await found.sign_in.complete(request, assertion, intent=intent)  # type: ignore[arg-type]

    pages = Pages(found.cookies, found.ring.derived("forms"))
    routes = [*found.routes, Route("/who", who), Route("/own", pages.guarded(own))]
    return Starlette(routes=routes)
