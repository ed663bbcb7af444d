"""Ask an endpoint and read its envelope: every answer becomes rows, or one of our errors.

Rule 1: a token goes to the platform's own origin and nowhere else; links are followed only there.
Rule 2: what the platform writes about its errors is never read: the code says what to do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from connectors.credentials import ClientCredentials
from connectors.deadline import Left
from connectors.errors import Malformed, Overloaded, Refused, Unavailable
from connectors.http import Http, Reply, status_of
from connectors.mapping import Unfit
from connectors.mapping.convert import number, plain_text
from connectors.rest.endpoints import Endpoint, Envelope, path

Params = dict[str, str | int | list[str]]

LARGE = 256 * 1024  # bytes of JSON worth a thread of their own


@dataclass(frozen=True, slots=True)
class Sheet:
    """One page as the source tells it; `total` and `next` where it does."""

    rows: list[Any]
    total: int | None = None
    next: str | None = None
    more: bool | None = None


class Asker:
    """The way to one platform: base address, credentials and envelope."""

    def __init__(
        self,
        http: Http,
        base_url: str,
        envelope: Envelope,
        credentials: ClientCredentials | None,
        headers: Mapping[str, str],
    ) -> None:
        self._http, self._base = http, base_url.rstrip("/")
        self._envelope, self._code = envelope, path(envelope.code) if envelope.code else None
        self._credentials, self._headers = credentials, dict(headers)

    async def sheet(self, endpoint: Endpoint, params: Params, left: Left, link: str = "") -> Sheet:
        """One page of an endpoint; `link` continues where an earlier page pointed."""
        url = self._same_origin(link) if link else self._base + endpoint.path
        answer = await self._ask(endpoint.method, url, {} if link else params, left)
        return Sheet([]) if answer is None else _sheet(answer, endpoint)

    async def one(self, endpoint: Endpoint, local_id: str, left: Left) -> Any | None:
        """The record with this id, or None if the source has none."""
        url = self._base + (endpoint.one or "").replace("{id}", quote(local_id, safe=""))
        try:
            answer = await self._ask("GET", url, dict(endpoint.fixed), left)
        except Refused as error:
            if status_of(error) in (404, 410):
                return None
            raise
        return None if answer is None else path(endpoint.item)(answer)

    async def _ask(self, method: str, url: str, params: Params, left: Left) -> Any | None:
        async def call(header: dict[str, str], within: float) -> Any | None:
            reply = await self._send(method, url, params, {**self._headers, **header}, within)
            answer = reply.json() if len(reply.body) < LARGE else await asyncio.to_thread(reply.json)
            return self._opened(answer)

        if self._credentials is None:
            return await call({}, left())
        return await self._credentials.authorized(call, left())

    async def _send(
        self, method: str, url: str, params: Params, headers: dict[str, str], within: float
    ) -> Reply:
        if method == "POST":
            return await self._http.post(url, json=params, headers=headers, within=within, safe=True)
        pairs = [
            (k, v) for k, held in params.items() for v in (held if isinstance(held, list) else [str(held)])
        ]
        return await self._http.get(url, params=pairs, headers=headers, within=within)

    def _opened(self, answer: Any) -> Any | None:
        """The answer if its code says all is well, None for "no such thing"."""
        if self._code is None:
            return answer
        said, envelope = self._code(answer), self._envelope
        if said is None or isinstance(said, dict | list | bool):
            raise Malformed("the answer has no result code where one is declared")
        code = str(said)
        if code in envelope.ok:
            return answer
        if code in envelope.absent:
            return None
        raise _failed(code, envelope)

    def _same_origin(self, link: str) -> str:
        url = urljoin(self._base + "/", link)
        if urlsplit(url)[:2] != urlsplit(self._base)[:2]:
            raise Malformed("the next page is said to be at another origin")
        return url


def _failed(code: str, envelope: Envelope) -> Exception:
    shown = code if len(code) <= 12 and code.isascii() and code.isalnum() else "…"
    detail = f"result code {shown}"
    if code in envelope.expired:
        error = Refused(detail)
        vars(error)["status"] = 401  # the credentials then fetch a fresh token, once
        return error
    if code in envelope.overloaded:
        return Overloaded(detail)
    if code in envelope.unavailable:
        return Unavailable(detail)
    return Refused(detail) if code in envelope.refused else Malformed(detail)


def _sheet(answer: Any, endpoint: Endpoint) -> Sheet:
    total = _count(path(endpoint.total)(answer)) if endpoint.total else None
    rows = path(endpoint.list)(answer)
    if rows is None and (total == 0 or endpoint.windows):
        rows = []  # many platforms send null for an empty list; what the total promises is held against it
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Malformed("the answer holds no list of records where one is declared")
    if len(rows) > 10 * endpoint.largest:
        raise Malformed("a page far longer than declared")
    more = path(endpoint.more)(answer) if endpoint.more else None
    return Sheet(rows, total, _next(answer, endpoint), bool(more) if more is not None else None)


def _next(answer: Any, endpoint: Endpoint) -> str | None:
    try:
        return plain_text(path(endpoint.next)(answer)) if endpoint.next else None
    except Unfit:
        raise Malformed("the answer's next page is no text") from None


def _count(said: Any) -> int:
    try:
        found = number(said)
    except Unfit:
        found = None
    if found is None or found < 0 or found != int(found):
        raise Malformed("the answer does not tell its total where declared")
    return int(found)
