"""CAS providers (CAS Protocol 2.0 and 3.0): a ticket comes with the browser, whose it is we ask ourselves.

Rule 1: a ticket is believed only by the provider's own answer about it, for the service address it was given
to, letter by letter, state and all (§2.5.1): what another service was given ends nowhere here.
Rule 2: an answer has exactly one reading: no document type, one success, one user without anything inside its
name; whatever could be read in two ways is refused.
Rule 3: its logout request carries no signature. It counts for the ticket it names, which only the provider
and we have seen, and never for a user name in it, which anybody could write.

Options: `base_url` (default: the issuer) with `login`, `p3/serviceValidate`, `logout` below it, or
`login_url`, `validate_url`, `logout_url` each on its own; `version` (3, or 2: no attributes, way back by
`url`); `plain_http`, `verified_claim` (see `asserted`). Claims are the attributes by name, and `user`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from lxml import etree

from auth.broker.answers import answered
from auth.broker.asserted import assertion_from, at, subject
from auth.broker.code_flow import address
from auth.broker.metadata import checked_address
from auth.broker.signed import same
from auth.broker.upstream import UpstreamLogout, UpstreamRefused
from auth.documents import UpstreamSession
from auth.fetch import Fetch
from auth.ports import Assertion, Matching
from auth.settings import UpstreamSettings

LARGEST = 65_536
MOST_ATTRIBUTES = 200
SKEW = 120.0
CAS = "{http://www.yale.edu/tp/cas}"
SAMLP = "{urn:oasis:names:tc:SAML:2.0:protocol}"

_TICKET = re.compile(r"ST-[A-Za-z0-9._-]{8,253}")  # §3.7: to 256 characters; too short a one can be guessed
_FAILURES = {
    "INVALID_TICKET": ("ticket-refused", 400),
    "INVALID_TICKET_SPEC": ("ticket-refused", 400),
    "INVALID_SERVICE": ("ticket-refused", 400),
    "INTERNAL_ERROR": ("unavailable", 503),
    "UNAUTHORIZED_SERVICE": ("refuses-us", 502),
}


class Cas:
    """One CAS provider. As `Upstream` promises. Raises ValueError for a table that cannot work."""

    def __init__(
        self, settings: UpstreamSettings, fetch: Fetch, matching: Matching, clock: Callable[[], float]
    ) -> None:
        self.settings = settings
        self._fetch, self._matching, self._clock = fetch, matching, clock
        self._version = str(settings.options.get("version", "3"))
        if self._version not in ("2", "3"):
            raise ValueError(f"upstreams.{settings.code}: version: 3 | 2")
        below = "p3/serviceValidate" if self._version == "3" else "serviceValidate"
        self._login = _address(settings, "login_url", "login")
        self._validate = _address(settings, "validate_url", below)
        self._logout = _address(settings, "logout_url", "logout")

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
        """The login address (§2.1.1). CAS cannot tell how old a sign-on is before it answers, so `max_age`
        asks for the password as `prompt=login` does; `prompt=none` is its gateway."""
        kept = {"upstream": self.settings.code, "callback": callback, "state": state}
        asked = {"service": _service(callback, state)}
        if max_age is not None or "login" in prompt.split():
            kept["renew"] = asked["renew"] = "true"
        elif "none" in prompt.split():
            asked["gateway"] = "true"
        return address(self._login, asked), kept

    async def finish(
        self, callback: str, state: str, query: Mapping[str, str], kept: Mapping[str, str]
    ) -> Assertion:
        """Whose ticket it is; raises `UpstreamRefused`."""
        ticket = ticket_of(self.settings, callback, state, query, kept)
        if not _TICKET.fullmatch(ticket):
            raise UpstreamRefused("no-ticket", "not a service ticket (CAS §3.1)")
        renew = {"renew": "true"} if kept.get("renew") else {}
        got = await answered(
            self._fetch, "GET", self._validate, within=self.settings.deadline, max_bytes=LARGEST,
            params={"service": _service(callback, state), "ticket": ticket, **renew},
        )  # fmt: skip
        values = validated(got.body)
        return assertion_from(
            self.settings, self._matching, values,
            sub=subject(at(values, self.settings.claims.get("sub", "user"))),
            auth_time=self._auth_time(values, fresh=bool(renew)), sid=ticket,
        )  # fmt: skip

    def _auth_time(self, values: Mapping[str, Any], *, fresh: bool) -> int:
        """When the password was given; 0 if nobody says. Raises `UpstreamRefused("auth-time")`."""
        now, said = self._clock(), _moment(values.get("authenticationDate"))
        if said > now + SKEW or (fresh and (values.get("isFromNewLogin") == "false" or 0 < said < now - 600)):
            raise UpstreamRefused("auth-time", "signed in at a time that cannot be, or not anew as asked")
        return int(min(said or (now if fresh else 0.0), now))

    async def logout_url(self, session: UpstreamSession, back: str, state: str) -> str | None:
        """Its logout address (§2.3.1), with the way back; it then tells every service, us too."""
        if session.iss != self.settings.issuer:
            return None
        name = "service" if self._version == "3" else "url"
        return address(self._logout, {name: _service(back, state) if state else back})

    async def logged_out(self, form: Mapping[str, str]) -> UpstreamLogout:
        """Its single-logout request (§2.3.3), by the ticket in it; raises `UpstreamRefused`.

        It may come twice: a ticket is never given again, so there is nothing to end the second time.
        Its ID is passed over: anybody could use up that of a request still to come, and fill our memory.
        """
        request = _opened(form.get("logoutRequest", "").encode("utf-8", "replace"), 400)
        tickets = request.findall(f"{SAMLP}SessionIndex")
        ticket = _text(tickets[0]) if len(tickets) == 1 else ""
        if request.tag != f"{SAMLP}LogoutRequest" or not _TICKET.fullmatch(ticket):
            raise UpstreamRefused("logout-request", "not a logout request that names one ticket")
        return UpstreamLogout(self.settings.issuer, sid=ticket)


def ticket_of(
    settings: UpstreamSettings,
    callback: str,
    state: str,
    query: Mapping[str, str],
    kept: Mapping[str, str],
    name: str = "ticket",
) -> str:
    """The ticket of a callback that answers what was asked. Raises `UpstreamRefused`: state,
    interaction-required (the provider sent the browser back with nothing)."""
    asked_here = kept.get("upstream") == settings.code and kept.get("callback") == callback
    own = state and same(kept.get("state", ""), state) and same(query.get("state", ""), state)
    if not asked_here or not own:
        raise UpstreamRefused("state", "not the answer to this sign-in")
    if name not in query:
        raise UpstreamRefused("interaction-required", "back without a ticket")
    return query[name]


def validated(body: bytes) -> dict[str, Any]:
    """The attributes of a successful validation and its `user` (§2.5.2, appendix A); one that is given more
    than once is a list. Raises `UpstreamRefused` for a failure, and for anything with two readings."""
    root = _opened(body, 502)
    found = list(root.iterchildren("*"))
    if root.tag != f"{CAS}serviceResponse" or len(found) != 1:
        raise _unusable("no service response with one result")
    if found[0].tag == f"{CAS}authenticationFailure":
        kind, status = _FAILURES.get(found[0].get("code", ""), ("provider-error", 400))
        raise UpstreamRefused(kind, "the provider does not accept the ticket", status=status)
    users = found[0].findall(f"{CAS}user")
    blocks = found[0].findall(f"{CAS}attributes")
    if found[0].tag != f"{CAS}authenticationSuccess" or len(users) != 1 or len(blocks) > 1:
        raise _unusable("no success with one user")
    if found[0].find(f"{CAS}proxies") is not None:
        raise UpstreamRefused("proxied", "the ticket went through somebody else's hands")
    return {**_attributes(blocks), "user": _text(users[0])}


def _attributes(blocks: list[etree._Element]) -> dict[str, Any]:
    elements = [one for block in blocks for one in block.iterchildren("*") if len(one) == 0]
    if len(elements) > MOST_ATTRIBUTES:
        raise _unusable(f"more than {MOST_ATTRIBUTES} attributes")
    told: dict[str, list[str]] = {}
    for one in elements:
        if one.tag.startswith(CAS):
            told.setdefault(one.tag[len(CAS) :], []).append(one.text or "")
    return {name: values[0] if len(values) == 1 else values for name, values in told.items()}


def _opened(body: bytes, status: int) -> etree._Element:
    """The root of an XML document without a document type; entities and network are off."""
    kind = "logout-request" if status == 400 else "answer-unusable"
    if len(body) > LARGEST or b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise UpstreamRefused(kind, "too large, or with a document type", status=status)
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, huge_tree=False, load_dtd=False, dtd_validation=False
    )
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError):
        raise UpstreamRefused(kind, "not XML", status=status) from None
    declared: Any = root.getroottree().docinfo
    if declared.doctype or declared.internalDTD is not None:  # in an encoding where it does not show
        raise UpstreamRefused(kind, "with a document type", status=status)
    return root


def _text(element: etree._Element) -> str:
    """The text of an element with nothing inside: a comment in a name would end it early for some readers."""
    return (element.text or "") if len(element) == 0 else ""


def _moment(said: object) -> float:
    """Seconds since 1970 of an `authenticationDate` (xs:dateTime); 0 if it does not say which moment."""
    if not isinstance(said, str) or len(said) > 80:
        return 0.0
    try:
        moment = datetime.fromisoformat(said.partition("[")[0])  # Apereo adds the zone's name in brackets
        return moment.timestamp() if moment.tzinfo else 0.0
    except (ValueError, OverflowError):
        return 0.0


def _service(callback: str, state: str) -> str:
    return address(callback, {"state": state})


def _address(settings: UpstreamSettings, option: str, below: str) -> str:
    base = str(settings.options.get("base_url") or settings.issuer).rstrip("/")
    chosen = str(settings.options.get(option) or f"{base}/{below}")
    return checked_address(f"options.{option}", chosen, settings)


def _unusable(detail: str) -> UpstreamRefused:
    return UpstreamRefused("answer-unusable", detail, status=502)
