"""What the country is made of: plain frozen values, codes and ISO dates as strings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unit:
    """One of the eleven reporting units; a functional zone is not official and lies inside `carved_from`."""

    code: str
    name: str
    full_name: str
    official: bool
    carved_from: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class School:
    """A school; `level` lists its stages, `old_region_name` is the withdrawn name its county still prints."""

    index: int
    code: str
    name: str
    unit_code: str
    unit_name: str
    level: tuple[str, ...]
    system: str
    type_code: str
    type_name: str
    grades: tuple[str, ...]
    organiser_code: str
    urban_rural_code: str
    private: bool
    address: str
    principal_id: str
    principal_name: str
    phone: str
    credit_code: str
    student_count: int
    staff_count: int
    class_count: int
    old_region_name: str | None
    updated_at: str

    @property
    def listed_region_name(self) -> str:
        """The county's name as the county's own school list prints it (茌平县 for some of 茌平区)."""
        return self.old_region_name or self.unit_name


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassGroup:
    """An administrative class; `stage` follows the school's system (五四: G06 is JUNIOR)."""

    key: str
    school_index: int
    number: int
    name: str
    grade_code: str
    stage: str
    school_code: str
    unit_code: str
    school_year: str
    homeroom_teacher_id: str
    entry_year: int
    size: int
    updated_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RollChange:
    """One change of a pupil's roll; `kind` TRANSFER_IN / TRANSFER_OUT / SUSPEND / RESUME."""

    kind: str
    date: str
    from_school: str
    to_school: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A synthetic person: pupil, teacher, principal, guardian or officer; unused fields are empty."""

    id: str
    name: str
    family_name: str
    given_name: str
    sex: str
    birth_date: str
    role: str
    resident_id: str
    hub_person_id: str
    login: str
    phone: str
    updated_at: str
    roll_no: str = ""
    school_code: str = ""
    roll_school_code: str = ""
    unit_code: str = ""
    class_key: str = ""
    class_keys: tuple[str, ...] = ()
    grade_code: str = ""
    stage: str = ""
    household_address: str = ""
    boarding: bool = False
    attendance_mode: str = ""
    monitored_groups: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    staff_no: str = ""
    post: str = ""
    title: str = ""
    student_id: str = ""
    assurance: str = "VERIFIED"
    enrolled_on: str = ""
    status_code: str = ""
    roll_changes: tuple[RollChange, ...] = ()
    children_ids: tuple[str, ...] = ()
    user_identity: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardian:
    """A family member; `relation` is GB/T 4761, `relation_local` the province's own single digit."""

    id: str
    name: str
    sex: str
    relation: str
    relation_local: str
    relation_name: str
    legal: bool
    member_id: str
    child_id: str
    phone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Persona:
    """Somebody who signs in during a demonstration; `level` and `region_code` bound what they may see."""

    key: str
    name: str
    role: str
    level: str
    region_code: str
    school_code: str
    class_keys: tuple[str, ...]
    person_id: str
    children_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag of the national platform; its id repeats across branches, only the path is a key."""

    id: str
    name: str
    dimension: str


@dataclass(frozen=True, slots=True)
class TagNode:
    """A place in the tag tree: `path` is every tag id from the root, joined by slashes."""

    tag: Tag
    path: str
    children: tuple[TagNode, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Textbook:
    """A textbook; `grade_code` is empty for senior-high volumes, as on the national platform."""

    index: int
    id: str
    title: str
    stage: str
    stage_name: str
    subject_code: str
    subject_name: str
    grade_code: str
    grade_name: str
    version_name: str
    volume: str
    edition_age: str
    publisher: str
    five_four: bool
    has_pdf: bool
    tags: tuple[Tag, ...]
    tag_path: str
    size: int
    md5: str
    page_count: int
    front_page: int
    created_at: str
    updated_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """A unit (`parent_id` None) or a lesson of a textbook; `path` joins the ids from the unit down."""

    id: str
    textbook_id: str
    title: str
    order: int
    page: int
    parent_id: str | None
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A teaching resource of one level; `work_key` is equal wherever the same work is offered again."""

    index: int
    id: str
    level: str
    owner: str
    title: str
    summary: str
    type_code: str
    type_name: str
    format: str
    stage: str
    subject_code: str
    subject_name: str
    grade_code: str
    grade_name: str
    version_name: str
    volume: str
    textbook_id: str
    textbook_title: str
    chapter_id: str
    chapter_title: str
    chapter_path: str
    provider: str
    contributor: str
    published_on: str
    created_at: str
    updated_at: str
    size: int
    md5: str
    tags: tuple[Tag, ...]
    tag_path: str
    labels: tuple[str, ...]
    knowledge_points: tuple[str, ...]
    downloads: int
    views: int
    rating: float
    page_count: int
    duration_seconds: int
    licence: str
    work_key: str
    deleted: bool = False
    compound: str | None = None
    parent_id: str | None = None
    tombstone: bool = False
