"""Addresses that get no packet, requests that are not sent, certificates that do not hold."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from connectors.errors import Forbidden, Unanswerable, Unavailable, Untrusted
from connectors.http import Http
from tests.fakes.papers import Papers
from tests.fakes.source import LOOPBACK, SOON, Source, Writer, answer, error_of, says

# Addresses, names and certificates


async def test_a_private_address_gets_no_packet() -> None:
    async with Source(says(answer())) as source, Http() as http:
        assert type(await error_of(http.get(source.url, within=SOON))) is Forbidden
        assert source.connections == 0


async def test_a_name_that_leads_to_a_private_address_gets_no_packet() -> None:
    async def lookup(_: str) -> Sequence[str]:
        return ["127.0.0.1"]

    async with Source(says(answer())) as source, Http(lookup=lookup) as http:
        calls = (error_of(http.get(f"http://county.test:{source.port}/", within=SOON)) for _ in range(5))
        errors = await asyncio.gather(*calls)
        assert {type(error) for error in errors} == {Forbidden}
        assert len({id(error) for error in errors}) == 5
        assert source.connections == 0


async def test_the_checked_address_is_the_one_connected_to() -> None:
    asked: list[str] = []

    async def lookup(name: str) -> Sequence[str]:
        asked.append(name)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    async with Source(says(answer())) as source, Http(["county.test"], lookup=lookup) as http:
        reply = await http.get(f"http://county.test:{source.port}/", within=SOON)
        assert reply.status == 200
        assert asked == ["county.test"]
        assert f"host: county.test:{source.port}".encode() in source.asked[0].lower()


async def test_localhost_is_refused_unless_allowed() -> None:
    async with Source(says(answer())) as source:
        url = f"http://localhost:{source.port}/"
        async with Http() as stranger:
            assert type(await error_of(stranger.get(url, within=SOON))) is Forbidden
        async with Http(["localhost"]) as http:
            assert (await http.get(url, within=SOON)).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"X-A": "1\r\nX-B: 2"},
        {"X-A\r\nX-B": "1"},
        {"X-A": "1\n"},
        {"X-A": "\x00"},
        {"X-A": "教"},
        {"": "1"},
        {"X A": "1"},
        {"Host": "other"},
        {"Content-Length": "3"},
        {"transfer-encoding": "chunked"},
        {"Connection": "close"},
        {"Accept-Encoding": "br"},
        {"X-A": "x" * 20_000},
    ],
)
async def test_a_header_that_could_split_the_request_is_not_sent(http: Http, headers: dict[str, str]) -> None:
    async with Source(says(answer())) as source:
        assert type(await error_of(http.get(source.url, headers=headers, within=SOON))) is Unanswerable
        assert type(await error_of(http.get(source.url + "\r\nX: 1", within=SOON))) is Forbidden
        assert source.connections == 0


@pytest.mark.parametrize("body", [{"a": "\ud800"}, {"a": object()}, {1: 2}])
async def test_a_body_that_is_no_json_is_our_own_fault(http: Http, body: object) -> None:
    async with Source(says(answer())) as source:
        assert type(await error_of(http.post(source.url, json=body, within=SOON))) is Unanswerable
        assert source.connections == 0


async def _everyone_is_local(_: str) -> Sequence[str]:
    return ["127.0.0.1"]


async def test_a_certificate_that_nobody_vouches_for_is_untrusted(http: Http, tmp_path: Path) -> None:
    async with Source(says(answer()), Papers(tmp_path).server) as source:
        assert type(await error_of(http.get(source.url, within=SOON))) is Untrusted
        assert source.asked == []


async def test_a_trusted_certificate_holds_for_its_names_only(tmp_path: Path) -> None:
    papers = Papers(tmp_path)
    async with (
        Source(says(answer()), papers.server) as source,
        Http(LOOPBACK, tls=papers.trusted(), lookup=_everyone_is_local) as http,
    ):
        for _ in range(3):
            assert (await http.get(f"https://county.test:{source.port}/", within=SOON)).status == 200
        assert source.connections == 1
        error = await error_of(http.get(f"https://city.test:{source.port}/", within=SOON))
        assert type(error) is Untrusted
        assert len(source.asked) == 3


async def test_an_expired_certificate_is_untrusted(tmp_path: Path) -> None:
    papers = Papers(tmp_path, days=-1)
    async with Source(says(answer()), papers.server) as source, Http(LOOPBACK, tls=papers.trusted()) as http:
        assert type(await error_of(http.get(source.url, within=SOON))) is Untrusted
        assert source.asked == []


async def test_a_source_that_speaks_no_tls_is_untrusted(http: Http) -> None:
    async def babble(reader: asyncio.StreamReader, writer: Writer) -> None:
        writer.write(answer())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    async with server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        assert type(await error_of(http.get(url, within=SOON))) is Untrusted


@pytest.mark.parametrize("rudely", [True, False])
async def test_a_source_that_hangs_up_during_the_handshake_is_unavailable(http: Http, rudely: bool) -> None:
    async def slam(reader: asyncio.StreamReader, writer: Writer) -> None:
        await reader.read(64 * 1024)
        if rudely:
            writer.transport.abort()
        writer.close()

    server = await asyncio.start_server(slam, "127.0.0.1", 0)
    async with server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        assert type(await error_of(http.get(url, within=SOON))) is Unavailable
