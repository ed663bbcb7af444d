"""What listens sends small answers at once, and believes only proxies that were named."""

from __future__ import annotations

import asyncio
import socket

import aiohttp
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from hub.cli.listen import bound, serving
from hub.settings import Server


async def test_an_answer_does_not_wait_for_the_last_ones_acknowledgement() -> None:
    accepted: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def arrived(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sock = writer.get_extra_info("socket")
        accepted.set_result(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    listening = bound(Server(port=0))
    async with await asyncio.start_server(arrived, sock=listening):
        _, writer = await asyncio.open_connection(*listening.getsockname())
        assert await accepted != 0
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize(("proxies", "seen"), [((), "127.0.0.1"), (("127.0.0.1",), "203.0.113.7")])
async def test_who_a_request_came_from_is_told_by_named_proxies_only(
    proxies: tuple[str, ...], seen: str
) -> None:
    async def peer(request: Request) -> Response:
        assert request.client is not None
        return PlainTextResponse(request.client.host)

    settings = Server(port=0, trusted_proxies=proxies)
    headers = {"X-Forwarded-For": "203.0.113.7"}
    async with (
        serving(Starlette(routes=[Route("/", peer)]), settings) as url,
        aiohttp.ClientSession() as http,
        http.get(url, headers=headers) as answer,
    ):
        assert await answer.text() == seen
