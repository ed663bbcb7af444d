"""The closed lists of the field: levels, stages, roles, scenes; and the code tables behind the open ones."""

from __future__ import annotations

import json
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files
from typing import Any


class Level(StrEnum):
    """The five levels (教科信厅函〔2022〕33号), from the top."""

    NATIONAL = "NATIONAL"
    PROVINCIAL = "PROVINCIAL"
    MUNICIPAL = "MUNICIPAL"
    COUNTY = "COUNTY"
    SCHOOL = "SCHOOL"

    @property
    def letter(self) -> str:
        """The letter that opens a global id: N, P, M, C, S."""
        return self.value[0]

    @property
    def zh(self) -> str:
        """The level's Chinese name: 国家, 省, 市, 县, 校."""
        return "国省市县校"["NPMCS".index(self.letter)] if self is not Level.NATIONAL else "国家"


LEVELS = tuple(Level)


class Stage(StrEnum):
    """Stages of schooling (学段). Never derived from a grade alone: 六三 and 五四 differ at grade 6."""

    PRESCHOOL = "PRESCHOOL"
    PRIMARY = "PRIMARY"
    JUNIOR = "JUNIOR"
    SENIOR = "SENIOR"
    VOCATIONAL = "VOCATIONAL"
    SPECIAL = "SPECIAL"
    HIGHER = "HIGHER"


class SchoolingSystem(StrEnum):
    """六三, 五四, 九年一贯, 十二年一贯."""

    S63 = "S63"
    S54 = "S54"
    S9 = "S9"
    S12 = "S12"


class OrgKind(StrEnum):
    """What a body is: 教育行政部门, 直属中心 (电教馆、信息中心), 教研科研机构, 内设科室, 委员会, 其他."""

    BUREAU = "BUREAU"
    CENTRE = "CENTRE"
    INSTITUTE = "INSTITUTE"
    OFFICE = "OFFICE"
    COMMITTEE = "COMMITTEE"
    OTHER = "OTHER"


class PersonRole(StrEnum):
    """What somebody is at an organisation; one person may hold several."""

    STUDENT = "STUDENT"
    TEACHER = "TEACHER"
    GUARDIAN = "GUARDIAN"
    STAFF = "STAFF"
    PRINCIPAL = "PRINCIPAL"
    RESEARCHER = "RESEARCHER"
    ADMIN = "ADMIN"
    PUBLIC = "PUBLIC"


class Scene(StrEnum):
    """教、学、研、管、评、育."""

    TEACH = "TEACH"
    LEARN = "LEARN"
    RESEARCH = "RESEARCH"
    MANAGE = "MANAGE"
    EVALUATE = "EVALUATE"
    NURTURE = "NURTURE"


class LoopStep(StrEnum):
    """备、导、教、学、练、测、评."""

    PREPARE = "PREPARE"
    GUIDE = "GUIDE"
    TEACH = "TEACH"
    LEARN = "LEARN"
    PRACTICE = "PRACTICE"
    TEST = "TEST"
    EVALUATE = "EVALUATE"


class FiveEducation(StrEnum):
    """德、智、体、美、劳."""

    MORAL = "MORAL"
    INTELLECTUAL = "INTELLECTUAL"
    PHYSICAL = "PHYSICAL"
    AESTHETIC = "AESTHETIC"
    LABOUR = "LABOUR"


class CommunityKind(StrEnum):
    """名师工作室, 网络教研社区, 网络教研共同体."""

    MASTER_STUDIO = "MASTER_STUDIO"
    RESEARCH_COMMUNITY = "RESEARCH_COMMUNITY"
    RESEARCH_COMMONS = "RESEARCH_COMMONS"


class ActivityKind(StrEnum):
    """活动广场, 习惯养成, 竞赛, 培训, 直播, 教研."""

    PLAZA = "PLAZA"
    HABIT = "HABIT"
    CONTEST = "CONTEST"
    TRAINING = "TRAINING"
    LIVE = "LIVE"
    RESEARCH = "RESEARCH"


class LiveKind(StrEnum):
    """三个课堂 and what is like them: 同步, 名师, 专递, 双师, 讲座."""

    SYNCHRONOUS = "SYNCHRONOUS"
    MASTER = "MASTER"
    DELIVERED = "DELIVERED"
    DUAL_TEACHER = "DUAL_TEACHER"
    LECTURE = "LECTURE"


class IdentityAssurance(StrEnum):
    """How sure an account's owner is who the account says."""

    NONE = "NONE"
    SELF_ASSERTED = "SELF_ASSERTED"
    ROLL_MATCHED = "ROLL_MATCHED"
    ID_VERIFIED = "ID_VERIFIED"
    FACE_VERIFIED = "FACE_VERIFIED"


class LinkState(StrEnum):
    """How far an account's link to a person has come."""

    PROPOSED = "PROPOSED"
    CONFIRMED = "CONFIRMED"
    REJECTED = "REJECTED"
    WITHDRAWN = "WITHDRAWN"


class MetricQualifier(StrEnum):
    """Whether a printed figure is exact, rounded (余, 约) or a lower bound (超过)."""

    EXACT = "EXACT"
    APPROX = "APPROX"
    LOWER_BOUND = "LOWER_BOUND"


class MonitoredGroup(StrEnum):
    """Groups of pupils that provinces watch over; counts below ten are suppressed."""

    MIGRANT_CHILDREN = "MIGRANT_CHILDREN"
    LEFT_BEHIND = "LEFT_BEHIND"
    ORPHAN = "ORPHAN"
    DISABLED = "DISABLED"
    MARTYR_FAMILY = "MARTYR_FAMILY"
    AID_APPLICANT = "AID_APPLICANT"


@lru_cache(maxsize=1)
def _tables() -> dict[str, Any]:
    tables: dict[str, Any] = json.loads(files("schema.data").joinpath("code_tables.json").read_text("utf-8"))
    return tables


def table(name: str) -> tuple[dict[str, Any], ...]:
    """Rows of a shipped code table, e.g. `subjects` with code, zh, aliases; empty for an unknown name."""
    return tuple(_tables().get(name, {}).get("rows", ()))


@lru_cache(maxsize=64)
def codes_by_name(name: str) -> dict[str, str]:
    """Chinese name or alias -> code for one code table; the usual start of a source's code map."""
    rows = table(name)
    aliases = {alias: row["code"] for row in rows for alias in row.get("aliases", ())}
    return aliases | {row["zh"]: row["code"] for row in rows if "zh" in row}
