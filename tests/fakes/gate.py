"""A gate of pages alone, on a real port: what other rooms of the gate do is written down here, plainly.

`Broker` makes sign-ons as `auth.broker.login` does, keeping to its promises: a fresh cookie each time.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

import aiohttp
from argon2 import PasswordHasher
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from yarl import URL

from auth import local, passkeys, throttle
from auth.browser import Cookies
from auth.documents import Client, Interaction, Session, UpstreamSession
from auth.local import LocalAccounts
from auth.pages import Pages
from auth.passkey_pages import PasskeyPages
from auth.passkeys import Passkeys
from auth.passwords import Passwords
from auth.ports import Assertion
from auth.provider import consents, interactions
from auth.provider.consent import ConsentPages
from auth.provider.consents import Consents
from auth.provider.interactions import Interactions
from auth.provider.sign_in import OwnAccounts, SignInPages
from auth.settings import UpstreamSettings
from auth.store import Store, kept, secret
from auth.throttle import Throttle
from hub.cli.listen import address, bound, serving
from hub.settings import Server

KEY = b"k" * 32
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
INDEXES = (
    *local.INDEXES, *throttle.INDEXES, *passkeys.INDEXES, *interactions.INDEXES, *consents.INDEXES,
)  # fmt: skip
FRONTEND = Client(
    id="frontend", name="示范前端", name_en="Demo frontend", redirect_uris=("https://app.test/cb",),
    scopes=("openid", "profile", "graph"), purposes=("teaching",),
)  # fmt: skip
PARAMS = {
    "redirect_uri": "https://app.test/cb", "scope": "openid profile graph.identities", "state": "s",
    "response_type": "code",
}  # fmt: skip


class Counting(PasswordHasher):
    """Counts verifications: the work that an answer has cost."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.verified = 0

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:
        self.verified += 1
        return super().verify(hash, password)


class Clock:
    """Seconds since 1970, moved by the story."""

    def __init__(self) -> None:
        self.at = datetime.now(UTC).timestamp()

    def __call__(self) -> float:
        return self.at


class Applications(dict[str, Client]):
    """The applications that are known."""

    async def get(self, client_id: str) -> Client | None:  # type: ignore[override]
        return super().get(client_id)


@dataclass
class Broker:
    """Sign-ons in memory, and what was handed to make them."""

    cookies: Cookies
    clock: Clock
    asked: list[tuple[Assertion, str, str]] = field(default_factory=list)
    sessions: dict[str, Session] = field(default_factory=dict)

    async def current(self, request: Request) -> Session | None:
        return self.sessions.get(kept(self.cookies.session(request)))

    async def complete(
        self, request: Request, assertion: Assertion, *, interaction: str = "",
        intent: Literal["sign_in", "link"] = "sign_in",
    ) -> Response:  # fmt: skip
        self.asked.append((assertion, interaction, intent))
        cookie = secret()
        self.sessions.pop(kept(self.cookies.session(request)), None)
        self.keep(cookie, assertion)
        where = f"/oauth/authorize/resume?i={interaction}" if interaction else "/account"
        response = RedirectResponse(where, 303)
        self.cookies.keep_session(response, cookie, 3600)
        return response

    def keep(self, cookie: str, assertion: Assertion) -> Session:
        """A sign-on as the broker keeps it."""
        now = datetime.fromtimestamp(self.clock(), UTC)
        rests_on = UpstreamSession(upstream=assertion.upstream, iss=assertion.iss, sub=assertion.sub, at=now)
        session = Session(
            id=secret(), cookie_kept=kept(cookie), person=f"person-of-{assertion.sub}", created=now, seen=now,
            expires=now + timedelta(hours=1), auth_time=now, acr=assertion.acr, amr=assertion.amr,
            upstreams=(rests_on,),
        )  # fmt: skip
        self.sessions[kept(cookie)] = session
        return session


@dataclass
class Gate:
    """A running gate and its parts."""

    url: str
    store: Store
    clock: Clock
    pages: Pages
    broker: Broker
    interactions: Interactions
    accounts: LocalAccounts
    throttle: Throttle
    passkeys: Passkeys
    consents: Consents
    applications: Applications
    hasher: Counting
    ended: list[tuple[str, str]]

    async def begin(self, mark: str, client: Client = FRONTEND, **params: str) -> Interaction:
        """An authorization request under way in the browser with this mark."""
        self.applications[client.id] = client
        return await self.interactions.begin(client, PARAMS | params, mark)


@asynccontextmanager
async def gate(
    store: Store, upstreams: Sequence[UpstreamSettings] = (), *, host: str = "localhost"
) -> AsyncIterator[Gate]:
    """The gate's pages on a free port."""
    await store.declare(INDEXES)
    listening = bound(Server(host="127.0.0.1", port=0))
    url = address(Server(), listening.getsockname()[1]).replace("127.0.0.1", host)
    clock, hasher, ended = Clock(), Counting(), list[tuple[str, str]]()
    passwords = Passwords(hasher)
    pages = Pages(Cookies(url), KEY)
    broker, applications = Broker(pages.cookies, clock), Applications()
    begun = Interactions(store, clock)
    accounts = LocalAccounts(store, passwords, clock, issuer=url, level="MUNICIPAL", region="371500")
    slow = Throttle(store, clock, KEY)
    keys = Passkeys(store, clock, KEY, issuer=url)

    async def ending(person: str, client_id: str) -> None:
        ended.append((person, client_id))

    async def named(person: str) -> str:
        return "市级管理员"

    agreed = Consents(store, clock, ended=ending)
    sign_in = SignInPages(
        pages, begun, applications, broker, upstreams, broker, OwnAccounts(accounts, slow, keys.available),
        region_name=_region_name,
    )  # fmt: skip
    consent = ConsentPages(
        pages, begun, applications, broker, agreed, person_name=named, region_name=_region_name
    )
    own_keys = PasskeyPages(pages, keys, accounts, broker, broker, clock)
    routes = [*sign_in.routes(), *consent.routes(), *own_keys.routes(), *_elsewhere()]
    async with serving(Starlette(routes=routes), Server(), listening):
        yield Gate(
            url, store, clock, pages, broker, begun, accounts, slow, keys, agreed, applications, hasher, ended
        )
    passwords.close()


def _region_name(code: str, lang: str) -> str:
    names = {"371500": ("聊城市", "Liaocheng"), "371524": ("东阿县", "Dong'e County")}
    chinese, english = names.get(code, (code, code))
    return chinese if lang == "zh" else english


def _elsewhere() -> list[Route]:
    async def there(request: Request) -> Response:
        return PlainTextResponse(f"there: {request.url.path}?{request.url.query}")

    return [Route(path, there) for path in ("/oauth/authorize/resume", "/account", "/sign-in/{code}/start")]


class Visitor:
    """A browser without scripts: keeps cookies, reads forms, follows nothing by itself."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True), trust_env=False)

    async def __aenter__(self) -> Visitor:
        await self.get("/sign-in")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    @property
    def cookies(self) -> dict[str, str]:
        return {each.key: each.value for each in self._session.cookie_jar}

    @property
    def mark(self) -> str:
        return self.cookies["rt-browser"]

    def give(self, name: str, value: str) -> None:
        """Have the browser hold a cookie."""
        self._session.cookie_jar.update_cookies({name: value}, URL(self.url))

    async def get(self, path: str, **headers: str) -> Page:
        async with self._session.get(self.url + path, allow_redirects=False, headers=headers) as answer:
            return Page(answer.status, answer.headers, await answer.text())

    async def post(self, path: str, fields: dict[str, str], **headers: str) -> Page:
        async with self._session.post(
            self.url + path, data=fields, allow_redirects=False, headers=headers
        ) as answer:
            return Page(answer.status, answer.headers, await answer.text())


@dataclass
class Page:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def hidden(self) -> dict[str, str]:
        """The hidden fields of its first form that has a token."""
        for body in re.findall(r"<form(.*?)</form>", self.text, re.DOTALL):
            found = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', body))
            if "csrf" in found and "credential" not in found:
                return found
        return {}

    @property
    def location(self) -> str:
        return self.headers.get("Location", "")
