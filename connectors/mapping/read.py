"""A kind's mapping at work: native record -> key and values; our filter value -> native value.

Rule 1: everything is compiled once for a connector; reading a record is a walk over the wanted fields.
Rule 2: a value that does not fit is absent and noted; a record without its key is left out and noted.
Rule 3: a person's plain number never becomes a key.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, get_args, get_origin

from connectors.mapping.convert import NO_KEY, PLAIN, Convert, Unfit, codes_of, converter, plain_text
from connectors.mapping.convert import number_of_person as person_number
from connectors.mapping.rules import FieldRule, KindRule, field_rule, key_rule
from connectors.seal import Seal
from schema.model.words import DateTime, FieldSpec, Kind, Word, WordSpec

JOINT = "~"
"""Stands between the parts of a key that is made of several native fields."""

Getter = Callable[[Any], Any]
Note = Callable[[str, str, str], None]
"""`note(field, native, cause)`: called for everything that did not fit; `field` is "key" for the key."""

_PERSON = re.compile(r"[GJL]?\d{17}[\dX]", re.IGNORECASE)
_KINDS_SHOWN = 12


class Remarks:
    """Counts what did not fit, by field and cause; bounded, and free of values."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._counts: Counter[tuple[str, str]] = Counter()

    def __call__(self, field: str, native: str, cause: str) -> None:
        self._counts[(field, cause)] += 1

    def lines(self) -> tuple[str, ...]:
        """`School.stages（×37）：不在代码表中 / not in the code table`, most frequent first."""
        return tuple(
            f"{self._kind}.{field}（×{count}）：{cause}"
            for (field, cause), count in self._counts.most_common(_KINDS_SHOWN)
        )


@dataclass(frozen=True, slots=True)
class Reading:
    """A record as read: `key` in the hub's form, `local_id` as the source has it."""

    key: str
    local_id: str
    values: dict[str, Any]
    updated_at: str | None = None


@dataclass(frozen=True)
class KindMapping:
    """One kind at one place of a source (`source`: endpoint, sheet or table)."""

    kind: Kind
    rule: KindRule
    spec: WordSpec

    @property
    def source(self) -> str:
        """Endpoint, sheet or table the records are read from."""
        return self.rule.from_

    @cached_property
    def fields(self) -> dict[str, FieldRule]:
        """Our field -> how it is read."""
        return {name: field_rule(said) for name, said in self.rule.fields.items()}

    @cached_property
    def key_natives(self) -> tuple[str, ...]:
        """Native fields that make up the key, in order."""
        said = key_rule(self.rule.key).from_
        return (said,) if isinstance(said, str) else tuple(said)

    @property
    def key_sealed(self) -> bool:
        """Whether the key is a person's number, which leaves only as match key."""
        return key_rule(self.rule.key).seal

    def names(self) -> dict[str, tuple[str, ...]]:
        """Every native field named in the mapping -> other names it goes by (`also`)."""
        found: dict[str, tuple[str, ...]] = dict.fromkeys((*self.rule.only, *self.key_natives), ())
        found[self.key_natives[0]] = tuple(key_rule(self.rule.key).also)
        for rule in (*self.fields.values(), *self._dated()):
            if rule.from_ is not None:
                found[rule.from_] = (*found.get(rule.from_, ()), *rule.also)
        return found

    def natives(self, wanted: Collection[str]) -> frozenset[str]:
        """Native fields needed to read key, `only` and the wanted fields: what to push down."""
        rules = (*(self.fields[name] for name in wanted if name in self.fields), *self._dated())
        return (
            frozenset(self.key_natives)
            | set(self.rule.only)
            | {r.from_ for r in rules if r.from_ is not None}
        )

    def _dated(self) -> tuple[FieldRule, ...]:
        said = self.rule.updated_at
        return () if said is None else (field_rule(said),)

    def native(self, field: str, value: str, code: str) -> tuple[str, ...] | None:
        """Native values of which one must hold for our `field` to be `value`; `code` is the source's own.

        Empty: no record can match. None: every record matches (`const`), or the field cannot be turned round
        (sealed, masked, scaled): then filter what was read.
        """
        rule = self.fields[field]
        if rule.const is not None:
            held = rule.const if isinstance(rule.const, list) else [rule.const]
            return None if any(_same(one, value) for one in held) else ()
        if rule.seal or rule.mask or rule.fields or rule.factor is not None:
            return None
        if rule.own:
            return (value[len(code) + 1 :],) if value.startswith(f"{code}:") else ()
        codes = codes_of(rule)
        if codes is not None:
            return tuple(native for native, ours in codes.items() if _same(ours, value))
        return _undated(rule.date, value) if rule.date else (value,)

    def local_key(self, local_id: str) -> tuple[str, ...] | None:
        """The native key parts behind a local id; None if it cannot be one of this kind or is sealed."""
        parts = tuple(local_id.split(JOINT)) if len(self.key_natives) > 1 else (local_id,)
        return parts if len(parts) == len(self.key_natives) and all(parts) and not self.key_sealed else None

    def reader(self, getter: Callable[[str], Getter], own: Callable[[str], str], seal: Seal) -> Reader:
        """Compile for one connector: `getter(native)` gives the function that takes it from a record;
        `own(local_id)` is `Connector.key`."""
        return Reader(self, getter, own, seal)


class Reader:
    """Reads native records of one kind; see `KindMapping.reader`."""

    def __init__(
        self, mapping: KindMapping, getter: Callable[[str], Getter], own: Callable[[str], str], seal: Seal
    ) -> None:
        self.mapping = mapping
        self._qualify = (lambda local: local) if mapping.spec.shared else own
        self._only = [(getter(native), frozenset(held)) for native, held in mapping.rule.only.items()]
        self._key = [(native, getter(native)) for native in mapping.key_natives]
        self._number: Convert = person_number if mapping.key_sealed else plain_text
        self._seal = seal if mapping.key_sealed else None
        self._guarded = mapping.spec.about_person
        self._fields = {
            name: _field(rule, mapping.spec.fields[name], getter, own, seal)
            for name, rule in mapping.fields.items()
        }
        dated = mapping.rule.updated_at
        self._updated = _take(field_rule(dated), DateTime, getter, own, seal) if dated is not None else None

    def __call__(self, native: Any, wanted: Collection[str], note: Note) -> Reading | None:
        """The record, or None if it is none of this kind or has no usable key (which is noted)."""
        if not all(_held(get(native), held) for get, held in self._only):
            return None
        local = self._local(native, note)
        if local is None:
            return None
        values = {}
        for name in wanted:
            if name in self._fields and (value := self._value(name, native, note)) is not None:
                values[name] = value
        return Reading(self._qualify(local), local, values, self._when(native))

    def _value(self, name: str, native: Any, note: Note) -> Any:
        origin, take = self._fields[name]
        try:
            found = take(native)
            if self._guarded and isinstance(found, str) and _PERSON.fullmatch(found):
                raise Unfit(PLAIN)
            return found
        except Unfit as error:
            note(name, origin, error.cause)
            return None

    def _local(self, native: Any, note: Note) -> str | None:
        parts = []
        for name, get in self._key:
            try:
                part = self._number(get(native))
            except Unfit as error:
                note("key", name, error.cause)
                return None
            if part is None:
                note("key", name, NO_KEY)
                return None
            parts.append(part)
        local = JOINT.join(parts)
        if self._seal is not None:
            return self._seal.match_key(local)
        if self._guarded and _PERSON.fullmatch(local):
            note("key", self._key[0][0], PLAIN)
            return None
        return local

    def _when(self, native: Any) -> str | None:
        try:
            found = self._updated(native) if self._updated else None
        except Unfit:
            return None
        return str(found) if found is not None else None


def _held(value: Any, held: frozenset[str]) -> bool:
    try:
        return plain_text(value) in held
    except Unfit:
        return False


def _field(
    rule: FieldRule, spec: FieldSpec, getter: Callable[[str], Getter], own: Callable[[str], str], seal: Seal
) -> tuple[str, Getter]:
    return rule.from_ or "", _take(rule, spec.type, getter, own, seal)


def _take(
    rule: FieldRule, wanted: Any, getter: Callable[[str], Getter], own: Callable[[str], str], seal: Seal
) -> Getter:
    """Get and convert in one; `Unfit` where it does not fit."""
    if rule.from_ is None:
        const = rule.const
        return lambda _: const
    get = getter(rule.from_)
    part = parts_of(wanted)
    turn = converter(rule, wanted, own, seal) if part is None else _parts(rule, part, getter, own, seal)
    return lambda native: turn(get(native))


def parts_of(wanted: Any) -> type[Word] | None:
    """The declared word that a list is made of (files, tags, columns), else None."""
    inner = get_args(wanted)[0] if get_origin(wanted) is list else None
    return inner if isinstance(inner, type) and issubclass(inner, Word) else None


def _parts(
    rule: FieldRule, word: type[Word], getter: Callable[[str], Getter], own: Callable[[str], str], seal: Seal
) -> Convert:
    taken = {
        name: _take(field_rule(said), word.spec.fields[name].type, getter, own, seal)
        for name, said in (rule.fields or {}).items()
    }

    def convert(value: Any) -> list[dict[str, Any]] | None:
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise Unfit("不是对象列表 / not a list of objects")
        read = (
            {name: found for name, take in taken.items() if (found := take(item)) is not None}
            for item in value
        )
        return [part for part in read if part] or None

    return convert


def _same(ours: object, value: str) -> bool:
    return str(ours).lower() == value.lower() if isinstance(ours, bool) else str(ours) == value


def _undated(form: str, value: str) -> tuple[str, ...] | None:
    """Our date in the source's own format; None where the format cannot be turned round."""
    if "%" not in form:
        return None
    try:
        found = datetime.fromisoformat(value if len(value) > 7 else f"{value}-01")
    except ValueError:
        return ()
    return (found.strftime(form),)


__all__ = ["JOINT", "KindMapping", "Note", "Reader", "Reading", "Remarks"]
