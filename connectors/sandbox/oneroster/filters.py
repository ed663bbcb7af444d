"""The filter of a OneRoster request: `field predicate 'value' [AND|OR field predicate 'value' …]`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_TERM = re.compile(r"([A-Za-z][\w.]*)(!=|>=|<=|=|>|<|~)'([^']*)'")
_JOIN = re.compile(r" +(AND|OR) +")
_TESTS: dict[str, Callable[[str, str], bool]] = {
    "=": lambda held, asked: held == asked,
    "!=": lambda held, asked: held != asked,
    ">": lambda held, asked: held > asked,
    "<": lambda held, asked: held < asked,
    ">=": lambda held, asked: held >= asked,
    "<=": lambda held, asked: held <= asked,
    "~": lambda held, asked: asked in held,
}


class Unreadable(ValueError):
    """The filter does not follow the grammar."""


@dataclass(frozen=True, slots=True)
class Term:
    """One comparison."""

    field: str
    predicate: str
    value: str

    def holds(self, item: dict[str, Any]) -> bool:
        """Of a list, one element is enough; for != all must differ."""
        every = all if self.predicate == "!=" else any
        return every(_TESTS[self.predicate](held, self.value) for held in held_at(item, self.field))


@dataclass(frozen=True, slots=True)
class Filter:
    """Alternatives of terms that must all hold: AND binds tighter than OR."""

    alternatives: tuple[tuple[Term, ...], ...]

    def holds(self, item: dict[str, Any]) -> bool:
        """Whether the item is in the answer."""
        return any(all(term.holds(item) for term in terms) for terms in self.alternatives)

    @property
    def terms(self) -> list[Term]:
        """All terms."""
        return [term for terms in self.alternatives for term in terms]

    def equals(self, field: str) -> list[str] | None:
        """The values, if the filter says nothing but `field='a' OR field='b' …`."""
        plain = all(len(terms) == 1 for terms in self.alternatives)
        fits = plain and all(term.field == field and term.predicate == "=" for term in self.terms)
        return [term.value for term in self.terms] if fits else None


def parse(text: str) -> Filter:
    """The filter, or Unreadable."""
    alternatives: list[list[Term]] = [[]]
    place = 0
    while True:
        term = _TERM.match(text, place)
        if term is None:
            raise Unreadable(text)
        alternatives[-1].append(Term(*term.groups()))
        place = term.end()
        if place == len(text):
            return Filter(tuple(tuple(terms) for terms in alternatives))
        join = _JOIN.match(text, place)
        if join is None:
            raise Unreadable(text)
        if join[1] == "OR":
            alternatives.append([])
        place = join.end()


def held_at(value: Any, path: str) -> list[str]:
    """All texts at a dotted path, through lists."""
    found = [value]
    for step in path.split("."):
        below = [part.get(step) for part in found if isinstance(part, dict)]
        found = [leaf for part in below for leaf in (part if isinstance(part, list) else [part])]
    return [part for part in found if isinstance(part, str)]
