"""One's own page: accounts, applications, sign-ons; and what may be done to them.

Rule 1: only a form of this session's own page changes anything; its token names the session.
Rule 2: nothing is done to anybody else's: every id that a form sends is looked up among one's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, Protocol
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from auth.broker.accounts import Accounts
from auth.broker.linking import Ends, Linking, NotRecent
from auth.broker.upstream import Upstream
from auth.browser import form, language, query
from auth.documents import Account, Session
from auth.errors import Denied
from auth.pages import Endpoint, Pages
from auth.sessions import Sessions

BEIJING = timezone(timedelta(hours=8))
OWN = ("本中心账号", "Account of this hub")
NOTES = {
    "linked": ("账号已关联。", "The account is linked."),
    "unlinked": ("账号已解除关联。", "The account is no longer linked."),
    "merged": ("两个人员编号已合并。", "The two person numbers are one now."),
    "withdrawn": ("授权已撤回。", "The consent is withdrawn."),
    "ended": ("该登录已结束。", "That sign-on has ended."),
}


class Receipt(Protocol):
    """What a person agreed to for a client (`auth.provider.consents.Consent`)."""

    @property
    def client_id(self) -> str: ...

    @property
    def client_name(self) -> str: ...

    @property
    def scopes(self) -> tuple[str, ...]: ...

    @property
    def purposes(self) -> tuple[str, ...]: ...

    @property
    def at(self) -> datetime: ...

    @property
    def withdrawn(self) -> datetime | None: ...


class Consents(Protocol):
    """What persons agreed to (`auth.provider.consents.Consents`)."""

    async def of_person(self, person: str) -> Sequence[Receipt]: ...

    async def withdraw(self, person: str, client_id: str) -> int: ...


class AccountPage:
    """`/account`, `/account/again`, `/account/merge`, `/account/unlink`, `/account/withdraw`,
    `/account/sessions/end`. `passkeys_url` "" where there are none."""

    def __init__(
        self, pages: Pages, sessions: Sessions, accounts: Accounts, linking: Linking, consents: Consents,
        ends: Ends, upstreams: Mapping[str, Upstream], *, passkeys_url: str = "",
    ) -> None:  # fmt: skip
        self._pages, self._sessions, self._accounts = pages, sessions, accounts
        self._linking, self._consents, self._ends = linking, consents, ends
        self._upstreams, self._passkeys_url = upstreams, passkeys_url

    def routes(self) -> list[BaseRoute]:
        """Their addresses."""
        return [
            Route("/account", self._page(self._shown), methods=["GET"]),
            Route("/account/again", self._page(self._again), methods=["GET"]),
            Route("/account/merge", self._page(self._offered), methods=["GET"]),
            Route("/account/merge", self._page(self._merged), methods=["POST"]),
            Route("/account/unlink", self._page(self._unlinked), methods=["POST"]),
            Route("/account/withdraw", self._page(self._withdrawn), methods=["POST"]),
            Route("/account/sessions/end", self._page(self._ended), methods=["POST"]),
        ]

    def _page(self, endpoint: Callable[[Request, Session], Any]) -> Endpoint:
        """An endpoint of somebody signed in; who must prove themselves first is sent to do so."""

        async def signed_in(request: Request) -> Response:
            session = await self._sessions.current(request)
            if session is None:
                return self._pages.onward("/sign-in")
            try:
                response: Response = await endpoint(request, session)
            except NotRecent:
                return self._pages.onward("/account/again")
            return response

        return self._pages.guarded(signed_in)

    # -- showing ---------------------------------------------------------------------------------------

    async def _shown(self, request: Request, session: Session) -> Response:
        person = await self._accounts.current(session.person)
        accounts, lang = await self._accounts.of_person(person), language(request)
        chinese, english = NOTES.get(query(request).get("note", ""), ("", ""))
        return self._pages.show(
            request, "account", purpose=_purpose(session),
            person_name=next((each.display_name for each in accounts if each.display_name), ""),
            note=chinese if lang == "zh" else english,
            accounts=[self._account_line(each, session, lang, len(accounts)) for each in accounts],
            link_url="/sign-in?intent=link",
            applications=_applications(await self._consents.of_person(person)),
            sessions=[
                self._session_line(each, session, lang) for each in await self._sessions.of_person(person)
            ],
            passkeys_url=self._passkeys_url,
        )  # fmt: skip

    async def _again(self, request: Request, session: Session) -> Response:
        """The person's own accounts, to prove themselves by one of them."""
        lang = language(request)
        codes = dict.fromkeys(each.upstream for each in await self._accounts.of_person(session.person))
        ways = [{"name": self._name(code, lang), "url": self._again_url(code)} for code in codes]
        return self._pages.show(request, "again", ways=ways, back_url="/account")

    async def _offered(self, request: Request, session: Session) -> Response:
        offer_id = query(request).get("o", "")
        offer = await self._linking.offer(session, self._pages.cookies.mark(request), offer_id)
        if offer is None:
            return self._pages.onward("/account")
        if not self._linking.recent(session):
            raise NotRecent
        lang = language(request)
        kept, gone = await self._accounts.ordered(offer.person, offer.other)
        return self._pages.show(
            request, "merge", purpose=f"merge:{offer.id}:{session.id}", o=offer.id,
            kept=self._names(await self._accounts.of_person(kept), lang),
            gone=self._names(await self._accounts.of_person(gone), lang),
            signed_out=await self._accounts.current(session.person) == gone,
        )  # fmt: skip

    # -- doing -----------------------------------------------------------------------------------------

    async def _merged(self, request: Request, session: Session) -> Response:
        given = await form(request)
        offer = given.get("o", "")
        self._pages.check(request, f"merge:{offer}:{session.id}", given.get("csrf", ""))
        await self._linking.merge(session, self._pages.cookies.mark(request), offer)
        return self._noted("merged")

    async def _unlinked(self, request: Request, session: Session) -> Response:
        given = await self._given(request, session)
        await self._linking.unlink(session, given.get("account", ""))
        return self._noted("unlinked")

    async def _withdrawn(self, request: Request, session: Session) -> Response:
        given = await self._given(request, session)
        person = await self._accounts.current(session.person)
        await self._consents.withdraw(person, given.get("client_id", ""))
        return self._noted("withdrawn")

    async def _ended(self, request: Request, session: Session) -> Response:
        given = await self._given(request, session)
        other = await self._sessions.get(given.get("session", ""))
        if other is None or other.person != session.person:
            raise Denied("NO_SUCH_SESSION", "没有这个登录 / there is no such sign-on", 404)
        await self._ends.end(other.id)
        return self._noted("ended")

    async def _given(self, request: Request, session: Session) -> dict[str, str]:
        given = await form(request)
        self._pages.check(request, _purpose(session), given.get("csrf", ""))
        return given

    def _noted(self, note: str) -> Response:
        return self._pages.onward(f"/account?{urlencode({'note': note})}")

    # -- lines -----------------------------------------------------------------------------------------

    def _account_line(self, account: Account, session: Session, lang: str, count: int) -> dict[str, Any]:
        here = any((each.iss, each.sub) == (account.iss, account.sub) for each in session.upstreams)
        return {
            "id": account.id, "name": self._name(account.upstream, lang), "level": account.level,
            "display_name": account.display_name, "assurance": account.assurance, "here": here,
            "removable": count > 1,
        }  # fmt: skip

    def _session_line(self, each: Session, current: Session, lang: str) -> dict[str, Any]:
        return {
            "id": each.id, "since": _text(each.created), "seen": _text(each.seen),
            "via": list(dict.fromkeys(self._name(one.upstream, lang) for one in each.upstreams)),
            "current": each.id == current.id,
        }  # fmt: skip

    def _names(self, accounts: Iterable[Account], lang: str) -> list[str]:
        return [
            " · ".join(filter(None, (self._name(each.upstream, lang), each.display_name)))
            for each in accounts
        ]

    def _name(self, code: str, lang: str) -> str:
        known = self._upstreams.get(code)
        if known is None:
            return OWN[0] if lang == "zh" else OWN[1]
        return known.settings.name if lang == "zh" else known.settings.name_en or known.settings.name

    def _again_url(self, code: str) -> str:
        return f"/sign-in/{code}/start?again=1" if code in self._upstreams else "/sign-in/local"


def _purpose(session: Session) -> str:
    return f"account:{session.id}"


def _applications(receipts: Sequence[Receipt]) -> list[dict[str, Any]]:
    """One line an application: all that was agreed to and not withdrawn, since the first time."""
    lines: dict[str, dict[str, Any]] = {}
    for each in sorted(receipts, key=lambda receipt: receipt.at):
        if each.withdrawn is None:
            line = lines.setdefault(
                each.client_id,
                {"client_id": each.client_id, "since": _text(each.at), "scopes": {}, "purposes": {}},
            )
            line["name"] = each.client_name or each.client_id
            line["scopes"] |= dict.fromkeys(each.scopes)
            line["purposes"] |= dict.fromkeys(each.purposes)
    return [
        {**line, "scopes": list(line["scopes"]), "purposes": list(line["purposes"])}
        for line in lines.values()
    ]


def _text(moment: datetime) -> str:
    return moment.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M")
