"""How the JSON endpoints answer: never cached, errors in ASCII (RFC 6749 §5.1, §5.2), 503 without a store."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from authlib.oauth2 import OAuth2Error  # type: ignore[import-untyped]
from starlette.responses import Response

from auth.errors import AuthError, Denied, StoreDown

_NOT_ASCII = re.compile(r"[^\x20\x21\x23-\x5b\x5d-\x7e]")
NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class Refusal(OAuth2Error):  # type: ignore[misc]
    """An OAuth error of ours: `error` is its code, `description` English in ASCII, `status` the answer's."""

    def __init__(self, error: str, description: str = "", status: int = 400) -> None:
        super().__init__(description=ascii_only(description), error=error, status_code=status)


def ascii_only(text: str) -> str:
    """What may stand in `error_description`: other characters become "?", at most 200 of them."""
    return _NOT_ASCII.sub("?", text[:200])


def answer(body: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer that nobody keeps."""
    return Response(
        orjson.dumps(dict(body)), status, {**NO_STORE, **(headers or {})}, media_type="application/json"
    )


def refused(error: Exception) -> Response:
    """The OAuth error answer for what these endpoints raise: OAuth2Error, Denied, StoreDown, AuthError."""
    if isinstance(error, OAuth2Error):
        return from_authlib(error.status_code, dict(error.get_body()), error.get_headers())
    if isinstance(error, StoreDown):
        body = {"error": "temporarily_unavailable", "error_description": "the store is down: try again soon"}
        return answer(body, 503, {"Retry-After": str(max(1, round(error.retry_after)))})
    if isinstance(error, Denied):
        return answer({"error": "invalid_request", "error_description": _english(error)}, error.status)
    if isinstance(error, AuthError):
        return _of_auth(error)
    raise error


def _of_auth(error: AuthError) -> Response:
    """Errors of ours say their own OAuth code in `error`, their status, and for a 401 their `challenge`."""
    body = {
        "error": getattr(error, "error", "invalid_request"),
        "error_description": ascii_only(getattr(error, "reason", "") or _english(error)),
    }
    challenge = getattr(error, "challenge", "")
    headers = {"WWW-Authenticate": challenge} if challenge else {}
    status = getattr(error, "status", 400)
    if status == 503:  # such as a superior in a chain of trust that gives no answer just now
        body["error"] = "temporarily_unavailable"
        headers["Retry-After"] = str(max(1, round(getattr(error, "retry_after", None) or 10)))
    return answer(body, status, headers)


def from_authlib(status: int, body: Any, headers: Iterable[tuple[str, str]]) -> Response:
    """Authlib's own triple as an answer; what it echoes is made harmless."""
    values = dict(body or {})
    if "error_description" in values:
        values["error_description"] = ascii_only(values["error_description"])
    # Its Content-Type and caching headers are ours to set; WWW-Authenticate goes through.
    kept = {name: value for name, value in headers if name.lower() == "www-authenticate"}
    return answer(values, status, kept)


def _english(error: AuthError) -> str:
    return ascii_only(error.public.partition(" / ")[2] or error.code)
