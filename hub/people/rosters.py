"""Who a person is by now: their records, roles, classes and children, from the rosters of the joined sources.

Rule 1: an account leads to records by what an authority asserted: the sourcedId in a roster, or the keyed
hash of a number; never by name, telephone or address.
Rule 2: a silent roster costs roles, never the sign-in: what it told before is used while the cache keeps it.
Rule 3: who serves a whole region is appointed (ADMIN); any other role without a school has no scope.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from auth.documents import Account
from auth.ports import Profile
from auth.principal import RoleClaim
from hub.mongo import StorageError
from schema.graph.context import Directory, Entity
from schema.model.codes import LEVELS, PersonRole
from schema.model.policy import ADULT_ROLES, is_minor
from schema.model.record import Place
from schema.model.viewer import Viewer
from schema.model.words import Kind

ROSTER, MATCH = "roster:", "match"
MOST_RECORDS, MOST_CLASSES = 20, 200
PERSON = frozenset({"display_name", "roles", "birth_date", "class_keys", "school_code", "region_code",
                    "person_key", "match_key"})  # fmt: skip
CLASSES = frozenset({"class_key", "role"})
CHILDREN = frozenset({"person_key", "is_legal_guardian", "region_code", "school_code"})


@dataclass(frozen=True, slots=True)
class RosterPeople:
    """`auth.ports.People`. `directory` makes one for a viewer who sees what is their own; `find` tells the
    record keys of a keyed hash, and raises `StorageError` when it cannot."""

    directory: Callable[[Viewer], Directory]
    today: Callable[[], date]
    find: Callable[[str], Awaitable[Sequence[str]]]

    async def profile(self, person: str, accounts: Sequence[Account]) -> Profile:
        """Roles and records; raises nothing for a silent source."""
        keys, numbers = _asserted(accounts)
        keys |= await self._indexed(numbers)
        own = self.directory(Viewer("hub|people", person_keys=keys, match_keys=numbers))
        records = await _records(own, keys)
        found = [await self._roles(own, record) for record in records]
        roles = [*(role for roles, _ in found for role in roles), *_appointed(accounts)]
        children = dict.fromkeys(child for _, theirs in found for child in theirs)
        return Profile(
            person=person,
            level=_level(accounts),
            name=_name(records, accounts),
            roles=tuple(dict.fromkeys(roles)),
            person_keys=tuple(dict.fromkeys([*(record.key for record in records), *sorted(keys)])),
            children_keys=tuple(children),
            minor=self._minor(records, accounts),
            assurance=max((account.assurance for account in accounts), key=_rank, default=""),
        )

    async def _indexed(self, numbers: Iterable[str]) -> frozenset[str]:
        """The records of these keyed hashes; none while the index cannot be read."""
        try:
            found = [await self.find(number) for number in sorted(numbers)[:MOST_RECORDS]]
        except StorageError:
            return frozenset()
        return frozenset(key for keys in found for key in keys)

    async def _roles(self, own: Directory, record: Entity) -> tuple[list[RoleClaim], list[str]]:
        """The roles that one record gives, and the keys of the children it stands for."""
        held = [role for role in record.values.get("roles") or () if role in PersonRole.__members__]
        classes = await _classes(own, record)
        children: list[str] = []
        if PersonRole.GUARDIAN in held:
            children = await _children(own, record)
        roles = []
        for role in held:
            if role == PersonRole.GUARDIAN:
                roles += await self._as_guardian(record, children)
            else:
                roles.append(_claim(role, record.place, classes.get(role) or classes.get("") or ()))
        return roles, children

    async def _as_guardian(self, record: Entity, children: Sequence[str]) -> list[RoleClaim]:
        """A guardian stands where the children do: at their schools, with their classes."""
        theirs = self.directory(
            Viewer("hub|people", person_keys=frozenset({record.key}), children_keys=frozenset(children))
        )
        looked = await asyncio.gather(*(theirs.get(Kind.PERSON, key, PERSON) for key in children))
        return [
            _claim(PersonRole.GUARDIAN, child.place, child.values.get("class_keys") or ())
            for child, _ in looked
            if child is not None
        ] or [_claim(PersonRole.GUARDIAN, record.place, ())]

    def _minor(self, records: Sequence[Entity], accounts: Sequence[Account]) -> bool:
        """By the rosters; where they tell nothing, an account whose authority says an adult's role counts."""
        if records:
            return any(is_minor(record.values, self.today()) for record in records)
        told = {claim.role for account in accounts for claim in account.roles}
        return not told & ADULT_ROLES


def _asserted(accounts: Iterable[Account]) -> tuple[frozenset[str], frozenset[str]]:
    """The records' keys at rosters, and the keyed hashes, that authorities asserted."""
    pairs = [pair for account in accounts for pair in account.identifiers.items()][:MOST_RECORDS]
    keys = {f"{space.removeprefix(ROSTER)}:{value}" for space, value in pairs if space.startswith(ROSTER)}
    return frozenset(keys), frozenset(value for space, value in pairs if space == MATCH)


async def _records(own: Directory, keys: Iterable[str]) -> list[Entity]:
    """The persons at rosters."""
    looked = await asyncio.gather(*(own.get(Kind.PERSON, key, PERSON) for key in sorted(keys)[:MOST_RECORDS]))
    return [entity for entity, _ in looked if entity is not None]


async def _classes(own: Directory, record: Entity) -> dict[str, tuple[str, ...]]:
    """Keys of the classes by role; under "" those the record itself tells."""
    answer = await own.related(Kind.ENROLLMENT, "person_key", record.key, CLASSES, place=record.place)
    held: dict[str, list[str]] = {"": list(record.values.get("class_keys") or ())}
    for entity in answer.entities:
        held.setdefault(str(entity.values.get("role") or ""), []).append(str(entity.values.get("class_key")))
    return {role: tuple(dict.fromkeys(keys))[:MOST_CLASSES] for role, keys in held.items()}


async def _children(own: Directory, record: Entity) -> list[str]:
    answer = await own.related(Kind.GUARDIANSHIP, "guardian_key", record.key, CHILDREN, place=record.place)
    legal = (one for one in answer.entities if one.values.get("is_legal_guardian") is not False)
    return [str(one.values["person_key"]) for one in legal if one.values.get("person_key")][:MOST_RECORDS]


def _claim(role: str, place: Place, classes: Iterable[str]) -> RoleClaim:
    return RoleClaim(str(role), place.region_code or None, place.school_code or None, tuple(classes))


def _appointed(accounts: Iterable[Account]) -> list[RoleClaim]:
    """Roles that providers asserted of their own people, within their own region."""
    told = (claim for account in accounts for claim in account.roles if claim.role in PersonRole.__members__)
    return [
        claim if claim.school_code or claim.role == PersonRole.ADMIN else RoleClaim(claim.role)
        for claim in told
    ]


def _level(accounts: Sequence[Account]) -> str:
    """The level of the account last used."""
    last = max(accounts, key=lambda account: account.seen, default=None)
    return last.level if last else LEVELS[-1].value


def _name(records: Sequence[Entity], accounts: Sequence[Account]) -> str:
    told = (str(record.values.get("display_name") or "") for record in records)
    names = (*told, *(account.display_name for account in accounts))
    return next((name for name in names if name), "")


def _rank(assurance: str) -> int:
    order = ("", "SELF_ASSERTED", "NAME_VERIFIED", "FACE_VERIFIED")
    return order.index(assurance) if assurance in order else 0
