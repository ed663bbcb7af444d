"""The country itself: one door to all of it, and the people who act in it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta

from connectors.sandbox.country import cast, figures
from connectors.sandbox.country.days import Days
from connectors.sandbox.country.dice import Dice, Lazy
from connectors.sandbox.country.disagreements import Disagreement, disagreements, told_by
from connectors.sandbox.country.entities import (
    Chapter,
    ClassGroup,
    Guardian,
    Person,
    Persona,
    Resource,
    School,
    TagNode,
    Textbook,
)
from connectors.sandbox.country.holdings import CHINA, LEVELS, Holdings
from connectors.sandbox.country.life import Life
from connectors.sandbox.country.people import People
from connectors.sandbox.country.records import (
    Activity,
    Application,
    Collection,
    Community,
    Dataset,
    Event,
    HomeworkStat,
    Honour,
    KnowledgePoint,
    LearningSpace,
    LiveSession,
    Metric,
    MigrationFlow,
    Notice,
    Organization,
    PlatformUsage,
    StageStatistic,
    Statistics,
    UnitMonth,
)
from connectors.sandbox.country.schools import Schools
from connectors.sandbox.country.shelf import SUBJECTS, Shelf
from connectors.sandbox.country.words import CITY, PROVINCE, UNITS

# scale: schools, pupils and staff, most classes in a grade, resources for one owner at each level
_SCALES = {
    "demo": (44, 6_000, 1, (3_300, 5_000, 2_000, 120, 60)),
    "city": (1_200, 860_000, 4, (200_000, 6_600_000, 60_000, 2_000, 100)),
}


class Country:
    """A deterministic country; the package's docstring lists it all. ValueError: unknown scale, count < 0."""

    def __init__(
        self,
        scale: str = "demo",
        *,
        today: date | None = None,
        seed: int = 371500,
        resources: int | None = None,
    ) -> None:
        if scale not in _SCALES:
            raise ValueError(f"scale is demo or city, not {scale!r}")
        if resources is not None and resources < 0:
            raise ValueError("resources is a count, so zero or more")
        count, people, widest, holdings = _SCALES[scale]
        self.scale, self.seed, self.today = scale, seed, today or date.today()
        self.month = f"{self.today:%Y-%m}"
        self._chosen = today is not None
        self._dice = Dice(seed)
        self._register = Schools(self._dice, count, people, widest, self.today)
        self.school_year, self.units = self._register.school_year, UNITS
        self._shelf = Shelf(self._dice)
        self._people = People(self._dice, self._register, cast.written(self._register))
        self._days = Days(self._dice, self._register, self._people, self._shelf, self.today)
        self._life = Life(self._dice, self._register, self._people, self._days)
        counts = dict(zip(LEVELS, holdings, strict=True))
        if resources is not None:
            counts["PROVINCIAL"] = resources
        self._holdings = Holdings(self._dice, self._shelf, self._register, counts, self.focus_textbook)
        self._officers = cast.officers(self._register.start_year)

    def now(self) -> datetime:
        """The moment up to which it happened: the clock's, or where `today` was chosen, the end of that day.

        Days are made whole and always the same; who serves them leaves out what is later than this.
        """
        if self._chosen:
            return datetime.combine(self.today + timedelta(days=1), time(), CHINA)
        return datetime.now(CHINA)

    # Who acts

    def personas(self) -> dict[str, Persona]:
        """teacher, pupil, guardian, officer, county_officer, city_officer, principal, stranger, senior."""
        return cast.personas(self._register, self._people, self._officers)

    def oddities(self) -> dict[str, tuple[str, ...]]:
        """The odd ones by what is odd: ids of people, codes of schools, ids of textbooks."""
        shared = (self._register.of_unit(unit)[0] for unit in (1, 3))
        return cast.odd_people(self._register) | {
            "withdrawn_region": tuple(school.code for school in self.schools if school.old_region_name),
            "shared_school_name": tuple(self._register.code(index) for index in shared),
            "no_pdf": tuple(book.id for book in self.textbooks() if not book.has_pdf),
            "contradictions": tuple(dict.fromkeys(one.school_code for one in self.disagreements())),
        }

    # Schools, classes, people

    @property
    def schools(self) -> Sequence[School]:
        return Lazy(range(self._register.count), self._people.school)

    def schools_of(self, unit_code: str) -> Sequence[School]:
        """The schools of a unit, lazily; empty for an unknown code."""
        found = [number for number, unit in enumerate(UNITS) if unit.code == unit_code]
        return Lazy(self._register.of_unit(found[0]) if found else range(0), self._people.school)

    def school(self, code: str) -> School | None:
        index = self._register.index_of(code)
        return None if index is None else self._people.school(index)

    def told_by(self, level: str, school: School) -> School:
        """The school as the register of PROVINCIAL, MUNICIPAL or COUNTY has it; others tell what is so."""
        return told_by(level, school)

    def disagreements(self) -> list[Disagreement]:
        """What some level tells otherwise about a school than is so."""
        return [one for school in self.schools for one in disagreements(school)]

    def classes(self, school: School) -> Sequence[ClassGroup]:
        return self._register.class_groups(school.index)

    def class_group(self, key: str) -> ClassGroup | None:
        """The class with a local key like c-0-9, or None; O(1)."""
        parts = key.split("-")
        if len(parts) != 3 or parts[0] != "c" or not (parts[1] + parts[2]).isdecimal():
            return None
        index, number = int(parts[1]), int(parts[2])
        if index >= self._register.count or not 1 <= number <= self._register.class_count(index):
            return None
        found = self._register.class_group(index, number)
        return found if found.key == key else None

    def pupils(self, class_group: ClassGroup) -> Sequence[Person]:
        return self._people.pupils(class_group)

    def teachers(self, school: School) -> Sequence[Person]:
        """All staff; the first is the principal (role "principal")."""
        return self._people.staff(school.index)

    def guardians_of(self, pupil: Person) -> list[Guardian]:
        return self._people.guardians_of(pupil)

    def person(self, local_id: str) -> Person | None:
        return self._officers.get(local_id) or self._people.person(local_id)

    def person_by_hub_id(self, hub_person_id: str) -> Person | None:
        officers = (one for one in self._officers.values() if one.hub_person_id == hub_person_id)
        return next(officers, None) or self._people.by_hub_id(hub_person_id)

    def person_by_login(self, login: str) -> Person | None:
        officers = (one for one in self._officers.values() if one.login == login)
        return next(officers, None) or self._people.by_login(login)

    def person_by_student_id(self, student_id: str) -> Person | None:
        return self._people.by_student_id(student_id)

    def totals(self) -> dict[str, int]:
        """schools, classes, pupils, staff, people (pupils + staff) and resources of each level, uncounted."""
        register, counts = self._register, self._holdings.counts
        owners = {"COUNTY": len(UNITS), "SCHOOL": register.count}
        return {
            "schools": register.count,
            "classes": register.class_total,
            "pupils": register.pupil_total,
            "staff": register.staff_total,
            "people": register.pupil_total + register.staff_total,
            **{f"resources_{level.lower()}": counts[level] * owners.get(level, 1) for level in LEVELS},
        }

    # Textbooks and resources

    def textbooks(self) -> Sequence[Textbook]:
        return self._shelf.textbooks

    def textbook(self, textbook_id: str) -> Textbook | None:
        return self._shelf.by_id.get(textbook_id)

    @property
    def focus_textbook(self) -> Textbook:
        """The fifth grade's mathematics book of this term: every level has resources for each lesson."""
        wanted = ("PRIMARY", False, "MATH", "人教版", "G05", self._volume)
        return next(book for book in self._shelf.textbooks if _edition(book) == wanted)

    @property
    def _volume(self) -> str:
        return "下册" if 2 <= self.today.month <= 7 else "上册"

    def textbooks_of(self, class_group: ClassGroup) -> list[Textbook]:
        """The books a class uses this term, one a subject (senior high: all volumes)."""
        system = self._register.kind(class_group.school_index)[1]
        books = [self._shelf.textbooks[n] for n in self._shelf.used(system, int(class_group.grade_code[1:]))]
        if class_group.stage == "SENIOR":
            return books
        chosen = {book.subject_code: book for book in reversed(books) if book.volume == self._volume}
        return list(reversed(chosen.values()))

    def chapters(self, textbook: Textbook) -> list[Chapter]:
        return list(self._shelf.chapters(textbook.index))

    def tag_tree(self) -> TagNode:
        return self._shelf.tree

    def resources(self, level: str, owner: str | None = None) -> Sequence[Resource]:
        return self._holdings.of(level, owner)

    def resource(self, resource_id: str) -> Resource | None:
        return self._holdings.by_id(resource_id)

    def resources_since(self, level: str, moment: str) -> int:
        return self._holdings.since(level, moment)

    def knowledge_points(self) -> list[KnowledgePoint]:
        """One root a subject, below it the topics, each after the one before."""
        return [point for subject in SUBJECTS for point in self._shelf.points(subject)]

    def collections(self) -> list[Collection]:
        """Named libraries; ids point at resources of their level."""
        rows = (
            ("col-national-lesson", "名师优课", "NATIONAL", "000000", "STUDENT"),
            ("col-family", "家庭教育资源库", "NATIONAL", "000000", "FAMILY"),
            ("col-prepare", "备课资源库", "PROVINCIAL", PROVINCE, "TEACHER"),
            ("col-cloud", "水城云课", "MUNICIPAL", CITY, "STUDENT"),
            ("col-mental", "心理健康系列课程", "MUNICIPAL", CITY, "FAMILY"),
        )
        return [self._collection(n, *row) for n, row in enumerate(rows)]

    def _collection(self, n: int, key: str, title: str, level: str, region: str, who: str) -> Collection:
        items = self.resources(level)[n * 11 : n * 11 + 8]
        return Collection(
            id=key,
            title=title,
            level=level,
            region_code=region,
            audience=who,
            resource_ids=tuple(item.id for item in items),
        )

    # Activity

    def activities(self, month: str | None = None) -> list[Activity]:
        return self._life.activities(month or self.month)

    def communities(self) -> list[Community]:
        return self._life.communities()

    def notices(self, month: str | None = None) -> list[Notice]:
        return self._life.notices(month or self.month)

    def live_sessions(self, month: str | None = None) -> list[LiveSession]:
        return self._life.live_sessions(month or self.month)

    def homework_stats(self, month: str | None = None) -> list[HomeworkStat]:
        return self._life.homework_stats(month or self.month)

    def platform_usage(self, month: str | None = None) -> list[PlatformUsage]:
        return self._life.platform_usage(month or self.month)

    def monthly_counts(self, month: str | None = None) -> list[UnitMonth]:
        return self._life.monthly_counts(month or self.month)

    def statements(self, school: School, day: date) -> Sequence[Event]:
        return self._days.events(school.index, day)

    def learning_spaces(self, school: School) -> Sequence[LearningSpace]:
        """One space for every member of staff, then one for every pupil; lazy."""
        staff = self._register.staff_count(school.index)
        where = range(staff + self._register.student_count(school.index))
        starts: list[tuple[int, int]] = []
        for group in self._register.class_groups(school.index):
            starts += [(group.number, seat) for seat in range(group.size)]
        return Lazy(where, lambda n: self._space(school.index, n, staff, starts))

    def _space(self, school: int, n: int, staff: int, seats: list[tuple[int, int]]) -> LearningSpace:
        who = self._people.member(school, n) if n < staff else self._people.pupil(school, *seats[n - staff])
        return LearningSpace(
            id=f"sp-{who.id}",
            owner_id=who.id,
            owner_name=who.name,
            role=who.role,
            school_code=who.school_code,
            opened_on=f"{self._register.start_year}-09-{1 + n % 20:02d}",
            real_name=who.assurance == "VERIFIED",
        )

    # Figures, registers

    def statistics(self) -> list[Statistics]:
        """The province as printed in 2018, then the city and its units in this school year."""
        units = [self._unit_statistics(unit) for unit in range(len(UNITS))]
        city = Statistics(
            region_code=CITY,
            region_name="聊城市",
            school_year=self.school_year,
            schools=sum(row.schools for row in units),
            public_schools=sum(row.public_schools for row in units),
            private_schools=sum(row.private_schools for row in units),
            students=sum(row.students for row in units),
            female_students=None,
            staff=self._register.staff_total,
        )
        return [figures.PROVINCIAL, city, *units]

    def _unit_statistics(self, unit: int) -> Statistics:
        schools = self.schools_of(UNITS[unit].code)
        private = sum(school.private for school in schools)
        return Statistics(
            region_code=UNITS[unit].code,
            region_name=UNITS[unit].name,
            school_year=self.school_year,
            schools=len(schools),
            public_schools=len(schools) - private,
            private_schools=private,
            students=sum(school.student_count for school in schools),
            female_students=None,
            staff=sum(school.staff_count for school in schools),
        )

    def stage_table(self) -> tuple[StageStatistic, ...]:
        return figures.STAGE_TABLE

    def migration(self) -> tuple[MigrationFlow, ...]:
        return figures.MIGRATION

    def metrics(self) -> tuple[Metric, ...]:
        return figures.METRICS

    def honours(self) -> list[Honour]:
        return self._life.honours()

    def applications(self) -> tuple[Application, ...]:
        return figures.APPLICATIONS

    def organizations(self) -> tuple[Organization, ...]:
        return figures.organizations()

    def datasets(self) -> list[Dataset]:
        """The tables of the provincial data centre with their columns."""
        return [self._dataset(table) for table in figures.TABLES]

    def _dataset(self, table: str) -> Dataset:
        description, category, of, _ = figures.TABLES[table]
        totals = self.totals()
        return Dataset(
            table=table,
            description=description,
            theme="教育管理 > 教育主题 > 学生管理类" if "XS" in table else "教育管理 > 教育主题",
            category=category,
            columns=figures.columns(table),
            row_count=22_759_269 if of == "guardians" else totals.get(of, 0),
            modified_at="2015-09-30T15:34:31+08:00",
        )


def _edition(book: Textbook) -> tuple[str, bool, str, str, str, str]:
    return book.stage, book.five_four, book.subject_code, book.version_name, book.grade_code, book.volume
