"""Look things up for one viewer and one request: route, ask, merge, and show what the viewer may see.

This is the only door between sources and resolvers, and `_shown` the only place where records become
entities: what policy hides is gone before the graph, a filter or a count can see it.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Any

import orjson

from hub.sources.asking import Asking, Heard, Joined
from hub.sources.merging import Told, merge
from hub.sources.routing import Candidate, Question, Reach, Route, route
from schema.graph.context import Account, BadCursor, Entity, Found
from schema.model.codes import Level
from schema.model.divisions import Divisions
from schema.model.policy import SIGHT_FIELDS, reveal
from schema.model.privacy import PrivacyClass
from schema.model.record import NOWHERE, Page, Place, lookup
from schema.model.viewer import Viewer
from schema.model.words import Kind, WordSpec

MOST_IN_A_LIST = 50_000


@dataclass(slots=True)
class SourceDirectory:
    """The `Directory` port over the joined sources; made for each request."""

    joined: Mapping[str, Joined]
    specs: Mapping[Kind, WordSpec]
    asking: Asking
    viewer: Viewer
    divisions: Divisions
    today: date

    async def get(
        self, kind: Kind, key: str, fields: frozenset[str], *, place: Place = NOWHERE
    ) -> tuple[Entity | None, Account]:
        """The one thing with this key, as the viewer may see it."""
        spec = self.specs[kind]
        if not self._could_see(spec):
            return None, Account()
        wanted = _wanted(spec, fields, "")
        owner = "" if spec.shared else key.partition(":")[0]
        path = self._route(Question(spec, wanted, frozenset({"key"}), place, only_source=owner))
        heard = await self._each(path, spec, "key", key, {})
        if spec.shared and not place.region_code and (home := _home(heard)).region_code:
            # Now that its place is known, those who speak for that place are asked too.
            asked = {one.source for one in path.asked}
            near = self._route(Question(spec, wanted, frozenset({"key"}), home))
            later = Route(tuple(one for one in near.asked if one.source not in asked), near.passed)
            heard += await self._each(later, spec, "key", key, {})
            path = Route(path.asked + later.asked, near.passed)
        account = _account(path, heard)
        entities = self._entities(spec, heard)
        return (entities[0] if entities else None), account

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
        """Everything whose `by` is `value`: equal questions of one tick travel together."""
        spec = self.specs[kind]
        if not self._could_see(spec):
            return Found(total=0)
        also = {name: values[0] for name, values in (where or {}).items()}
        wanted = _wanted(spec, fields, by)
        question = Question(
            spec, wanted, frozenset({by, *also}), place, levels=tuple(levels),
            only_source=self._owner(kind, by, value),
        )  # fmt: skip
        path = self._route(question)
        heard = await self._each(path, spec, by, value, also)
        known = {name: about.values[name] for name in SIGHT_FIELDS & about.values.keys()} if about else {}
        entities = self._entities(spec, heard, known)
        return Found(tuple(entities), _account(path, heard), len(entities), any(h.more for h in heard))

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
        """A page of a list over all sources that touch `region`."""
        spec = self.specs[kind]
        starts = _starts(after)
        if not self._could_see(spec):
            return Found(total=0)
        by = frozenset(where or {})
        question = Question(
            spec, _wanted(spec, fields | by, ""), by,
            Place(region), Reach.REGION, tuple(levels), bool(text), bool(since or until),
        )  # fmt: skip
        path = self._route(question)
        paged = not spec.shared
        asks = []
        for one in path.asked:
            page = Page(starts.get(one.source, 0), first) if paged and one.offer.pages else None
            asks.append(
                self.asking.whole(
                    one, spec, lookup(kind, one.fields, where, text=text, since=since, until=until, page=page)
                )
            )
        heard = await asyncio.gather(*asks)
        account = _account(path, heard)
        if spec.shared:
            return self._merged_page(spec, heard, account, starts.get("", 0), first)
        return self._woven_page(spec, path, heard, account, starts, first)

    def why(self, question: Question) -> Route:
        """The route a question would take now; nobody is asked."""
        return self._route(question)

    def shown(self, spec: WordSpec, told: Sequence[Told]) -> Entity | None:
        """What the viewer may see of records of one key that the hub holds already; None: looks absent."""
        return self._shown(spec, told)

    def _merged_page(
        self, spec: WordSpec, heard: Sequence[Heard], account: Account, start: int, first: int
    ) -> Found:
        """A page of things that several sources tell of: merged, in order of key."""
        entities = sorted(self._entities(spec, heard), key=lambda entity: entity.key)
        shown = entities[start : start + first]
        cursors = tuple(_cursor({"": start + place + 1}) for place in range(len(shown)))
        more = len(entities) > start + first
        return Found(tuple(shown), account, len(entities), more, cursors)

    def _woven_page(
        self,
        spec: WordSpec,
        path: Route,
        heard: Sequence[Heard],
        account: Account,
        starts: Mapping[str, int],
        first: int,
    ) -> Found:
        """A page of things each source has of its own: one of each in turn, so none drowns another."""
        rows: list[tuple[str, list[Told]]] = []
        for one, said in zip(path.asked, heard, strict=True):
            told = list(said.told)
            rows.append((one.source, told if one.offer.pages else told[starts.get(one.source, 0) :]))
        offsets = dict(starts)
        shown: list[Entity] = []
        cursors: list[str] = []
        hidden = False
        for place in range(max((len(told) for _, told in rows), default=0)):
            for source, told in rows:
                if place >= len(told) or len(shown) == first:
                    continue
                offsets[source] = offsets.get(source, 0) + 1
                entity = self._shown(spec, [told[place]])
                if entity is None:
                    hidden = True
                    continue
                shown.append(entity)
                cursors.append(_cursor(offsets))
        left = any(starts.get(source, 0) + len(told) > offsets.get(source, 0) for source, told in rows)
        more = left or any(said.more for said in heard)
        total = None if hidden or any(h.silence and not h.stale for h in heard) else _total(path, heard)
        return Found(tuple(shown), account, total, more, tuple(cursors))

    async def _each(
        self, path: Route, spec: WordSpec, by: str, value: str, also: Mapping[str, str]
    ) -> list[Heard]:
        asks = (self.asking.one(one, spec, by, value, one.fields, also) for one in path.asked)
        return list(await asyncio.gather(*asks))

    def _route(self, question: Question) -> Route:
        candidates = [
            Candidate(one.face, one.school_code, one.connector.capabilities, one.health.resting)
            for one in self.joined.values()
        ]
        return route(question, candidates, self.divisions)

    def _owner(self, kind: Kind, by: str, value: str) -> str:
        """The source whose own key `value` is, if that source can answer by it; else anybody may."""
        code = value.partition(":")[0]
        source = self.joined.get(code) if ":" in value else None
        offer = source.connector.capabilities.offers.get(kind) if source else None
        return code if offer and by in offer.by else ""

    def _could_see(self, spec: WordSpec) -> bool:
        """Whether to ask at all: who is not signed in sees nothing of words without public fields."""
        return not self.viewer.anonymous or any(
            field.privacy is PrivacyClass.PUBLIC and not field.hidden and not field.link
            for field in spec.fields.values()
        )

    def _entities(
        self, spec: WordSpec, heard: Iterable[Heard], known: Mapping[str, Any] = MappingProxyType({})
    ) -> list[Entity]:
        """What was heard, one entity a key, in the order first heard of."""
        by_key: dict[str, list[Told]] = {}
        for said in heard:
            for told in said.told:
                by_key.setdefault(told.record.key, []).append(told)
        shown = (self._shown(spec, told, known) for told in by_key.values())
        return [entity for entity in shown if entity is not None]

    def _shown(
        self, spec: WordSpec, told: Sequence[Told], known: Mapping[str, Any] = MappingProxyType({})
    ) -> Entity | None:
        """The one place where records become what a viewer sees; `known` fills in whose and where."""
        merged = merge(spec, told)
        seen = reveal(self.viewer, spec, {**known, **merged.values}, self.divisions.within, self.today)
        if seen is None:
            return None
        values, fields = seen
        losing = tuple(
            one for one in merged.losing if one.field in fields and not spec.fields[one.field].hidden
        )
        return Entity(spec, merged.key, values, fields, merged.parts, losing)


def _wanted(spec: WordSpec, fields: frozenset[str], by: str) -> frozenset[str]:
    """The values to ask for: what is wanted, what decides who may see it, what the answer is split by."""
    return (fields | {by} | SIGHT_FIELDS) & spec.values()


def _home(heard: Iterable[Heard]) -> Place:
    for said in heard:
        for told in said.told:
            values = told.record.values
            if values.get("region_code"):
                return Place(values["region_code"], values.get("school_code", ""))
    return NOWHERE


def _account(path: Route, heard: Sequence[Heard]) -> Account:
    pairs = list(zip(path.asked, heard, strict=True))
    return Account(
        tuple(one.source for one, _ in pairs),
        tuple(one.source for one, said in pairs if said.silence is None),
        tuple(said.silence for _, said in pairs if said.silence is not None),
        tuple(one.source for one, said in pairs if said.stale),
    )


def _total(path: Route, heard: Sequence[Heard]) -> int | None:
    """The sum of what the sources count, if each can tell or told everything."""
    total = 0
    for one, said in zip(path.asked, heard, strict=True):
        if said.total is not None:
            total += said.total
        elif one.offer.pages or said.more:
            return None
        else:
            total += len(said.told)
    return total


def _cursor(offsets: Mapping[str, int]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(dict(offsets))).decode().rstrip("=")


def _starts(cursor: str) -> dict[str, int]:
    """How far each source's list has been read; raises `BadCursor`."""
    if not cursor:
        return {}
    try:
        offsets = orjson.loads(base64.urlsafe_b64decode(cursor[:4096] + "=" * (-len(cursor[:4096]) % 4)))
    except ValueError as error:
        raise BadCursor from error
    if not isinstance(offsets, dict) or len(offsets) > 100:
        raise BadCursor
    if not all(isinstance(n, int) and not isinstance(n, bool) and 0 <= n <= 10**9 for n in offsets.values()):
        raise BadCursor
    return offsets
