"""GraphQL over HTTP, the way in: an HTTP request becomes the four parameters, or a refusal.

Source: the GraphQL over HTTP specification, sections Request and Response. Refused at once: content
types that a form can send (cross-site requests), compressed bodies, batches, foreign origins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import parse_qsl, urlsplit

import orjson
from starlette.requests import ClientDisconnect, Request

from hub.web.errors import Refusal
from hub.web.limits import Limits

GRAPHQL = "application/graphql-response+json"
JSON = "application/json"
_DRAIN_BYTES = 16 << 20
_DRAIN_SECONDS = 0.5
_RANGES = {GRAPHQL: GRAPHQL, JSON: JSON, "application/*": GRAPHQL, "*/*": GRAPHQL}


@dataclass(frozen=True, slots=True)
class Parameters:
    """A well-formed GraphQL-over-HTTP request."""

    query: str
    operation_name: str | None
    variables: dict[str, Any] | None
    extensions: dict[str, Any]


def check_method(request: Request) -> None:
    """GET and POST only: 405 with Allow. The method is the request line's; override headers are air."""
    if request.method not in ("GET", "POST"):
        raise Refusal(405, "METHOD_NOT_ALLOWED", "请用 POST 或 GET / use POST or GET", {"Allow": "GET, POST"})


def check_origin(request: Request, allowed: frozenset[str]) -> None:
    """A browser's page of another origin is refused with 403, unless `allowed` names it."""
    for origin in request.headers.getlist("origin"):
        if origin not in allowed and not _same(origin, request.headers.get("host", "")):
            raise Refusal(
                403, "FOREIGN_ORIGIN", "不接受其他网站的请求 / requests from other sites are refused"
            )


def _same(origin: str, host: str) -> bool:
    try:
        return bool(host) and urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False


def media_type(request: Request) -> str:
    """The answer's media type by Accept (RFC 9110 §12.5.1); without one the GraphQL type. 406 if neither."""
    given = ",".join(request.headers.getlist("accept"))
    if not given.strip():
        return GRAPHQL
    ranked = [_range(part) for part in given[:2000].split(",")[:32]]
    refused = {name for quality, name in ranked if quality <= 0}
    for quality, name in sorted(ranked, key=lambda each: -each[0]):
        chosen = _RANGES.get(name)
        if quality > 0 and chosen is not None:
            if chosen not in refused:
                return chosen
            if "*" in name and JSON not in refused:
                return JSON
    raise Refusal(406, "NOT_ACCEPTABLE", f"应答类型只有 / answers come as {GRAPHQL}, {JSON}")


def _range(part: str) -> tuple[float, str]:
    name, *parameters = (piece.strip().lower() for piece in part.split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return max(0.0, min(1.0, float(parameter[2:]))), name
            except ValueError:
                return 0.0, name
        if parameter.startswith("charset=") and parameter[8:].strip('"') not in ("utf-8", "utf8"):
            return 0.0, name + "?"
    return 1.0, name


async def read(request: Request, limits: Limits) -> Parameters:
    """The parameters of a GET or POST. Refuses with 400, 408, 413 or 415."""
    if request.method == "GET":
        return _from_query(request, limits)
    _check_content(request)
    return _from_json(await _body(request, limits))


def _check_content(request: Request) -> None:
    types = request.headers.getlist("content-type")
    name, *parameters = (piece.strip().lower() for piece in (types[0] if types else "").split(";"))
    charsets = [p[8:].strip('"') for p in parameters if p.startswith("charset=")]
    if len(types) != 1 or name != JSON or any(each not in ("utf-8", "utf8") for each in charsets):
        raise Refusal(
            415, "UNSUPPORTED_MEDIA_TYPE", f"请求体须为 {JSON}（UTF-8）/ the body must be {JSON} in UTF-8",
            {"Connection": "close"},
        )  # fmt: skip
    if request.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise Refusal(
            415, "UNSUPPORTED_ENCODING", "请勿压缩请求体 / send the body uncompressed",
            {"Accept-Encoding": "identity", "Connection": "close"},
        )  # fmt: skip


async def _body(request: Request, limits: Limits) -> bytes:
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(limits.body_seconds):
            stream = request.stream()
            if _declared(request) > limits.body_bytes:
                await _too_large(stream, limits)
            async for chunk in stream:
                size += len(chunk)
                if size > limits.body_bytes:
                    parts.clear()
                    await _too_large(stream, limits)
                parts.append(chunk)
    except TimeoutError:
        raise Refusal(
            408, "BODY_TIMEOUT", "请求体发送过慢 / the body came too slowly", {"Connection": "close"}
        ) from None
    except ClientDisconnect:
        bad("连接已断开 / the connection was closed")
    return b"".join(parts)


def _declared(request: Request) -> int:
    value = request.headers.get("content-length", "0")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 16 else 0


async def _too_large(stream: Any, limits: Limits) -> NoReturn:
    """Let the sender finish, within bounds, so that it reads the answer instead of a reset."""
    drained = 0
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            async for chunk in stream:
                drained += len(chunk)
                if drained > _DRAIN_BYTES:
                    break
    except (TimeoutError, ClientDisconnect):
        pass
    most = limits.body_bytes // 1024
    raise Refusal(
        413, "BODY_TOO_LARGE", f"请求体超过 {most} kB / the body exceeds {most} kB", {"Connection": "close"}
    )


def _from_json(body: bytes) -> Parameters:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        bad("请求体不是合法的 JSON（UTF-8）/ the body is not JSON in UTF-8")
    if isinstance(content, list):
        raise Refusal(400, "BATCH_REFUSED", "不接受批量请求 / no batches: one operation a request")
    if not isinstance(content, dict):
        bad("请求体须为 JSON 对象 / the body must be a JSON object")
    return _parameters(content)


def _from_query(request: Request, limits: Limits) -> Parameters:
    raw: bytes = request.scope.get("query_string", b"")
    if len(raw) > limits.body_bytes:
        raise Refusal(414, "URI_TOO_LONG", "地址过长，请用 POST / the address is too long: use POST")
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=20)
    except ValueError:
        bad("查询字符串不合法 / the query string is malformed")
    content: dict[str, Any] = dict(pairs)
    if len(content) != len(pairs):
        bad("参数重复 / a parameter is given twice")
    content["operationName"] = content.get("operationName") or None
    for name in ("variables", "extensions"):
        content[name] = _decoded(name, content.get(name))
    return _parameters(content)


def _decoded(name: str, text: str | None) -> Any:
    if not text:
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        bad(f"{name} 不是合法的 JSON / {name} is not JSON")


def _parameters(content: Mapping[str, Any]) -> Parameters:
    extensions = _typed(content, "extensions", dict) or {}
    if "persistedQuery" in extensions:
        raise Refusal(400, "PERSISTED_QUERY_NOT_SUPPORTED", "PersistedQueryNotSupported")
    query = _typed(content, "query", str)
    if query is None:
        bad("缺少 query / query is missing")
    return Parameters(
        query=query,
        operation_name=_typed(content, "operationName", str),
        variables=_typed(content, "variables", dict),
        extensions=extensions,
    )


def _typed(content: Mapping[str, Any], name: str, kind: type) -> Any:
    value = content.get(name)
    if value is not None and type(value) is not kind:
        words = "文本 / text" if kind is str else "对象 / an object"
        bad(f"{name} 须为{words}")
    return value


def bad(public: str) -> NoReturn:
    """Refuse a malformed request: 400."""
    raise Refusal(400, "BAD_REQUEST", public)
