"""A browser for stories about passports: keeps cookies, stops at redirects, fills in a login page."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

import aiohttp

HUB = "http://127.0.0.1:9"
"""Where browsers are sent back to; nobody has to be there, since a redirect is read and not followed."""


@dataclass(frozen=True)
class Seen:
    """What a browser got: `to` is where a redirect leads, without its query; `said` that query."""

    status: int
    text: str
    location: str

    @property
    def to(self) -> str:
        return self.location.partition("?")[0]

    @property
    def said(self) -> dict[str, str]:
        query = urlsplit(self.location).query
        return {name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()}


class Browser:
    """One browser. Its cookies do not mind ports, as everywhere (RFC 6265 §8.5)."""

    def __init__(self) -> None:
        self._http = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.close()

    def cookies(self) -> set[str]:
        """The names of the cookies it holds."""
        return {cookie.key for cookie in self._http.cookie_jar}

    async def open(self, url: str) -> Seen:
        """Go to an address."""
        return await self._ask("GET", url)

    async def send(self, url: str, headers: dict[str, str] | None = None, **fields: str) -> Seen:
        """Send a form to an address."""
        return await self._ask("POST", url, fields, headers)

    async def sign_in(self, url: str, login: str, password: str, **more: str) -> Seen:
        """Go to an address that wants somebody signed in, and fill in its login page."""
        page = await self.open(url)
        assert page.status == 200, page
        assert 'name="password"' in page.text
        return await self._ask("POST", url, {"username": login, "password": password, **more})

    async def _ask(
        self, method: str, url: str, form: dict[str, str] | None = None, headers: dict[str, str] | None = None
    ) -> Seen:
        async with self._http.request(
            method, url, data=form, headers=headers, allow_redirects=False
        ) as answer:
            return Seen(answer.status, await answer.text(), answer.headers.get("Location", ""))
