"""Schools and classes: how many, where, of which kind; nothing is stored but one number a school."""

from __future__ import annotations

from bisect import bisect_right
from datetime import date

from connectors.sandbox.country.dice import Dice, Lazy, scatter
from connectors.sandbox.country.entities import ClassGroup, School
from connectors.sandbox.country.words import (
    GRADE_NAMES,
    PLACE_FIRST,
    PLACE_SECOND,
    SUFFIX,
    TYPE_NAMES,
    UNITS,
    WITHDRAWN,
    stage_of,
)

_PATTERN = "PJNSPPJPNP"
_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
SHARED_NAME = "砚溪实验小学"
_SHARED = {(1, 0), (3, 0)}


def credit_code(body: str) -> str:
    """Seventeen characters plus the check character of GB 32100-2015."""
    total = sum(_ALPHABET.index(char) * pow(3, place, 31) for place, char in enumerate(body))
    return body + _ALPHABET[(31 - total % 31) % 31]


class Schools:
    """The school register: `people` pupils and staff over `count` schools in the eleven units."""

    def __init__(self, dice: Dice, count: int, people: int, widest: int, today: date) -> None:
        self._dice, self.count, self._widest = dice, count, widest
        self.start_year = today.year if today.month >= 8 else today.year - 1
        self.school_year = f"{self.start_year}-{self.start_year + 1}"
        self._bounds = [unit * count // len(UNITS) for unit in range(len(UNITS) + 1)]
        self._first_class = [0]
        for index in range(count):
            self._first_class.append(self._first_class[-1] + self.class_count(index))
        self.class_total = self._first_class[-1]
        self.staff_total = sum(self.staff_count(index) for index in range(count))
        self.pupil_total = people - self.staff_total

    def place(self, index: int) -> tuple[int, int]:
        """(number of the unit, position inside it) of a school."""
        unit = bisect_right(self._bounds, index) - 1
        return unit, index - self._bounds[unit]

    def of_unit(self, unit: int) -> range:
        """The indexes of a unit's schools."""
        return range(self._bounds[unit], self._bounds[unit + 1])

    def kind(self, index: int) -> tuple[str, str, range]:
        """(type code, schooling system, grades) of a school."""
        unit, position = self.place(index)
        letter = _PATTERN[position % len(_PATTERN)]
        five_four = (unit + position) % 2 == 1
        system = "S54" if five_four else "S63"
        if letter == "P":
            return "211", system, range(1, 6 if five_four else 7)
        if letter == "J":
            return "311", system, range(6 if five_four else 7, 10)
        if letter == "N":
            return ("345", "S12", range(1, 13)) if unit % 4 == 3 else ("312", "S9", range(1, 10))
        if unit % 4 == 1:
            return "341", system, range(6 if five_four else 7, 13)
        return "342", system, range(10, 13)

    def classes_per_grade(self, index: int) -> int:
        if self._widest == 1:
            return 2 if index == 0 else 1
        return 2 + self._dice.below(self._widest - 1, "classes", index)

    def class_count(self, index: int) -> int:
        return len(self.kind(index)[2]) * self.classes_per_grade(index)

    def staff_count(self, index: int) -> int:
        return 2 * self.class_count(index) + 4

    def _pupils_before(self, number: int) -> int:
        """Pupils in all classes before class `number` of the whole country; exact, without adding them up."""
        even = number * self.pupil_total // self.class_total
        return even + (self._dice.below(4, "jitter", number) if number % 2 else 0)

    def class_size(self, index: int, number: int) -> int:
        """Pupils of class `number` (from 1) of a school."""
        place = self._first_class[index] + number - 1
        after = self._pupils_before(place + 1) if place + 1 < self.class_total else self.pupil_total
        return after - self._pupils_before(place)

    def student_count(self, index: int) -> int:
        first, last = self._first_class[index], self._first_class[index + 1]
        after = self._pupils_before(last) if last < self.class_total else self.pupil_total
        return after - self._pupils_before(first)

    def code(self, index: int) -> str:
        unit, position = self.place(index)
        return f"2137{unit + 1:02d}{position + 1:04d}"

    def index_of(self, code: str) -> int | None:
        """The index behind a school code, or None when no school has it."""
        if len(code) != 10 or not code.isascii() or not code.isdigit() or not code.startswith("2137"):
            return None
        unit, position = int(code[4:6]) - 1, int(code[6:]) - 1
        if not 0 <= unit < len(UNITS) or not 0 <= position < len(self.of_unit(unit)):
            return None
        return self._bounds[unit] + position

    def name(self, index: int) -> str:
        unit, position = self.place(index)
        if (unit, position) in _SHARED:
            return SHARED_NAME
        number = (position * 37 + unit * 11 + 1) % 256
        word = PLACE_FIRST[number // 16] + PLACE_SECOND[number % 16]
        return f"{UNITS[unit].name}{word}{SUFFIX[self.kind(index)[0]]}"

    def school(self, index: int, principal_name: str) -> School:
        unit, position = self.place(index)
        type_code, system, grades = self.kind(index)
        private = position % 10 == 8 or (position == 2 and unit in {5, 9})
        stages = dict.fromkeys(stage_of(system, grade) for grade in grades)
        old = WITHDRAWN.get(UNITS[unit].code) if position % 2 == 0 else None
        return School(
            index=index,
            code=self.code(index),
            name=self.name(index),
            unit_code=UNITS[unit].code,
            unit_name=UNITS[unit].name,
            level=tuple(stages),
            system=system,
            type_code=type_code,
            type_name=TYPE_NAMES[type_code],
            grades=tuple(f"G{grade:02d}" for grade in grades),
            organiser_code="999" if private else "831",
            urban_rural_code=self._dice.pick(("111", "112", "121", "122", "210", "220"), "urban", index),
            private=private,
            address=f"{UNITS[unit].full_name}样例路{position + 1}号",
            principal_id=f"u-{index}-t0",
            principal_name=principal_name,
            phone=f"0000-{index + 1:07d}",
            credit_code=credit_code(f"{'52' if private else '12'}999999{scatter(index) % 10**9:09d}"),
            student_count=self.student_count(index),
            staff_count=self.staff_count(index),
            class_count=self.class_count(index),
            old_region_name=old,
            updated_at=f"{self.start_year}-08-{index % 28 + 1:02d}T09:00:00+08:00",
        )

    def grade_of(self, index: int, number: int) -> tuple[int, int]:
        """(grade 1-12, place among the classes of that grade from 0) of class `number` of a school."""
        step, place = divmod(number - 1, self.classes_per_grade(index))
        return self.kind(index)[2][step], place

    def class_group(self, index: int, number: int) -> ClassGroup:
        grade, place = self.grade_of(index, number)
        _, system, grades = self.kind(index)
        stage = stage_of(system, grade)
        first = next(other for other in grades if stage_of(system, other) == stage)
        grade_code = f"G{grade:02d}"
        return ClassGroup(
            key=f"c-{index}-{number}",
            school_index=index,
            number=number,
            name=f"{GRADE_NAMES[grade_code]}{place + 1}班",
            grade_code=grade_code,
            stage=stage,
            school_code=self.code(index),
            unit_code=UNITS[self.place(index)[0]].code,
            school_year=self.school_year,
            homeroom_teacher_id=f"u-{index}-t{number}",
            entry_year=self.start_year - (grade - first),
            size=self.class_size(index, number),
            updated_at=f"{self.start_year}-09-01T08:00:00+08:00",
        )

    def class_groups(self, index: int) -> Lazy[ClassGroup]:
        return Lazy(range(1, self.class_count(index) + 1), lambda number: self.class_group(index, number))
