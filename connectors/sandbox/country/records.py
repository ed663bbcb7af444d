"""What the country does and counts: activities, notices, figures; plain frozen values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One learning or office event; `timestamp` carries +08:00, `score` is on 0-10 or None."""

    id: str
    actor_id: str
    actor_role: str
    verb: str
    object_type: str
    object_id: str
    object_name: str
    timestamp: str
    scene: str
    loop_step: str
    school_code: str
    class_key: str
    app: str
    client: str
    score: float | None = None
    duration_seconds: int = 0
    effective: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitMonth:
    """The counts of one unit in one month, as the monthly report sums them (附件3); ratios are not ours."""

    unit_code: str
    unit_name: str
    month: str
    platform_schools: int
    platform_teachers: int
    teacher_logins: int
    teaching_uses: int
    effective_lessons: int
    office_uses: int
    notices: int
    activities_held: int
    activity_participants: int
    accepted_submissions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """Something to take part in; `participants` are persons, `participations` 人次."""

    id: str
    title: str
    level: str
    region_code: str
    school_code: str
    kind: str
    theme: str
    education: str
    season: str
    starts_on: str
    ends_on: str
    participants: int
    participations: int
    status: str
    organizer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Community:
    """An online studio or research community; `parent_id` leads school to county to city."""

    id: str
    name: str
    kind: str
    level: str
    region_code: str
    stage: str
    subject_code: str
    subject_name: str
    member_count: int
    lead_person_id: str
    member_ids: tuple[str, ...]
    parent_id: str | None
    founded_on: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A notice of a school, a county or the city."""

    id: str
    title: str
    level: str
    region_code: str
    school_code: str
    published_at: str
    audience: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSession:
    """A lesson or lecture held live; `kind` is one of the three classrooms, dual teacher, or lecture."""

    id: str
    title: str
    kind: str
    level: str
    region_code: str
    host_id: str
    subject_code: str
    subject_name: str
    grade_code: str
    starts_at: str
    ends_at: str
    viewers: int
    replay: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeworkStat:
    """Homework of one unit in one month."""

    region_code: str
    month: str
    published: int
    participations: int
    evaluations: int
    pen_markings: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformUsage:
    """Use of one platform in one month."""

    platform: str
    level: str
    region_code: str
    month: str
    page_views: int
    plays: int
    app_visits: int
    active_users: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStatistic:
    """One row of the province's stage table; students and staff in 10,000 (万人)."""

    stage: str
    name: str
    schools: int
    students_10k: int
    staff_10k: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Integrated statistics of a region and school year, as printed; sums may not add up."""

    region_code: str
    region_name: str
    school_year: str
    schools: int
    public_schools: int
    private_schools: int
    students: int
    female_students: int | None
    staff: int | None = None
    printed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationFlow:
    """Pupils who came from another province, with the share as printed (percent, one decimal)."""

    rank: int
    school_year: str
    direction: str
    from_code: str
    from_name: str
    to_code: str
    students: int
    percent: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Honour:
    """An honour of a region or school."""

    id: str
    title: str
    kind: str
    level: str
    region_code: str
    school_code: str
    awarded_by: str
    awarded_on: str
    doc_no: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """An application of the application centre."""

    id: str
    name: str
    category: str
    access_level: str
    origin: str
    region_code: str
    url: str
    provider: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a data set; `privacy` is PUBLIC, INTERNAL, PERSONAL or SENSITIVE."""

    name: str
    label: str
    type: str
    length: int
    privacy: str
    primary_key: bool = False
    not_null: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A table of the provincial data centre."""

    table: str
    description: str
    theme: str
    category: str
    columns: tuple[Column, ...]
    row_count: int
    modified_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KnowledgePoint:
    """A knowledge point; `prerequisite_ids` come before it, `parent_id` contains it."""

    id: str
    name: str
    subject_code: str
    parent_id: str | None
    prerequisite_ids: tuple[str, ...]
    chapter_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """A named column or library of resources."""

    id: str
    title: str
    level: str
    region_code: str
    audience: str
    resource_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningSpace:
    """A real-name learning space of a pupil or a teacher."""

    id: str
    owner_id: str
    owner_name: str
    role: str
    school_code: str
    opened_on: str
    real_name: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """A bureau, department or centre; `parent_id` is the one it reports to."""

    id: str
    name: str
    kind: str
    level: str
    region_code: str
    parent_id: str | None
    phone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A published figure; `qualifier` EXACT, APPROX or LOWER_BOUND, `printed` as the source wrote it."""

    key: str
    name: str
    region_code: str
    level: str
    period: str
    value: float
    unit: str
    qualifier: str
    printed: str
