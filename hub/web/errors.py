"""Errors on their way out: exceptions become GraphQL errors with stable codes, and nothing internal.

Whatever has a text `code` and a text `public` is shown as it says. A GraphQL error that the caller's
own document or variables caused is shown with a code of ours. Everything else is INTERNAL.
"""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Iterable, Mapping
from typing import Any

from graphql import GraphQLError, GraphQLSyntaxError

INTERNAL_TEXT = "服务内部错误 / internal error"
MOST_ERRORS = 9
MOST_MESSAGE = 2000
"""Longest message in characters; nine of them, Chinese in UTF-8 included, stay under 20 kB with BUDGET."""
BUDGET = 18_000
"""Bytes of all messages together."""

_log = logging.getLogger("hub.web")
_SUGGESTION = re.compile(r" Did you mean .*\Z", re.DOTALL)


class Refusal(Exception):
    """A request that HTTP or GraphQL over HTTP refuses: `status`, stable `code`, bilingual `public`."""

    def __init__(self, status: int, code: str, public: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(public)
        self.status = status
        self.code = code
        self.public = public
        self.headers = dict(headers or {})


def shown(error: BaseException) -> tuple[str, str] | None:
    """(code, text) of an exception that may be shown, or None."""
    code, public = getattr(error, "code", None), getattr(error, "public", None)
    return (code, public) if isinstance(code, str) and isinstance(public, str) else None


def one(code: str, message: str, **more: Any) -> dict[str, Any]:
    """A GraphQL error that concerns the whole request."""
    return {"message": _bounded(message, MOST_MESSAGE), "extensions": {"code": code, **more}}


def internal(error: BaseException, request_id: str) -> dict[str, Any]:
    """An unexpected exception, logged under `request_id` without its text (it may quote children's data)."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    where = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames))
    _log.error("internal error request=%s type=%s at=%s", request_id, type(error).__qualname__, where)
    return one("INTERNAL", INTERNAL_TEXT, requestId=request_id)


def error_list(
    errors: Iterable[GraphQLError], request_id: str, *, fallback: str, hide_suggestions: bool = False
) -> list[dict[str, Any]]:
    """At most nine errors, at most 20 kB of text; the ninth tells how many were left out.

    `fallback` is the code of an error that the caller's document caused and that has no own code.
    """
    everything = list(errors)
    kept = everything if len(everything) <= MOST_ERRORS else everything[: MOST_ERRORS - 1]
    answers = [_one_of(error, request_id, fallback, hide_suggestions) for error in kept]
    if missing := len(everything) - len(kept):
        text = f"另有 {missing} 个错误未列出 / {missing} more errors not listed"
        answers.append(one("TOO_MANY_ERRORS", text, omitted=missing))
    return _within_budget(answers)


def _one_of(error: GraphQLError, request_id: str, fallback: str, hide: bool) -> dict[str, Any]:
    answer = _content(error, request_id, fallback)
    if hide:
        answer["message"] = _SUGGESTION.sub("", answer["message"])
    if error.locations:
        answer["locations"] = [{"line": at.line, "column": at.column} for at in error.locations[:3]]
    if error.path is not None:
        answer["path"] = list(error.path)
    return answer


def _content(error: GraphQLError, request_id: str, fallback: str) -> dict[str, Any]:
    cause = _root(error)
    if public := shown(cause):
        return one(*public)
    own = (error.extensions or {}).get("code")
    if isinstance(cause, GraphQLError) and isinstance(own, str):
        return one(own, error.message)
    if not isinstance(cause, GraphQLError):
        return internal(cause, request_id)
    if error.path is None:
        return one(*_of_document(error, fallback))
    if error.message.startswith("Argument '"):  # GraphQL §6.4.1: an argument's variable was unfit
        return one("BAD_USER_INPUT", f"参数有误 / {error.message}")
    return internal(error, request_id)  # a value that does not serialise: its text quotes the value


def _root(error: BaseException) -> BaseException:
    for _ in range(5):
        original = getattr(error, "original_error", None)
        if not isinstance(error, GraphQLError) or original is None:
            return error
        error = original
    return error


def _of_document(error: GraphQLError, fallback: str) -> tuple[str, str]:
    if not isinstance(error, GraphQLSyntaxError):
        chinese = "变量有误" if fallback == "BAD_USER_INPUT" else "查询未通过校验"
        return fallback, f"{chinese} / {error.message}"
    for words, code, chinese in _PARSER_LIMITS:
        if words in error.message:
            return code, f"{chinese}超过上限 / {error.message}"
    return "GRAPHQL_PARSE_FAILED", f"查询语法错误 / {error.message}"


_PARSER_LIMITS = (
    ("nested too deeply", "MAX_DEPTH_LIMIT", "嵌套层数"),
    ("comments", "MAX_COMMENTS_LIMIT", "注释数"),
    ("code points", "MAX_SOURCE_LIMIT", "查询长度"),
    ("Document contains more than", "MAX_TOKENS_LIMIT", "词元数"),
)


def is_limit(answer: Mapping[str, Any]) -> bool:
    """Whether an error answer is a guard's refusal."""
    code = str(answer["extensions"]["code"])
    return code.endswith("_LIMIT")


def _within_budget(answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    left = BUDGET
    for answer in answers:
        text = answer["message"]
        size = len(text.encode("utf-8", "replace"))
        if size > left:
            answer["message"] = text = _bounded(text, max(left // 4, 40))
            size = len(text.encode("utf-8", "replace"))
        left = max(left - size, 0)
    return answers


def _bounded(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
