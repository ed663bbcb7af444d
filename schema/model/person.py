"""Words for people: persons, their accounts, classes, rolls and families. Every field carries its mark."""

from __future__ import annotations

from typing import Annotated

from schema.model.codes import IdentityAssurance, Level, LinkState, MonitoredGroup, PersonRole, Stage
from schema.model.privacy import Duty, Mask, PrivacyClass
from schema.model.words import Date, DateTime, Kind, Link, RegionCode, Word, YearMonth, said

N, P, M, C, S = Level
PUBLIC, INTERNAL, PERSONAL, SENSITIVE = PrivacyClass
TEACHING, MANAGEMENT, ROLL, AID, DROPOUT = Duty


class Person(
    Word, kind=Kind.PERSON, about_person=True, zh="人员", en="Person", privacy=PERSONAL, authority=(P, S, C)
):
    """A person as a roster tells it; records of one person at several sources meet by `match_key`."""

    person_key: Annotated[str, said("人员键", "Own key, for scope", INTERNAL, hidden=True)]
    match_key: Annotated[str, said("匹配键", "Keyed hash of the roll or ID number", SENSITIVE, hidden=True)]
    display_name: Annotated[
        str,
        said(
            "姓名",
            "Name",
            PERSONAL,
            authority=(P, S, C),
            duties=(TEACHING, MANAGEMENT, ROLL),
            at_work=INTERNAL,
            mask=Mask.NAME,
        ),
    ]
    roles: Annotated[list[PersonRole], said("身份", "Roles", INTERNAL, authority=(S, C))]
    gender: Annotated[str, said("性别（GB/T 2261.1）", "Sex, GB/T 2261.1", PERSONAL, duties=(TEACHING, ROLL))]
    birth_date: Annotated[
        Date,
        said(
            "出生日期", "Date of birth", SENSITIVE, authority=(P, C), duties=(TEACHING, ROLL), mask=Mask.YEAR
        ),
    ]
    resident_id_masked: Annotated[
        str, said("身份证件号（脱敏）", "ID number, masked at its source", SENSITIVE, duties=(ROLL,))
    ]
    assurance: Annotated[
        IdentityAssurance, said("实名程度", "Identity assurance", PERSONAL, authority=(M, P))
    ]
    grade_code: Annotated[str, said("年级", "Grade", INTERNAL, authority=(S, C))]
    stage: Annotated[Stage, said("学段", "Stage", INTERNAL, authority=(S, C))]
    subjects: Annotated[list[str], said("任教学科", "Subjects taught", INTERNAL, authority=(S, C))]
    school_code: Annotated[str, said("学校标识码", "School code", INTERNAL, authority=(S, C))]
    region_code: Annotated[RegionCode, said("区划代码", "Region code", INTERNAL, authority=(S, C))]
    class_keys: Annotated[list[str], said("班级键", "Keys of the classes", INTERNAL, hidden=True)]
    guardian_keys: Annotated[list[str], said("监护人键", "Keys of the guardians", SENSITIVE, hidden=True)]
    school: Annotated[Link, said("学校", "School", INTERNAL)]
    enrollments: Annotated[
        Link,
        said("所在班级", "Classes, and as what", PERSONAL, authority=(S,), duties=(TEACHING, MANAGEMENT)),
    ]
    accounts: Annotated[Link, said("各级账号", "Accounts at all levels", PERSONAL, authority=(N, P, M, S))]
    student_roll: Annotated[Link, said("学籍", "Student roll", SENSITIVE, authority=(N, P), duties=(ROLL,))]
    guardians: Annotated[Link, said("监护人", "Guardians", SENSITIVE, duties=(TEACHING, ROLL))]
    children: Annotated[Link, said("子女", "Children", SENSITIVE)]
    learning_space: Annotated[Link, said("网络学习空间", "Learning space", PERSONAL, authority=(M,))]
    events: Annotated[
        Link, said("应用行为", "Activity events", PERSONAL, authority=(S, M), duties=(TEACHING,))
    ]
    access_log: Annotated[Link, said("谁看过", "Who read sensitive data of theirs", SENSITIVE)]
    consents: Annotated[Link, said("同意回执", "What was agreed to for them", SENSITIVE)]


class Account(
    Word,
    kind=Kind.ACCOUNT,
    about_person=True,
    zh="账号",
    en="Account",
    privacy=PERSONAL,
    authority=(N, P, M, S),
):
    """An account of a person at one level's platform: `(issuer, subject)`."""

    person_key: Annotated[str, said("人员键", "Whose it is", INTERNAL, hidden=True)]
    match_key: Annotated[str, said("匹配键", "Keyed hash for matching", SENSITIVE, hidden=True)]
    issuer: Annotated[str, said("签发平台", "Platform that issued it", PERSONAL)]
    level: Annotated[Level, said("级别", "Level", PERSONAL)]
    subject: Annotated[str, said("账号标识", "Subject at the issuer", PERSONAL)]
    user_identity: Annotated[PersonRole, said("用户身份", "As what", PERSONAL)]
    org_key: Annotated[str, said("所属机构", "Organisation at the issuer", PERSONAL, hidden=True)]
    school_code: Annotated[str, said("学校标识码", "School code", PERSONAL)]
    region_code: Annotated[RegionCode, said("区划代码", "Region code", PERSONAL)]
    birth_date: Annotated[
        Date, said("出生日期", "Date of birth, for the under-14 rule", SENSITIVE, hidden=True)
    ]
    registered_at: Annotated[DateTime, said("注册时间", "Registered at", PERSONAL)]
    activated_at: Annotated[DateTime, said("激活时间", "Activated at", PERSONAL)]
    last_login_at: Annotated[DateTime, said("最近登录", "Last sign-in", PERSONAL)]
    real_name: Annotated[bool, said("是否实名", "Whether real-name verified", PERSONAL)]
    link_state: Annotated[LinkState, said("关联状态", "State of the link to the person", PERSONAL)]
    platform: Annotated[Link, said("所在平台", "The platform", PERSONAL)]


class Enrollment(
    Word,
    kind=Kind.ENROLLMENT,
    about_person=True,
    zh="班级成员",
    en="Enrollment",
    privacy=PERSONAL,
    authority=(S, C),
):
    """Somebody's belonging to a class, as pupil or teacher."""

    person_key: Annotated[str, said("人员键", "Who", INTERNAL, hidden=True)]
    class_key: Annotated[str, said("班级键", "Which class", INTERNAL, hidden=True)]
    school_code: Annotated[str, said("学校标识码", "School code", INTERNAL)]
    region_code: Annotated[RegionCode, said("区划代码", "Region code", INTERNAL)]
    role: Annotated[PersonRole, said("身份", "As what", INTERNAL)]
    subject_code: Annotated[str, said("任教学科", "Subject taught", INTERNAL)]
    primary: Annotated[bool, said("是否主要", "Whether the main one", INTERNAL)]
    begin_date: Annotated[Date, said("开始日期", "From", PERSONAL, duties=(TEACHING, MANAGEMENT))]
    end_date: Annotated[Date, said("结束日期", "Until", PERSONAL, duties=(TEACHING, MANAGEMENT))]
    person: Annotated[Link, said("人员", "Who", INTERNAL)]
    class_group: Annotated[Link, said("班级", "Which class", INTERNAL)]


class Guardianship(
    Word,
    kind=Kind.GUARDIANSHIP,
    about_person=True,
    zh="监护关系",
    en="Guardianship",
    privacy=SENSITIVE,
    authority=(P, S, C),
):
    """Who stands for a child, as the province's roll or a roster tells it."""

    person_key: Annotated[str, said("儿童键", "Key of the child", SENSITIVE, hidden=True)]
    match_key: Annotated[str, said("匹配键", "Keyed hash of the child's number", SENSITIVE, hidden=True)]
    guardian_key: Annotated[str, said("监护人键", "Key of the guardian", SENSITIVE, hidden=True)]
    guardian_name: Annotated[
        str, said("监护人姓名", "Guardian's name", SENSITIVE, duties=(TEACHING, ROLL), mask=Mask.NAME)
    ]
    relation_code: Annotated[
        str, said("关系（GB/T 4761）", "Relation, GB/T 4761", SENSITIVE, duties=(TEACHING, ROLL))
    ]
    relation_name: Annotated[str, said("关系", "Relation in words", SENSITIVE, duties=(TEACHING, ROLL))]
    is_legal_guardian: Annotated[
        bool, said("是否监护人", "Whether legal guardian", SENSITIVE, duties=(TEACHING, ROLL))
    ]
    school_code: Annotated[str, said("学校标识码", "School code", SENSITIVE, hidden=True)]
    region_code: Annotated[RegionCode, said("区划代码", "Region code", SENSITIVE, hidden=True)]
    class_keys: Annotated[list[str], said("班级键", "Classes of the child", SENSITIVE, hidden=True)]
    guardian: Annotated[
        Link, said("监护人", "The guardian, where a roster knows one", SENSITIVE, duties=(TEACHING, ROLL))
    ]
    child: Annotated[Link, said("儿童", "The child", SENSITIVE, duties=(TEACHING, ROLL))]


class StudentRoll(
    Word,
    kind=Kind.STUDENT_ROLL,
    about_person=True,
    zh="学籍",
    en="Student roll record",
    privacy=SENSITIVE,
    authority=(N, P),
):
    """A pupil's roll record (JY/T 1002 JCXS0201); plain numbers stay at the source."""

    person_key: Annotated[str, said("人员键", "Whose", SENSITIVE, hidden=True)]
    match_key: Annotated[str, said("匹配键", "Keyed hash of the number", SENSITIVE, hidden=True)]
    roll_no_masked: Annotated[
        str, said("全国学籍号（脱敏）", "Roll number, masked at its source", SENSITIVE, duties=(ROLL,))
    ]
    status_code: Annotated[
        str, said("学生状态（XSDQZT）", "State, JY/T 1001 XSDQZT", SENSITIVE, duties=(ROLL,))
    ]
    enrolled_on: Annotated[YearMonth, said("入学年月", "Enrolled on", SENSITIVE, duties=(ROLL,))]
    grade_code: Annotated[str, said("年级", "Grade", SENSITIVE, duties=(ROLL,))]
    class_name: Annotated[str, said("班级名称", "Name of the class", SENSITIVE, duties=(ROLL,))]
    boarding_code: Annotated[str, said("就读方式", "Day or boarding", SENSITIVE, duties=(ROLL,))]
    household_address: Annotated[str, said("户籍地址", "Household address", SENSITIVE, duties=(ROLL,))]
    monitored_groups: Annotated[
        list[MonitoredGroup], said("关注群体", "Monitored groups", SENSITIVE, duties=(AID, DROPOUT))
    ]
    birth_date: Annotated[
        Date, said("出生日期", "Date of birth, for the under-14 rule", SENSITIVE, hidden=True)
    ]
    school_code: Annotated[str, said("学校标识码", "School code", SENSITIVE, duties=(ROLL,))]
    region_code: Annotated[RegionCode, said("区划代码", "Region code", SENSITIVE, duties=(ROLL,))]
    school: Annotated[Link, said("学籍所在学校", "School on the roll", SENSITIVE, duties=(ROLL,))]


class LearningSpace(
    Word,
    kind=Kind.LEARNING_SPACE,
    about_person=True,
    zh="网络学习空间",
    en="Learning space",
    privacy=PERSONAL,
    authority=(M,),
):
    """A real-name learning space (人人通) of a teacher or pupil at the city platform."""

    person_key: Annotated[str, said("人员键", "Whose", PERSONAL, hidden=True)]
    match_key: Annotated[str, said("匹配键", "Keyed hash for matching", SENSITIVE, hidden=True)]
    owner_role: Annotated[PersonRole, said("空间所有者身份", "Role of the owner", PERSONAL)]
    opened_on: Annotated[Date, said("开通日期", "Opened on", PERSONAL)]
    real_name: Annotated[bool, said("是否实名", "Whether real-name", PERSONAL)]
    url: Annotated[str, said("地址", "Address", PERSONAL)]
    birth_date: Annotated[
        Date, said("出生日期", "Date of birth, for the under-14 rule", SENSITIVE, hidden=True)
    ]
    school_code: Annotated[str, said("学校标识码", "School code", PERSONAL)]
    region_code: Annotated[RegionCode, said("区划代码", "Region code", PERSONAL)]
