"""Figures as the documents print them, oddities included, and the tables of the data centre."""

from __future__ import annotations

from connectors.sandbox.country.records import (
    Application,
    Column,
    Metric,
    MigrationFlow,
    Organization,
    StageStatistic,
    Statistics,
)
from connectors.sandbox.country.words import CITY, PROVINCE, UNITS

STAGE_TABLE = tuple(
    StageStatistic(stage=stage, name=name, schools=schools, students_10k=students, staff_10k=staff)
    for stage, name, schools, students, staff in (
        ("PRESCHOOL", "学前教育（幼儿园）", 19020, 277, 26),
        ("COMPULSORY", "义务教育（小学、初中）", 12706, 1038, 72),
        ("SENIOR_AND_VOCATIONAL", "高中和中职学校", 993, 245, 23),
        ("HIGHER", "高等教育（高校）", 156, 213, 15),
        ("TOTAL", "合计", 32875, 1773, 136),
    )
)
PROVINCIAL = Statistics(
    region_code=PROVINCE,
    region_name="山东省",
    school_year="2018-2019",
    schools=34285,  # as printed: 26,057 + 8,226 is two fewer
    public_schools=26057,
    private_schools=8226,
    students=16731094,
    female_students=7724940,
    printed="学校 34,285 所，公办 26,057 所，民办 8,226 所",
)
_FLOWS = (
    ("410000", "河南省", 1241, 15.5),
    ("320000", "江苏省", 940, 11.7),
    ("130000", "河北省", 602, 7.5),
    ("330000", "浙江省", 537, 6.7),
    ("230000", "黑龙江省", 400, 5.0),
    ("340000", "安徽省", 358, 4.5),
    ("440000", "广东省", 357, 4.4),
    ("120000", "天津市", 335, 4.2),
    ("210000", "辽宁省", 318, 4.0),
    ("350000", "福建省", 241, 3.0),
)
MIGRATION = tuple(
    MigrationFlow(
        rank=rank,
        school_year="2018-2019",
        direction="IN",
        from_code=code,
        from_name=name,
        to_code=PROVINCE,
        students=students,
        percent=percent,
    )
    for rank, (code, name, students, percent) in enumerate(_FLOWS, start=1)
)
METRICS = tuple(
    Metric(
        key=key,
        name=name,
        region_code=CITY,
        level="MUNICIPAL",
        period=period,
        value=value,
        unit=unit,
        qualifier=qualifier,
        printed=printed,
    )
    for key, name, period, value, unit, qualifier, printed in (
        ("sharedResources", "优质数字教学资源", "2022", 6_630_000, "份", "APPROX", "663万份"),
        ("onlineCommunities", "线上研修共同体", "2022", 870, "个", "LOWER_BOUND", "870余个"),
        ("communityMembers", "研修共同体成员", "2022", 10_000, "人", "APPROX", "近10000人"),
        ("activityParticipations", "活动累计参与", "2022", 4_000_000, "人次", "LOWER_BOUND", "超过400万人次"),
        ("smartPenMarkings", "智能笔累计批阅", "2022-11", 8_040_000, "题次", "LOWER_BOUND", "804万余题次"),
        ("trainings", "专项培训", "2022", 800, "场", "LOWER_BOUND", "800余场"),
        ("trainingParticipations", "累计参训", "2022", 160_000, "人次", "LOWER_BOUND", "16万余人次"),
        ("nationalPlatformResources", "国家平台资源", "2022", 200_000, "份", "APPROX", "20万资源"),
    )
)


def organizations() -> tuple[Organization, ...]:
    """The ministry, the provincial department, the city bureau, eleven county bureaus and their centres."""
    rows = [
        ("000000", None, "教育部（样例）", "MINISTRY", "NATIONAL"),
        (PROVINCE, "000000", "山东省教育厅", "DEPARTMENT", "PROVINCIAL"),
        (CITY, PROVINCE, "聊城市教育和体育局", "BUREAU", "MUNICIPAL"),
        *((unit.code, CITY, f"{unit.name}教育和体育局", "BUREAU", "COUNTY") for unit in UNITS),
    ]
    bureaus = tuple(
        _organization(code, above, name, kind, level, "org") for code, above, name, kind, level in rows
    )
    centres = (
        _organization(
            PROVINCE, PROVINCE, "山东省电化教育馆（样例）", "AUDIO_VISUAL_CENTRE", "PROVINCIAL", "avc"
        ),
        _organization(CITY, CITY, "聊城市电化教育馆（样例）", "AUDIO_VISUAL_CENTRE", "MUNICIPAL", "avc"),
        *(
            _organization(u.code, u.code, f"{u.name}电化教育站", "AUDIO_VISUAL_CENTRE", "COUNTY", "avc")
            for u in UNITS
        ),
    )
    return bureaus + centres


def _organization(
    code: str, above: str | None, name: str, kind: str, level: str, prefix: str
) -> Organization:
    return Organization(
        id=f"{prefix}-{code}",
        name=name,
        kind=kind,
        level=level,
        region_code=code,
        parent_id=f"org-{above}" if above else None,
        phone=f"0000-8{code}",
    )


APPLICATIONS = tuple(
    Application(
        id=f"app-{number:03d}",
        name=name,
        category=category,
        access_level=level,
        origin=origin,
        region_code={"NATIONAL": "000000", "PROVINCIAL": PROVINCE}.get(level, CITY),
        url=f"https://app-{number:03d}.example.invalid/",
        provider=provider,
    )
    for number, (name, category, level, origin, provider) in enumerate(
        (
            ("国家中小学智慧教育平台", "网络课程", "NATIONAL", "NATIONAL_CORE", "国家样例教育资源中心"),
            ("山东基础教育管理信息化平台", "教育管理", "PROVINCIAL", "NATIONAL_CORE", "山东省教育厅"),
            ("山东省职业教育服务平台", "教育管理", "PROVINCIAL", "SUPERIOR_COMMON", "山东省教育厅"),
            ("一师一优课", "网络教研", "PROVINCIAL", "SUPERIOR_COMMON", "山东省教育厅"),
            ("水城云课", "网络课程", "MUNICIPAL", "LOCAL", "聊城市教育和体育局"),
            ("水城智享直播间", "网络教研", "MUNICIPAL", "LOCAL", "聊城市教育和体育局"),
            ("授课助手", "备课授课", "MUNICIPAL", "LOCAL", "样例科技公司"),
            ("互动课堂", "互动课堂", "MUNICIPAL", "LOCAL", "样例科技公司"),
            ("智能作业", "作业测评", "MUNICIPAL", "LOCAL", "样例科技公司"),
            ("智能检测", "作业测评", "MUNICIPAL", "LOCAL", "样例科技公司"),
            ("活动广场", "协作互动", "MUNICIPAL", "LOCAL", "聊城市教育和体育局"),
            ("习惯养成", "协作互动", "MUNICIPAL", "LOCAL", "聊城市教育和体育局"),
            ("网络教研社区", "网络教研", "MUNICIPAL", "LOCAL", "聊城市教育和体育局"),
            ("校园办公系统", "教育管理", "SCHOOL", "LOCAL", "样例科技公司"),
            ("数字图书馆", "数字图书馆", "COUNTY", "LOCAL", "样例科技公司"),
            ("英语听说训练", "语言学习", "COUNTY", "LOCAL", "样例科技公司"),
        ),
        start=1,
    )
)

# table: (description, category, rows of, columns "NAME label type length privacy [pk]")
TABLES: dict[str, tuple[str, str, str, tuple[str, ...]]] = {
    "ZXX_XX_JBXX": (
        "中小学学校基本信息",
        "教育业务类 > 学校类 > 中小学阶段",
        "schools",
        (
            "XXDM 学校标识码 varchar 10 PUBLIC pk",
            "XXMC 学校名称 varchar 60 PUBLIC",
            "XZQHM 行政区划码 varchar 6 PUBLIC",
            "XXBXLXM 学校办学类型码 varchar 3 PUBLIC",
            "XXJBZM 举办者码 varchar 3 PUBLIC",
            "SZDCXLXM 所在地城乡类型码 varchar 3 PUBLIC",
            "XXDZ 学校地址 varchar 180 PUBLIC",
            "XZXM 校长姓名 varchar 36 PUBLIC",
            "LXDH 联系电话 varchar 30 PUBLIC",
            "GXSJ 更新时间 timestamp 0 INTERNAL",
        ),
    ),
    "ZXX_XS_JBXX": (
        "中小学学生基本信息",
        "教育业务类 > 学生类 > 中小学阶段",
        "pupils",
        (
            "ZXX_XS_JBXX_ID 学生基本信息ID varchar 40 INTERNAL pk",
            "XM 姓名 varchar 36 PERSONAL",
            "XBM 性别码 varchar 1 PERSONAL",
            "CSRQ 出生日期 varchar 8 SENSITIVE",
            "SFZJH 身份证件号 varchar 20 SENSITIVE",
            "XJH 学籍号 varchar 30 PERSONAL",
            "XXDM 学校标识码 varchar 10 PERSONAL",
            "NJDM 年级 varchar 3 PERSONAL",
            "RXNY 入学年月 varchar 6 PERSONAL",
            "XSDQZTM 学生当前状态码 varchar 2 PERSONAL",
            "JDFSM 就读方式码 varchar 1 PERSONAL",
            "JTZZ 家庭住址 varchar 180 SENSITIVE",
            "GXSJ 更新时间 timestamp 0 INTERNAL",
        ),
    ),
    "ZXX_XS_JTCY": (
        "中小学学生家庭成员信息",
        "教育业务类 > 学生类 > 中小学阶段",
        "guardians",
        (
            "ZXX_XS_JTCY_ID 学生家庭成员ID varchar2 40 INTERNAL pk",
            "ZXX_XS_JBXX_ID 学生基本信息ID varchar2 40 INTERNAL",
            "CYXM 成员姓名 varchar2 36 SENSITIVE",
            "GXM 关系码 varchar2 2 SENSITIVE",
            "SFJHR 是否监护人 varchar2 1 SENSITIVE",
            "LXDH 联系电话 varchar2 30 SENSITIVE",
        ),
    ),
    "ZXX_XS_XJYD": (
        "中小学学生学籍异动",
        "教育业务类 > 学生类 > 中小学阶段",
        "roll_changes",
        (
            "ZXX_XS_XJYD_ID 学籍异动ID varchar 48 INTERNAL pk",
            "ZXX_XS_JBXX_ID 学生基本信息ID varchar 40 INTERNAL",
            "YDLBM 异动类别码 varchar 12 SENSITIVE",
            "YDRQ 异动日期 varchar 8 SENSITIVE",
            "YCXXDM 原学校标识码 varchar 10 SENSITIVE",
            "XXXDM 现学校标识码 varchar 10 SENSITIVE",
            "YDZT 异动状态 varchar 12 SENSITIVE",
        ),
    ),
    "ZXX_JZG_JBXX": (
        "中小学教职工基本信息",
        "教育业务类 > 教职工类 > 中小学阶段",
        "staff",
        (
            "GH 工号 varchar 20 PERSONAL pk",
            "XM 姓名 varchar 36 PERSONAL",
            "XBM 性别码 varchar 1 PERSONAL",
            "CSRQ 出生日期 varchar 8 SENSITIVE",
            "SFZJH 身份证件号 varchar 20 SENSITIVE",
            "XXDM 学校标识码 varchar 10 PERSONAL",
            "GWM 岗位 varchar 20 PERSONAL",
            "ZC 职称 varchar 20 PERSONAL",
        ),
    ),
}


def columns(table: str) -> tuple[Column, ...]:
    """The columns of a table of the data centre."""
    return tuple(_column(line.split()) for line in TABLES[table][3])


def _column(words: list[str]) -> Column:
    key = words[-1] == "pk"
    return Column(
        name=words[0],
        label=words[1],
        type=words[2],
        length=int(words[3]),
        privacy=words[4],
        primary_key=key,
        not_null=key,
    )
