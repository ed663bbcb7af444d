"""A provider on a string: over a real socket it answers whatever a story wants."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from auth.settings import Seconds, UpstreamSettings
from connectors.http import Http
from connectors.sandbox.frame import served
from connectors.seal import Seal
from hub.identity.fetch import HttpFetch

CALLBACK = "http://127.0.0.1:9/sign-in/upstream/callback"
SEAL = Seal(b"a key for matching in these tests")
NOW = 1_790_000_000.0

Answer = Callable[[Request], Awaitable[Response]]


@dataclass
class Clock:
    """A clock that stands until it is turned."""

    now: float = NOW

    def __call__(self) -> float:
        return self.now


@dataclass
class Puppet:
    """What it answers by path; `otherwise` to everything else. `asked`: the paths it was asked for."""

    url: str = ""
    by_path: dict[str, Answer] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def answer(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        chosen = self.by_path.get(request.url.path)
        return await chosen(request) if chosen else Response(status_code=404)


@contextlib.asynccontextmanager
async def puppet(**by_path: Answer) -> AsyncIterator[Puppet]:
    """A provider that is up and knows nothing yet."""
    found = Puppet(by_path=dict(by_path))
    app = Starlette(routes=[Route("/{path:path}", found.answer, methods=["GET", "POST"])])
    async with served(app) as up:
        found.url = up.url
        yield found


@contextlib.asynccontextmanager
async def way_out() -> AsyncIterator[HttpFetch]:
    """The hub's own way out, with loopback allowed."""
    async with Http(["127.0.0.0/8"]) as http:
        yield HttpFetch(http)


def settings(kind: Literal["cas", "ticket"], url: str, **more: Any) -> UpstreamSettings:
    """A table for a provider at `url`."""
    table: dict[str, Any] = {"code": "upstream", "name": "身份源", "level": "PROVINCIAL", "region": "370000"}
    table |= {"issuer": url, "deadline": Seconds(2), **more}
    return UpstreamSettings(kind=kind, **table)


def fixed(body: bytes | str, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Always this."""

    async def answer(_request: Request) -> Response:
        return Response(body, status, dict(headers or {}))

    return answer


async def slow(request: Request) -> Response:
    """Nothing, until whoever asked has gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    return Response()


async def elsewhere(_request: Request) -> Response:
    """Go and ask another."""
    return RedirectResponse("/stolen", 302)


async def hung_up(_request: Request) -> Response:
    """An answer that promises more than it brings."""
    return Response(b"half", headers={"Content-Length": "4000"})
