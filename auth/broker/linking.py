"""One person's accounts, joined and parted by themselves: link, unlink, merge; and by an operator: split.

Rule 1: whoever changes what belongs to them has proven themselves within the last five minutes.
Rule 2: a proof names a session, a person and one account; it is good for nothing else.
Rule 3: persons merge only when both are proven, in one browser, within five minutes, and a page said plainly
what happens. The older number is kept; sign-ons and tokens of the other one end, its receipts move.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from auth.broker.accounts import Accounts, BelongsToAnother, Proof, account_id
from auth.documents import Account, Kept, Session, kept_as
from auth.errors import AuthError, Denied
from auth.ports import Assertion
from auth.sessions import Sessions
from auth.store import IndexSpec, Store, expiring, kept, secret

COLLECTION = "auth_merges"
INDEXES: tuple[IndexSpec, ...] = (expiring(COLLECTION),)
RECENT = 300.0
_ROUNDS = 50


class Ends(Protocol):
    """Ends a sign-on with all that follows (`auth.ending.endings.Endings`)."""

    async def end(self, session_id: str) -> Session | None: ...


class Families(Protocol):
    """Ends refresh tokens (`auth.provider.families.Families`)."""

    async def revoke_person(self, person: str) -> None: ...


class Receipts(Protocol):
    """What persons agreed to (`auth.provider.consents.Consents`)."""

    async def moved(self, gone: str, kept: str) -> int: ...


class NotRecent(AuthError):
    """The person must prove themselves again before this is done."""

    code = "SIGN_IN_AGAIN"
    public = "请先重新登录，以确认是您本人 / sign in again first, to show that it is you"
    status = 403


class Offer(Kept, frozen=True, kw_only=True):
    """A merge that was offered: `person` of `session` has just proven `account`, which is `other`'s."""

    browser: str
    session: str
    person: str
    other: str
    account: str
    expires: datetime


class Linking:
    """Does all that. `clock` gives seconds since 1970. Every method may raise `StoreDown`, `Denied`."""

    def __init__(
        self, accounts: Accounts, sessions: Sessions, ends: Ends, families: Families, receipts: Receipts,
        store: Store, clock: Callable[[], float],
    ) -> None:  # fmt: skip
        self._accounts, self._sessions, self._ends = accounts, sessions, ends
        self._families, self._receipts, self._clock = families, receipts, clock
        self._offers = store.collection(COLLECTION)

    def recent(self, session: Session) -> bool:
        """Whether the session's person has proven themselves within five minutes."""
        return self._clock() - session.auth_time.timestamp() <= RECENT

    def require_recent(self, session: Session) -> None:
        """Raises `NotRecent`."""
        if not self.recent(session):
            raise NotRecent

    async def link(self, session: Session, mark: str, assertion: Assertion) -> Offer | None:
        """Link the account just proven; an offer to merge if it is another person's."""
        name, now = account_id(assertion.iss, assertion.sub), self._clock()
        if assertion.auth_time and now - assertion.auth_time > RECENT:
            raise NotRecent  # the provider let an old sign-on of whoever used this browser through
        person = await self._accounts.current(session.person)
        proof = Proof(session=session.id, person=person, account=name, at=now)
        try:
            await self._accounts.link(person, assertion, proof)
        except BelongsToAnother as belongs:
            return await self._offered(session, mark, person, belongs)
        return None

    async def offer(self, session: Session, mark: str, offer_id: str) -> Offer | None:
        """The offer, if it is this session's and browser's and fresh."""
        found = await self._offers.find_one(self._its(session, mark, offer_id))
        return kept_as(Offer, found) if found else None

    async def merge(self, session: Session, mark: str, offer_id: str) -> str:
        """Take the offer, once; the person that is kept. Sign-ons of the other one have ended then, this
        one among them if it was theirs."""
        self.require_recent(session)
        found = await self._offers.find_one_and_delete(self._its(session, mark, offer_id))
        if found is None:
            raise Denied("OFFER_OVER", "合并已过期，请重新关联 / the offer is over: link again", 409)
        offer = kept_as(Offer, found)
        account = await self._accounts.get(offer.account)
        mine, others = await self._accounts.current(offer.person), await self._accounts.current(offer.other)
        if account is None or account.person != others:
            raise Denied("OFFER_OVER", "账号已变动，请重新关联 / the account has changed: link again", 409)
        if mine == others:
            return mine
        _, gone = await self._accounts.ordered(mine, others)
        await self._end_all(gone)
        stays = await self._accounts.merge(mine, others)
        await self._end_all(gone)  # whoever signed in between
        await self._receipts.moved(gone, stays)
        return stays

    async def unlink(self, session: Session, account: str) -> Account:
        """Take an account away; sign-ons that rest on it end, but for the one that asks."""
        self.require_recent(session)
        gone = await self._accounts.unlink(session.person, account)
        await self._end_resting_on(gone, but=session.id)
        return gone

    async def split(self, account: str) -> str:
        """An operator's: the account becomes a new person, whose number this is. Its sign-ons end, and all
        tokens of the person it leaves: nobody can say which of them were its own."""
        before = await self._accounts.get(account)
        number = await self._accounts.split(account)
        if before is not None:
            await self._end_resting_on(before, but="")
            await self._families.revoke_person(before.person)
        return number

    async def _offered(self, session: Session, mark: str, person: str, belongs: BelongsToAnother) -> Offer:
        offer = Offer(
            id=secret(128), browser=kept(mark), session=session.id, person=person, other=belongs.person,
            account=belongs.account,
            expires=datetime.fromtimestamp(self._clock(), UTC) + timedelta(seconds=RECENT),
        )  # fmt: skip
        await self._offers.insert_one(offer.document())
        return offer

    async def _end_all(self, person: str) -> None:
        for _ in range(_ROUNDS):
            sessions = await self._sessions.of_person(person)
            for session in sessions:
                await self._ends.end(session.id)
            if not sessions:
                break
        await self._families.revoke_person(person)

    async def _end_resting_on(self, account: Account, but: str) -> None:
        for _ in range(_ROUNDS):
            resting = await self._sessions.by_upstream(account.iss, account.sub, "")
            for session in (ending := [each for each in resting if each.id != but]):
                await self._ends.end(session.id)
            if not ending:
                break

    def _its(self, session: Session, mark: str, offer_id: str) -> dict[str, object]:
        now = datetime.fromtimestamp(self._clock(), UTC)
        return {
            "_id": {"$eq": offer_id}, "session": {"$eq": session.id}, "browser": {"$eq": kept(mark)},
            "expires": {"$gt": now},
        }  # fmt: skip
