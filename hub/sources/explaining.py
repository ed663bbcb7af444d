"""Walk a query without asking anybody: which source would be asked for what, and why not the others.

Every question is answered by one made-up record, so that the walk reaches the bottom of the query; nothing
of it is ever shown. What counts is the list of questions with their routes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, get_args, get_origin

from hub.sources.asking import Asking, Heard
from hub.sources.directory import SourceDirectory
from hub.sources.merging import Told, merge
from hub.sources.routing import Asked, Question, Route
from schema.graph.context import Entity
from schema.model.codes import Level
from schema.model.record import Lookup, Record
from schema.model.words import FieldSpec, Kind, WordSpec


@dataclass(frozen=True, slots=True)
class Explained:
    """One question of a query with its route."""

    question: Question
    route: Route

    def told(self) -> dict[str, Any]:
        """As plain data: kind, filters, wanted fields, asked and passed over with reasons."""
        return {
            "kind": self.question.kind.value,
            "by": sorted(self.question.by),
            "fields": sorted(self.question.fields),
            "asked": [
                {"source": one.source, "level": one.level.value, "fields": sorted(one.fields), "why": one.why,
                 "resting": one.resting}
                for one in self.route.asked
            ],
            "passedOver": [
                {"source": one.source, "level": one.level.value, "why": one.why} for one in self.route.passed
            ],
        }  # fmt: skip


@dataclass(slots=True)
class Explaining(SourceDirectory):
    """A directory that routes and never asks."""

    home: Mapping[str, str] = field(default_factory=dict)
    explained: dict[tuple[Kind, frozenset[str], frozenset[str], str], Explained] = field(default_factory=dict)

    def _route(self, question: Question) -> Route:
        # `super()` without arguments does not work in a dataclass with slots on Python 3.11.
        found = SourceDirectory._route(self, question)
        name = (question.kind, question.by, question.fields, question.only_source)
        self.explained.setdefault(name, Explained(question, found))
        return found

    def _could_see(self, spec: WordSpec) -> bool:
        return True

    def _shown(
        self,
        spec: WordSpec,
        told: Sequence[Told],
        known: Mapping[str, Any] | None = None,
        by: frozenset[str] = frozenset(),
    ) -> Entity:
        merged = merge(spec, told)
        return Entity(spec, merged.key, merged.values, frozenset(spec.fields), merged.parts)


class MadeUp(Asking):
    """Answers every question with one record that has a value for every field."""

    def __init__(self, home: Mapping[str, str], levels: Mapping[str, Level]) -> None:
        self._home = home
        self._levels = levels

    async def whole(self, asked: Asked, spec: WordSpec, question: Lookup) -> Heard:
        """One made-up record."""
        return self._made(asked, spec, f"{asked.source}:…")

    async def one(
        self,
        asked: Asked,
        spec: WordSpec,
        by: str,
        value: str,
        fields: frozenset[str],
        also: Mapping[str, str],
    ) -> Heard:
        """One made-up record with the key asked for."""
        return self._made(asked, spec, value if by == "key" else f"{asked.source}:…")

    def _made(self, asked: Asked, spec: WordSpec, key: str) -> Heard:
        values = {name: self._value(asked.source, spec.fields[name]) for name in asked.fields}
        record = Record(spec.kind or Kind.REGION, key, asked.source, "…", values, 0.0)
        return Heard((Told(record, asked.level, False),), 1)

    def _value(self, source: str, field: FieldSpec) -> Any:
        if field.name in self._home:
            return self._home[field.name]
        if field.name.endswith("_keys"):
            return [f"{source}:…"]
        if field.name.endswith("_key"):
            return f"{source}:…"
        if get_origin(field.type) is list:
            return []
        plain = getattr(field.type, "__supertype__", field.type)
        if plain in (int, float, bool):
            return plain(0)
        if isinstance(plain, type) and issubclass(plain, Enum):
            return next(iter(plain)).value
        return "…" if not get_args(field.type) else None
