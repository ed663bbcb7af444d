"""What people read about levels, scopes, purposes and proofs: Chinese first, English beside it.

The consent page's words are evidence: a receipt keeps their digest (`Consents`), so change them on purpose.
"""

from __future__ import annotations

from collections.abc import Mapping

Words = Mapping[str, tuple[str, str]]

LEVELS: Words = {
    "NATIONAL": ("国家级", "National"),
    "PROVINCIAL": ("省级", "Provincial"),
    "MUNICIPAL": ("市级", "City"),
    "COUNTY": ("县级", "County"),
    "SCHOOL": ("校级", "School"),
}
"""From the top."""

SCOPES: Words = {
    "openid": (
        "一个只给这个应用的编号，用来认出您；别的应用得到的编号不同",
        "a number that recognises you in this application only; every other one gets a different number",
    ),
    "profile": ("您的姓名", "your name"),
    "roles": (
        "您的身份：教师、学生、家长或管理员，以及所在学校与班级",
        "your roles: teacher, pupil, guardian or administrator, with school and classes",
    ),
    "offline_access": (
        "在您离开之后继续代您读取，直到您撤回",
        "to go on reading for you while you are away, until you withdraw",
    ),
    "graph": (
        "您有权看到的全部三类数据：资源、身份与活动",
        "all three families of data that you may see: resources, identities and activity",
    ),
    "graph.resources": ("您有权看到的数字教育资源", "educational resources that you may see"),
    "graph.identities": (
        "您有权看到的学校、班级、学籍与人员信息",
        "schools, classes, school rolls and people that you may see",
    ),
    "graph.activity": (
        "您有权看到的学习与教学活动记录",
        "records of learning and teaching that you may see",
    ),
}

PURPOSES: Words = {
    "teaching": ("教学", "teaching"),
    "school-management": ("学校管理", "school management"),
    "roll": ("学籍管理", "the school roll"),
    "aid": ("学生资助", "aid to pupils"),
    "dropout-prevention": ("控辍保学", "keeping pupils in school"),
}

ASSURANCE: Words = {
    "SELF_ASSERTED": ("自行填写", "self-asserted"),
    "NAME_VERIFIED": ("已实名", "name verified"),
    "FACE_VERIFIED": ("已实人", "face verified"),
}

_ALL: Mapping[str, Words] = {
    "level": LEVELS, "scope": SCOPES, "purpose": PURPOSES, "assurance": ASSURANCE,
}  # fmt: skip


def word(kind: str, code: str, lang: str) -> str:
    """What people call `code`; the code itself where nobody has named it."""
    chinese, english = _ALL[kind].get(code, (code, code))
    return chinese if lang == "zh" else english
