"""What listens sends small answers at once."""

from __future__ import annotations

import asyncio
import socket

from hub.cli.listen import bound
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
