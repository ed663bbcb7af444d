"""Accounts over a real database, and a store that stops answering after some writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from auth.broker.accounts import INDEXES, Accounts, Proof, account_id
from auth.errors import StoreDown
from auth.ports import Assertion
from auth.store import Documents, Store
from hub.identity.store import MongoStore
from hub.mongo import Mongo
from tests.fakes.recorded import AuditList, Clock

PROVINCE = "https://id.province.example"
NUMBER = {"match": "keyed-hash-of-a-number"}


@dataclass
class Desk:
    accounts: Accounts
    store: Store
    audit: AuditList
    clock: Clock

    async def count(self, collection: str) -> int:
        return await self.store.collection(collection).count({})

    def proof(self, person: str, assertion: Assertion) -> Proof:
        return Proof("a session", person, account_id(assertion.iss, assertion.sub), self.clock())


async def desk_of(mongo: Mongo) -> Desk:
    """One over an empty database."""
    store, audit, clock = MongoStore(mongo), AuditList(), Clock()
    await store.declare(INDEXES)
    return Desk(Accounts(store, audit, clock), store, audit, clock)


class Failing:
    """A store whose n-th write gets no answer; whether it was done is anybody's guess: here it was not."""

    def __init__(self, store: Store, after: int) -> None:
        self._store, self.left = store, after

    def collection(self, name: str) -> Any:
        return _FailingDocuments(self, self._store.collection(name))

    async def declare(self, indexes: Any) -> None:
        await self._store.declare(indexes)


class _FailingDocuments:
    def __init__(self, failing: Failing, inner: Documents) -> None:
        self._failing, self._inner = failing, inner

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._inner, name)
        if name.startswith(("find_one_and", "insert", "update", "delete")):
            return self._counted(call)
        return call

    def _counted(self, call: Any) -> Any:
        async def counted(*args: Any, **kwargs: Any) -> Any:
            self._failing.left -= 1
            if self._failing.left < 0:
                raise StoreDown
            return await call(*args, **kwargs)

        return counted
