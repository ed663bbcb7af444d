"""The ports a resolver may use: who is asking, where to look things up, what to note in the diary.

They belong to the graph, which asks; the hub provides them (`hub/sources/directory.py`, `hub/catalogue`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

from schema.model.codes import Level
from schema.model.divisions import Divisions
from schema.model.privacy import Duty
from schema.model.record import NOWHERE, Place
from schema.model.viewer import Viewer
from schema.model.words import Kind, WordSpec

NO_SOURCE = "NO_SOURCE"
"""Code of a silence without a source: somebody would have to know, and no joined source speaks for it."""
HUB = "hub"
"""What stands in a source's place where the hub speaks for itself."""


@dataclass(frozen=True, slots=True)
class Part:
    """One source's share in an entity: `fields` whose value it gave; `fetched_at` seconds since 1970."""

    source: str
    local_id: str
    fetched_at: float
    stale: bool
    updated_at: str | None
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Losing:
    """A value that another source's value was preferred to."""

    field: str
    source: str
    value: Any
    kept: Any
    kept_source: str
    updated_at: str | None


@dataclass(frozen=True, slots=True)
class Entity:
    """One thing as this viewer may see it: `values` without what is hidden, `seen` the open fields' names.

    `logged` are those open fields whose reading is written down.
    """

    spec: WordSpec
    key: str
    values: Mapping[str, Any]
    seen: frozenset[str]
    parts: tuple[Part, ...]
    losing: tuple[Losing, ...] = ()
    logged: frozenset[str] = frozenset()

    @property
    def place(self) -> Place:
        """Where it is, for look-ups that start from it."""
        return Place(str(self.values.get("region_code") or ""), str(self.values.get("school_code") or ""))


@dataclass(frozen=True, slots=True)
class Face:
    """A source as an answer names it."""

    code: str
    name: str
    name_en: str
    level: Level
    region_code: str
    protocol: str
    kinds: tuple[str, ...] = ()
    operator: str = ""
    processor: str = ""


@dataclass(frozen=True, slots=True)
class Silence:
    """A source that gave nothing usable: its code, the error's code, the reason in words.

    `remembered`: a copy from before stands in for it in this very look-up. With the code `NO_SOURCE` nobody
    could be asked at all, and `HUB` stands in the source's place.
    """

    source: str
    level: Level
    code: str
    reason: str
    remembered: bool = False


@dataclass(frozen=True, slots=True)
class Account:
    """Who was asked for an answer, who answered, who is silent, whose answer is a remembered one."""

    asked: tuple[str, ...] = ()
    answered: tuple[str, ...] = ()
    silent: tuple[Silence, ...] = ()
    stale: tuple[str, ...] = ()

    def __add__(self, other: Account) -> Account:
        return Account(
            tuple(dict.fromkeys(self.asked + other.asked)),
            tuple(dict.fromkeys(self.answered + other.answered)),
            _each_once(self.silent + other.silent),
            tuple(dict.fromkeys(self.stale + other.stale)),
        )

    @property
    def missing(self) -> bool:
        """Whether somebody is silent for whom nothing remembered stands in: what is told may be short."""
        return any(not silence.remembered for silence in self.silent)

    def heard_of(self) -> Account:
        """The same without "nobody could be asked": for one thing that is absent, or where others were."""
        return replace(self, silent=tuple(one for one in self.silent if one.code != NO_SOURCE))


def _each_once(silent: Iterable[Silence]) -> tuple[Silence, ...]:
    """One silence a source, the last; it is remembered only if it was everywhere."""
    kept: dict[str, Silence] = {}
    for one in silent:
        before = kept.get(one.source)
        kept[one.source] = before if before and not before.remembered and one.remembered else one
    return tuple(kept.values())


@dataclass(frozen=True, slots=True)
class Found:
    """The answer to a list question. `total` None where the sources cannot tell, or not to this viewer.

    `cursors` has one opaque cursor for each entity: the list goes on right after it.
    """

    entities: tuple[Entity, ...] = ()
    account: Account = field(default_factory=Account)
    total: int | None = None
    more: bool = False
    cursors: tuple[str, ...] = ()


class Directory(Protocol):
    """Looks things up at whichever sources hold them, for one viewer and one request.

    `fields` are the values wanted, in the model's names; the directory adds what decisions need.
    Nothing here raises for a silent source: it is in the account.
    """

    async def get(
        self, kind: Kind, key: str, fields: frozenset[str], *, place: Place = NOWHERE
    ) -> tuple[Entity | None, Account]:
        """The one thing with this key, merged from the sources that hold it."""
        ...

    async def related(
        self,
        kind: Kind,
        by: str,
        value: str,
        fields: frozenset[str],
        *,
        place: Place = NOWHERE,
        where: Mapping[str, Sequence[str]] | None = None,
        levels: Sequence[Level] = (),
        about: Entity | None = None,
    ) -> Found:
        """All things whose `by` is `value`; equal questions of one tick travel together.

        `about`: the person the things are about, as the viewer sees them; what that tells of whose and where
        (own key, classes, birth date, place) counts for records whose source does not know it.
        """
        ...

    async def find(
        self,
        kind: Kind,
        fields: frozenset[str],
        *,
        where: Mapping[str, Sequence[str]] | None = None,
        region: str = "",
        levels: Sequence[Level] = (),
        text: str = "",
        since: str = "",
        until: str = "",
        first: int = 20,
        after: str = "",
    ) -> Found:
        """A page of a list over the sources of `region` and above; `BadCursor` for a foreign cursor."""
        ...


class BadCursor(ValueError):
    """A cursor that this list did not hand out."""

    code = "BAD_CURSOR"
    public = (
        "游标无效：请用上一页返回的 endCursor / not a cursor of this list: use the endCursor of the last page"
    )


@dataclass(frozen=True, slots=True)
class Facet:
    """How many matches have this value in one dimension."""

    dimension: str
    value: str
    count: int


@dataclass(frozen=True, slots=True)
class CatalogueHits:
    """Resources found in the catalogue: `found` as a list question's answer, and the facets asked for."""

    found: Found
    facets: tuple[Facet, ...] = ()


class Catalogue(Protocol):
    """Harvested resource metadata of all levels, searchable in Chinese."""

    async def search(
        self,
        text: str,
        *,
        filters: Mapping[str, Sequence[str]],
        facets: Sequence[str] = (),
        first: int = 20,
        after: str = "",
    ) -> CatalogueHits | None:
        """Matches, best first; `filters` by model field (level, stage …); None: no catalogue now."""
        ...

    async def same_as(self, key: str) -> tuple[Entity, ...]:
        """The same work's other records, at other levels."""
        ...


@dataclass(frozen=True, slots=True)
class Read:
    """Sensitive fields of somebody else's record that an answer shows: whose, by the keys that are known."""

    about: tuple[str, ...]
    kind: Kind
    fields: tuple[str, ...]


@dataclass(slots=True)
class Diary:
    """What one request notes for its answer: where each part came from, who was silent where, and what of
    it must be written down before it leaves."""

    origins: dict[str, dict[str, tuple[int, float, bool]]] = field(default_factory=dict)
    account: Account = field(default_factory=Account)
    gaps: dict[tuple[str, str], Silence] = field(default_factory=dict)
    reads: dict[Read, None] = field(default_factory=dict)

    def read(
        self,
        entities: Sequence[Entity],
        values: frozenset[str] = frozenset(),
        *,
        links: frozenset[str] = frozenset(),
        disputed: bool = False,
    ) -> None:
        """Note what in the answer is sensitive and about somebody else: of these `values` those that are
        there, `links` that told something, and with `disputed` what is shown of values that lost."""
        for entity in entities:
            if not entity.logged:
                continue
            told = (values & entity.values.keys()) | links
            if disputed:
                told |= {one.field for one in entity.losing}
            if told := entity.logged & told:
                assert entity.spec.kind is not None, "records about persons can be looked up"
                keys = (entity.values.get("person_key"), entity.values.get("match_key"))
                about = tuple(str(key) for key in keys if key) or (entity.key,)
                self.reads[Read(about, entity.spec.kind, tuple(sorted(told)))] = None

    def note(self, path: str, entities: Sequence[Entity], account: Account) -> None:
        """Note where what stands at `path` (positions left out) came from: count, oldest fetch, staleness."""
        if entities:
            origins = self.origins.setdefault(path, {})
            for entity in entities:
                for part in entity.parts:
                    count, oldest, stale = origins.get(part.source, (0, part.fetched_at, False))
                    origins[part.source] = (count + 1, min(oldest, part.fetched_at), stale or part.stale)
        if account.silent or account.stale or account.asked:
            self.account += account
            for silence in account.silent:
                before = self.gaps.get((path, silence.source))
                if before is None or (before.remembered and not silence.remembered):
                    self.gaps[path, silence.source] = silence


class SourceSilent(Exception):
    """Who holds a thing is silent: it is null with this error, so that nobody takes it for absent."""

    def __init__(self, silent: Sequence[Silence]) -> None:
        super().__init__(silent[0].code)
        self.code = silent[0].code
        self.public = "；".join(f"{s.source}: {s.reason}" for s in silent[:3])
        self.extensions = {"sources": [s.source for s in silent[:9]], "level": silent[0].level.value}


class Veil(Protocol):
    """Covers what clients carry about for the hub and are not to read, count or make up.

    `use` keeps what is covered for one thing from being taken for another.
    """

    def name(self, text: str, use: str) -> str:
        """A covered text, always the same for the same one; base64url, for ids."""
        ...

    def named(self, name: str, use: str) -> str | None:
        """The text under a name; None for what is none of ours."""
        ...

    def seal(self, text: str, use: str) -> str:
        """A covered text, another each time, that tells nothing of its length either; base64url."""
        ...

    def unseal(self, sealed: str, use: str) -> str | None:
        """The text under a seal; None for what is none of ours."""
        ...


class Sources(Protocol):
    """The joined sources, for those who ask about them; `veil` covers what ids and cursors tell of them."""

    @property
    def veil(self) -> Veil:
        """The hub's own."""
        ...

    def faces(self) -> Sequence[Face]:
        """All joined sources, from the nation down."""
        ...

    def face(self, code: str) -> Face | None:
        """One of them."""
        ...

    def health(self, code: str) -> Mapping[str, Any]:
        """Values for `SourceHealth`, in the model's names; empty for an unknown code."""
        ...


class NoWitness(Exception):
    """The hub's own records about persons cannot be read now: an error, never an empty list."""

    code = "RECORDS_UNAVAILABLE"
    public = "中心自身的记录暂时不可读，请稍后再试 / the hub's own records cannot be read now: try again soon"


class Witness(Protocol):
    """What the hub itself keeps about persons, by the keys of their records. Raises `NoWitness`."""

    async def accesses(
        self, about: Sequence[str], *, first: int, before: datetime | None = None
    ) -> Sequence[Mapping[str, Any]]:
        """Who read sensitive data of theirs, newest first, as values of `AccessRecord`."""
        ...

    async def consents(self, about: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        """What was agreed to for them, as values of `ConsentReceipt`."""
        ...

    async def consent(
        self, viewer: Viewer, about: Sequence[str], client: str, purpose: Duty, notice: str
    ) -> Mapping[str, Any]:
        """Keep that the viewer agrees for the person with these keys; the receipt, an equal one if there."""
        ...

    async def withdraw(self, viewer: Viewer, about: Sequence[str], receipt: str) -> Mapping[str, Any] | None:
        """Keep that it is agreed to no more, from now on; None for a receipt that is not theirs."""
        ...


@dataclass(slots=True)
class Context:
    """Everything a resolver can reach, made anew for each request."""

    viewer: Viewer
    directory: Directory
    catalogue: Catalogue | None
    sources: Sources
    divisions: Divisions
    diary: Diary
    now: datetime
    hub_region: str
    witness: Witness | None = None
    extras: dict[str, Any] = field(default_factory=dict)
