"""The shelf: textbooks, their tags (stage, subject, version, grade, volume) and chapter trees."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property, lru_cache
from itertools import product

from connectors.sandbox.country.dice import Dice
from connectors.sandbox.country.entities import Chapter, Tag, TagNode, Textbook
from connectors.sandbox.country.records import KnowledgePoint
from connectors.sandbox.country.words import GRADE_NAMES, STAGES, stage_of

SUBJECTS = {
    "CHINESE": ("语文", "古诗 散文 寓言 民间故事 说明文 习作 口语交际 神话 童话 小说"),
    "MATH": ("数学", "小数乘法 位置 可能性 简易方程 多边形的面积 分数的意义 长方体 统计图 比例 因数与倍数"),
    "ENGLISH": ("英语", "问候 家庭 学校生活 天气 四季 食物 旅行 爱好 健康 节日"),
    "SCIENCE": ("科学", "植物的生长 光与影 声音 水的循环 简单机械 热传递 地球运动 生态系统 电路 力与运动"),
    "MORALITY_LAW": (
        "道德与法治",
        "我的成长 集体生活 规则与秩序 家乡的变化 爱护公共设施 诚实守信 网络生活 法律保护我们",
    ),
    "MUSIC": ("音乐", "童声合唱 节奏 民歌 器乐 京剧 欣赏 创编 竖笛"),
    "FINE_ARTS": ("美术", "色彩 线条 剪纸 泥塑 年画 版画 设计 欣赏"),
    "PHYSICS": ("物理", "机械运动 声现象 光的折射 质量与密度 压强 浮力 欧姆定律 电功率"),
    "CHEMISTRY": ("化学", "物质的变化 空气 水的净化 化学方程式 金属 酸和碱 盐 溶液"),
    "BIOLOGY": ("生物学", "细胞 组织与器官 光合作用 遗传 生态系统 人体的营养 微生物 生物的多样性"),
    "HISTORY": ("历史", "早期文明 统一国家 民族交融 科技成就 近代变革 世界大战 改革开放 文化交流"),
    "GEOGRAPHY": ("地理", "地图 气候 地形 河流 人口 农业 工业 区域发展"),
    "POLITICS": ("思想政治", "经济生活 政治生活 文化传承 哲学初步 法治社会 国家制度 当代国际 逻辑思维"),
}
_63, _54 = "63", "54"
# (stage, system, subject, versions, first grade, last grade)
_PLAN = (
    ("PRIMARY", _63, "CHINESE", ("统编版",), 1, 6),
    ("PRIMARY", _63, "MATH", ("人教版", "青岛版", "北师大版"), 1, 6),
    ("PRIMARY", _63, "ENGLISH", ("人教版（PEP）（主编：吴欣）", "外研社版"), 3, 6),
    ("PRIMARY", _63, "SCIENCE", ("青岛版", "教科版"), 1, 6),
    ("PRIMARY", _63, "MORALITY_LAW", ("统编版",), 1, 6),
    ("PRIMARY", _63, "MUSIC", ("人音版",), 1, 6),
    ("PRIMARY", _63, "FINE_ARTS", ("人美版",), 1, 6),
    ("PRIMARY", _54, "CHINESE", ("统编版",), 1, 5),
    ("PRIMARY", _54, "MATH", ("青岛版",), 1, 5),
    ("PRIMARY", _54, "ENGLISH", ("鲁科版",), 3, 5),
    ("PRIMARY", _54, "SCIENCE", ("青岛版",), 1, 5),
    ("JUNIOR", _63, "CHINESE", ("统编版",), 7, 9),
    ("JUNIOR", _63, "MATH", ("人教版", "北师大版"), 7, 9),
    ("JUNIOR", _63, "ENGLISH", ("人教版",), 7, 9),
    ("JUNIOR", _63, "MORALITY_LAW", ("统编版",), 7, 9),
    ("JUNIOR", _63, "HISTORY", ("统编版",), 7, 9),
    ("JUNIOR", _63, "GEOGRAPHY", ("湘教版", "商务星球版"), 7, 8),
    ("JUNIOR", _63, "BIOLOGY", ("济南版",), 7, 8),
    ("JUNIOR", _63, "PHYSICS", ("人教版",), 8, 9),
    ("JUNIOR", _63, "CHEMISTRY", ("人教版",), 9, 9),
    ("JUNIOR", _54, "CHINESE", ("统编版",), 6, 9),
    ("JUNIOR", _54, "MATH", ("鲁教版",), 6, 9),
    ("JUNIOR", _54, "ENGLISH", ("鲁教版",), 6, 9),
    ("JUNIOR", _54, "PHYSICS", ("鲁科版",), 8, 9),
    ("JUNIOR", _54, "CHEMISTRY", ("鲁教版",), 8, 9),
)
_SENIOR_PLAN = (
    ("CHINESE", "统编版", ("必修 上册", "必修 下册", "选择性必修 上册")),
    ("MATH", "人教A版", ("必修 第一册", "必修 第二册", "选择性必修 第一册")),
    ("ENGLISH", "人教版", ("必修 第一册", "必修 第二册", "必修 第三册")),
    ("POLITICS", "统编版", ("必修 第一册", "必修 第二册")),
    ("PHYSICS", "鲁科版", ("必修 第一册", "必修 第二册")),
    ("CHEMISTRY", "鲁科版", ("必修 第一册", "必修 第二册")),
    ("BIOLOGY", "人教版", ("必修 第一册", "必修 第二册")),
    ("GEOGRAPHY", "鲁教版", ("必修 第一册", "必修 第二册")),
)
SUBJECTS_OF_STAGE = {
    "PRIMARY": ("CHINESE", "MATH", "ENGLISH", "SCIENCE", "MORALITY_LAW", "MUSIC", "FINE_ARTS"),
    "JUNIOR": ("CHINESE", "MATH", "ENGLISH", "PHYSICS", "CHEMISTRY", "BIOLOGY", "HISTORY", "GEOGRAPHY"),
    "SENIOR": ("CHINESE", "MATH", "ENGLISH", "POLITICS", "PHYSICS", "CHEMISTRY", "BIOLOGY", "GEOGRAPHY"),
}
_PUBLISHERS = {"统编版": "人民教育出版社", "人教版": "人民教育出版社", "人教A版": "人民教育出版社"}
_NUMERALS = "一二三四五六七八"

# (stage, five-four, subject, version, grade or 0, volume)
Edition = tuple[str, bool, str, str, int, str]


def _editions() -> Iterator[Edition]:
    for stage, system, subject, versions, first, last in _PLAN:
        for version, grade, volume in product(versions, range(first, last + 1), ("上册", "下册")):
            yield stage, system == _54, subject, version, grade, volume
    for subject, version, volumes in _SENIOR_PLAN:
        for volume in volumes:
            yield "SENIOR", False, subject, version, 0, volume


class Shelf:
    """All textbooks; a few hundred, so they are made once, on first touch."""

    def __init__(self, dice: Dice) -> None:
        self._dice = dice
        self.root = Tag(dice.uuid("tag-root"), "教材", "5036342742")
        self.chapters = lru_cache(maxsize=None)(self._chapters)
        self.lessons = lru_cache(maxsize=None)(self._lessons)

    @cached_property
    def textbooks(self) -> tuple[Textbook, ...]:
        return tuple(self._textbook(index, edition) for index, edition in enumerate(_editions()))

    @cached_property
    def by_id(self) -> dict[str, Textbook]:
        return {book.id: book for book in self.textbooks}

    @cached_property
    def by_place(self) -> dict[tuple[str, bool, str], tuple[int, ...]]:
        """Indexes of textbooks by (stage, five-four, grade code; empty for senior high)."""
        found: dict[tuple[str, bool, str], list[int]] = {}
        for book in self.textbooks:
            found.setdefault((book.stage, book.five_four, book.grade_code), []).append(book.index)
        return {key: tuple(value) for key, value in found.items()}

    def _tag(self, dimension: str, name: str) -> Tag:
        """The same name has the same id wherever it stands: ids repeat across branches, as upstream."""
        return Tag(self._dice.uuid("tag:" + dimension + name), name, dimension)

    def _textbook(self, index: int, edition: Edition) -> Textbook:
        stage, five_four, subject, version, grade, volume = edition
        stage_name = STAGES[stage] + ("（五•四学制）" if five_four else "")
        grade_code = f"G{grade:02d}" if grade else ""
        grade_name = GRADE_NAMES.get(grade_code, "")
        subject_name = SUBJECTS[subject][0]
        named = (("zxxxd", stage_name), ("zxxxk", subject_name), ("zxxbb", version), ("zxxnj", grade_name))
        tags = tuple(self._tag(key, name) for key, name in (*named, ("zxxcc", volume)) if name)
        kind = "普通高中教科书" if stage == "SENIOR" else "义务教育教科书"
        system = "（五•四学制）" if five_four else ""
        return Textbook(
            index=index,
            id=self._dice.uuid("textbook", index),
            title=f"{kind}{system}·{subject_name}{grade_name}{volume}（{version}）",
            stage=stage,
            stage_name=stage_name,
            subject_code=subject,
            subject_name=subject_name,
            grade_code=grade_code,
            grade_name=grade_name,
            version_name=version,
            volume=volume,
            edition_age="旧教材" if self._dice.below(9, "edition", index) == 0 else "新教材",
            publisher=_PUBLISHERS.get(version, f"{version.split('（')[0].removesuffix('版')}样例出版社"),
            five_four=five_four,
            has_pdf=index % 13 != 4,
            tags=tags,
            tag_path="/".join(tag.id for tag in (self.root, *tags)),
            size=8_000_000 + self._dice.below(60_000_000, "book-size", index),
            md5=self._dice.digest("textbook", index),
            page_count=96 + self._dice.below(40, "pages", index),
            front_page=4 + self._dice.below(4, "front", index),
            created_at="2024-08-20T09:00:00+08:00",
            updated_at=f"2025-{1 + index % 12:02d}-{1 + index % 28:02d}T12:05:23+08:00",
        )

    def _chapters(self, index: int) -> tuple[Chapter, ...]:
        """Units and their lessons in reading order."""
        book, found, page = self.textbooks[index], list[Chapter](), 2
        topics = SUBJECTS[book.subject_code][1].split()
        start = len(topics) // 2 if book.volume == "下册" else 0
        for unit in range(5 + self._dice.below(3, "units", index)):
            topic = topics[(start + unit) % len(topics)]
            key = self._dice.uuid("chapter", index, unit)
            title = f"第{_NUMERALS[unit]}单元 {topic}"
            found.append(self._chapter(book, key, title, len(found), page, None))
            for lesson in range(3 + self._dice.below(3, "lessons", index, unit)):
                child = self._dice.uuid("lesson", index, unit, lesson)
                title = f"{topic}（{_NUMERALS[lesson]}）"
                found.append(self._chapter(book, child, title, len(found), page, key))
                page += 2 + self._dice.below(3, "lesson-pages", index, unit, lesson)
        return tuple(found)

    def _chapter(
        self, book: Textbook, key: str, title: str, order: int, page: int, parent: str | None
    ) -> Chapter:
        return Chapter(
            id=key,
            textbook_id=book.id,
            title=title,
            order=order + 1,
            page=page,
            parent_id=parent,
            path=f"{parent}/{key}" if parent else key,
        )

    def used(self, system: str, grade: int) -> tuple[int, ...]:
        """Indexes of the textbooks that may be used in a grade under a schooling system."""
        stage = stage_of(system, grade)
        if stage == "SENIOR":
            return self.by_place[stage, False, ""]
        return self.by_place[stage, system == "S54", f"G{grade:02d}"]

    def points(self, subject: str) -> list[KnowledgePoint]:
        """The knowledge points of a subject: the root, then its topics in order."""
        name, topics = SUBJECTS[subject]
        root = f"kp-{subject}"
        found = [_point(root, name, subject, None, (), None)]
        book = next(book for book in self.textbooks if book.subject_code == subject)
        units = {
            unit.title.split(" ")[1]: unit.id for unit in self.chapters(book.index) if not unit.parent_id
        }
        for n, topic in enumerate(topics.split()):
            before = (f"{root}-{n - 1}",) if n else ()
            found.append(_point(f"{root}-{n}", topic, subject, root, before, units.get(topic)))
        return found

    def _lessons(self, index: int) -> tuple[Chapter, ...]:
        return tuple(chapter for chapter in self.chapters(index) if chapter.parent_id)

    @cached_property
    def tree(self) -> TagNode:
        """Root, stage, subject, version, grade (not in senior high), volume."""
        return self._branch(self.root, self.root.id, [book.tags for book in self.textbooks])

    def _branch(self, tag: Tag, path: str, rows: list[tuple[Tag, ...]]) -> TagNode:
        below: dict[Tag, list[tuple[Tag, ...]]] = {}
        for row in rows:
            if row:
                below.setdefault(row[0], []).append(row[1:])
        children = (self._branch(child, f"{path}/{child.id}", rest) for child, rest in below.items())
        return TagNode(tag, path, tuple(children))


def _point(
    key: str, name: str, subject: str, parent: str | None, before: tuple[str, ...], chapter: str | None
) -> KnowledgePoint:
    return KnowledgePoint(
        id=key,
        name=name,
        subject_code=subject,
        parent_id=parent,
        prerequisite_ids=before,
        chapter_id=chapter,
    )
