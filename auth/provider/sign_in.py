"""Where people say who they are: the chooser of the levels' providers, and the hub's own accounts' form.

Rule 1: nobody signs in but with a form of this very browser (login CSRF), and for an interaction of it.
Rule 2: whatever is wrong with login or password, the answer is the same and has cost the same.
Rule 3: who was proven is handed to `complete`, which alone makes sessions; nothing here sets one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from auth.browser import form, language, query
from auth.documents import Client, Interaction, Session
from auth.errors import Denied, StoreDown
from auth.local import ACR_PASSWORD, LOCAL, LocalAccount, LocalAccounts, folded
from auth.pages import Pages
from auth.passwords import Busy
from auth.ports import Assertion
from auth.provider.chooser import Directory, Provider, RegionName
from auth.provider.interactions import Interactions
from auth.provider.landing import form_targets
from auth.settings import UpstreamSettings
from auth.throttle import Attempt, Throttle, Throttled

Intent = Literal["sign_in", "link"]
_VERIFIED = ("urn:rongtong:acr:name-verified", "urn:rongtong:acr:face-verified")


class SignIn(Protocol):
    """Makes the sign-on of a proven account and sends the browser on (`auth.broker.login`)."""

    async def complete(
        self, request: Request, assertion: Assertion, *, interaction: str = "", intent: Intent = "sign_in"
    ) -> Response: ...


class KnownClients(Protocol):
    """Finds applications (`auth.clients.Clients`)."""

    async def get(self, client_id: str) -> Client | None: ...


class CurrentSession(Protocol):
    """Tells whose browser it is (`auth.sessions.Sessions`)."""

    async def current(self, request: Request) -> Session | None: ...


@dataclass(frozen=True, slots=True)
class OwnAccounts:
    """The hub's own accounts, with what slows guessing; `passkeys` whether they may be used."""

    accounts: LocalAccounts
    throttle: Throttle
    passkeys: bool = False


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a page is about."""

    i: str
    intent: Intent
    interaction: Interaction | None
    client_name: str
    session: str = ""
    """Whose sign-on another account is to be linked to: the session's id."""

    @property
    def purpose(self) -> str:
        """Of the own accounts' form: one made for signing in does not link, nor for another session."""
        return f"local:{self.i}" if self.intent == "sign_in" else f"local:link:{self.session}"

    @property
    def params(self) -> dict[str, object]:
        return self.interaction.params if self.interaction else {}

    def said(self, name: str, most: int) -> str:
        """A parameter of the authorization request, as text, cut to `most`."""
        return str(self.params.get(name) or "")[:most]

    def query(self, **more: str) -> str:
        """The query that keeps to it."""
        kept = {"i": self.i, "intent": "" if self.intent == "sign_in" else self.intent} | more
        pairs = {name: value for name, value in kept.items() if value}
        return f"?{urlencode(pairs)}" if pairs else ""


class SignInPages:
    """`/sign-in`, `/sign-in/to/{code}`, `/sign-in/local`, `/auth/static/*`. `own` None: no own accounts."""

    def __init__(
        self, pages: Pages, interactions: Interactions, clients: KnownClients, sessions: CurrentSession,
        upstreams: Sequence[UpstreamSettings], sign_in: SignIn, own: OwnAccounts | None = None,
        region_name: RegionName = lambda code, lang: code,
    ) -> None:  # fmt: skip
        self._pages, self._interactions, self._clients = pages, interactions, clients
        self._sessions, self._sign_in, self._own = sessions, sign_in, own
        self._directory = Directory(upstreams, region_name)

    def routes(self) -> list[BaseRoute]:
        """Their addresses."""
        guarded = self._pages.guarded
        routes: list[BaseRoute] = [
            Route("/sign-in", guarded(self._chooser), methods=["GET"]),
            Route("/sign-in/to/{code}", guarded(self._to), methods=["GET"]),
        ]
        if self._own is not None:
            routes += [
                Route("/sign-in/local", guarded(self._form), methods=["GET"]),
                Route("/sign-in/local", guarded(self._checked), methods=["POST"]),
            ]
        return routes + self._pages.assets.routes()

    async def _chooser(self, request: Request) -> Response:
        given = query(request)
        asked = await self._asked(request, given)
        if asked.intent == "link" and not asked.session:
            return self._pages.onward("/sign-in")
        lang = language(request, asked.said("ui_locales", 200))
        q, region = given.get("q", "")[:60], given.get("region", "")[:12]
        found, url = self._directory.found(q, region), _way(asked)
        return self._pages.show(
            request, "chooser", purpose=f"link:{asked.session}" if asked.session else asked.purpose,
            lang=asked.said("ui_locales", 200), form_action=form_targets(asked.params),
            i=asked.i, intent=asked.intent, client_name=asked.client_name,
            login_hint=asked.said("login_hint", 64),
            verified=any(acr in asked.said("acr_values", 500).split() for acr in _VERIFIED),
            last=None if q or region or asked.intent == "link" else self._last(request, lang, url),
            groups=self._directory.groups(found, lang, url), searchable=self._directory.searchable,
            regions=self._directory.regions(lang), region=region, q=q, found=len(found),
            clear_url=f"/sign-in{asked.query()}",
            local_url=f"/sign-in/local{asked.query()}" if self._own else "",
            passkeys=self._passkeys and asked.intent == "sign_in",
        )  # fmt: skip

    def _last(self, request: Request, lang: str, url: Callable[[str], str]) -> Provider | None:
        code = self._pages.cookies.last_upstream(request)
        found = self._directory.get(code)
        return self._directory.line(found, lang, url) if found and self._directory.several else None

    async def _to(self, request: Request) -> Response:
        """On the way to a provider: remember it for next time."""
        given = query(request)
        code = request.path_params["code"]
        if self._directory.get(code) is None:
            raise Denied("NO_SUCH_PROVIDER", "没有这个登录平台 / no such provider", 404)
        asked = await self._asked(request, given)
        response = self._pages.onward(f"/sign-in/{quote(code, safe='')}/start{asked.query()}")
        self._pages.cookies.keep_last_upstream(response, code)
        return response

    async def _form(self, request: Request) -> Response:
        asked = await self._asked(request, query(request))
        if asked.intent == "link" and not asked.session:
            return self._pages.onward("/sign-in")
        return self._local(request, asked, login=asked.said("login_hint", 64))

    async def _checked(self, request: Request) -> Response:
        given = await form(request)
        asked = await self._asked(request, given)
        self._pages.check(request, asked.purpose, given.get("csrf", ""))
        login, password = given.get("login", ""), given.get("password", "")
        try:
            account = await self._proven(request, login, password)
        except Throttled as throttled:
            wait = round(throttled.retry_after)
            response = self._local(request, asked, login=login[:64], wait=wait, status=429)
            response.headers["Retry-After"] = str(wait)
            return response
        if account is None:
            return self._local(request, asked, login=login[:64], failed=True, status=403)
        assert self._own is not None, "only routed with own accounts"
        assertion = self._own.accounts.assertion(account, acr=ACR_PASSWORD, amr=("pwd",))
        response = await self._sign_in.complete(request, assertion, interaction=asked.i, intent=asked.intent)
        self._pages.cookies.keep_last_upstream(response, LOCAL)
        return response

    async def _proven(self, request: Request, login: str, password: str) -> LocalAccount | None:
        assert self._own is not None, "only routed with own accounts"
        address, mark = request.client.host if request.client else "", self._pages.cookies.mark(request)
        # Folded as the account is found: else every other case, width or blank began to count anew.
        attempt: Attempt = await self._own.throttle.admit(folded(login), address, mark)
        try:
            account = await self._own.accounts.check(login, password)
        except (Busy, StoreDown):
            await self._own.throttle.withdrawn(attempt)
            raise
        if account is not None:
            await self._own.throttle.succeeded(attempt)
        return account

    def _local(
        self, request: Request, asked: _Asked, *, login: str, failed: bool = False, wait: int = 0,
        status: int = 200,
    ) -> Response:  # fmt: skip
        return self._pages.show(
            request, "local", purpose=asked.purpose, status=status,
            lang=asked.said("ui_locales", 200), form_action=form_targets(asked.params),
            i=asked.i, intent=asked.intent, client_name=asked.client_name, login=login, failed=failed,
            wait=wait, back_url=f"/sign-in{asked.query()}",
            passkeys=self._passkeys and asked.intent == "sign_in",
        )  # fmt: skip

    @property
    def _passkeys(self) -> bool:
        return self._own is not None and self._own.passkeys

    async def _asked(self, request: Request, given: dict[str, str]) -> _Asked:
        """Raises `Denied` for an interaction that is over or another browser's."""
        i = given.get("i", "")
        if given.get("intent") == "link":
            session = await self._sessions.current(request)
            return _Asked("", "link", None, "", session.id if session else "")
        if not i:
            return _Asked("", "sign_in", None, "")
        interaction = await self._interactions.get(i, self._pages.cookies.mark(request))
        if interaction is None:
            raise interaction_over()
        client = await self._clients.get(interaction.client_id)
        lang = language(request, str(interaction.params.get("ui_locales") or ""))
        return _Asked(i, "sign_in", interaction, name_of(client, lang) if client else "")


def interaction_over() -> Denied:
    """For a request that was answered, grew old, or is another browser's: one text for all."""
    return Denied(
        "INTERACTION_OVER",
        "这次登录已结束或已过期，请回到应用重新开始 / "
        "this sign-in is over or has expired: go back to the application and start again",
    )


def name_of(client: Client, lang: str) -> str:
    """What a client is called, cut to what fits a heading; pages escape it."""
    return ((client.name if lang == "zh" else client.name_en or client.name) or client.id)[:80]


def _way(asked: _Asked) -> Callable[[str], str]:
    """The address behind a provider's line. Linking posts its token straight to the broker."""
    if asked.intent == "link":
        return lambda code: f"/sign-in/{quote(code, safe='')}/start"
    return lambda code: f"/sign-in/to/{quote(code, safe='')}{asked.query()}"
