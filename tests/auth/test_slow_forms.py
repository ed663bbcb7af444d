"""A form that never ends is not waited for, whichever endpoint it was sent to."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from auth import browser
from hub.identity.store import MongoStore
from hub.mongo import Mongo
from tests.auth.provider.desk import desk

DRIPPED = "\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 99\r\n\r\na"


@pytest.mark.parametrize("path", ["/oauth/introspect", "/oauth/revoke"])
async def test_slow_clients_a_form_of_which_the_end_never_comes_is_answered_408(
    mongo: Mongo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(browser, "PATIENCE", 0.05)
    async with desk(MongoStore(mongo), tmp_path) as here:
        port = int(here.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"POST {path} HTTP/1.1{DRIPPED}".encode())
        async with asyncio.timeout(30):
            assert (await reader.readline()).startswith(b"HTTP/1.1 408 ")
        writer.close()
