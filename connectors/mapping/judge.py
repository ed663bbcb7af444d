"""Judge a mapping against the model: kinds and fields that exist, rules that can give their types.

Rule 1: works on raw data part by part, so that one fault hides no other.
Rule 2: this file does no I/O.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any, get_args, get_origin

import msgspec

from connectors.mapping.convert import codes_of
from connectors.mapping.read import parts_of
from connectors.mapping.rules import FieldRule, field_rule
from connectors.mapping.strict import Fault, Path, faults_of, nearest
from schema.model import activity, organization, person, platform, region, report, resource
from schema.model.words import Date, DateTime, Word, WordSpec, YearMonth

_ = (activity, organization, person, platform, region, report, resource)  # declares every word
SPECS = {str(word.spec.kind): word.spec for word in Word.declared.values() if word.spec.kind}

_DATES = ("iso", "any", "epoch_s", "epoch_ms", "serial")
_TABLES = ("levels", "stages", "schoolingSystems", "grades", "subjects", "schoolTypes", "urbanRural",
           "organisers", "studentStatus", "attendanceMode", "sex", "kinship", "hubUserIdentity",
           "appAccessLevel", "teachingLoop", "scenes", "fiveEducations")  # fmt: skip
_SEALED = "match_key"


def judged(raw: dict[str, Any]) -> Iterator[Fault]:
    """Every fault of the `kinds` of a mapping file that its shape alone does not show."""
    kinds = raw.get("kinds")
    if not isinstance(kinds, dict):
        return
    if not kinds:
        yield Fault(("kinds",), "没有任何类型 / no kind at all", "至少写一个 [kinds.…] / write one")
    for name, said in kinds.items():
        spec = SPECS.get(name)
        if spec is None:
            yield Fault(("kinds", name), f"模型中没有 {name} / no such kind", nearest(name, SPECS))
            continue
        for place, part in _parts_said(said):
            yield from _kind(part, spec, ("kinds", name, *place))


def _parts_said(said: Any) -> Iterator[tuple[Path, dict[str, Any]]]:
    if isinstance(said, dict):
        yield (), said
    elif isinstance(said, list):
        yield from (((n,), part) for n, part in enumerate(said) if isinstance(part, dict))


def _kind(part: dict[str, Any], spec: WordSpec, path: Path) -> Iterator[Fault]:
    fields = part.get("fields")
    if isinstance(fields, dict):
        yield from _fields(fields, spec, (*path, "fields"))
        by = part.get("by")
        for name in by if isinstance(by, list) else ():
            if name not in fields:
                yield Fault(
                    (*path, "by"),
                    f"by 中的 {name} 没有映射 / {name} is not mapped",
                    nearest(str(name), fields),
                )
    if spec.about_person and isinstance(part.get("updated_at"), dict) and part["updated_at"].get("seal"):
        yield Fault((*path, "updated_at"), "时间不能 seal / a time is no number", "去掉 seal / drop it")


def _fields(fields: dict[str, Any], spec: WordSpec, path: Path) -> Iterator[Fault]:
    if not fields:
        yield Fault(path, "没有任何字段 / no field at all", "至少写一个 / write one")
    for name, said in fields.items():
        at = (*path, name)
        if name not in spec.values():
            cause = f"{spec.name} 没有可填的字段 {name} / no such field to fill"
            yield Fault(at, cause, nearest(name, spec.values()))
        elif not faults_of(said, str | FieldRule):
            yield from _rule(field_rule(msgspec.convert(said, str | FieldRule)), name, spec, at)


def _rule(rule: FieldRule, name: str, spec: WordSpec, at: Path) -> Iterator[Fault]:
    wanted = spec.fields[name].type
    many = get_origin(wanted) is list
    one = get_args(wanted)[0] if many else wanted
    if (rule.from_ is None) is (rule.const is None):
        yield Fault(at, "from 与 const 须恰有其一 / exactly one of from and const", "只留其一 / keep one")
    if rule.const is not None and not _const(rule.const, wanted):
        yield Fault(at, f"const 不是 {name} 的值 / const is no value of it", _values(one))
    yield from _codes(rule, one, at)
    yield from _private(rule, name, one, at)
    for said, fit, what in (
        (rule.split, many, "split 只用于列表字段 / split is for lists"),
        (rule.factor, one in (int, float), "factor 只用于数字字段 / factor is for numbers"),
        (rule.own or None, name.endswith(("_key", "_keys")), "own 只用于 *_key / own is for *_key fields"),
        (rule.date, one in (str, Date, DateTime, YearMonth), "date 只用于日期字段 / date is for dates"),
    ):
        if said is not None and not fit:
            yield Fault(at, what, "去掉它 / drop it")
    if rule.date is not None and "%" not in rule.date and rule.date not in _DATES:
        yield Fault(
            (*at, "date"), f"不认识的日期格式 {rule.date} / no such date format", nearest(rule.date, _DATES)
        )
    part = parts_of(wanted)
    if part is not None and rule.fields:
        yield from _fields(dict(_raw(rule)), part.spec, (*at, "fields"))
    elif (part is not None) is not bool(rule.fields):
        cause = "fields 只用于、且须用于由部分组成的列表 / fields is for lists of parts, and needed there"
        yield Fault(at, cause, "写上或去掉 fields / add or drop it")


def _raw(rule: FieldRule) -> Iterator[tuple[str, Any]]:
    for name, said in (rule.fields or {}).items():
        yield name, said if isinstance(said, str) else msgspec.to_builtins(said)


def _private(rule: FieldRule, name: str, one: Any, at: Path) -> Iterator[Fault]:
    """Plain numbers of persons never leave: some fields must be sealed or masked, others cannot be."""
    if name == _SEALED and not rule.seal:
        yield Fault(at, "match_key 须 seal = true / match_key must be sealed", "加 seal = true / add it")
    if name.endswith("_masked") and not rule.mask:
        yield Fault(at, f"{name} 须 mask = true / it must be masked", "加 mask = true / add it")
    if (rule.seal or rule.mask) and one is not str:
        yield Fault(at, "seal、mask 只用于文本字段 / they are for text fields", "去掉它 / drop it")
    if (
        sum(map(bool, (rule.seal, rule.mask, rule.own and not rule.seal, rule.codes, rule.date, rule.factor)))
        > 1
    ):
        cause = "seal、mask、own、codes、date、factor 只能用一个 / only one of them"
        yield Fault(at, cause, "只留其一 / keep one")


def _codes(rule: FieldRule, one: Any, at: Path) -> Iterator[Fault]:
    codes = codes_of(rule)
    if codes is None:
        return
    if not codes:
        yield Fault(
            (*at, "codes"), f"没有代码表 {rule.codes} / no such code table", nearest(str(rule.codes), _TABLES)
        )
    strange = sorted({str(ours) for ours in codes.values() if not _const(ours, one)})
    if strange:
        cause = f"codes 给出的 {', '.join(strange[:5])} 不是该字段的值 / not values of the field"
        yield Fault((*at, "codes"), cause, _values(one, strange[0]))


def _const(value: Any, wanted: Any) -> bool:
    """Whether a value out of the mapping file is of the field's plain type."""
    if get_origin(wanted) is list:
        return isinstance(value, list) and all(_const(item, get_args(wanted)[0]) for item in value)
    plain = getattr(wanted, "__supertype__", wanted)
    if isinstance(plain, type) and issubclass(plain, StrEnum):
        return value in {member.value for member in plain}
    if plain is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is plain


def _values(one: Any, said: str = "") -> str:
    if isinstance(one, type) and issubclass(one, StrEnum):
        return nearest(said, [member.value for member in one])
    plain = getattr(one, "__supertype__", one)
    return f"应为 {getattr(plain, '__name__', plain)} / of this type"
