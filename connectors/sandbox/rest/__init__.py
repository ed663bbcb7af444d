"""The city platform as its vendor made it: its own JSON, pinyin names, its own codes, counts as text.

Everything but the token is answered with HTTP 200 and `{"code": "0", "msg", "data": {"list", "total"}}`; what
went wrong stands in `code`. Dates carry no zone. Pages count from 1; one list uses offsets, one a cursor,
one a link to the next page. The token lives `token_life` seconds, and its end is told by code 40101.
"""

from __future__ import annotations

import base64
import binascii
import secrets
import time
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.sandbox.country import Country
from connectors.sandbox.rest.books import Books
from connectors.sandbox.rest.listing import LARGEST, Fault, Listing, Params, Row, window

CLIENT_ID, CLIENT_SECRET = "rongtong-hub", "sandbox-only-secret"


def app(
    country: Country,
    *,
    client_id: str = CLIENT_ID,
    client_secret: str = CLIENT_SECRET,
    token_life: int = 7200,
) -> Starlette:
    """The platform of the city; `token_life` in seconds."""
    gate, books = Gate(client_id, client_secret, token_life), Books(country)
    routes = [Route("/oauth/token", gate.token, methods=["POST"])]
    for path, (method, answer) in _lists(books).items():
        routes.append(Route(path, _asked(gate, answer), methods=[method]))
    made = Starlette(routes=routes)
    made.state.gate = gate  # so that a story can revoke every token
    return made


class Gate:
    """OAuth 2.0 client credentials (RFC 6749 §4.4) with tokens that expire."""

    def __init__(self, client_id: str, client_secret: str, life: int) -> None:
        self._expected, self._life = f"{client_id}:{client_secret}", life
        self._tokens: dict[str, float] = {}

    async def token(self, request: Request) -> Response:
        form = (await request.body()).decode("ascii", "replace")
        if not secrets.compare_digest(_basic(request), self._expected):
            return JSONResponse({"error": "invalid_client"}, 401)
        if "grant_type=client_credentials" not in form:
            return JSONResponse({"error": "unsupported_grant_type"}, 400)
        token = secrets.token_urlsafe(24)
        self._tokens = {t: end for t, end in self._tokens.items() if end > time.monotonic()}
        self._tokens[token] = time.monotonic() + self._life
        return JSONResponse({"access_token": token, "token_type": "bearer", "expires_in": self._life})

    def forget(self) -> None:
        """Revoke every token, as a restart of the vendor's cache does."""
        self._tokens.clear()

    def check(self, request: Request) -> None:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if self._tokens.get(token, 0.0) < time.monotonic():
            raise Fault("40101", "token 无效或已过期")


def _basic(request: Request) -> str:
    said = request.headers.get("Authorization", "").removeprefix("Basic ")
    try:
        return base64.b64decode(said, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _asked(gate: Gate, answer: Callable[[Params, Request], Any]) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        try:
            gate.check(request)
            params = await request.json() if request.method == "POST" else _query(request)
            data = await run_in_threadpool(answer, params, request)
        except Fault as fault:
            return JSONResponse({"code": fault.code, "msg": fault.msg, "data": None})
        except (ValueError, TypeError):
            return JSONResponse({"code": "40001", "msg": "参数错误", "data": None})
        return JSONResponse({"code": "0", "msg": "操作成功", "data": data})

    return endpoint


def _query(request: Request) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in request.query_params.multi_items():
        found[name] = [*found[name], value] if name in found else [value]
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def _paged(listing: Listing, page: str, size: str) -> Callable[[Params, Request], Row]:
    def answer(params: Params, _: Request) -> Row:
        number, length = int(params.get(page, 1)), int(params.get(size, 20))
        return window(params, (number - 1) * length, length, listing.found(params))

    return answer


def _offset(listing: Listing) -> Callable[[Params, Request], Row]:
    def answer(params: Params, _: Request) -> Row:
        return window(
            params, int(params.get("start", 0)), int(params.get("limit", 20)), listing.found(params)
        )

    return answer


def _cursor(listing: Listing) -> Callable[[Params, Request], Row]:
    def answer(params: Params, _: Request) -> Row:
        start, size = int(params.get("yb") or 0), min(int(params.get("ts", 20)), LARGEST)
        rows = listing.found(params)
        following = str(start + size) if start + size < len(rows) else ""
        return {"list": list(rows[start : start + size]), "xyb": following}

    return answer


def _linked(listing: Listing) -> Callable[[Params, Request], Row]:
    def answer(params: Params, request: Request) -> Row:
        start, size = int(params.get("from", 0)), min(int(params.get("ts", 20)), LARGEST)
        rows = listing.found(params)
        more = start + size < len(rows)
        link = str(request.url.include_query_params(**{"from": start + size})) if more else None
        return {"list": list(rows[start : start + size]), "next": link}

    return answer


def _plain(listing: Listing) -> Callable[[Params, Request], list[Row]]:
    return lambda params, _: list(listing.found(params))


def _lists(books: Books) -> dict[str, tuple[str, Callable[[Params, Request], Any]]]:
    """Path -> method and answer."""
    activities = Listing(
        lambda: books.activities, {"hdid": "hdid", "qhdm": "qhdm", "hdjb": "hdjb"}, start="kssj"
    )
    notices = Listing(lambda: books.notices, {"ggid": "ggid", "qhdm": "qhdm", "xxdm": "xxdm"}, start="fbsj")
    lives = Listing(lambda: books.lives, {"zbid": "zbid", "qhdm": "qhdm"}, start="kbsj")
    communities = Listing(lambda: books.communities, {"id": "gztid", "qhdm": "qhdm", "xk": "xkm"})
    months = {"qhdm": "qhdm", "yf": "yf"}
    schools = Listing(lambda: books.schools, {"xxdm": "xxdm", "qxmc": "qxmc"})
    points = Listing(lambda: books.points, {"ids": "id", "xkm": "xkm"})
    return {
        "/openapi/hd/list": ("POST", _paged(activities, "pageNo", "pageSize")),
        "/openapi/gzt/page": ("GET", _offset(communities)),
        "/openapi/tzgg/list": ("GET", _linked(notices)),
        "/openapi/zb/list": ("GET", _cursor(lives)),
        "/openapi/kj/query": ("GET", books.spaces),
        "/openapi/tj/zy": ("GET", _plain(Listing(lambda: books.homework, months))),
        "/openapi/tj/yy": ("GET", _plain(Listing(lambda: books.usage, months))),
        "/openapi/tj/zb": ("GET", _plain(Listing(lambda: books.metrics, {"qhdm": "qhdm"}))),
        "/openapi/ry/list": ("GET", _plain(Listing(lambda: books.honours, {"qhdm": "qhdm"}))),
        "/openapi/zy/page": ("POST", books.resources),
        "/openapi/zl": ("GET", _plain(Listing(lambda: books.collections, {}))),
        "/openapi/zl/{id}": ("GET", books.collection),
        "/openapi/zsd/page": ("GET", _paged(points, "current", "size")),
        "/openapi/app/list": ("GET", _plain(Listing(lambda: books.applications, {"yyid": "yyid"}))),
        "/openapi/xx/page": ("GET", _paged(schools, "current", "size")),
    }


__all__ = ["CLIENT_ID", "CLIENT_SECRET", "Gate", "app"]
