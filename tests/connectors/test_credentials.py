"""One token for all who need it: fetched once, renewed once, never shown."""

from __future__ import annotations

import asyncio
import base64

import orjson
import pytest

from connectors.credentials import ClientCredentials
from connectors.errors import Malformed, Refused, SourceError, TimedOut
from connectors.http import Http, Reply, status_of
from tests.fakes.source import LOOPBACK, PATIENCE, SOON, Script, Source, Writer, answer, hang, says

SECRET = "s3cret:带%字"


def token(text: str = "t", **more: object) -> bytes:
    return answer(
        "200 OK", orjson.dumps({"access_token": text, "token_type": "Bearer", "expires_in": 3600} | more)
    )


def numbered(**more: object) -> Script:
    """Token t1, t2, t3 ..., one for each request."""

    async def script(source: Source, writer: Writer) -> bool:
        writer.write(token(f"t{len(source.asked)}", **more))
        return True

    return script


def at(http: Http, source: Source, scope: str = "") -> ClientCredentials:
    return ClientCredentials(http, source.url, "hub", SECRET, scope)


async def test_the_hub_shows_its_credentials_as_the_standard_says(http: Http) -> None:
    async with Source(numbered()) as issuer:
        assert await at(http, issuer, "roster.read 成绩").header(SOON) == {"Authorization": "Bearer t1"}
    head, _, body = issuer.asked[0].partition(b"\r\n\r\n")
    assert b"content-type: application/x-www-form-urlencoded" in head.lower()
    assert body == b"grant_type=client_credentials&scope=roster.read+%E6%88%90%E7%BB%A9"
    line = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"authorization: basic "))
    assert base64.b64decode(line.split()[2]) == b"hub:s3cret%3A%E5%B8%A6%25%E5%AD%97"


async def test_one_hundred_callers_share_one_request(http: Http) -> None:
    async with Source(numbered()) as issuer:
        credentials = at(http, issuer)
        headers = await asyncio.gather(*(credentials.header(SOON) for _ in range(100)))
        assert headers == [{"Authorization": "Bearer t1"}] * 100
        assert await credentials.header(SOON) == headers[0]
        assert len(issuer.asked) == 1


@pytest.mark.parametrize(
    ("life", "requests"), [(3600, 1), (31, 1), (30, 2), (1, 2), ("3600", 1), (None, 1), (-5, 1)]
)
async def test_a_token_is_used_until_30_seconds_before_its_end(
    http: Http, life: object, requests: int
) -> None:
    async with Source(numbered(expires_in=life)) as issuer:
        credentials = at(http, issuer)
        await credentials.header(SOON)
        await credentials.header(SOON)
        assert len(issuer.asked) == requests


async def test_a_forgotten_token_is_fetched_anew(http: Http) -> None:
    async with Source(numbered()) as issuer:
        credentials = at(http, issuer)
        await credentials.header(SOON)
        credentials.forget()
        assert await credentials.header(SOON) == {"Authorization": "Bearer t2"}


async def test_callers_share_a_refusal_too(http: Http) -> None:
    async with Source(says(answer("401 Unauthorized"))) as issuer:
        credentials = at(http, issuer)
        calls = (credentials.header(SOON) for _ in range(50))
        errors = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(error) for error in errors} == {Refused}
        assert len(issuer.asked) == 1


async def test_who_gives_up_does_not_spoil_it_for_the_others(http: Http) -> None:
    gate = asyncio.Event()

    async def slow(source: Source, writer: Writer) -> bool:
        await gate.wait()
        writer.write(token())
        return True

    async with Source(slow) as issuer:
        credentials = at(http, issuer)
        first = asyncio.create_task(credentials.header(SOON))
        second = asyncio.create_task(credentials.header(SOON))
        await issuer.heard.wait()
        first.cancel()
        with pytest.raises(TimedOut):
            await credentials.header(PATIENCE)
        gate.set()
        assert await second == {"Authorization": "Bearer t"}
        assert len(issuer.asked) == 1


async def test_an_issuer_that_hangs_costs_no_more_than_the_deadline() -> None:
    async with Source(hang) as issuer, Http(LOOPBACK) as http:
        with pytest.raises(TimedOut):
            await at(http, issuer).header(PATIENCE)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"[]",
        b"{}",
        b'{"access_token": 7}',
        b'{"access_token": ""}',
        b'{"access_token": "a\\r\\nX: 1"}',
        b'{"access_token": "t", "token_type": "mac"}',
        b'{"access_token": "t", "token_type": null}',
        b'{"access_token": "' + b"t" * 9000 + b'"}',
    ],
)
async def test_what_is_no_token_is_malformed(http: Http, body: bytes) -> None:
    async with Source(says(answer("200 OK", body))) as issuer:
        with pytest.raises(Malformed):
            await at(http, issuer).header(SOON)


def accepts(good: bytes, status: str = "401 Unauthorized") -> Script:
    async def script(source: Source, writer: Writer) -> bool:
        writer.write(answer() if b"Bearer " + good + b"\r\n" in source.asked[-1] else answer(status))
        return True

    return script


async def ask(http: Http, credentials: ClientCredentials, url: str) -> Reply:
    return await credentials.authorized(
        lambda headers, left: http.get(url, headers=headers, within=left), within=SOON
    )


async def test_one_401_leads_to_one_fresh_token_and_one_retry(http: Http) -> None:
    async with Source(numbered()) as issuer, Source(accepts(b"t2")) as county:
        credentials = at(http, issuer)
        assert (await ask(http, credentials, county.url)).status == 200
        assert (len(issuer.asked), len(county.asked)) == (2, 2)
        assert (await ask(http, credentials, county.url)).status == 200
        assert (len(issuer.asked), len(county.asked)) == (2, 3)


async def test_many_401s_at_once_lead_to_one_fresh_token(http: Http) -> None:
    async with Source(numbered()) as issuer, Source(accepts(b"t2")) as county:
        credentials = at(http, issuer)
        replies = await asyncio.gather(*(ask(http, credentials, county.url) for _ in range(40)))
        assert {reply.status for reply in replies} == {200}
        assert len(issuer.asked) == 2


async def test_a_late_401_does_not_throw_away_what_others_renewed(http: Http) -> None:
    renewed = asyncio.Event()

    async def county(source: Source, writer: Writer) -> bool:
        if b"/slow" in source.asked[-1].split(b"\r\n")[0] and not renewed.is_set():
            await renewed.wait()
            writer.write(answer("401 x"))
            return True
        return await accepts(b"t2")(source, writer)

    async with Source(numbered()) as issuer, Source(county) as source:
        credentials = at(http, issuer)
        late = asyncio.create_task(ask(http, credentials, f"{source.url}/slow"))
        await source.heard.wait()
        assert (await ask(http, credentials, source.url)).status == 200
        renewed.set()
        assert (await late).status == 200
        assert len(issuer.asked) == 2


@pytest.mark.parametrize(("status", "tokens", "asked"), [("401 x", 2, 2), ("403 x", 1, 1), ("500 x", 1, 1)])
async def test_a_lasting_refusal_is_told(http: Http, status: str, tokens: int, asked: int) -> None:
    async with Source(numbered()) as issuer, Source(accepts(b"never", status)) as county:
        with pytest.raises(SourceError) as refused:
            await ask(http, at(http, issuer), county.url)
        assert status_of(refused.value) == int(status[:3])
        assert (len(issuer.asked), len(county.asked)) == (tokens, asked)


async def test_no_secret_is_shown(http: Http) -> None:
    async with Source(says(token("visible"), answer("400 Bad Request", b"visible"))) as issuer:
        credentials = at(http, issuer)
        await credentials.header(SOON)
        assert repr(credentials) == "ClientCredentials(client_id='hub')"
        credentials.forget()
        with pytest.raises(Refused) as refused:
            await credentials.header(SOON)
        assert SECRET not in refused.value.detail
        assert "visible" not in refused.value.detail
