"""One school of the county 371502 with two classes: everybody in it is made up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from schema.graph.context import Context, Diary, Face
from schema.model.codes import Level, PersonRole
from schema.model.divisions import shipped
from schema.model.privacy import Duty
from schema.model.viewer import NOBODY, Standing, Viewer
from schema.model.words import Kind
from tests.fakes.directory import FETCHED_AT, FakeDirectory, FakeSources, Rows

SCHOOL = "3137000001"
AT = {"school_code": SCHOOL, "region_code": "371502"}
CLASS, OTHER_CLASS = "roster:c1", "roster:c2"
PUPIL, CLASSMATE, MOTHER, TEACHER, COLLEAGUE = "roster:p1", "roster:p2", "roster:g1", "roster:t1", "roster:t2"
TODAY = date(2026, 11, 20)
_FIFTH = {**AT, "class_key": CLASS, "grade_code": "G05", "stage": "PRIMARY"}
_FOURTH = {**AT, "class_key": OTHER_CLASS, "grade_code": "G04", "stage": "PRIMARY"}
_PUPIL = {**AT, "person_key": PUPIL, "match_key": "m1", "birth_date": "2016-05-04"}

ROWS: Rows = {
    Kind.SCHOOL: {
        SCHOOL: {**AT, "name": "样例小学", "stages": ["PRIMARY"], "phone": "00000000", "student_count": 3}
    },
    Kind.CLASS_GROUP: {
        CLASS: {**_FIFTH, "name": "五年级1班", "homeroom_teacher_key": TEACHER},
        OTHER_CLASS: {**_FOURTH, "name": "四年级1班"},
    },
    Kind.PERSON: {
        PUPIL: {**_PUPIL, "display_name": "王小甲", "roles": ["STUDENT"], "class_keys": [CLASS]},
        CLASSMATE: {
            **AT, "person_key": CLASSMATE, "match_key": "m2", "display_name": "李小乙",
            "roles": ["STUDENT"], "birth_date": "2016-09-09", "class_keys": [CLASS],
        },
        MOTHER: {**AT, "person_key": MOTHER, "display_name": "赵丙", "roles": ["GUARDIAN"]},
        TEACHER: {
            **AT, "person_key": TEACHER, "display_name": "周丁", "roles": ["TEACHER"],
            "birth_date": "1985-01-01", "class_keys": [CLASS],
        },
    },
    Kind.ENROLLMENT: {
        "roster:e1": {**AT, "person_key": PUPIL, "class_key": CLASS, "role": "STUDENT"},
        "roster:e2": {**AT, "person_key": CLASSMATE, "class_key": CLASS, "role": "STUDENT"},
        "roster:e3": {**AT, "person_key": TEACHER, "class_key": CLASS, "role": "TEACHER"},
    },
    Kind.STUDENT_ROLL: {
        "province:r1": {**_PUPIL, "person_key": "", "grade_code": "G05", "status_code": "01"},
    },
    Kind.GUARDIANSHIP: {
        "roster:k1": {
            **AT, "person_key": PUPIL, "match_key": "m1", "guardian_key": MOTHER, "guardian_name": "赵丙",
            "class_keys": [CLASS],
        },
    },
    Kind.RESOURCE: {
        f"province:res{n}": {"title": f"分数的意义{n}", "level": "PROVINCIAL", "chapter_keys": ["ch1"]}
        for n in range(1, 6)
    },
    Kind.TEXTBOOK: {"tb1": {"title": "数学五年级上册", "grade_code": "G05", "stage": "PRIMARY"}},
    Kind.CHAPTER: {
        "ch1": {"title": "一、分数", "order": 1, "depth": 0, "textbook_key": "tb1"},
        "ch2": {"title": "二、小数", "order": 2, "depth": 0, "textbook_key": "tb1"},
        "ch3": {"title": "分数的意义", "order": 1, "depth": 1, "textbook_key": "tb1", "parent_key": "ch1"},
    },
}  # fmt: skip

SOURCES = FakeSources(
    {
        "roster": Face("roster", "样例名册", "Sample roster", Level.SCHOOL, "371502", "oneroster"),
        "province": Face("province", "省数据中心", "Provincial centre", Level.PROVINCIAL, "370000", "sql"),
        "county": Face(
            "county", "县数据", "County data", Level.COUNTY, "371502", "tables", processor="样例公司"
        ),
    }
)

_TEACHES = Standing(PersonRole.TEACHER, "371502", SCHOOL, frozenset({CLASS}), frozenset({Duty.TEACHING}))
COUNTY_TEACHER = Viewer("teacher", (_TEACHES,), frozenset({TEACHER}))
OTHER_TEACHER = Viewer(
    "colleague", (replace(_TEACHES, class_keys=frozenset({OTHER_CLASS})),), frozenset({COLLEAGUE})
)
_LEARNS = Standing(PersonRole.STUDENT, "371502", SCHOOL, frozenset({CLASS}))
HER_PUPIL = Viewer("pupil", (_LEARNS,), frozenset({PUPIL}), match_keys=frozenset({"m1"}))
THE_CLASSMATE = Viewer("classmate", (_LEARNS,), frozenset({CLASSMATE}), match_keys=frozenset({"m2"}))
THE_GUARDIAN = Viewer(
    "guardian",
    (Standing(PersonRole.GUARDIAN, "371502", SCHOOL, frozenset({CLASS})),),
    frozenset({MOTHER}),
    frozenset({PUPIL}),
    frozenset({"m1"}),
)
_ROLL_DUTY = Standing(PersonRole.STAFF, "370000", duties=frozenset({Duty.ROLL}))
OFFICER = Viewer("officer", (_ROLL_DUTY,))
OFFICER_FOR_THE_ROLL = replace(OFFICER, purposes=frozenset({Duty.ROLL}))
OFFICER_ELSEWHERE = Viewer(
    "elsewhere", (replace(_ROLL_DUTY, region_code="371521"),), purposes=frozenset({Duty.ROLL})
)
STRANGER = NOBODY


def context(viewer: Viewer = COUNTY_TEACHER, **changed: Any) -> Context:
    """A request's context over the school; `directory`'s fields and `catalogue` can be changed by name."""
    own: Mapping[str, Any] = {"rows": ROWS, **{k: v for k, v in changed.items() if k != "catalogue"}}
    divisions = shipped()
    return Context(
        viewer=viewer,
        directory=FakeDirectory(viewer=viewer, divisions=divisions, today=TODAY, **own),
        catalogue=changed.get("catalogue"),
        sources=SOURCES,
        divisions=divisions,
        diary=Diary(),
        now=datetime.fromtimestamp(FETCHED_AT + 60, UTC),
        hub_region="371500",
    )
