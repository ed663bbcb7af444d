"""Decide which sources are asked for a question, and why the others are not.

Rule 1: a route depends on the question, the sources' declarations, the region tree and their health now.
Rule 2: nobody is passed over without a reason.
Rule 3: this file does no I/O. It cannot be async.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from connectors.base import Capabilities, Offer
from connectors.errors import Unanswerable
from schema.graph.context import Face
from schema.model.codes import LEVELS, Level
from schema.model.divisions import Divisions
from schema.model.record import NOWHERE, Place
from schema.model.words import Kind, WordSpec

NOT_ASKED = "SOURCE_NOT_ASKED"
MOST_ASKED = 64
"""Most sources one question goes to; the rest are passed over as too many, and said so."""


class Reach(StrEnum):
    """How far a question goes: to the sources of one thing's place, or to all that touch a region."""

    PLACE = "place"
    REGION = "region"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, without its values: the filters by name, and where."""

    spec: WordSpec
    fields: frozenset[str]
    by: frozenset[str]
    place: Place = NOWHERE
    reach: Reach = Reach.PLACE
    levels: tuple[Level, ...] = ()
    text: bool = False
    spans: bool = False
    only_source: str = ""

    @property
    def kind(self) -> Kind:
        """The kind asked for."""
        assert self.spec.kind is not None, "only kinds can be asked for"
        return self.spec.kind


@dataclass(frozen=True, slots=True)
class Candidate:
    """A joined source as routing sees it; `resting`: its breaker is open."""

    face: Face
    school_code: str
    capabilities: Capabilities
    resting: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """A source on the route, with what it is asked for and why."""

    source: str
    level: Level
    fields: frozenset[str]
    offer: Offer
    resting: bool
    why: str


@dataclass(frozen=True, slots=True)
class Passed:
    """A source that is not asked, and why.

    `code`: it might have something to say all the same, and so counts as silent: it fits, but there were too
    many before it (`SOURCE_NOT_ASKED`), or it cannot be asked in this way (`SOURCE_CANNOT`).
    """

    source: str
    level: Level
    why: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class Route:
    """Who is asked, most authoritative first, and who was passed over."""

    asked: tuple[Asked, ...]
    passed: tuple[Passed, ...]


def route(question: Question, candidates: Sequence[Candidate], divisions: Divisions) -> Route:
    """The route of `question` among `candidates`."""
    asked: list[Asked] = []
    passed: list[Passed] = []
    for candidate in sorted(candidates, key=lambda c: _rank(question.spec, c.face.level)):
        offer = candidate.capabilities.offers.get(question.kind)
        why_not = _unfit(question, candidate, offer, divisions)
        if offer is None or why_not:
            passed.append(Passed(candidate.face.code, candidate.face.level, why_not))
        elif cannot := _cannot(question, offer):
            code = "" if any(map(_numbered, question.by - offer.by)) else Unanswerable.code
            passed.append(Passed(candidate.face.code, candidate.face.level, cannot, code))
        elif len(asked) == MOST_ASKED:
            too_many = f"已询问 {MOST_ASKED} 个来源，未再询问 / not asked: {MOST_ASKED} others were"
            passed.append(Passed(candidate.face.code, candidate.face.level, too_many, NOT_ASKED))
        else:
            asked.append(
                Asked(
                    candidate.face.code,
                    candidate.face.level,
                    question.fields & offer.fields,
                    offer,
                    candidate.resting,
                    _why(question, candidate, offer),
                )
            )
    return Route(tuple(asked), tuple(passed))


def authority_rank(authority: Sequence[Level], level: Level) -> int:
    """Smaller is stronger: place in the declared authority, then from the school upwards."""
    listed = tuple(authority)
    return listed.index(level) if level in listed else len(LEVELS) * 2 - LEVELS.index(level)


def _rank(spec: WordSpec, level: Level) -> int:
    return authority_rank(spec.authority, level)


def _unfit(question: Question, candidate: Candidate, offer: Offer | None, divisions: Divisions) -> str:
    """Why the candidate is not asked; empty if it is."""
    face = candidate.face
    if question.only_source and face.code != question.only_source:
        return "记录属于另一来源 / the record is another source's own"
    if offer is None:
        return f"不提供 {question.kind} / does not hold {question.kind}"
    if question.levels and face.level not in question.levels:
        return "不在所问级别 / not of the levels asked for"
    if not (question.only_source or _near(question, candidate, divisions)):
        return "不管辖该地 / does not cover the place"
    if not question.fields & offer.fields:
        return "没有所需字段 / holds none of the fields wanted"
    return ""


def _cannot(question: Question, offer: Offer) -> str:
    """Why somebody who may well have what is asked for cannot be asked in this way; empty if they can."""
    if lacking := question.by - offer.by:
        return f"不能按 {'、'.join(sorted(lacking))} 查询 / cannot filter by {', '.join(sorted(lacking))}"
    if question.text and not offer.search:
        return "不能实时全文检索 / cannot be searched live"
    if question.spans and not offer.spans:
        return "不能按时间查询 / cannot bound in time"
    return ""


def _numbered(name: str) -> bool:
    """Whether a filter is a key or a mark of persons: who does not find by it does not know it at all."""
    return name == "key" or (name.endswith(("_key", "_keys")) and name != "chapter_keys")


def _near(question: Question, candidate: Candidate, divisions: Divisions) -> bool:
    face, place = candidate.face, question.place
    if question.reach is Reach.REGION:
        return not place.region_code or divisions.overlap(face.region_code, place.region_code)
    if candidate.school_code:
        return candidate.school_code == place.school_code
    if not place.region_code:
        return face.level in (Level.NATIONAL, Level.PROVINCIAL, Level.MUNICIPAL)
    return divisions.within(place.region_code, face.region_code)


def _why(question: Question, candidate: Candidate, offer: Offer) -> str:
    if question.only_source:
        return "记录归其所有 / the record is its own"
    strongest = [
        name
        for name in sorted(question.fields & offer.fields)
        if candidate.face.level in question.spec.fields[name].authority[:1]
    ]
    if strongest:
        return f"权威来源：{'、'.join(strongest[:6])} / authoritative for {len(strongest)} field(s)"
    return "可补充 / can fill in where the authority is silent"
