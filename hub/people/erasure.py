"""A person taken out of what the hub itself holds (PIPL art. 47).

Rule 1: the number is marked first and stays, empty, so that whatever breaks off is completed by asking again
and nobody else ever gets the number. Whoever signs in afterwards is a new person.
Rule 2: the journal stays. It is kept by law for those whose data was read, and tells of this person by a
number that leads nowhere any more; it holds no name.
Rule 3: sign-ons and grants end before anything goes, so that applications are told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from auth.broker.accounts import Accounts
from auth.broker.claims import CLAIMS, claims_of
from auth.broker.persons import COLLECTION as PERSONS
from auth.errors import AuthError
from auth.ports import Audit
from auth.store import Store
from hub.people.holdings import SORTS, Traces, traces
from hub.people.sign_ons import SignOns

_ROUNDS = 5


class NobodyErased(AuthError):
    """There is no such person number."""

    code = "NO_SUCH_PERSON"
    public = "没有这个人员编号 / there is no such person number"
    status = 404


@dataclass(frozen=True, slots=True)
class Erased:
    """What went, by sort; `before`: it had been erased already, and nothing was left."""

    person: str
    gone: Mapping[str, int] = field(default_factory=dict)

    @property
    def before(self) -> bool:
        """Whether there was nothing left."""
        return not any(self.gone.values())


class Erasure:
    """Does it. `clock` gives seconds since 1970. Raises `StoreDown`, after which it may be asked again."""

    def __init__(
        self, store: Store, accounts: Accounts, sign_ons: SignOns, audit: Audit, clock: Callable[[], float]
    ) -> None:
        self._store, self._accounts, self._sign_ons = store, accounts, sign_ons
        self._audit, self._clock = audit, clock
        self._persons = store.collection(PERSONS)

    async def erase(self, person: str, *, by: str) -> Erased:
        """Erase a person, by whichever number of theirs. `by`: "self", "operator". Raises `NobodyErased`."""
        found = await traces(self._store, self._accounts, person)
        if await self._persons.find_one({"_id": {"$eq": found.person}}) is None:
            raise NobodyErased
        now = datetime.fromtimestamp(self._clock(), UTC)
        unmarked = {"_id": {"$in": list(found.numbers)}, "erased": None}
        await self._persons.update_many(unmarked, {"$set": {"erased": now}})
        gone: dict[str, int] = {"sign_ons": await self._sign_ons.end(found.numbers)}
        for _ in range(_ROUNDS):
            taken = await self._take(found)
            for name, count in taken.items():
                gone[name] = gone.get(name, 0) + count
            if not taken["accounts"]:
                break
            found = await traces(self._store, self._accounts, found.person)  # a sign-in came between
        await self._note(found.person, by, gone)
        return Erased(found.person, gone)

    async def _take(self, found: Traces) -> dict[str, int]:
        """Everything that goes; accounts last, since they lead to the rest."""
        await self._release(found)
        taken = {}
        for sort in reversed([sort for sort in SORTS if sort.goes]):
            where = found.where(sort)
            collection = self._store.collection(sort.collection)
            taken[sort.name] = await collection.delete_many(where) if where else 0
        return taken

    async def _release(self, found: Traces) -> None:
        """Nothing is asserted of the accounts any more; what nobody else holds is free."""
        told = {claim for account in found.accounts for claim in claims_of(account.identifiers)}
        if told:
            claims, theirs = self._store.collection(CLAIMS), {"_id": {"$in": sorted(told)}}
            await claims.update_many(theirs, {"$pull": {"holders": {"$in": found.values("account")}}})
            await claims.delete_many({**theirs, "holders": {"$size": 0}})

    async def _note(self, person: str, by: str, gone: Mapping[str, int]) -> None:
        """The line in the journal, at least once."""
        unnoted = {"_id": {"$eq": person}, "noted": {"$ne": True}}
        if await self._persons.find_one(unnoted) is None:
            return
        told = {name: str(count) for name, count in gone.items() if count}
        await self._audit.note("person.erased", person=person, erased_by=by, **told)
        await self._persons.update_one(unnoted, {"$set": {"noted": True}})
