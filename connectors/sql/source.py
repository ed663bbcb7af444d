"""A data centre's tables as a source: look-ups become one bounded statement, or two where numbers are hashed.

Rule 1: a person's number is read, hashed and dropped here; what is kept for a short while is its hash.
Rule 2: many schools cost as many statements as one.
"""

from __future__ import annotations

import asyncio
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.base import Capabilities, Connector, Identity, Offer, Options, Tools, inside, meets
from connectors.deadline import deadline
from connectors.errors import Malformed, Unanswerable
from connectors.mapping import KindMapping, Reader, Reading, Remarks, load_mapping
from connectors.recent import Recent
from connectors.sql import engine
from connectors.sql.document import SqlDocument, faults, sealed_fields
from connectors.sql.engine import SqlOptions
from connectors.sql.plan import WARNINGS, Plan, parts_of
from schema.model.record import Answer, Lookup, Page, Record
from schema.model.words import Kind

MOST = 20_000  # rows of one answer
BATCH = 500  # values of one filter
INDEXED = 256  # schools whose match keys are kept
LIFE_OF_A_STATEMENT = 30.0  # seconds for reading an index
SCHOOL = "school_code"

Index = dict[str, tuple[str, ...]]
"""Match key -> local ids of the rows that have it."""


@dataclass
class _Ask:
    """A look-up taken apart: what the database filters, what is filtered after reading."""

    where: list[ColumnElement[bool]] = field(default_factory=list)
    named: list[str] = field(default_factory=list)
    after: dict[str, frozenset[str]] = field(default_factory=dict)
    nobody: bool = False


class Sql(Connector):
    """One database behind one mapping file; built from a wrong one: MappingRefused or ValueError."""

    protocol: ClassVar[str] = "sql"
    options: ClassVar[type[Options]] = SqlOptions
    settings: SqlOptions

    def __init__(self, identity: Identity, options: SqlOptions, tools: Tools) -> None:
        super().__init__(identity, options, tools)
        mapping = load_mapping(inside(tools.root, options.mapping), SqlDocument, faults)
        self.database = engine.engine_for(options, tools.root)
        self._door = engine.Reader(self.database)
        self._plans = {kind: Plan(parts[0], mapping.document) for kind, parts in mapping.kinds.items()}
        self._readers = {kind: self._compiled(plan.mapping) for kind, plan in self._plans.items()}
        self._offers = {kind: _offer(plan) for kind, plan in self._plans.items()}
        self._indexes: dict[tuple[Kind, str], Recent[Index]] = {
            (kind, name): Recent(INDEXED, options.index_fresh, LIFE_OF_A_STATEMENT)
            for kind, plan in self._plans.items()
            for name in sealed_fields(plan.mapping)
        }

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(self._offers)

    async def look_up(self, lookup: Lookup, within: float) -> Answer:
        self.offer(lookup)
        plan, left = self._plans[lookup.kind], deadline(within)
        ask = await self._ask(plan, lookup, within)
        if ask.nobody:
            return Answer((), 0 if lookup.page else None)
        async with self._door.reading(left()) as connection:
            return await self._answer(connection, plan, ask, lookup)

    async def probe(self, within: float) -> None:
        """One key of the first table."""
        plan = next(iter(self._plans.values()))
        async with self._door.reading(within) as connection:
            await engine.rows(connection, plan.select(plan.mapping.key_natives, [], []).limit(1))

    async def aclose(self) -> None:
        for index in self._indexes.values():
            await index.aclose()
        await self._door.aclose()

    def _compiled(self, mapping: KindMapping) -> Reader:
        return mapping.reader(lambda native: operator.itemgetter(native), self.key, self.tools.seal)

    # The question

    async def _ask(self, plan: Plan, lookup: Lookup, within: float) -> _Ask:
        ask = _Ask()
        for name, values in lookup.where:
            if name == "key":
                self._by_key(plan, ask, lookup.keys)
            elif plan.mapping.fields[name].seal:
                await self._by_number(plan, ask, name, lookup, within)
            else:
                self._by_field(plan, ask, name, values)
        if lookup.text:
            ask.where.append(plan.contains(lookup.text))
            ask.named += plan.searched()
        return ask

    def _by_key(self, plan: Plan, ask: _Ask, keys: Sequence[str]) -> None:
        own = list(keys) if plan.mapping.spec.shared else self.local(keys)
        self._among(plan, ask, own)

    def _among(self, plan: Plan, ask: _Ask, local_ids: Iterable[str]) -> None:
        parts = [part for one in local_ids if (part := plan.mapping.local_key(one)) is not None]
        ask.nobody |= not parts
        ask.where.append(plan.among(parts))
        ask.named += plan.mapping.key_natives

    def _by_field(self, plan: Plan, ask: _Ask, name: str, values: Sequence[str]) -> None:
        native = plan.mapping.fields[name].from_
        turned = [plan.mapping.native(name, value, self.identity.code) for value in values]
        known = [one for several in turned if several is not None for one in several]
        if native is None:
            ask.nobody |= None not in turned  # a constant: every record matches, or none
        elif None in turned:
            ask.after[name] = frozenset(values)
        else:
            ask.nobody |= not known
            ask.where.append(plan.holds(native, known))
            ask.named.append(native)

    async def _by_number(self, plan: Plan, ask: _Ask, name: str, lookup: Lookup, within: float) -> None:
        schools, wanted = lookup.values(SCHOOL), frozenset(lookup.values(name))
        if not schools:
            raise Unanswerable(f"{self.identity.code}: {name} is looked for in a school; say school_code")

        async def read(missing: list[str]) -> Mapping[str, Index]:
            return await self._read_index(plan, name, missing)

        found = await self._indexes[(lookup.kind, name)].get(schools, read, within)
        ids = [one for index in found.values() for key in wanted for one in index.get(key, ())]
        if len(ids) > MOST:
            raise Malformed(f"{len(ids)} rows for {len(wanted)} persons: is {name} mapped to a number?")
        self._among(plan, ask, dict.fromkeys(ids))
        ask.after[name] = wanted

    async def _read_index(self, plan: Plan, name: str, schools: list[str]) -> dict[str, Index]:
        """The numbers of whole schools in one statement, hashed in a thread."""
        fields, part = (name, SCHOOL), _Ask()
        self._by_field(plan, part, SCHOOL, schools)
        if part.nobody:
            return {school: {} for school in schools}
        natives = plan.natives(fields)
        statement = plan.select(natives, part.where, part.named)
        async with self._door.reading(LIFE_OF_A_STATEMENT) as connection:
            found = await engine.rows(connection, statement)

        def sealed() -> dict[str, Index]:
            indexes: dict[str, dict[str, list[str]]] = {school: {} for school in schools}
            for reading in self._readings(plan, natives, fields, found, Remarks(plan.mapping.kind)):
                school = indexes.get(reading.values.get(SCHOOL, ""))
                if school is not None and name in reading.values:
                    school.setdefault(reading.values[name], []).append(reading.local_id)
            return {
                school: {key: tuple(ids) for key, ids in held.items()} for school, held in indexes.items()
            }

        return await asyncio.to_thread(sealed)

    # The answer

    async def _answer(self, connection: AsyncConnection, plan: Plan, ask: _Ask, lookup: Lookup) -> Answer:
        page = lookup.page or Page(0, MOST)
        if lookup.page and ask.after:
            raise Unanswerable(f"{self.identity.code} cannot page {lookup.kind} by {', '.join(ask.after)}")
        fields = plan.read({*lookup.fields, *ask.after})
        natives = plan.natives(fields)
        statement = plan.select(natives, ask.where, ask.named).order_by(*plan.order())
        found = await engine.rows(connection, statement.offset(page.offset).limit(page.limit + 1))
        shown = found[: page.limit]
        total = None
        if lookup.page:
            total = (await engine.rows(connection, plan.count(ask.where, ask.named)))[0][0]
        lists = await self._lists(connection, plan, fields, natives, shown)
        remarks = Remarks(lookup.kind)

        def read() -> tuple[Record, ...]:
            readings = self._readings(plan, natives, fields, shown, remarks, lists)
            held = (one for one in readings if meets(one.values, ask.after.items()))
            return tuple(self._told(plan, one, lookup) for one in held)

        records = await asyncio.to_thread(read) if len(shown) > 200 else read()
        return Answer(records, total, len(found) > page.limit, remarks.lines())

    def _readings(
        self,
        plan: Plan,
        natives: Sequence[str],
        fields: Iterable[str],
        found: Iterable[Sequence[Any]],
        remarks: Remarks,
        lists: Mapping[str, Mapping[Any, list[dict[str, Any]]]] | None = None,
    ) -> list[Reading]:
        read, wanted = self._readers[plan.mapping.kind], frozenset(fields)
        hung = [(name, plan.stem(name), parts) for name, parts in (lists or {}).items()]
        readings = []
        for row in found:
            native = dict(zip(natives, row, strict=True))
            native |= {name: parts.get(native[stem], []) for name, stem, parts in hung}
            reading = read(native, wanted, remarks)
            if reading is not None:
                readings.append(reading)
        return readings

    async def _lists(
        self, connection: AsyncConnection, plan: Plan, fields: Iterable[str], natives: Sequence[str],
        shown: Sequence[Sequence[Any]],
    ) -> dict[str, dict[Any, list[dict[str, Any]]]]:  # fmt: skip
        """The parts of every wanted list, by the value their rows hang on: one statement a list."""
        lists: dict[str, dict[Any, list[dict[str, Any]]]] = {}
        for name, rule in plan.lists(list(fields)).items():
            place, columns = natives.index(plan.stem(name)), plan.part_columns(name)
            held = list(dict.fromkeys(row[place] for row in shown))
            found = await engine.rows(connection, parts_of(rule, columns, held).limit(MOST)) if held else []
            lists[name] = {}
            for one in found:
                lists[name].setdefault(one[0], []).append(dict(zip(columns, one[1:], strict=True)))
        return lists

    def _told(self, plan: Plan, reading: Reading, lookup: Lookup) -> Record:
        values = {name: reading.values[name] for name in lookup.fields if name in reading.values}
        if WARNINGS in lookup.fields and (warnings := _warnings(plan, reading.values)):
            values[WARNINGS] = [*values.get(WARNINGS, []), *warnings]
        return self.record(
            lookup.kind, reading.key, reading.local_id, values, updated_at=reading.updated_at
        )  # fmt: skip


def _offer(plan: Plan) -> Offer:
    fields = frozenset(plan.mapping.fields) | ({WARNINGS} if plan.sums else frozenset())
    by = frozenset({"key", *plan.mapping.rule.by})
    pages = not sealed_fields(plan.mapping)
    return Offer(
        fields, by, batch=BATCH, pages=pages, totals=pages, search=bool(plan.searched()),
        fresh_for=plan.mapping.rule.fresh_for,
    )  # fmt: skip


def _warnings(plan: Plan, values: Mapping[str, Any]) -> list[str]:
    """What does not add up, in words; the figures stay as they are printed."""
    found = []
    for whole, parts in plan.sums.items():
        told = [values.get(name) for name in (whole, *parts)]
        if None not in told and told[0] != (total := sum(told[1:])):  # type: ignore[arg-type]
            label: Callable[[str], str] = lambda name: plan.mapping.spec.fields[name].zh  # noqa: E731
            names = " + ".join(map(label, parts))
            found.append(
                f"{label(whole)}原表为 {told[0]:,}，{names}为 {total:,}，未改动 / "
                f"{whole} is {told[0]:,} as printed, its parts add up to {total:,}; kept"
            )
    return found


__all__ = ["Sql"]
