"""A repository of resources that can be read whole: every change has a number, and a reader goes on after it.

Like many real ones it tells a new reader only what is there now, and an old reader also what has gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import Any, ClassVar

from connectors.base import Capabilities, Connector, Identity, Offer, Options, Tools
from connectors.errors import Unavailable
from schema.model.record import Answer, Batch, Lookup
from schema.model.words import Kind

Values = Mapping[str, Any]
STEP = 500

_PLACES = ("聊城", "东阿", "阳谷", "莘县", "高唐", "临清", "冠县")
_TOPICS = (
    "三角形的面积", "圆的周长", "小数乘法", "分数的意义", "荷塘月色", "静夜思", "光的折射", "牛顿第一定律",
    "植物的光合作用", "黄河流域", "丝绸之路", "一元二次方程", "勾股定理", "现在进行时", "垃圾分类",
)  # fmt: skip
_FORMS = ("微课", "课件", "教学设计", "练习题", "PPT", "实验视频")
SUBJECTS = ("MATH", "CHINESE", "PHYSICS", "BIOLOGY", "GEOGRAPHY", "ENGLISH")
STAGES = ("PRIMARY", "JUNIOR", "SENIOR")
VERSIONS = ("人教版", "统编版", "北师大版", "苏教版")


def resource(number: int) -> dict[str, Any]:
    """The values of the resource with this number: always the same, no two numbers with the same title."""
    topic, form = _TOPICS[number % 15], _FORMS[number // 15 % 6]
    return {
        "title": f"{_PLACES[number % 7]}{topic}{form}{number}",
        "summary": f"本资源讲解{topic}，配有{_FORMS[number // 7 % 6]}，供备课与自学使用。",
        "type_code": "assets_video" if number % 2 else "assets_document",
        "format": "mp4" if number % 2 else "pdf",
        "stage": STAGES[number % 3],
        "subject_code": SUBJECTS[number // 3 % 6],
        "grade_code": f"G{number % 12 + 1:02}",
        "version_name": VERSIONS[number // 5 % 4],
        "chapter_keys": [f"ch-{number % 400}", f"ch-{number % 90}"],
        "textbook_key": f"tb-{number % 120}",
        "downloads": number * 7919 % 5000,
        "published_on": f"20{10 + number % 16:02}-{number % 12 + 1:02}-01",
        "content_hash": f"{number:032x}",
    }


class Nothing(Options, frozen=True):
    """This tongue has no settings."""


class Repository(Connector):
    """Holds resources by local id; each change is appended to its log."""

    protocol: ClassVar[str] = "oai_pmh"
    options: ClassVar[type[Options]] = Nothing

    def __init__(self, identity: Identity, tools: Tools, *, harvestable: bool = True) -> None:
        super().__init__(identity, Nothing(), tools)
        self._log: list[str] = []
        self._latest: dict[str, tuple[int, Callable[[], Values] | None]] = {}
        self._harvestable = harvestable
        self.breaks_after: int | None = None
        self.stumbles = False
        self.batches = 0
        self.asked = asyncio.Event()
        self.door = asyncio.Event()
        self.door.set()

    @property
    def capabilities(self) -> Capabilities:
        """Resources, to be harvested."""
        fields = frozenset(resource(0))
        return Capabilities({Kind.RESOURCE: Offer(fields, harvest=self._harvestable)})

    def put(self, local_id: str, values: Values) -> None:
        """Add or change one."""
        self._change(local_id, lambda: values)

    def stock(self, numbers: range, made: Callable[[int], Values] = resource) -> None:
        """Add the resources of these numbers, made only when they are read."""
        for number in numbers:
            self._change(str(number), partial(made, number))

    def remove(self, local_id: str) -> None:
        """Take one out; those who read on are told."""
        self._change(local_id, None)

    def forget(self, local_id: str) -> None:
        """Take one out without telling anybody."""
        del self._latest[local_id]

    def _change(self, local_id: str, made: Callable[[], Values] | None) -> None:
        self._latest[local_id] = (len(self._log), made)
        self._log.append(local_id)

    async def look_up(self, lookup: Lookup, within: float) -> Answer:
        """It is only ever read whole."""
        return Answer(())

    async def harvest(self, kind: Kind, checkpoint: str, within: float) -> AsyncIterator[Batch]:
        """Changes after the checkpoint, oldest first; for a new reader only what is there."""
        start = int(checkpoint or 0)
        for first in range(start, len(self._log), STEP):
            self.asked.set()
            await self.door.wait()
            await asyncio.sleep(0)
            if self.stumbles:
                raise KeyError("a fault in the tongue")
            if self.breaks_after is not None and self.batches >= self.breaks_after:
                raise Unavailable("connection refused")
            self.batches += 1
            yield self._batch(first, min(first + STEP, len(self._log)), new=not checkpoint)

    def _batch(self, first: int, end: int, *, new: bool) -> Batch:
        records, deleted = [], []
        for serial in range(first, end):
            local_id = self._log[serial]
            latest, made = self._latest.get(local_id, (-1, None))
            if latest != serial:
                continue
            if made is not None:
                records.append(self.record(Kind.RESOURCE, self.key(local_id), local_id, dict(made())))
            elif not new:
                deleted.append(self.key(local_id))
        total = sum(made is not None for _, made in self._latest.values()) if first == 0 else None
        return Batch(tuple(records), tuple(deleted), str(end), total)
