"""Questions that travel together: gathered before they leave, cut to what a source takes, split again after.

Rule 1: a value's answer is the same whether it travelled alone or with others.
Rule 2: what cannot be told apart afterwards does not travel together.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import msgspec

from schema.model.record import Answer, Lookup, Page, Record

QUIET = 0.25
"""Seconds without anybody coming, after which those who are ready leave; the second tier is quicker."""
PATIENCE = 0.5
"""Most seconds a question waits for others that still look in the cache."""

Wanted = tuple[str, ...]
"""The value asked for, then one value for each further filter that must hold with it."""


class Gathering:
    """Questions that may share a look-up. The second tier answers them one by one; they leave together."""

    def __init__(self) -> None:
        self._looking: set[object] = set()
        self._arrived = 0
        self._door = asyncio.Event()

    def enter(self) -> object:
        """Somebody begins to look in the cache; the seat is given back with `leave` or `ready`."""
        seat = object()
        self._looking.add(seat)
        return seat

    def leave(self, seat: object) -> None:
        """Somebody found it there, or gave up; once is enough, twice does no harm."""
        self._looking.discard(seat)
        self._arrived += 1
        if not self._looking:
            self._open()

    async def ready(self, seat: object) -> None:
        """Somebody must ask the source: wait for those who still look, as long as they keep coming."""
        door = self._door
        self.leave(seat)
        ends = asyncio.get_running_loop().time() + PATIENCE
        while not door.is_set():
            arrived = self._arrived
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(QUIET):
                    await door.wait()
            late = asyncio.get_running_loop().time() >= ends
            if not door.is_set() and (late or self._arrived == arrived):
                self._open()

    def _open(self) -> None:
        """All who are ready leave now; who comes later waits at the next door."""
        self._door.set()
        self._door = asyncio.Event()


def groups(
    wanted: Sequence[Wanted], by: str, also: Sequence[str], fields: Collection[str], batch: int
) -> Iterator[list[Wanted]]:
    """What may share a look-up, at most `batch` at once: only what the records' `fields` tell apart."""
    distinct = sorted(set(wanted), key=lambda one: (one[1:], one[0]))
    if by != "key" and by not in fields:
        yield from ([one] for one in distinct)
        return
    rows = [distinct] if set(also) <= set(fields) else _alike(distinct)
    for row in rows:
        yield from (row[start : start + batch] for start in range(0, len(row), batch))


def split(answer: Answer, by: str, also: Sequence[str], wanted: Sequence[Wanted]) -> dict[Wanted, Answer]:
    """One answer for each wanted value: the records that hold it, further filters included."""
    shares: dict[Wanted, list[Record]] = {one: [] for one in wanted}
    by_value: dict[str, list[Wanted]] = {}
    for one in wanted:
        by_value.setdefault(one[0], []).append(one)
    homeless = False
    for record in answer.records:
        held = [record.key] if by == "key" else _held(record.values.get(by))
        if not held:
            # Who was asked for one value only has filtered already; among several nobody can say whose it is.
            held, homeless = (list(by_value), homeless) if len(by_value) == 1 else ([], True)
        for value in dict.fromkeys(held):
            for one in by_value.get(value, ()):
                if _fits(record, also, one[1:]):
                    shares[one].append(record)
    return {one: Answer(tuple(records), None, answer.more or homeless) for one, records in shares.items()}


def parts(question: Lookup, batch: int) -> list[Lookup]:
    """The question cut so that no filter has more than `batch` values; pages of all parts start at 0."""
    name, values = max(question.where, key=lambda pair: len(pair[1]), default=("", ()))
    if len(values) <= batch:
        return [question]
    if question.page:
        reach = Page(0, question.page.offset + question.page.limit)
        question = msgspec.structs.replace(question, page=reach)
    others = tuple(pair for pair in question.where if pair[0] != name)
    pieces = [
        msgspec.structs.replace(
            question, where=tuple(sorted((*others, (name, values[start : start + batch]))))
        )
        for start in range(0, len(values), batch)
    ]
    return [part for piece in pieces for part in parts(piece, batch)]


def joined(answers: Sequence[Answer], page: Page | None) -> Answer:
    """The answers to all `parts` of a question as one; each record once, and only its page."""
    if len(answers) == 1:
        return answers[0]
    records = tuple({record.key: record for answer in answers for record in answer.records}.values())
    more = any(answer.more for answer in answers)
    if page is None:
        return Answer(records, None, more)
    end = page.offset + page.limit
    return Answer(records[page.offset : end], None, more or len(records) > end)


def _alike(wanted: Sequence[Wanted]) -> list[list[Wanted]]:
    rows: dict[Wanted, list[Wanted]] = {}
    for one in wanted:
        rows.setdefault(one[1:], []).append(one)
    return list(rows.values())


def _held(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [one for one in values if isinstance(one, str)]


def _fits(record: Record, also: Sequence[str], wishes: Sequence[str]) -> bool:
    """Whether further filters hold; a value that is not told has been looked at by the source itself."""
    for name, wish in zip(also, wishes, strict=True):
        held = [record.key] if name == "key" else _held(record.values.get(name))
        if held and wish not in held:
            return False
    return True
