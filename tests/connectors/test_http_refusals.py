"""Sources that refuse, and second tries, counted at the source."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import Malformed, Overloaded, Refused, SourceError, Unavailable
from connectors.foreign import patience
from connectors.http import Http, status_of
from tests.fakes.source import (
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
    vanish,
)

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
