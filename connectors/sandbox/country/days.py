"""The days of a school: how often what happened, and every single event of it.

Rule: `counts` decides first how many events of each kind a day has; `events` writes out exactly those.
So the sum of a month needs no event, and agrees with them all.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta

from connectors.sandbox.country.dice import Dice, Lazy
from connectors.sandbox.country.entities import Chapter, Person, Textbook
from connectors.sandbox.country.holdings import CHINA
from connectors.sandbox.country.people import People
from connectors.sandbox.country.records import Event
from connectors.sandbox.country.schools import Schools
from connectors.sandbox.country.shelf import Shelf

_OFFICE = """通知公告 日常巡查 数据上报 值班管理 流程审批 教师考勤 周行事历 会议安排 每周食谱
设备报修 问卷调查 物品申领 场馆申请 工资管理 学生请假 公文流转 学生点评"""
OFFICE_APPS = tuple(_OFFICE.split())
_TEACHING = (
    ("授课助手", "TEACH", "TEACH"),
    ("备课中心", "TEACH", "PREPARE"),
    ("智能作业", "TEACH", "PRACTICE"),
)
_LEARNING = (
    ("experienced", "水城云课", "LEARN", "LEARN"),
    ("completed", "智能作业", "LEARN", "PRACTICE"),
    ("scored", "智能检测", "EVALUATE", "TEST"),
    ("progressed", "习惯养成", "NURTURE", "EVALUATE"),
)
KINDS = ("login", "teaching", "lesson", "office", "notice", "learning")


def days_of(month: str) -> Iterator[date]:
    """Every day of a month written YYYY-MM."""
    year, number = int(month[:4]), int(month[5:7])
    for day in range(1, monthrange(year, number)[1] + 1):
        yield date(year, number, day)


class Days:
    """Events by school and day; nothing happens after `today`."""

    def __init__(self, dice: Dice, schools: Schools, people: People, shelf: Shelf, today: date) -> None:
        self._dice, self._schools, self._people = dice, schools, people
        self._shelf, self._today = shelf, today

    def counts(self, school: int, day: date) -> Mapping[str, int]:
        """How many events of each kind (see KINDS) a school has on a day; few on days off, none ahead."""
        if day > self._today:
            return dict.fromkeys(KINDS, 0)
        staff = self._schools.staff_count(school) - 1
        chance = self._dice.bits("day", school, day.toordinal())
        off = day.weekday() >= 5 or day.month in (2, 8)
        lessons = 0 if off else self._schools.class_count(school) // 2 + chance % 4
        return {
            "login": staff // (8 if off else 1) - chance // 8 % (1 + staff // 10),
            "teaching": 0 if off else staff // 2 + chance // 64 % 5,
            "lesson": lessons,
            "office": chance // 512 % 2 if off else 3 + chance // 512 % 6,
            "notice": 0 if off else int(chance // 4096 % 7 == 0),
            "learning": (2 if off else 12) + chance // 32768 % 12,
        }

    def month_counts(self, school: int, month: str) -> dict[str, int]:
        total = dict.fromkeys(KINDS, 0)
        for day in days_of(month):
            for kind, number in self.counts(school, day).items():
                total[kind] += number
        return total

    def events(self, school: int, day: date) -> Lazy[Event]:
        """All events of the day, kind by kind; lazy, with its length known."""
        plan = [(kind, n) for kind, number in self.counts(school, day).items() for n in range(number)]
        return Lazy(range(len(plan)), lambda place: self._event(school, day, *plan[place]))

    def _event(self, school: int, day: date, kind: str, n: int) -> Event:
        writers: dict[str, Callable[[int, date, int, int], Event]] = {
            "login": self._login,
            "teaching": self._teaching,
            "lesson": self._lesson,
            "office": self._office,
            "notice": self._notice,
            "learning": self._learning,
        }
        chance = self._dice.bits("event-" + kind, school, day.toordinal(), n)
        return writers[kind](school, day, n, chance)

    def _teacher(self, school: int, n: int) -> Person:
        return self._people.member(school, 1 + n % (self._schools.staff_count(school) - 1))

    def _write(
        self,
        kind: str,
        day: date,
        n: int,
        chance: int,
        actor: Person,
        what: tuple[str, str, str, str],
        how: tuple[str, str, str],
        *,
        class_key: str = "",
        score: float | None = None,
        seconds: int = 0,
        effective: bool = False,
    ) -> Event:
        """`what` is (verb, object type, object id, object name), `how` (app, scene, loop step)."""
        start = datetime(day.year, day.month, day.day, 7, 30, tzinfo=CHINA)
        school = self._schools.index_of(actor.school_code) or 0
        return Event(
            id=self._dice.uuid("event-" + kind, school, day.toordinal(), n),
            actor_id=actor.id,
            actor_role=actor.role,
            verb=what[0],
            object_type=what[1],
            object_id=what[2],
            object_name=what[3],
            timestamp=(start + timedelta(seconds=chance % 36_000)).isoformat(),
            scene=how[1],
            loop_step=how[2],
            school_code=actor.school_code,
            class_key=class_key,
            app=how[0],
            client="人人通空间 APP" if chance % 3 == 0 else "WEB",
            score=score,
            duration_seconds=seconds,
            effective=effective,
        )

    def _login(self, school: int, day: date, n: int, chance: int) -> Event:
        what = ("logged-in", "application", "app-space", "聊城市智慧教育平台")
        return self._write(
            "login", day, n, chance, self._teacher(school, n), what, ("智慧教育平台", "MANAGE", "")
        )

    def _subject(self, class_key: str, chance: int) -> tuple[Textbook, Chapter]:
        _, school, number = class_key.split("-")
        grade, _ = self._schools.grade_of(int(school), int(number))
        books = self._shelf.used(self._schools.kind(int(school))[1], grade)
        book = self._shelf.textbooks[books[chance % len(books)]]
        lessons = self._shelf.lessons(book.index)
        return book, lessons[chance // 64 % len(lessons)]

    def _teaching(self, school: int, day: date, n: int, chance: int) -> Event:
        teacher, how = self._teacher(school, n * 2 + 1), _TEACHING[chance % 3]
        key = teacher.class_keys[chance % len(teacher.class_keys)]
        book, lesson = self._subject(key, chance)
        what = ("used", "chapter", lesson.id, f"{book.subject_name} {lesson.title}")
        return self._write("teaching", day, n, chance, teacher, what, how, class_key=key)

    def _lesson(self, school: int, day: date, n: int, chance: int) -> Event:
        """A lesson is effective by the rule of this source: at least thirty minutes."""
        teacher = self._teacher(school, n)
        key = teacher.class_keys[chance % len(teacher.class_keys)]
        book, lesson = self._subject(key, chance)
        what = ("taught", "lesson", f"ls-{school}-{day:%Y%m%d}-{n}", f"{book.subject_name} {lesson.title}")
        how, seconds = ("互动课堂", "TEACH", "TEACH"), 1800 + chance % 900
        return self._write(
            "lesson", day, n, chance, teacher, what, how, class_key=key, seconds=seconds, effective=True
        )

    def _office(self, school: int, day: date, n: int, chance: int) -> Event:
        app = OFFICE_APPS[1 + chance % 16]
        what = ("used", "application", f"app-office-{OFFICE_APPS.index(app)}", app)
        return self._write("office", day, n, chance, self._teacher(school, n + 3), what, (app, "MANAGE", ""))

    def _notice(self, school: int, day: date, n: int, chance: int) -> Event:
        what = ("published", "notice", f"n-{school}-{day:%Y%m%d}-{n}", "通知公告")
        principal = self._people.member(school, 0)
        return self._write("notice", day, n, chance, principal, what, ("通知公告", "MANAGE", ""))

    def _learning(self, school: int, day: date, n: int, chance: int) -> Event:
        number = 1 + chance // 128 % self._schools.class_count(school)
        seat = chance // 65_536 % self._schools.class_size(school, number)
        pupil, key = self._people.pupil(school, number, seat), f"c-{school}-{number}"
        verb, app, scene, step = _LEARNING[chance // 16 % 4]
        book, lesson = self._subject(key, chance)
        what = (verb, "chapter", lesson.id, f"{book.subject_name} {lesson.title}")
        score = 4 + chance // 2**30 % 13 / 2 if verb in ("completed", "scored") else None
        how, seconds = (app, scene, step), 120 + chance % 1500
        return self._write(
            "learning", day, n, chance, pupil, what, how, class_key=key, score=score, seconds=seconds
        )
