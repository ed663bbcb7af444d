"""Pages of lists that several sources tell: one of each source in turn, and cursors that go on from there.

Rule 1: the pages of a list together hold everything once; who is silent on one page is taken up where he was.
Rule 2: a cursor belongs to the list that handed it out.
Rule 3: this file does no I/O. It cannot be async.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import orjson

from hub.sources.merging import Told
from schema.graph.context import BadCursor, Entity

LONGEST = 16_384
"""Most characters of a cursor: 64 sources with the longest codes need a third of it."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a list is read: `at` counts each source's records, `key` is the last key of a merged list."""

    at: Mapping[str, int] = field(default_factory=dict)
    key: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """What one source told for this page, from `start` on."""

    source: str
    start: int
    told: Sequence[Told]


@dataclass(frozen=True, slots=True)
class Woven:
    """A page: what is shown, the mark after each, the mark after all that was read, whether some is left."""

    entities: tuple[Entity, ...]
    marks: tuple[Mark, ...]
    end: Mark
    left: bool


def weave(
    rows: Sequence[Row], mark: Mark, first: int, show: Callable[[Sequence[Told]], Entity | None]
) -> Woven:
    """At most `first` things, one of each source in turn, so that none drowns another; `show` may hide."""
    offsets = dict(mark.at)
    shown: list[Entity] = []
    marks: list[Mark] = []
    for place in range(max((len(row.told) for row in rows), default=0)):
        for row in rows:
            if len(shown) >= first:
                break
            if place < len(row.told):
                offsets[row.source] = row.start + place + 1
                if (entity := show([row.told[place]])) is not None:
                    shown.append(entity)
                    marks.append(Mark(dict(offsets)))
        if len(shown) >= first:
            break
    left = any(row.start + len(row.told) > offsets.get(row.source, 0) for row in rows if row.told)
    return Woven(tuple(shown), tuple(marks), Mark(offsets), left)


def listing(*question: object) -> str:
    """A short name of a list, the same for every page of it."""
    return blake2b(repr(question).encode("utf-8", "backslashreplace"), digest_size=6).hexdigest()


def cursor(name: str, mark: Mark) -> str:
    """The opaque cursor of `mark` in the list called `name`."""
    said = orjson.dumps([name, dict(mark.at), mark.key])
    return base64.urlsafe_b64encode(said).decode().rstrip("=")


def mark_of(name: str, text: str) -> Mark:
    """What a cursor of the list called `name` says; "" is the start. Raises `BadCursor`."""
    if not text:
        return Mark()
    try:
        said = orjson.loads(base64.urlsafe_b64decode(text[:LONGEST] + "=" * (-len(text[:LONGEST]) % 4)))
    except ValueError as error:
        raise BadCursor from error
    match said:
        case [str(owner), dict(at), str(key)] if owner == name and len(at) <= 200 and _counts(at):
            return Mark(at, key)
    raise BadCursor


def _counts(at: Mapping[str, object]) -> bool:
    return all(isinstance(n, int) and not isinstance(n, bool) and 0 <= n <= 10**9 for n in at.values())
