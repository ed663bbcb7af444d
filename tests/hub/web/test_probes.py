"""A hub that can answer says so, and one that cannot does too."""

from __future__ import annotations

import asyncio

import pytest
from starlette.applications import Starlette

from hub.web.probes import probe_routes
from tests.hub.web.served import Hub, hub, serving


async def test_a_hub_that_is_well_is_alive_and_ready(demo: Hub) -> None:
    for path in ("/livez", "/readyz"):
        async with demo.http.get(demo.url + path) as answer:
            assert (answer.status, (await answer.json())["status"]) == (200, "ok")
            assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("state", "status", "verdict"),
    [("degraded", 200, "degraded"), ("down", 503, "down"), ("on fire", 503, "down")],
)
async def test_ready_means_that_answers_go_on(state: str, status: int, verdict: str) -> None:
    async def check() -> dict[str, str]:
        return {"mongo": state, "schema": "ok"}

    async with hub(check=check) as running, running.http.get(f"{running.url}/readyz") as answer:
        assert (answer.status, (await answer.json())["status"]) == (status, verdict)


async def test_a_check_that_fails_is_a_hub_that_is_not_ready_and_tells_no_details() -> None:
    async def check() -> dict[str, str]:
        raise RuntimeError("mongodb://user:secret@db")

    async with hub(check=check) as running:
        async with running.http.get(f"{running.url}/readyz") as answer:
            assert answer.status == 503
            assert "secret" not in await answer.text()
        async with running.http.get(f"{running.url}/livez") as answer:
            assert answer.status == 200


async def test_a_check_that_hangs_is_a_hub_that_is_not_ready() -> None:
    async def check() -> dict[str, str]:
        await asyncio.Event().wait()
        return {}

    app = Starlette(routes=probe_routes(check, deadline=0.05))
    async with serving(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 503 ")
        writer.close()
