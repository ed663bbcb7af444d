"""A running demonstration as journeys see it: ask the graph as somebody, break a source, count its calls."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import msgspec
import orjson

from auth.settings import Seconds
from hub.cli.demo import Demo, running
from hub.settings import Settings


@dataclass
class World:
    """The demonstration with a client of its own."""

    demo: Demo
    client: aiohttp.ClientSession

    async def ask(
        self, query: str, persona: str = "", *, provenance: bool = False, purpose: str = "", **variables: Any
    ) -> dict[str, Any]:
        """The whole answer to `query`, asked as a persona or as nobody."""
        headers = {"X-Rongtong-Purpose": purpose} if purpose else {}
        if persona:
            assert self.demo.hub.identity is not None
            headers["Authorization"] = f"Bearer {self.demo.hub.identity.token(persona)}"
        body: dict[str, Any] = {"query": query, "variables": variables}
        if provenance:
            body["extensions"] = {"provenance": True}
        async with self.client.post(f"{self.demo.url}/graphql", json=body, headers=headers) as reply:
            answer: dict[str, Any] = orjson.loads(await reply.read())
            return answer

    async def data(self, query: str, persona: str = "", **variables: Any) -> dict[str, Any]:
        """The data of an answer without errors."""
        answer = await self.ask(query, persona, **variables)
        assert "errors" not in answer, answer["errors"]
        data: dict[str, Any] = answer["data"]
        return data

    async def fault(self, process: str, mode: str) -> None:
        """Break or mend a twin: ok, hang, error, garbage, html, drip, busy."""
        async with self.client.post(f"{self.url(process)}/_sandbox/fault", json={"mode": mode}) as reply:
            assert reply.status == 200

    async def calls(self, process: str) -> dict[str, int]:
        """How often each path of a twin was asked since `forget`."""
        async with self.client.get(f"{self.url(process)}/_sandbox/calls") as reply:
            calls: dict[str, int] = (await reply.json())["calls"]
            return calls

    async def forget(self, process: str) -> None:
        """Start counting anew."""
        async with self.client.delete(f"{self.url(process)}/_sandbox/calls") as reply:
            assert reply.status == 200

    def url(self, process: str) -> str:
        """A twin's own address."""
        return self.demo.twins[process].url

    def kill(self, process: str) -> None:
        """End a twin at once."""
        os.kill(self.demo.twins[process].pid, signal.SIGKILL)

    def freeze(self, process: str) -> None:
        """Stop a twin's process: it accepts connections and never answers."""
        os.kill(self.demo.twins[process].pid, signal.SIGSTOP)


FORGETFUL = {"lc-exchange": {"users_fresh": 0.0, "orgs_fresh": 0.0}}
"""Options that end a tongue's own memory of lists that its protocol only gives whole."""


def short_memory(settings: Settings) -> Settings:
    """Settings under which nothing stays fresh, and everything is remembered for bad days."""
    sources = tuple(
        msgspec.structs.replace(
            source,
            fresh_for=Seconds(0.0),
            stale_for=Seconds(0.0),
            down_for=Seconds(3600.0),
            options=source.options | FORGETFUL.get(source.code, {}),
        )
        for source in settings.sources
    )
    return msgspec.structs.replace(settings, sources=sources, catalogue=quiet(settings).catalogue)


def quiet(settings: Settings) -> Settings:
    """Settings without harvests of their own accord."""
    catalogue = msgspec.structs.replace(settings.catalogue, harvest_every=Seconds(0.0))
    return msgspec.structs.replace(settings, catalogue=catalogue)


@contextlib.asynccontextmanager
async def world(adjust: Callable[[Settings], Settings] = quiet, **options: Any) -> AsyncIterator[World]:
    """A demonstration on a free port with state of its own."""
    async with (
        running(port=0, adjust=adjust, **options) as demo,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as client,
    ):
        yield World(demo, client)
