"""A small country of sources in memory, joined as the hub joins them; and the people who recur."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from connectors.base import Identity, Offer, Tools
from connectors.errors import Malformed, Unavailable
from connectors.http import Http
from connectors.seal import Seal
from hub.cache.durable import Durable
from hub.cache.tiered import Cache, Policy
from hub.clock import Clock
from hub.sources.asking import Asking, Budget, Joined
from hub.sources.directory import SourceDirectory
from hub.sources.health import Health
from schema.graph.context import Face
from schema.model import activity, organization, person, platform, region, report, resource
from schema.model.codes import Level, PersonRole
from schema.model.divisions import shipped
from schema.model.privacy import Duty
from schema.model.viewer import NOBODY, Standing, Viewer
from schema.model.words import Kind, Word, WordSpec
from tests.fakes.connector import MemorySource, Row
from tests.hub.cache.turned_clock import TurnedClock

_ = (activity, organization, person, platform, region, report, resource)  # declares every word
SPECS: dict[Kind, WordSpec] = {
    word.spec.kind: word.spec for word in Word.declared.values() if word.spec.kind is not None
}
TODAY = date(2026, 11, 20)
COUNTY, ELSEWHERE, CITY, PROVINCE, NATION = "371502", "371581", "371500", "370000", "000000"
SCHOOL, OTHER_SCHOOL = "3137000001", "3137000002"
CLASS = "roster:c1"
PUPIL, CLASSMATE, SENIOR, GUARDIAN, TEACHER = "roster:p1", "roster:p2", "roster:p3", "roster:g1", "roster:t1"
POLICY = Policy(fresh_for=60.0, stale_for=0.0, down_for=3600.0)

TEACHER_HERE = Viewer(
    "demo|teacher",
    (Standing(PersonRole.TEACHER, COUNTY, SCHOOL, frozenset({CLASS}), frozenset({Duty.TEACHING})),),
    frozenset({TEACHER}),
)
PUPIL_HERE = Viewer(
    "demo|pupil",
    (Standing(PersonRole.STUDENT, COUNTY, SCHOOL, frozenset({CLASS})),),
    frozenset({PUPIL}),
)
GUARDIAN_HERE = Viewer(
    "demo|guardian", (Standing(PersonRole.GUARDIAN),), frozenset({GUARDIAN}), frozenset({PUPIL})
)
OFFICER = Viewer(
    "demo|officer",
    (Standing(PersonRole.ADMIN, PROVINCE, duties=frozenset({Duty.ROLL, Duty.AID})),),
    purposes=frozenset({Duty.ROLL}),
)
IDLE_OFFICER = Viewer("demo|idle", (Standing(PersonRole.ADMIN, PROVINCE, duties=frozenset({Duty.ROLL})),))
STRANGER = Viewer(
    "demo|stranger",
    (
        Standing(
            PersonRole.TEACHER, ELSEWHERE, OTHER_SCHOOL, frozenset({"far:c9"}), frozenset({Duty.TEACHING})
        ),
    ),
    frozenset({"far:t9"}),
)
ANONYMOUS = NOBODY


def offer(kind: Kind, *by: str, but: Iterable[str] = (), **rest: Any) -> Offer:
    """An offer of every field of a kind `but` some, filtered `by` the key and others."""
    return Offer(SPECS[kind].values() - set(but), frozenset({"key", *by}), **rest)


@dataclass
class Room:
    """Sources as they are joined. `clock`: of the cache and the breakers; look-ups wait in real time."""

    clock: Clock = field(default_factory=TurnedClock)
    durable: Durable | None = None
    joined: dict[str, Joined] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.cache = self.another_cache()
        self.tools = Tools(Http(()), Seal(bytes(range(32))), now=self.clock.epoch)

    def another_cache(self) -> Cache:
        """A cache as another process has it."""
        return Cache(
            durable=self.durable, down_errors=(Unavailable, Malformed), clock=self.clock, jitter=lambda: 0.0
        )

    def join(
        self,
        code: str,
        level: Level,
        region_code: str,
        offers: Mapping[Kind, Offer],
        rows: Mapping[Kind, Sequence[Row]],
        *,
        school: str = "",
        deadline: float = 5.0,
        policy: Policy = POLICY,
        bound: int = 10_000,
    ) -> MemorySource:
        """One more source."""
        source = MemorySource(
            Identity(code, level, region_code, school), self.tools, offers, rows, bound=bound
        )
        face = Face(code, code, code, level, region_code, source.protocol)
        health = Health(self.clock.monotonic, self.clock.epoch)
        self.joined[code] = Joined(face, school, source, health, policy, deadline)
        return source

    def asking(self, viewer: Viewer = ANONYMOUS, seconds: float = 30.0) -> Asking:
        """One request's way of asking."""
        return Asking(self.joined, self.cache, Budget(seconds), viewer.audience)

    def directory(self, viewer: Viewer = ANONYMOUS, seconds: float = 30.0) -> SourceDirectory:
        """One request's directory."""
        return SourceDirectory(self.joined, SPECS, self.asking(viewer, seconds), viewer, shipped(), TODAY)
