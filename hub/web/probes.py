"""Liveness and readiness: may traffic come here? Health means: the hub can answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

Check = Callable[[], Awaitable[Mapping[str, str]]]
"""Part's name -> state: `ok`, `degraded` (answers go on without it) or `down` (they do not)."""

_STATES = frozenset({"ok", "degraded", "down"})


def probe_routes(check: Check, *, deadline: float = 2.0) -> list[Route]:
    """`/livez` answers whenever the loop turns. `/readyz` asks `check` within `deadline` seconds:
    503 when a part is `down`, when the check fails, or when it does not come back."""

    async def livez(request: Request) -> Response:
        return _answer(200, {"status": "ok"})

    async def readyz(request: Request) -> Response:
        try:
            async with asyncio.timeout(deadline):
                parts = dict(await check())
        except Exception:  # a check that fails or hangs is the answer
            return _answer(503, {"status": "down", "parts": {"check": "down"}})
        return _answer(*_verdict(parts))

    return [Route("/livez", livez, methods=["GET"]), Route("/readyz", readyz, methods=["GET"])]


def _verdict(parts: dict[str, str]) -> tuple[int, dict[str, object]]:
    states = {name: state if state in _STATES else "down" for name, state in parts.items()}
    worst = next((state for state in ("down", "degraded") if state in states.values()), "ok")
    return (503 if worst == "down" else 200), {"status": worst, "parts": states}


def _answer(status: int, content: dict[str, object]) -> Response:
    headers = {"Cache-Control": "no-store"} | ({"Retry-After": "2"} if status == 503 else {})
    return Response(orjson.dumps(content), status, headers, "application/json")
