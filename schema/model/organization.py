"""Words for organisations: bureaus, schools, their facilities and classes."""

from __future__ import annotations

from typing import Annotated

from schema.model.codes import Level, OrgKind, SchoolingSystem, Stage
from schema.model.privacy import PrivacyClass
from schema.model.words import Date, Kind, Link, RegionCode, SchoolYear, Word, said

N, P, M, C, S = Level
PUBLIC, INTERNAL, PERSONAL, SENSITIVE = PrivacyClass


class Organization(
    Word,
    kind=Kind.ORGANIZATION,
    zh="机构",
    en="Organization",
    privacy=PUBLIC,
    authority=(C,),
    same=(("credit_code",), ("region_code", "name")),
):
    """A bureau, centre or other body that is no school; the same body of several sources is one.

    Its kind is no part of what it is known by: a region has one body of a name, and not every source
    tells its kind.
    """

    name: Annotated[str, said("名称", "Name")]
    org_kind: Annotated[OrgKind, said("类别", "What it is: bureau, centre, committee …")]
    level: Annotated[Level, said("级别", "Level")]
    region_code: Annotated[RegionCode, said("区划代码", "Region code")]
    parent_key: Annotated[str, said("上级机构", "Key of the organisation above", hidden=True)]
    credit_code: Annotated[str, said("统一社会信用代码", "Unified social credit code, GB 32100")]
    region: Annotated[Link, said("所在区划", "Its region")]


class SchoolFacility(
    Word,
    kind=Kind.SCHOOL_FACILITY,
    zh="信息化设施",
    en="Facilities of a school",
    privacy=INTERNAL,
    authority=(S,),
):
    """Figures behind the thresholds of the 120-point standard."""

    school_code: Annotated[str, said("学校标识码", "School code")]
    region_code: Annotated[RegionCode, said("区划代码", "Region code")]
    uplink_mbps: Annotated[float, said("出口带宽（Mbps）", "Uplink in Mbit/s")]
    classrooms: Annotated[int, said("教室数", "Classrooms")]
    classrooms_with_display: Annotated[int, said("配备显示设备的教室数", "Classrooms with a display")]
    teacher_computers: Annotated[int, said("教师用计算机数", "Computers for teachers")]
    student_computers: Annotated[int, said("学生用计算机数", "Computers for pupils")]
    reported_on: Annotated[Date, said("填报日期", "Reported on")]


class School(Word, kind=Kind.SCHOOL, shared=True, zh="学校", en="School", privacy=PUBLIC, authority=(C,)):
    """A school. Key: its ten-digit code (学校标识码)."""

    school_code: Annotated[str, said("学校标识码，十位", "School code, ten digits", authority=(N, P, C))]
    name: Annotated[str, said("名称", "Name", authority=(N, P, C))]
    region_code: Annotated[RegionCode, said("区划代码", "Region code", authority=(C, N, P))]
    school_type: Annotated[
        str, said("办学类型（JY/T 1001 BXLX）", "School type, JY/T 1001 BXLX", authority=(N, P))
    ]
    stages: Annotated[list[Stage], said("学段", "Stages taught")]
    schooling_system: Annotated[SchoolingSystem, said("学制", "Schooling system")]
    organiser_code: Annotated[
        str, said("举办者（JY/T 1001）；999 为民办", "Organiser; 999 is private", authority=(N, P))
    ]
    urban_rural_code: Annotated[str, said("城乡分类代码", "Urban or rural", authority=(N, P))]
    is_private: Annotated[bool, said("是否民办", "Whether privately run")]
    directly_under: Annotated[Level, said("主管级别", "Level that runs it")]
    credit_code: Annotated[str, said("统一社会信用代码", "Unified social credit code, GB 32100")]
    address: Annotated[str, said("地址", "Address")]
    principal_name: Annotated[str, said("校长", "Head of the school", INTERNAL)]
    phone: Annotated[str, said("办公电话", "Office telephone", INTERNAL)]
    student_count: Annotated[int, said("在校生数", "Pupils on the roll", authority=(P, N, C))]
    staff_count: Annotated[int, said("教职工数", "Staff", authority=(P, N, C))]
    class_count: Annotated[int, said("班级数", "Classes", authority=(S, C, P))]
    region: Annotated[Link, said("所在区划", "Its region")]
    county: Annotated[Link, said("所在区县", "Its county or reporting zone")]
    city: Annotated[Link, said("所在市", "Its city")]
    province: Annotated[Link, said("所在省", "Its province")]
    facility: Annotated[Link, said("信息化设施", "Facilities", INTERNAL, authority=(S,))]
    classes: Annotated[Link, said("班级", "Classes", INTERNAL, authority=(S,))]
    resources: Annotated[Link, said("校本资源", "Resources made here", authority=(S,))]
    honours: Annotated[Link, said("荣誉", "Honours", authority=(N, P, M))]
    events: Annotated[Link, said("应用行为", "Activity events at the school", INTERNAL, authority=(S,))]


class ClassGroup(
    Word, kind=Kind.CLASS_GROUP, register=True, zh="班级", en="Class", privacy=INTERNAL, authority=(S,)
):
    """A class of one school year. Rosters number for themselves: a school's own goes before its county's."""

    name: Annotated[str, said("名称", "Name")]
    class_key: Annotated[str, said("班级键", "Own key, for scope", hidden=True)]
    grade_code: Annotated[str, said("年级，G01–G12", "Grade, G01 to G12")]
    stage: Annotated[Stage, said("学段", "Stage")]
    school_code: Annotated[str, said("学校标识码", "School code")]
    region_code: Annotated[RegionCode, said("区划代码", "Region code")]
    school_year: Annotated[SchoolYear, said("学年", "School year")]
    homeroom_teacher_key: Annotated[str, said("班主任", "Key of the homeroom teacher", hidden=True)]
    student_count: Annotated[int, said("学生数", "Pupils")]
    school: Annotated[Link, said("学校", "Its school")]
    homeroom_teacher: Annotated[Link, said("班主任", "Homeroom teacher")]
    enrollments: Annotated[Link, said("班级成员", "Who belongs to it, and as what")]
    textbooks: Annotated[
        Link, said("所用年级教材", "Textbooks for its grade and stage", PUBLIC, authority=(N,))
    ]
