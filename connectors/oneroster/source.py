"""A roster as a source: which kinds it offers, and how a look-up becomes the fewest requests.

Rule 1: what is only needed for some fields (numbers, dates of birth, classes) is asked for only with them.
Rule 2: every filter is held against the values again, so that no server can widen an answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import ClassVar

from connectors.base import (
    Capabilities,
    Connector,
    Identity,
    Tools,
    filters,
    meets,
    narrowed,
    only,
    window,
)
from connectors.deadline import in_time
from connectors.errors import Unanswerable
from connectors.oneroster.bundle import Bundle
from connectors.oneroster.offers import ATTRIBUTES, COLLECTIONS, DOORS, OFFERS, SHARES
from connectors.oneroster.options import OneRosterOptions
from connectors.oneroster.rest import Rest
from connectors.oneroster.roster import Ask, Found, Item, Remarks, Roster, ref, refs
from connectors.oneroster.words import (
    Around,
    Org,
    Words,
    moment,
    region_of,
    school_code_of,
    school_year,
)
from connectors.recent import Recent
from connectors.together import side_by_side
from schema.model.record import Answer, Lookup, Record
from schema.model.words import Kind

PAIR = "~"  # between child and guardian in the key of a guardianship
MANY = 500  # items that are turned into words beside the loop
FACTS = frozenset({"gender", "birth_date"})
MEMBERS = frozenset({"homeroom_teacher_key", "student_count"})


@dataclass(frozen=True, slots=True)
class _Index:
    """What references mean, read `at`; refreshed with the organisations."""

    at: float
    orgs: Mapping[str, Org]
    schools: Mapping[str, tuple[str, ...]]
    years: Mapping[str, str]


@dataclass(slots=True)
class _Question:
    """One look-up on its way; `at`: when the oldest part of its answer was read."""

    lookup: Lookup
    until: float
    at: float
    remarks: Remarks
    fields: frozenset[str]

    @property
    def kind(self) -> Kind:
        return self.lookup.kind


class OneRoster(Connector):
    """A county's or a school's roster (1EdTech OneRoster 1.2, 1.1), over REST or as a CSV bundle."""

    protocol: ClassVar[str] = "oneroster"
    options: ClassVar[type[OneRosterOptions]] = OneRosterOptions

    def __init__(self, identity: Identity, options: OneRosterOptions, tools: Tools) -> None:
        super().__init__(identity, options, tools)
        self._roster: Roster = Bundle(tools.root, options) if options.bundle else Rest(tools.http, options)
        self._indexes: Recent[_Index] = Recent(size=2, life=options.index_for)
        self._capabilities = Capabilities(OFFERS)

    @property
    def capabilities(self) -> Capabilities:
        """The same for REST and bundle."""
        return self._capabilities

    async def look_up(self, lookup: Lookup, within: float) -> Answer:
        """See Connector; fields that need a second request are fetched only when wanted."""
        offer = self.offer(lookup)
        if lookup.values("match_key") and not lookup.values("school_code"):
            raise Unanswerable(f"{self.identity.code}: match_key needs a school_code beside it")
        until = asyncio.get_running_loop().time() + within
        asked = frozenset((*lookup.fields, *(name for name, _ in lookup.where if name != "key")))
        question = _Question(lookup, until, self.tools.now(), Remarks(), asked & offer.fields)
        async with self._in_time(within):
            return await self._answer(question)

    async def probe(self, within: float) -> None:
        """One organisation over REST; a bundle is read whole."""
        async with self._in_time(within):
            await self._roster.probe(asyncio.get_running_loop().time() + within)

    async def aclose(self) -> None:
        """Give back what is kept."""
        await self._indexes.aclose()
        await self._roster.aclose()

    def _in_time(self, within: float) -> AbstractAsyncContextManager[None]:
        return in_time(within, f"{self.identity.code}: no whole answer")

    async def _answer(self, question: _Question) -> Answer:
        if question.kind is Kind.GUARDIANSHIP:
            records, more = await self._guardianships(question)
        else:
            records, more = await self._told(question)
        lookup, whole = question.lookup, not more
        where = filters(lookup)
        kept = [record for record in records if meets(record.values, where, record.key)]
        shown, rest = window(kept, lookup.page, max(len(kept), 1))
        total = len(kept) if whole and OFFERS[lookup.kind].totals else None
        told = tuple(narrowed(record, lookup.fields) for record in shown)
        return Answer(told, total, rest or (bool(shown) and more), question.remarks.told())

    # From a look-up to items

    async def _told(self, question: _Question) -> tuple[list[Record], bool]:
        ask = await self._ask(question)
        if ask is None:
            return [], False
        found = await self._roster.select(ask, question.until, question.remarks)
        around = await self._around(question, ask, found.items)
        return await self._records(question, around, found), found.more

    async def _ask(self, question: _Question) -> Ask | None:
        """What to ask the roster for, by the narrowest filter; None where nothing can match."""
        kind, attributes = question.kind, ATTRIBUTES[question.kind]
        wanted = frozenset(part for name in question.fields for part in attributes.get(name, ()))
        ask = Ask(COLLECTIONS[kind], wanted | SHARES.get(kind, frozenset()))
        door = next((name for name in DOORS[kind] if question.lookup.values(name)), None)
        if door is None:
            return ask
        values = await self._translated(question, door, question.lookup.values(door))
        path = DOORS[kind][door] or self._roster.user_school
        return replace(ask, path=path, values=values) if values else None

    async def _translated(self, question: _Question, door: str, values: Sequence[str]) -> tuple[str, ...]:
        if door == "key" and question.kind is Kind.SCHOOL:
            return tuple(
                value for value in values if len(value) == 10 and value.isascii() and value.isdigit()
            )
        if door != "school_code":
            return tuple(self.local(values))
        schools = (await self._index(question)).schools
        return tuple(own for value in values for own in schools.get(value, ()))

    async def _around(self, question: _Question, ask: Ask, items: list[Item]) -> Around:
        """What else is needed for the fields that are wanted, side by side."""
        if question.kind in (Kind.SCHOOL, Kind.ORGANIZATION) or not items:
            return Around({}, self.identity.region_code)
        fields = question.fields
        placed = fields & {"school_code", "region_code", "school_year"}
        async with side_by_side() as group:
            index = group.create_task(self._index(question)) if placed else None
            members = group.create_task(self._members(question, ask, items))
            facts = group.create_task(self._facts(question, items))
        known = index.result() if index else None
        orgs, years = (known.orgs, known.years) if known else ({}, {})
        return Around(orgs, self.identity.region_code, years, members.result(), facts.result())

    async def _facts(self, question: _Question, items: list[Item]) -> dict[str, Item]:
        if question.kind is not Kind.PERSON or not question.fields & FACTS:
            return {}
        attributes = {"gender": "sex", "birth_date": "birthDate"}
        wanted = frozenset(attributes[name] for name in question.fields & FACTS)
        found = await self._select(question, "demographics", wanted, "sourcedId", _ids(items))
        return {item["sourcedId"]: item for item in found.items}

    async def _members(self, question: _Question, ask: Ask, items: list[Item]) -> dict[str, list[Item]]:
        """Enrolments of these users or classes, by user or class; of whole schools in one filter."""
        if question.kind is Kind.PERSON and "class_keys" in question.fields:
            name = "user"
        elif question.kind is Kind.CLASS_GROUP and question.fields & MEMBERS:
            name = "class"
        else:
            return {}
        by_school = ask.path in (self._roster.user_school, "school.sourcedId")
        path, values = ("school.sourcedId", ask.values) if by_school else (f"{name}.sourcedId", _ids(items))
        return await self._enrolled(question, name, path, values)

    async def _enrolled(
        self, question: _Question, name: str, path: str, values: Sequence[str]
    ) -> dict[str, list[Item]]:
        wanted = frozenset({"role", "primary", "class", "user"})
        found = await self._select(question, "enrollments", wanted, path, values)
        if found.more:
            question.remarks.add("班级成员过多，部分未计 / too many enrolments, some were not read")
        grouped: dict[str, list[Item]] = {}
        for item in found.items:
            grouped.setdefault(ref(item, name), []).append(item)
        return grouped

    async def _select(
        self, question: _Question, collection: str, wanted: frozenset[str], path: str, values: Sequence[str]
    ) -> Found:
        if not values:
            return Found([])
        ask = Ask(collection, wanted, path, tuple(values))
        return await self._roster.select(ask, question.until, question.remarks)

    # From items to records

    async def _records(self, question: _Question, around: Around, found: Found) -> list[Record]:
        def make() -> list[Record]:
            words = Words(self.key, self.tools.seal, around, question.remarks)
            made = (self._record(question, words, item) for item in found.items)
            return [record for record in made if record is not None]

        return await asyncio.to_thread(make) if len(found.items) > MANY else make()

    def _record(self, question: _Question, words: Words, item: Item) -> Record | None:
        kind, own = question.kind, item["sourcedId"]
        if kind is Kind.SCHOOL and not school_code_of(item):
            question.remarks.add("学校没有十位标识码 / a school without a ten-digit code")
            return None
        if kind is Kind.ORGANIZATION and item.get("type") == "school":
            return None
        if kind is Kind.ENROLLMENT and not (ref(item, "user") and ref(item, "class")):
            question.remarks.add("班级成员缺少人员或班级 / an enrolment without user or class")
            return None
        key = school_code_of(item) if kind is Kind.SCHOOL else self.key(own)
        values = only(_VALUES[kind](words, item), question.fields)
        return self.record(kind, key, own, values, updated_at=moment(item), fetched_at=question.at)

    # Families

    async def _guardianships(self, question: _Question) -> tuple[list[Record], bool]:
        """Both ends of each agent reference: the child's and the guardian's users, in two requests."""
        firsts = await self._firsts(question)
        others = sorted({own for item in firsts for own in refs(item, "agents")})
        found = await self._users(question, others)
        users = {item["sourcedId"]: item for item in (*firsts, *found)}
        pairs = list(_pairs(users))
        children = sorted({child for child, _ in pairs})
        around = await self._family(question, children)
        words = Words(self.key, self.tools.seal, around, question.remarks)
        records = (self._pair(question, words, users[child], users[guardian]) for child, guardian in pairs)
        return list(records), False

    async def _firsts(self, question: _Question) -> list[Item]:
        """The users at the end that was asked for."""
        lookup = question.lookup
        asked = lookup.values("person_key") or lookup.values("guardian_key")
        own = self.local(asked) if asked else [key.split(PAIR)[0] for key in self.local(lookup.keys)]
        if not lookup.where:
            raise Unanswerable(f"{self.identity.code}: guardianships are told by child or guardian only")
        return await self._users(question, own)

    async def _users(self, question: _Question, own: Sequence[str]) -> list[Item]:
        attributes = ATTRIBUTES[Kind.GUARDIANSHIP]
        wanted = frozenset(part for name in question.fields for part in attributes.get(name, ()))
        wanted |= {"agents", "roles"}
        return (await self._select(question, "users", wanted, "sourcedId", own)).items

    async def _family(self, question: _Question, children: list[str]) -> Around:
        placed = question.fields & {"school_code", "region_code"}
        orgs = (await self._index(question)).orgs if placed and children else {}
        enrolled: dict[str, list[Item]] = {}
        if "class_keys" in question.fields:
            enrolled = await self._enrolled(question, "user", "user.sourcedId", children)
        return Around(orgs, self.identity.region_code, enrolled=enrolled)

    def _pair(self, question: _Question, words: Words, child: Item, guardian: Item) -> Record:
        own = f"{child['sourcedId']}{PAIR}{guardian['sourcedId']}"
        values = words.guardianship(child, guardian)
        # Scope and filters need both ends, whatever was wanted.
        kept = only(values, question.fields | {"person_key", "guardian_key"})
        return self.record(
            question.kind, self.key(own), own, kept, updated_at=moment(child), fetched_at=question.at
        )

    # What references mean

    async def _index(self, question: _Question) -> _Index:
        """Organisations (and school years, where wanted), remembered for a moment, fetched once for all."""
        name = "years" if "school_year" in question.fields else "orgs"

        async def make(names: list[str]) -> dict[str, _Index]:
            until = asyncio.get_running_loop().time() + 30.0
            return {names[0]: await self._fetched(names[0] == "years", until, Remarks())}

        within = max(question.until - asyncio.get_running_loop().time(), 0.001)
        index = (await self._indexes.get([name], make, within))[name]
        question.at = min(question.at, index.at)
        return index

    async def _fetched(self, sessions: bool, until: float, remarks: Remarks) -> _Index:
        at = self.tools.now()
        orgs = Ask("orgs", frozenset({"type", "identifier", "parent", "metadata"}))
        known: dict[str, Org] = {}
        schools: dict[str, tuple[str, ...]] = {}
        for item in (await self._roster.select(orgs, until, remarks)).items:
            code = school_code_of(item)
            known[item["sourcedId"]] = Org(code, region_of(item, self.identity.region_code))
            if code:
                schools[code] = (*schools.get(code, ()), item["sourcedId"])
        if not sessions:
            return _Index(at, known, schools, {})
        terms = await self._roster.select(Ask("academicSessions", frozenset({"schoolYear"})), until, remarks)
        years = {item["sourcedId"]: year for item in terms.items if (year := school_year(item))}
        return _Index(at, known, schools, years)


def _ids(items: Iterable[Item]) -> tuple[str, ...]:
    return tuple(item["sourcedId"] for item in items)


def _is(user: Item, *names: str) -> bool:
    roles = user.get("roles")
    held = [role.get("role") for role in roles if isinstance(role, dict)] if isinstance(roles, list) else []
    return bool({*held, user.get("role")} & set(names))


def _pairs(users: Mapping[str, Item]) -> Iterable[tuple[str, str]]:
    """(child, guardian), told from either end, each once."""
    seen: set[tuple[str, str]] = set()
    for own, user in users.items():
        for other in refs(user, "agents"):
            child, guardian = (own, other) if _is(user, "student") else (other, own)
            known = child in users and guardian in users
            if known and _is(users[child], "student") and _is(users[guardian], *_FAMILY):
                seen.add((child, guardian))
    return sorted(seen)


_FAMILY = ("parent", "guardian", "relative")
_VALUES = {
    Kind.SCHOOL: Words.school,
    Kind.ORGANIZATION: Words.organization,
    Kind.CLASS_GROUP: Words.class_group,
    Kind.PERSON: Words.person,
    Kind.ENROLLMENT: Words.enrollment,
}
