"""Who is signed in at a passport and who was told of it; telling them of the end."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import aiohttp

from connectors.sandbox.country import Person

LIFE = 8 * 3600.0
MOST = 10_000
MOST_TOLD = 64
PATIENCE = 3.0


@dataclass(slots=True)
class SignOn:
    """One browser's sign-on; `at` when the password was given, `face` whether a face was compared, too.

    `told`: for whom it was used: CAS service ticket -> where its end is told; OIDC address -> client.
    """

    sid: str
    person: Person
    at: float
    face: bool = False
    told: dict[str, str] = field(default_factory=dict)

    def note(self, name: str, value: str) -> None:
        """Remember somebody who was told of this sign-on; the earliest are forgotten beyond 64."""
        self.told[name] = value
        while len(self.told) > MOST_TOLD:
            del self.told[next(iter(self.told))]


@dataclass(frozen=True, slots=True)
class Notice:
    """One message that a session ended: where it goes, and its form."""

    address: str
    form: dict[str, str] = field(repr=False)


Farewell = Callable[[SignOn, str], Sequence[Notice]]
"""What is to be told when a sign-on ends; the second is the passport's own address."""


def says_nothing(_sign_on: SignOn, _here: str) -> Sequence[Notice]:
    """The farewell of a provider that tells nobody."""
    return ()


class SignOns:
    """Sign-ons by their cookie. A cookie is always ours and fresh, never what a browser brought along."""

    def __init__(self, now: Callable[[], float], life: float = LIFE) -> None:
        self._now, self._life = now, life
        self._held: dict[str, SignOn] = {}
        self._until: dict[str, float] = {}

    def start(self, person: Person, *, face: bool) -> str:
        """A new sign-on; its cookie."""
        return self._keep(SignOn(secrets.token_urlsafe(16), person, self._now(), face))

    def renew(self, cookie: str, *, face: bool) -> str:
        """The same sign-on, proven once more; its new cookie."""
        sign_on = self._held.pop(cookie)
        sign_on.at, sign_on.face = self._now(), sign_on.face or face
        return self._keep(sign_on)

    def _keep(self, sign_on: SignOn) -> str:
        cookie = secrets.token_urlsafe(24)
        self._held[cookie], self._until[cookie] = sign_on, self._now() + self._life
        while len(self._held) > MOST:
            self.end(next(iter(self._held)))
        return cookie

    def of(self, cookie: str) -> SignOn | None:
        """The sign-on of a browser, if it lasts."""
        return self._held.get(cookie) if self._until.get(cookie, 0.0) > self._now() else None

    def end(self, cookie: str) -> SignOn | None:
        """End it; what it was."""
        self._until.pop(cookie, None)
        return self._held.pop(cookie, None)

    def all(self) -> dict[str, SignOn]:
        """Everyone signed in now, by cookie."""
        return {cookie: one for cookie, one in self._held.items() if self._until[cookie] > self._now()}


async def send(notices: Sequence[Notice]) -> list[dict[str, object]]:
    """Tell everybody, side by side; to whom, and with which status (0: nobody answered)."""
    if not notices:
        return []
    limit = aiohttp.ClientTimeout(total=PATIENCE)
    async with aiohttp.ClientSession(timeout=limit, trust_env=False) as http:
        statuses = await asyncio.gather(*(_sent(http, notice) for notice in notices))
    return [
        {"to": notice.address, "status": status} for notice, status in zip(notices, statuses, strict=True)
    ]


async def _sent(http: aiohttp.ClientSession, notice: Notice) -> int:
    try:
        async with http.post(notice.address, data=notice.form, allow_redirects=False) as answer:
            return answer.status
    except (aiohttp.ClientError, TimeoutError):
        return 0
