"""Words for what people do: activities, communities, events, homework and the use of platforms."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from schema.model.codes import (
    ActivityKind,
    CommunityKind,
    FiveEducation,
    Level,
    LiveKind,
    LoopStep,
    PersonRole,
    Scene,
    Stage,
)
from schema.model.privacy import Duty, PrivacyClass
from schema.model.words import Date, DateTime, Kind, Link, RegionCode, Word, said

N, P, M, C, S = Level
PUBLIC, INTERNAL, PERSONAL, SENSITIVE = PrivacyClass
deed = partial(said, privacy=PERSONAL, duties=(Duty.TEACHING, Duty.SCHOOL_MANAGEMENT), at_work=INTERNAL)
"""What somebody did: of staff their work; of a pupil for those who teach them or run their school."""


class Activity(Word, kind=Kind.ACTIVITY, zh="活动", en="Activity", privacy=PUBLIC, authority=(M, C, S)):
    """An activity that a level or school holds (活动广场, 竞赛, 教研 …)."""

    title: Annotated[str, said("名称", "Title")]
    activity_kind: Annotated[ActivityKind, said("类别", "Kind")]
    level: Annotated[Level, said("级别", "Level")]
    organiser_name: Annotated[str, said("组织单位", "Who holds it")]
    region_code: Annotated[RegionCode, said("区划代码", "Region code")]
    educations: Annotated[list[FiveEducation], said("五育", "Of the five educations")]
    starts_at: Annotated[DateTime, said("开始时间", "Starts at")]
    ends_at: Annotated[DateTime, said("结束时间", "Ends at")]
    participant_count: Annotated[int, said("参与数", "Participants")]
    participant_unit: Annotated[str, said("单位：人 或 人次", "Persons (人) or participations (人次)")]
    landing_url: Annotated[str, said("访问页面", "Page")]
    region: Annotated[Link, said("区划", "Its region")]


class Community(
    Word, kind=Kind.COMMUNITY, zh="教研共同体", en="Community", privacy=PUBLIC, authority=(M, C, S)
):
    """A master teacher's studio or research community."""

    name: Annotated[str, said("名称", "Name")]
    community_kind: Annotated[CommunityKind, said("类别", "Kind")]
    level: Annotated[Level, said("级别", "Level")]
    region_code: Annotated[RegionCode, said("区划代码", "Region code")]
    stage: Annotated[Stage, said("学段", "Stage")]
    subject_code: Annotated[str, said("学科", "Subject")]
    host_name: Annotated[str, said("主持人", "Host", INTERNAL)]
    member_count: Annotated[int, said("成员数", "Members")]
    founded_on: Annotated[Date, said("成立日期", "Founded on")]
    region: Annotated[Link, said("区划", "Its region")]


class ActivityEvent(
    Word,
    kind=Kind.ACTIVITY_EVENT,
    about_person=True,
    zh="应用行为",
    en="Activity event",
    privacy=PERSONAL,
    authority=(S, M, N),
):
    """One thing somebody did, as a learning record store keeps it (xAPI 1.0.3)."""

    person_key: Annotated[str, said("人员键", "Who", PERSONAL, hidden=True)]
    actor_role: Annotated[PersonRole, deed("身份", "As what")]
    verb: Annotated[str, deed("动作", "Verb: IRI")]
    scene: Annotated[Scene, deed("场景", "Scene")]
    loop_step: Annotated[LoopStep, deed("环节", "Step of the teaching loop")]
    object_type: Annotated[str, deed("对象类型", "Type of the object")]
    object_id: Annotated[str, said("对象标识", "Id of the object", PERSONAL, duties=(Duty.TEACHING,))]
    object_name: Annotated[str, deed("对象名称", "Name of the object")]
    score_scaled: Annotated[float, said("得分率（0–1）", "Scaled score", SENSITIVE, duties=(Duty.TEACHING,))]
    occurred_at: Annotated[DateTime, deed("发生时间", "Happened at")]
    stored_at: Annotated[DateTime, deed("入库时间", "Stored at")]
    school_code: Annotated[str, deed("学校标识码", "School code")]
    region_code: Annotated[RegionCode, deed("区划代码", "Region code")]
    class_key: Annotated[str, said("班级键", "In which class", PERSONAL, hidden=True)]
    platform: Annotated[str, deed("平台", "Platform")]
    person: Annotated[Link, said("人员", "Who", PERSONAL, duties=(Duty.TEACHING,))]


class HomeworkStat(
    Word, kind=Kind.HOMEWORK_STAT, zh="作业统计", en="Homework statistics", privacy=PUBLIC, authority=(N, M)
):
    """Homework of a region in a period; totals only."""

    region_code: Annotated[RegionCode, said("区划代码", "Region code")]
    period: Annotated[str, said("时段，如 2026-11", "Period, e.g. 2026-11")]
    published: Annotated[int, said("布置数", "Assignments published")]
    participations: Annotated[int, said("参与人次", "Participations")]
    evaluations: Annotated[int, said("评价数", "Evaluations")]


class PlatformUsage(
    Word, kind=Kind.PLATFORM_USAGE, zh="平台应用", en="Use of platforms", privacy=PUBLIC, authority=(N, M)
):
    """Counters of a platform in a region and period."""

    region_code: Annotated[RegionCode, said("区划代码", "Region code")]
    period: Annotated[str, said("时段", "Period")]
    platform: Annotated[str, said("平台", "Platform")]
    page_views: Annotated[int, said("浏览量", "Page views")]
    visits: Annotated[int, said("访问数", "Visits")]
    plays: Annotated[int, said("点播数", "Plays")]
    active_users: Annotated[int, said("活跃用户", "Active users")]
    registered_teachers: Annotated[int, said("注册教师", "Registered teachers")]
    registered_students: Annotated[int, said("注册学生", "Registered pupils")]


class Notice(Word, kind=Kind.NOTICE, zh="通知公告", en="Notice", privacy=INTERNAL, authority=(S, C, M)):
    """A notice at a level or school."""

    title: Annotated[str, said("标题", "Title")]
    level: Annotated[Level, said("级别", "Level")]
    publisher: Annotated[str, said("发布单位", "Publisher")]
    region_code: Annotated[RegionCode, said("区划代码", "Region code")]
    school_code: Annotated[str, said("学校标识码", "School code")]
    published_at: Annotated[DateTime, said("发布时间", "Published at")]


class LiveSession(
    Word, kind=Kind.LIVE_SESSION, zh="直播课堂", en="Live session", privacy=PUBLIC, authority=(M, C)
):
    """A live lesson or lecture, and its replay."""

    title: Annotated[str, said("标题", "Title")]
    live_kind: Annotated[LiveKind, said("类别", "Kind")]
    level: Annotated[Level, said("级别", "Level")]
    host_name: Annotated[str, said("主讲", "Host", INTERNAL)]
    region_code: Annotated[RegionCode, said("区划代码", "Region code")]
    subject_code: Annotated[str, said("学科", "Subject")]
    starts_at: Annotated[DateTime, said("开始时间", "Starts at")]
    minutes: Annotated[int, said("时长（分钟）", "Minutes")]
    replay_url: Annotated[str, said("回放", "Replay")]
    viewer_count: Annotated[int, said("观看人次", "Views")]
