"""A directory that writes down why it shows or hides: for auditors, never for who asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hub.sources.directory import SourceDirectory
from schema.model.policy import Decision, Ties, is_minor, ties
from schema.model.words import WordSpec


@dataclass(frozen=True, slots=True)
class Judgement:
    """One record's decision with what it was made from; none of the record's values."""

    spec: WordSpec
    ties: Ties
    minor: bool
    decision: Decision


@dataclass(slots=True)
class Auditing(SourceDirectory):
    """The directory of one viewer that keeps its judgements, in the order made."""

    judgements: list[Judgement] = field(default_factory=list)

    def _could_see(self, spec: WordSpec) -> bool:
        return True  # the auditor asks why nothing would be shown, too

    def _decided(self, spec: WordSpec, full: Mapping[str, Any]) -> Decision:
        made = SourceDirectory._decided(self, spec, full)
        tie = ties(self.viewer, spec, full, self.divisions.within)
        minor = spec.about_person and is_minor(full, self.today)
        self.judgements.append(Judgement(spec, tie, minor, made))
        return made
