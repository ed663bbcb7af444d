"""Accounts and the persons they belong to: an account is `(iss, sub)`, unique; a person has several.

Rule 1: never by e-mail, phone or name. What links is an authority's verified identifier
(`auth.broker.claims`), or a proof that names the very account and the very person (`Proof`).
Rule 2: what an account told before and does not tell any more is replaced at its next sign-in.
Rule 3: the last account never leaves its person.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from auth.broker import claims, persons
from auth.broker.claims import ACCOUNTS, Candidate, Claims, claims_of
from auth.broker.persons import Persons, new_number
from auth.documents import Account, kept_as
from auth.errors import AuthError, Denied, StoreDown, Taken
from auth.ports import Assertion, Audit
from auth.store import Document, IndexSpec, Store

INDEXES: tuple[IndexSpec, ...] = (*claims.INDEXES, *persons.INDEXES)
PROOF_LIFE = 300.0
MOST_ACCOUNTS = 50
NOTING = 5.0
_TRIES = 16


def account_id(iss: str, sub: str) -> str:
    """The key of the account `sub` at `iss`; two issuers with the same `sub` are two accounts."""
    return hashlib.sha256(f"{len(iss)}:{iss}{sub}".encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Proof:
    """Somebody signed in as `person` (session `session`) proved the account `account`, at `at` (seconds
    since 1970). It says nothing about any other account, person or session."""

    session: str
    person: str = field(repr=False)
    account: str
    at: float


class BelongsToAnother(AuthError):
    """The proven account belongs to another person: merge, or leave it."""

    code = "ACCOUNT_OF_ANOTHER"
    public = "该账号已属于另一个人员编号 / this account belongs to another person number"
    status = 409

    def __init__(self, person: str, account: str) -> None:
        super().__init__()
        self.person, self.account = person, account


class Accounts:
    """Keeps them. `clock` gives seconds since 1970. Every method may raise `StoreDown`, after which it may
    be called again: what was begun is completed."""

    def __init__(self, store: Store, audit: Audit, clock: Callable[[], float]) -> None:
        self._kept = store.collection(ACCOUNTS)
        self._persons = Persons(store, clock)
        self._claims = Claims(store, self._persons, clock)
        self._audit, self._clock = audit, clock

    async def person_for(self, assertion: Assertion) -> str:
        """The person of the account that signed in: theirs, or an authority's link, or a new one. Once,
        however many ask at a time."""
        account = await self._known(assertion, wanted="")
        return await self._persons.current(account["person"])

    async def handed_on(self, assertion: Assertion) -> str:
        """The person of a token that was handed on to us (RFC 8693). It tells less than a sign-in does, so an
        account that is there stays as its last sign-in left it."""
        known = await self.get(account_id(assertion.iss, assertion.sub))
        return known.person if known is not None else await self.person_for(assertion)

    async def of_person(self, person: str) -> list[Account]:
        """A person's accounts, the oldest first; `person` of each is the current number."""
        current = await self.current(person)
        found = await self._kept.find(
            {"person": {"$in": await self._persons.numbers(current)}, "settled": True},
            limit=MOST_ACCOUNTS * 4, order=[("created", 1)],
        )  # fmt: skip
        return [kept_as(Account, {**each, "person": current}) for each in found]

    async def get(self, account_id: str) -> Account | None:
        """The account, settled, with its current person."""
        found = await self._kept.find_one({"_id": {"$eq": account_id}, "settled": True})
        if found is None:
            return None
        return kept_as(Account, {**found, "person": await self.current(found["person"])})

    async def current(self, person: str) -> str:
        """Who this number is by now (after merges)."""
        return await self._persons.current(person)

    async def link(self, person: str, assertion: Assertion, proof: Proof) -> None:
        """Make the proven account one of `person`'s. Raises `BelongsToAnother`, and `Denied` for a proof of
        another account or person, or one that is older than five minutes."""
        current = await self.current(person)
        name = account_id(assertion.iss, assertion.sub)
        fresh = 0 <= self._clock() - proof.at <= PROOF_LIFE
        if proof.account != name or await self.current(proof.person) != current or not fresh:
            raise Denied(
                "PROOF_MISMATCH", "证明与账号不符，请重新关联 / the proof is not of this account", 403
            )
        if len(await self.of_person(current)) >= MOST_ACCOUNTS:
            raise Denied("TOO_MANY_ACCOUNTS", "关联的账号过多 / too many linked accounts", 409)
        account = await self._known(assertion, wanted=current)
        owner = await self.current(account["person"])
        if owner != current:
            raise BelongsToAnother(owner, name)

    async def unlink(self, person: str, account_id: str) -> Account:
        """Take an account away from its person; signing in with it again begins anew. What it was."""
        account = await self._leave(person, account_id, "")
        await self._claims.released(account.id, claims_of(account.identifiers))
        await self._audit.note("account.unlinked", person=account.person, account=account.id)
        return account

    async def split(self, account_id: str) -> str:
        """An operator's undoing of a wrong link: the account goes on as a new person; its number."""
        found = await self.get(account_id)
        if found is None:
            raise _no_account()
        number = new_number()
        await self._persons.made(number)
        await self._leave(found.person, account_id, number)
        await self._audit.note("account.split", person=found.person, account=account_id, became=number)
        return number

    async def ordered(self, one: str, other: str) -> tuple[str, str]:
        """(kept, gone) as a merge of the two would have it: the older person number is kept."""
        return await self._persons.ordered(await self.current(one), await self.current(other))

    async def merge(self, kept: str, gone: str) -> str:
        """Make two persons one; its number, which is the older one's whatever the order of the arguments."""
        stays, goes = await self._persons.merged(kept, gone)
        for number in await self._persons.numbers(stays):
            if number != stays:
                await self._kept.update_many({"person": {"$eq": number}}, {"$set": {"person": stays}})
        if goes:
            await self._audit.note("person.merged", person=stays, gone=goes)
        return stays

    async def candidates(self, limit: int = 100) -> list[Candidate]:
        """Persons whom authorities' identifiers name together, for humans to decide."""
        return await self._claims.candidates(limit)

    async def _known(self, assertion: Assertion, wanted: str) -> Document:
        """The account of the assertion, settled, audited and as told now."""
        fresh = self._account(assertion, wanted or new_number())
        for _ in range(_TRIES):
            found, is_new = await self._inserted({**fresh.document(), "settled": False, "wanted": wanted})
            settled = await self._claims.settled(found) if found else None
            if settled is not None and not is_new:
                settled = await self._told_again(settled, fresh)
            if settled is not None:
                await self._audited(settled)
                return settled
        raise StoreDown

    async def _inserted(self, account: Document) -> tuple[Document | None, bool]:
        found = await self._kept.find_one({"_id": {"$eq": account["_id"]}})
        if found is not None:
            return found, False
        try:
            await self._kept.insert_one({**account, "noted": False, "noting": 0.0})
            return {**account, "noted": False}, True
        except Taken:
            return await self._kept.find_one({"_id": {"$eq": account["_id"]}}), False

    async def _told_again(self, before: Document, fresh: Account) -> Document | None:
        """The account as its provider tells it now; None if it was removed meanwhile."""
        told = {name: value for name, value in fresh.document().items() if name not in _LASTING}
        after = await self._kept.find_one_and_update(
            {"_id": before["_id"], "settled": True}, {"$set": told}, before=True
        )
        if after is None:
            return None
        dropped = claims_of(after["identifiers"]).keys() - claims_of(told["identifiers"]).keys()
        after |= told
        await self._claims.released(after["_id"], dropped)
        await self._claims.asserted(after)
        return after

    async def _audited(self, account: Document) -> None:
        """The link's line in the audit log, at least once; of many sign-ins at a time one writes it, and
        goes on only with it. If that one dies, the next sign-in after a moment makes up for it."""
        if account.get("noted", True):
            return
        now = self._clock()
        mine = {"_id": account["_id"], "noted": False, "noting": {"$lt": now - NOTING}}
        if not await self._kept.update_one(mine, {"$set": {"noting": now}}):
            return
        event = "person.created" if account["proof"] == "first" else "account.linked"
        try:
            await self._audit.note(
                event, person=account["person"], account=account["_id"], proof=account["proof"],
                upstream=account["upstream"],
            )  # fmt: skip
        except StoreDown:
            await self._kept.update_one({"_id": account["_id"]}, {"$set": {"noting": 0.0}})
            raise
        await self._kept.update_one({"_id": account["_id"]}, {"$set": {"noted": True}})

    async def _leave(self, person: str, account_id: str, to: str) -> Account:
        """One at a time per person, so that two accounts leaving at once are not both the last but one."""
        current = await self.current(person)
        account = await self.get(account_id)
        if account is None or account.person != current:
            raise _no_account()
        intent = {"account": account_id, "to": to}
        for _ in range(_TRIES):
            other = await self._persons.leaving(current, intent)
            if other is None:
                if await self._let_go(current, intent):
                    return account
                raise Denied(
                    "LAST_ACCOUNT", "这是最后一个账号，不能解除 / this is the last account: it stays", 409
                )
            if other:
                await self._let_go(current, other)  # its process may have died: complete it
        raise Denied("BUSY", "请稍后再试 / try again in a moment", 409)

    async def _let_go(self, person: str, intent: Document) -> bool:
        """Whether it could go. Repeating is safe."""
        among = {"person": {"$in": await self._persons.numbers(person)}}
        account, to = intent["account"], intent["to"]
        others = await self._kept.count({**among, "settled": True, "_id": {"$ne": account}}, limit=1)
        if others and to:
            await self._kept.update_one({"_id": account, **among}, {"$set": {"person": to, "proof": "first"}})
        elif others:
            await self._kept.delete_one({"_id": account, **among})
        await self._persons.left(person, account)
        return bool(others)

    def _account(self, assertion: Assertion, person: str) -> Account:
        if not assertion.iss or not assertion.sub:
            raise Denied("UPSTREAM_REFUSED", "身份源应答异常 / the provider's answer names no account", 502)
        now = datetime.fromtimestamp(self._clock(), UTC)
        return Account(
            id=account_id(assertion.iss, assertion.sub), iss=assertion.iss, sub=assertion.sub, person=person,
            upstream=assertion.upstream, level=assertion.level, region=assertion.region,
            school=assertion.school, display_name=assertion.name, identifiers=dict(assertion.identifiers),
            roles=assertion.roles, assurance=assertion.assurance, created=now, seen=now,
        )  # fmt: skip


_LASTING = frozenset({"_id", "person", "proof", "created"})


def _no_account() -> Denied:
    return Denied("NO_SUCH_ACCOUNT", "没有这个账号 / there is no such account", 404)
