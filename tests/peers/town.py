"""A hub over the real database with one account of its own and applications of foreign make, on a port."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import aiohttp
import lxml.html

from auth.principal import RoleClaim
from auth.settings import ClientSettings, IdentitySettings
from hub.app import Hub, build, create_app, key_ring
from hub.cli.listen import bound, serving
from hub.mongo import Mongo
from hub.settings import Hub as HubSettings
from hub.settings import Loaded, Server, Settings, Storage

LOGIN, PASSWORD, NAME = "city-officer", "seven-Lotus-ponds-of-Liaocheng", "市级管理员甲"
INITIAL = "an-initial-access-token-for-registration"


@dataclass
class Town:
    """The running hub."""

    hub: Hub
    issuer: str

    async def rotated(self) -> None:
        """The operator rotates the signing keys beside the running hub, which takes them up."""
        before = await self._published()
        ring = await asyncio.to_thread(key_ring, self.hub.loaded)
        await asyncio.to_thread(ring.rotate)
        async with asyncio.timeout(10):
            while True:
                if await self._published() != before:
                    return
                await asyncio.sleep(0.1)

    async def _published(self) -> bytes:
        async with aiohttp.ClientSession() as client, client.get(f"{self.issuer}/oauth/jwks") as answer:
            return await answer.read()


@contextlib.asynccontextmanager
async def town(mongo_uri: str, folder: Path, clients: Sequence[ClientSettings]) -> AsyncIterator[Town]:
    """The hub with these applications and the city officer's account; its database goes with it."""
    database = f"peers_{uuid.uuid4().hex[:16]}"
    server = Server(host="127.0.0.1", port=0)
    listening = bound(server)
    issuer = f"http://127.0.0.1:{listening.getsockname()[1]}"
    settings = Settings(
        hub=HubSettings(environment="development", allowed_networks=("127.0.0.0/8",), state=str(folder)),
        storage=Storage(database=database),
        identity=IdentitySettings(
            issuer=issuer, registration_token=INITIAL, allowed_networks=("127.0.0.0/8",)
        ),
        clients=tuple(clients),
    )
    hub = await build(Loaded(settings, folder / "rongtong.toml"), mongo_uri=mongo_uri)
    assert hub.gate is not None, "an issuer and a database make a gate"
    await hub.gate.declare()
    officer = RoleClaim("ADMIN", "371500", None, ())
    await hub.gate.local.add(LOGIN, PASSWORD, NAME, (officer,))
    try:
        async with serving(create_app(hub), server, listening):
            yield Town(hub, issuer)
    finally:
        connection = Mongo.connect(mongo_uri, database)
        await connection.drop()
        await connection.close()


@dataclass
class Landed:
    """Where a browser has come to: an address it was told to stop at, or a page that leads no further."""

    url: str
    status: int = 0
    text: str = ""
    headers: dict[str, str] | None = None
    posted: dict[str, str] | None = None
    """The fields of a form that it was to post there."""


class Browser:
    """The city officer's browser: keeps cookies, follows redirects and pages that lead on by themselves,
    signs in with the hub's own account, and presses the button of every other form of the hub."""

    def __init__(self, client: aiohttp.ClientSession, answers: dict[str, str]) -> None:
        self._client, self._answers = client, answers
        self.typed = 0
        """How often a password was typed."""

    async def go(
        self, url: str, *, stop: str = "\0", form: dict[str, str] | None = None, **answers: str
    ) -> Landed:
        """From `url` on (with `form` by POST), until an address begins with `stop` or a page wants nothing.
        `answers` are what is typed into a form's fields and which button is pressed."""
        said = {**self._answers, **answers}
        for _ in range(25):
            if url.startswith(stop):
                return Landed(url, posted=form)
            method = "GET" if form is None else "POST"
            async with self._client.request(method, url, data=form, allow_redirects=False) as page:
                text, status, location = await page.text(), page.status, page.headers.get("Location")
                headers = dict(page.headers)
            # aiohttp keeps, emptied, what expired in 1970; a browser forgets it.
            self._client.cookie_jar.clear(lambda cookie: not cookie.value)
            if location:
                url, form = urljoin(url, location), None
                continue
            onward = _onward(url, text, said) if status < 400 else None
            if onward is None:
                return Landed(url, status, text, headers)
            url, form = onward
            self.typed += "password" in (form or {})
        raise AssertionError("going round in circles")


def _onward(url: str, text: str, said: dict[str, str]) -> tuple[str, dict[str, str] | None] | None:
    """Where a page leads: by itself, by the way to the hub's own accounts, or by a form that is filled in."""
    if "<html" not in text:
        return None
    page = lxml.html.document_fromstring(text)
    for meta in page.iter("meta"):
        if meta.get("http-equiv") == "refresh":
            return urljoin(url, (meta.get("content") or "").partition("url=")[2]), None
    for way in page.iter("a"):
        if (way.get("href") or "").startswith("/sign-in/local"):
            return urljoin(url, way.get("href") or ""), None
    form = next((each for each in page.iter("form") if each.get("method") == "post"), None)
    if form is None:
        return None
    names = {each.get("name") or "": each.get("value") or "" for each in form.iter("input")}
    filled = {name: said.get(name, value) for name, value in names.items() if name}
    filled |= {each.get("name") or "": said.get("decision", "allow") for each in form.iter("button")}
    filled.pop("", None)
    return urljoin(url, form.get("action") or urlsplit(url).path), filled


@contextlib.asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """A browser that nobody has used yet."""
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar, timeout=aiohttp.ClientTimeout(total=30)) as client:
        yield Browser(client, {"login": LOGIN, "password": PASSWORD})
