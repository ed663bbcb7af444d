"""Person numbers: random, never derived; a merged one names the older one that it became.

Rule 1: `merged_into` always leads from the younger to the older (by `created`, then by number), so that
merges at the same moment, in whatever direction they were asked for, never make a circle.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from auth.documents import Person, kept_as
from auth.errors import Denied, Taken
from auth.store import Document, IndexSpec, Store, secret

COLLECTION = "auth_persons"
INDEXES: tuple[IndexSpec, ...] = (IndexSpec(COLLECTION, (("merged_into", 1),)),)
MOST_MERGED = 1000
_HOPS = 64


def new_number() -> str:
    """A fresh person number: 160 random bits, URL-safe."""
    return secret(160)


class Persons:
    """Keeps them. `clock` gives seconds since 1970. Every method may raise `StoreDown`."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._kept = store.collection(COLLECTION)
        self._clock = clock

    async def made(self, person: str) -> Person:
        """The person of this number, made now if there is none."""
        now = datetime.fromtimestamp(self._clock(), UTC)
        fresh = Person(id=person, created=now).document()
        try:
            found = await self._kept.find_one_and_update(
                {"_id": {"$eq": fresh.pop("_id")}}, {"$setOnInsert": fresh}, upsert=True
            )
        except Taken:  # made by somebody else between the server's look and its write
            found = await self._kept.find_one({"_id": {"$eq": person}})
        assert found is not None, "persons are never deleted"
        return kept_as(Person, found)

    async def current(self, person: str) -> str:
        """Who this number is by now."""
        for _ in range(_HOPS):
            found = await self._kept.find_one({"_id": {"$eq": person}})
            if found is None or not found.get("merged_into"):
                return person
            person = found["merged_into"]
        return person

    async def numbers(self, person: str) -> list[str]:
        """This number and all that became it."""
        found = [person]
        for each in found:  # grows while walked: what became one of those that became it, too
            merged = await self._kept.find({"merged_into": {"$eq": each}}, limit=MOST_MERGED)
            found.extend(one["_id"] for one in merged if one["_id"] not in found)
            if len(found) >= MOST_MERGED:
                break
        return found

    async def ordered(self, one: str, other: str) -> tuple[str, str]:
        """(the one that is kept, the one that goes), of two numbers that are current. Raises `Denied`."""
        both = [await self._known(one), await self._known(other)]
        both.sort(key=lambda person: (person.created, person.id))
        return both[0].id, both[1].id

    async def merged(self, one: str, other: str) -> tuple[str, str]:
        """Make two persons one: (kept, gone); ("the one", "") if they are one already. Repeating is safe."""
        for _ in range(_HOPS):
            first, second = await self.current(one), await self.current(other)
            if first == second:
                return first, ""
            kept, gone = await self.ordered(first, second)
            if await self._kept.update_one(
                {"_id": {"$eq": gone}, "merged_into": ""}, {"$set": {"merged_into": kept}}
            ):
                return kept, gone
        raise Denied("BUSY", "请稍后再试 / try again in a moment", 409)

    async def _known(self, person: str) -> Person:
        found = await self._kept.find_one({"_id": {"$eq": person}})
        if found is None:
            raise Denied("NO_SUCH_PERSON", "没有这个人员编号 / there is no such person number", 404)
        return kept_as(Person, found)

    async def leaving(self, person: str, intent: Document) -> Document | None:
        """Take the turn of letting one account leave this person: None when it is taken (that is, ours),
        else whoever has it."""
        await self.made(person)
        taken = await self._kept.update_one(
            {"_id": {"$eq": person}, "leaving": None}, {"$set": {"leaving": intent}}
        )
        if taken:
            return None
        found = await self._kept.find_one({"_id": {"$eq": person}})
        other: Document = (found or {}).get("leaving") or {}
        return other

    async def left(self, person: str, account: str) -> None:
        """Give the turn back."""
        await self._kept.update_one(
            {"_id": {"$eq": person}, "leaving.account": {"$eq": account}}, {"$unset": {"leaving": ""}}
        )
