"""How resolvers look things up: ask for what was selected, note it in the diary, say who is silent.

Rule 1: one thing that is not there while somebody is silent is an error (`SourceSilent`), never plain null.
Rule 2: a page never fails for a silent source; its account says who it was.
Rule 3: lists by one key are whole, and are filtered and cut here; lists over many sources come as pages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from graphql import GraphQLResolveInfo

from schema.graph.connections import Page, checked, filtered, merged, page_of, slice_of
from schema.graph.context import Account, Directory, Entity, Found, NoWitness, SourceSilent, Witness
from schema.graph.wanted import named, places, wanted
from schema.graph.words import TYPES, Info, node
from schema.model.record import NOWHERE, Place
from schema.model.words import Kind

PAGES = 20
"""Most pages read where the graph filters a list itself; beyond them the total is unknown."""

Keep = Callable[[Entity], bool]
Where = Mapping[str, Sequence[str]]


def raw(info: Info) -> GraphQLResolveInfo[Any]:
    """The executor's own view of the field."""
    return info._raw_info


def fields(info: Info, kind: Kind, *, page: bool = False, also: Sequence[str] = ()) -> frozenset[str]:
    """The model values that the client's selection on a thing of `kind` stands on."""
    return wanted(raw(info), kind.value, TYPES[kind.value].needs, connection=page) | frozenset(also)


def note(info: Info, entities: Sequence[Entity], account: Account, *, page: bool = False) -> None:
    """Write into the diary where the things of this field stand and came from."""
    for place in places(raw(info), connection=page):
        info.context.diary.note(place, entities, account)
    if any(entity.logged for entity in entities):
        kind = entities[0].spec.name
        names, shows = named(raw(info), kind, connection=page), TYPES[kind].shows
        values = frozenset(shows[name] for name in names & shows.keys())
        info.context.diary.read(entities, values, disputed="contradictions" in names)


def witness(info: Info) -> Witness:
    """Who keeps account of persons; raises `NoWitness` where nobody does now."""
    if info.context.witness is None:
        raise NoWitness
    return info.context.witness


async def one(info: Info, kind: Kind, key: str | None, place: Place = NOWHERE) -> Any:
    """The thing with this key, or None; raises `SourceSilent`."""
    if not key:
        return None
    entity, account = await info.context.directory.get(kind, key, fields(info, kind), place=place)
    note(info, [entity] if entity else [], account)
    return _one(entity, account)


async def first_of(info: Info, kind: Kind, *asked: Mapping[str, Any]) -> Any:
    """The first of what `related` finds for any of these questions, or None; raises `SourceSilent`."""
    found = await _related(info.context.directory, kind, fields(info, kind), asked)
    account = found.account.heard_of()
    note(info, found.entities[:1], account)
    return _one(found.entities[0] if found.entities else None, account)


async def several(info: Info, kind: Kind, keys: Sequence[str], place: Place = NOWHERE) -> list[Any] | None:
    """The things with these keys, in this order; `SourceSilent` if none and one is silent."""
    chosen = fields(info, kind)
    get = info.context.directory.get
    answers = await asyncio.gather(*(get(kind, key, chosen, place=place) for key in keys[:100]))
    entities = [entity for entity, _ in answers if entity]
    account = sum((account for _, account in answers), Account())
    note(info, entities, account)
    if not entities and account.silent:
        raise SourceSilent(account.silent)
    return [node(entity) for entity in entities]


async def related(
    info: Info,
    kind: Kind,
    *asked: Mapping[str, Any],
    first: int,
    after: str | None,
    keep: Keep | None = None,
    order: Callable[[Entity], Any] | None = None,
    also: Sequence[str] = (),
) -> Page:
    """A page of all that `related` finds for these questions; `also`: values `keep` and `order` look at."""
    checked(first)
    chosen = fields(info, kind, page=True, also=also)
    found = await _related(info.context.directory, kind, chosen, asked)
    entities = list(filtered(found, keep).entities if keep else found.entities)
    if order:
        entities.sort(key=order)
    return noted(info, slice_of(found, entities, first, after))


async def listed(
    info: Info,
    kind: Kind,
    *,
    first: int,
    after: str | None,
    where: Where | None = None,
    keep: Mapping[str, object] | None = None,
    **bounds: Any,
) -> Page:
    """A page over all sources; `where` is asked of them, `keep` is filtered here over the whole list."""
    checked(first)
    kept = {name: value for name, value in (keep or {}).items() if value is not None}
    chosen = fields(info, kind, page=True, also=tuple(kept))
    directory = info.context.directory
    if not kept:
        found = await directory.find(kind, chosen, where=where, first=first, after=after or "", **bounds)
        return noted(info, page_of(found))
    found = await _whole(directory, kind, chosen, where, bounds)
    return noted(
        info, slice_of(found, filtered(found, lambda entity: holds(entity, kept)).entities, first, after)
    )


def holds(entity: Entity, kept: Mapping[str, object]) -> bool:
    """Whether the entity's values are these: equal, one of a list's, or one of several allowed."""
    return all(_matches(entity.values.get(name), wish) for name, wish in kept.items())


def noted(info: Info, page: Page) -> Page:
    """`page`, after it is written into the diary."""
    note(info, page.entities, page.account, page=True)
    return page


def by(field: str, value: str | None, place: Place = NOWHERE, **where: str | None) -> dict[str, Any]:
    """One question to `related`; filters without a value are left out."""
    narrowed = {name: [wish] for name, wish in where.items() if wish}
    return {"by": field, "value": value or "", "place": place, "where": narrowed or None}


def _matches(value: object, wish: object) -> bool:
    wishes = wish if isinstance(wish, list | tuple | frozenset) else (wish,)
    held = value if isinstance(value, list) else (value,)
    return any(one in wishes for one in held)


def _one(entity: Entity | None, account: Account) -> Any:
    if entity is None and account.silent:
        raise SourceSilent(account.silent)
    return node(entity) if entity else None


async def _related(
    directory: Directory, kind: Kind, chosen: frozenset[str], asked: Sequence[Mapping[str, Any]]
) -> Found:
    questions = [dict(question) for question in asked if question["value"]]
    answers = await asyncio.gather(
        *(directory.related(kind, q.pop("by"), q.pop("value"), chosen, **q) for q in questions)
    )
    return answers[0] if len(answers) == 1 else merged(answers)


async def _whole(
    directory: Directory, kind: Kind, chosen: frozenset[str], where: Where | None, bounds: Mapping[str, Any]
) -> Found:
    """The list read page after page, up to `PAGES`; the account is of all pages together."""
    answers: list[Found] = []
    after = ""
    while len(answers) < PAGES:
        found = await directory.find(kind, chosen, where=where, first=500, after=after, **bounds)
        answers.append(found)
        if not (found.more and found.cursors):
            break
        after = found.cursors[-1]
    return replace(merged(answers), more=answers[-1].more)
