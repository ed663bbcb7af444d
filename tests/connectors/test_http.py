"""The HTTP port against sources that hang, drip, lie and vanish: real sockets, counted at the source."""

from __future__ import annotations

import asyncio
import gc
import gzip
import ipaddress
import ssl
import tracemalloc
import warnings
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import (
    Forbidden,
    Malformed,
    Overloaded,
    Refused,
    SourceError,
    TimedOut,
    Unanswerable,
    Unavailable,
    Untrusted,
)
from connectors.foreign import patience
from connectors.http import Http, Reply, status_of
from connectors.unpack import Gunzip

LOOPBACK = ("127.0.0.0/8", "::1/128")
MIB = 1024 * 1024
SOON = 5.0  # seconds that an honest answer on loopback may take at most
PATIENCE = 0.25  # seconds after which a caller gives up on a hanging source

Writer = asyncio.StreamWriter
Script = Callable[["Source", Writer], Awaitable[bool]]


class Source:
    """A source on loopback whose script answers each request and says whether the connection goes on."""

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None) -> None:
        self.script, self.tls = script, tls
        self.asked: list[bytes] = []
        self.connections = 0
        self.sent = 0
        self.heard, self.left = asyncio.Event(), asyncio.Event()
        self.readers: dict[Writer, asyncio.StreamReader] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)
        self.port = int(self._server.sockets[0].getsockname()[1])
        self.url = f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/pupils/7"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        self.readers[writer] = reader
        try:
            while await self._turn(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError, asyncio.CancelledError):
            pass
        finally:
            self.left.set()
            self._tasks.discard(task)
            writer.close()
            with suppress(ConnectionError, ssl.SSLError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _turn(self, reader: asyncio.StreamReader, writer: Writer) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(_length(head))
        self.asked.append(head + body)
        self.heard.set()
        again = await self.script(self, writer)
        await writer.drain()
        return again

    async def hung_up_on(self) -> None:
        """Until the hub has let go of a connection."""
        async with asyncio.timeout(SOON):
            await self.left.wait()


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


def answer(status: str = "200 OK", body: bytes = b"{}", *headers: str, length: int | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def says(*answers: bytes, stay: bool = True) -> Script:
    """Each answer in turn, the last one for ever."""

    async def script(source: Source, writer: Writer) -> bool:
        writer.write(answers[min(len(source.asked), len(answers)) - 1])
        return stay

    return script


async def hang(source: Source, writer: Writer) -> bool:
    await source.readers[writer].read()  # until the hub hangs up
    return False


async def vanish(source: Source, writer: Writer) -> bool:
    return False


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    async with Http(LOOPBACK) as port:
        yield port


async def error_of(call: Awaitable[Reply]) -> SourceError:
    with pytest.raises(SourceError) as caught:
        await call
    return caught.value


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


# Sources that send too much, or what nobody can read


def _pour(head: bytes, piece: bytes, times: int) -> Script:
    async def script(source: Source, writer: Writer) -> bool:
        writer.write(head)
        for _ in range(times):
            writer.write(piece)
            await writer.drain()
            source.sent += len(piece)
        return False

    return script


_CHUNK = f"{64 * 1024:x}\r\n".encode() + b"x" * 64 * 1024 + b"\r\n"
_TOO_MUCH = [
    _pour(answer("200 OK", b"", length=50 * MIB), b"x" * 64 * 1024, 800),
    _pour(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b"x" * 64 * 1024, 800),
    _pour(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", _CHUNK, 800),
]


@pytest.mark.parametrize("script", _TOO_MUCH, ids=["declared", "until closed", "chunked"])
async def test_50_megabytes_are_refused_while_they_come(http: Http, script: Script) -> None:
    async with Source(script) as source:
        error = await error_of(http.get(source.url, within=SOON, max_bytes=MIB))
        await source.hung_up_on()
    assert type(error) is Malformed
    assert source.sent < 20 * MIB  # what the kernel's buffers swallowed, not what we kept
    assert len(source.asked) == 1


async def test_the_port_has_a_bound_of_its_own() -> None:
    async with Source(says(answer("200 OK", b"x" * 101))) as source, Http(LOOPBACK, max_bytes=100) as http:
        assert type(await error_of(http.get(source.url, within=SOON))) is Malformed
        assert len((await http.get(source.url, within=SOON, max_bytes=101)).body) == 101


@pytest.mark.parametrize("bound", [MIB // 2, 16 * MIB])
async def test_a_gzip_bomb_neither_fills_memory_nor_goes_off(http: Http, bound: int) -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(MIB)) for _ in range(64)) + packer.flush()
    async with Source(says(answer("200 OK", bomb, "Content-Encoding: gzip"))) as source:
        tracemalloc.start()
        try:
            error = await error_of(http.get(source.url, within=SOON, max_bytes=bound))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert type(error) is Malformed
    assert peak < 5 * MIB


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", b"not gzip at all"),
        ("gzip", gzip.compress(b"[1]" * 1000)[:-9]),
        ("gzip", gzip.compress(b"") * 5000),
        ("gzip", gzip.compress(b"[1]") + b"rest"),
        ("br", b"[1]"),
        ("gzip, gzip", gzip.compress(gzip.compress(b"[1]"))),
        ("deflate", zlib.compress(b"[1]")),
    ],
    ids=["plain", "cut", "5000 members", "trailing", "brotli", "twice", "deflate"],
)
async def test_what_is_packed_wrongly_is_malformed(http: Http, encoding: str, body: bytes) -> None:
    async with Source(says(answer("200 OK", body, f"Content-Encoding: {encoding}"))) as source:
        assert type(await error_of(http.get(source.url, within=SOON))) is Malformed


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00\xff\x13\x37" * 400,
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"<html>busy</html>\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 5000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]\r\nzz\r\n",
    ],
    ids=["bytes", "ssh", "html", "status", "negative", "two lengths", "long header", "many headers", "chunk"],
)
async def test_who_does_not_speak_http_is_malformed(http: Http, garbage: bytes) -> None:
    async with Source(says(garbage, stay=False)) as source:
        error = await error_of(http.get(source.url, within=SOON))
    assert type(error) is Malformed
    assert len(source.asked) == 1
    assert "html" not in error.detail


@pytest.mark.parametrize(
    "body", [b"<!DOCTYPE html><p>secret</p>", b"", b"{", b"NaN", b"[" * 100_000, b'"\xff"', b'"\\ud800"']
)
async def test_what_is_not_json_is_malformed_and_not_repeated(http: Http, body: bytes) -> None:
    async with Source(says(answer("200 OK", body, "Content-Type: text/html; x=secret"))) as source:
        reply = await http.get(source.url, params={"token": "secret"}, within=SOON)
    with pytest.raises(Malformed) as caught:
        reply.json()
    assert caught.value.detail == f"127.0.0.1/pupils/7: not JSON but text/html, {len(body)} bytes"
    assert caught.value.__cause__ is None  # the parser's error carries the whole document
    assert "secret" not in repr(reply)


# Sources that refuse


_FAR = "Wed, 21 Oct 2015 07:28:00 GMT"
_STATUSES: list[tuple[str, tuple[str, ...], type[SourceError]]] = [
    ("301 Moved", ("Location: http://169.254.169.254/",), Refused),
    ("302 Found", ("Location: /elsewhere",), Refused),
    ("307 Temporary", ("Location: http://127.0.0.1:1/",), Refused),
    ("400 Bad Request", (), Refused),
    ("401 Unauthorized", (), Refused),
    ("403 Forbidden", (), Refused),
    ("404 Not Found", (), Refused),
    ("405 Method Not Allowed", (), Refused),
    ("410 Gone", (), Refused),
    ("418 Teapot", (), Refused),
    ("429 Too Many", (), Overloaded),
    ("429 Too Many", ("Retry-After: 7",), Overloaded),
    ("503 Busy", ("Retry-After: 7",), Overloaded),
    ("503 Busy", (f"Retry-After: {_FAR}",), Overloaded),
    ("500 Internal", (), Malformed),
    ("501 Not Implemented", (), Malformed),
    ("505 Version", (), Malformed),
    ("599 Odd", (), Malformed),
]


@pytest.mark.parametrize(("status", "headers", "kind"), _STATUSES)
async def test_a_refusal_becomes_the_error_that_says_what_to_do(
    http: Http, status: str, headers: tuple[str, ...], kind: type[SourceError]
) -> None:
    async with Source(says(answer(status, b"secret", *headers))) as source:
        error = await error_of(http.get(source.url, params={"id": "secret"}, within=SOON))
        assert type(error) is kind
        assert status_of(error) == int(status[:3]) == vars(error)["status"]
        assert error.detail == f"127.0.0.1/pupils/7: status {status[:3]}"
        assert len(source.asked) == 1  # neither followed nor repeated


@pytest.mark.parametrize(
    ("status", "kind"), [("502 x", Unavailable), ("503 x", Unavailable), ("504 x", Unavailable)]
)
async def test_a_gateway_without_its_source_is_unavailable(
    http: Http, status: str, kind: type[SourceError]
) -> None:
    async with Source(says(answer(status))) as source:
        error = await error_of(http.post(source.url, json={}, within=SOON))
        assert type(error) is kind
        assert status_of(error) == int(status[:3])


async def test_a_short_refusal_keeps_the_connection_a_long_one_loses_it(http: Http) -> None:
    async with Source(says(answer("404 Not Found", b"nothing here"))) as short:
        for _ in range(3):
            await error_of(http.get(short.url, within=SOON))
        assert short.connections == 1
    async with Source(says(answer("404 Not Found", b"x" * 2 * MIB))) as long:
        for _ in range(3):
            await error_of(http.get(long.url, within=SOON))
        assert long.connections == 3


async def test_a_refusal_whose_page_never_comes_is_still_told(http: Http) -> None:
    async with Source(says(answer("404 Not Found", b"", length=10))) as source:
        error = await error_of(http.get(source.url, within=SOON))
        await source.hung_up_on()
    assert status_of(error) == 404


async def test_patience_is_asked_for_in_seconds_or_as_a_date(http: Http) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(minutes=30), usegmt=True)
    asked = ["7", "0", "86400", later, _FAR]
    async with Source(says(*(answer("503 x", b"", f"Retry-After: {text}") for text in asked))) as source:
        waits = []
        for _ in asked:
            error = await error_of(http.get(source.url, within=SOON))
            assert isinstance(error, Overloaded)
            waits.append(error.retry_after)
    assert waits == [7.0, 0.0, 60.0, 60.0, 0.0]


def test_an_http_date_is_read_to_the_second() -> None:
    now = datetime(2025, 9, 1, 8, 0, 0, tzinfo=UTC)
    assert patience("Mon, 01 Sep 2025 08:00:42 GMT", now) == 42.0
    assert patience("Mon, 01 Sep 2025 16:00:42 +0800", now) == 42.0
    assert patience("9" * 5000, now) == 60.0


@given(st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_whatever_stands_in_retry_after_nobody_waits_longer_than_a_minute(text: str) -> None:
    wait = patience(text, datetime(2025, 9, 1, tzinfo=UTC))
    assert wait is None or 0 <= wait <= 60


# Second tries, counted at the source


async def _unused_port() -> int:
    async with Source(hang) as source:
        return source.port


async def test_nobody_listens(http: Http) -> None:
    url = f"http://127.0.0.1:{await _unused_port()}/"
    error = await error_of(http.get(url, within=SOON))
    assert type(error) is Unavailable
    assert status_of(error) == 0


async def test_an_unknown_name_is_unavailable() -> None:
    async def lookup(_: str) -> Sequence[str]:
        raise OSError("no such name")

    async with Http(lookup=lookup) as http:
        assert type(await error_of(http.get("http://county.test/", within=SOON))) is Unavailable


_HALF = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"
_FAILURES = [
    vanish,
    says(answer("502 Bad Gateway")),
    says(answer(length=9), stay=False),
    says(_HALF, stay=False),
    says(b"HTTP/1.1 200", stay=False),
]


@pytest.mark.parametrize("failure", _FAILURES, ids=["vanishes", "502", "half", "half a chunk", "half a head"])
async def test_a_read_is_tried_twice_and_no_more(http: Http, failure: Script) -> None:
    async with Source(failure) as source:
        assert isinstance(await error_of(http.get(source.url, within=SOON)), Unavailable)
        assert len(source.asked) == 2


async def test_the_second_try_may_succeed(http: Http) -> None:
    async with Source(says(answer("503 x"), answer("200 OK", b"[1]"))) as source:
        assert (await http.get(source.url, within=SOON)).json() == [1]
        assert len(source.asked) == 2


@pytest.mark.parametrize("failure", [vanish, says(answer("503 x"))])
async def test_a_post_is_repeated_only_if_it_is_a_read(http: Http, failure: Script) -> None:
    async with Source(failure) as source:
        await error_of(http.post(source.url, json={"write": 1}, within=SOON))
        assert len(source.asked) == 1
        await error_of(http.post(source.url, json={"read": 1}, within=SOON, safe=True))
        assert len(source.asked) == 3
        assert source.asked[1].endswith(b'{"read":1}')
        assert source.asked[2].endswith(b'{"read":1}')


async def test_retries_are_a_tenth_of_the_requests(http: Http) -> None:
    async with Source(says(answer("503 x"))) as source:
        for _ in range(100):
            await error_of(http.get(source.url, within=SOON))
        assert 110 <= len(source.asked) <= 111  # a tenth, and the one in hand at the start


async def test_no_second_try_past_the_deadline(http: Http) -> None:
    async def late(source: Source, writer: Writer) -> bool:
        await asyncio.sleep(PATIENCE * 0.97)
        writer.write(answer("503 x"))
        return True

    async with Source(late) as source:
        assert isinstance(await error_of(http.get(source.url, within=PATIENCE)), Unavailable)
        assert len(source.asked) == 1


async def _reset_unseen(source: Source, writer: Writer) -> bool:
    """Answer the first request of a connection, then drop the next one unread: a close that raced with it."""
    if getattr(writer, "used", False):
        writer.transport.abort()
        return False
    vars(writer)["used"] = True
    writer.write(answer())
    return True


async def test_a_connection_closed_while_idle_is_replaced_without_loss(http: Http) -> None:
    async with Source(says(answer(), stay=False)) as source:
        for _ in range(5):
            assert (await http.get(source.url, within=SOON)).status == 200
        assert len(source.asked) == 5


async def test_a_close_that_races_with_a_read_costs_one_more_try(http: Http) -> None:
    async with Source(_reset_unseen) as source:
        for _ in range(6):  # more often than the budget would pay for
            assert (await http.get(source.url, within=SOON)).status == 200
        assert (await http.post(source.url, json={}, within=SOON, safe=True)).status == 200
        assert source.connections == 7


async def test_a_close_that_races_with_a_write_is_told(http: Http) -> None:
    async with Source(_reset_unseen) as source:
        assert (await http.post(source.url, json={}, within=SOON)).status == 200
        assert isinstance(await error_of(http.post(source.url, json={}, within=SOON)), Unavailable)
        assert len(source.asked) == 2


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


class Papers:
    """A certificate that a source signed for itself."""

    def __init__(self, folder: Path, *, name: str = "county.test", days: int = 1) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        names = x509.SubjectAlternativeName(
            [x509.DNSName(name), x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))]
        )
        certificate = (
            x509.CertificateBuilder()
            .subject_name(who)
            .issuer_name(who)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=9))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(names, critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        self.certificate, private = folder / "certificate.pem", folder / "key.pem"
        self.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        private.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.load_cert_chain(self.certificate, private)

    def trusted(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.certificate))


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


@given(st.binary(max_size=4000), st.integers(1, 200))
@settings(max_examples=60, deadline=None)
def test_gzip_cut_into_any_pieces_unpacks_to_the_same(content: bytes, size: int) -> None:
    packed = gzip.compress(content[:2000]) + gzip.compress(content[2000:])
    unpack = Gunzip()
    parts = [bytes(part) for i in range(0, len(packed), size) for part in unpack.parts(packed[i : i + size])]
    assert b"".join(parts) == content
    assert unpack.complete()
