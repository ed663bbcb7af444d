"""The page where somebody lets a device in: type its code, read who asks for what, press a button (RFC 8628).

Rule 1: what people type is looked at only after the try was counted, by the browser's address and, once
signed in, by person; a wrong, a used and a late code read the same (§5.1).
Rule 2: nothing is granted without a page that names the application, its code and what it asks for, and a
button on it: also for the bureau's own applications, and for a link that brought the code along (§5.4).
Rule 3: the button counts for one interaction, one browser and one session; who changed the session between
reading and pressing is asked anew.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from auth.browser import form, language, query
from auth.documents import Client, Interaction, Session
from auth.errors import Denied
from auth.pages import Pages
from auth.ports import Audit
from auth.provider.consent import asked_purposes
from auth.provider.consents import Consents
from auth.provider.device_codes import Device, DeviceCodes, written
from auth.provider.interactions import Interactions
from auth.provider.sign_in import name_of
from auth.throttle import Allowance, Attempt, network

GUESSES = Allowance(free=20, first=2, most=300, memory=1800)
"""For the throttle's pairs and accounts: a school's people share an address."""
DEVICE = "_device"
"""The parameter that tells a device's interaction from an authorization request: its `id` at DeviceCodes."""
_ENTRY = "device"


class KnownClients(Protocol):
    """Finds a client; `auth.clients.Clients` does."""

    async def get(self, client_id: str) -> Client | None: ...


class CurrentSession(Protocol):
    """Tells who is signed in in a browser; `auth.sessions.Sessions` does."""

    async def current(self, request: Request) -> Session | None: ...


class DeviceGone(Denied):
    """The device waits no more: it was answered already, or the time is over."""

    def __init__(self) -> None:
        super().__init__(
            "DEVICE_GONE",
            "设备的请求已过期或已处理，请在设备上重新开始 / "
            "the device waits no more: it was answered, or the time is over; begin again on the device",
            410,
        )


class GuessThrottle(Protocol):
    """Makes guessing slow; `auth.throttle.Throttle` does."""

    async def admit(self, login: str, address: str, mark: str = "") -> Attempt: ...

    async def withdrawn(self, attempt: Attempt) -> None: ...


def peer(request: Request) -> str:
    """The IP address that a request came from."""
    return request.client.host if request.client else ""


class DevicePage:
    """`/device`. `person_name` tells what to call a person, "" where nobody knows. `address` tells whom a
    request's tries are counted for; behind a proxy the server's settings say whose header is believed."""

    def __init__(
        self,
        pages: Pages,
        codes: DeviceCodes,
        clients: KnownClients,
        sessions: CurrentSession,
        interactions: Interactions,
        throttle: GuessThrottle,
        consents: Consents,
        audit: Audit,
        *,
        person_name: Callable[[str], Awaitable[str]],
        address: Callable[[Request], str] = peer,
    ) -> None:
        self._pages, self._codes, self._clients, self._sessions = pages, codes, clients, sessions
        self._interactions, self._throttle, self._address = interactions, throttle, address
        self._consents, self._audit, self._person_name = consents, audit, person_name

    def routes(self) -> list[BaseRoute]:
        """Its one address, to read and to send."""
        return [
            Route("/device", self._pages.guarded(self._shown), methods=["GET"]),
            Route("/device", self._pages.guarded(self._sent), methods=["POST"]),
        ]

    async def _shown(self, request: Request) -> Response:
        given = query(request)
        if "i" in given:
            return await self._confirm(request, given["i"])
        return self._entry(request, written(given.get("user_code", "")))

    async def _sent(self, request: Request) -> Response:
        given = await form(request)
        if "i" in given:
            return await self._decided(request, given["i"], given.get("decision", ""), given.get("csrf", ""))
        self._pages.check(request, _ENTRY, given.get("csrf", ""))
        return await self._entered(request, given.get("user_code", ""))

    def _entry(self, request: Request, code: str, *, wrong: bool = False) -> Response:
        status = 400 if wrong else 200
        return self._pages.show(request, "device", purpose=_ENTRY, status=status, code=code, wrong=wrong)

    async def _entered(self, request: Request, typed: str) -> Response:
        session = await self._sessions.current(request)
        attempt = await self._counted(request, session)
        device = await self._codes.waiting(typed)
        client = await self._clients.get(device.client_id) if device else None
        if device is None or client is None:
            return self._entry(request, written(typed), wrong=True)
        await self._throttle.withdrawn(attempt)
        begun = await self._begin(request, device, client, written(typed))
        return self._pages.onward(f"/device?i={begun.id}" if session else f"/sign-in?i={begun.id}")

    async def _counted(self, request: Request, session: Session | None) -> Attempt:
        """Count one try of a person, or of an address while nobody is signed in."""
        address = self._address(request)
        who = session.person if session else network(address)
        return await self._throttle.admit(f"device:{who}", address)

    async def _begin(self, request: Request, device: Device, client: Client, code: str) -> Interaction:
        params = {DEVICE: device.id, "_user_code": code, "scope": " ".join(device.scopes)}
        return await self._interactions.begin(client, params, self._pages.cookies.mark(request))

    async def _confirm(self, request: Request, i: str) -> Response:
        interaction = await self._interactions.get(i, self._pages.cookies.mark(request))
        device, client = await self._asking(interaction)
        session = await self._sessions.current(request)
        if session is None:
            return self._pages.onward(f"/sign-in?i={i}")
        assert interaction is not None, "whoever asks does so in an interaction"
        return self._pages.show(
            request,
            "device_confirm",
            purpose=_confirming(i, session),
            i=i,
            code=interaction.params["_user_code"],
            client_name=name_of(client, language(request)),
            origin=client.origin,
            minors=client.minors,
            scopes=device.scopes,
            purposes=asked_purposes(client, interaction.params),
            person_name=await self._person_name(session.person),
        )

    async def _decided(self, request: Request, i: str, decision: str, csrf: str) -> Response:
        session = await self._sessions.current(request)
        if session is None:
            return self._pages.onward(f"/sign-in?{urlencode({'i': i})}")
        self._pages.check(request, _confirming(i, session), csrf)
        if decision not in ("allow", "deny"):
            raise Denied("BAD_FORM", "请选择允许或拒绝 / choose to allow or to refuse")
        interaction = await self._interactions.take(i, self._pages.cookies.mark(request))
        device, client = await self._asking(interaction)
        assert interaction is not None, "whoever asks does so in an interaction"
        if decision == "allow":
            purposes = asked_purposes(client, interaction.params)
            await self._consents.grant(session.person, client, device.scopes, purposes, interaction=i)
        await self._settle(device, session, allowed=decision == "allow")
        name = name_of(client, language(request))
        return self._pages.show(request, "device_done", allowed=decision == "allow", client_name=name)

    async def _settle(self, device: Device, session: Session, *, allowed: bool) -> None:
        """Note the decision, then let it count. Raises `DeviceGone`."""
        event = "device.allowed" if allowed else "device.refused"
        scopes = " ".join(device.scopes)
        await self._audit.note(event, person=session.person, client=device.client_id, scopes=scopes)
        done = await (self._codes.approve(device.id, session) if allowed else self._codes.deny(device.id))
        if not done:
            raise DeviceGone

    async def _asking(self, interaction: Interaction | None) -> tuple[Device, Client]:
        """The device of an interaction, which still waits, and its application. Raises `DeviceGone`."""
        id = interaction.params.get(DEVICE) if interaction else None
        device = await self._codes.get(id) if isinstance(id, str) else None
        client = await self._clients.get(device.client_id) if device else None
        if device is None or client is None:
            raise DeviceGone
        return device, client


def _confirming(i: str, session: Session) -> str:
    return f"device:{i}:{session.id}"
