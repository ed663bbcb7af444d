"""People at their browsers, without a picture: cookies, redirects, forms, as sign-on journeys need them."""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import aiohttp
import orjson
from yarl import URL

PATIENCE = 20.0
MOST_REDIRECTS = 25


@dataclass(frozen=True)
class Shown:
    """What a browser shows after all redirects, or the address at which it was told to stop."""

    url: str
    status: int = 0
    text: str = field(default="", repr=False)
    headers: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def said(self) -> dict[str, str]:
        """The address's query."""
        return dict(parse_qsl(urlsplit(self.url).query))

    def link(self, part: str) -> str:
        """The only address on the page that holds `part`, absolute."""
        found = {unescape(each) for each in re.findall(r'(?:href|action)="([^"]*)"', self.text)}
        (only,) = [each for each in found if part in each]
        return urljoin(self.url, only)

    def field(self, name: str) -> str:
        """The value of a form's hidden field."""
        found = re.search(rf'name="{name}" value="([^"]*)"', self.text)
        assert found, f"no field {name} on {self.url}"
        return unescape(found[1])


class Visitor:
    """One browser: its cookies do not mind ports (RFC 6265 §8.5); redirects are followed one by one."""

    def __init__(self) -> None:
        timeout = aiohttp.ClientTimeout(total=PATIENCE)
        self._http = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True), timeout=timeout)

    async def close(self) -> None:
        """Close the browser."""
        await self._http.close()

    async def open(self, url: str, stop: str = "") -> Shown:
        """Go there; with `stop`, only up to the first address that holds it, which is not asked for."""
        return await self._go("GET", url, None, stop)

    async def send(self, url: str, stop: str = "", **fields: str) -> Shown:
        """Send a form, as its own page does."""
        return await self._go("POST", url, fields, stop)

    async def _go(self, method: str, url: str, form: dict[str, str] | None, stop: str) -> Shown:
        for _ in range(MOST_REDIRECTS):
            if stop and stop in url:
                return Shown(url)
            headers = {"Sec-Fetch-Site": "same-origin"} if form is not None else {}
            async with self._http.request(
                method, URL(url, encoded=True), data=form, headers=headers, allow_redirects=False
            ) as reply:
                text, location = await reply.text(), reply.headers.get("Location", "")
                if reply.status not in (301, 302, 303, 307):
                    return Shown(url, reply.status, text, dict(reply.headers))
            method, form, url = "GET", None, urljoin(url, location)
        raise AssertionError(f"no end of redirects: {url}")


@asynccontextmanager
async def visitors(count: int) -> AsyncIterator[list[Visitor]]:
    """So many browsers."""
    made = [Visitor() for _ in range(count)]
    try:
        yield made
    finally:
        await asyncio.gather(*(each.close() for each in made))


@asynccontextmanager
async def visitor() -> AsyncIterator[Visitor]:
    """One browser."""
    async with visitors(1) as (only,):
        yield only


@dataclass(frozen=True)
class Flow:
    """An application's question to the hub: the address to open, and what it keeps for itself."""

    url: str
    client_id: str
    redirect_uri: str
    verifier: str = field(repr=False)
    state: str

    def form(self, code: str) -> dict[str, str]:
        """The form that redeems its code."""
        return {
            "grant_type": "authorization_code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "code": code,
            "code_verifier": self.verifier,
        }


@dataclass(frozen=True)
class Hub:
    """A hub as people and applications use it, from what the demonstration tells (`Demo.told()`).

    `url`: where it is asked; another process of the same issuer has another one.
    """

    told: dict[str, Any] = field(repr=False)
    url: str = ""

    @property
    def issuer(self) -> str:
        """The issuer's address."""
        return str(self.told["issuer"])

    @property
    def base(self) -> str:
        """Where this process is asked."""
        return self.url or self.issuer

    def user(self, persona: str, code: str) -> dict[str, str]:
        """Somebody's account at the provider of this code."""
        users: list[dict[str, str]] = self.told["users"]
        return next(each for each in users if each["persona"] == persona and each["upstream"] == code)

    def provider(self, code: str) -> str:
        """The address of a level's provider."""
        return str(next(each["address"] for each in self.told["providers"] if each["code"] == code))

    def application(self, client_id: str) -> str:
        """An application's address, without a slash at its end."""
        found = next(each for each in self.told["applications"] if each["client_id"] == client_id)
        return str(found["address"]).rstrip("/")

    def flow(self, client_id: str = "portal", scope: str = "openid profile roles graph", **more: str) -> Flow:
        """A fresh question of a public client (PKCE)."""
        verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
        client = next(each for each in self.told["clients"] if each["client_id"] == client_id)
        digest = hashlib.sha256(verifier.encode()).digest()
        asked = {
            "response_type": "code", "client_id": client_id, "redirect_uri": client["redirect_uris"][0],
            "scope": scope, "state": state, "code_challenge_method": "S256",
            "code_challenge": urlsafe_b64encode(digest).decode().rstrip("="), **more,
        }  # fmt: skip
        url = f"{self.base}/oauth/authorize?{urlencode(asked)}"
        return Flow(url, client_id, asked["redirect_uri"], verifier, state)

    async def to_login(self, browser: Visitor, flow: Flow, code: str) -> Shown:
        """By way of the chooser to a provider's login page."""
        chooser = await browser.open(flow.url)
        assert chooser.status == 200, chooser
        return await browser.open(chooser.link(f"/sign-in/to/{code}?"))

    async def to_callback(self, browser: Visitor, flow: Flow, persona: str, code: str) -> str:
        """Signed in at the provider; the address at the hub to which it sends the browser back."""
        login, user = await self.to_login(browser, flow, code), self.user(persona, code)
        assert 'name="password"' in login.text, login
        back = await browser.send(
            login.url, stop=f"/sign-in/{code}/callback?", username=user["login"], password=user["password"]
        )
        assert back.status == 0, back
        return back.url

    async def code(self, browser: Visitor, flow: Flow, persona: str, code: str) -> str:
        """Signed in by way of a provider; the application's code."""
        callback = await self.to_callback(browser, flow, persona, code)
        return self.code_at(flow, await browser.open(callback, stop=flow.redirect_uri))

    async def enter(self, browser: Visitor, flow: Flow, persona: str, code: str) -> Shown:
        """Where the application's question leads, signed in already or not, here or at the provider."""
        page, user = await browser.open(flow.url, stop=flow.redirect_uri), self.user(persona, code)
        if f"/sign-in/to/{code}" in page.text:
            page = await browser.open(page.link(f"/sign-in/to/{code}?"), stop=flow.redirect_uri)
        if 'name="password"' not in page.text:
            return page
        return await browser.send(
            page.url, stop=flow.redirect_uri, username=user["login"], password=user["password"]
        )

    def code_at(self, flow: Flow, back: Shown) -> str:
        """The code that came back to the application."""
        assert back.url.startswith(f"{flow.redirect_uri}?"), (back, back.text)
        said = back.said
        assert (said["state"], said["iss"]) == (flow.state, self.issuer), said
        return said["code"]

    async def token(self, http: aiohttp.ClientSession, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """What the token endpoint says."""
        async with http.post(f"{self.base}/oauth/token", data=form) as reply:
            answer: dict[str, Any] = orjson.loads(await reply.read())
            return reply.status, answer

    async def tokens(
        self, http: aiohttp.ClientSession, browser: Visitor, persona: str, code: str, client: str = "portal"
    ) -> dict[str, Any]:
        """An application's tokens for somebody who signs in with an account of that provider."""
        flow = self.flow(client)
        status, told = await self.token(http, flow.form(await self.code(browser, flow, persona, code)))
        assert status == 200, told
        return told

    async def refreshed(
        self, http: aiohttp.ClientSession, token: str, client: str = "portal"
    ) -> tuple[int, dict[str, Any]]:
        """What becomes of a refresh token."""
        form = {"grant_type": "refresh_token", "client_id": client, "refresh_token": token}
        return await self.token(http, form)

    async def ask(
        self, http: aiohttp.ClientSession, token: str, query: str, purpose: str = "", **variables: Any
    ) -> dict[str, Any]:
        """The graph's whole answer."""
        headers = {"Authorization": f"Bearer {token}"} | ({"X-Rongtong-Purpose": purpose} if purpose else {})
        body = {"query": query, "variables": variables}
        async with http.post(f"{self.base}/graphql", json=body, headers=headers) as reply:
            answer: dict[str, Any] = orjson.loads(await reply.read())
            return answer


def claims(token: str) -> dict[str, Any]:
    """What a signed token says; its signature is its application's to check."""
    part = token.split(".")[1]
    said: dict[str, Any] = orjson.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return said


async def eventually(
    done: Callable[[], Awaitable[bool]], what: str, patience: float = PATIENCE, pause: float = 0.05
) -> None:
    """Wait until it is so; fails with `what` after the patience."""
    deadline = time.monotonic() + patience
    while not await done():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(pause)
