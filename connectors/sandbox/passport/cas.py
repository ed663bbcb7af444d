"""The province's single sign-on: the CAS protocol 3.0, and 2.0 for older services.

Login with renew and gateway (§2.1), service tickets good once and for a minute (§3.1), `/serviceValidate`
(§2.5) and `/p3/serviceValidate` with attributes (§2.8), `/logout` (§2.3) and single logout (§2.3.3): when a
sign-on ends, each service that had a ticket of it is sent a SAML LogoutRequest that names the ticket. As with
Apereo's `logoutUrl`, a service may have an address of its own for that; here it is the callback's neighbour.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.sandbox.country import Country, Person
from connectors.sandbox.passport import page, wire
from connectors.sandbox.passport.door import Door, standing
from connectors.sandbox.passport.people import NAMED, Accounts, Passport
from connectors.sandbox.passport.sessions import Notice, SignOn
from connectors.sandbox.passport.wire import Bad, Slips

TICKET_LIFE = 60.0
_ANSWER = '<cas:serviceResponse xmlns:cas="http://www.yale.edu/tp/cas">{}</cas:serviceResponse>'
_LOGOUT = (
    '<samlp:LogoutRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="{id}" Version="2.0" '
    'IssueInstant="{at}"><saml:NameID xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">@NOT_USED@'
    "</saml:NameID><samlp:SessionIndex>{ticket}</samlp:SessionIndex></samlp:LogoutRequest>"
)


@dataclass(frozen=True, slots=True)
class Issued:
    """What a service ticket stands for; `fresh`: a password was given for it."""

    person: Person = field(repr=False)
    service: str
    fresh: bool
    at: float


def app(country: Country, passport: Passport, *, now: Callable[[], float] = time.time) -> Starlette:
    """The single sign-on of the province."""
    cas = SingleSignOn(country, passport, now)
    routes = [
        Route("/cas/login", cas.login, methods=["GET", "POST"]),
        Route("/cas/serviceValidate", cas.validate),
        Route("/cas/p3/serviceValidate", cas.validate),
        Route("/cas/logout", cas.logout),
    ]
    return standing(cas.door, cas, routes)


class SingleSignOn:
    """The province's provider."""

    def __init__(self, country: Country, passport: Passport, now: Callable[[], float]) -> None:
        self._now = now
        self.accounts = Accounts(country, passport)
        self.door = Door(passport, self.accounts, self._farewell, now)
        self._tickets: Slips[Issued] = Slips(TICKET_LIFE, now, "ST-")

    async def login(self, request: Request) -> Response:
        asked = wire.asked(request)
        service, renew = asked.get("service", ""), asked.get("renew") == "true"
        if service and not wire.is_callback(service, query=True):
            raise Bad("service is not registered")
        if service and asked.get("gateway") == "true" and not renew and not self.door.current(request):
            return wire.back_to(service)  # §2.1.1: nobody is asked, and no ticket is given
        entered = await self.door.enter(request, renew=renew)
        if isinstance(entered, Response):
            return entered
        sign_on = entered.sign_on
        if not service:
            answer: Response = page.signed_in(self.door.passport, sign_on.person, "/sign-out")
            return self.door.keep(request, entered, answer)
        ticket = self._tickets.put(Issued(sign_on.person, service, entered.fresh, sign_on.at))
        sign_on.note(ticket, wire.notice_address(service))
        return self.door.keep(request, entered, wire.back_to(service, ticket=ticket))

    async def validate(self, request: Request) -> Response:
        asked = wire.asked(request)
        service, ticket = asked.get("service", ""), asked.get("ticket", "")
        if not service or not ticket:
            return _failure("INVALID_REQUEST", "service and ticket are required")
        issued = self._tickets.take(ticket)  # §3.1.1: spent by whoever tries it
        if issued is None:
            return _failure("INVALID_TICKET", "the ticket is not recognized")
        if issued.service != service:
            return _failure("INVALID_SERVICE", "the ticket was issued for another service")
        if asked.get("renew") == "true" and not issued.fresh:
            return _failure("INVALID_TICKET", "the ticket was not issued from primary credentials")
        attributes = self._attributes(issued) if "/p3/" in request.url.path else ""
        user = f"<cas:user>{escape(issued.person.login)}</cas:user>"
        return _xml(f"<cas:authenticationSuccess>{user}{attributes}</cas:authenticationSuccess>")

    def _attributes(self, issued: Issued) -> str:
        person, surety = issued.person, self.accounts.surety(issued.person)
        rows = {
            "authenticationDate": _moment(issued.at),
            "longTermAuthenticationRequestTokenUsed": "false",
            "isFromNewLogin": "true" if issued.fresh else "false",
            "userName": person.name,
            "userIdentity": person.user_identity,
            "realName": str(surety),
        }
        if surety >= NAMED and person.resident_id:
            rows["idNumber"] = person.resident_id
        if role := self.accounts.role(person):
            rows["role"] = role
        told = "".join(f"<cas:{name}>{escape(value)}</cas:{name}>" for name, value in rows.items())
        return f"<cas:attributes>{told}</cas:attributes>"

    async def logout(self, request: Request) -> Response:
        """Back to `service` (or `url`, as CAS 2 has it), if it is one of ours."""
        asked = wire.asked(request)
        back = asked.get("service") or asked.get("url", "")
        answer = wire.back_to(back) if wire.is_own(back) else _left(self.door.passport)
        return self.door.leave(request, answer)

    def _farewell(self, sign_on: SignOn, _here: str) -> Sequence[Notice]:
        at = _moment(self._now())
        return [
            Notice(
                to, {"logoutRequest": _LOGOUT.format(id=f"LR-{secrets.token_hex(12)}", at=at, ticket=ticket)}
            )
            for ticket, to in sign_on.told.items()
        ]


def _left(passport: Passport) -> Response:
    return page.message(passport, "您已退出登录", "You have signed out.")


def _failure(code: str, text: str) -> Response:
    return _xml(f'<cas:authenticationFailure code="{code}">{escape(text)}</cas:authenticationFailure>')


def _xml(inner: str) -> Response:
    headers = {"Cache-Control": "no-store"}
    return Response(_ANSWER.format(inner), media_type="application/xml", headers=headers)


def _moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
