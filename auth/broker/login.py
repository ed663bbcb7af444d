"""From a level's provider to a sign-on here: out with a state, back with a proof, on to where one was going.

Rule 1: nobody's word counts but an Assertion's, made by the provider's own kind from an answer to a state
that this very browser began (`auth.broker.pending`).
Rule 2: every sign-in gives a fresh cookie. Whoever was signed in before as somebody else is signed out first,
and their applications are told.
Rule 3: linking is begun by a form of the session's own page, soon after a proof, and ends in the same session
of the same person; whatever differs is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from auth.broker.accounts import Accounts
from auth.broker.linking import Ends, Linking
from auth.broker.pending import Intention, Pending, Pendings
from auth.broker.upstream import Upstream, UpstreamRefused
from auth.browser import form, language, query
from auth.documents import Interaction, Session
from auth.errors import Denied, StoreDown
from auth.pages import Pages
from auth.ports import Assertion, Audit
from auth.sessions import Sessions

Intent = Literal["sign_in", "link"]


class Interactions(Protocol):
    """Authorization requests under way (`auth.provider.interactions.Interactions`)."""

    async def get(self, id: str, mark: str) -> Interaction | None: ...

    async def signed_in(self, id: str, mark: str) -> None: ...


class SignIn:
    """`/sign-in/{code}/start`, `/sign-in/{code}/callback`; and `complete`, for proofs of every origin.

    `upstreams`: the providers by code. `issuer`: without a slash at its end.
    """

    def __init__(
        self, pages: Pages, sessions: Sessions, accounts: Accounts, interactions: Interactions,
        pendings: Pendings, linking: Linking, ends: Ends, upstreams: Mapping[str, Upstream], audit: Audit,
        *, issuer: str,
    ) -> None:  # fmt: skip
        self._pages, self._sessions, self._accounts = pages, sessions, accounts
        self._interactions, self._pendings, self._linking = interactions, pendings, linking
        self._ends, self._upstreams, self._audit, self._issuer = ends, upstreams, audit, issuer

    def routes(self) -> list[BaseRoute]:
        """Their addresses; to be mounted before any `/sign-in/{...}` of others."""
        guarded = self._pages.guarded
        return [
            Route("/sign-in/{code}/start", guarded(self._start), methods=["GET"]),
            Route("/sign-in/{code}/start", guarded(self._start_linking), methods=["POST"]),
            Route("/sign-in/{code}/callback", guarded(self._callback), methods=["GET"]),
            Route("/sign-in/{code}/callback", guarded(self._posted), methods=["POST"]),
        ]

    async def complete(
        self, request: Request, assertion: Assertion, *, interaction: str = "", intent: Intent = "sign_in"
    ) -> Response:
        """Sign the proven account in (or link it to who is signed in), and send the browser on: to
        `/oauth/authorize/resume?i=` or `/account`. Raises `AuthError`; nothing is half-written then."""
        if intent == "link":
            session = await self._sessions.current(request)
            if session is None:
                raise _elsewhere()
            self._linking.require_recent(session)
            return await self._linked(request, session, assertion)
        return await self._signed_in(request, assertion, interaction)

    # -- out -------------------------------------------------------------------------------------------

    async def _start(self, request: Request) -> Response:
        given = query(request)
        upstream = self._upstream(request)
        interaction = await self._interaction(request, given.get("i", ""))
        wishes = _wishes(interaction, again=bool(given.get("again")))
        return await self._leave(request, upstream, Intention(interaction=given.get("i", "")), **wishes)

    async def _start_linking(self, request: Request) -> Response:
        given = await form(request)
        upstream = self._upstream(request)
        session = await self._sessions.current(request)
        if session is None:
            return self._pages.onward("/sign-in")
        self._pages.check(request, f"link:{session.id}", given.get("csrf", ""))
        if not self._linking.recent(session):
            return self._pages.onward("/account/again")
        intention = Intention(session=session.id, person=await self._accounts.current(session.person))
        return await self._leave(request, upstream, intention, prompt="login", max_age=0)

    async def _leave(
        self, request: Request, upstream: Upstream, intention: Intention, **wishes: object
    ) -> Response:
        state = self._pendings.state()
        code, mark = upstream.settings.code, self._pages.cookies.ensured(request)
        try:
            url, back = await upstream.begin(self._callback_of(code), state, **wishes)  # type: ignore[arg-type]
        except UpstreamRefused as refused:
            return self._refused(request, refused, intention)
        await self._pendings.begin(state, mark, code, intention, back)
        if intention.links:  # it was a form: the page's policy would stop a redirect to another origin
            response = self._pages.show(request, "onward", url=url, name=self._name(request, upstream))
        else:
            response = self._pages.onward(url)
        self._pages.cookies.keep_mark(response, mark)
        return response

    # -- back ------------------------------------------------------------------------------------------

    async def _posted(self, request: Request) -> Response:
        """form_post: a posted answer comes without our cookies (SameSite), so it is read by a GET of ours."""
        given = await form(request)
        code, state = self._upstream(request).settings.code, given.get("state", "")
        await self._pendings.post(state, code, given)
        return self._pages.onward(f"/sign-in/{code}/callback?{urlencode({'state': state})}")

    async def _callback(self, request: Request) -> Response:
        given = query(request)
        upstream = self._upstream(request)
        code, state, mark = upstream.settings.code, given.get("state", ""), self._mark(request)
        pending = await self._pendings.take(state, mark, code)
        answer = self._pendings.posted(pending) or given
        try:
            assertion = await upstream.finish(
                self._callback_of(code), state, answer, self._pendings.back(pending)
            )
        except UpstreamRefused as refused:
            return self._refused(request, refused, pending.intention)
        if pending.intention.links:
            return await self._linked(request, await self._same(request, pending), assertion)
        return await self._signed_in(request, assertion, pending.interaction)

    async def _same(self, request: Request, pending: Pending) -> Session:
        """The session that began linking: the very one, of the very person. Raises `Denied`."""
        session = await self._sessions.current(request)
        if session is None or session.id != pending.session:
            raise _elsewhere()
        if await self._accounts.current(session.person) != await self._accounts.current(pending.person):
            raise _elsewhere()
        return session

    # -- on --------------------------------------------------------------------------------------------

    async def _signed_in(self, request: Request, assertion: Assertion, interaction: str) -> Response:
        mark = self._pages.cookies.ensured(request)
        person = await self._accounts.person_for(assertion)
        old = await self._sessions.current(request)
        if old is not None and old.person != person:
            await self._ends.end(old.id)
            old = None
        await self._audit.note(
            "sign_in", person=person, upstream=assertion.upstream, level=assertion.level, acr=assertion.acr
        )
        _session, cookie = await self._sessions.sign_in(old, mark, person, assertion)
        return self._kept(await self._led_on(request, interaction, mark), mark, cookie)

    async def _led_on(self, request: Request, interaction: str, mark: str) -> Response:
        """Back to the application's request, or home. The sign-on is written by now: whatever fails here,
        its browser has the cookie, so that no sign-on is left that nobody can end."""
        if not interaction:
            return self._pages.onward("/account")
        try:
            await self._interactions.signed_in(interaction, mark)
        except StoreDown as down:
            return self._pages.error(request, down)
        return self._pages.onward(f"/oauth/authorize/resume?{urlencode({'i': interaction})}")

    async def _linked(self, request: Request, session: Session, assertion: Assertion) -> Response:
        mark = self._mark(request)
        offer = await self._linking.link(session, mark, assertion)
        if offer is not None:
            return self._pages.onward(f"/account/merge?{urlencode({'o': offer.id})}")
        person = await self._accounts.current(session.person)
        _, cookie = await self._sessions.sign_in(session, mark, person, assertion)
        return self._kept(self._pages.onward("/account?note=linked"), mark, cookie)

    def _kept(self, response: Response, mark: str, cookie: str) -> Response:
        self._pages.cookies.keep_mark(response, mark)
        self._sessions.keep(response, cookie)
        return response

    def _refused(self, request: Request, refused: UpstreamRefused, intention: Intention) -> Response:
        """The provider's refusal, with the way back to the chooser."""
        chinese, _, english = refused.public.partition(" / ")
        back = {"intent": "link"} if intention.links else {"i": intention.interaction}
        said = {name: value for name, value in back.items() if value}
        response = self._pages.show(
            request, "error", status=refused.status, code=refused.shown_code or refused.code, chinese=chinese,
            english=english or chinese, retry_after=int(refused.retry_after or 0),
            back_url=f"/sign-in?{urlencode(said)}" if said else "/sign-in",
            back_text="重新选择登录方式" if language(request) == "zh" else "Choose again how to sign in",
        )  # fmt: skip
        if refused.retry_after:
            response.headers["Retry-After"] = str(max(1, round(refused.retry_after)))
        return response

    # -- small -----------------------------------------------------------------------------------------

    async def _interaction(self, request: Request, i: str) -> Interaction | None:
        """The interaction of this browser; None without an id. Raises `Denied` for a foreign or old one."""
        if not i:
            return None
        found = await self._interactions.get(i, self._pages.cookies.mark(request))
        if found is None:
            raise Denied(
                "INTERACTION_OVER",
                "这次登录已结束或已过期，请回到应用重新开始 / "
                "this sign-in is over or has expired: go back to the application and start again",
            )
        return found

    def _upstream(self, request: Request) -> Upstream:
        found = self._upstreams.get(request.path_params["code"])
        if found is None:
            raise Denied("NO_SUCH_PROVIDER", "没有这个登录平台 / no such provider", 404)
        return found

    def _callback_of(self, code: str) -> str:
        return f"{self._issuer}/sign-in/{code}/callback"

    def _mark(self, request: Request) -> str:
        return self._pages.cookies.mark(request)

    def _name(self, request: Request, upstream: Upstream) -> str:
        settings = upstream.settings
        return settings.name if language(request) == "zh" else settings.name_en or settings.name


def _wishes(interaction: Interaction | None, *, again: bool) -> dict[str, object]:
    """What the application asked for, for `begin`; `again`: the person is to prove themselves."""
    params = interaction.params if interaction else {}
    prompts = str(params.get("prompt") or "").split()
    wishes: dict[str, object] = {
        "login_hint": str(params.get("login_hint") or "")[:256],
        "acr_values": str(params.get("acr_values") or "")[:500],
        "prompt": "login" if again or "login" in prompts else "",
        "max_age": 0 if again else _seconds(params.get("max_age")),
    }
    return {name: value for name, value in wishes.items() if value not in ("", None)}


def _seconds(value: object) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _elsewhere() -> Denied:
    return Denied(
        "LINK_ELSEWHERE",
        "关联必须在发起它的登录中完成，请重新关联 / "
        "linking must end in the sign-on that began it: begin linking again",
        403,
    )
