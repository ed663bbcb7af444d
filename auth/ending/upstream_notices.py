"""A level's provider says that a sign-on ended there; ours that rests on it ends too.

`POST /sign-in/{code}/backchannel-logout`: OpenID Connect Back-Channel Logout 1.0, or CAS's `logoutRequest`;
the provider's kind verifies it.

Rule 1: a provider ends only sessions that rest on itself: its code and its issuer, whatever the notice says.
Rule 2: a notice counts once. It is marked as seen first and as done last, so that one that failed half-way
may be sent again, and one that was done has no effect any more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from auth.broker.linking import Ends
from auth.broker.upstream import Upstream, UpstreamLogout, UpstreamRefused
from auth.browser import form
from auth.documents import Session
from auth.errors import Denied, StoreDown, Taken
from auth.ports import Audit
from auth.sessions import Sessions
from auth.store import IndexSpec, Store, expiring, kept

COLLECTION = "auth_upstream_notices"
INDEXES: tuple[IndexSpec, ...] = (expiring(COLLECTION),)
REMEMBERED = timedelta(days=1)
_ROUNDS = 50


class UpstreamNotices:
    """Its endpoint. `upstreams`: the providers by code; `clock` gives seconds since 1970."""

    def __init__(
        self, upstreams: Mapping[str, Upstream], sessions: Sessions, ends: Ends, store: Store, audit: Audit,
        clock: Callable[[], float],
    ) -> None:  # fmt: skip
        self._upstreams, self._sessions, self._ends = upstreams, sessions, ends
        self._seen, self._audit, self._clock = store.collection(COLLECTION), audit, clock

    def routes(self) -> list[BaseRoute]:
        """Its address."""
        return [Route("/sign-in/{code}/backchannel-logout", self._told, methods=["POST"])]

    async def _told(self, request: Request) -> Response:
        upstream = self._upstreams.get(request.path_params["code"])
        if upstream is None:
            return _answer(404, "no such provider")
        try:
            notice = await upstream.logged_out(await form(request))
            await self._end(upstream, notice)
        except Denied as denied:
            return _answer(denied.status, "send one form")
        except UpstreamRefused as refused:
            return _answer(503 if refused.status == 503 else 400, refused.kind)
        except StoreDown as down:
            return _answer(503, "try again", int(down.retry_after))
        return _answer(200)

    async def _end(self, upstream: Upstream, notice: UpstreamLogout) -> None:
        """End what it names. Raises `UpstreamRefused` for a notice that names nothing of its sender's."""
        settings = upstream.settings
        if notice.iss != settings.issuer or not (notice.sub or notice.sid):
            raise UpstreamRefused("logout-names-nobody", "not its own issuer, or neither sub nor sid")
        seen = kept(f"{settings.code}\0{notice.jti}") if notice.jti else ""
        if seen and not await self._is_new(seen, notice.expires):
            return
        ended = await self._end_all(settings.code, notice)
        if ended or notice.jti:  # an unsigned notice of nobody's session is anybody's: not worth a line
            await self._audit.note("upstream.logout", upstream=settings.code, sessions=str(ended))
        if seen:
            await self._seen.update_one({"_id": seen}, {"$set": {"done": True}})

    async def _end_all(self, code: str, notice: UpstreamLogout) -> int:
        ended = 0
        for _ in range(_ROUNDS):
            found = await self._sessions.by_upstream(notice.iss, notice.sub, notice.sid)
            theirs = [each for each in found if _rests(each, code, notice)]
            for session in theirs:
                ended += await self._ends.end(session.id) is not None
            if not theirs:
                break
        return ended

    async def _is_new(self, seen: str, expires: float) -> bool:
        """Whether this notice has not been done yet."""
        until = datetime.fromtimestamp(max(expires, self._clock()), UTC) + REMEMBERED
        try:
            await self._seen.insert_one({"_id": seen, "done": False, "expires": until})
        except Taken:
            found = await self._seen.find_one({"_id": seen})
            return found is None or not found["done"]
        return True


def _rests(session: Session, code: str, notice: UpstreamLogout) -> bool:
    return any(
        each.upstream == code and each.iss == notice.iss
        and (not notice.sid or each.sid == notice.sid) and (not notice.sub or each.sub == notice.sub)
        for each in session.upstreams
    )  # fmt: skip


def _answer(status: int, said: str = "", retry_after: int = 0) -> Response:
    """§2.8: 200, or 400 with the reason; never kept."""
    headers = {"Cache-Control": "no-store"} | ({"Retry-After": str(retry_after)} if retry_after else {})
    if status == 200:
        return Response(status_code=200, headers=headers)
    error = "temporarily_unavailable" if status == 503 else "invalid_request"
    return JSONResponse({"error": error, "error_description": said}, status, headers)
