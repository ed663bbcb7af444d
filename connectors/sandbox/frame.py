"""What every sandbox twin stands in: a real server on loopback, with faults on a switch and calls counted.

`POST /_sandbox/fault` with `{"mode": "ok" | "hang" | "error" | "garbage" | "html" | "drip" | "busy"}` breaks
or mends it; `GET /_sandbox/calls` tells how often each path was asked; `DELETE` starts counting anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

MODES = ("ok", "hang", "error", "garbage", "html", "drip", "busy")


@dataclass
class Frame:
    """Around a twin's application: counts calls and, when told to, answers as a broken source would."""

    app: ASGIApp
    mode: str = "ok"
    calls: Counter[str] = field(default_factory=Counter)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry; lifespan goes through untouched."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif scope["path"].startswith("/_sandbox/"):
            await (await self._control(Request(scope, receive)))(scope, receive, send)
        else:
            self.calls[scope["path"]] += 1
            await (self.app if self.mode == "ok" else self._fault())(scope, receive, send)

    async def _control(self, request: Request) -> Response:
        if request.url.path == "/_sandbox/fault" and request.method == "POST":
            mode = (await request.json()).get("mode")
            if mode not in MODES:
                return JSONResponse({"error": f"mode is one of {MODES}"}, 400)
            self.mode = mode
        elif request.method == "DELETE":
            self.calls.clear()
        return JSONResponse({"mode": self.mode, "total": self.calls.total(), "calls": dict(self.calls)})

    def _fault(self) -> ASGIApp:
        if self.mode == "hang":
            return _hang
        if self.mode == "drip":
            return StreamingResponse(_drip(), media_type="application/json")
        if self.mode == "busy":
            return Response(status_code=503, headers={"Retry-After": "2"})
        if self.mode == "html":
            return Response("<html><body>维护中</body></html>", media_type="text/html")
        if self.mode == "garbage":
            return Response(b'\x00\xff{"half":', media_type="application/json")
        return Response("boom", 500)


async def _hang(_scope: Scope, receive: Receive, _send: Send) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _drip() -> AsyncIterator[bytes]:
    while True:
        yield b" "
        await asyncio.sleep(0.2)


@dataclass(frozen=True)
class Served:
    """A twin that is up: its base address and its frame."""

    url: str
    frame: Frame


def listening(port: int = 0) -> socket.socket:
    """A bound loopback socket; port 0 lets the system choose."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    return bound


@contextlib.asynccontextmanager
async def served(app: Starlette, port: int = 0) -> AsyncIterator[Served]:
    """Serve `app` on loopback inside the running loop until the block ends."""
    frame = Frame(app)
    bound = listening(port)
    config = uvicorn.Config(
        frame, log_level="error", lifespan="on", timeout_graceful_shutdown=1, access_log=False, ws="none"
    )
    server = uvicorn.Server(config)
    setattr(server, "capture_signals", contextlib.nullcontext)  # noqa: B010 - the loop's signals are not ours
    task = asyncio.create_task(server.serve(sockets=[bound]))
    try:
        while not server.started:
            if task.done():
                task.result()
            await asyncio.sleep(0.01)
        yield Served(f"http://127.0.0.1:{bound.getsockname()[1]}", frame)
    finally:
        server.should_exit = True
        _hang_up(server)
        await task
        bound.close()


def _hang_up(server: uvicorn.Server) -> None:
    """Leave nobody waiting: what hangs on purpose ends with its connection, and says nothing about it."""
    for listener in server.servers if server.started else ():
        listener.close()
    for connection in list(server.server_state.connections):
        connection.transport.abort()
