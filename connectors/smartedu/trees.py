"""Chapter trees: by textbook, by chapter, and whose a chapter is.

Rule 1: a tree is read when it is asked for, and asked for again only with its ETag.
Rule 2: a chapter whose textbook nobody named starts one sweep through all trees; what is read stays known,
and when a whole sweep has not met a chapter, it is unknown until the catalogue changes.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from connectors.errors import Malformed, Refused, SourceError
from connectors.flight import Flight
from connectors.smartedu import shapes
from connectors.smartedu.mirrors import Document, Mirrors, gone
from connectors.smartedu.options import SmartEduOptions
from connectors.smartedu.textbooks import Textbooks
from connectors.together import AT_ONCE, side_by_side, together

TREE = "/zxx/ndrv2/national_lesson/trees/{}.json"
KEPT = 512  # trees in memory
MOST_NODES = 20_000  # of one tree
MOST_CHAPTERS = 2_000_000  # whose textbook is remembered
DEEPEST = 32


@dataclass(frozen=True, slots=True)
class Node:
    """A chapter: where it stands. `order` counts its siblings from 1, `depth` from 0."""

    id: str
    title: str
    textbook: str
    parent: str
    path: str
    order: int
    depth: int


@dataclass(frozen=True, slots=True)
class Tree:
    """The chapters of one textbook in reading order; `at` when they were read or last found unchanged."""

    nodes: dict[str, Node]
    at: float
    etag: str
    checked: float


NOWHERE = Tree({}, 0.0, "", 0.0)
"""The tree of what is no textbook."""


def nodes(raw: Any, textbook: str) -> dict[str, Node]:
    """The chapters of a tree document, which is its root, a list holding it, or a list of chapters."""
    if not isinstance(raw, dict | list):
        raise Malformed("a chapter tree that is neither object nor list")
    found: dict[str, Node] = {}
    waiting = _tops(shapes.items(raw), textbook)
    while waiting:
        item, parent, above, order, depth = waiting.pop()
        key = shapes.ident(item.get("id"))
        if depth > DEEPEST or len(found) > MOST_NODES:
            raise Malformed("a chapter tree deeper or larger than any textbook")
        if not key or key in found:
            continue
        path = _path(item.get("node_path")) or f"{above}/{key}".strip("/")
        title = str(item.get("title") or "")[:500]
        found[key] = Node(key, title, textbook, parent, path, order, depth)
        below = shapes.items(item.get("child_nodes"))
        waiting += [(below[n], key, path, n + 1, depth + 1) for n in reversed(range(len(below)))]
    return found


def _path(told: Any) -> str:
    return told[:2000] if isinstance(told, str) else ""


def _tops(raw: list[dict[str, Any]], textbook: str) -> list[tuple[dict[str, Any], str, str, int, int]]:
    found: list[dict[str, Any]] = []
    for item in raw:
        root = item.get("id") in (textbook, item.get("tree_id"))
        found += shapes.items(item.get("child_nodes")) if root else [item]
    return [(found[n], "", "", n + 1, 0) for n in reversed(range(len(found)))]


@dataclass
class Trees:
    """Trees of the textbooks, read through mirrors, bounded in number."""

    mirrors: Mirrors
    textbooks: Textbooks
    options: SmartEduOptions
    flight: Flight
    _kept: OrderedDict[str, Tree] = field(default_factory=OrderedDict, init=False)
    _owner: dict[str, str] = field(default_factory=dict, init=False)
    _swept: str = field(default="", init=False)
    _read: set[str] = field(default_factory=set, init=False)
    _sweeping: str = field(default="", init=False)
    _progress: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    async def of(self, textbook: str) -> Tree:
        """The chapters of a textbook; none when it has no tree."""
        if not shapes.ident(textbook):
            return NOWHERE
        tree = self._kept.get(textbook)
        if tree is None or time.monotonic() - tree.checked > self.options.recheck:
            tree = await self.flight.join(f"tree {textbook}", lambda: self._fetch(textbook))
        if textbook in self._kept:
            self._kept.move_to_end(textbook)
        return tree

    async def many(self, textbooks: Iterable[str]) -> dict[str, Tree]:
        """The chapters of several textbooks."""
        wanted = list(dict.fromkeys(textbooks))
        return dict(zip(wanted, await together(partial(self.of, one) for one in wanted), strict=True))

    async def owners(self, chapters: Iterable[str]) -> dict[str, str]:
        """Textbook by chapter, for those of `chapters` that exist."""
        wanted = [key for key in dict.fromkeys(chapters) if shapes.ident(key)]
        if any(key not in self._owner for key in wanted):
            await self._search(wanted)
        return {key: self._owner[key] for key in wanted if key in self._owner}

    async def _search(self, wanted: list[str]) -> None:
        index = await self.textbooks.index()
        if self._swept == index.version:
            return
        sweep = self.flight.begin("sweep", lambda: self._sweep(index.version, list(index.books)))
        while not sweep.done() and any(key not in self._owner for key in wanted):
            progress = asyncio.create_task(self._progress.wait())
            try:
                await asyncio.wait({sweep, progress}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                progress.cancel()
        if sweep.done() and any(key not in self._owner for key in wanted):
            sweep.result()

    async def _sweep(self, version: str, textbooks: list[str]) -> None:
        if self._sweeping != version:
            self._sweeping, self._read = version, set()
        waiting = [key for key in textbooks if key not in self._read][: self.options.most_trees]
        waiting.reverse()
        odd: list[str] = []

        async def walk() -> None:
            while waiting:
                key = waiting.pop()
                try:
                    await self.of(key)
                except (Malformed, Refused):
                    odd.append(key)  # one bad tree hides no other; it is asked for again by the next search
                else:
                    self._read.add(key)
                self._progress.set()
                self._progress = asyncio.Event()

        async with side_by_side() as group:
            for _ in range(AT_ONCE):
                group.create_task(walk())
        if not odd:
            self._swept = version

    async def _fetch(self, textbook: str) -> Tree:
        old = self._kept.get(textbook)
        told = await self._current(textbook, old.etag if old else "")
        found = told.value if told.value is not None else old.nodes if old else {}
        if len(self._owner) + len(found) > MOST_CHAPTERS:
            raise Malformed(f"more than {MOST_CHAPTERS} chapters")
        self._owner |= dict.fromkeys(found, textbook)
        tree = self._kept[textbook] = Tree(found, told.at, told.etag, time.monotonic())
        self._kept.move_to_end(textbook)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return tree

    async def _current(self, textbook: str, etag: str) -> Document[dict[str, Node]]:
        at = self.mirrors.now()
        try:
            return await self.mirrors.read(
                TREE.format(textbook), lambda raw: nodes(raw, textbook), self.options.load_within, etag=etag
            )
        except SourceError as error:
            if gone(error):
                return Document({}, at)
            raise
