"""What several sources tell, put side by side before it is merged: one list of records for each thing.

Rule 1: a register's records of one school come from one level, the most authoritative that told any.
Rule 2: two records of one source are never one thing, unless they have one key.
Rule 3: this file does no I/O. It cannot be async.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from hub.sources.asking import Heard
from hub.sources.merging import Told
from hub.sources.routing import authority_rank
from schema.model.record import Record
from schema.model.words import WordSpec

Mark = tuple[Any, ...]


def speaking(spec: WordSpec, heard: Sequence[Heard]) -> list[Heard]:
    """Of a register, only what the most authoritative level told of each school; of others, everything.

    Who is silent, or told nothing, silences nobody. What does not tell its school stays.
    """
    if not spec.register:
        return list(heard)
    best: dict[str, int] = {}
    for one in (one for said in heard for one in said.told):
        school, rank = _school(one), authority_rank(spec.authority, one.level)
        best[school] = min(best.get(school, rank), rank)

    def speaks(one: Told) -> bool:
        return not (school := _school(one)) or authority_rank(spec.authority, one.level) == best[school]

    return [replace(said, told=tuple(filter(speaks, said.told))) for said in heard]


def joined(spec: WordSpec, told: Iterable[Told]) -> list[list[Told]]:
    """The records of each thing, one a source, in the order first heard of."""
    by_key: dict[str, dict[str, Told]] = {}
    for one in told:
        by_key.setdefault(one.record.key, {}).setdefault(one.record.source, one)
    things = list(by_key.values())
    return [list(thing.values()) for thing in (_met(spec, things) if spec.same else things)]


def _met(spec: WordSpec, things: Iterable[dict[str, Told]]) -> list[dict[str, Told]]:
    """Things that several sources number for themselves, brought together by what they are known by."""
    known: dict[Mark, dict[str, Told]] = {}
    turns: Counter[Mark] = Counter()
    met: list[dict[str, Told]] = []
    for source, one in (pair for thing in things for pair in thing.items()):
        marks = [_turn(turns, source, mark) for mark in _marks(spec, one.record)]
        thing = next((known[mark] for mark in marks if mark in known and source not in known[mark]), None)
        if thing is None:
            met.append(thing := {})
        thing[source] = one
        for mark in marks:
            known.setdefault(mark, thing)
    return met


def _turn(turns: Counter[Mark], source: str, mark: Mark) -> Mark:
    """What a source tells twice are two things: its first meets others' first, its second their second."""
    turns[(source, *mark)] += 1
    return (*mark, turns[(source, *mark)])


def _marks(spec: WordSpec, record: Record) -> Iterator[Mark]:
    apart = tuple(record.values.get(name) for name in spec.apart)
    for place, row in enumerate(spec.same):
        values = tuple(record.values.get(name) for name in row)
        if all(values):
            yield (place, values, apart)


def _school(one: Told) -> str:
    return str(one.record.values.get("school_code") or "")
