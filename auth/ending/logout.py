"""Signing out: `/oauth/logout` (OpenID Connect RP-Initiated Logout 1.0) and `/signed-out`.

Rule 1: without an ID token of ours that names this very sign-on, a page asks first (logout CSRF).
Rule 2: the browser is sent to an address only if the client registered exactly that one; else nothing at
all happens, and an error page says so.
Rule 3: our own sign-on ends first; then its applications are told; then the providers; then the client.
Rule 4: showing a page takes no step of the way; only `go` and a provider's sending back do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit, urlunsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from auth.broker.upstream import Upstream
from auth.browser import form, language, query
from auth.documents import Client, Session
from auth.ending.chain import Chain, Leaving
from auth.ending.endings import Ended, Endings
from auth.ending.notices import KnownClients
from auth.errors import Denied
from auth.pages import Pages
from auth.sessions import Sessions

PURPOSE = "logout"
LONGEST_HINT = 8_192
_PASSED = ("id_token_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales", "lang")


class IdTokens(Protocol):
    """Reads ID tokens of ours (`auth.provider.id_tokens.IdTokens`)."""

    def claims(self, token: str) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request to sign out, checked. `proven`: its ID token names the browser's own sign-on."""

    client: Client | None
    back: str
    proven: bool
    locales: str

    def hidden(self, given: Mapping[str, str]) -> list[tuple[str, str]]:
        """What the asking page's form repeats; it is checked again."""
        client = [("client_id", self.client.id)] if self.client else []
        return client + [
            (name, given[name]) for name in ("post_logout_redirect_uri", "state") if name in given
        ]


class Logout:
    """Its pages. `upstreams`: the providers by code, for their names."""

    def __init__(
        self, pages: Pages, sessions: Sessions, endings: Endings, chain: Chain, clients: KnownClients,
        id_tokens: IdTokens, upstreams: Mapping[str, Upstream],
    ) -> None:  # fmt: skip
        self._pages, self._sessions, self._endings, self._chain = pages, sessions, endings, chain
        self._clients, self._id_tokens, self._upstreams = clients, id_tokens, upstreams

    def routes(self) -> list[BaseRoute]:
        """Their addresses."""
        guarded = self._pages.guarded
        return [
            Route("/oauth/logout", guarded(self._asked_for), methods=["GET"]),
            Route("/oauth/logout", guarded(self._posted), methods=["POST"]),
            Route("/oauth/logout/confirm", guarded(self._confirmed), methods=["POST"]),
            Route("/signed-out", guarded(self._signed_out), methods=["GET"]),
        ]

    async def _posted(self, request: Request) -> Response:
        """A POST from the client's page comes without our cookies (SameSite): a GET of ours follows."""
        given = await form(request)
        passed = {name: given[name] for name in _PASSED if name in given}
        if len(passed.get("id_token_hint", "")) > LONGEST_HINT:
            del passed["id_token_hint"]
        return self._pages.onward(f"/oauth/logout?{urlencode(passed)}" if passed else "/oauth/logout")

    async def _asked_for(self, request: Request) -> Response:
        given = query(request)
        session = await self._sessions.current(request)
        asked = await self._checked(given, session)
        if session is not None and not asked.proven:
            return await self._ask(request, session, asked, given)
        return await self._leave(request, session, asked, by_form=False)

    async def _confirmed(self, request: Request) -> Response:
        given = await form(request)
        session = await self._sessions.current(request)
        self._pages.check(request, _purpose(session), given.get("csrf", ""))
        return await self._leave(request, session, await self._checked(given, session), by_form=True)

    async def _checked(self, given: Mapping[str, str], session: Session | None) -> _Asked:
        """Raises `Denied` for a client or address that is not what was registered."""
        hint = given.get("id_token_hint", "")
        said = self._id_tokens.claims(hint) if 0 < len(hint) <= LONGEST_HINT else {}
        audience, client_id = str(said.get("aud", "")), given.get("client_id", "")
        if audience and client_id and audience != client_id:
            raise Denied("WRONG_CLIENT", "令牌与应用不符 / the ID token is another client's")
        name = audience or client_id
        client = await self._clients.get(name) if name else None
        wanted, state = given.get("post_logout_redirect_uri", ""), given.get("state", "")
        if wanted and (client is None or wanted not in client.post_logout_redirect_uris):
            raise Denied(
                "BAD_RETURN_ADDRESS",
                "注销后的返回地址没有登记，未作任何操作 / "
                "the address to return to is not registered, and nothing was done",
            )
        back = _with_state(wanted, state) if wanted else ""
        return _Asked(client, back, _names(said, session), given.get("ui_locales", "")[:200])

    async def _ask(
        self, request: Request, session: Session, asked: _Asked, given: Mapping[str, str]
    ) -> Response:
        lang = language(request, asked.locales)
        clients = [await self._clients.get(each.client_id) for each in session.clients]
        return self._pages.show(
            request, "logout", purpose=_purpose(session), lang=asked.locales, action="/oauth/logout/confirm",
            hidden=asked.hidden(given), client_name=_client_name(asked.client, lang),
            clients=[_client_name(each, lang) for each in clients if each is not None],
            upstreams=self._providers(session, lang), cancel_url=asked.back or "/account",
        )  # fmt: skip

    async def _leave(
        self, request: Request, session: Session | None, asked: _Asked, *, by_form: bool
    ) -> Response:
        """End the sign-on, and begin the way out. After a form a page leads on: its policy would stop
        redirects to other origins; and with several providers, so that the browser's way back leads to it."""
        ended = await self._endings.end_and_tell(session.id) if session else None
        mark = self._pages.cookies.ensured(request)
        if ended is None and not by_form:
            response = self._pages.onward(asked.back or "/signed-out")
        else:
            response = await self._begun(request, ended, mark, asked, by_form)
        self._pages.cookies.keep_mark(response, mark)
        self._sessions.forget(response)
        return response

    async def _begun(
        self, request: Request, ended: Ended | None, mark: str, asked: _Asked, by_form: bool
    ) -> Response:
        leaving = await self._chain.begin(
            mark, ended.session if ended else None, ended.told if ended else {}, back=asked.back,
            client_id=asked.client.id if asked.client else "",
        )  # fmt: skip
        if by_form or self._chain.left(leaving) > 1:
            return self._pages.onward(f"/signed-out?{urlencode({'step': leaving.id})}")
        return await self._onward(leaving)

    async def _signed_out(self, request: Request) -> Response:
        """`step`: our own page, which leads on. `go`: on to the next. `state`: a provider sent us back."""
        given = query(request)
        mark = self._pages.cookies.mark(request)
        for name in ("state", "go"):
            if mark and name in given and (leaving := await self._chain.came(given[name], mark)):
                return await self._onward(leaving)
        found = await self._chain.came(given["step"], mark) if mark and "step" in given else None
        if found is None and mark:
            found = await self._chain.latest(mark)
        return await self._page(request, found, going="step" in given)

    async def _onward(self, leaving: Leaving) -> Response:
        """To the next provider, else to where the way ends: the client, or our own page."""
        leaving, url = await self._chain.onward(leaving)
        return self._pages.onward(url or leaving.back or "/signed-out")

    async def _page(self, request: Request, leaving: Leaving | None, *, going: bool) -> Response:
        """Where things stand, with the way on; `going`: it goes on by itself."""
        lang, on, name = language(request), "", ""
        if leaving is not None and self._chain.left(leaving):
            on = f"/signed-out?{urlencode({'go': leaving.id})}"
        elif leaving is not None and leaving.back:
            on, name = leaving.back, _client_name(await self._clients.get(leaving.client_id), lang)
        return self._pages.show(
            request, "signed_out", told=await self._told(leaving, lang) if leaving else [],
            continue_url=on, continue_name=name, refresh=1 if going and on else 0,
        )  # fmt: skip

    async def _told(self, leaving: Leaving, lang: str) -> list[dict[str, str]]:
        lines = []
        for client_id, knows in leaving.clients.items():
            client = await self._clients.get(client_id)
            lines.append({"name": _client_name(client, lang), "state": "done" if knows else "going"})
        for number, each in enumerate(leaving.upstreams):
            waiting = "going" if number >= leaving.at else "failed"
            state = "done" if number in leaving.returned else waiting
            lines.append({"name": self._provider(each.upstream, lang), "state": state})
        return lines

    def _providers(self, session: Session, lang: str) -> list[str]:
        codes = dict.fromkeys(each.upstream for each in session.upstreams)
        return [self._provider(code, lang) for code in codes if code in self._upstreams]

    def _provider(self, code: str, lang: str) -> str:
        known = self._upstreams.get(code)
        if known is None:
            return code
        return known.settings.name if lang == "zh" else known.settings.name_en or known.settings.name


def _purpose(session: Session | None) -> str:
    return f"{PURPOSE}:{session.id}" if session else PURPOSE


def _names(said: Mapping[str, Any], session: Session | None) -> bool:
    """Whether an ID token's claims name this sign-on, as its client knows it."""
    if session is None or not said:
        return False
    return any(
        each.client_id == said.get("aud") and each.sub == said.get("sub")
        and (not said.get("sid") or each.sid == said.get("sid"))
        for each in session.clients
    )  # fmt: skip


def _with_state(url: str, state: str) -> str:
    if not state:
        return url
    parts = urlsplit(url)
    asked = f"{parts.query}&" if parts.query else ""
    return urlunsplit(parts._replace(query=f"{asked}{urlencode({'state': state})}"))


def _client_name(client: Client | None, lang: str) -> str:
    if client is None:
        return ""
    return ((client.name if lang == "zh" else client.name_en or client.name) or client.id)[:80]
