"""Home-realm discovery: of many levels' providers, those a person may mean; plain functions, no I/O.

Rule 1: what was typed is compared, never interpreted; each level shows its first `SHOWN`.
Rule 2: a region shows its own providers, those below it, and those above it, which serve it too.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from auth.settings import UpstreamSettings
from auth.words import LEVELS

SHOWN = 20
FEW = 8
"""So many providers need no search."""
RegionName = Callable[[str, str], str]
"""Division code and language ("zh" | "en") to the division's name; the code itself where it has none."""


@dataclass(frozen=True, slots=True)
class Provider:
    """One line of the chooser."""

    code: str
    name: str
    region: str
    url: str


@dataclass(frozen=True, slots=True)
class Group:
    """A level's providers; `more` were left off."""

    level: str
    providers: tuple[Provider, ...]
    more: int


@dataclass(frozen=True, slots=True)
class Region:
    """A choice of the region list."""

    code: str
    name: str


class Directory:
    """The providers as people look for them. 1,200 schools are searched in well under a millisecond each."""

    def __init__(self, upstreams: Sequence[UpstreamSettings], region_name: RegionName) -> None:
        self._region_name = region_name
        self._all = {each.code: each for each in upstreams}
        self._texts = {each.code: _folded(_text(each)) for each in upstreams}
        self.searchable, self.several = len(upstreams) > FEW, len(upstreams) > 1

    def get(self, code: str) -> UpstreamSettings | None:
        """The provider with this code."""
        return self._all.get(code)

    def found(self, q: str, region: str) -> list[UpstreamSettings]:
        """Those whose name or school code holds each typed word, in or above or below the region."""
        words = _folded(q[:60]).split()
        return [
            each
            for code, each in self._all.items()
            if (not region or related(each.region, region))
            and all(word in self._texts[code] for word in words)
        ]

    def groups(
        self, found: Iterable[UpstreamSettings], lang: str, url: Callable[[str], str]
    ) -> tuple[Group, ...]:
        """By level, from the nation down."""
        by_level: dict[str, list[UpstreamSettings]] = {level: [] for level in LEVELS}
        for each in found:
            by_level.setdefault(each.level, []).append(each)
        return tuple(
            Group(
                level, tuple(self.line(each, lang, url) for each in those[:SHOWN]), max(0, len(those) - SHOWN)
            )
            for level, those in by_level.items()
            if those
        )

    def line(self, each: UpstreamSettings, lang: str, url: Callable[[str], str]) -> Provider:
        """One provider as it is shown."""
        name = each.name if lang == "zh" else each.name_en or each.name
        return Provider(each.code, name, self._region_name(each.region, lang), url(each.code))

    def regions(self, lang: str) -> tuple[Region, ...]:
        """The regions that providers speak for, by code, which is their order from the top."""
        codes = sorted({each.region for each in self._all.values() if each.region})
        return tuple(Region(code, self._region_name(code, lang)) for code in codes)


def related(one: str, other: str) -> bool:
    """Whether one region is the other, or within it: GB/T 2260, pairs of digits, zeros for the whole."""
    a, b = _significant(one), _significant(other)
    return a.startswith(b) or b.startswith(a)


def _significant(code: str) -> str:
    """The digits that count: "370000" is "37"; the nation's own (100000, 000000) none."""
    short = code[:6]
    if short in ("100000", "000000"):
        return ""
    while short.endswith("00"):
        short = short[:-2]
    return short


def _text(each: UpstreamSettings) -> str:
    return f"{each.name}\n{each.name_en}\n{each.school}"


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
