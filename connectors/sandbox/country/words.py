"""The words of the country: units, characters of names, stages, types."""

from __future__ import annotations

from connectors.sandbox.country.entities import Unit

CITY = "371500"
PROVINCE = "370000"

UNITS = (
    Unit("371502", "东昌府区", "聊城市东昌府区", True),
    Unit("371581", "临清市", "聊城市临清市", True),
    Unit("371525", "冠县", "聊城市冠县", True),
    Unit("371522", "莘县", "聊城市莘县", True),
    Unit("371521", "阳谷县", "聊城市阳谷县", True),
    Unit("371524", "东阿县", "聊城市东阿县", True),
    Unit("371503", "茌平区", "聊城市茌平区", True),
    Unit("371526", "高唐县", "聊城市高唐县", True),
    Unit("371571", "开发区", "聊城经济技术开发区", False, "371502"),
    Unit("371572", "高新区", "聊城高新技术产业开发区", False, "371502"),
    Unit("371573", "度假区", "聊城江北水城旅游度假区", False, "371502"),
)
WITHDRAWN = {"371503": "茌平县"}

FAMILY = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕"
# A second character from the stems and branches keeps a name natural and plainly made by a machine.
GIVEN = "禾川云安宁清和明远思文景嘉书言雨晨舟行知"
CYCLE = "甲乙丙丁戊己庚辛壬癸子丑寅卯辰巳午未申酉戌亥"
RARE = ("䶮", "𬭊", "𫘧", "𠮷")

PLACE_FIRST = "砚澄桐汀栖岑朔芷霁穗苇棠沅珩峤漪"
PLACE_SECOND = "溪野屿蓝云禾原泽川宁渡序汐岚圃澍"

STAGES = {"PRIMARY": "小学", "JUNIOR": "初中", "SENIOR": "高中"}
GRADES = ("一年级", "二年级", "三年级", "四年级", "五年级", "六年级", "七年级", "八年级", "九年级")
GRADE_NAMES = {f"G{n:02d}": name for n, name in enumerate((*GRADES, "高一", "高二", "高三"), start=1)}
TYPE_NAMES = {
    "211": "小学",
    "311": "初级中学",
    "312": "九年一贯制学校",
    "341": "完全中学",
    "342": "高级中学",
    "345": "十二年一贯制学校",
}
SUFFIX = {
    "211": "小学",
    "311": "初级中学",
    "312": "学校",
    "341": "中学",
    "342": "高级中学",
    "345": "实验学校",
}
MONITORED = ("随迁子女学生", "留守儿童学生", "孤儿学生", "残疾学生", "烈士/优抚子女", "申请资助学生")
TITLES = ("三级教师", "二级教师", "一级教师", "高级教师", "正高级教师")


def stage_of(system: str, grade: int) -> str:
    """The stage of grade 1-12 under a schooling system; under 五四 (S54) grade 6 is junior middle."""
    if grade >= 10:
        return "SENIOR"
    return "JUNIOR" if grade >= 7 or (grade == 6 and system == "S54") else "PRIMARY"
