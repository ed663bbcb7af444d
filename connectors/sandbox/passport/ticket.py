"""The nation's user centre: sign-in by the ticket of 体系枢纽 (应用接入规范), in three spellings.

The browser goes to `/sso/login?appId=&returnUrl=` and comes back with `ticket` (one use, five minutes). The
application proves itself at `/apigateway/getAccessToken`, changes the ticket for a user at
`/userSession/validaTicket?accessToken=`, and reads more at `/baseInfo/user/getUserById`. The older spelling
is asked for by `/apigateway/getaccesstoken`; a token remembers which of the two it came by. The oldest is
`/aamif/ticketValidate`, XML in the manner of CAS. `/sso/logout?returnUrl=` ends the sign-on.

Public readers of the rules print neither the login and logout addresses nor retCodes beyond 000000 and
300027 (not known by real name): those are this provider's own.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.sandbox.country import Country, Person
from connectors.sandbox.passport import wire
from connectors.sandbox.passport.door import Door, standing
from connectors.sandbox.passport.people import NAMED, Accounts, Passport
from connectors.sandbox.passport.sessions import says_nothing
from connectors.sandbox.passport.wire import Bad, Slips

APP_ID, APP_KEY = "DEMOPASSPORT1", "DEMO-PASSPORT-KEY-NOT-REAL"
TICKET_LIFE, TOKEN_LIFE, SKEW = 300.0, 7200.0, 600.0
OK, UNPROVEN = "000000", "300027"
BAD_APP, BAD_KEY, BAD_TIME, BAD_TOKEN, BAD_TICKET, NO_ONE = (
    "100001", "100002", "100003", "100004", "200002", "300001",
)  # fmt: skip
_DESCRIBED = {
    OK: "success", UNPROVEN: "user not verified", BAD_APP: "app not registered", BAD_KEY: "keyInfo error",
    BAD_TIME: "timeStamp expired", BAD_TOKEN: "accessToken invalid", BAD_TICKET: "ticket invalid",
    NO_ONE: "not found",
}  # fmt: skip
_XML = '<cas:serviceResponse xmlns:cas="http://www.yale.edu/tp/cas">{}</cas:serviceResponse>'


@dataclass(frozen=True, slots=True)
class Issued:
    """What a ticket stands for."""

    person: Person = field(repr=False)
    back: str
    sid: str


def app(
    country: Country,
    passport: Passport,
    *,
    app_id: str = APP_ID,
    app_key: str = APP_KEY,
    now: Callable[[], float] = time.time,
) -> Starlette:
    """The user centre of the nation."""
    centre = UserCentre(country, passport, app_id, app_key, now)
    routes = [
        Route("/sso/login", centre.login, methods=["GET", "POST"]),
        Route("/sso/logout", centre.logout),
        Route("/apigateway/getAccessToken", centre.token, methods=["POST"]),
        Route("/apigateway/getaccesstoken", centre.older_token, methods=["POST"]),
        Route("/userSession/validaTicket", centre.valida_ticket, methods=["POST"]),
        Route("/baseInfo/user/getUserById", centre.user, methods=["POST"]),
        Route("/aamif/ticketValidate", centre.oldest),
    ]
    return standing(centre.door, centre, routes)


class UserCentre:
    """The nation's provider; `revoke` ends every access token, as a restart at the vendor does."""

    def __init__(
        self, country: Country, passport: Passport, app_id: str, app_key: str, now: Callable[[], float]
    ) -> None:
        self._app, self._key, self._now = app_id, app_key, now
        self.accounts = Accounts(country, passport)
        self.door = Door(passport, self.accounts, says_nothing, now)
        self._tickets: Slips[Issued] = Slips(TICKET_LIFE, now)
        self._tokens: Slips[bool] = Slips(TOKEN_LIFE, now)  # whether it is of the older spelling

    def revoke(self) -> None:
        """Forget every access token."""
        self._tokens.clear()

    # The browser

    async def login(self, request: Request) -> Response:
        asked = wire.asked(request)
        back = asked.get("returnUrl", "")
        if asked.get("appId") != self._app or not wire.is_callback(back, query=True):
            raise Bad("unknown appId or returnUrl")
        entered = await self.door.enter(request, renew=asked.get("forceLogin") == "1")
        if isinstance(entered, Response):
            return entered
        ticket = self._tickets.put(Issued(entered.sign_on.person, back, entered.sign_on.sid))
        return self.door.keep(request, entered, wire.back_to(back, ticket=ticket))

    async def logout(self, request: Request) -> Response:
        return self.door.leave_for(request, wire.asked(request).get("returnUrl", ""))

    # The application

    async def token(self, request: Request) -> Response:
        body = await _body(request)
        flaw = self._flaw(body.get("appId"), body.get("timeStamp"), body.get("keyInfo"), 1000)
        if flaw:
            return _say(flaw)
        return _say(OK, {"accessToken": self._issue(older=False), "validTime": str(int(TOKEN_LIFE))})

    async def older_token(self, request: Request) -> Response:
        body = await _body(request)
        flaw = self._flaw(body.get("appid"), body.get("timestamp"), body.get("keyinfo"), 1)
        return _say(flaw) if flaw else _say(OK, {"token": self._issue(older=True)}, "tokenInfo")

    def _issue(self, *, older: bool) -> str:
        return self._tokens.put(older, secrets.token_hex(16))

    def _flaw(self, app_id: Any, stamp: Any, proof: Any, unit: int) -> str:
        """What is wrong with a request for a token, as a retCode; "" if nothing is."""
        if app_id != self._app:
            return BAD_APP
        text = f"{app_id}{self._key}{stamp}".encode()
        right = hmac.new(self._key.encode(), text, hashlib.sha1).hexdigest().upper()
        if not isinstance(proof, str) or not wire.same(proof, right):
            return BAD_KEY
        if not str(stamp).isdecimal() or abs(int(stamp) / unit - self._now()) > SKEW:
            return BAD_TIME
        return ""

    async def valida_ticket(self, request: Request) -> Response:
        older = self._older(request)
        if older is None:
            return _say(BAD_TOKEN)
        issued = self._tickets.take(str((await _body(request)).get("ticket", "")))
        if issued is None:
            return _say(BAD_TICKET)
        named = {_number(older): issued.person.hub_person_id, "name": issued.person.name}
        return _say(OK, named | {"sessionId": issued.sid}, "userInfo" if older else "data")

    async def user(self, request: Request) -> Response:
        older = self._older(request)
        if older is None:
            return _say(BAD_TOKEN)
        person = self.accounts.by_hub_id(str((await _body(request)).get("personId", "")))
        if person is None:
            return _say(NO_ONE)
        part = "userInfo" if older else "data"
        if self.accounts.surety(person) < NAMED:
            return _say(UNPROVEN, {"certUrl": f"{wire.here(request)}/cert"}, part)
        row = {
            _number(older): person.hub_person_id,
            "name": person.name,
            "loginAccount": person.login,
            "userIdentity": person.user_identity,
            "realNameFlag": "1",
        }
        return _say(OK, row, part)

    def _older(self, request: Request) -> bool | None:
        """Whether the access token is of the older spelling; None if it is none or spent."""
        return self._tokens.look(wire.asked(request).get("accessToken", ""))

    async def oldest(self, request: Request) -> Response:
        asked = wire.asked(request)
        issued = self._tickets.take(asked.get("ticket", ""))
        if issued is None or issued.back != asked.get("service"):
            failure = '<cas:authenticationFailure code="INVALID_TICKET">ticket</cas:authenticationFailure>'
            return Response(_XML.format(failure), media_type="application/xml")
        user = f"<cas:user>{escape(issued.person.hub_person_id)}</cas:user>"
        success = f"<cas:authenticationSuccess>{user}</cas:authenticationSuccess>"
        return Response(_XML.format(success), media_type="application/xml")


def _number(older: bool) -> str:
    return "personId" if older else "userId"


async def _body(request: Request) -> Mapping[str, Any]:
    try:
        found = await request.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _say(code: str, data: Mapping[str, str] | None = None, part: str = "data") -> Response:
    answer: dict[str, Any] = {"retCode": code, "retDesc": _DESCRIBED[code]}
    return JSONResponse(
        answer if data is None else {**answer, part: data}, headers={"Cache-Control": "no-store"}
    )
