"""Whose account is it, the first time: by what authorities assert of it; else a new person. Race-free.

No transactions are needed. An account is inserted first, `settled: False`, with everything that decides.
Then anybody may settle it, any number at a time, after a crash too:

Rule 1: it joins the holders of each of its identifiers in the identifiers' order, never skipping one.
Rule 2: only holders that joined before it count, and those are settled first. Because of rule 1 two accounts
never wait for each other: somebody who is waited for stands at the same identifier earlier, or further on.
Rule 3: the decision is one atomic step on the account; the first one counts, everybody else reads it.
Rule 4: it links only if all holders before it are one person. If they are several, humans decide.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

from auth.broker.persons import Persons
from auth.documents import Kept, kept_as
from auth.errors import StoreDown, Taken
from auth.store import Document, Documents, IndexSpec, Store

ACCOUNTS, CLAIMS, CANDIDATES = "auth_accounts", "auth_claims", "auth_candidates"
INDEXES: tuple[IndexSpec, ...] = (
    IndexSpec(ACCOUNTS, (("person", 1),)),
    IndexSpec(CANDIDATES, (("created", -1),)),
)
MOST_HOLDERS = 200
_PATIENCE, _MOMENT = 10, 0.02  # how long another process may settle its own account before we help
_TRIES = 8


class Candidate(Kept, frozen=True, kw_only=True):
    """Persons who may be one: authorities' identifiers of the account `id` name several. For humans."""

    persons: tuple[str, ...]
    namespaces: tuple[str, ...]
    created: datetime


def claim_id(namespace: str, value: str) -> str:
    """The key of an identifier: hashed, so that the claims list nobody's numbers."""
    return hashlib.sha256(f"{namespace}\0{value}".encode("utf-8", "surrogatepass")).hexdigest()


def claims_of(identifiers: Mapping[str, str]) -> dict[str, str]:
    """claim id -> namespace, of an account's identifiers."""
    return {claim_id(namespace, value): namespace for namespace, value in identifiers.items()}


class Claims:
    """Who holds which identifier, and what follows for a new account. May raise `StoreDown`."""

    def __init__(self, store: Store, persons: Persons, clock: Callable[[], float]) -> None:
        self._accounts = store.collection(ACCOUNTS)
        self._claims: Documents = store.collection(CLAIMS)
        self._candidates = store.collection(CANDIDATES)
        self._persons, self._clock = persons, clock

    async def settled(self, account: Document) -> Document | None:
        """The account with its person decided; None if it was removed meanwhile."""
        if account["settled"]:
            return account
        persons = await self._others(account, claims_of(account["identifiers"]))
        person, proof = account["person"], "first"
        if account["wanted"]:
            person, proof = account["wanted"], "both"
        elif len(persons) == 1:
            person, proof = persons.copy().pop(), "authority"
        if proof == "first":
            await self._persons.made(person)
        decided = await self._accounts.find_one_and_update(
            {"_id": account["_id"], "settled": False},
            {"$set": {"settled": True, "person": person, "proof": proof}},
        )
        if decided is None:
            return await self._accounts.find_one({"_id": account["_id"]})
        await self._propose(decided, persons)
        return decided

    async def asserted(self, account: Document) -> None:
        """Have a settled account hold what it tells now; other holders' persons become a candidate."""
        wanted = claims_of(account["identifiers"])
        held = await self._claims.find(
            {"_id": {"$in": list(wanted)}, "holders": {"$eq": account["_id"]}}, limit=len(wanted) or 1
        )
        missing = {claim: wanted[claim] for claim in wanted.keys() - {each["_id"] for each in held}}
        if missing:
            await self._propose(account, await self._others(account, missing))

    async def released(self, account_id: str, claims: Iterable[str]) -> None:
        """The account does not tell these any more; what nobody else holds is free."""
        gone = list(claims)
        if gone:
            await self._claims.update_many({"_id": {"$in": gone}}, {"$pull": {"holders": account_id}})
            await self._claims.delete_many({"_id": {"$in": gone}, "holders": {"$size": 0}})

    async def candidates(self, limit: int = 100) -> list[Candidate]:
        """What waits for humans, the newest first."""
        found = await self._candidates.find({}, limit=limit, order=[("created", -1)])
        return [kept_as(Candidate, each) for each in found]

    async def _others(self, account: Document, claims: Mapping[str, str]) -> set[str]:
        """Join the holders of `claims`; the persons of those who were there before."""
        persons: set[str] = set()
        for claim in sorted(claims):
            holders = await self._joined(claim, account["_id"])
            before = holders[: holders.index(account["_id"])] if account["_id"] in holders else holders
            persons |= await self._persons_of(before, claim)
        return persons

    async def _joined(self, claim: str, account_id: str) -> list[str]:
        """The holders in the order of their joining, this account among them unless there is no room."""
        for _ in range(_TRIES):
            try:
                found = await self._claims.find_one_and_update(
                    {"_id": {"$eq": claim}, f"holders.{MOST_HOLDERS - 1}": {"$exists": False}},
                    {"$addToSet": {"holders": account_id}},
                    upsert=True,
                )
            except Taken:  # made between the server's look and its write, or no room
                found = await self._claims.find_one({"_id": {"$eq": claim}})
                if found is not None and len(found["holders"]) < MOST_HOLDERS:
                    continue
            if found is not None:
                holders: list[str] = found["holders"]
                return holders
        raise StoreDown

    async def _persons_of(self, holders: list[str], claim: str) -> set[str]:
        """Persons of the accounts that (still) assert `claim`."""
        if not holders:
            return set()
        found = await self._accounts.find({"_id": {"$in": holders}}, limit=len(holders))
        persons: set[str] = set()
        for each in sorted(found, key=lambda account: holders.index(account["_id"])):
            settled = each if each["settled"] else await self._awaited(each)
            if settled is not None and claim in claims_of(settled["identifiers"]):
                persons.add(settled["person"])
        return {await self._persons.current(person) for person in persons}

    async def _awaited(self, account: Document) -> Document | None:
        """Somebody else's account, settled: by them, or by us when they take long (or died)."""
        found: Document | None = account
        for _ in range(_PATIENCE):
            await asyncio.sleep(_MOMENT)
            found = await self._accounts.find_one({"_id": account["_id"]})
            if found is None or found["settled"]:
                return found
        return await self.settled(account)

    async def _propose(self, account: Document, persons: set[str]) -> None:
        several = sorted(persons | {account["person"]})
        if len(several) < 2:
            return
        fresh = Candidate(
            id=account["_id"], persons=tuple(several), namespaces=tuple(sorted(account["identifiers"])),
            created=datetime.fromtimestamp(self._clock(), UTC),
        ).document()  # fmt: skip
        await self._candidates.update_one({"_id": fresh.pop("_id")}, {"$set": fresh}, upsert=True)
