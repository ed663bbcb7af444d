"""What REST and bundle have in common: collections of items in the shape of the 1.2 REST binding.

Rule 1: an item that is `tobedeleted`, has no sourcedId or does not match what was asked leaves no trace
above; a server that ignores a filter must not widen an answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote

Item = dict[str, Any]
KINDS_OF_REMARK = 20
LINE = 7_400  # characters of a filter: the whole line stays below the 8 KB that common servers take


@dataclass
class Remarks:
    """Oddities met on the way, each told once with its number; no personal data, bounded."""

    seen: Counter[str] = field(default_factory=Counter)

    def add(self, text: str, number: int = 1) -> None:
        """Note an oddity; further kinds beyond the bound are dropped."""
        if text in self.seen or len(self.seen) < KINDS_OF_REMARK:
            self.seen[text] += number

    def told(self) -> tuple[str, ...]:
        """One line for each kind."""
        return tuple(f"{text}（×{number}）" if number > 1 else text for text, number in self.seen.items())


@dataclass(frozen=True, slots=True)
class Ask:
    """Items of `collection` whose `path` holds one of `values` (all items without a path).

    `wanted`: names of the attributes that are needed, beyond sourcedId, status and dateLastModified.
    """

    collection: str
    wanted: frozenset[str]
    path: str = ""
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """The items that match; `more` tells of others beyond the bound."""

    items: list[Item]
    more: bool = False


class Roster(Protocol):
    """Where items come from."""

    user_school: str
    """Path of a user's school, for filters."""

    async def select(self, ask: Ask, until: float, remarks: Remarks) -> Found:
        """The active items asked for, each once; `until` is the loop's time by which it must be told."""

    async def probe(self, until: float) -> None:
        """The cheapest proof of life."""

    async def aclose(self) -> None:
        """Give back what is held."""


def reach(value: Any, path: str) -> set[str]:
    """All texts at a dotted path, through lists."""
    for step in path.split("."):
        value = _step(value, step)
    return {text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)}


def _step(value: Any, step: str) -> Any:
    if isinstance(value, list):
        below = [_step(part, step) for part in value]
        return [leaf for part in below for leaf in (part if isinstance(part, list) else [part])]
    return value.get(step) if isinstance(value, dict) else None


def sifted(items: Iterable[Any], ask: Ask, remarks: Remarks) -> list[Item]:
    """Those active items that match, each once, by sourcedId."""
    kept: dict[str, Item] = {}
    strangers = nameless = 0
    wanted = frozenset(ask.values)
    for item in items:
        own = item.get("sourcedId") if isinstance(item, dict) else None
        if not isinstance(own, str) or not own:
            nameless += 1
        elif item.get("status") == "tobedeleted":
            continue
        elif ask.path and not reach(item, ask.path) & wanted:
            strangers += 1
        else:
            kept[own] = item
    if nameless:
        remarks.add(f"{ask.collection}：缺少 sourcedId / without sourcedId", nameless)
    if strangers:
        remarks.add(f"{ask.collection}：来源未按条件筛选 / the source ignored the filter", strangers)
    return [kept[own] for own in sorted(kept)]


def batches(ask: Ask, size: int, longest: int = LINE) -> list[tuple[str, ...]]:
    """The values of an ask in the fewest groups of at most `size`, whose filter fits into a request line."""
    groups: list[tuple[str, ...]] = []
    group: list[str] = []
    length = 0
    for value in ask.values:
        room = len(quote(f" OR {ask.path}='{value}'", safe=""))
        if group and (len(group) == size or length + room > longest):
            groups.append(tuple(group))
            group, length = [], 0
        group.append(value)
        length += room
    return [*groups, tuple(group)] if group else groups


def ref(item: Mapping[str, Any], name: str) -> str:
    """The sourcedId of a reference, "" if there is none."""
    value = item.get(name)
    own = value.get("sourcedId") if isinstance(value, dict) else None
    return own if isinstance(own, str) else ""


def refs(item: Mapping[str, Any], name: str) -> list[str]:
    """The sourcedIds of a list of references."""
    value = item.get(name)
    return [own for part in value if (own := ref({"": part}, ""))] if isinstance(value, list) else []
