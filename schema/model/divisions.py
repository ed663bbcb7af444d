"""The region tree: GB/T 2260 codes, hub-local zones, withdrawn codes with their successors.

Two hierarchies: a functional zone reports beside the counties (`parent`), and lies inside one of them
(`carved_from`). Scope and lists follow reporting; the two are never summed together.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

from schema.model.codes import Level


class Divisions:
    """All regions by code; values use the field names of `schema.model.region.Region`."""

    def __init__(
        self, rows: Iterable[Mapping[str, Any]], reporting: Iterable[Mapping[str, Any]] = ()
    ) -> None:
        order = {row["code"]: row["order"] for row in reporting if not row.get("total")}
        self._regions = {row["code"]: _values(row, order.get(row["code"])) for row in rows}
        for values in list(self._regions.values()):
            self._begin_successor(values)
        self._children: dict[str, list[str]] = {}
        self._carried: dict[str, list[str]] = {}
        for code in self._regions:
            if (today := self.current(code)) != code:
                self._carried.setdefault(today, []).append(code)
        for code, values in self._regions.items():
            self._children.setdefault(values.get("parent_code", ""), []).append(code)

    def _begin_successor(self, values: Mapping[str, Any]) -> None:
        # The table tells when a code ended, seldom when one began: whose predecessor ended then began then.
        # Of several predecessors the first counts; every change in the table made its successor anew.
        after, ended = self._regions.get(values.get("successor_code", "")), values.get("valid_to")
        if after is not None and ended:
            after["valid_from"] = min(ended, after.get("valid_from", ended))

    def get(self, code: str, at: str = "") -> dict[str, Any] | None:
        """The region's values; with `at` (ISO date) only if the code was in force on that day."""
        values = self._regions.get(code)
        if values is None or not at:
            return values
        if values.get("valid_to", "9999") <= at or values.get("valid_from", "") > at:
            return None
        return values

    def current(self, code: str) -> str:
        """The code in force today: the last successor of a withdrawn one, else the code itself."""
        seen = set()
        while code not in seen and (after := self._regions.get(code, {}).get("successor_code")):
            seen.add(code)
            code = after
        return code

    def within(self, code: str, scope: str) -> bool:
        """Whether region `code` lies in `scope` by reporting, or is it; unknown codes lie nowhere.

        A withdrawn code lies where it lay and where its successor lies: sources go on writing it for years.
        """
        today = self.current(scope)
        return any(
            one in (scope, today) or scope in above or today in above
            for one in {code, self.current(code)}
            for above in (self.ancestors(one),)
        )

    def overlap(self, one: str, other: str) -> bool:
        """Whether one of two regions lies in the other."""
        return self.within(one, other) or self.within(other, one)

    def ancestors(self, code: str) -> list[str]:
        """Codes above, nearest first, up to the nation."""
        path: list[str] = []
        while (above := self._regions.get(code, {}).get("parent_code")) and above not in path:
            path.append(above)
            code = above
        return path

    def at_level(self, code: str, level: Level) -> str | None:
        """The region itself or the one above it that is of `level`."""
        for candidate in (code, *self.ancestors(code)):
            if self._regions.get(candidate, {}).get("level") == level:
                return candidate
        return None

    def children(self, code: str, *, zones: bool = True, withdrawn: bool = False) -> list[str]:
        """Codes directly below: those that report first in the report's order, then by code."""
        below = [
            child
            for child in self._children.get(code, ())
            if (zones or self._regions[child]["official"])
            and (withdrawn or "valid_to" not in self._regions[child])
        ]
        return sorted(below, key=lambda child: (self._regions[child].get("reporting_order", 99), child))

    def under(self, code: str) -> list[str]:
        """The code and every code in force below it."""
        found = [code]
        for known in found:
            found.extend(self.children(known))
        return found

    def written(self, code: str) -> list[str]:
        """The codes that records of a region and all below may carry: those in force, and those before them.

        A withdrawn code means what took its place.
        """
        inside = self.under(self.current(code))
        return inside + [old for one in inside for old in self._carried.get(one, ())]

    def __contains__(self, code: object) -> bool:
        return code in self._regions

    def __iter__(self) -> Iterator[str]:
        return iter(self._regions)


def _values(row: Mapping[str, Any], order: int | None) -> dict[str, Any]:
    values = {
        "code": row["code"],
        "gb_code": row.get("gbCode"),
        "official": bool(row.get("official")),
        "name": row["name"],
        "short_name": row.get("shortName"),
        "name_en": row.get("nameEn"),
        "level": row["level"],
        "parent_code": row.get("parent"),
        "carved_from_codes": row.get("carvedFrom"),
        "reporting_order": order,
        "valid_from": _day(row.get("validFrom")),
        "valid_to": _day(row.get("validTo")),
        "successor_code": row.get("successor"),
    }
    return {name: value for name, value in values.items() if value is not None}


def _day(text: str | None) -> str | None:
    """A year or month as its first day: `2019` -> `2019-01-01`."""
    return None if text is None else (text + "-01-01" if len(text) == 4 else (text + "-01")[:10])


@lru_cache(maxsize=1)
def shipped() -> Divisions:
    """The tree that comes with the hub: three packages agree on it (see `_meta` in the data file)."""
    data = json.loads(files("schema.data").joinpath("divisions.json").read_text("utf-8"))
    return Divisions(data["divisions"], data["monthlyReportRows"])
