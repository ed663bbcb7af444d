"""Entries that several sources tell alike, brought together as the viewer sees them; nothing is looked up.

Where the thing is about a person, only what is shown may tell that two entries are one.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from schema.graph.context import Context, Entity, Losing
from schema.model.codes import LEVELS, Level

Rank = Callable[[Sequence[Level], str], int]


def ranking(context: Context) -> Rank:
    """How far from the authority a source stands: 0 for the level named first, then from the school up."""

    def rank(authority: Sequence[Level], source: str) -> int:
        face = context.sources.face(source)
        if face is None:
            return 3 * len(LEVELS)
        last = 2 * len(LEVELS) - LEVELS.index(face.level)
        return next((place for place, level in enumerate(authority) if level is face.level), last)

    return rank


def together(entities: Sequence[Entity], by: Sequence[str], rank: Rank) -> list[Entity]:
    """One entity for those of different sources whose shown values `by` are told and equal; others stay."""
    groups: dict[Any, list[Entity]] = {}
    turns: Counter[Any] = Counter()
    for entity in entities:
        values = tuple(entity.values.get(name) for name in by)
        owners = frozenset(part.source for part in entity.parts)
        turns[owners, values] += 1
        mark = (values, turns[owners, values]) if all(values) else entity.key
        groups.setdefault(mark, []).append(entity)
    return [_one(group, rank) if len(group) > 1 else group[0] for group in groups.values()]


def _one(group: Sequence[Entity], rank: Rank) -> Entity:
    """The entity of all; its key is the first one's, each value the most authoritative one's."""
    spec = group[0].spec
    values: dict[str, Any] = {}
    shares: dict[str, set[str]] = {part.source: set() for one in group for part in one.parts}
    losing = [lost for one in group for lost in one.losing]
    for name in dict.fromkeys(name for one in group for name in one.values):
        authority = spec.fields[name].authority
        held = [one for one in group if name in one.values]
        first, *others = sorted(held, key=lambda one: rank(authority, one.parts[0].source))
        values[name] = first.values[name]
        shares[first.parts[0].source].add(name)
        losing += [_lost(name, one, first) for one in others if one.values[name] != values[name]]
    parts = {part.source: part for one in group for part in one.parts}
    shared = tuple(replace(part, fields=tuple(sorted(shares[source]))) for source, part in parts.items())
    return replace(
        group[0], values=values, seen=frozenset().union(*(one.seen for one in group)), parts=shared,
        losing=tuple(losing), logged=frozenset().union(*(one.logged for one in group)),
    )  # fmt: skip


def _lost(name: str, loser: Entity, winner: Entity) -> Losing:
    part = loser.parts[0]
    return Losing(
        name, part.source, loser.values[name], winner.values[name], winner.parts[0].source, part.updated_at
    )
