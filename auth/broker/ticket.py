"""体系枢纽 ticket providers (应用接入规范 of the national system), in the spellings found in the field.

The browser comes back with a one-time ticket. We prove ourselves (`getAccessToken` with `key_info`), change
the ticket for a user (`validaTicket`, spelt so) and read more of that user (`getUserById`). The way back
carries our state, because the protocol has none.

Rule 1: both answers are about one and the same user, or nobody is signed in.
Rule 2: 300027 (not known by real name) signs in as SELF_ASSERTED, whatever stands beside it, or not at all.
Rule 3: the oldest spelling, XML in the manner of CAS, has a ticket and a user, and vouches for nothing more.

Options: `login_url` (needed), `logout_url`, `gateway_url` (default: the issuer); `profile` (camel | lower |
xml); `return_parameter` (returnUrl), `app_parameter` (appId), `ticket_parameter` (ticket); `fresh_query`:
what the login address wants, to ask for the password again; `sys_code`; `unproven` (accept | refuse: people
that 300027 is told of); `user` (false: getUserById is not asked); `token_life` seconds, where it is not told;
`spent_codes`, `refused_codes`, `busy_codes`: lists of the provider's own retCodes; `plain_http`. Claims are
what both answers tell, and `retCode`, which is taken for `assurance` unless another claim is mapped to that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from auth.broker.answers import answered
from auth.broker.asserted import assertion_from, subject
from auth.broker.cas import ticket_of, validated
from auth.broker.code_flow import address
from auth.broker.metadata import checked_address
from auth.broker.ticket_gateway import LARGEST, OK, SPELLINGS, UNPROVEN, Gateway, base_of
from auth.broker.upstream import UpstreamLogout, UpstreamRefused
from auth.documents import UpstreamSession
from auth.fetch import Fetch
from auth.ports import Assertion, Matching
from auth.settings import UpstreamSettings

SIGNED_IN, USER, OLDEST = "/userSession/validaTicket", "/baseInfo/user/getUserById", "/aamif/ticketValidate"

_TICKET = re.compile(r"[\x21-\x7e]{8,1024}")


class Ticket:
    """One ticket provider. As `Upstream` promises. Raises ValueError for a table that cannot work."""

    def __init__(
        self, settings: UpstreamSettings, fetch: Fetch, matching: Matching, clock: Callable[[], float]
    ) -> None:
        self.settings = settings
        self._fetch, self._matching = fetch, matching
        options = settings.options
        self._login = checked_address("options.login_url", str(options.get("login_url", "")), settings)
        logout = str(options.get("logout_url", ""))
        self._logout = checked_address("options.logout_url", logout, settings) if logout else ""
        profile = _choice(settings, "profile", (*SPELLINGS, "xml"))
        self._gateway = Gateway(settings, fetch, clock, profile) if profile in SPELLINGS else None
        self._oldest = f"{base_of(settings)}{OLDEST}"
        self._refuses = _choice(settings, "unproven", ("accept", "refuse")) == "refuse"
        # Nothing that a table maps may raise somebody whom the provider does not know by real name.
        self._for_unproven = msgspec.structs.replace(settings, assurance={}, authoritative=(), roles={})

    async def begin(
        self,
        callback: str,
        state: str,
        *,
        login_hint: str = "",
        acr_values: str = "",
        prompt: str = "",
        max_age: int | None = None,
    ) -> tuple[str, dict[str, str]]:
        """The login address, with the way back. `prompt=login` and `max_age` ask for the password again where
        the operator knows how (`fresh_query`); the provider never says whether it did."""
        name = str(self.settings.options.get("app_parameter", "appId"))
        asked = {name: self.settings.client_id} if name else {}
        asked[str(self.settings.options.get("return_parameter", "returnUrl"))] = _way_back(callback, state)
        url = address(self._login, asked)
        fresh = str(self.settings.options.get("fresh_query", ""))
        if fresh and (max_age is not None or "login" in prompt.split()):
            url = f"{url}&{fresh}"
        return url, {"upstream": self.settings.code, "callback": callback, "state": state}

    async def finish(
        self, callback: str, state: str, query: Mapping[str, str], kept: Mapping[str, str]
    ) -> Assertion:
        """Whose ticket it is; raises `UpstreamRefused`."""
        name = str(self.settings.options.get("ticket_parameter", "ticket"))
        ticket = ticket_of(self.settings, callback, state, query, kept, name)
        if not _TICKET.fullmatch(ticket):
            raise UpstreamRefused("no-ticket", "not a ticket")
        if self._gateway is None:
            return await self._by_xml(ticket, _way_back(callback, state))
        return await self._by_gateway(self._gateway, ticket)

    async def _by_gateway(self, gateway: Gateway, ticket: str) -> Assertion:
        code, signed_in = await gateway.called(SIGNED_IN, {"ticket": ticket})
        number = _number(gateway, signed_in)
        session = signed_in.get("sessionId")
        sid = session if isinstance(session, str) and _TICKET.fullmatch(session) else ticket
        if code == OK and self.settings.options.get("user") is not False:
            code, told = await gateway.called(USER, {"personId": number})
            if code == OK and _number(gateway, told) != number:
                raise UpstreamRefused("another-user", "its answer is about somebody else")
            signed_in = {**signed_in, **told} if code == OK else signed_in
        if code == UNPROVEN and self._refuses:
            raise UpstreamRefused("unproven", "not known there by real name (300027)")
        return self._asserted(signed_in, number, code, sid)

    async def _by_xml(self, ticket: str, way_back: str) -> Assertion:
        got = await answered(
            self._fetch, "GET", self._oldest, within=self.settings.deadline, max_bytes=LARGEST,
            params={"ticket": ticket, "service": way_back},
        )  # fmt: skip
        values = validated(got.body)
        return self._asserted(values, subject(values["user"]), "", ticket)

    def _asserted(self, values: Mapping[str, Any], sub: str, code: str, sid: str) -> Assertion:
        settings = self._for_unproven if code == UNPROVEN else self.settings
        claims = {**values, "retCode": code} if code else values
        return assertion_from(settings, self._matching, claims, sub=sub, assurance_at="retCode", sid=sid)

    async def logout_url(self, session: UpstreamSession, back: str, state: str) -> str | None:
        """The operator's `logout_url` with the way back; None without one."""
        if not self._logout or session.iss != self.settings.issuer:
            return None
        name = str(self.settings.options.get("return_parameter", "returnUrl"))
        return address(self._logout, {name: _way_back(back, state) if state else back})

    async def logged_out(self, form: Mapping[str, str]) -> UpstreamLogout:
        """The rules know no such notice: always refused."""
        raise UpstreamRefused("no-back-channel-logout", "this kind of provider sends no such notices")


def _number(gateway: Gateway, told: Mapping[str, Any]) -> str:
    return subject(told.get(gateway.spelling.number), numbers=True)


def _way_back(callback: str, state: str) -> str:
    return address(callback, {"state": state})


def _choice(settings: UpstreamSettings, name: str, known: tuple[str, ...]) -> str:
    value = str(settings.options.get(name, known[0]))
    if value not in known:
        raise ValueError(f"upstreams.{settings.code}: {name}: {' | '.join(known)}")
    return value
