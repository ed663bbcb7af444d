"""What a client of the passports does, and a hub that is told of ends of sessions."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import secrets
from base64 import b64encode, urlsafe_b64encode
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode

import aiohttp
from joserfc import jwt
from joserfc.jwk import KeySet
from joserfc.util import urlsafe_b64decode
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.sandbox.country import Country
from connectors.sandbox.frame import served
from connectors.sandbox.passport import KINDS, PASSPORTS, demo_password, oidc
from tests.connectors.sandbox.browser import HUB, Seen

CALLBACK = f"{HUB}/sign-in/c371502/callback"
VERIFIER = secrets.token_urlsafe(48)
CHALLENGE = urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
SECRET = oidc.CLIENT_SECRETS["county-passport"]
NO_HUBS = (
    "https://evil.example/sign-in/x/callback",
    "http://127.0.0.1@evil.example/sign-in/x/callback",
    "http://127.0.0.1.evil.example/sign-in/x/callback",
    "http://evil.example#@127.0.0.1/sign-in/x/callback",
    "http://127.0.0.1\\@evil.example/sign-in/x/callback",
    "http://127.0.0.1:9/sign-in/x/callback/../../../else",
    "http://127.0.0.1:9/sign-in/x%2f..%2f/callback",
    "javascript://127.0.0.1/sign-in/x/callback",
    "http://127.0.0.1:99999/sign-in/x/callback",
    "http://127.0.0.1:9/sign-in/x/callback evil",
    "nowhere",
)

Heard = asyncio.Queue[tuple[str, dict[str, str]]]


class Clock:
    """A clock that stands until it is turned."""

    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


@contextlib.asynccontextmanager
async def up(country: Country, name: str, clock: Callable[[], float] | None = None) -> AsyncIterator[str]:
    """The address of a passport that runs."""
    app = KINDS[name](country, PASSPORTS[name], **({"now": clock} if clock else {}))
    async with served(app) as twin:
        yield twin.url


@contextlib.asynccontextmanager
async def listener() -> AsyncIterator[tuple[str, Heard]]:
    """A hub that is told of ends of sessions: its callback, and (path, form) as they come."""
    heard: Heard = asyncio.Queue()

    async def hear(request: Request) -> Response:
        body = (await request.body()).decode()
        heard.put_nowait((request.url.path, dict(parse_qsl(body))))
        return Response(status_code=200)

    async with served(Starlette(routes=[Route("/{path:path}", hear, methods=["POST"])])) as hub:
        yield f"{hub.url}/sign-in/c371502/callback", heard


def account(country: Country, persona: str) -> tuple[str, str]:
    """Login and password of a persona."""
    person = country.person(country.personas()[persona].person_id)
    assert person is not None
    return person.login, demo_password(person.id)


def entrance(name: str, base: str, callback: str = CALLBACK, **more: str) -> str:
    """The address that a hub sends browsers to."""
    if name == "nation-passport":
        asked = {"appId": "DEMOPASSPORT1", "returnUrl": f"{callback}?state=s"}
        return f"{base}/sso/login?{urlencode({**asked, **more})}"
    if name == "province-passport":
        return f"{base}/cas/login?{urlencode({'service': f'{callback}?state=s', **more})}"
    asked = {"response_type": "code", "client_id": "rongtong-hub", "redirect_uri": callback, "state": "s"}
    if name == "city-passport":
        return f"{base}/oauth2/authorize?{urlencode({**asked, **more})}"
    asked |= {"scope": "openid profile", "nonce": "n", "code_challenge": CHALLENGE}
    asked |= {"code_challenge_method": "S256"}
    return (
        f"{base}/authorize?{urlencode({name: value for name, value in {**asked, **more}.items() if value})}"
    )


async def told(
    url: str, form: dict[str, str] | None = None, token: str = "", basic: str = ""
) -> tuple[int, Any]:
    """(status, JSON) of a call between servers."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    if basic:
        headers["Authorization"] = f"Basic {b64encode(basic.encode()).decode()}"
    async with (
        aiohttp.ClientSession() as http,
        http.request("POST" if form is not None else "GET", url, data=form, headers=headers) as answer,
    ):
        text = await answer.text()
        return answer.status, json.loads(text) if text.startswith(("{", "[")) else text


async def redeemed(base: str, seen: Seen, callback: str = CALLBACK, **more: str) -> tuple[int, Any]:
    form = {"grant_type": "authorization_code", "code": seen.said["code"], "redirect_uri": callback}
    form |= {"code_verifier": VERIFIER, **more}
    return await told(f"{base}/token", form, basic=f"rongtong-hub:{SECRET}")


async def claims_of(base: str, token: str) -> dict[str, Any]:
    _, keys = await told(f"{base}/jwks")
    return jwt.decode(token, KeySet.import_key_set(keys), algorithms=["ES256"]).claims


def part(number: int, token: str) -> dict[str, Any]:
    """The header (0) or the claims (1) of a token, unverified."""
    found: dict[str, Any] = json.loads(urlsafe_b64decode(token.split(".")[number].encode()))
    return found


async def eventually(heard: Heard) -> tuple[str, dict[str, str]]:
    async with asyncio.timeout(5):
        return await heard.get()


async def signed_in(base: str) -> int:
    _, found = await told(f"{base}/_passport/sessions")
    count: int = found["count"]
    return count
