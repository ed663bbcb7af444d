"""From an entity to an anchor: asks level by level, within budgets; the shortest valid chain wins (§10.1).

Rule 1: breadth first. All superiors of one level are asked together, a few at a time; a paper is fetched
once in a resolution, so loops end by themselves and are told as such.
Rule 2: one budget covers a resolution: requests, bytes of each, levels, paths, seconds. Nothing resets it.
Rule 3: an identifier that a stranger gave is an address only to the guard of `fetch`, never to ourselves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from auth.fetch import Fetch, FetchFailed
from auth.trust.chains import Chain, validated
from auth.trust.errors import Distrusted
from auth.trust.identifiers import configuration_address, is_address, is_entity
from auth.trust.keys import Published, published
from auth.trust.statements import LARGEST, MOST_HINTS, Statement, statement

T = TypeVar("T")
MOST_PATHS = 16
_AT_ONCE = 4
_RESOLUTIONS = 16
_WAITING = 64
_REASONS_TOLD = 8


class Own(Protocol):
    """What we publish ourselves, so that we need not ask ourselves over the network."""

    @property
    def entity(self) -> str: ...

    async def configuration(self) -> str: ...

    async def statement(self, sub: str) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one resolution. `depth`: statements about subordinates in a chain; `lifetime`: seconds that a
    statement is believed at most; `within`: seconds for all, `each`: for one request."""

    depth: int = 6
    fetches: int = 30
    lifetime: float = 86_400.0
    within: float = 10.0
    each: float = 4.0


@dataclass(frozen=True, slots=True)
class _Path:
    """Part of a chain: `top` is the configuration that it has reached, `said` what lies below it."""

    top: Statement
    said: tuple[Statement, ...]

    def entities(self) -> set[str]:
        return {self.top.sub, *(each.sub for each in self.said)}


@dataclass(slots=True)
class _Search:
    """One resolution: what was fetched so far, what failed, what may still be spent."""

    anchors: Mapping[str, Published]
    now: float
    fetches: int
    gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))
    configurations: dict[str, Statement | Distrusted] = field(default_factory=dict)
    failures: list[Distrusted] = field(default_factory=list)


class Resolver:
    """Finds chains. `anchors`: identifier of each anchor = its JWK Set; ValueError for a broken one."""

    def __init__(
        self,
        fetch: Fetch,
        anchors: Mapping[str, Mapping[str, Any]],
        limits: Limits,
        clock: Callable[[], float],
        own: Own | None = None,
    ) -> None:
        self.anchors: dict[str, Published] = {
            anchor: published(dict(keys)) for anchor, keys in anchors.items()
        }
        if bad := [anchor for anchor in self.anchors if not is_entity(anchor)]:
            raise ValueError(f"trust.anchors: {bad[0]}")
        self._fetch, self._limits, self._clock, self._own = fetch, limits, clock, own
        self._running, self._waiting = asyncio.Semaphore(_RESOLUTIONS), 0

    async def chain(self, entity: str, anchor: str = "") -> Chain:
        """The shortest valid chain of `entity` to `anchor` ("": any of ours). Raises `Distrusted`, and
        `StoreDown` where our own subordinates must be asked for."""
        if not is_entity(entity):
            raise Distrusted("not-an-entity", entity, 0)
        if anchor not in self.anchors and (anchor or not self.anchors):
            raise Distrusted("no-anchor", anchor or "trust.anchors")
        wanted = {anchor: self.anchors[anchor]} if anchor else self.anchors
        if self._waiting >= _WAITING:
            raise Distrusted("busy", entity, 0)
        self._waiting += 1
        try:
            async with asyncio.timeout(self._limits.within), self._running:
                return await self._found(entity, _Search(wanted, self._clock(), self._limits.fetches))
        except TimeoutError:
            raise Distrusted("too-slow", entity, 0) from None
        finally:
            self._waiting -= 1

    async def _found(self, entity: str, search: _Search) -> Chain:
        leaf = await self._configuration(entity, 0, search)
        if isinstance(leaf, Distrusted):
            raise leaf
        if entity in search.anchors:
            return validated((leaf,), entity, search.anchors[entity])
        paths = [_Path(leaf, (leaf,))]
        for depth in range(1, self._limits.depth + 1):
            paths = await self._climbed(paths, depth, search)
            arrived = [path for path in paths if path.top.sub in search.anchors]
            if (chain := self._valid(arrived, search)) is not None:
                return chain
            paths = [path for path in paths if path.top.sub not in search.anchors][:MOST_PATHS]
            if not paths:
                raise _telling(search.failures, entity)
        search.failures.append(Distrusted("too-deep", entity, 0))
        raise _telling(search.failures, entity)

    def _valid(self, arrived: Iterable[_Path], search: _Search) -> Chain | None:
        for path in arrived:
            try:
                return validated((*path.said, path.top), path.top.sub, search.anchors[path.top.sub])
            except Distrusted as refused:
                search.failures.append(refused)
        return None

    async def _climbed(self, paths: Sequence[_Path], depth: int, search: _Search) -> list[_Path]:
        """All paths, one level longer; what leads nowhere is noted."""
        steps = [(path, hint) for path in paths for hint in _hints(path, depth - 1, search)]
        fresh = list(dict.fromkeys(hint for _, hint in steps if hint not in search.configurations))
        asked = await _together(self._configuration(hint, depth, search) for hint in fresh)
        search.configurations.update(zip(fresh, asked, strict=True))
        tops = {hint: search.configurations[hint] for _, hint in steps}
        pairs = list(dict.fromkeys((hint, path.top.sub) for path, hint in steps))
        words = await _together(self._about(tops[up], low, depth, search) for up, low in pairs)
        said = dict(zip(pairs, words, strict=True))
        longer: list[_Path] = []
        for path, hint in steps:
            top, word = tops[hint], said[hint, path.top.sub]
            if isinstance(top, Statement) and isinstance(word, Statement):
                longer.append(_Path(top, (*path.said, word)))
            else:
                search.failures.extend(each for each in (top, word) if isinstance(each, Distrusted))
        return longer

    async def _configuration(self, entity: str, depth: int, search: _Search) -> Statement | Distrusted:
        """What an entity says of itself, signed by itself at least."""
        try:
            if self._own is not None and entity == self._own.entity:
                token: str | bytes = await self._own.configuration()
            else:
                token = await self._asked(configuration_address(entity), None, entity, depth, search)
            found = await self._read(token, entity, entity, depth, search)
            found.verify(found.keys, entity, depth)
        except Distrusted as refused:
            return refused
        return found

    async def _about(
        self, superior: Statement | Distrusted, sub: str, depth: int, search: _Search
    ) -> Statement | Distrusted:
        """What a superior says of the entity below it."""
        if isinstance(superior, Distrusted):
            return superior
        try:
            return await self._vouched(superior, sub, depth, search)
        except Distrusted as refused:
            return refused

    async def _vouched(self, superior: Statement, sub: str, depth: int, search: _Search) -> Statement:
        if self._own is not None and superior.sub == self._own.entity:
            own = await self._own.statement(sub)
            if own is None:
                raise Distrusted("not-vouched", sub, depth - 1)
            return await self._read(own, superior.sub, sub, depth - 1, search)
        endpoint = superior.entity().get("federation_fetch_endpoint")
        if not is_address(endpoint):
            raise Distrusted("not-an-authority", superior.sub, depth)
        token = await self._asked(str(endpoint), {"sub": sub}, superior.sub, depth, search)
        return await self._read(token, superior.sub, sub, depth - 1, search)

    async def _asked(
        self, url: str, params: dict[str, str] | None, who: str, depth: int, search: _Search
    ) -> bytes:
        if search.fetches <= 0:
            raise Distrusted("too-many-fetches", who, depth)
        search.fetches -= 1
        try:
            async with search.gate:
                answer = await self._fetch(
                    "GET", url, params=params, headers={"Accept": "application/entity-statement+jwt"},
                    within=self._limits.each, max_bytes=LARGEST,
                )  # fmt: skip
        except FetchFailed as failed:
            raise _unanswered(failed, who, depth, params) from None
        return answer.body

    async def _read(self, token: str | bytes, iss: str, sub: str, depth: int, search: _Search) -> Statement:
        def read() -> Statement:
            return statement(token, iss, sub, now=search.now, lifetime=self._limits.lifetime, depth=depth)

        return await asyncio.to_thread(read) if len(token) > LARGEST // 4 else read()


def _hints(path: _Path, depth: int, search: _Search) -> list[str]:
    """Where a path may go on; a hint back into the path is a loop and is not followed (§10.1)."""
    hints = path.top.hints()
    if not hints:
        reason = "unknown-anchor" if depth else "no-authority-hints"
        search.failures.append(Distrusted(reason, path.top.sub, depth))
    passed = path.entities()
    for hint in hints[:MOST_HINTS]:
        if hint in passed:
            search.failures.append(Distrusted("loop", hint, depth + 1))
        elif not is_entity(hint):
            search.failures.append(Distrusted("not-an-entity", hint, depth + 1))
    return [hint for hint in hints[:MOST_HINTS] if hint not in passed and is_entity(hint)]


def _unanswered(failed: FetchFailed, who: str, depth: int, params: Mapping[str, str] | None) -> Distrusted:
    if failed.kind in ("malformed", "too-large") and (failed.status or 200) < 300:
        return Distrusted("too-large", who, depth)
    if params is not None and failed.status in (400, 404, 410):  # "not_found", §8.9
        return Distrusted("not-vouched", params["sub"], depth - 1)
    return Distrusted("unreachable", who, depth)


def _telling(failures: Sequence[Distrusted], entity: str) -> Distrusted:
    """The failure that says most: a spent budget, else the one nearest to an anchor; the others beside."""
    if not failures:
        return Distrusted("unknown-anchor", entity, 0)

    def weight(each: Distrusted) -> tuple[bool, bool, int]:
        return (each.reason == "too-many-fetches", each.reason != "unknown-anchor", each.depth or 0)

    best = max(failures, key=weight)
    others = dict.fromkeys(each.public for each in failures if each.public != best.public)
    return best.beside(tuple(others)[:_REASONS_TOLD])


async def _together(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """All results in order; the first exception ends the others."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in work]
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from None
    return [task.result() for task in tasks]
