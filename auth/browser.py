"""One browser and us: its mark, its session cookie, its forms; what is read is bounded and named once.

Rule 1: everything before sign-in is bound to the browser's mark, a random cookie; another browser cannot
go on with it (login CSRF, session fixation).
Rule 2: a form counts only with its own token: HMAC over the mark and the form's purpose.
Rule 3: a parameter given twice is refused, not chosen from (RFC 6749 §3.1).
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from auth.errors import Denied
from auth.store import secret

LARGEST_FORM = 65_536
PATIENCE = 5.0
"""Seconds for all of a form: whoever drips it holds nothing of ours for longer."""
MOST_FIELDS = 64
_COOKIE = re.compile(r"[A-Za-z0-9_-]{20,86}")
_CODE = re.compile(r"[a-z0-9-]{1,64}")
_LANGUAGE, _LAST = "rt-lang", "rt-last"
_MARK_LIFE = 400 * 86400  # the longest that browsers keep a cookie (RFC 6265bis §5.5)


class Cookies:
    """The two cookies that matter: `browser` (a mark, before and after sign-in) and `session` (only while
    signed in); and two of comfort: the language picked, the provider last used.

    HttpOnly, SameSite=Lax, Path=/; with an https issuer also Secure, and named `__Host-`.
    """

    def __init__(self, issuer: str) -> None:
        self._secure = issuer.startswith("https:")
        prefix = "__Host-" if self._secure else ""
        self.mark_name, self.session_name = f"{prefix}rt-browser", f"{prefix}rt-session"

    def mark(self, request: Request) -> str:
        """The browser's mark; "" if it has none of ours."""
        return _cookie(request, self.mark_name)

    def ensured(self, request: Request) -> str:
        """The browser's mark, or a new one, which the response must then carry (`keep_mark`)."""
        return self.mark(request) or secret()

    def keep_mark(self, response: Response, mark: str) -> None:
        """Have the browser keep its mark."""
        self._set(response, self.mark_name, mark, _MARK_LIFE)

    def keep_language(self, request: Request, response: Response) -> None:
        """Have the browser keep the language that the person picked by `?lang=`, for the pages to come."""
        if (picked := request.query_params.get("lang", "")) in ("zh", "en"):
            self._set(response, _LANGUAGE, picked, _MARK_LIFE)

    def last_upstream(self, request: Request) -> str:
        """The code of the provider last used in this browser; "" if none. Only ever compared."""
        value = request.cookies.get(_LAST, "")
        return value if _CODE.fullmatch(value) else ""

    def keep_last_upstream(self, response: Response, code: str) -> None:
        """Have the browser keep which provider was used, so that the chooser shows it first."""
        self._set(response, _LAST, code, _MARK_LIFE)

    def session(self, request: Request) -> str:
        """The session cookie's secret; "" if there is none."""
        return _cookie(request, self.session_name)

    def keep_session(self, response: Response, value: str, seconds: int) -> None:
        """Have the browser keep a session's secret, always a fresh one: never what it sent."""
        self._set(response, self.session_name, value, seconds)

    def forget_session(self, response: Response) -> None:
        """Have the browser forget the session."""
        response.delete_cookie(self.session_name, path="/", secure=self._secure, httponly=True)

    def _set(self, response: Response, name: str, value: str, seconds: int) -> None:
        response.set_cookie(
            name, value, max_age=seconds, path="/", secure=self._secure, httponly=True, samesite="lax"
        )


def _cookie(request: Request, name: str) -> str:
    value = request.cookies.get(name, "")
    return value if _COOKIE.fullmatch(value) else ""


def token_for(key: bytes, mark: str, purpose: str) -> str:
    """The token of one browser's form for one purpose (such as `consent:<interaction id>`)."""
    return hmac.digest(key, f"{purpose}\0{mark}".encode(), hashlib.sha256).hex()


def check_token(key: bytes, mark: str, purpose: str, given: str) -> None:
    """Raises `Denied` (403) unless `given` is that browser's token for that purpose."""
    wanted = token_for(key, mark, purpose)
    if not mark or not hmac.compare_digest(wanted.encode(), given.encode("utf-8", "replace")):
        raise Denied(
            "FORM_EXPIRED",
            "表单已失效或不是从本页提交的，请返回重试 / the form has expired or did not come from our page",
            403,
        )


async def form(request: Request) -> dict[str, str]:
    """The fields of an `application/x-www-form-urlencoded` body, each once. `Denied`: 400, 408, 413,
    415."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise Denied("BAD_FORM", "请提交表单 / send a form: application/x-www-form-urlencoded", 415)
    body = b""
    try:
        async with asyncio.timeout(PATIENCE):
            async for chunk in request.stream():
                body += chunk
                if len(body) > LARGEST_FORM:
                    raise Denied("FORM_TOO_LARGE", "表单过大 / the form is too large", 413)
    except ClientDisconnect:
        raise Denied("BAD_FORM", "连接已断开 / the connection was closed") from None
    except TimeoutError:
        raise Denied("FORM_TOO_SLOW", "表单发送过慢 / the form came too slowly", 408) from None
    return fields(body)


def query(request: Request) -> dict[str, str]:
    """The query's parameters, each once. Raises `Denied`."""
    return fields(request.scope.get("query_string", b""))


def fields(raw: bytes) -> dict[str, str]:
    """URL-encoded pairs as a mapping; empty values are left out (RFC 6749 §3.1). Raises `Denied`."""
    try:
        text = raw.decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError:
        raise Denied("BAD_FORM", "参数编码有误 / parameters are not URL-encoded UTF-8") from None
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Denied("DUPLICATE_PARAMETER", "参数重复 / a parameter is given twice")
    return {name: value for name, value in found.items() if value and "\0" not in value + name}


def language(request: Request, asked: str = "") -> str:
    """ "zh" or "en": as the person picked (`lang`, now or earlier), else by `ui_locales`, else by
    Accept-Language; Chinese when nothing is said."""
    picked = request.query_params.get("lang", ""), request.cookies.get(_LANGUAGE, "")
    wishes: Sequence[str] = [*picked, *asked[:200].split()]
    accepted = request.headers.get("accept-language", "")[:200]
    for wish in (*wishes, *accepted.split(",")):
        tag = wish.strip().lower()
        if tag.startswith("zh"):
            return "zh"
        if tag.startswith("en"):
            return "en"
    return "zh"


def page_headers(form_action: Sequence[str] = ()) -> Mapping[str, str]:
    """What every page carries. `form_action`: origins that a form's answer may lead to; browsers check the
    whole chain of redirects against it, so the client's own must be named where a form ends at it."""
    actions = " ".join(("'self'", *form_action))
    return {
        "Content-Security-Policy": (
            "default-src 'none'; style-src 'self'; img-src 'self'; font-src 'self'; script-src 'self'; "
            f"connect-src 'self'; form-action {actions}; base-uri 'none'; frame-ancestors 'none'"
        ),
        "Cache-Control": "no-store",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
