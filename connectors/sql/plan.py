"""From a look-up to a statement: the columns that the wanted fields need, the joins they need, bound values.

Rule 1: this file does no I/O.
Rule 2: SELECT lists exactly what is read; a column nobody asked for is never named.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, String, and_, column, func, or_, select, table
from sqlalchemy.sql.expression import FromClause, TableClause, false

from connectors.mapping import KindMapping
from connectors.mapping.rules import field_rule
from connectors.sql.document import ListRule, SqlDocument

WARNINGS = "warnings"


class Plan:
    """How one kind is asked for; made once."""

    def __init__(self, mapping: KindMapping, document: SqlDocument) -> None:
        self.mapping, self.document = mapping, document
        self.base = mapping.source
        self._joins = document.joins.get(self.base, {})
        self._tables = self._declared()

    def _declared(self) -> dict[str, TableClause]:
        """Every table of the kind with every column that may be named."""
        columns: dict[str, list[str]] = {self.base: []}
        for native in self.mapping.names():
            place, _, name = self.stem(native).rpartition(".")
            columns.setdefault(place or self.base, []).append(name)
        for other, on in self._joins.items():
            columns[self.base] += on
            columns.setdefault(other, []).extend(on.values())
        return {place: _table(place, names) for place, names in columns.items()}

    @property
    def sums(self) -> Mapping[str, Sequence[str]]:
        """Field -> fields that should add up to it."""
        return self.document.sums.get(str(self.mapping.kind), {})

    def read(self, wanted: Collection[str]) -> frozenset[str]:
        """The fields to read for the wanted ones: a warning needs what it warns of."""
        extra = [name for whole, parts in self.sums.items() for name in (whole, *parts)]
        return frozenset(wanted) | frozenset(extra if WARNINGS in wanted else ())

    def natives(self, fields: Collection[str]) -> tuple[str, ...]:
        """Columns to select, in a stable order; of a list, the column it hangs on."""
        found = {self.stem(name) for name in self.mapping.natives(fields)}
        return tuple(sorted(found))

    def lists(self, fields: Collection[str]) -> dict[str, ListRule]:
        """The lists among the natives of these fields."""
        names = self.mapping.natives(fields)
        return {name: rule for name, rule in self.document.lists.items() if name in names}

    def stem(self, name: str) -> str:
        """The column behind a native name: of a list, the one it hangs on."""
        rule = self.document.lists.get(name)
        return next(iter(rule.on)) if rule else name

    def part_columns(self, name: str) -> tuple[str, ...]:
        """The columns of a list that its field reads."""
        rules = [rule for rule in self.mapping.fields.values() if rule.from_ == name]
        said = [field_rule(part) for rule in rules for part in (rule.fields or {}).values()]
        return tuple(sorted({one.from_ for one in said if one.from_ is not None}))

    def column(self, native: str) -> ColumnElement[str]:
        """The column of a native name, `COLUMN` or `TABLE.COLUMN`."""
        place, _, name = native.rpartition(".")
        return self._tables[place or self.base].c[name]

    def select(
        self, natives: Sequence[str], where: Iterable[ColumnElement[bool]], named: Iterable[str]
    ) -> Select[Any]:
        """Columns `natives` where all holds, joined with the tables of natives and of the `named` columns."""
        shown: list[ColumnElement[Any]] = [
            self.column(native).label(f"c{place}") for place, native in enumerate(natives)
        ]
        return select(*shown).select_from(self._from({*natives, *named})).where(*where, *self.always())

    def count(self, where: Iterable[ColumnElement[bool]], named: Iterable[str]) -> Select[Any]:
        """How many rows hold."""
        return select(func.count()).select_from(self._from({*named})).where(*where, *self.always())

    def _from(self, natives: Collection[str]) -> FromClause:
        needed = {name.rpartition(".")[0] for name in (*natives, *self.mapping.rule.only)} - {""}
        found: FromClause = self._tables[self.base]
        for other, on in self._joins.items():
            if other in needed:
                joined = self._tables[other]
                held = [joined.c[there] == self.column(here) for here, there in on.items()]
                found = found.outerjoin(joined, and_(*held))
        return found

    def always(self) -> list[ColumnElement[bool]]:
        """What makes a row one of this kind at all."""
        return [self.column(name).in_(held) for name, held in self.mapping.rule.only.items()]

    def order(self) -> list[ColumnElement[str]]:
        """The stable order of pages: by key."""
        return [self.column(name) for name in self.mapping.key_natives]

    def among(self, keys: Iterable[tuple[str, ...]]) -> ColumnElement[bool]:
        """Whose key is one of these."""
        parts = list(keys)
        names = self.mapping.key_natives
        if len(names) == 1:
            return self.column(names[0]).in_([part[0] for part in parts])
        each = [and_(*(self.column(n) == p for n, p in zip(names, part, strict=True))) for part in parts]
        return or_(false(), *each)

    def holds(self, native: str, values: Sequence[str]) -> ColumnElement[bool]:
        """A column that equals one of the values."""
        return self.column(native).in_(list(values))

    def contains(self, text: str) -> ColumnElement[bool]:
        """The text anywhere in one of the fields declared for search, as it stands."""
        fields = self.document.search.get(str(self.mapping.kind), [])
        natives = [self.mapping.fields[name].from_ or "" for name in fields]
        return or_(false(), *(self.column(native).contains(text, autoescape=True) for native in natives))

    def searched(self) -> list[str]:
        """The columns that a text is looked for in."""
        fields = self.document.search.get(str(self.mapping.kind), [])
        return [self.mapping.fields[name].from_ or "" for name in fields]


def parts_of(rule: ListRule, columns: Sequence[str], held: Sequence[Any]) -> Select[Any]:
    """The rows of a list for these values of the column it hangs on; first column: that value."""
    there = next(iter(rule.on.values()))
    other = _table(rule.from_, [there, rule.order, *columns])
    shown = [other.c[there], *(other.c[name] for name in columns)]
    labelled = [one.label(f"c{place}") for place, one in enumerate(shown)]
    return select(*labelled).where(other.c[there].in_(held)).order_by(other.c[there], other.c[rule.order])


def _table(place: str, columns: Sequence[str]) -> TableClause:
    schema, _, name = place.rpartition(".")
    return table(name, *(column(one, String()) for one in dict.fromkeys(columns)), schema=schema or None)
