"""What travels between a source and the hub: a look-up one way, records with their provenance the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from schema.model.words import Kind


class Page(msgspec.Struct, frozen=True):
    """A window of a list: `limit` records after the first `offset`, in the source's own stable order."""

    offset: int = 0
    limit: int = 100


class Lookup(msgspec.Struct, frozen=True):
    """A question to one source: records of `kind` whose fields match all of `where`.

    `where` maps a field to the values of which one must hold; the field `key` asks by record key.
    `fields` are the values wanted: a source may send fewer, never others. `since`/`until` bound the kind's
    own time (start of an activity, moment of an event): ISO dates or date-times, until exclusive.
    Equal questions are equal and hash alike, since sets and pairs are sorted by `lookup`.
    """

    kind: Kind
    fields: tuple[str, ...]
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()
    text: str = ""
    since: str = ""
    until: str = ""
    page: Page | None = None

    def values(self, field: str) -> tuple[str, ...]:
        """The wanted values of one filter field; empty when it is not filtered by."""
        return next((values for name, values in self.where if name == field), ())

    @property
    def keys(self) -> tuple[str, ...]:
        """The record keys asked for."""
        return self.values("key")


def lookup(
    kind: Kind,
    fields: Iterable[str],
    where: Mapping[str, Iterable[str]] | None = None,
    *,
    text: str = "",
    since: str = "",
    until: str = "",
    page: Page | None = None,
) -> Lookup:
    """The canonical `Lookup`: fields and filters sorted, values of a filter distinct and sorted."""
    pairs = tuple(sorted((name, tuple(sorted(set(values)))) for name, values in (where or {}).items()))
    return Lookup(kind, tuple(sorted(set(fields))), pairs, text, since, until, page)


class Record(msgspec.Struct, frozen=True):
    """One thing as one source tells it.

    `key` is what other records refer to it by: the shared key of the kind (region code, school code), or
    `source:local id` where every source numbers for itself. `values` holds only declared fields of the kind,
    absent where the source does not tell. `fetched_at` in seconds since 1970, UTC; `updated_at` RFC 3339.
    """

    kind: Kind
    key: str
    source: str
    local_id: str
    values: dict[str, Any]
    fetched_at: float
    updated_at: str | None = None


class Answer(msgspec.Struct, frozen=True):
    """What a source says to one look-up: the `total` of matches if it can tell, `more` beyond this page."""

    records: tuple[Record, ...]
    total: int | None = None
    more: bool = False
    remarks: tuple[str, ...] = ()


class Batch(msgspec.Struct, frozen=True):
    """A piece of a harvest: `checkpoint` resumes right after it; `deleted` holds keys; `total` if known."""

    records: tuple[Record, ...]
    deleted: tuple[str, ...]
    checkpoint: str
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is: narrows which sources are asked. Empty strings: not known."""

    region_code: str = ""
    school_code: str = ""


NOWHERE = Place()
