"""The gate's way out over real sockets: what comes back whole, and what each failure is called."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import pytest_asyncio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from auth.fetch import FetchFailed
from connectors.http import Http
from hub.identity.fetch import HttpFetch
from tests.auth.broker.puppet import Puppet, elsewhere, fixed, hung_up, puppet, slow, way_out

pytestmark = pytest.mark.asyncio(loop_scope="module")

MB = 1_000_000
INSIDE = ("127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1", "10.0.0.1", "169.254.169.254")
SECRET = "code-that-nobody-may-read"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def doll() -> AsyncIterator[Puppet]:
    async with puppet() as found:
        yield found


@pytest.fixture
def peer(doll: Puppet) -> Puppet:
    """A peer that answers what the story wants; it remembers nothing of the one before."""
    doll.by_path, doll.asked = {}, []
    return doll


@pytest_asyncio.fixture(loop_scope="module")
async def fetch() -> AsyncIterator[HttpFetch]:
    async with way_out() as found:
        yield found


async def told(request: Request) -> Response:
    """What the peer was told, word for word."""
    seen = {
        "method": request.method, "query": dict(request.query_params),
        "accept": request.headers.get("accept"), "kind": request.headers.get("content-type", ""),
        "body": (await request.body()).decode(),
    }  # fmt: skip
    return JSONResponse(seen, 201)


async def failure(fetch: HttpFetch, url: str, method: str = "GET", **how: Any) -> FetchFailed:
    """Why nothing came of it; nothing that was sent, and nothing that came, stands in its text."""
    with pytest.raises(FetchFailed) as caught:
        await fetch(method, url, params={"code": SECRET}, headers={"X-Token": SECRET}, **how)
    assert SECRET not in f"{caught.value!r} {caught.value} {caught.value.detail} {caught.value.public}"
    assert caught.value.__cause__ is None
    return caught.value


async def test_a_question_and_its_answer_arrive_whole(peer: Puppet, fetch: HttpFetch) -> None:
    peer.by_path["/told"] = told
    found = await fetch("GET", f"{peer.url}/told", params={"问": "a&b=c"}, headers={"Accept": "text/x"})
    assert found.status == 201
    assert found.headers["CONTENT-type"] == "application/json"
    said = {"method": "GET", "query": {"问": "a&b=c"}, "accept": "text/x", "kind": "", "body": ""}
    assert found.json() == said


@pytest.mark.parametrize(
    ("how", "kind", "body"),
    [
        ({"form": {"a": "1 2", "b": "&="}}, "application/x-www-form-urlencoded", "a=1+2&b=%26%3D"),
        ({"json": {"a": [1, None]}}, "application/json", '{"a":[1,null]}'),
        ({}, "application/octet-stream", ""),
    ],
)
async def test_a_form_and_json_are_sent_as_such(
    peer: Puppet, fetch: HttpFetch, how: dict[str, Any], kind: str, body: str
) -> None:
    peer.by_path["/told"] = told
    found = (await fetch("POST", f"{peer.url}/told", params={"q": "1"}, **how)).json()
    assert (found["method"], found["query"], found["kind"], found["body"]) == ("POST", {"q": "1"}, kind, body)


async def test_nothing_of_an_answer_is_printed(peer: Puppet, fetch: HttpFetch) -> None:
    peer.by_path["/secret"] = fixed(SECRET, headers={"X-Secret": SECRET})
    found = await fetch("GET", f"{peer.url}/secret")
    assert found.body.decode() == SECRET
    assert SECRET not in repr(found)


@pytest.mark.parametrize("said", ["<html>维护中</html>", "", '{"half":', "NaN", b'"\xff"'])
async def test_what_is_no_json_is_malformed_when_it_is_read_as_json(
    peer: Puppet, fetch: HttpFetch, said: str | bytes
) -> None:
    peer.by_path["/said"] = fixed(said)
    found = await fetch("GET", f"{peer.url}/said")
    with pytest.raises(FetchFailed) as caught:
        found.json()
    assert caught.value.kind == "malformed"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (300, "refused"), (400, "refused"), (401, "refused"), (403, "refused"), (404, "refused"),
        (410, "refused"), (429, "unavailable"), (500, "malformed"), (501, "malformed"),
        (502, "unavailable"), (503, "unavailable"), (504, "unavailable"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_status_that_is_no_success_is_told_with_its_kind(
    peer: Puppet, fetch: HttpFetch, method: str, status: int, kind: str
) -> None:
    peer.by_path["/said"] = fixed(SECRET, status)
    failed = await failure(fetch, f"{peer.url}/said", method)
    assert (failed.kind, failed.status) == (kind, status)
    assert "127.0.0.1" in failed.detail


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_redirect_is_refused_and_not_followed(peer: Puppet, fetch: HttpFetch, method: str) -> None:
    peer.by_path |= {"/go": elsewhere, "/stolen": fixed("{}")}
    failed = await failure(fetch, f"{peer.url}/go", method)
    assert (failed.kind, failed.status) == ("refused", 302)
    assert peer.asked == ["/go"]


async def test_a_peer_that_hangs_is_left_when_the_time_is_over(peer: Puppet, fetch: HttpFetch) -> None:
    gone = asyncio.Event()

    async def waiting(request: Request) -> Response:
        answer = await slow(request)  # returns once we have hung up
        gone.set()
        return answer

    peer.by_path["/slow"] = waiting
    failed = await failure(fetch, f"{peer.url}/slow", within=0.2)
    assert (failed.kind, failed.status or 0) == ("timeout", 0)
    await asyncio.wait_for(gone.wait(), 10)


async def test_a_peer_that_hangs_up_in_the_middle_gave_nothing(peer: Puppet, fetch: HttpFetch) -> None:
    peer.by_path["/half"] = hung_up
    assert (await failure(fetch, f"{peer.url}/half", "POST")).kind == "unavailable"
    assert peer.asked == ["/half"], "a POST is never sent twice"


async def test_a_peer_that_is_not_there_is_unavailable(fetch: HttpFetch) -> None:
    assert (await failure(fetch, "http://127.0.0.1:9/")).kind == "unavailable"


async def test_a_peer_inside_the_network_is_not_asked_unless_the_operator_allowed_it(peer: Puppet) -> None:
    port = peer.url.rpartition(":")[2]
    async with Http() as http:
        fetch = HttpFetch(http)
        for host in (
            "127.0.0.1",
            "localhost",
            "[::1]",
            "2130706433",
            "0x7f.1",
            "10.0.0.1",
            "169.254.169.254",
        ):
            assert (await failure(fetch, f"http://{host}:{port}/")).kind == "forbidden", host
    assert peer.asked == []


@pytest.mark.parametrize(
    "odd", ["file:///etc/passwd", "gopher://127.0.0.1/", "http://user@127.0.0.1/", "x", ""]
)
async def test_an_odd_address_is_forbidden(fetch: HttpFetch, odd: str) -> None:
    assert (await failure(fetch, odd)).kind == "forbidden"


async def test_a_header_that_would_split_the_request_is_never_sent(peer: Puppet, fetch: HttpFetch) -> None:
    with pytest.raises(FetchFailed) as caught:
        await fetch("GET", f"{peer.url}/told", headers={"Accept": "x\r\nX-Injected: 1"})
    assert caught.value.kind == "refused"
    assert peer.asked == []


@asynccontextmanager
async def pouring(head: str) -> AsyncIterator[tuple[str, list[int]]]:
    """A peer that pours thirty megabytes into whoever asks: its address, and how much each was given."""
    given: list[int] = []

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            given.append(0)
            writer.write(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode())
            while given[-1] < 30 * MB:
                writer.write(b"x" * 100_000)
                await writer.drain()
                given[-1] += 100_000
        writer.close()

    async with await asyncio.start_server(pour, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", given


@pytest.mark.parametrize("head", ["Content-Length: 30000000", "Connection: close"])
async def test_thirty_megabytes_are_not_read_to_their_end(fetch: HttpFetch, head: str) -> None:
    async with pouring(head) as (url, given):
        assert (await failure(fetch, url)).kind in ("malformed", "too-large")
    assert len(given) == 1
    assert given[0] < 20 * MB, "what the sockets hold, and no more"


async def test_what_is_read_is_bounded_to_the_byte(peer: Puppet, fetch: HttpFetch) -> None:
    peer.by_path |= {"/fits": fixed(b"x" * 1000), "/over": fixed(b"x" * 1001)}
    assert len((await fetch("GET", f"{peer.url}/fits", max_bytes=1000)).body) == 1000
    assert (await failure(fetch, f"{peer.url}/over", max_bytes=1000)).kind in ("malformed", "too-large")


@pytest.mark.parametrize("packed", [gzip.compress(b"0" * 30 * MB), b"\x1f\x8bno gzip", b"x" * 100])
async def test_a_gzip_bomb_does_not_go_off(peer: Puppet, fetch: HttpFetch, packed: bytes) -> None:
    peer.by_path["/bomb"] = fixed(packed, headers={"Content-Encoding": "gzip"})
    assert len(packed) < 262_144
    assert (await failure(fetch, f"{peer.url}/bomb")).kind in ("malformed", "too-large")


async def test_what_was_packed_twice_is_unpacked_once(peer: Puppet, fetch: HttpFetch) -> None:
    inner = gzip.compress(b"0" * 30 * MB)
    peer.by_path["/bomb"] = fixed(gzip.compress(inner), headers={"Content-Encoding": "gzip"})
    assert (await fetch("GET", f"{peer.url}/bomb")).body == inner
