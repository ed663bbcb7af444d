"""What a mapping file may say: the shapes that msgspec checks and from which the JSON schema is made."""

from __future__ import annotations

from typing import Any

import msgspec


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of every part of a mapping file; unknown keys are refused, with the nearest known one."""


class FieldRule(Rule, frozen=True):
    """How one of our fields comes out of a native record. A bare string is short for `from` alone.

    `from`     native path (rest: JMESPath), column (sql) or header (tables)
    `also`     other headers that mean the same (tables)
    `const`    a value the source never writes but always means
    `codes`    native code -> our value, or the name of a shipped code table (Chinese name or alias -> code)
    `split`    what separates the items where one text holds a list
    `date`     strptime format, or "iso", "any", "epoch_s", "epoch_ms", "serial"; no zone means +08:00.
               On a field of plain text: year and month if the format has no day, else the date
    `factor`   multiplies a number into our unit
    `seal`     the number leaves only as the hub's match key
    `mask`     the number leaves only masked
    `own`      the value is a key of this very source, and is qualified with its code (after sealing)
    `fields`   how each item of a list of parts is read (files, tags, columns)
    """

    from_: str | None = msgspec.field(default=None, name="from")
    also: list[str] = []
    const: str | int | float | bool | list[str] | None = None
    codes: str | dict[str, str | int | float | bool] | None = None
    split: str | None = None
    date: str | None = None
    factor: float | None = None
    seal: bool = False
    mask: bool = False
    own: bool = False
    fields: dict[str, str | FieldRule] | None = None


class KeyRule(Rule, frozen=True):
    """Where a record's key stands; several native fields are joined by `~`. `seal`: a number of a person."""

    from_: str | list[str] = msgspec.field(name="from")
    also: list[str] = []
    seal: bool = False


class KindRule(Rule, frozen=True):
    """One place at the source where records of a kind are read.

    `from`        endpoint (rest), sheet (tables) or table (sql)
    `only`        native field -> values of which it must hold one, else the row is none of this kind
    `by`          fields a look-up may filter on, beside `key`, where the tongue itself filters (tables, sql)
    `fresh_for`   seconds the owner vouches a copy stays good
    `updated_at`  when the record last changed at the source
    """

    from_: str = msgspec.field(name="from")
    key: str | list[str] | KeyRule
    fields: dict[str, str | FieldRule]
    only: dict[str, list[str]] = {}
    by: list[str] = []
    fresh_for: float = 60.0
    updated_at: str | FieldRule | None = None


class Document(Rule, frozen=True):
    """A mapping file; a tongue subclasses it for what else it needs. A kind may have several places."""

    kinds: dict[str, KindRule | list[KindRule]]


def field_rule(said: str | FieldRule) -> FieldRule:
    """The full rule behind its short form."""
    return FieldRule(from_=said) if isinstance(said, str) else said


def key_rule(said: str | list[str] | KeyRule) -> KeyRule:
    """The full rule behind its short form."""
    return said if isinstance(said, KeyRule) else KeyRule(from_=said)


def mapping_schema(document: type[Document] = Document) -> dict[str, Any]:
    """JSON Schema (2020-12) of a mapping file, for editors and consoles."""
    return msgspec.json.schema(document)
