"""People: every pupil, teacher, principal and guardian follows from school, class and place alone.

Rule 1: no two people share a resident ID; ranks are scattered by multiplication, which is one to one.
Rule 2: a pupil's birth date fits the grade, a guardian's fits the child.
Rule 3: nobody is stored; only the few people of `cast` have something written down about them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

from connectors.sandbox.country.dice import Dice, Lazy, resident_id
from connectors.sandbox.country.entities import ClassGroup, Guardian, Person, RollChange, School
from connectors.sandbox.country.schools import Schools
from connectors.sandbox.country.shelf import SUBJECTS_OF_STAGE
from connectors.sandbox.country.words import (
    CYCLE,
    FAMILY,
    GIVEN,
    MONITORED,
    RARE,
    TITLES,
    UNITS,
    stage_of,
)

_PRIME = 104_729
_SHIFT = 161_803
_YEAR = 365
_PER_GRADE = 256  # four classes of 64 places in each grade of a school
_BLOCK = 38  # sequence numbers of one sex that each of thirteen generations of adults may use
_ID = re.compile(r"u-(\d{1,5})-(?:t(\d{1,3})|(\d{1,2})-(\d{1,2})(?:-g([123]))?)", re.ASCII)
_KIN = {
    1: ("51", "1", "父亲", "1"),
    2: ("52", "2", "母亲", "2"),
    3: ("62", "3", "祖母", "2"),
}

Place = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Written:
    """What the play writes down about one pupil, over what chance would have drawn."""

    given_name: str = ""
    like: Place | None = None
    roll_school: int | None = None


class People:
    """The people of all schools, by (school index, class number, place) or by local id."""

    def __init__(self, dice: Dice, schools: Schools, cast: Mapping[Place, Written]) -> None:
        self._dice, self._schools, self._cast = dice, schools, cast
        self._stamp = f"{schools.start_year}-09-01T08:00:00+08:00"

    # Pupils

    def pupils(self, group: ClassGroup) -> Lazy[Person]:
        where = range(group.size)
        return Lazy(where, lambda seat: self.pupil(group.school_index, group.number, seat))

    def pupil(self, school: int, number: int, seat: int) -> Person:
        written = self._cast.get((school, number, seat), Written())
        birth, sequence = self._born(school, number, seat)
        sex = "1" if sequence % 2 else "2"
        family, given = self._name("pupil", school, number, seat)
        if written.like:
            twin = self.pupil(*written.like)
            family, given, sex, birth = twin.family_name, twin.given_name, twin.sex, twin.birth_date
            sequence = self._spare_sequence(school, number, birth, sex)
        given = written.given_name or given
        identity = resident_id(birth, sequence)
        grade, _ = self._schools.grade_of(school, number)
        code, unit = self._schools.code(school), UNITS[self._schools.place(school)[0]]
        chance = self._dice.bits("pupil-life", school, number, seat)
        rank = f"{school:04d}{number:02d}{seat:03d}"
        started = self._schools.start_year - (grade - 1)
        boarding = grade >= 10 or chance % 17 == 0
        roll_no = self._roll_no(identity, chance, bool(self._cast.get((school, number, seat))))
        stage = stage_of(self._schools.kind(school)[1], grade)
        return Person(
            id=f"u-{school}-{number}-{seat}",
            name=family + given,
            family_name=family,
            given_name=given,
            sex=sex,
            birth_date=birth,
            role="student",
            resident_id=identity if roll_no.startswith("G") else "",
            hub_person_id=f"371500000{rank}",
            login=f"s{rank}",
            phone="",
            updated_at=self._stamp,
            roll_no=roll_no,
            school_code=code,
            roll_school_code=code if written.roll_school is None else self._schools.code(written.roll_school),
            unit_code=unit.code,
            class_key=f"c-{school}-{number}",
            class_keys=(f"c-{school}-{number}",),
            grade_code=f"G{grade:02d}",
            stage=stage,
            household_address=f"{unit.full_name}样例小区{chance % 40 + 1}号楼{chance % 1000 + 100}室",
            boarding=boarding,
            attendance_mode="2" if boarding else "1",
            monitored_groups=(MONITORED[chance // 64 % 6],) if chance // 512 % 12 == 0 else (),
            student_id=f"{started}{unit.carved_from or unit.code}{rank}",
            assurance="VERIFIED" if chance % 50 else "UNVERIFIED",
            enrolled_on=f"{started}-09",
            status_code="02" if chance // 8 % 401 == 1 else "01",
            roll_changes=self._changes(school, code, written, chance),
            user_identity="0",
        )

    def _born(self, school: int, number: int, seat: int) -> tuple[str, int]:
        """(birth date, sequence) of a pupil: one to one from rank to (day, sequence) within a grade."""
        grade, place = self._schools.grade_of(school, number)
        slot = ((school * _PER_GRADE + place * 64 + seat) * _PRIME + _SHIFT) % (_YEAR * 1000)
        first = date(self._schools.start_year - 6 - grade, 9, 1)
        return (first + timedelta(days=slot // 1000)).isoformat(), slot % 1000

    def _spare_sequence(self, school: int, number: int, birth: str, sex: str) -> int:
        """A sequence of that birthday which no pupil drew: one whose rank lies beyond the last school."""
        grade, _ = self._schools.grade_of(school, number)
        day = (date.fromisoformat(birth) - date(self._schools.start_year - 6 - grade, 9, 1)).days
        back = pow(_PRIME, -1, _YEAR * 1000)
        ranks = self._schools.count * _PER_GRADE
        return next(
            number
            for number in range(int(sex) % 2, 1000, 2)
            if (day * 1000 + number - _SHIFT) * back % (_YEAR * 1000) >= ranks
        )

    def _name(self, kind: str, *index: int) -> tuple[str, str]:
        bits = self._dice.bits(kind, *index)
        family = FAMILY[bits % len(FAMILY)]
        first = GIVEN[bits // 64 % len(GIVEN)]
        last = RARE[bits // 4096 % 4] if bits // 16384 % 997 == 0 else CYCLE[bits // 4096 % len(CYCLE)]
        return family, first + last

    def _roll_no(self, identity: str, chance: int, plain: bool) -> str:
        if plain or chance // 1024 % 100 > 1:
            return "G" + identity
        if chance // 1024 % 100:
            return "J" + identity
        return f"L{identity[:17]}{chance % 10}"

    def _changes(self, school: int, code: str, written: Written, chance: int) -> tuple[RollChange, ...]:
        if written.roll_school is not None:
            origin, status = self._schools.code(written.roll_school), "PENDING"
        elif chance // 2048 % 311 == 0:
            origin, status = self._schools.code((school + 5) % self._schools.count), "DONE"
        else:
            return ()
        when = f"{self._schools.start_year}-08-20"
        return (RollChange(kind="TRANSFER_IN", date=when, from_school=origin, to_school=code, status=status),)

    # Guardians

    def guardians_of(self, pupil: Person) -> list[Guardian]:
        """The family of a pupil: usually both parents, sometimes the mother or a grandmother alone."""
        match = _ID.fullmatch(pupil.id)
        if pupil.role != "student" or match is None:
            return []
        school, number, seat = int(match[1]), int(match[3]), int(match[4])
        return [
            self._guardian(pupil, (school, number, seat), order) for order in self._kin(school, number, seat)
        ]

    def _kin(self, school: int, number: int, seat: int) -> tuple[int, ...]:
        chance = self._dice.below(100, "kin", school, number, seat)
        if chance < 90 or (school, number, seat) in self._cast:
            return (1, 2)
        return (2,) if chance < 96 else (3,)

    def _guardian(self, pupil: Person, place: Place, order: int) -> Guardian:
        relation, local, relation_name, sex = _KIN[order]
        family, given = self._name("guardian", *place, order)
        return Guardian(
            id=f"{pupil.id}-g{order}",
            name=(pupil.family_name if order == 1 else family) + given,
            sex=sex,
            relation=relation,
            relation_local=local,
            relation_name=relation_name,
            legal=True,
            member_id=pupil.student_id + local,
            child_id=pupil.id,
            phone=f"0000-{self._dice.below(10**7, 'guardian-phone', *place, order):07d}",
        )

    def _guardian_person(self, pupil: Person, place: Place, order: int) -> Person:
        guardian = self._guardian(pupil, place, order)
        grade, spot = self._schools.grade_of(place[0], place[1])
        rank = place[0] * _PER_GRADE + spot * 64 + place[2]
        eldest = self._schools.start_year - 6 - grade - (45 if order < 3 else 69)
        birth, sequence = _adult(rank, eldest, 24, grade - 1, guardian.sex)
        digits = f"{place[0]:04d}{place[1]:02d}{place[2]:03d}"
        return Person(
            id=guardian.id,
            name=guardian.name,
            family_name=guardian.name[0],
            given_name=guardian.name[1:],
            sex=guardian.sex,
            birth_date=birth,
            role="guardian",
            resident_id=resident_id(birth, sequence),
            hub_person_id=f"37152000{order}{digits}",
            login=f"p{order}{digits}",
            phone=guardian.phone,
            updated_at=self._stamp,
            unit_code=pupil.unit_code,
            household_address=pupil.household_address,
            children_ids=(pupil.id,),
            user_identity="2",
        )

    # Staff

    def staff(self, school: int) -> Lazy[Person]:
        where = range(self._schools.staff_count(school))
        return Lazy(where, lambda order: self.member(school, order))

    def principal_name(self, school: int) -> str:
        return "".join(self._name("staff", school, 0))

    def school(self, index: int) -> School:
        return self._schools.school(index, self.principal_name(index))

    def member(self, school: int, order: int) -> Person:
        """One of the staff: 0 is the principal, 1 to the number of classes are homeroom teachers."""
        chance = self._dice.bits("staff-life", school, order)
        sex = "1" if chance % 3 == 0 else "2"
        birth, sequence = _adult(school * _PER_GRADE + order, self._schools.start_year - 59, 36, 12, sex)
        family, given = self._name("staff", school, order)
        keys = self._taught(school, order)
        home = f"c-{school}-{order}" if 0 < order <= self._schools.class_count(school) else ""
        return Person(
            id=f"u-{school}-t{order}",
            name=family + given,
            family_name=family,
            given_name=given,
            sex=sex,
            birth_date=birth,
            role="teacher" if order else "principal",
            resident_id=resident_id(birth, sequence),
            hub_person_id=f"3715{1 if order else 3}0000{school:04d}{order:05d}",
            login=f"t{school:04d}{order:03d}",
            phone=f"0000-{chance % 10**7:07d}",
            updated_at=self._stamp,
            school_code=self._schools.code(school),
            roll_school_code="",
            unit_code=UNITS[self._schools.place(school)[0]].code,
            class_key=home,
            class_keys=keys,
            subjects=self._subjects(school, order),
            staff_no=f"{self._schools.code(school)}{order:03d}",
            post="班主任" if home else ("校长" if not order else "专任教师"),
            title=TITLES[min(4, (self._schools.start_year - int(birth[:4]) - 22) // 8)],
            enrolled_on=f"{int(birth[:4]) + 23}-09",
            user_identity="1" if order else "3",
        )

    def _taught(self, school: int, order: int) -> tuple[str, ...]:
        if not order:
            return ()
        total = self._schools.class_count(school)
        numbers = dict.fromkeys((order - 1 + 3 * turn) % total + 1 for turn in range(3))
        return tuple(f"c-{school}-{number}" for number in numbers)

    def _subjects(self, school: int, order: int) -> tuple[str, ...]:
        if not order:
            return ()
        total = self._schools.class_count(school)
        grade, _ = self._schools.grade_of(school, (order - 1) % total + 1)
        choices = SUBJECTS_OF_STAGE[stage_of(self._schools.kind(school)[1], grade)]
        if order <= total:
            return (choices[order % 2],)
        return (choices[2 + order % (len(choices) - 2)],)

    # By id

    def person(self, local_id: str) -> Person | None:
        """The person with that id, or None; O(1)."""
        match = _ID.fullmatch(local_id)
        if match is None or int(match[1]) >= self._schools.count:
            return None
        school = int(match[1])
        if match[2] is not None:
            order = int(match[2])
            found = self.member(school, order) if order < self._schools.staff_count(school) else None
        else:
            found = self._pupil_or_guardian(school, int(match[3]), int(match[4]), match[5])
        return found if found is not None and found.id == local_id else None

    def _pupil_or_guardian(self, school: int, number: int, seat: int, order: str | None) -> Person | None:
        if not 1 <= number <= self._schools.class_count(school):
            return None
        if seat >= self._schools.class_size(school, number):
            return None
        pupil = self.pupil(school, number, seat)
        if order is None:
            return pupil
        if int(order) not in self._kin(school, number, seat):
            return None
        return self._guardian_person(pupil, (school, number, seat), int(order))

    def by_hub_id(self, hub_person_id: str) -> Person | None:
        """The person behind an id of the exchange platform; O(1)."""
        if not re.fullmatch(r"3715[0-3]\d{13}", hub_person_id, re.ASCII):
            return None
        school = int(hub_person_id[9:13])
        if hub_person_id[4] in "13":
            local = f"u-{school}-t{int(hub_person_id[13:])}"
        else:
            local = f"u-{school}-{int(hub_person_id[13:15])}-{int(hub_person_id[15:])}"
            local += f"-g{hub_person_id[8]}" if hub_person_id[4] == "2" else ""
        found = self.person(local)
        return found if found is not None and found.hub_person_id == hub_person_id else None

    def by_login(self, login: str) -> Person | None:
        """The person who signs in under that name; O(1)."""
        if match := re.fullmatch(r"t(\d{4})(\d{3})", login, re.ASCII):
            return self.person(f"u-{int(match[1])}-t{int(match[2])}")
        match = re.fullmatch(r"(?:s|p([123]))(\d{4})(\d{2})(\d{3})", login, re.ASCII)
        if match is None:
            return None
        local = f"u-{int(match[2])}-{int(match[3])}-{int(match[4])}"
        return self.person(local + (f"-g{match[1]}" if match[1] else ""))

    def by_student_id(self, student_id: str) -> Person | None:
        """The pupil behind a student id of the provincial data centre; O(1)."""
        if not re.fullmatch(r"\d{19}", student_id, re.ASCII):
            return None
        found = self.person(f"u-{int(student_id[10:14])}-{int(student_id[14:16])}-{int(student_id[16:])}")
        return found if found is not None and found.student_id == student_id else None


def _adult(rank: int, first_year: int, years: int, generation: int, sex: str) -> tuple[str, int]:
    """(birth date, sequence) of an adult: one to one within a generation, sequences never shared."""
    slot = (rank * _PRIME + _SHIFT) % (years * _YEAR * _BLOCK)
    birth = date(first_year, 1, 1) + timedelta(days=slot // _BLOCK)
    return birth.isoformat(), 2 * (generation * _BLOCK + slot % _BLOCK) + int(sex) % 2


def officer(key: str, name: str, unit_code: str, order: int, start_year: int) -> Person:
    """An officer of a bureau; the sequences 990-999 belong to them alone."""
    birth = f"{start_year - 40 - order}-06-15"
    return replace(
        Person(
            id=f"u-{key}",
            name=name,
            family_name=name[0],
            given_name=name[1:],
            sex="2",
            birth_date=birth,
            role="officer",
            resident_id=resident_id(birth, 990 + 2 * (order % 5)),
            hub_person_id=f"37004{order:013d}",
            login=key.replace("_", "-"),
            phone=f"0000-{9_999_000 + order:07d}",
            updated_at=f"{start_year}-09-01T08:00:00+08:00",
        ),
        unit_code=unit_code,
        post="科员",
        user_identity="4",
    )
