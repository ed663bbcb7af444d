"""What a mapping file says about the files of a folder, and the headers that mean the same everywhere."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from connectors.mapping import Document, Fault, KindMapping, Rule, nearest

HEADS = (
    ("学校标识码", "学校代码", "学校编码", "标识码", "学校（机构）标识码", "所在学校标识码"),
    ("学校名称", "校名", "学校全称", "学校"),
    ("行政区划码", "区划代码", "行政区划代码", "所属区划代码"),
    ("姓名", "学生姓名", "教师姓名", "名字"),
    ("学籍号", "全国学籍号", "学籍号码", "学生学籍号"),
    ("身份证件号", "身份证号", "身份证号码", "证件号码", "居民身份证号"),
    ("出生日期", "出生年月日", "生日"),
    ("班级编码", "班级代码", "班号编码"),
    ("班级名称", "班级", "班名"),
    ("年级", "所在年级"),
    ("学段", "办学学段"),
    ("在校生数", "学生数", "学生人数", "在籍学生数"),
    ("教职工数", "教职工人数", "教师数"),
    ("班级数", "教学班数", "班数"),
    ("章节编码", "章节代码", "教材章节编码"),
    ("资源名称", "资源标题", "标题"),
    ("学科", "任教学科", "所属学科"),
)
"""Groups of column headers that counties use for the same thing."""


class SheetRule(Rule, frozen=True):
    """Where rows stand. Several files of one pattern are read one after the other.

    `files`     file name pattern in the folder, such as `学校*.xlsx` (no folders)
    `sheet`     pattern of the sheet names; all visible sheets otherwise
    `each`      native field whose items (parted by `split`) make a row each
    `search`    our fields in which text is looked for
    `optional`  without such a file there is nothing, instead of no answer
    `harvest`   may be read whole
    """

    files: str
    sheet: str = "*"
    each: str | None = None
    split: str = "、"
    search: list[str] = msgspec.field(default_factory=list)
    optional: bool = False
    harvest: bool = False


class TablesDocument(Document, frozen=True):
    """The mapping file of a folder of tables."""

    sheets: dict[str, SheetRule]


def checked(document: TablesDocument) -> Iterator[Fault]:
    """What is wrong with a mapping of tables beyond its shape."""
    for name, sheet in document.sheets.items():
        if "/" in sheet.files or "\\" in sheet.files or sheet.files.startswith("."):
            yield Fault(
                ("sheets", name, "files"), "只写文件名 / a file name only", "去掉目录 / drop the folder"
            )
        if not sheet.split:
            yield Fault(("sheets", name, "split"), "split 不能为空 / split is empty", "如 、 / such as that")
    for kind, said in document.kinds.items():
        for rule in said if isinstance(said, list) else [said]:
            at = ("kinds", kind, "from")
            if rule.from_ not in document.sheets:
                cause = f"没有表 {rule.from_} / no such sheet"
                yield Fault(at, cause, nearest(rule.from_, document.sheets))
                continue
            for field in document.sheets[rule.from_].search:
                if field not in rule.fields:
                    where = ("sheets", rule.from_, "search")
                    yield Fault(where, f"{field} 没有映射 / is not mapped", nearest(field, rule.fields))


_BRACKETS = re.compile(r"[(（\[【].*?[)）\]】]")
_NOISE = re.compile(r"[\s*＊:：\u3000]+")


def head(cell: object) -> str:
    """A header as it is compared: half-width, without blanks, stars, colons and what stands in brackets."""
    if not isinstance(cell, str) or len(cell) > 200:
        return ""
    plain = unicodedata.normalize("NFKC", cell)
    return _NOISE.sub("", _BRACKETS.sub("", plain)) or _NOISE.sub("", plain)


def layout(row: Iterable[object], mapping: KindMapping) -> dict[str, int]:
    """Native field -> column in a header row; what the mapping names itself goes before built-in synonyms."""
    places: dict[str, int] = {}
    for place, cell in enumerate(row):
        if name := head(cell):
            places.setdefault(name, place)
    names = mapping.names()
    said = {native: _first(places, (native, *also)) for native, also in names.items()}
    found = {native: place for native, place in said.items() if place is not None}
    free = {name: place for name, place in places.items() if place not in found.values()}
    for native in names.keys() - found.keys():
        other = _first(free, _synonyms(native))
        if other is not None:
            found[native] = other
    return found


def _first(places: Mapping[str, int], names: Iterable[str]) -> int | None:
    return next((places[head(name)] for name in names if head(name) in places), None)


def _synonyms(native: str) -> tuple[str, ...]:
    return next((group for group in HEADS if head(native) in map(head, group)), ())
