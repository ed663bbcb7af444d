"""Who may be one person: proposed with reasons, never linked by them; an operator decides.

Rule 1: a proposal changes nothing. What was rejected is not proposed again.
Rule 2: the same name and birth date alone never confirm: twins of names are common, and a number settles it.
Rule 3: a decision is taken by one atomic step, done, written into the journal, and then marked as done;
whatever breaks off in between is completed by deciding the same again.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, Final, Literal, Protocol

from auth.broker.accounts import Accounts
from auth.errors import AuthError
from auth.ports import Audit
from hub.clock import Clock
from hub.mongo import DESCENDING, Index, Mongo
from hub.people.index import COLLECTION as INDEX
from hub.people.sign_ons import SignOns

COLLECTION = "people_candidates"
INDEXES = [Index([("state", DESCENDING), ("created", DESCENDING)])]
SAME_IDENTIFIER, SAME_NUMBER, ALIKE = "SAME_IDENTIFIER", "SAME_NUMBER", "SAME_NAME_AND_BIRTH_DATE"
WEIGHTS = {SAME_IDENTIFIER: 0.9, SAME_NUMBER: 0.5, ALIKE: 0.3}
"""How much a reason says for one person; several together say more."""
PERSONS, RECORDS = "PERSONS", "RECORDS"
PROPOSED, DECIDING, OVER = "PROPOSED", "DECIDING", "OVER"
CONFIRMED: Final = "CONFIRMED"
REJECTED: Final = "REJECTED"
MOST, MOST_ALIKE, SECONDS = 1_000, 5, 120.0
Decision = Literal["CONFIRMED", "REJECTED"]


class NoCandidate(AuthError):
    """No such proposal waits: unknown, decided otherwise, or over."""

    code = "NO_CANDIDATE"
    public = "没有这条待定项，或已有决定 / no such proposal waits for a decision"
    status = 404


class NotEnough(AuthError):
    """A name and a birth date are all that speaks for it."""

    code = "NOT_ENOUGH"
    public = (
        "姓名和出生日期相同不足以认定同一人：请学校补录证件号，系统会自行匹配 / the same name and birth date "
        "alone do not make one person: have the school enter the number, and it matches by itself"
    )
    status = 409


class Receipts(Protocol):
    """What persons agreed to (`auth.provider.consents.Consents`)."""

    async def moved(self, gone: str, kept: str) -> int: ...


@dataclass(frozen=True, slots=True)
class Proposal:
    """Two person numbers (`PERSONS`) or two records' keys (`RECORDS`) that may be one person's."""

    id: str
    kind: str
    one: str
    other: str
    reasons: tuple[str, ...]
    state: str
    created: datetime

    @property
    def confidence(self) -> float:
        """From 0 to 1."""
        return round(1 - math.prod(1 - WEIGHTS.get(reason, 0.0) for reason in self.reasons), 2)


class Candidates:
    """Keeps them. Methods raise `StorageError` and `StoreDown`."""

    def __init__(
        self, mongo: Mongo, accounts: Accounts, sign_ons: SignOns, receipts: Receipts, audit: Audit,
        clock: Clock,
    ) -> None:  # fmt: skip
        self._mongo, self._kept, self._index = mongo, mongo.collection(COLLECTION), mongo.collection(INDEX)
        self._accounts, self._sign_ons, self._receipts = accounts, sign_ons, receipts
        self._audit, self._clock = audit, clock

    async def gather(self) -> int:
        """Propose what there is to propose; how many pairs were looked at."""
        await self._kept.create_indexes(INDEXES)
        count = 0
        async for kind, one, other, reason in self._pairs():
            count += 1
            await self._propose(kind, one, other, reason)
        return count

    async def waiting(self, limit: int = 100) -> list[Proposal]:
        """What waits for a decision, the likeliest first; not persons who became one meanwhile."""
        found = await self._kept.find(
            {"state": {"$in": [PROPOSED, DECIDING]}}, limit=MOST, order=[("created", DESCENDING)]
        )
        waiting = [each for each in map(_proposal, found) if not await self._over(each)]
        return sorted(waiting, key=lambda each: (-each.confidence, each.created))[:limit]

    async def confirm(self, id: str) -> Proposal:
        """They are one: persons are merged, records of one number are found by it again.

        Raises `NoCandidate`, `NotEnough`.
        """
        known = await self._kept.find_one({"_id": {"$eq": id}})
        if known is not None and set(known["reasons"]) <= {ALIKE}:
            raise NotEnough
        proposal = await self._taken(id, CONFIRMED)
        if proposal.kind == PERSONS:
            await self._merge(proposal.one, proposal.other)
        else:
            both = {"_id": {"$in": [proposal.one, proposal.other]}}
            await self._index.update_many(both, {"$set": {"sure": True}})
        return await self._decided(proposal, CONFIRMED)

    async def reject(self, id: str) -> Proposal:
        """They are two, and are not proposed again. Raises `NoCandidate`."""
        return await self._decided(await self._taken(id, REJECTED), REJECTED)

    async def _pairs(self) -> AsyncIterator[tuple[str, str, str, str]]:
        known = await self._known()
        for candidate in await self._accounts.candidates(MOST):
            persons = sorted({await self._accounts.current(person) for person in candidate.persons})
            for one, other in pairwise(persons):
                if frozenset((one, other)) not in known:
                    yield PERSONS, one, other, SAME_IDENTIFIER
        async for one, other in self._of_one_number():
            yield RECORDS, one, other, SAME_NUMBER
        async for one, other in self._alike():
            yield RECORDS, one, other, ALIKE

    async def _known(self) -> set[frozenset[str]]:
        """Pairs of persons that wait or were rejected, by the numbers they have by now."""
        states = {"kind": PERSONS, "state": {"$in": [PROPOSED, DECIDING, REJECTED]}}
        found = await self._kept.find(states, limit=MOST, order=[("created", DESCENDING)])
        current = self._accounts.current
        return {frozenset((await current(each["one"]), await current(each["other"]))) for each in found}

    async def _of_one_number(self) -> AsyncIterator[tuple[str, str]]:
        """Records of one roster that have a number in common, and not a name."""
        pipeline: list[Mapping[str, Any]] = [
            {"$match": {"match": {"$gt": ""}, "named": {"$gt": ""}}},
            {"$group": {
                "_id": {"match": "$match", "source": "$source"}, "keys": {"$push": "$_id"},
                "names": {"$addToSet": "$named"},
            }},
            {"$match": {"names.1": {"$exists": True}}},
        ]  # fmt: skip
        async for group in self._index.aggregate_stream(pipeline, seconds=SECONDS):
            keys = sorted(group["keys"])[:MOST_ALIKE]
            for one, other in pairwise(keys):
                yield one, other

    async def _alike(self) -> AsyncIterator[tuple[str, str]]:
        """Records without a number, and those that have the same name and birth date."""
        async for row in self._index.stream({"match": {"$eq": ""}, "alike": {"$gt": ""}}):
            alike = {"alike": {"$eq": row["alike"]}, "_id": {"$ne": row["_id"]}}
            for other in await self._index.find(alike, limit=MOST_ALIKE):
                yield row["_id"], other["_id"]

    async def _propose(self, kind: str, one: str, other: str, reason: str) -> None:
        first, second = sorted((one, other))
        fresh = {"kind": kind, "one": first, "other": second, "state": PROPOSED, "created": self._clock.now()}
        name = hashlib.sha256(f"{kind}\0{first}\0{second}".encode()).hexdigest()[:16]
        await self._kept.update_one(
            {"_id": name}, {"$setOnInsert": fresh, "$addToSet": {"reasons": reason}}, upsert=True
        )

    async def _over(self, proposal: Proposal) -> bool:
        if proposal.kind != PERSONS or proposal.state != PROPOSED:
            return False
        one, other = await self._accounts.current(proposal.one), await self._accounts.current(proposal.other)
        if one != other:
            return False
        await self._kept.update_one({"_id": proposal.id, "state": PROPOSED}, {"$set": {"state": OVER}})
        return True

    async def _taken(self, id: str, decision: Decision) -> Proposal:
        mine = {
            "_id": {"$eq": id},
            "$or": [{"state": PROPOSED}, {"state": DECIDING, "decision": decision}],
        }
        found = await self._kept.find_one_and_update(
            mine, {"$set": {"state": DECIDING, "decision": decision, "decided": self._clock.now()}}
        )
        if found is None:
            raise NoCandidate
        return _proposal(found)

    async def _decided(self, proposal: Proposal, decision: Decision) -> Proposal:
        await self._audit.note(
            f"candidate.{decision.lower()}", candidate=proposal.id, kind=proposal.kind, one=proposal.one,
            other=proposal.other, reasons=",".join(proposal.reasons),
        )  # fmt: skip
        found = await self._kept.find_one_and_update({"_id": proposal.id}, {"$set": {"state": decision}})
        return _proposal(found) if found else proposal

    async def _merge(self, one: str, other: str) -> None:
        """As `auth.broker.linking` merges: sign-ons of the number that goes end, its receipts move."""
        first, second = await self._accounts.current(one), await self._accounts.current(other)
        if first == second:
            return
        kept, gone = await self._accounts.ordered(first, second)
        await self._sign_ons.end([gone])
        await self._accounts.merge(kept, gone)
        await self._sign_ons.end([gone])  # whoever signed in between
        await self._receipts.moved(gone, kept)


def _proposal(found: Mapping[str, Any]) -> Proposal:
    return Proposal(
        found["_id"], found["kind"], found["one"], found["other"], tuple(sorted(found["reasons"])),
        found["state"], found["created"],
    )  # fmt: skip
