"""From a search to what the database is asked: filters, tiers of goodness, cursors.

Rule 1: a caller's text is only ever a value to compare with, or the escaped inside of a pattern.
Rule 2: order is tier, then rank, then key: total, and the same for every page.
Rule 3: this file does no I/O. It cannot be async.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from hub.catalogue import words
from hub.catalogue.documents import FACTS
from schema.graph.context import BadCursor

FACETS = ("level", "stage", "subject_code", "grade_code", "version_name", "chapter_keys")
"""What can be counted."""
LISTED = ("chapter_keys",)
"""Facets of which one resource may have several values."""
MOST_OF_A_FACET = 50
MOST_COMBINATIONS = 50_000
MOST_FILTER_VALUES = 200
MOST_FIRST = 200

Filter = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a list goes on: after this one of this tier."""

    tier: int
    rank: int
    key: str


@dataclass(frozen=True, slots=True)
class Search:
    """A search that is understood: `match` finds everything, `tiers` from best to least; on from `after`.

    A query that has text but no letter, digit or character finds nothing: `match` is None.
    """

    match: Filter | None
    tiers: tuple[Filter, ...]
    mark: str
    after: Place | None

    def cursor(self, place: Place) -> str:
        """The opaque cursor of a place in this list."""
        told = orjson.dumps([self.mark, place.tier, place.rank, place.key])
        return base64.urlsafe_b64encode(told).decode().rstrip("=")


def understood(
    text: str,
    filters: Mapping[str, Sequence[str]],
    after: str,
    *,
    only_sources: Iterable[str] | None = None,
    loose: bool = False,
) -> Search | None:
    """The search for a text and filters; raises `BadCursor`, and `ValueError` for a filter that there is not.

    `only_sources`: leave out what other sources have told, who are no longer joined. `loose`: by the
    characters of the text alone; None where that is no other search.
    """
    asked = words.asked(text)
    if loose:
        if (looser := words.loosened(asked)) is None:
            return None
        asked = looser
    kept = {name: tuple(str(value) for value in values) for name, values in sorted(filters.items()) if values}
    mark = hashlib.blake2b(repr((asked, kept)).encode("utf-8", "replace"), digest_size=6).hexdigest()
    place = _place(after, mark)
    if text.strip() and not asked.terms:
        return Search(None, (), mark, place)
    clauses = [_filter(name, values) for name, values in kept.items()]
    if only_sources is not None:
        clauses.append({"source": {"$in": sorted(only_sources)}})
    clauses += [words.condition("terms", term) for term in asked.terms] or [{"live": True}]
    if asked.loose:
        clauses += [words.condition("title_terms", term) for term in asked.terms]
    return Search({"$and": clauses}, tuple(_tiers(asked)), mark, place)


def browsed(search: Search, limit: int) -> list[dict[str, Any]]:
    """The pipeline for the next `limit` where there is no text: along the index by rank."""
    clauses = [search.match, *([_beyond(search.after)] if search.after else [])]
    return [{"$match": {"$and": clauses}}, *_next(limit)]


def tiered(search: Search, limit: int) -> list[dict[str, Any]]:
    """The pipeline for a text: one row with `tier0` and so on, the next `limit` of each tier."""
    start = search.after.tier if search.after else 0
    parts = {f"tier{n}": _tier(search, n, limit) for n in range(start, len(search.tiers))}
    return [
        {"$match": search.match},
        {"$project": {"rank": 1, "title": 1, "title_terms": 1}},
        {"$facet": parts},
    ]


def combined(search: Search, counted: Sequence[str]) -> list[dict[str, Any]]:
    """The pipeline that counts matches by each combination of values: the total and most facets in one go."""
    path = {name: f"$facts.{name}" for name in counted if name not in LISTED}
    return [{"$match": search.match}, {"$group": {"_id": path or None, "count": {"$sum": 1}}}]


def listed(search: Search, name: str) -> list[dict[str, Any]]:
    """The pipeline that counts matches by a fact of which each has several."""
    return [
        {"$match": search.match},
        {"$unwind": f"$facts.{name}"},
        {"$group": {"_id": f"$facts.{name}", "count": {"$sum": 1}}},
        {"$sort": {"count": -1, "_id": 1}},
        {"$limit": MOST_OF_A_FACET},
    ]


def facets_of(counted: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> dict[str, list[tuple[str, int]]]:
    """From counts by combination to the most frequent values of each dimension, with their counts."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in counted if name not in LISTED}
    for row in rows:
        for name, counter in counts.items():
            if isinstance(value := (row["_id"] or {}).get(name), str):
                counter[value] += row["count"]
    return {
        name: sorted(counter.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST_OF_A_FACET]
        for name, counter in counts.items()
    }


def _tier(search: Search, tier: int, limit: int) -> list[dict[str, Any]]:
    clauses = [search.tiers[tier]] if search.tiers[tier] else []
    if tier > 0:
        clauses.append({"$nor": [search.tiers[tier - 1]]})
    if search.after is not None and search.after.tier == tier:
        clauses.append(_beyond(search.after))
    return [{"$match": {"$and": clauses}}, *_next(limit)]


def _next(limit: int) -> list[dict[str, Any]]:
    return [{"$sort": {"rank": -1, "_id": 1}}, {"$limit": limit}, {"$project": {"rank": 1}}]


def dimensions(facets: Sequence[str]) -> tuple[str, ...]:
    """The facets wanted, each once; raises `ValueError` for one that there is not."""
    wanted = tuple(dict.fromkeys(facets))
    strange = [name for name in wanted if name not in FACETS]
    if strange:
        raise ValueError(f"不能按 {strange[0]} 统计 / no facet {strange[0]!r}; known: {', '.join(FACETS)}")
    return wanted


def _filter(name: str, values: Sequence[str]) -> Filter:
    path = name if name == "source" else f"facts.{'type_code' if name == 'type' else name}"
    if name not in (*FACTS, "source", "type"):
        raise ValueError(f"不能按 {name} 筛选 / no filter {name!r}; known: source, {', '.join(FACTS)}")
    storable = [value.encode("utf-8", "ignore").decode() for value in values[:MOST_FILTER_VALUES]]
    return {path: {"$in": storable}}


def _tiers(asked: words.Asked) -> Iterable[Filter]:
    """Each tier holds the one before it: this very title, the phrase in a title, all in a title, anywhere."""
    if not asked.terms:
        yield {}
        return
    exact: Filter = {"title": {"$eq": asked.phrase}}
    titled: Filter = {"$and": [words.condition("title_terms", term) for term in asked.terms]}
    yield exact
    if len(asked.terms) > 1:
        yield {"$or": [exact, {"title": {"$regex": re.escape(asked.phrase)}, **titled}]}
    yield {"$or": [exact, titled]}
    yield {}


def _beyond(place: Place) -> Filter:
    return {"$or": [{"rank": {"$lt": place.rank}}, {"rank": {"$eq": place.rank}, "_id": {"$gt": place.key}}]}


def _place(cursor: str, mark: str) -> Place | None:
    if not cursor:
        return None
    try:
        told = orjson.loads(base64.urlsafe_b64decode(cursor[:4096] + "=" * (-len(cursor[:4096]) % 4)))
        own, tier, rank, key = told
    except (ValueError, TypeError, binascii.Error) as error:
        raise BadCursor from error
    whole = all(isinstance(number, int) and not isinstance(number, bool) for number in (tier, rank))
    if own != mark or not whole or not isinstance(key, str) or not 0 <= tier < 4 or abs(rank) > 2**53:
        raise BadCursor
    return Place(tier, rank, key)
