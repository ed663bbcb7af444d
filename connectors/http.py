"""The port of every tongue that speaks HTTP: pool, deadline, retries, bounds, errors translated once.

Rule 1: what leaves this file is a 2xx (or 304) Reply or a connectors.errors.SourceError; nobody above has
heard of the client inside.
Rule 2: one deadline covers everything: names, connecting, waiting for the pool, retries, the last byte.
Rule 3: nothing is buffered past its bound, packed or unpacked.
Rule 4: details of errors name host, path and status; never a query, a body or a header.
"""

from __future__ import annotations

import asyncio
import codecs
import random
import re
import ssl
import zlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from types import SimpleNamespace
from typing import Any, Self
from urllib.parse import urlencode

import aiohttp
import orjson
from yarl import URL

from connectors.address import Guard, Lookup, Params, PinnedResolver
from connectors.errors import (
    Forbidden,
    Malformed,
    Overloaded,
    SourceError,
    TimedOut,
    Unanswerable,
    Unavailable,
)
from connectors.foreign import refusal, status_of, translated
from connectors.unpack import HARMLESS, SLICE, unpacker

__all__ = ["Http", "Reply", "status_of"]

AGENT = "Rongtong/0.1"
LEFTOVER = 16 * 1024  # bytes of an error page worth reading to keep its connection
HOSTS = 1024  # hosts whose retry budget is remembered

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_VALUE = re.compile(r"[\t\x20-\x7e]{0,16384}")
_OURS = frozenset({"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "expect",
                   "te", "trailer", "upgrade"})  # fmt: skip
_HARMLESS_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,40}/[A-Za-z0-9!#$&^_.+-]{1,40}")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of 2xx or 304, complete and unpacked; headers do not mind case. Its repr shows no content."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    url: str = field(repr=False)

    def json(self) -> Any:
        """The body as JSON (RFC 8259; a BOM is forgiven); Malformed names content type and size only.

        Runs on the caller's thread: hand bodies of megabytes to `asyncio.to_thread`.
        """
        try:
            return orjson.loads(self.body.removeprefix(codecs.BOM_UTF8))
        except orjson.JSONDecodeError:
            kind = _HARMLESS_TYPE.match(self.headers.get("Content-Type", ""))
            label = kind[0] if kind else "no content type"
            place = _place(URL(self.url))
            raise Malformed(f"{place}: not JSON but {label}, {len(self.body)} bytes") from None


class _Stale(Unavailable):
    """A kept connection turned out to be closed: the source never saw the request."""


class _Lost(Exception):
    """Wraps a lost connection, so that the client inside does not retry on its own account."""


class _Budget:
    """Retries of one host: ten per cent of its requests, one in hand at the start, ten saved at most."""

    def __init__(self) -> None:
        self._tenths = 10

    def earn(self) -> None:
        self._tenths = min(self._tenths + 1, 100)

    def spend(self) -> bool:
        if self._tenths < 10:
            return False
        self._tenths -= 10
        return True


@dataclass(slots=True)
class _Ask:
    """One call, as often as it is sent."""

    method: str
    target: URL
    headers: dict[str, str]
    data: bytes | None
    bound: int
    safe: bool
    deadline: float
    place: str
    reused: bool = False


class Http:
    """One pool of kept connections for one event loop; made lazily, closed with `aclose` (or `async with`).

    `allowed`: networks (CIDR) or host names that may be private. `max_bytes`: bound of a body, unpacked.
    `connections`: per host. `tls`: trust other than the system's. `lookup`: another way to resolve names.
    Calls raise SourceError only; `within` is in seconds and covers the whole call.
    """

    def __init__(
        self,
        allowed: Sequence[str] = (),
        *,
        max_bytes: int = 16 * 1024 * 1024,
        connections: int = 32,
        tls: ssl.SSLContext | None = None,
        lookup: Lookup | None = None,
    ) -> None:
        self._guard = Guard(allowed)
        self._max_bytes = max_bytes
        self._connections = connections
        self._tls = tls
        self._lookup = lookup
        self._session: aiohttp.ClientSession | None = None
        self._closed = False
        self._budgets: OrderedDict[tuple[str | None, int | None], _Budget] = OrderedDict()

    async def get(
        self,
        url: str,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        within: float,
        max_bytes: int | None = None,
    ) -> Reply:
        """Read `url`; safe by nature, so retried at most once within deadline and budget."""
        return await self._call("GET", url, params, headers, None, within, max_bytes, True)

    async def post(
        self,
        url: str,
        *,
        json: object | None = None,
        form: Mapping[str, str] | None = None,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        within: float,
        safe: bool = False,
        max_bytes: int | None = None,
    ) -> Reply:
        """Send JSON or a form; `safe=True` says it only reads, so that it may be retried like a GET."""
        data, kind = _content(json, form)
        typed = {**kind, **(headers or {})}
        return await self._call("POST", url, params, typed, data, within, max_bytes, safe)

    async def aclose(self) -> None:
        """Close every connection; calls in flight and later ones end as Unavailable."""
        self._closed = True
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _call(
        self,
        method: str,
        url: str,
        params: Params | None,
        headers: Mapping[str, str] | None,
        data: bytes | None,
        within: float,
        max_bytes: int | None,
        safe: bool,
    ) -> Reply:
        target = self._guard.target(url, params)
        bound = self._max_bytes if max_bytes is None else max_bytes
        deadline = asyncio.get_running_loop().time() + within
        ask = _Ask(method, target, _checked(headers), data, bound, safe, deadline, _place(target))
        try:
            async with asyncio.timeout_at(deadline):
                return await self._persevere(ask)
        except TimeoutError:
            raise TimedOut(f"{ask.place}: no whole answer within {within:g} s") from None

    async def _persevere(self, ask: _Ask) -> Reply:
        budget = self._budget(ask.target)
        budget.earn()
        stale = failed = False
        while True:
            try:
                return await self._once(ask)
            except Unavailable as error:
                if not ask.safe:
                    raise
                if isinstance(error, _Stale) and not stale:
                    stale = True
                    continue
                if failed or isinstance(error, Overloaded) or not await _worth(ask, budget):
                    raise
                failed = True

    def _budget(self, target: URL) -> _Budget:
        host = (target.raw_host, target.port)
        budget = self._budgets.setdefault(host, _Budget())
        self._budgets.move_to_end(host)
        if len(self._budgets) > HOSTS:
            self._budgets.popitem(last=False)
        return budget

    async def _once(self, ask: _Ask) -> Reply:
        ask.reused = False
        # A large upload as a stream keeps the loop free; a small one goes out in one packet.
        data = BytesIO(ask.data) if ask.data and len(ask.data) > HARMLESS else ask.data
        try:
            async with self._open().request(
                ask.method, ask.target, headers=ask.headers, data=data, allow_redirects=False,
                trace_request_ctx=ask,
            ) as response:  # fmt: skip
                return await _receive(response, ask)
        except Forbidden as error:  # one look-up serves many callers; each gets an error of its own
            raise Forbidden(error.detail) from None
        except (_Lost, aiohttp.ClientError, OSError) as error:
            raise _sorted(error, ask) from None

    def _open(self) -> aiohttp.ClientSession:
        if self._closed:
            raise Unavailable("this port has been closed")
        if self._session is None:
            self._session = self._new_session()
        return self._session

    def _new_session(self) -> aiohttp.ClientSession:
        reuse = aiohttp.TraceConfig()
        reuse.on_connection_reuseconn.append(_note_reuse)
        connector = aiohttp.TCPConnector(
            resolver=PinnedResolver(self._guard, self._lookup),
            limit=max(512, self._connections),
            limit_per_host=self._connections,
            ssl=self._tls or True,
        )
        return aiohttp.ClientSession(
            connector=connector,
            connector_owner=True,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": AGENT, "Accept-Encoding": "gzip"},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # the deadline is ours
            auto_decompress=False,
            trust_env=False,
            trace_configs=[reuse],
            middlewares=(_no_hidden_retry,),
        )


async def _note_reuse(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
    context.trace_request_ctx.reused = True


async def _no_hidden_retry(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    # The client would resend a GET once more, outside of our budget, whenever a connection is lost.
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _Lost from error


def _sorted(error: Exception, ask: _Ask) -> SourceError:
    cause = error.__cause__ if isinstance(error, _Lost) else error
    found = translated(cause, ask.place)
    idle = isinstance(error, _Lost) and ask.reused and type(found) is Unavailable
    return _Stale(f"{ask.place}: closed while idle") if idle else found


async def _worth(ask: _Ask, budget: _Budget) -> bool:
    """Pause a little, out of step with others; False when time or budget does not reach for another try."""
    pause = random.uniform(0.01, 0.08)  # noqa: S311 - spreads load, guards nothing
    if asyncio.get_running_loop().time() + pause >= ask.deadline or not budget.spend():
        return False
    await asyncio.sleep(pause)
    return True


def _place(target: URL) -> str:
    return f"{target.host}{target.raw_path}"[:200]


def _checked(headers: Mapping[str, str] | None) -> dict[str, str]:
    for name, value in (headers or {}).items():
        if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise Unanswerable("a header holds characters that could split the request (RFC 9110 §5.5)")
        if name.lower() in _OURS:
            raise Unanswerable(f"the header {name} belongs to the connection, not to the caller")
    return dict(headers or {})


def _content(json: object | None, form: Mapping[str, str] | None) -> tuple[bytes | None, dict[str, str]]:
    try:
        if json is not None:
            return orjson.dumps(json), {"Content-Type": "application/json"}
        if form is not None:
            return urlencode(form).encode(), {"Content-Type": "application/x-www-form-urlencoded"}
    except (TypeError, ValueError):
        raise Unanswerable("the body cannot be written as JSON or a form") from None
    return None, {}


async def _receive(response: aiohttp.ClientResponse, ask: _Ask) -> Reply:
    if 200 <= response.status < 300 or response.status == 304:
        body = await _body(response, ask)
        return Reply(response.status, response.headers, body, str(ask.target))
    error = refusal(response.status, response.headers, ask.place)
    await _leave(response)
    raise error


async def _leave(response: aiohttp.ClientResponse) -> None:
    """Keep the connection of a short error page, part with that of any other."""
    length = response.content_length
    if length is None or length > LEFTOVER:
        response.close()
        return
    try:
        async with asyncio.timeout(0.1):
            await response.content.readexactly(length)
    except (TimeoutError, EOFError, aiohttp.ClientError):
        response.close()


async def _body(response: aiohttp.ClientResponse, ask: _Ask) -> bytes:
    if (response.content_length or 0) > ask.bound:
        response.close()
        raise Malformed(f"{ask.place}: announces more than {ask.bound} bytes")
    unpack = unpacker(response.headers.get("Content-Encoding", ""))
    if unpack is None:
        raise Malformed(f"{ask.place}: packed in a way nobody asked for")
    body = bytearray()
    try:
        async for chunk in response.content.iter_any():
            for part in unpack.parts(chunk):
                body += part
                if len(body) > ask.bound:
                    raise Malformed(f"{ask.place}: more than {ask.bound} bytes")
                if len(part) == SLICE:
                    await asyncio.sleep(0)
    except zlib.error:
        raise Malformed(f"{ask.place}: no gzip, or a bomb") from None
    if not unpack.complete():
        raise Malformed(f"{ask.place}: gzip ends early")
    return bytes(body)
