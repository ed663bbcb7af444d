"""Sources that send too much, or what nobody can read."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import Malformed
from connectors.http import Http
from connectors.unpack import Gunzip
from tests.fakes.source import LOOPBACK, MIB, SOON, Script, Source, Writer, answer, error_of, says

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


@given(st.binary(max_size=4000), st.integers(1, 200))
@settings(max_examples=60, deadline=None)
def test_gzip_cut_into_any_pieces_unpacks_to_the_same(content: bytes, size: int) -> None:
    packed = gzip.compress(content[:2000]) + gzip.compress(content[2000:])
    unpack = Gunzip()
    parts = [bytes(part) for i in range(0, len(packed), size) for part in unpack.parts(packed[i : i + size])]
    assert b"".join(parts) == content
    assert unpack.complete()
