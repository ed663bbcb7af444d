"""The gate's pages: templates with every value escaped, in Chinese and English, working without JavaScript.

A template is `auth/templates/<name>.html`; it says `t("中文", "English")` for its words, so both languages
stand side by side. `csrf`, `lang`, `other_lang_url` are always there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from auth.browser import Cookies, language, page_headers, token_for
from auth.errors import AuthError, Denied


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
            lang=chosen,
            other_lang_url=_in_other(request, chosen),
            hub_name=self._name[0] if chosen == "zh" else self._name[1],
            csrf=token_for(self._key, mark, purpose) if purpose else "",
            **values,
        )
        response = HTMLResponse(text, status, dict(page_headers(form_action)))
        response.headers["Content-Language"] = "zh-CN" if chosen == "zh" else "en"
        self.cookies.keep_mark(response, mark)
        return response

    def error(self, request: Request, error: AuthError) -> Response:
        """The page for an error: its bilingual text and its code; 503 says when to try again."""
        status = getattr(error, "status", 400) if not isinstance(error, Denied) else error.status
        chinese, _, english = error.public.partition(" / ")
        wait = getattr(error, "retry_after", None)
        response = self.show(
            request, "error", status=status, code=error.code, chinese=chinese,
            english=english or chinese, retry_after=int(wait) if wait else 0,
        )  # fmt: skip
        if wait:
            response.headers["Retry-After"] = str(max(1, round(wait)))
        return response


def _said(chosen: str) -> Callable[[str, str], str]:
    return (lambda chinese, english: chinese) if chosen == "zh" else (lambda chinese, english: english)


def _in_other(request: Request, chosen: str) -> str:
    """This page's address in the other language; only for pages that a GET shows."""
    if request.method != "GET":
        return ""
    other = "en" if chosen == "zh" else "zh"
    url = request.url.include_query_params(lang=other)
    return f"{url.path}?{url.query}"
