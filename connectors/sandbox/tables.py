"""A county's folder of tables, filled in as counties do: title rows, odd orders, full-width digits.

`write(folder, country, unit_code)` writes six files, one of them a GB 18030 CSV. At the end of the pupils'
roll stand two rows that nobody should trust: one number that a numeric cell has eaten, one pupil told twice.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import xlsxwriter

from connectors.sandbox.country import Country, Person, Resource, School, Unit

_STAGE = {"PRIMARY": "小学", "JUNIOR": "初中", "SENIOR": "高中"}
_SYSTEM = {"S63": "六三学制", "S54": "五四学制", "S9": "九年一贯制", "S12": "十二年一贯制"}
_GRADES = ("一", "二", "三", "四", "五", "六", "七", "八", "九")
_SUBJECTS = {
    "CHINESE": "语文", "MATH": "数学", "ENGLISH": "英语", "MORALITY_LAW": "道德与法治",
    "POLITICS": "思想政治",
    "SCIENCE": "科学", "PHYSICS": "物理", "CHEMISTRY": "化学", "BIOLOGY": "生物学", "GEOGRAPHY": "地理",
    "HISTORY": "历史", "PE": "体育与健康", "MUSIC": "音乐", "FINE_ARTS": "美术", "IT": "信息技术",
}  # fmt: skip
_HONOUR = {"NATIONAL": "国家级", "PROVINCIAL": "省级", "MUNICIPAL": "市级", "COUNTY": "县级"}
_WIDE = str.maketrans("0123456789", "０１２３４５６７８９")
Row = Sequence[Any]


def write(folder: Path, country: Country, unit_code: str) -> None:
    """Write the county's files into `folder`, which is made if missing; LookupError for an unknown unit."""
    unit = next((unit for unit in country.units if unit.code == unit_code), None)
    if unit is None:
        raise LookupError(f"no such unit: {unit_code}")
    folder.mkdir(parents=True, exist_ok=True)
    schools = list(country.schools_of(unit_code))
    _schools(folder / "学校名录.xlsx", unit, [country.told_by("COUNTY", one) for one in schools], country)
    _classes(folder / "班级情况.csv", country, schools)
    _pupils(folder / "学生花名册.csv", country, schools)
    _teachers(folder / "教师花名册.xlsx", unit, country, schools)
    _resources(folder / "资源目录.xlsx", unit, country.resources("COUNTY", unit_code))
    _figures(folder / "荣誉与指标.xlsx", unit, country)


def _schools(path: Path, unit: Unit, schools: list[School], country: Country) -> None:
    heads = ("序号", "备注", "学校名称 ", "学校代码", "办 学 类 型", "学段", "学制", "举办者",
             "学校地址", "在校学生数",
             "教职工数（人）", "班级数", "校长", "联系电话")  # fmt: skip
    rows = [
        (
            number, "", one.name, one.code.translate(_WIDE) if number % 2 else one.code, one.type_name,
            "、".join(_STAGE[stage] for stage in one.level), _SYSTEM.get(one.system, ""), one.organiser_code,
            one.address, f"{one.student_count}".translate(_WIDE), one.staff_count, one.class_count,
            one.principal_name, one.phone,
        )
        for number, one in enumerate(schools, start=1)
    ]  # fmt: skip
    total = ("合  计", "", "", "", "", "", "", "", "", sum(one.student_count for one in schools))
    facilities = [
        (
            one.name, one.code, "２０１" if one.index % 3 == 0 else 500,
            one.class_count + 6, one.class_count + 4, one.staff_count, one.student_count // 8,
            _serial(country.today.replace(day=1)),
        )
        for one in schools
    ]  # fmt: skip
    with xlsxwriter.Workbook(str(path)) as book:
        _sheet(
            book, "学校", f"{unit.name}中小学名录", heads, [*rows, (), total], note="填报单位：教育和体育局"
        )
        _sheet(
            book, "信息化设施", f"{unit.name}学校信息化设施情况",
            ("学校", "学校标识码", "出口带宽(M)", "教室数", "多媒体教室数", "教师用机", "学生用机",
            "填报日期"),
            facilities, note="单位：间、台",
        )  # fmt: skip


def _classes(path: Path, country: Country, schools: list[School]) -> None:
    heads = ("班级编码", "学校标识码", "班级名称", "年级", "学段", "学年", "班主任工号", "人数", "备注")
    rows = [
        (
            one.key, one.school_code, one.name, _grade(one.grade_code), _STAGE[one.stage],
            f"{one.school_year}学年", _staff_no(country, one.homeroom_teacher_id), one.size, "",
        )
        for school in schools
        for one in country.classes(school)
    ]  # fmt: skip
    _csv(path, "utf-8-sig", [heads, *rows])


def _pupils(path: Path, country: Country, schools: list[School]) -> None:
    heads = (
        "学生姓名",
        "性别",
        "全国学籍号",
        "身份证号",
        "出生年月日",
        "班级编码",
        "年级",
        "学段",
        "学校代码",
        "备注",
    )
    rows: list[Row] = []
    for school in schools:
        for group in country.classes(school):
            rows += [_pupil(one, len(rows) + seat) for seat, one in enumerate(country.pupils(group))]
    if rows:
        lost = ["样例", "男", "9.99999E+17", "9.99999E+17", *rows[0][4:9], "从表格软件另存"]
        rows += [lost, [*rows[0][:9], "重复填报"]]
    _csv(path, "gb18030", [("学生花名册",), heads, *rows])


def _pupil(one: Person, number: int) -> Row:
    sex = "男" if one.sex == "1" else "女"
    roll = one.roll_no.translate(_WIDE) if number % 5 == 0 else one.roll_no
    return (
        one.name, sex, roll, one.resident_id, _written(one.birth_date, number), one.class_key,
        _grade(one.grade_code), _STAGE[one.stage], one.school_code, "",
    )  # fmt: skip


def _teachers(path: Path, unit: Unit, country: Country, schools: list[School]) -> None:
    heads = (
        "工号",
        "姓名",
        "性别",
        "身份证号码",
        "出生日期",
        "任教学科",
        "任教班级",
        "岗位",
        "所在学校标识码",
        "备注",
    )
    rows = [
        (
            one.staff_no, one.name, "男" if one.sex == "1" else "女", one.resident_id,
            _serial(date.fromisoformat(one.birth_date)), "、".join(_SUBJECTS[code] for code in one.subjects),
            "、".join(one.class_keys), "校长" if one.role == "principal" else "教师", one.school_code, "",
        )
        for school in schools
        for one in country.teachers(school)
    ]  # fmt: skip
    with xlsxwriter.Workbook(str(path)) as book:
        _sheet(book, "教师", f"{unit.name}教师花名册", heads, rows)


def _resources(path: Path, unit: Unit, resources: Iterable[Resource]) -> None:
    heads = ("资源编号", "资源名称", "简介", "类型", "格式", "学段", "学科", "年级", "教材版本",
             "册次", "教材编码",
             "章节编码", "提供单位", "发布日期", "下载次数", "指纹", "备注")  # fmt: skip
    rows = [
        (
            one.id, one.title, one.summary, one.type_name, one.format, _STAGE.get(one.stage, ""),
            one.subject_name, one.grade_name, one.version_name, one.volume, one.textbook_id, one.chapter_id,
            one.provider, _written(one.published_on, one.index),
            f"{one.downloads / 10_000:.4f}万" if one.index % 4 == 0 else one.downloads, one.md5, "",
        )
        for one in resources
    ]  # fmt: skip
    with xlsxwriter.Workbook(str(path)) as book:
        _sheet(book, "资源", f"{unit.name}教育资源目录", heads, rows)


def _figures(path: Path, unit: Unit, country: Country) -> None:
    honours = [
        (one.id, one.title, _HONOUR[one.level], one.awarded_by, one.doc_no,
         one.awarded_on, one.school_code, "")
        for one in country.honours()
        if one.region_code == unit.code
    ]  # fmt: skip
    month = next(one for one in country.monthly_counts() if one.unit_code == unit.code)
    named = (("教师登录总数", month.teacher_logins), ("教学使用次数", month.teaching_uses),
             ("有效授课总数", month.effective_lessons), ("办公应用次数", month.office_uses))  # fmt: skip
    metrics = [
        (number, name, month.month, f"{value / 10_000:.4f}万", "次", "准确", f"{value}次")
        for number, (name, value) in enumerate(named, start=1)
    ]
    with xlsxwriter.Workbook(str(path)) as book:
        _sheet(
            book, "荣誉", f"{unit.name}教育荣誉",
            ("编号", "荣誉名称", "级别", "授予单位", "文号", "授予日期", "学校代码", "备注"), honours,
        )  # fmt: skip
        _sheet(
            book,
            "指标",
            f"{unit.name}应用指标",
            ("指标编号", "指标名称", "月份", "数值", "单位", "口径", "原文"),
            metrics,
        )


def _sheet(
    book: xlsxwriter.Workbook, name: str, title: str, heads: Row, rows: Iterable[Row], note: str = ""
) -> None:
    """A merged title, perhaps a line below it, then heads and rows; numbers stay numbers, codes text."""
    sheet = book.add_worksheet(name)
    sheet.merge_range(0, 0, 0, len(heads) - 1, title)
    at = 1
    if note:
        sheet.write_string(at, 0, note)
        at += 1
    for number, row in enumerate((heads, *rows), start=at):
        for place, cell in enumerate(row):
            if isinstance(cell, str):
                if cell:
                    sheet.write_string(number, place, cell)
            else:
                sheet.write_number(number, place, cell)


def _csv(path: Path, encoding: str, rows: Iterable[Row]) -> None:
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file).writerows(rows)


def _grade(code: str) -> str:
    number = int(code[1:])
    return f"{_GRADES[number - 1]}年级" if number <= 9 else f"高{_GRADES[number - 10]}"


def _staff_no(country: Country, person_id: str) -> str:
    person = country.person(person_id)
    return person.staff_no if person else ""


def _serial(day: date) -> int:
    """The number by which a spreadsheet counts days."""
    return day.toordinal() - date(1899, 12, 30).toordinal()


def _written(day: str, number: int) -> str:
    """The same date as four clerks write it."""
    year, month, of_month = day.split("-")
    return (
        f"{year}/{int(month)}/{int(of_month)}",
        f"{year}年{int(month)}月{int(of_month)}日",
        f"{year}{month}{of_month}",
        day.translate(_WIDE),
    )[number % 4]
