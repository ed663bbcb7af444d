"""Make one thing of what several sources tell of it: authority decides per field, what loses stays visible.

Rule 1: for each field the value of the level named first in its authority wins; among equals the fresher.
Rule 2: a source that does not tell a field takes no part in it.
Rule 3: this file does no I/O. It cannot be async.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from math import inf
from typing import Any

from hub.sources.routing import authority_rank
from schema.graph.context import Losing, Part
from schema.model.codes import Level
from schema.model.record import Record
from schema.model.words import FieldSpec, WordSpec

BEIJING = timezone(timedelta(hours=8))


@dataclass(frozen=True, slots=True)
class Told:
    """A record as the hub holds it: whether it is a remembered copy past its freshness."""

    record: Record
    level: Level
    stale: bool


@dataclass(frozen=True, slots=True)
class Merged:
    """The one thing: its values, each source's share, and the values that lost."""

    key: str
    values: dict[str, Any]
    parts: tuple[Part, ...]
    losing: tuple[Losing, ...]


def merge(spec: WordSpec, told: Sequence[Told]) -> Merged:
    """Bring together records of one key; `told` is not empty."""
    if len(told) == 1:
        one = told[0]
        return Merged(one.record.key, one.record.values, (_part(one, tuple(one.record.values)),), ())
    told = sorted(
        told,
        key=lambda one: (authority_rank(spec.authority, one.level), one.record.source, one.record.local_id),
    )
    values: dict[str, Any] = {}
    shares: dict[str, list[str]] = {one.record.source: [] for one in told}
    losing: list[Losing] = []
    for name in sorted({name for one in told for name in one.record.values} & spec.fields.keys()):
        first, *others = sorted(
            (one for one in told if name in one.record.values), key=_order(spec.fields[name])
        )
        values[name] = first.record.values[name]
        shares[first.record.source].append(name)
        losing += [
            Losing(name, one.record.source, one.record.values[name], values[name], first.record.source,
                   one.record.updated_at)
            for one in others
            if one.record.values[name] != values[name]
        ]  # fmt: skip
    parts = tuple(_part(one, tuple(shares[one.record.source])) for one in told)
    return Merged(told[0].record.key, values, parts, tuple(losing))


def _order(field: FieldSpec) -> Callable[[Told], tuple[int, bool, float, str, str]]:
    def order(one: Told) -> tuple[int, bool, float, str, str]:
        record = one.record
        rank = authority_rank(field.authority, one.level)
        return rank, one.stale, -_moment(record.updated_at), record.source, record.local_id

    return order


def _moment(text: str | None) -> float:
    """RFC 3339 as seconds since 1970, China's time where no offset is given; not known is oldest."""
    try:
        moment = datetime.fromisoformat(text or "")
        return (moment if moment.tzinfo else moment.replace(tzinfo=BEIJING)).timestamp()
    except (ValueError, OverflowError):
        return -inf


def _part(one: Told, fields: tuple[str, ...]) -> Part:
    record = one.record
    return Part(record.source, record.local_id, record.fetched_at, one.stale, record.updated_at, fields)
