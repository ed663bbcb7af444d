"""The closed lists of the model as GraphQL enums, each value said in both languages."""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import Any

import strawberry
from strawberry.types.enum import StrawberryEnumDefinition

from schema.model import codes
from schema.model.privacy import Duty, PrivacyClass


class ResourceFacet(StrEnum):
    """What search results can be counted by; the value is the model's field."""

    LEVEL = "level"
    STAGE = "stage"
    SUBJECT = "subject_code"
    GRADE = "grade_code"
    VERSION = "version_name"
    CHAPTER = "chapter_keys"


_SAID: tuple[tuple[type[Enum], str, str, str], ...] = (
    (codes.Level, "五个级别", "The five levels", "国家 省 市 县（区） 校"),
    (codes.Stage, "学段", "Stage of schooling", "学前 小学 初中 高中 中职 特教 高等"),
    (codes.SchoolingSystem, "学制", "Schooling system", "六三制 五四制 九年一贯制 十二年一贯制"),
    (
        codes.OrgKind,
        "机构类别",
        "What a body is",
        "教育行政部门（部、厅、局） 直属中心（电化教育、信息、装备） 教研科研机构 内设科室 委员会 其他",
    ),
    (codes.PersonRole, "身份", "Role of a person", "学生 教师 监护人 职员 校长 教研员 管理员 公众"),
    (codes.Scene, "应用场景：教、学、研、管、评、育", "Scene of use", "教学 学习 教研 管理 评价 育人"),
    (codes.LoopStep, "教学环节：备导教学练测评", "Step of the teaching loop", "备 导 教 学 练 测 评"),
    (codes.FiveEducation, "五育", "The five educations", "德育 智育 体育 美育 劳动教育"),
    (codes.CommunityKind, "教研组织类别", "Kind of community", "名师工作室 网络教研社区 网络教研共同体"),
    (codes.ActivityKind, "活动类别", "Kind of activity", "活动广场 习惯养成 竞赛 培训 直播 教研"),
    (codes.LiveKind, "直播类别", "Kind of live session", "同步课堂 名师课堂 专递课堂 双师课堂 讲座"),
    (codes.IdentityAssurance, "实名程度", "Identity assurance", "未核 自报 学籍比对 证件核验 人脸核验"),
    (codes.LinkState, "账号关联状态", "State of an account link", "待确认 已确认 已拒绝 已撤回"),
    (codes.MetricQualifier, "数值性质", "Nature of a printed figure", "精确 约数 下限"),
    (
        codes.MonitoredGroup,
        "关注群体",
        "Monitored group",
        "随迁子女 留守儿童 孤儿 残疾 烈士子女 资助申请",
    ),
    (
        PrivacyClass,
        "隐私级别",
        "Privacy class",
        "任何人可见 范围内工作人员可见 本人、监护人与有职责者可见 敏感（个人信息保护法第28条）",
    ),
    (Duty, "职责（用途）", "Duty, which is the purpose of reading", "教学 学校管理 学籍 资助 控辍保学"),
    (ResourceFacet, "统计维度", "Dimension of a facet", "级别 学段 学科 年级 教材版本 章节"),
)


def declare() -> None:
    """Declare every enum to strawberry, its values described; to call once before types are made."""
    for cls, zh, en, values in _SAID:
        strawberry.enum(cls, description=f"{zh}。{en}.")
        definition: Any = cls.__dict__["__strawberry_definition__"]
        assert isinstance(definition, StrawberryEnumDefinition)
        for value, said in zip(definition.values, values.split(), strict=True):
            value.description = f"{said}。{value.name.replace('_', ' ').capitalize()}."


declare()
