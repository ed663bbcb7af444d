"""Reading all resources: part by part, so that an interruption costs one piece and no change one request.

The checkpoint tells for each module the version that has been read to its end, and, while one is being read,
its version, part and offset. A checkpoint nobody can read means a fresh start, never an error.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import msgspec

from connectors.smartedu import shapes
from connectors.smartedu.entry import Entry, entries, gathered
from connectors.smartedu.lessons import Lessons, Piece
from connectors.smartedu.mirrors import Document
from connectors.smartedu.options import VERSIONS

STEP = 500  # records in a batch
PARENTS = 5_000  # compounds remembered while their parts come by


class Mark(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a harvest stands."""

    done: dict[str, str] = {}
    module: str = ""
    version: str = ""
    part: int = 0
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """Some resources, and the mark right after them."""

    pieces: tuple[Piece, ...]
    mark: Mark


def mark_of(checkpoint: str) -> Mark:
    """The mark written in a checkpoint; the start for an empty or strange one."""
    try:
        mark = msgspec.json.decode(checkpoint or "{}", type=Mark)
    except (msgspec.MsgspecError, UnicodeError):
        return Mark()
    return mark if mark.part >= 0 and mark.offset >= 0 else Mark()


def written(mark: Mark) -> str:
    """The checkpoint of a mark."""
    return msgspec.json.encode(mark).decode()


@dataclass
class Walk:
    """One harvest from a mark on."""

    lessons: Lessons
    mark: Mark
    within: float
    _parents: OrderedDict[str, Entry] = field(default_factory=OrderedDict, init=False)

    async def steps(self) -> AsyncIterator[Step]:
        """What is left to read; nothing at all when no version has changed."""
        mark = self.mark
        for module in (name for name in self.lessons.options.modules if name in VERSIONS):
            found = await self.lessons.mirrors.read(VERSIONS[module], shapes.version, self.within)
            version, paths = found.value or ("", ())
            if mark.done.get(module) == version:
                continue
            here = (mark.module, mark.version) == (module, version)
            start = mark if here else Mark(mark.done, module, version)
            async for step in self._module(start, paths):
                yield step
            mark = Mark(mark.done | {module: version})
            yield Step((), mark)

    async def _module(self, start: Mark, paths: tuple[str, ...]) -> AsyncIterator[Step]:
        for part in range(start.part, len(paths)):
            offset = start.offset if part == start.part else 0
            found = await self._part(paths[part])
            listed = found.value or ()
            for first in range(offset, len(listed), STEP):
                joined = await self._joined(listed[first : first + STEP])
                last = first + STEP >= len(listed)
                after = (part + 1, 0) if last else (part, first + STEP)
                pieces = tuple(Piece(start.module, one, found.at) for one in joined)
                yield Step(pieces, Mark(start.done, start.module, start.version, *after))

    async def _part(self, path: str) -> Document[tuple[Entry, ...]]:
        bound = self.lessons.options.part_bytes
        found = await self.lessons.mirrors.read(path, entries, self.within, max_bytes=bound)
        for one in found.value or ():
            if one.role == "parent":
                self._parents[one.id] = one
        while len(self._parents) > PARENTS:
            self._parents.popitem(last=False)
        return found

    async def _joined(self, found: tuple[Entry, ...]) -> tuple[Entry, ...]:
        """Parts with their parents' tags; a parent that stood in an earlier part is asked for."""
        wanted = {one.whole for one in found if one.sub and one.whole not in ("", one.id)}
        for key in wanted - self._parents.keys() - {one.id for one in found}:
            parent = await self.lessons.details(key)
            if parent is not None:
                self._parents[key] = parent.entry
        return gathered(found, dict(self._parents))
