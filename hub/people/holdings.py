"""What the hub itself holds of a person, and where: the one list that export and erasure both go by.

What schools and bureaus hold stays theirs: the hub shows it, and keeps none of it here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from auth import local, passkeys, sessions
from auth.broker import claims, linking
from auth.broker.accounts import Accounts
from auth.broker.persons import COLLECTION as PERSONS
from auth.documents import Account
from auth.provider import codes, consents, device_codes, families
from auth.store import Store
from hub.people.consents import COLLECTION as RECEIPTS
from hub.people.index import COLLECTION as INDEX
from hub.people.index import doubtful
from hub.people.shipping import COLLECTION as AUDIT

ROSTER, MATCH = "roster:", "match"
MOST = 20_000
"""Documents of one sort that are shown; whoever has more is told that there are more."""
MOST_NUMBERS = 1_000


@dataclass(frozen=True, slots=True)
class Sort:
    """One sort of document: `name` in the export, the collection, the field that says whose, by what
    (`person`: numbers; `key`: keys of records; `local`: the hub's own accounts; `account`: all accounts)."""

    name: str
    collection: str
    field: str
    by: str
    secret: tuple[str, ...] = ()
    """Fields that open something, or that are of no meaning to anybody: never shown."""
    goes: bool = True
    """Whether erasure takes it away."""
    newest: str = ""


P, K, L = "person", "key", "local"
_UNSAID = ("mac", "_id", "told_at")
SORTS = (
    Sort("accounts", claims.ACCOUNTS, "person", P, ("noting", "noted", "wanted", "settled")),
    Sort("local_accounts", local.COLLECTION, "_id", L, ("hashed",)),
    Sort("passkeys", passkeys.COLLECTION, "account", L, ("credential",)),
    Sort("sessions", sessions.COLLECTION, "person", P, ("cookie_kept", "browser", "told"), newest="created"),
    Sort("grants", families.COLLECTION, "person", P, ("root", "current", "previous"), newest="created"),
    Sort("codes", codes.COLLECTION, "person", P, ("_id", "challenge", "nonce")),
    Sort("devices", device_codes.COLLECTION, "person", P, ("_id", "user")),
    Sort("merges_offered", linking.COLLECTION, "person", P, ("_id", "browser", "other")),
    Sort("consents_to_applications", consents.COLLECTION, "person", P, ("interaction",), newest="at"),
    Sort("consents_to_third_parties", RECEIPTS, "about", K, ("agreement",), newest="granted_at"),
    Sort("possibly_the_same", claims.CANDIDATES, "persons", P, ("persons",)),
    Sort("records_known_by_number", INDEX, "_id", K),
    Sort("read_of_you", AUDIT, "reads.about", K, (*_UNSAID, "by"), goes=False, newest="at"),
    Sort("what_happened", AUDIT, "person", P, _UNSAID, goes=False, newest="at"),
    Sort("read_by_you", AUDIT, "by", P, (*_UNSAID, "reads"), goes=False, newest="at"),
)


@dataclass(frozen=True, slots=True)
class Traces:
    """By what a person is found: number and those that became it, accounts, keys of records."""

    person: str
    numbers: tuple[str, ...]
    accounts: tuple[Account, ...]
    keys: tuple[str, ...]

    def values(self, by: str) -> list[str]:
        """What a sort's field is compared with."""
        if by == "person":
            return list(self.numbers)
        if by == "key":
            return list(self.keys)
        chosen = [one for one in self.accounts if by == "account" or one.upstream == local.LOCAL]
        return [one.id if by == "account" else one.sub for one in chosen]

    def where(self, sort: Sort) -> dict[str, Any] | None:
        """The filter of a sort; None where nothing can match."""
        values = self.values(sort.by)
        return {sort.field: {"$in": values}} if values else None


async def traces(store: Store, accounts: Accounts, person: str) -> Traces:
    """The traces of a person number, by whichever of its numbers. Raises `StoreDown`."""
    current = await accounts.current(person)
    numbers = [current]
    persons = store.collection(PERSONS)
    for each in numbers:  # grows while walked: what became one of those that became it, too
        merged = await persons.find({"merged_into": {"$eq": each}}, limit=MOST_NUMBERS)
        numbers += [one["_id"] for one in merged if one["_id"] not in numbers]
        if len(numbers) >= MOST_NUMBERS:
            break
    held = await accounts.of_person(current)
    return Traces(current, tuple(numbers), tuple(held), tuple(await _keys(store, held)))


async def _keys(store: Store, accounts: Sequence[Account]) -> list[str]:
    """Keys of the records that the accounts lead to: as authorities asserted them, and by number."""
    pairs = [pair for account in accounts for pair in account.identifiers.items()]
    keys = [f"{space.removeprefix(ROSTER)}:{value}" for space, value in pairs if space.startswith(ROSTER)]
    numbers = [value for space, value in pairs if space == MATCH and value]
    index = store.collection(INDEX)
    numbers += [one["match"] for one in await index.find({"_id": {"$in": keys}}, limit=200) if one["match"]]
    found = await index.find({"match": {"$in": numbers}}, limit=200) if numbers else []
    return list(dict.fromkeys([*keys, *numbers, *(one["_id"] for one in found if not doubtful(one, found))]))


def shown(sort: Sort, document: Mapping[str, Any]) -> dict[str, Any]:
    """A document without what opens something."""
    told = {name: value for name, value in document.items() if name not in sort.secret}
    if "upstreams" in told:
        told["upstreams"] = [
            {name: value for name, value in one.items() if name != "hint"} for one in told["upstreams"]
        ]
    return {("id" if name == "_id" else name): value for name, value in told.items()}
