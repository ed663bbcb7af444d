"""GraphQL over HTTP: one request in, one answer out. Knows nothing of what the hub does in between.

Status codes as the GraphQL over HTTP specification says: a request error is 400 under
`application/graphql-response+json` and 200 under `application/json`; once there is `data`, 200.
The document guard's refusals are 400 under both: such a request is turned away, not processed.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import orjson
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
)
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from auth.errors import InvalidToken
from hub.web import request as incoming
from hub.web.documents import Documents, InvalidDocument, Ready
from hub.web.errors import Refusal, error_list, internal, is_limit, one, shown
from hub.web.limits import LimitExceeded, Limits

_log = logging.getLogger("hub.web")
_PRIVATE = "private, no-store"


class Executor(Protocol):
    """Runs a valid document. The endpoint asks; whoever compiles or interprets answers."""

    @property
    def schema(self) -> GraphQLSchema: ...

    async def execute(
        self,
        document: DocumentNode,
        *,
        variables: dict[str, Any] | None,
        operation_name: str | None,
        context: Any,
    ) -> ExecutionResult: ...


@dataclass(frozen=True, slots=True)
class _Asked:
    """One request under way."""

    request: Request
    media: str
    id: str


def _nobody(viewer: Any) -> bool:
    return viewer is None


class GraphQLEndpoint:
    """An ASGI application for one `Route`.

    * `identify(request)` -> viewer, awaited before the body is read; may raise InvalidToken (a uniform
      401) or any exception with `code` and `public`, and optionally `status` and `retry_after` (s).
    * `make_context(request, viewer)` -> whatever the executor wants. By then
      `request.state.provenance` (bool: body `extensions.provenance` or `X-Rongtong-Provenance: 1`),
      `request.state.extensions` (dict) and `request.state.request_id` (str) are set.
    * `finish(context, result)` -> the answer's `extensions`, or None; awaited before a byte of the answer
      leaves, so what must be written down first is written down there. What it raises refuses the answer.
    * `is_anonymous(viewer)`: in `production` such viewers get no introspection and no suggestions.
    * `allowed_origins()`: foreign origins whose pages may ask, as of now (see `hub.web.cors`).
    * `cache_control(context, result)` -> another Cache-Control than `private, no-store`, or None.
    """

    def __init__(
        self,
        executor: Executor,
        identify: Callable[[Request], Awaitable[Any]],
        make_context: Callable[[Request, Any], Any],
        finish: Callable[[Any, ExecutionResult], Awaitable[dict[str, Any] | None]],
        limits: Limits,
        production: bool,
        *,
        is_anonymous: Callable[[Any], bool] = _nobody,
        allowed_origins: Callable[[], frozenset[str]] = frozenset,
        cache_control: Callable[[Any, ExecutionResult], str | None] | None = None,
    ) -> None:
        self._executor = executor
        self._identify = identify
        self._make_context = make_context
        self._finish = finish
        self._limits = limits
        self._production = production
        self._is_anonymous = is_anonymous
        self._origins = allowed_origins
        self._cache_control = cache_control
        self.documents = Documents(executor.schema, limits)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self.respond(Request(scope, receive))
        await response(scope, receive, send)

    async def respond(self, request: Request) -> Response:
        """The answer to one HTTP request; raises nothing but cancellation."""
        asked = _Asked(request, incoming.JSON, uuid.uuid4().hex)
        try:
            incoming.check_method(request)
            incoming.check_origin(request, self._origins())
            asked = _Asked(request, incoming.media_type(request), asked.id)
            return await self._run(asked)
        except InvalidToken as refused:
            headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
            return _refused(asked, 401, one(refused.code, InvalidToken.public), headers)
        except Exception as error:  # the seam: whatever happened inside becomes an answer here
            return _failed(asked, error)

    async def _run(self, asked: _Asked) -> Response:
        request = asked.request
        viewer = await self._identify(request)
        wanted = await incoming.read(request, self._limits)
        hide = self._production and self._is_anonymous(viewer)
        try:
            ready = await self.documents.ready(wanted.query, wanted.variables, hide_suggestions=hide)
        except InvalidDocument as invalid:
            return _invalid(asked, invalid.errors, invalid.code, hide)
        self._check_introspection(ready, hide)
        if (wrong := _operation_problem(ready.document, wanted.operation_name, request.method)) is not None:
            return _request_error(asked, [wrong])
        request.state.request_id = asked.id
        request.state.extensions = wanted.extensions
        request.state.provenance = _wants_provenance(request, wanted.extensions)
        context = self._make_context(request, viewer)
        result = await self._executor.execute(
            ready.document,
            variables=wanted.variables,
            operation_name=wanted.operation_name,
            context=context,
        )
        return await self._answer(asked, result, context, hide)

    def _check_introspection(self, ready: Ready, hide: bool) -> None:
        if hide and ready.measured.introspects:
            raise Refusal(400, "INTROSPECTION_DISABLED", "登录后才能查看模式 / sign in to see the schema")

    async def _answer(self, asked: _Asked, result: ExecutionResult, context: Any, hide: bool) -> Response:
        errors = result.errors or []
        if result.data is None and errors and all(error.path is None for error in errors):
            return _invalid(asked, errors, "BAD_USER_INPUT", hide)
        answer: dict[str, Any] = {"data": result.data}
        if errors:
            answer["errors"] = error_list(
                errors, asked.id, fallback="EXECUTION_FAILED", hide_suggestions=hide
            )
        if extensions := await self._finish(context, result):
            answer["extensions"] = extensions
        told = self._cache_control(context, result) if self._cache_control else None
        return _response(asked, 200, answer, {"Cache-Control": told or _PRIVATE})


def _wants_provenance(request: Request, extensions: Mapping[str, Any]) -> bool:
    return extensions.get("provenance") is True or request.headers.get("x-rongtong-provenance") == "1"


def _operation_problem(document: DocumentNode, name: str | None, method: str) -> dict[str, Any] | None:
    """Why the named operation cannot run (GraphQL §6.1 GetOperation); 405 for writing by GET."""
    operations = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
    found = [d for d in operations if name is None or (d.name is not None and d.name.value == name)]
    if len(found) != 1:
        text = "请用 operationName 指明文档中的一个操作 / name one operation of the document in operationName"
        return one("OPERATION_RESOLUTION_FAILURE", text)
    if found[0].operation is OperationType.SUBSCRIPTION:
        return one("OPERATION_NOT_SUPPORTED", "此地址不支持订阅 / no subscriptions at this address")
    if method == "GET" and found[0].operation is not OperationType.QUERY:
        text = "变更操作须用 POST / mutations need POST"
        raise Refusal(405, "METHOD_NOT_ALLOWED", text, {"Allow": "POST"})
    return None


def _invalid(asked: _Asked, errors: list[GraphQLError], code: str, hide: bool) -> Response:
    return _request_error(asked, error_list(errors, asked.id, fallback=code, hide_suggestions=hide))


def _request_error(asked: _Asked, errors: list[dict[str, Any]]) -> Response:
    legacy = asked.media == incoming.JSON and not any(is_limit(error) for error in errors)
    return _response(asked, 200 if legacy else 400, {"errors": errors})


def _failed(asked: _Asked, error: Exception) -> Response:
    if isinstance(error, Refusal):
        return _refused(asked, error.status, one(error.code, error.public), error.headers)
    if isinstance(error, LimitExceeded):
        return _refused(asked, error.status, one(error.code, error.public))
    if (public := shown(error)) is None:
        return _refused(asked, 500, internal(error, asked.id))
    status = getattr(error, "status", None)
    wait = getattr(error, "retry_after", None)
    headers = {"Retry-After": str(max(1, round(wait)))} if isinstance(wait, int | float) else {}
    valid = isinstance(status, int) and 400 <= status <= 599
    return _refused(asked, status if isinstance(status, int) and valid else 400, one(*public), headers)


def _refused(
    asked: _Asked, status: int, error: dict[str, Any], headers: Mapping[str, str] | None = None
) -> Response:
    return _response(asked, status, {"errors": [error]}, headers)


def _response(
    asked: _Asked, status: int, answer: dict[str, Any], headers: Mapping[str, str] | None = None
) -> Response:
    usual = {
        "Cache-Control": _PRIVATE,
        "Vary": "Accept, Authorization, Origin",
        "X-Content-Type-Options": "nosniff",
    }
    try:
        body = _encoded(answer)
    except (TypeError, ValueError, RecursionError) as error:
        status, body = 500, orjson.dumps({"errors": [internal(error, asked.id)]})
    return Response(body, status, usual | dict(headers or {}), f"{asked.media}; charset=utf-8")


def _encoded(answer: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(answer)
    except TypeError:  # a source's lone surrogate or huge integer must not cost the whole answer
        return json.dumps(answer, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
