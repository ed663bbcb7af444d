"""What a mapping file says beyond fields where the source is a database: joins, lists, search, sums.

Rule 1: names of tables and columns come from this file alone, and only if they are plain identifiers.
Rule 2: a kind is read from one table and what is joined to it; `TABLE.COLUMN` names a joined column.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from connectors.mapping import Document, Fault, FieldRule, KindMapping, KindRule, Rule, nearest
from connectors.mapping.rules import field_rule, key_rule

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
PLACE = re.compile(rf"(?:{NAME.pattern}\.)?{NAME.pattern}")


class ListRule(Rule, frozen=True):
    """Rows of another table as a list of parts: rows of table `from` whose column equals one of ours.

    `of` the table of the kind; `on` its column = the other's; `order` the other's column they are sorted by.
    A field names the list as its `from` and reads the parts by `fields`.
    """

    of: str
    from_: str = msgspec.field(name="from")
    on: dict[str, str]
    order: str


class SqlDocument(Document, frozen=True):
    """A mapping file of a database.

    `joins`   table of a kind -> joined table -> column here = column there (a row has one at most)
    `lists`   name -> rows of another table read as a list of parts
    `search`  kind -> fields that a text is looked for in
    `sums`    kind -> field -> fields that should add up to it; what does not is kept, with a warning
    """

    joins: dict[str, dict[str, dict[str, str]]] = msgspec.field(default_factory=dict)
    lists: dict[str, ListRule] = msgspec.field(default_factory=dict)
    search: dict[str, list[str]] = msgspec.field(default_factory=dict)
    sums: dict[str, dict[str, list[str]]] = msgspec.field(default_factory=dict)


def faults(document: SqlDocument) -> Iterator[Fault]:
    """Everything wrong with the document that its shape and the model do not show."""
    for kind, said in document.kinds.items():
        if isinstance(said, list):
            yield Fault(("kinds", kind), "SQL 源每类只读一张表 / one table a kind", "只留一个 / keep one")
        else:
            yield from _kind(document, kind, said)
    yield from _joins(document)
    yield from _lists(document)
    yield from _fields_named(document)


def _kind(document: SqlDocument, kind: str, rule: KindRule) -> Iterator[Fault]:
    at = ("kinds", kind)
    yield from _plain(rule.from_, PLACE, (*at, "from"))
    said = key_rule(rule.key).from_
    for name in (*([said] if isinstance(said, str) else said), *rule.only):
        yield from _column(document, rule.from_, name, at)
    for field, value in rule.fields.items():
        native = field_rule(value).from_
        if native in document.lists:
            yield from _parts(field_rule(value), (*at, "fields", field, "fields"))
        elif native is not None:
            yield from _column(document, rule.from_, native, (*at, "fields", field))
    sealed = [name for name in rule.by if name in rule.fields and field_rule(rule.fields[name]).seal]
    if sealed and "school_code" not in rule.by:
        cause = f"按 {sealed[0]} 查询须同时能按 school_code 查询 / asking by it needs school_code, too"
        yield Fault((*at, "by"), cause, "在 by 中加上 school_code / add it to by")


def _parts(rule: FieldRule, at: tuple[str, ...]) -> Iterator[Fault]:
    for name, said in (rule.fields or {}).items():
        yield from _plain(field_rule(said).from_ or name, NAME, (*at, name))


def _column(document: SqlDocument, table: str, name: str, at: tuple[str, ...]) -> Iterator[Fault]:
    place, _, column = name.rpartition(".")
    yield from _plain(column, NAME, at)
    if place and place not in document.joins.get(table, {}):
        cause = f"{table} 没有连接 {place} / {place} is not joined to {table}"
        yield Fault(at, cause, f'写上 [joins."{table}"."{place}"] / declare the join')


def _joins(document: SqlDocument) -> Iterator[Fault]:
    for table, joined in document.joins.items():
        for other, on in joined.items():
            at = ("joins", table, other)
            for name in (table, other):
                yield from _plain(name, PLACE, at)
            for pair in on.items():
                for name in pair:
                    yield from _plain(name, NAME, at)
            if not on:
                yield Fault(at, "连接没有条件 / a join without a condition", "写上列 = 列 / name the columns")


def _lists(document: SqlDocument) -> Iterator[Fault]:
    for name, rule in document.lists.items():
        at = ("lists", name)
        for place in (rule.of, rule.from_):
            yield from _plain(place, PLACE, at)
        for column in (name, rule.order, *rule.on, *rule.on.values()):
            yield from _plain(column, NAME, at)
        if len(rule.on) != 1:
            yield Fault((*at, "on"), "须恰有一对列 / exactly one pair of columns", "写一对 / write one")


def _fields_named(document: SqlDocument) -> Iterator[Fault]:
    named: list[tuple[tuple[str, ...], str, list[str]]] = [
        (("search", kind), kind, names) for kind, names in document.search.items()
    ]
    named += [
        (("sums", kind, whole), kind, [whole, *parts])
        for kind, sums in document.sums.items()
        for whole, parts in sums.items()
    ]
    for at, kind, names in named:
        rule = document.kinds.get(kind)
        if not isinstance(rule, KindRule):
            yield Fault(at, f"没有映射 {kind} / {kind} is not mapped", nearest(kind, document.kinds))
            continue
        for name in names:
            if name not in rule.fields or field_rule(rule.fields[name]).from_ is None:
                yield Fault(at, f"{name} 不是列 / {name} is no column", nearest(name, rule.fields))


def _plain(name: str, pattern: re.Pattern[str], at: tuple[str, ...]) -> Iterator[Fault]:
    if not pattern.fullmatch(name):
        cause = "标识符只能由字母、数字、下划线组成，至多 63 个 / not a plain identifier"
        yield Fault(at, cause, "写数据库中的原名 / write the name as the database has it")


def sealed_fields(mapping: KindMapping) -> frozenset[str]:
    """Fields one may ask by that the database cannot filter: numbers that are hashed here."""
    return frozenset(name for name in mapping.rule.by if mapping.fields[name].seal)
