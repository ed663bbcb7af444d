"""`/oauth/authorize`: from an application's question to a code, by way of sign-in and consent.

Rule 1: until the client and its redirect_uri are proven, errors are pages; nobody is sent anywhere.
Rule 2: what came once is validated again when the browser comes back: registrations change meanwhile.
Rule 3: a code is written first, then the request is ended, once; only then the browser gets the code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import urlencode

from authlib.oauth2 import OAuth2Error  # type: ignore[import-untyped]
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from auth.bridge import synchronous
from auth.browser import form, query
from auth.documents import Client, Interaction, Session
from auth.errors import Denied
from auth.pages import Pages
from auth.provider.answers import Refusal, ascii_only
from auth.provider.arriving import Arrived, Arriving
from auth.provider.asked import mode_of
from auth.provider.code import Agreed, AuthorizationCode
from auth.provider.consent import asked_purposes
from auth.provider.deciding import lacking
from auth.provider.delivery import Delivery
from auth.provider.device_page import DEVICE
from auth.provider.interactions import Interactions
from auth.provider.issuing import Subjects
from auth.provider.persons import Persons, may_be_told
from auth.provider.pushed import Pushed
from auth.provider.requests import OAuthRequest
from auth.provider.server import AuthorizationServer

PATH, RESUME = "/oauth/authorize", "/oauth/authorize/resume"
_LONGEST_POSTED = 16_000


class Sessions(Protocol):
    """The browser's sign-on (`auth.sessions.Sessions`)."""

    async def current(self, request: Request) -> Session | None: ...


class Consents(Protocol):
    """What people have agreed to (`auth.provider.consents.Consents`); the consent page writes it down."""

    async def covers(
        self, person: str, client: Client, scopes: tuple[str, ...], purposes: tuple[str, ...] = ()
    ) -> bool: ...


@dataclass(frozen=True, slots=True)
class Under:
    """A request under way, proven and understood. `interaction`: once the browser was sent somewhere."""

    request: Request
    client: Client
    values: dict[str, Any] = field(repr=False)
    grant: AuthorizationCode
    mark: str = field(repr=False)
    par: str = ""
    interaction: Interaction | None = None

    def settled(self, session: Session) -> bool:
        """Whether this very session was found good enough before it was sent to consent."""
        return self.interaction is not None and self.values.get("_settled") == session.id


class Authorize:
    """The endpoint. `issuer` has no slash at its end; `clock` gives seconds since 1970."""

    def __init__(
        self, *, issuer: str, server: AuthorizationServer, arriving: Arriving, pushed: Pushed,
        interactions: Interactions, sessions: Sessions, persons: Persons, consents: Consents, pages: Pages,
        subject: Subjects, clock: Callable[[], float],
    ) -> None:  # fmt: skip
        self._issuer, self._server, self._arriving, self._pushed = issuer, server, arriving, pushed
        self._interactions, self._sessions, self._persons = interactions, sessions, persons
        self._consents, self._pages, self._subject, self._clock = consents, pages, subject, clock
        self._delivery = Delivery(pages, issuer)

    def routes(self) -> list[BaseRoute]:
        """Its addresses."""
        return [
            Route(PATH, self._pages.guarded(self._asked), methods=["GET"]),
            Route(PATH, self._pages.guarded(self._posted), methods=["POST"]),
            Route(RESUME, self._pages.guarded(self._resumed), methods=["GET"]),
        ]

    async def _posted(self, request: Request) -> Response:
        """As GET: a form of another site comes without our cookies, the navigation after it with them."""
        said = urlencode(await form(request))
        if len(said) > _LONGEST_POSTED:
            raise Denied(
                "FORM_TOO_LARGE", "请求过长，请使用 PAR / the request is too long: push it (PAR)", 413
            )
        return self._pages.onward(f"{self._issuer}{PATH}?{said}")

    async def _asked(self, request: Request) -> Response:
        mark = self._pages.cookies.ensured(request)
        given = query(request)
        arrived = await self._arriving.read(given, mark)
        if arrived.error is not None:
            return self._failed(request, arrived, arrived.error)
        response = await self._go_on(request, arrived, mark, None)
        self._pages.cookies.keep_mark(response, mark)
        return response

    async def _resumed(self, request: Request) -> Response:
        mark = self._pages.cookies.mark(request)
        name = query(request).get("i", "")
        interaction = await self._interactions.get(name, mark) if name and mark else None
        if interaction is None:
            raise _over()
        if DEVICE in interaction.params:  # a device's request: it began on its own page and ends there
            return self._pages.onward(f"{self._issuer}/device?i={interaction.id}")
        arrived = await self._arriving.again(interaction)
        return await self._go_on(request, arrived, mark, interaction)

    async def _go_on(
        self, request: Request, arrived: Arrived, mark: str, interaction: Interaction | None
    ) -> Response:
        try:
            headers = request.headers
            asked = OAuthRequest("GET", f"{self._issuer}{PATH}", headers, arrived.values)
            grant = await self._server.validated(asked)
            under = Under(request, arrived.client, arrived.values, grant, mark, arrived.par, interaction)
            return await self._decide(under)
        except OAuth2Error as error:
            return self._failed(request, arrived, error)

    async def _decide(self, under: Under) -> Response:
        session = await self._sessions.current(under.request)
        profile = await self._persons.profile(session.person) if session else None
        if profile is None:  # the person is no more: merged into another, or erased
            session = None
        sub = self._subject(under.client, session.person) if session else ""
        now = datetime.fromtimestamp(self._clock(), UTC)
        missing = lacking(under.grant.asked, session, sub, under.interaction, now)
        if missing is not None:
            if "none" in under.grant.asked.prompt or not missing.again:
                raise Refusal(missing.error, "the sign-on does not do for this request")
            return await self._sent(under, "sign-in", under.values)
        assert session is not None, "without a session something is missing"
        assert profile is not None, "and without a profile there is no session"
        if not may_be_told(under.client, profile):
            raise Refusal("access_denied", "this client may not be told of minors")
        return await self._consented(under, session)

    async def _consented(self, under: Under, session: Session) -> Response:
        asked, said = under.grant.asked, under.interaction.consented if under.interaction else None
        if said is not None and under.settled(session):
            granted = tuple(scope for scope in asked.scopes if scope in said)
            if not granted or ("openid" in asked.scopes and "openid" not in granted):
                raise Refusal("access_denied", "the person said no")
            return await self._coded(under, session, granted)
        if await self._needs_consent(under, session):
            if "none" in asked.prompt:
                raise Refusal("consent_required", "the person has to agree")
            return await self._sent(under, "consent", {**under.values, "_settled": session.id})
        return await self._coded(under, session, asked.scopes)

    async def _needs_consent(self, under: Under, session: Session) -> bool:
        client, asked = under.client, under.grant.asked
        if "consent" in asked.prompt:
            return True
        if client.first_party:
            return False
        purposes = asked_purposes(client, under.values)
        return not await self._consents.covers(session.person, client, asked.scopes, purposes)

    async def _sent(self, under: Under, where: str, values: dict[str, Any]) -> Response:
        """To our own page of that name, with the request kept for this browser."""
        interaction = under.interaction
        if interaction is None or values != under.values:
            par = interaction.par if interaction else under.par
            interaction = await self._interactions.begin(under.client, values, under.mark, par)
            if under.interaction is not None:
                await self._interactions.take(under.interaction.id, under.mark)
        return self._pages.onward(f"{self._issuer}/{where}?i={interaction.id}")

    async def _coded(self, under: Under, session: Session, granted: tuple[str, ...]) -> Response:
        agreed = Agreed(
            person=session.person, session=session.id, scopes=granted,
            auth_time=int(session.auth_time.timestamp()), acr=session.acr, amr=session.amr,
        )  # fmt: skip
        redirect_uri = under.values["redirect_uri"]
        said = await synchronous(under.grant.create_authorization_response, redirect_uri, agreed)
        await self._end(under)
        return self._delivered(under.request, under.client, under.values, said)

    async def _end(self, under: Under) -> None:
        """The request has had its answer: once, in however many tabs it is open."""
        par = under.interaction.par if under.interaction else under.par
        if par and not await self._pushed.answered(par):
            raise _over()
        if under.interaction is None:
            return
        if await self._interactions.take(under.interaction.id, under.mark) is None:
            raise _over()

    def _failed(self, request: Request, arrived: Arrived, error: OAuth2Error) -> Response:
        """Tell the client, at an address that was proven to be its own."""
        state = arrived.values.get("state", "")
        said = {
            "error": str(error.error),
            "error_description": ascii_only(error.get_error_description() or ""),
        }
        values = {name: value for name, value in said.items() if value} | ({"state": state} if state else {})
        return self._delivered(request, arrived.client, arrived.values, values)

    def _delivered(
        self, request: Request, client: Client, values: Mapping[str, Any], said: Mapping[str, str]
    ) -> Response:
        return self._delivery.answer(
            request, client, values["redirect_uri"], mode_of(values), said, values.get("ui_locales", "")
        )


def _over() -> Denied:
    return Denied(
        "INTERACTION_OVER",
        "这次登录请求已结束或不属于本浏览器，请回到应用重新开始 / this sign-in request is over, "
        "or belongs to another browser: go back to the application and start anew",
    )
