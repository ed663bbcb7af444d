"""One's own data: what the hub holds of whoever is signed in, taken along or taken away.

Rule 1: only a form of this session's own page does anything; its token names the session.
Rule 2: erasing wants a sign-in of the last five minutes and a tick: it cannot be undone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Protocol

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from auth.broker.linking import NotRecent
from auth.browser import form, page_headers
from auth.documents import Session
from auth.errors import Denied
from auth.pages import Endpoint, Pages
from hub.people.erasure import Erased

SHOWN = {
    "accounts": ("关联的账号", "Linked accounts"),
    "local_accounts": ("本中心账号", "Accounts of this hub"),
    "passkeys": ("通行密钥", "Passkeys"),
    "sessions": ("登录", "Sign-ons"),
    "grants": ("应用的授权", "Grants to applications"),
    "consents_to_applications": ("对应用的同意", "Consents to applications"),
    "consents_to_third_parties": ("对第三方查看的同意", "Consents to third parties"),
    "records_known_by_number": ("按证件号对应的名册记录", "Roster records known by your number"),
    "read_of_you": ("他人查看您的敏感信息", "Times sensitive data of yours was read"),
    "what_happened": ("账号变动记录", "Events of your identity"),
    "read_by_you": ("您查看他人的敏感信息", "Times you read sensitive data of others"),
}
KEPT = frozenset({"read_of_you", "what_happened", "read_by_you"})


class Sessions(Protocol):
    """Sign-ons (`auth.sessions.Sessions`)."""

    async def current(self, request: Request) -> Session | None: ...

    def forget(self, response: Response) -> None: ...


class Exports(Protocol):
    """`hub.people.export.Export`."""

    async def of(self, person: str) -> dict[str, Any]: ...

    async def counts(self, person: str) -> dict[str, int]: ...


class Erasures(Protocol):
    """`hub.people.erasure.Erasure`."""

    async def erase(self, person: str, *, by: str) -> Erased: ...


class PersonalData:
    """`/account/data` (GET), `/account/data/export` and `/account/data/erase` (POST).

    `recent` tells whether a session's person has proven themselves lately (`Linking.recent`).
    """

    def __init__(
        self, pages: Pages, sessions: Sessions, exports: Exports, erasures: Erasures,
        recent: Callable[[Session], bool],
    ) -> None:  # fmt: skip
        self._pages, self._sessions = pages, sessions
        self._exports, self._erasures, self._recent = exports, erasures, recent

    def routes(self) -> list[BaseRoute]:
        """Their addresses."""
        return [
            Route("/account/data", self._page(self._shown), methods=["GET"]),
            Route("/account/data/export", self._page(self._exported), methods=["POST"]),
            Route("/account/data/erase", self._page(self._erased), methods=["POST"]),
        ]

    def _page(self, endpoint: Callable[[Request, Session], Awaitable[Response]]) -> Endpoint:
        async def signed_in(request: Request) -> Response:
            session = await self._sessions.current(request)
            if session is None:
                return self._pages.onward("/sign-in")
            try:
                return await endpoint(request, session)
            except NotRecent:
                return self._pages.onward("/account/again")

        return self._pages.guarded(signed_in)

    async def _shown(self, request: Request, session: Session) -> Response:
        counts = await self._exports.counts(session.person)
        held = [
            {"zh": zh, "en": en, "count": counts.get(name, 0), "kept": name in KEPT}
            for name, (zh, en) in SHOWN.items()
        ]
        return self._pages.show(
            request, "data", purpose=_purpose(session), held=held, gone=False, recent=self._recent(session)
        )

    async def _exported(self, request: Request, session: Session) -> Response:
        await self._given(request, session)
        document = await self._exports.of(session.person)
        day = datetime.fromisoformat(document["made"]).strftime("%Y%m%d")
        return Response(
            orjson.dumps(document, option=orjson.OPT_INDENT_2),
            headers={
                **page_headers(),
                "Content-Type": "application/json; charset=utf-8",
                "Content-Disposition": f'attachment; filename="rongtong-data-{day}.json"',
            },
        )

    async def _erased(self, request: Request, session: Session) -> Response:
        given = await self._given(request, session)
        if not self._recent(session):
            raise NotRecent
        if given.get("sure") != "yes":
            raise Denied("NOT_SURE", "请先勾选确认 / tick the box first, to say that you are sure", 400)
        await self._erasures.erase(session.person, by="self")
        response = self._pages.show(request, "data", held=[], gone=True, recent=False)
        self._sessions.forget(response)
        return response

    async def _given(self, request: Request, session: Session) -> dict[str, str]:
        given = await form(request)
        self._pages.check(request, _purpose(session), given.get("csrf", ""))
        return given


def _purpose(session: Session) -> str:
    return f"data:{session.id}"
