"""Look things up for one viewer and one request: route, ask, merge, and show what the viewer may see.

This is the only door between sources and resolvers, and `_shown` the only place where records become
entities: what policy hides is gone before the graph, a filter or a count can see it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from types import MappingProxyType
from typing import Any

import msgspec

from hub.sources.accounting import account_of, nobody, total_of
from hub.sources.asking import Asking, Heard, Joined
from hub.sources.joining import joined, speaking
from hub.sources.merging import Told, merge
from hub.sources.paging import Mark, Row, cursor, listing, mark_of, weave
from hub.sources.routing import Asked, Candidate, Question, Reach, Route, route
from schema.graph.context import Account, Entity, Found, Losing
from schema.model.codes import Level
from schema.model.divisions import Divisions
from schema.model.policy import SIGHT_FIELDS, STRANGER, Decision, Eye, eye_of, opened, ties
from schema.model.privacy import Mask, PrivacyClass, masked
from schema.model.record import NOWHERE, Lookup, Page, Place, lookup
from schema.model.viewer import Viewer
from schema.model.words import Kind, WordSpec

MOST_IN_A_LIST = 50_000
"""Most records that one source's share of a merged list is read to."""
WINDOW = 500
"""Records of a page that the hub asks for on its own account."""
ROUNDS = 20
"""Most pages read at once where the viewer may see nothing of what the first ones hold."""
PLACES = frozenset({"region_code", "school_code"})
"""Filters that say where to look, and are open to whoever sees the thing at all."""

Ask = Callable[[Asked], Lookup]
"""The question as it is put to one source: with the fields that this one holds."""


@dataclass(slots=True)
class SourceDirectory:
    """The `Directory` port over the joined sources; made for each request."""

    joined: Mapping[str, Joined]
    specs: Mapping[Kind, WordSpec]
    asking: Asking
    viewer: Viewer
    divisions: Divisions
    today: date
    eye: Eye = field(init=False)

    def __post_init__(self) -> None:
        self.eye = eye_of(self.viewer, self.divisions.within, self.today)

    async def get(
        self, kind: Kind, key: str, fields: frozenset[str], *, place: Place = NOWHERE
    ) -> tuple[Entity | None, Account]:
        """The one thing with this key, as the viewer may see it."""
        spec = self.specs[kind]
        if not self._could_see(spec):
            return None, Account()
        place = _placed(kind, key, place)
        wanted = _wanted(spec, fields)
        owner = "" if spec.shared else key.partition(":")[0]
        path = self._route(Question(spec, wanted, frozenset({"key"}), place, only_source=owner))
        heard = await self._each(path, spec, "key", key, {})
        if spec.shared and not place.region_code and (home := _home(heard)).region_code:
            # Now that its place is known, those who speak for that place are asked too.
            asked = {one.source for one in path.asked}
            near = self._route(Question(spec, wanted, frozenset({"key"}), home))
            later = Route(tuple(one for one in near.asked if one.source not in asked), near.passed)
            heard += await self._each(later, spec, "key", key, {})
            told = {one.source for one in path.asked + later.asked}
            path = Route(path.asked + later.asked, tuple(p for p in near.passed if p.source not in told))
        account = account_of(path, heard)
        entities = self._entities(spec, heard)
        if not entities:
            # A remembered copy is there only of what exists: of what is not shown it must not tell.
            silent = tuple(replace(silence, remembered=False) for silence in account.silent)
            return None, replace(account, silent=silent, stale=())
        return entities[0], account

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
        narrowed = {name: tuple(values) for name, values in (where or {}).items()}
        if not all(narrowed.values()):
            return Found(total=0)
        filters = frozenset({by, *narrowed})
        question = Question(
            spec, _wanted(spec, fields | filters), filters, place, levels=tuple(levels),
            only_source=self._owner(kind, by, value),
        )  # fmt: skip
        path = self._route(question)
        if all(len(values) == 1 for values in narrowed.values()):
            also = {name: values[0] for name, values in narrowed.items()}
            heard = await self._each(path, spec, by, value, also)
        else:
            heard = await self._all(
                path, spec, lambda one: lookup(kind, one.fields, {**narrowed, by: [value]})
            )
        known = {name: about.values[name] for name in SIGHT_FIELDS & about.values.keys()} if about else {}
        entities = tuple(self._entities(spec, speaking(spec, heard), known, filters))
        account, more = account_of(path, heard), any(said.more for said in heard)
        if not path.asked:
            account = self._unasked(question, account, {**known, by: value})
        return Found(entities, account, None if more or account.missing else len(entities), more)

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
        narrowed = {name: tuple(values) for name, values in (where or {}).items()}
        name = listing(kind, sorted(narrowed.items()), region, [*levels], text, since, until)
        mark = mark_of(name, after)
        if not self._could_see(spec) or not all(narrowed.values()):
            return Found(total=0)
        by = frozenset(narrowed)
        question = Question(
            spec, _wanted(spec, fields | by), by,
            Place(region), Reach.REGION, tuple(levels), bool(text), bool(since or until),
        )  # fmt: skip
        path = self._route(question)

        def ask(one: Asked) -> Lookup:
            return lookup(kind, one.fields, narrowed, text=text, since=since, until=until)

        if not path.asked:
            told = {name: values[0] for name, values in narrowed.items()}
            account = self._unasked(question, account_of(path, ()), told)
            return Found(account=account, total=None if account.missing else 0)
        if spec.shared or spec.same or (spec.register and len(path.asked) > 1):
            return await self._merged_page(spec, path, ask, by, name, mark, first)
        return await self._woven_page(spec, path, ask, by, name, mark, first)

    def why(self, question: Question) -> Route:
        """The route a question would take now; nobody is asked."""
        return self._route(question)

    def shown(self, spec: WordSpec, told: Sequence[Told]) -> Entity | None:
        """What the viewer may see of records of one key that the hub holds already; None: looks absent."""
        return self._shown(spec, told)

    async def _merged_page(
        self, spec: WordSpec, path: Route, ask: Ask, by: frozenset[str], name: str, mark: Mark, first: int
    ) -> Found:
        """A page of things that several sources tell of: read whole, merged, in order of key."""
        heard = await asyncio.gather(*(self._whole(one, spec, ask(one)) for one in path.asked))
        account = account_of(path, heard)
        seen = self._entities(spec, speaking(spec, heard), by=by)
        entities = sorted(seen, key=lambda entity: entity.key)
        rest = [entity for entity in entities if entity.key > mark.key]
        shown = tuple(rest[:first])
        cut = any(said.more for said in heard)
        return Found(
            shown,
            account,
            None if cut or account.missing else len(entities),
            len(rest) > first or (cut and bool(shown)),
            tuple(cursor(name, Mark(key=entity.key)) for entity in shown),
        )

    async def _woven_page(
        self, spec: WordSpec, path: Route, ask: Ask, by: frozenset[str], name: str, mark: Mark, first: int
    ) -> Found:
        """A page of things each source has of its own; read on while the viewer may see nothing of it."""
        sure = _open(spec) and all(_plain(spec, one) for one in by)
        # Where things may be hidden, one more is looked for: what is left unread would tell of them.
        seek = first if sure else first + 1
        account, size, end = Account(), seek, mark
        shown: list[Entity] = []
        marks: list[Mark] = []
        for _ in range(ROUNDS):
            start = end
            heard = await self._all(path, spec, _paged(ask, start, size))
            account += account_of(path, heard)
            pairs = list(zip(path.asked, heard, strict=True))
            rows = [_row(one, said, start) for one, said in pairs]
            woven = weave(rows, start, seek - len(shown), lambda told: self._shown(spec, told, by=by))
            shown += woven.entities
            marks += woven.marks
            left = woven.left or any(said.more and said.told and one.offer.pages for one, said in pairs)
            size, end = WINDOW, woven.end
            if len(shown) >= seek or (sure and shown) or not left or end == start:
                break
        missing = account.missing
        total = None
        if not (left or missing or mark.at or any(said.more for said in heard)):
            total = len(shown)
        elif not missing and sure:
            total = total_of(pairs, start)
        # Who falls silent in the middle of a list has more to say: the cursor goes on from there.
        more = (
            (left and (sure or len(shown) < seek))
            or len(shown) > first
            or bool(start.at and missing and shown)
        )
        cursors = tuple(cursor(name, one) for one in marks[:first])
        return Found(tuple(shown[:first]), account, total, more, cursors)

    async def _whole(self, one: Asked, spec: WordSpec, question: Lookup) -> Heard:
        """All that a source tells to a question, further pages included where it has some."""
        heard = await self.asking.whole(one, spec, question)
        while heard.more and one.offer.pages and not heard.silence and len(heard.told) < MOST_IN_A_LIST:
            page = Page(len(heard.told), WINDOW)
            further = await self.asking.whole(one, spec, msgspec.structs.replace(question, page=page))
            if not (further.told or further.silence):
                break
            heard = Heard(
                heard.told + further.told, heard.total, further.more or bool(further.silence),
                further.silence, heard.stale or further.stale,
            )  # fmt: skip
        return heard

    async def _all(self, path: Route, spec: WordSpec, ask: Ask) -> list[Heard]:
        return list(await asyncio.gather(*(self.asking.whole(one, spec, ask(one)) for one in path.asked)))

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
        return not self.viewer.anonymous or _open(spec)

    def _unasked(self, question: Question, account: Account, told: Mapping[str, Any]) -> Account:
        """The account of a list for which nobody is asked: not an empty list, but one that nobody knows.

        `told`: what is known of every thing in it. Who could not see such things hears nothing, as ever.
        """
        place = question.place
        at = {"region_code": place.region_code, "school_code": place.school_code}
        values = {**{name: code for name, code in at.items() if code}, **told}
        tie = ties(self.viewer, question.spec, values, self.divisions.within)
        if account.silent or not (_open(question.spec) or tie != STRANGER):
            return account
        return replace(account, silent=(nobody(question),))

    def _entities(
        self,
        spec: WordSpec,
        heard: Iterable[Heard],
        known: Mapping[str, Any] = MappingProxyType({}),
        by: frozenset[str] = frozenset(),
    ) -> list[Entity]:
        """What was heard, one entity a thing and one record a source, in the order first heard of."""
        things = joined(spec, (told for said in heard for told in said.told))
        shown = (self._shown(spec, told, known, by) for told in things)
        return [entity for entity in shown if entity is not None]

    def _shown(
        self,
        spec: WordSpec,
        told: Sequence[Told],
        known: Mapping[str, Any] = MappingProxyType({}),
        by: frozenset[str] = frozenset(),
    ) -> Entity | None:
        """The one place where records become what a viewer sees; `known` fills in whose and where.

        What was found `by` a value that the viewer may not see is not shown: the filter would tell the value.
        """
        merged = merge(spec, told)
        # Whose a record is, the hub knows better than its source, which has a name of its own for the person.
        whose = {name: known[name] for name in ("person_key", "class_keys") if name in known}
        full = {**known, **merged.values, **whose}
        made = self._decided(spec, full)
        if not made.there:
            return None
        values, fields = opened(made, full), made.seen
        if any(not _plain(spec, name) and _altered(name, full, values, fields) for name in by):
            return None
        losing = tuple(
            _as_seen(spec, one, values)
            for one in merged.losing
            if one.field in fields and not spec.fields[one.field].hidden
        )
        return Entity(spec, merged.key, values, fields, merged.parts, losing, made.logged)

    def _decided(self, spec: WordSpec, full: Mapping[str, Any]) -> Decision:
        return self.eye.decided(spec, full)


def _wanted(spec: WordSpec, fields: frozenset[str]) -> frozenset[str]:
    """The values to ask for: what is wanted and what decides who may see it."""
    return (fields | SIGHT_FIELDS | spec.identity) & spec.values()


def _placed(kind: Kind, key: str, place: Place) -> Place:
    """The place of a thing whose key is a place."""
    if kind is Kind.SCHOOL:
        return replace(place, school_code=place.school_code or key)
    return replace(place, region_code=place.region_code or key) if kind is Kind.REGION else place


def _home(heard: Iterable[Heard]) -> Place:
    for said in heard:
        for told in said.told:
            values = told.record.values
            if values.get("region_code"):
                return Place(values["region_code"], values.get("school_code", ""))
    return NOWHERE


def _open(spec: WordSpec) -> bool:
    """Whether something of every such thing is open to everybody, so that none is ever hidden."""
    return any(
        field.privacy is PrivacyClass.PUBLIC and not field.hidden and not field.link
        for field in spec.fields.values()
    )


def _plain(spec: WordSpec, name: str) -> bool:
    """Whether a filter tells nothing that the viewer could not know: open, a place, or a key of ours."""
    field = spec.fields.get(name)
    return field is None or field.hidden or name in PLACES or field.privacy is PrivacyClass.PUBLIC


def _altered(name: str, full: Mapping[str, Any], values: Mapping[str, Any], fields: frozenset[str]) -> bool:
    """Whether the viewer sees this value masked or not at all."""
    return name not in fields or values.get(name) != full.get(name)


def _as_seen(spec: WordSpec, one: Losing, values: Mapping[str, Any]) -> Losing:
    """What lost, masked wherever what won is (or may be: the mask of a short value changes nothing)."""
    mask, kept = spec.fields[one.field].mask, values.get(one.field)
    if mask is Mask.NONE or kept != masked(one.kept, mask):
        return one
    return replace(one, value=masked(one.value, mask), kept=kept)


def _paged(ask: Ask, mark: Mark, size: int) -> Ask:
    """The same question for the next page, where the source has pages."""

    def paged(one: Asked) -> Lookup:
        page = Page(mark.at.get(one.source, 0), max(size, 1)) if one.offer.pages else None
        return msgspec.structs.replace(ask(one), page=page)

    return paged


def _row(one: Asked, said: Heard, mark: Mark) -> Row:
    start = mark.at.get(one.source, 0)
    return Row(one.source, start, said.told if one.offer.pages else said.told[start:])
