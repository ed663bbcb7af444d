"""The HTTP port against sources that hang, drip, lie and vanish: real sockets, counted at the source."""

from __future__ import annotations

import asyncio
import gc
import gzip
import warnings
from pathlib import Path

import pytest

from connectors.errors import TimedOut, Unavailable
from connectors.http import Http
from tests.fakes.papers import Papers
from tests.fakes.source import (
    LOOPBACK,
    MIB,
    PATIENCE,
    SOON,
    Script,
    Source,
    Writer,
    answer,
    error_of,
    hang,
    says,
)

# What an honest source gets and gives


async def test_a_source_answers_with_json(http: Http) -> None:
    body = '{"姓名": "测试生甲"}'.encode()
    async with Source(says(answer("200 OK", body, "Content-Type: application/json", "X-Total: 3"))) as source:
        reply = await http.get(source.url, params={"year": "2025", "name": "李"}, within=SOON)
    assert reply.status == 200
    assert reply.json() == {"姓名": "测试生甲"}
    assert reply.headers["x-TOTAL"] == "3"
    assert reply.url == f"{source.url}?year=2025&name=%E6%9D%8E"
    head = source.asked[0].lower()
    assert head.startswith(b"get /pupils/7?year=2025&name=%e6%9d%8e http/1.1\r\n")
    assert b"user-agent: rongtong/0.1\r\n" in head
    assert b"accept-encoding: gzip\r\n" in head
    assert b"cookie" not in head


async def test_json_and_forms_are_posted_as_what_they_are(http: Http) -> None:
    async with Source(says(answer())) as source:
        await http.post(source.url, json={"名": [1, None]}, headers={"X-Sign": "abc"}, within=SOON)
        await http.post(source.url, form={"a": "1 2", "名": "&"}, within=SOON)
        await http.post(source.url, within=SOON)
    first, second, third = source.asked
    assert first.endswith('{"名":[1,null]}'.encode())
    assert b"content-type: application/json" in first.lower()
    assert b"x-sign: abc" in first.lower()
    assert second.endswith(b"a=1+2&%E5%90%8D=%26")
    assert b"content-type: application/x-www-form-urlencoded" in second.lower()
    assert b"content-length: 0" in third.lower()


async def test_a_large_upload_arrives_whole(http: Http) -> None:
    async with Source(says(answer())) as source:
        await http.post(source.url, json={"text": "x" * (2 * MIB)}, within=SOON)
        assert len(source.asked[0].partition(b"\r\n\r\n")[2]) == 2 * MIB + len('{"text":""}')


async def test_not_modified_and_no_content_are_answers(http: Http) -> None:
    packed = b"HTTP/1.1 304 Not Modified\r\nETag: a\r\nContent-Encoding: gzip\r\n\r\n"
    async with Source(says(packed, b"HTTP/1.1 204 No Content\r\n\r\n")) as source:
        first = await http.get(source.url, headers={"If-None-Match": "a"}, within=SOON)
        second = await http.get(source.url, within=SOON)
        assert (first.status, first.body, first.headers["etag"]) == (304, b"", "a")
        assert (second.status, second.body) == (204, b"")
        assert source.connections == 1


async def test_gzip_is_unpacked_members_and_all(http: Http) -> None:
    body = gzip.compress(b"[" + b"1," * 300_000) + gzip.compress(b"1]")
    async with Source(says(answer("200 OK", body, "Content-Encoding: gzip"))) as source:
        reply = await http.get(source.url, within=SOON)
    assert reply.json() == [1] * 300_001


async def test_cookies_are_not_kept(http: Http) -> None:
    async with Source(says(answer("200 OK", b"{}", "Set-Cookie: sid=1; Path=/"))) as source:
        await http.get(source.url, within=SOON)
        await http.get(source.url, within=SOON)
    assert b"cookie" not in source.asked[1].lower()


async def test_a_byte_order_mark_is_forgiven(http: Http) -> None:
    async with Source(says(answer("200 OK", b"\xef\xbb\xbf[1]"))) as source:
        assert (await http.get(source.url, within=SOON)).json() == [1]


async def test_200_concurrent_callers_share_8_connections() -> None:
    async with Source(says(answer())) as source, Http(LOOPBACK, connections=8) as http:
        replies = await asyncio.gather(*(http.get(source.url, within=SOON) for _ in range(200)))
        assert all(reply.status == 200 for reply in replies)
        assert len(source.asked) == 200
        assert source.connections <= 8


# Sources that take their time


async def _headers_then_hang(source: Source, writer: Writer) -> bool:
    writer.write(answer("200 OK", b'{"half":', length=100))
    return await hang(source, writer)


async def _drip(source: Source, writer: Writer) -> bool:
    writer.write(answer("200 OK", b"", length=1000))
    for _ in range(1000):
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.01)
    return False


async def _drip_head(source: Source, writer: Writer) -> bool:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(100):
        writer.write(f"X-{number}: 1\r\n".encode())
        await writer.drain()
        await asyncio.sleep(0.05)
    return False


async def _continue_for_ever(source: Source, writer: Writer) -> bool:
    while True:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("script", [hang, _headers_then_hang, _drip, _drip_head, _continue_for_ever])
async def test_the_deadline_covers_everything_and_the_connection_is_given_up(
    http: Http, script: Script
) -> None:
    async with Source(script) as source:
        error = await error_of(http.get(source.url, params={"name": "甲"}, within=PATIENCE))
        await source.hung_up_on()
    assert type(error) is TimedOut
    assert len(source.asked) == 1


async def test_waiting_for_a_free_connection_counts_too() -> None:
    async with Source(hang) as source, Http(LOOPBACK, connections=1) as http:
        errors = await asyncio.gather(*(error_of(http.get(source.url, within=PATIENCE)) for _ in range(5)))
        assert {type(error) for error in errors} == {TimedOut}
        assert source.connections <= 5


async def test_a_hanging_source_does_not_hold_up_another() -> None:
    async with (
        Source(hang) as silent,
        Source(says(answer())) as lively,
        Http(LOOPBACK, connections=2) as http,
    ):
        waiting = [asyncio.create_task(error_of(http.get(silent.url, within=30))) for _ in range(10)]
        replies = await asyncio.gather(*(http.get(lively.url, within=SOON) for _ in range(20)))
        assert len(replies) == 20
        assert not any(task.done() for task in waiting)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_caller_who_leaves_releases_the_connection() -> None:
    async with Source(hang) as source, Http(LOOPBACK, connections=1) as http:
        call = asyncio.create_task(http.get(source.url, within=30))
        await source.heard.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await source.hung_up_on()
        source.script = says(answer())
        assert (await http.get(source.url, within=SOON)).status == 200  # the only place is free again


# Leaving no trace


async def test_nothing_is_left_open(tmp_path: Path) -> None:
    papers = Papers(tmp_path)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        async with Source(says(answer()), papers.server) as safe, Source(hang) as silent:
            port = Http(LOOPBACK, tls=papers.trusted())
            await port.get(safe.url, within=SOON)
            await error_of(port.get(silent.url, within=PATIENCE))
            await port.aclose()
            await safe.hung_up_on()
        del port
        gc.collect()
        await asyncio.sleep(0)
    assert [str(warning.message) for warning in seen if warning.category is ResourceWarning] == []


async def test_a_closed_port_stays_closed() -> None:
    async with Source(says(answer())) as source:
        port = Http(LOOPBACK)
        await port.get(source.url, within=SOON)
        await port.aclose()
        await port.aclose()
        assert type(await error_of(port.get(source.url, within=SOON))) is Unavailable


async def test_calls_under_way_end_when_the_port_closes() -> None:
    async with Source(hang) as source:
        port = Http(LOOPBACK)
        call = asyncio.create_task(error_of(port.get(source.url, within=30)))
        await source.heard.wait()
        await port.aclose()
        assert isinstance(await call, Unavailable)
        assert len(source.asked) == 1
