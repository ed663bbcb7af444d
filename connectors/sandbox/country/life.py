"""Public life by month: activities, communities, notices, live sessions, homework, use of platforms."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.sandbox.country.days import Days, days_of
from connectors.sandbox.country.dice import Dice
from connectors.sandbox.country.people import People
from connectors.sandbox.country.records import (
    Activity,
    Community,
    HomeworkStat,
    Honour,
    LiveSession,
    Notice,
    PlatformUsage,
    UnitMonth,
)
from connectors.sandbox.country.schools import Schools
from connectors.sandbox.country.shelf import SUBJECTS, SUBJECTS_OF_STAGE
from connectors.sandbox.country.words import CITY, PROVINCE, UNITS

_THEMES = (
    ("PLAZA", "水城少年说", "MORAL"),
    ("CONTEST", "教技融合创新教学节", "INTELLECTUAL"),
    ("HABIT", "每日阅读打卡", "INTELLECTUAL"),
    ("PLAZA", "校园足球周", "PHYSICAL"),
    ("PLAZA", "童心绘水城", "AESTHETIC"),
    ("HABIT", "家务小能手", "LABOUR"),
)
_LIVE = ("SYNCHRONOUS", "MASTER", "DELIVERED", "DUAL_TEACHER", "LECTURE")
_LIVE_NAMES = ("同步课堂", "名师课堂", "专递课堂", "双师课堂", "名师大讲堂")
_NOTICES = ("家长会安排", "周行事历", "运动会通知", "安全教育提醒", "食谱公示", "放假安排")


class Life:
    """What happens in a month; every list is computed from the month's number and the owner's."""

    def __init__(self, dice: Dice, schools: Schools, people: People, days: Days) -> None:
        self._dice, self._schools, self._people, self._days = dice, schools, people, days

    # Activities

    def activities(self, month: str) -> list[Activity]:
        """City first, then counties, then schools."""
        held = [self._activity(month, "MUNICIPAL", CITY, 0, "", n) for n in range(6)]
        for unit in range(len(UNITS)):
            held += [self._activity(month, "COUNTY", UNITS[unit].code, unit, "", n) for n in range(2)]
            held += self._school_activities(month, unit)
        return held

    def _school_activities(self, month: str, unit: int) -> Iterator[Activity]:
        for school in self._schools.of_unit(unit):
            for n in range(self._held(month, school)):
                code = self._schools.code(school)
                yield self._activity(month, "SCHOOL", UNITS[unit].code, school, code, n)

    def _held(self, month: str, school: int) -> int:
        return self._dice.below(3, "held", school, _number(month))

    def _activity(self, month: str, level: str, region: str, owner: int, code: str, n: int) -> Activity:
        kind_of_draw, moon = "activity-" + level, _number(month)
        chance = self._dice.bits(kind_of_draw, owner, moon, n)
        kind, theme, education = _THEMES[(n + chance) % 6 if level != "MUNICIPAL" else n]
        start, persons = 1 + chance // 64 % 14, self._participants(level, chance)
        return Activity(
            id=self._dice.uuid(kind_of_draw, owner, moon, n),
            title=f"{theme}（{month} 第{n + 1}期）",
            level=level,
            region_code=region,
            school_code=code,
            kind=kind,
            theme=theme,
            education=education,
            season={"01": "WINTER", "02": "WINTER", "07": "SUMMER", "08": "SUMMER"}.get(month[5:], "TERM"),
            starts_on=f"{month}-{start:02d}",
            ends_on=f"{month}-{start + 14:02d}",
            participants=persons,
            participations=persons * (1 + chance // 4096 % 5),
            status="PUBLISHED",
            organizer=self._schools.name(owner) if level == "SCHOOL" else _bureau(level, owner),
        )

    def _participants(self, level: str, chance: int) -> int:
        return {"SCHOOL": 20, "COUNTY": 120, "MUNICIPAL": 800}[level] + chance // 1024 % 60

    # The monthly report's counts

    def monthly_counts(self, month: str) -> list[UnitMonth]:
        """One row a unit, in the notice's order; sums of exactly the events, notices and activities shown."""
        return [self._unit_month(unit, month) for unit in range(len(UNITS))]

    def _unit_month(self, unit: int, month: str) -> UnitMonth:
        schools = self._schools.of_unit(unit)
        days = [self._days.month_counts(school, month) for school in schools]
        code = UNITS[unit].code
        held = [self._activity(month, "COUNTY", code, unit, "", n) for n in range(2)]
        held += self._school_activities(month, unit)
        return UnitMonth(
            unit_code=code,
            unit_name=UNITS[unit].name,
            month=month,
            platform_schools=len(schools),
            platform_teachers=sum(self._schools.staff_count(school) for school in schools),
            teacher_logins=sum(day["login"] for day in days),
            teaching_uses=sum(day["teaching"] for day in days),
            effective_lessons=sum(day["lesson"] for day in days),
            office_uses=sum(day["office"] + day["notice"] for day in days),
            notices=sum(day["notice"] for day in days),
            activities_held=len(held),
            activity_participants=sum(one.participants for one in held),
            accepted_submissions=self._dice.below(40, "submissions", unit, _number(month)),
        )

    # Notices and live sessions

    def notices(self, month: str) -> list[Notice]:
        """City and counties first, then every school's, as many as its days count."""
        found = [
            self._notice(f"n-city-{month}-{n}", "MUNICIPAL", CITY, "", f"{month}-0{n + 2}", n)
            for n in range(3)
        ]
        for unit in UNITS:
            found.append(self._notice(f"n-{unit.code}-{month}", "COUNTY", unit.code, "", f"{month}-05", 1))
        for school in range(self._schools.count):
            found += self._school_notices(school, month)
        return found

    def _school_notices(self, school: int, month: str) -> Iterator[Notice]:
        code, unit = self._schools.code(school), UNITS[self._schools.place(school)[0]].code
        for day in days_of(month):
            for n in range(self._days.counts(school, day)["notice"]):
                key = f"n-{school}-{day:%Y%m%d}-{n}"
                yield self._notice(key, "SCHOOL", unit, code, day.isoformat(), school + day.day)

    def _notice(self, key: str, level: str, region: str, code: str, day: str, n: int) -> Notice:
        return Notice(
            id=key,
            title=_NOTICES[n % len(_NOTICES)],
            level=level,
            region_code=region,
            school_code=code,
            published_at=f"{day}T10:00:00+08:00",
            audience="ALL" if n % 2 else "STAFF",
        )

    def live_sessions(self, month: str) -> list[LiveSession]:
        return [self._live(month, n) for n in range(12)]

    def _live(self, month: str, n: int) -> LiveSession:
        chance = self._dice.bits("live", _number(month), n)
        subject, kind = (
            self._dice.pick(SUBJECTS_OF_STAGE["PRIMARY"], "live-subject", n, _number(month)),
            n % 5,
        )
        school, municipal, day = chance % self._schools.count, kind in (1, 4), 2 + 2 * n
        grade = 1 + chance // 1024 % 6
        return LiveSession(
            id=self._dice.uuid("live", _number(month), n),
            title=f"{_LIVE_NAMES[kind]}：{SUBJECTS[subject][0]}（第{n + 1}讲）",
            kind=_LIVE[kind],
            level="MUNICIPAL" if municipal else "COUNTY",
            region_code=CITY if municipal else UNITS[self._schools.place(school)[0]].code,
            host_id=self._people.member(school, 1).id,
            subject_code=subject,
            subject_name=SUBJECTS[subject][0],
            grade_code=f"G{grade:02d}",
            starts_at=f"{month}-{day:02d}T15:00:00+08:00",
            ends_at=f"{month}-{day:02d}T15:40:00+08:00",
            viewers=100 + chance // 64 % 4000,
            replay=chance % 4 != 0,
        )

    # Communities

    def communities(self) -> list[Community]:
        """The city's studio for each primary subject, each with one community in every county."""
        found = []
        for n, subject in enumerate(SUBJECTS_OF_STAGE["PRIMARY"]):
            found.append(self._community(subject, n, None))
            found += [self._community(subject, n, unit) for unit in range(len(UNITS))]
        return found

    def _community(self, subject: str, n: int, unit: int | None) -> Community:
        schools = range(self._schools.count) if unit is None else self._schools.of_unit(unit)
        code, name = CITY if unit is None else UNITS[unit].code, SUBJECTS[subject][0]
        members = tuple(self._people.member(school, 1 + n % 4).id for school in schools[:12])
        return Community(
            id=f"cm-{code}-{subject}",
            name=f"{name}名师网络工作室" if unit is None else f"{UNITS[unit].name}{name}网络教研社区",
            kind="STUDIO" if unit is None else "RESEARCH",
            level="MUNICIPAL" if unit is None else "COUNTY",
            region_code=code,
            stage="PRIMARY",
            subject_code=subject,
            subject_name=name,
            member_count=len(members),
            lead_person_id=members[0],
            member_ids=members,
            parent_id=None if unit is None else f"cm-{CITY}-{subject}",
            founded_on=f"20{17 + n % 6}-09-01",
        )

    # Totals and honours

    def homework_stats(self, month: str) -> list[HomeworkStat]:
        return [self._homework(unit, month) for unit in range(len(UNITS))]

    def _homework(self, unit: int, month: str) -> HomeworkStat:
        pupils = sum(self._schools.student_count(school) for school in self._schools.of_unit(unit))
        published = len(self._schools.of_unit(unit)) * (6 + self._dice.below(9, "hw", unit, _number(month)))
        return HomeworkStat(
            region_code=UNITS[unit].code,
            month=month,
            published=published,
            participations=pupils * 2 + self._dice.below(100, "hw-in", unit, _number(month)),
            evaluations=published * 3,
            pen_markings=pupils * 5,
        )

    def platform_usage(self, month: str) -> list[PlatformUsage]:
        named = (
            ("smartedu", "NATIONAL", "000000"),
            ("sd-cloud", "PROVINCIAL", PROVINCE),
            ("lc-city", "MUNICIPAL", CITY),
        )
        return [self._usage(n, month, *row) for n, row in enumerate(named)]

    def _usage(self, n: int, month: str, platform: str, level: str, region: str) -> PlatformUsage:
        chance, people = self._dice.bits("usage", n, _number(month)), self._schools.pupil_total
        return PlatformUsage(
            platform=platform,
            level=level,
            region_code=region,
            month=month,
            page_views=people * (20 + chance % 30),
            plays=people * (3 + chance // 64 % 5),
            app_visits=people * (5 + chance // 512 % 7),
            active_users=people * (40 + chance // 4096 % 50) // 100,
        )

    def honours(self) -> list[Honour]:
        rows = [
            ("省级智慧教育示范区", "ZONE", "PROVINCIAL", "371502", "", "山东省教育厅"),
            ("国家级信息化教学实验区", "ZONE", "NATIONAL", "371581", "", "教育部（样例）"),
        ]
        for unit in range(len(UNITS)):
            code = self._schools.code(self._schools.of_unit(unit)[0])
            rows.append(("市级智慧校园", "SCHOOL", "MUNICIPAL", UNITS[unit].code, code, "聊城市教育和体育局"))
        return [
            Honour(
                id=f"h-{n}",
                title=title,
                kind=kind,
                level=level,
                region_code=region,
                school_code=code,
                awarded_by=by,
                awarded_on="2023-12-20",
                doc_no=f"样例〔2023〕{n + 1}号",
            )
            for n, (title, kind, level, region, code, by) in enumerate(rows)
        ]


def _number(month: str) -> int:
    return int(month[:4]) * 12 + int(month[5:7])


def _bureau(level: str, unit: int) -> str:
    return "聊城市教育和体育局" if level == "MUNICIPAL" else f"{UNITS[unit].name}教育和体育局"
