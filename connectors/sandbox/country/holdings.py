"""Resources of the five levels: millions of them, each made from its number when somebody looks."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone

from connectors.sandbox.country.dice import Dice, Lazy
from connectors.sandbox.country.entities import Resource, Textbook
from connectors.sandbox.country.schools import Schools
from connectors.sandbox.country.shelf import Shelf
from connectors.sandbox.country.words import UNITS

LEVELS = ("NATIONAL", "PROVINCIAL", "MUNICIPAL", "COUNTY", "SCHOOL")
CHINA = timezone(timedelta(hours=8))
FOCUS = 40  # so many first resources of every owner follow the lessons of the focus textbook
_FORMS = (
    ("assets_video", "微课视频", "mp4"),
    ("coursewares", "课件", "pptx"),
    ("lesson_plandesign", "教学设计", "docx"),
    ("assets_document", "学习任务单", "pdf"),
    ("examinationpapers", "课后练习", "pdf"),
    ("assets_audio", "朗读音频", "mp3"),
)
_FROM = datetime(2019, 9, 1, 8, tzinfo=CHINA)


class Holdings:
    """What each level offers; `counts` gives the number for one owner at each level."""

    def __init__(
        self, dice: Dice, shelf: Shelf, schools: Schools, counts: Mapping[str, int], focus: Textbook
    ) -> None:
        self._dice, self._shelf, self._schools = dice, shelf, schools
        self.counts, self._focus = counts, focus
        self._until = datetime(schools.start_year, 8, 1, 8, tzinfo=CHINA)

    def owner_number(self, level: str, owner: str | None) -> int:
        """The number of an owner at its level (0 above the county); LookupError for unknown ones."""
        if level not in LEVELS:
            raise LookupError(f"no such level: {level}")
        if level == "COUNTY":
            return _CODES[owner] if owner in _CODES else _no(owner)
        if level == "SCHOOL":
            index = self._schools.index_of(owner or "")
            return _no(owner) if index is None else index
        return 0

    def of(self, level: str, owner: str | None) -> Lazy[Resource]:
        number, rank = self.owner_number(level, owner), LEVELS.index(level)
        return Lazy(range(self.counts[level]), lambda index: self.resource(rank, number, index))

    def since(self, level: str, moment: str) -> int:
        """The first index whose `updated_at` is not before an ISO moment; `updated_at` never falls."""
        return bisect_left(range(self.counts[level]), moment, key=lambda index: self._moment(level, index))

    def by_id(self, resource_id: str) -> Resource | None:
        """The resource with that id at any level, or None; O(1)."""
        parts = resource_id.split("-")
        if [len(part) for part in parts] != [8, 4, 4, 4, 12]:
            return None
        try:
            rank, owner, index = int(parts[2][1], 16), int(parts[1], 16), int(parts[4], 16)
        except ValueError:
            return None
        if rank >= len(LEVELS) or index >= self.counts[LEVELS[rank]] or owner >= self._owners(rank):
            return None
        return self.resource(rank, owner, index) if self._id(rank, owner, index) == resource_id else None

    def _owners(self, rank: int) -> int:
        return (1, 1, 1, len(UNITS), self._schools.count)[rank]

    def _id(self, rank: int, owner: int, index: int) -> str:
        bits = self._dice.bits("resource", rank, owner, index)
        return f"{bits >> 32:08x}-{owner:04x}-4{rank:x}00-8{bits & 0xFFF:03x}-{index:012x}"

    def _moment(self, level: str, index: int) -> str:
        span = int((self._until - _FROM).total_seconds())
        return (_FROM + timedelta(seconds=index * span // self.counts[level])).isoformat()

    def resource(self, rank: int, owner: int, index: int) -> Resource:
        made = self._original(rank, owner, index)
        chance = self._dice.bits("resource-life", rank, owner, index)
        if rank == 0:
            return self._national(made, index)
        if rank == 1 and chance % 211 == 0 and index >= FOCUS:
            return replace(made, deleted=True)
        if rank in (1, 2) and chance // 256 % 20 == 0 and index >= FOCUS:
            return self._repeat(made, chance >> 16)
        return made

    def _national(self, made: Resource, index: int) -> Resource:
        """Of eleven in a row eight are normal, one is the parent of a compound and two are its parts."""
        turn = index % 11 if index >= FOCUS + 4 else 0
        if turn == 8:
            return replace(made, compound="parent", type_code="thematic_course", type_name="专题课程")
        if turn > 8:
            parent = self._original(0, 0, index - turn + 8)
            empty = replace(made, compound="sub", parent_id=parent.id, tags=(), tag_path="", labels=())
            return replace(empty, textbook_id=parent.textbook_id, textbook_title=parent.textbook_title)
        return replace(made, tombstone=True) if index % 997 == 500 else made

    def _repeat(self, made: Resource, chance: int) -> Resource:
        """The same work as a national one, offered again under another id and provider."""
        index = chance % (self.counts["NATIONAL"] // 11) * 11 + chance // 2**24 % 8
        source = self._original(0, 0, index if index % 997 != 500 else 0)
        return replace(
            source,
            index=made.index,
            id=made.id,
            level=made.level,
            owner=made.owner,
            provider=made.provider,
            published_on=made.published_on,
            created_at=made.created_at,
            updated_at=made.updated_at,
            downloads=made.downloads,
            views=made.views,
            rating=made.rating,
        )

    def _book(self, rank: int, owner: int, index: int, chance: int) -> Textbook:
        """Counties and up cover everything; a school only what its grades study."""
        if rank < 4:
            return (
                self._focus if index < FOCUS else self._shelf.textbooks[chance % len(self._shelf.textbooks)]
            )
        _, system, grades = self._schools.kind(owner)
        if index < FOCUS and system != "S54" and 5 in grades:
            return self._focus
        books = self._shelf.used(system, grades[chance % len(grades)])
        return self._shelf.textbooks[books[chance // 64 % len(books)]]

    def _original(self, rank: int, owner: int, index: int) -> Resource:
        chance = self._dice.bits("work", rank, owner, index)
        book = self._book(rank, owner, index, chance)
        lessons = self._shelf.lessons(book.index)
        lesson = lessons[index % len(lessons)] if index < FOCUS else lessons[chance // 4096 % len(lessons)]
        forms = _FORMS if book.subject_code in ("CHINESE", "ENGLISH", "MUSIC") else _FORMS[:5]
        code, type_name, file_format = forms[chance // 2**20 % len(forms)]
        provider, who = self._provider(rank, owner)
        moment, md5 = self._moment(LEVELS[rank], index), self._dice.digest("file", rank, owner, index)
        return Resource(
            index=index,
            id=self._id(rank, owner, index),
            level=LEVELS[rank],
            owner=who,
            title=f"《{lesson.title}》{type_name}（{chance % 900 + 100}）",
            summary=f"{book.grade_name}{book.subject_name}{book.volume}“{lesson.title}”配套{type_name}，样例资源。",
            type_code=code,
            type_name=type_name,
            format=file_format,
            stage=book.stage,
            subject_code=book.subject_code,
            subject_name=book.subject_name,
            grade_code=book.grade_code,
            grade_name=book.grade_name,
            version_name=book.version_name,
            volume=book.volume,
            textbook_id=book.id,
            textbook_title=book.title,
            chapter_id=lesson.id,
            chapter_title=lesson.title,
            chapter_path=lesson.path,
            provider=provider,
            contributor=f"样例教师{chance // 2**24 % 900 + 100}",
            published_on=moment[:10],
            created_at=moment,
            updated_at=moment,
            size=200_000 + chance // 2**16 % 80_000_000,
            md5=md5,
            tags=book.tags,
            tag_path=book.tag_path,
            labels=(book.subject_name, lesson.title.split("（")[0]),
            knowledge_points=(lesson.title.split("（")[0],),
            downloads=chance // 2**30 % 5000,
            views=chance // 2**30 % 5000 * 3 + chance % 100,
            rating=3 + chance // 2**36 % 21 / 10,
            page_count=4 + chance // 2**40 % 30 if file_format in ("pptx", "pdf", "docx") else 0,
            duration_seconds=180 + chance // 2**40 % 900 if file_format in ("mp4", "mp3") else 0,
            licence="限教育系统内使用" if chance // 2**44 % 3 else "CC BY-NC 4.0",
            work_key=f"w-{md5}",
        )

    def _provider(self, rank: int, owner: int) -> tuple[str, str]:
        if rank == 4:
            return self._schools.name(owner), self._schools.code(owner)
        if rank == 3:
            return f"{UNITS[owner].name}教育和体育局", UNITS[owner].code
        named = (
            ("国家样例教育资源中心", "000000"),
            ("山东省教育厅", "370000"),
            ("聊城市教育和体育局", "371500"),
        )
        return named[rank]


_CODES: dict[str | None, int] = {unit.code: number for number, unit in enumerate(UNITS)}


def _no(owner: str | None) -> int:
    raise LookupError(f"no such owner of resources: {owner}")
