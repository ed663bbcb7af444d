"""Where levels disagree about schools, on purpose: who tells what instead of what is so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from connectors.sandbox.country.entities import School
from connectors.sandbox.country.words import WITHDRAWN

_SHORT = {("371502", 1), ("371525", 2)}
_OLDER = {("371521", 2)}
_LAST_MONTH = {("371524", 1): -3, ("371524", 2): 2}
_OLD_ENTRY = {("371524", 3)}
TELLERS = ("PROVINCIAL", "MUNICIPAL", "COUNTY")


@dataclass(frozen=True, slots=True)
class Disagreement:
    """`level` tells `value` of a school's `field`, and what is so is `so`; fields are those of `School`."""

    school_code: str
    level: str
    field: str
    value: str | int
    so: str | int


def told_by(level: str, school: School) -> School:
    """The school as the register of a level has it; schools and the nation tell what is so."""
    changes: dict[str, Any] = {}
    if level == "PROVINCIAL":
        changes = _province(school)
    elif level == "MUNICIPAL":
        changes = _city(school)
    elif level == "COUNTY":
        changes = _county(school)
    return replace(school, **changes) if changes else school


def disagreements(school: School) -> Iterator[Disagreement]:
    """Everything that some level tells otherwise about a school."""
    for level in TELLERS:
        told = told_by(level, school)
        for field in ("name", "address", "student_count", "class_count"):
            value, so = getattr(told, field), getattr(school, field)
            if value != so:
                yield Disagreement(school.code, level, field, value, so)


def _place(school: School) -> tuple[str, int]:
    return school.unit_code, int(school.code[6:])


def _province(school: School) -> dict[str, Any]:
    """The data centre has last month's roll, and one entry from before a move and a new class."""
    place = _place(school)
    if place in _OLD_ENTRY:
        return {
            "address": school.address.replace("样例路", "样例旧路"),
            "class_count": school.class_count - 1,
        }
    moved = _LAST_MONTH.get(place, 0)
    return {"student_count": school.student_count + moved} if moved else {}


def _city(school: School) -> dict[str, Any]:
    """The platform's users write the county's withdrawn name, or leave the county out."""
    if school.old_region_name:
        return {"name": school.name.replace(school.unit_name, WITHDRAWN[school.unit_code])}
    return {"name": school.name.removeprefix(school.unit_name)} if _place(school) in _SHORT else {}


def _county(school: School) -> dict[str, Any]:
    """One roster has not heard of a school's new name: it still names the township of before."""
    if _place(school) not in _OLDER:
        return {}
    return {"name": school.name.replace(school.unit_name, f"{school.unit_name}样例镇")}
