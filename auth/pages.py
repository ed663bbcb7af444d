"""The gate's pages: templates with every value escaped, in Chinese and English, working without JavaScript.

A template is `auth/templates/<name>.html`; it says `t("中文", "English")` for its words, so both languages
stand side by side. `csrf`, `lang`, `other_lang_url`, `hub_name`, `asset(name)` and
`word(kind, code)` (kind: level, scope, purpose, assurance) are always there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial, wraps
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from auth.assets import Assets
from auth.browser import Cookies, check_token, language, page_headers, query, token_for
from auth.errors import AuthError, Denied
from auth.words import word

Endpoint = Callable[[Request], Awaitable[Response]]


class Pages:
    """Renders pages. `key` makes the forms' tokens; `name` is the hub's own, in both languages."""

    def __init__(self, cookies: Cookies, key: bytes, name: tuple[str, str] = ("融通", "Rongtong")) -> None:
        self.cookies, self._key, self._name = cookies, key, name
        self._templates = Environment(
            loader=PackageLoader("auth", "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.assets = Assets()
        self._templates.globals["asset"] = self.assets.address

    def show(
        self,
        request: Request,
        template: str,
        *,
        purpose: str = "",
        status: int = 200,
        lang: str = "",
        form_action: Sequence[str] = (),
        **values: Any,
    ) -> Response:
        """A page; a form on it carries `csrf`, made for `purpose`. `lang`: the client's `ui_locales`."""
        chosen = language(request, lang)
        mark = self.cookies.ensured(request)
        text = self._templates.get_template(f"{template}.html").render(
            t=_said(chosen),
            word=partial(word, lang=chosen),
            lang=chosen,
            other_lang_url=_in_other(request, chosen),
            hub_name=self._name[0] if chosen == "zh" else self._name[1],
            csrf=token_for(self._key, mark, purpose) if purpose else "",
            **values,
        )
        response = HTMLResponse(text, status, dict(page_headers(form_action)))
        response.headers["Content-Language"] = "zh-CN" if chosen == "zh" else "en"
        self.cookies.keep_mark(response, mark)
        self.cookies.keep_language(request, response)
        return response

    def check(self, request: Request, purpose: str, given: str) -> None:
        """Raises `Denied` (403) unless `given` is the token of this browser's form for `purpose`."""
        check_token(self._key, self.cookies.mark(request), purpose, given)

    def onward(self, url: str) -> Response:
        """303: the browser goes on with GET to an address of ours or a proven one."""
        return RedirectResponse(url, 303, dict(page_headers()))

    def guarded(self, endpoint: Endpoint) -> Endpoint:
        """`endpoint`, whose identity errors become pages: never a 500, never a redirect."""

        @wraps(endpoint)
        async def shown(request: Request) -> Response:
            try:
                return await endpoint(request)
            except AuthError as error:
                return self.error(request, error)

        return shown

    def error(self, request: Request, error: AuthError) -> Response:
        """The page for an error: its bilingual text and its code; 503 says when to try again."""
        status = getattr(error, "status", 400) if not isinstance(error, Denied) else error.status
        chinese, _, english = error.public.partition(" / ")
        wait = getattr(error, "retry_after", None)
        response = self.show(
            request, "error", status=status, code=error.shown_code or error.code, chinese=chinese,
            english=english or chinese, retry_after=int(wait) if wait else 0,
            again=bool(wait) and request.method == "GET",
        )  # fmt: skip
        if wait:
            response.headers["Retry-After"] = str(max(1, round(wait)))
        return response


def _said(chosen: str) -> Callable[[str, str], str]:
    return (lambda chinese, english: chinese) if chosen == "zh" else (lambda chinese, english: english)


def _in_other(request: Request, chosen: str) -> str:
    """This page's address in the other language, relative, so that no Host header and no path of the
    request is written into a page; only for pages that a GET shows."""
    if request.method not in ("GET", "HEAD"):
        return ""
    try:
        asked = query(request)
    except Denied:  # the error page about that very query
        asked = {}
    return "?" + urlencode({**asked, "lang": "en" if chosen == "zh" else "zh"})
