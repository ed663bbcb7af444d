"""Passkeys in the browser: signing in with one, and a page to add and remove one's own.

Rule 1: a script asks for the challenge, but a plain form hands the answer in, with the form's token.
Rule 2: adding and removing want a sign-in with the own account within the last ten minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Literal, Protocol

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from auth.browser import form, page_headers
from auth.documents import Session
from auth.errors import AuthError, Denied
from auth.local import ACR_PASSKEY, LOCAL, LocalAccount, LocalAccounts
from auth.pages import Endpoint, Pages
from auth.passkeys import MOST, PasskeyRefused, Passkeys
from auth.ports import Assertion

RECENT = timedelta(minutes=10)
LARGEST = 16_384
_PURPOSE = "passkeys"
_BEIJING = timezone(timedelta(hours=8))


class SignIn(Protocol):
    """Makes the sign-on of a proven account and sends the browser on (`auth.broker.login`)."""

    async def complete(
        self, request: Request, assertion: Assertion, *, interaction: str = "",
        intent: Literal["sign_in", "link"] = "sign_in",
    ) -> Response: ...  # fmt: skip


class CurrentSession(Protocol):
    """Tells whose browser it is (`auth.sessions.Sessions`)."""

    async def current(self, request: Request) -> Session | None: ...


class PasskeyPages:
    """`/sign-in/passkey`, `/sign-in/passkey/begin`, `/account/passkeys`, `…/begin`, `…/remove`."""

    def __init__(
        self, pages: Pages, passkeys: Passkeys, accounts: LocalAccounts, sessions: CurrentSession,
        sign_in: SignIn, clock: Callable[[], float],
    ) -> None:  # fmt: skip
        self._pages, self._passkeys, self._accounts = pages, passkeys, accounts
        self._sessions, self._sign_in, self._clock = sessions, sign_in, clock

    def routes(self) -> list[BaseRoute]:
        """Their addresses; none where there can be no passkeys."""
        if not self._passkeys.available:
            return []
        guarded = self._pages.guarded
        return [
            Route("/sign-in/passkey/begin", _told(self._asking), methods=["POST"]),
            Route("/sign-in/passkey", guarded(self._used), methods=["POST"]),
            Route("/account/passkeys", guarded(self._listed), methods=["GET"]),
            Route("/account/passkeys/begin", _told(self._adding), methods=["POST"]),
            Route("/account/passkeys", guarded(self._added), methods=["POST"]),
            Route("/account/passkeys/remove", guarded(self._removed), methods=["POST"]),
        ]

    async def _asking(self, request: Request) -> Response:
        given = await form(request)
        self._pages.check(request, f"local:{given.get('i', '')}", given.get("csrf", ""))
        return _json(self._passkeys.asking(self._pages.cookies.mark(request)))

    async def _used(self, request: Request) -> Response:
        given = await form(request)
        i = given.get("i", "")
        self._pages.check(request, f"local:{i}", given.get("csrf", ""))
        sub = await self._passkeys.proven(_credential(given), self._pages.cookies.mark(request))
        account = await self._accounts.get(sub)
        if account is None:
            raise PasskeyRefused("closed")
        assertion = self._accounts.assertion(account, acr=ACR_PASSKEY, amr=("hwk", "user"))
        response = await self._sign_in.complete(request, assertion, interaction=i)
        self._pages.cookies.keep_last_upstream(response, LOCAL)
        return response

    async def _listed(self, request: Request) -> Response:
        session = await self._sessions.current(request)
        account, at = await self._own(session)
        if session is None or account is None:
            return self._pages.onward("/sign-in/local")
        held = await self._passkeys.of_account(account.id)
        return self._pages.show(
            request, "passkeys", purpose=f"{_PURPOSE}:{session.id}",
            passkeys=[
                {"id": each.id, "name": each.name, "created": _day(each.created), "used": _day(each.used)}
                for each in held
            ],
            recent=self._recent(at), again_url="/sign-in/local", most=len(held) >= MOST, note="",
        )  # fmt: skip

    async def _adding(self, request: Request) -> Response:
        account, _ = await self._entitled(request)
        return _json(await self._passkeys.adding(account, self._pages.cookies.mark(request)))

    async def _added(self, request: Request) -> Response:
        account, given = await self._entitled(request)
        mark = self._pages.cookies.mark(request)
        await self._passkeys.add(account, _credential(given), given.get("name", ""), mark)
        return self._pages.onward("/account/passkeys")

    async def _removed(self, request: Request) -> Response:
        account, given = await self._entitled(request)
        await self._passkeys.remove(account.id, given.get("passkey", ""))
        return self._pages.onward("/account/passkeys")

    async def _entitled(self, request: Request) -> tuple[LocalAccount, dict[str, str]]:
        """Whose passkeys may be changed now, and the form. Raises `Denied`."""
        given = await form(request)
        session = await self._sessions.current(request)
        self._pages.check(request, f"{_PURPOSE}:{session.id if session else ''}", given.get("csrf", ""))
        account, at = await self._own(session)
        if account is None or not self._recent(at):
            raise Denied(
                "SIGN_IN_AGAIN",
                "请先用本中心的账号重新登录 / sign in again with your account of this hub",
                403,
            )
        return account, given

    async def _own(self, session: Session | None) -> tuple[LocalAccount | None, datetime]:
        """The own account that the session rests on, and when it was proven."""
        rests_on = session.upstreams if session else ()
        ours = [each for each in rests_on if (each.upstream, each.iss) == (LOCAL, self._accounts.issuer)]
        if not ours:
            return None, datetime.fromtimestamp(0, UTC)
        latest = max(ours, key=lambda each: each.at)
        return await self._accounts.get(latest.sub), latest.at

    def _recent(self, at: datetime) -> bool:
        return datetime.fromtimestamp(self._clock(), UTC) - at <= RECENT


def _credential(given: Mapping[str, str]) -> dict[str, Any]:
    raw = given.get("credential", "")
    try:
        found = orjson.loads(raw) if len(raw) <= LARGEST else None
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise PasskeyRefused("malformed")
    return found


def _told(endpoint: Endpoint) -> Endpoint:
    """Errors for a script: their code, and nothing else."""

    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request)
        except AuthError as error:
            return _json({"error": error.code}, getattr(error, "status", 400))

    return answered


def _json(value: Mapping[str, Any], status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, dict(page_headers()), "application/json")


def _day(at: datetime | None) -> str:
    return at.astimezone(_BEIJING).strftime("%Y-%m-%d") if at else ""
