"""One server on its port, inside a running loop: shared by the demonstration and by `serve`."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import uvicorn
from starlette.types import ASGIApp

from hub.settings import Server

BACKLOG = 2048


class PortTaken(RuntimeError):
    """The address cannot be listened on; the message says what to do."""

    code = "PORT_TAKEN"


def bound(settings: Server) -> socket.socket:
    """The listening socket, so that nobody else can take the port any more; raises `PortTaken`.

    Whoever connects before the server is up waits for it.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # Named as TCP, because asyncio turns Nagle's delay off only then: 40 ms an answer otherwise.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((settings.host, settings.port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise PortTaken(
            f"不能监听 {settings.host}:{settings.port}（{error.strerror}）：换一个端口，或停掉占用它的程序 / "
            f"cannot listen there: choose another port, or stop what uses it"
        ) from None
    return sock


def address(settings: Server, port: int) -> str:
    """The server's address as a URL without path."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{port}"


@contextlib.asynccontextmanager
async def serving(
    app: ASGIApp, settings: Server, listening: socket.socket | None = None
) -> AsyncIterator[str]:
    """Serve `app` until the block ends; yields its address. Signals stay the caller's.

    `listening`: a socket of `bound` that was taken earlier; it is closed here.
    """
    sock = listening or bound(settings)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, timeout_graceful_shutdown=2, ws="none", backlog=BACKLOG,
        proxy_headers=bool(settings.trusted_proxies), forwarded_allow_ips=list(settings.trusted_proxies),
        h11_max_incomplete_event_size=32_768, timeout_keep_alive=20, server_header=False,
    )  # fmt: skip
    server = uvicorn.Server(config)
    setattr(server, "capture_signals", contextlib.nullcontext)  # noqa: B010 - signals are the command's
    task = asyncio.create_task(server.serve(sockets=[sock]))
    try:
        while not server.started:
            if task.done():
                await task
                raise PortTaken("服务未能启动 / the server did not start")
            await asyncio.sleep(0.01)
        yield address(settings, sock.getsockname()[1])
    finally:
        server.should_exit = True
        await task
        sock.close()
