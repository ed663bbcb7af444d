"""The way into a passport, the same for every kind: its login page, its cookie, its own pages, its way out.

Rule 1: a login page stands at the very address that wanted somebody signed in; its form goes there again, so
nothing has to be carried through it.
Rule 2: a form that changes anything comes from our own page, as the browser says (`Sec-Fetch-Site`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from connectors.sandbox.passport import page
from connectors.sandbox.passport.people import Accounts, Passport
from connectors.sandbox.passport.sessions import Farewell, SignOn, SignOns, send
from connectors.sandbox.passport.wire import Bad, back_to, form, here, is_own


@dataclass(frozen=True, slots=True)
class Entered:
    """Somebody signed in. `cookie` is set if the browser has to keep a new one; `fresh`: by password, now;
    `gone`: whose sign-on this one replaced."""

    sign_on: SignOn
    cookie: str = ""
    fresh: bool = False
    gone: SignOn | None = None


class Door:
    """The entrance of one passport."""

    def __init__(
        self, passport: Passport, accounts: Accounts, farewell: Farewell, now: Callable[[], float]
    ) -> None:
        self.passport, self.accounts, self._farewell = passport, accounts, farewell
        self.sign_ons = SignOns(now)

    def routes(self) -> list[Route]:
        """The passport's own pages, and what tests ask it."""
        return [
            Route("/", self._home),
            Route("/sign-out", self._sign_out, methods=["POST"]),
            Route("/_passport/sessions", self._sessions, methods=["GET", "DELETE"]),
        ]

    def current(self, request: Request) -> SignOn | None:
        """Who is signed in in this browser."""
        return self.sign_ons.of(self._cookie(request))

    async def enter(
        self, request: Request, *, renew: bool = False, hint: str = "", face: bool = False
    ) -> Entered | Response:
        """Who is here; else the login page, or what became of it. `renew`: a password must be given, now.

        `face`: offer to compare the face, too.
        """
        current = self.current(request)
        if request.method == "POST":
            return await self._tried(request, current, face)
        if current and not renew:
            return Entered(current)
        return page.sign_in(self.passport, _address(request), login=hint, face=face)

    def keep(self, request: Request, entered: Entered, response: Response) -> Response:
        """Have the browser keep its cookie; tell of the sign-on that was replaced."""
        if entered.cookie:
            response.set_cookie(self.passport.name, entered.cookie, path="/", httponly=True, samesite="lax")
        if entered.gone:
            response.background = BackgroundTask(send, self._farewell(entered.gone, here(request)))
        return response

    def leave(self, request: Request, response: Response) -> Response:
        """End the browser's sign-on; whoever was told of it is told of its end once the answer is out."""
        gone = self.sign_ons.end(self._cookie(request))
        response.delete_cookie(self.passport.name, path="/", httponly=True, samesite="lax")
        if gone:
            response.background = BackgroundTask(send, self._farewell(gone, here(request)))
        return response

    def leave_for(self, request: Request, back: str) -> Response:
        """The same at a logout address: the browser goes `back` if that is ours, else to our own page."""
        answer = back_to(back) if is_own(back) else RedirectResponse("/", 303)
        return self.leave(request, answer)

    async def _tried(self, request: Request, current: SignOn | None, face: bool) -> Entered | Response:
        _from_our_page(request)
        fields = await form(request)
        login = fields.get("username", "")
        person = self.accounts.by_login(login, fields.get("password", ""))
        if person is None:
            return page.sign_in(self.passport, _address(request), login=login, wrong=True, face=face)
        compared, cookie = face and fields.get("face") == "1", self._cookie(request)
        if current and current.person.id == person.id:
            return Entered(current, self.sign_ons.renew(cookie, face=compared), fresh=True)
        gone, kept = self.sign_ons.end(cookie), self.sign_ons.start(person, face=compared)
        sign_on = self.sign_ons.of(kept)
        assert sign_on is not None, "started just now"
        return Entered(sign_on, kept, fresh=True, gone=gone)

    def _cookie(self, request: Request) -> str:
        return request.cookies.get(self.passport.name, "")

    async def _home(self, request: Request) -> Response:
        current = self.current(request)
        if current:
            return page.signed_in(self.passport, current.person, "/sign-out")
        return page.message(self.passport, "您尚未登录", "You are not signed in.")

    async def _sign_out(self, request: Request) -> Response:
        _from_our_page(request)
        return self.leave(request, RedirectResponse("/", 303))

    async def _sessions(self, request: Request) -> Response:
        """How many are signed in; DELETE ends them (`?login=`: only that person's) and tells whom it told."""
        login = request.query_params.get("login", "")
        held = self.sign_ons.all()
        chosen = {cookie: one for cookie, one in held.items() if login in ("", one.person.login)}
        notices: list[dict[str, object]] = []
        if request.method == "DELETE":
            for cookie, sign_on in chosen.items():
                self.sign_ons.end(cookie)
                notices += await send(self._farewell(sign_on, here(request)))
        logins = sorted(one.person.login for one in chosen.values())
        return JSONResponse({"count": len(chosen), "logins": logins, "notices": notices})


def _from_our_page(request: Request) -> None:
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Bad("this form did not come from our own page")


def _address(request: Request) -> str:
    query = request.scope.get("query_string", b"").decode("ascii", "replace")
    return f"{request.url.path}?{query}" if query else request.url.path


def standing(door: Door, provider: object, routes: Sequence[Route]) -> Starlette:
    """A passport as an application: its own endpoints and the door's; tests find `provider` in its state."""
    made = Starlette(routes=[*routes, *door.routes()], exception_handlers={Bad: _refusing(door.passport)})
    made.state.passport = provider
    return made


def _refusing(passport: Passport) -> Callable[[Request, Exception], Response]:
    """The page for a request that is `Bad`."""

    def refuse(_request: Request, error: Exception) -> Response:
        return page.message(passport, "请求有误，未作处理", str(error), 400)

    return refuse
