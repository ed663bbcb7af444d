"""Everything the hub itself holds about one person, as one document (PIPL art. 45)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from auth.broker.accounts import Accounts
from auth.store import Store
from hub.people.holdings import MOST, SORTS, Sort, Traces, shown, traces

SAID = (
    "本文件是中心自身所存关于您的信息；学校和各级部门的记录由其保存，请向其查阅 / this is what the hub "
    "itself holds about you; records of schools and bureaus are theirs: ask them"
)


class Export:
    """Makes them. `clock` gives seconds since 1970. Methods raise `StoreDown`."""

    def __init__(self, store: Store, accounts: Accounts, clock: Callable[[], float]) -> None:
        self._store, self._accounts, self._clock = store, accounts, clock

    async def of(self, person: str) -> dict[str, Any]:
        """The document: plain values and dates, each sort of thing as a list, the newest first.

        `more` names the sorts of which there is more than the 20,000 newest. Nothing that opens anything is
        in it, and of what was read of the person not who read it: that is the reader's own.
        """
        found = await traces(self._store, self._accounts, person)
        lists = {sort.name: await self._list(sort, found) for sort in SORTS}
        lists["read_of_you"] = [_of_oneself(one, frozenset(found.keys)) for one in lists["read_of_you"]]
        return {
            "format": "rongtong.person.1",
            "made": datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="seconds"),
            "said": SAID,
            "person": found.person,
            "earlier_numbers": [one for one in found.numbers if one != found.person],
            "record_keys": list(found.keys),
            "more": [name for name, held in lists.items() if len(held) >= MOST],
            **lists,
        }

    async def counts(self, person: str) -> dict[str, int]:
        """How many there are of each sort."""
        found = await traces(self._store, self._accounts, person)
        return {sort.name: await self._count(sort, found) for sort in SORTS}

    async def _list(self, sort: Sort, found: Traces) -> list[dict[str, Any]]:
        where = found.where(sort)
        if where is None:
            return []
        order = [(sort.newest, -1)] if sort.newest else None
        held = await self._store.collection(sort.collection).find(where, limit=MOST, order=order)
        return [shown(sort, one) for one in held]

    async def _count(self, sort: Sort, found: Traces) -> int:
        where = found.where(sort)
        return await self._store.collection(sort.collection).count(where, limit=MOST) if where else 0


def _of_oneself(entry: Mapping[str, Any], keys: frozenset[str]) -> dict[str, Any]:
    """An entry about many, as far as it is about this person."""
    reads: Sequence[Mapping[str, Any]] = entry["reads"]
    own = [
        {**read, "about": sorted(keys & set(read["about"]))} for read in reads if keys & set(read["about"])
    ]
    return {**entry, "reads": own}
