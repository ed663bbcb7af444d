"""The cache: memory first, then the shared tier, then the source; one load for all who ask at once.

Rule 1: an entry is what its key says (audience included, see `keys`) and is never changed.
Rule 2: the second tier may be absent, slow, dead or restarted at any moment: reads go on without it.
Rule 3: who stops waiting stops only his own waiting, never the load that others share.
Rule 4: nothing grows without bound: entries, flights, waiters, background work, remembered failures.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson

from hub.cache.durable import Durable, Found, Lease
from hub.cache.entry import Ask, Counts, Failures, Held, Policy, Remembered, held_from_load, held_from_tier
from hub.cache.errors import CacheBusy, CacheClosed
from hub.cache.invalidation import Watcher
from hub.cache.memory import Memory
from hub.cache.tags import Tags
from hub.clock import Clock
from hub.mongo import StorageError

__all__ = ["Cache", "CacheBusy", "CacheClosed", "Limits", "Policy", "Remembered"]

T = TypeVar("T")

_POLL = (0.02, 0.05)  # seconds between looks while another process loads
_PATIENCE = 2.0  # seconds for a stroke to reach a majority, or for one entry's tags to be looked up
_TAGS = 64  # an entry's tags at most, each of 200 characters at most


@dataclass(frozen=True, slots=True)
class Limits:
    """How much at most: loads under way, callers waiting, refreshes and writes in the background."""

    flights: int = 2_000
    waiters: int = 20_000
    refreshes: int = 32
    writes: int = 64


class Cache:
    """Answers remembered by key. Build it anywhere, use it in one loop, close it there.

    `down_errors`: the classes of failure after which an old copy is better than none. Any failure of a load
    is remembered for `back_off` seconds and raised again at once, so that a dead source is left in peace.
    """

    def __init__(
        self,
        *,
        durable: Durable | None = None,
        down_errors: tuple[type[Exception], ...] = (),
        memory: Memory[Held] | None = None,
        clock: Clock | None = None,
        back_off: float = 2.0,
        limits: Limits | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.counts = Counts()
        self._durable = durable
        self._down_errors = down_errors
        self._memory: Memory[Held] = memory or Memory()
        self._clock = clock or Clock()
        self._limits = limits or Limits()
        self._jitter = jitter
        self._tags = Tags()
        self._watcher = Watcher(durable, self._tags) if durable else None
        self._failures = Failures(back_off)
        self._flights: dict[str, tuple[asyncio.Task[Remembered[Any] | Exception], int]] = {}
        self._airborne: set[asyncio.Task[Any]] = set()  # all flights, also those that nobody joins any more
        self._writes: set[asyncio.Task[Any]] = set()
        self._refreshing = 0
        self._waiting = 0
        self._closed = False

    async def get(
        self,
        key: str,
        load: Callable[[], Awaitable[T]],
        *,
        policy: Policy,
        tags: Sequence[str] = (),
        dump: Callable[[T], bytes] = orjson.dumps,
        parse: Callable[[bytes], T] = orjson.loads,
        durable: bool = True,
    ) -> Remembered[T]:
        """The value under `key`: from memory, from the second tier (if `durable`), or by `load`.

        `load` is shared by all who ask at the same time and outlives the caller; it bounds its own time.
        None is a negative answer, remembered for `policy.negative_for`. What it returns is treated as frozen
        from then on; `dump` makes JSON of it, `parse` the same value again. `tags`: see `invalidate`.
        Raises what `load` raised (when no copy will do), `CacheBusy`, `CacheClosed`.
        """
        now = self._clock.monotonic()
        held = self._held(key, now)
        if held is not None and now < held.fresh_by(policy):
            self.counts.memory += 1
            return held.shown
        ask = Ask(key, load, policy, _checked(tags), dump, parse, durable and self._durable is not None)
        error = self._failures.get(key, now)
        if held is not None and now < held.fresh_by(policy) + policy.stale_for:
            self.counts.stale += 1
            if error is None:
                self._refresh(ask)
            return held.remembered(stale=True, error=error)
        if error is not None:
            return self._instead(ask, error)
        return await self._join(ask)

    def peek(self, key: str) -> Remembered[Any] | None:
        """What memory holds, at once, asking no source; `stale` says whether it is past its time."""
        now = self._clock.monotonic()
        held = self._held(key, now)
        return held.remembered(stale=now >= held.fresh_until) if held is not None else None

    async def invalidate(self, *tags: str) -> None:
        """Strike these tags: everything loaded before and carrying one is dead, here at once, elsewhere soon.

        While no database answers, the stroke holds in this process and is published when one does. The tag
        "*" is carried by every entry.
        """
        for tag in _checked(tags):
            self._tags.strike(tag)
        if self._watcher is None or self._durable is None:
            return
        self._begin()
        with contextlib.suppress(StorageError):
            await self._durable.run(self._watcher.publish, _PATIENCE)

    async def aclose(self) -> None:
        """End all background work. The second tier's connection stays its owner's."""
        self._closed = True
        flights = list(self._airborne)
        for task in flights:
            task.cancel()
        await asyncio.gather(*flights, return_exceptions=True)
        await asyncio.gather(*self._writes, return_exceptions=True)  # short; leases are given back
        if self._watcher is not None:
            await self._watcher.aclose()
        if self._durable is not None:
            await self._durable.aclose()

    # -- tier one --------------------------------------------------------------------------------------

    def _held(self, key: str, now: float) -> Held | None:
        held = self._memory.get(key)
        if held is None:
            return None
        if now < held.until and self._alive(held):
            return held
        self._memory.drop(key)
        return None

    def _alive(self, held: Held) -> bool:
        if held.checked == self._tags.epoch:
            return True
        if self._tags.killed_since(held.tags, held.born, held.checked):
            return False
        held.checked = self._tags.epoch
        return True

    # -- flights ---------------------------------------------------------------------------------------

    async def _join(self, ask: Ask) -> Remembered[Any]:
        if self._waiting >= self._limits.waiters:
            raise CacheBusy("too many callers wait for sources")
        flight = self._under_way(ask) or self._depart(ask, content_with_stale=True)
        self._waiting += 1
        try:
            outcome = await asyncio.shield(flight)
        finally:
            self._waiting -= 1
        if isinstance(outcome, Exception):
            raise outcome.with_traceback(None)  # raised many times: its traceback would grow each time
        return outcome

    def _under_way(self, ask: Ask) -> asyncio.Task[Remembered[Any] | Exception] | None:
        """The load that others have begun, unless one of its tags was struck since: it may bring the old."""
        flight, epoch = self._flights.get(ask.key, (None, 0))
        if epoch != self._tags.epoch and self._tags.killed_since(ask.tags, None, epoch):
            return None
        return flight

    def _depart(self, ask: Ask, *, content_with_stale: bool) -> asyncio.Task[Remembered[Any] | Exception]:
        if self._closed:
            raise CacheClosed("the cache has been closed")
        if len(self._airborne) >= self._limits.flights:
            raise CacheBusy("too many sources are being asked")
        self._begin()
        flight = asyncio.get_running_loop().create_task(self._fly(ask, content_with_stale))
        self._flights[ask.key] = flight, self._tags.epoch
        self._airborne.add(flight)
        flight.add_done_callback(self._airborne.discard)
        return flight

    def _begin(self) -> None:
        if self._watcher is not None and not self._closed:
            self._watcher.start()

    async def _fly(self, ask: Ask, content_with_stale: bool) -> Remembered[Any] | Exception:
        try:
            return await self._obtain(ask, content_with_stale)
        except asyncio.CancelledError:
            return CacheClosed("the cache was closed while a source was being asked")
        except Exception as error:
            return error
        finally:
            self._land(ask.key)

    def _land(self, key: str) -> None:
        """Nobody joins the running flight from now on; a later one under the same key stays."""
        if self._flights.get(key, (None, 0))[0] is asyncio.current_task():
            del self._flights[key]

    def _refresh(self, ask: Ask) -> None:
        """Load again beside the callers, unless that happens already or enough of it does."""
        if ask.key in self._flights or self._refreshing >= self._limits.refreshes or self._closed:
            return
        if len(self._airborne) >= self._limits.flights:
            return
        self._refreshing += 1
        self.counts.refreshes += 1
        self._depart(ask, content_with_stale=False).add_done_callback(self._refreshed)

    def _refreshed(self, _: asyncio.Task[Any]) -> None:
        self._refreshing -= 1

    async def _obtain(self, ask: Ask, content_with_stale: bool) -> Remembered[Any]:
        held, _ = await self._look(ask)
        now = self._clock.monotonic()
        if held is not None:
            if now < held.fresh_by(ask.policy):
                self.counts.durable += 1
                return held.remembered(stale=False, tier="durable")
            if content_with_stale and now < held.fresh_by(ask.policy) + ask.policy.stale_for:
                self.counts.stale += 1
                self._land(ask.key)
                self._refresh(ask)
                return held.remembered(stale=True, tier="durable")
        lease = await self._lease(ask)
        if lease is not None and not lease.won:
            other = await self._wait_for_other(ask)
            if isinstance(other, Held):
                self.counts.durable += 1
                return other.remembered(stale=False, tier="durable")
            lease = other
        return await self._load(ask, lease)

    # -- tier two --------------------------------------------------------------------------------------

    async def _look(self, ask: Ask) -> tuple[Held | None, float]:
        """What both tiers hold now, and for how long somebody else still has the lease."""
        began = self._tags.epoch
        found = await self._durable.read(ask.key) if self._durable and ask.durable else None
        if found is not None and found.raw is not None and await self._lives(found):
            self._adopt(ask, found, began)
        held = self._held(ask.key, self._clock.monotonic())
        return held, found.lease_left if found else 0.0

    async def _lives(self, found: Found) -> bool:
        watcher = self._watcher
        assert watcher is not None
        assert self._durable is not None
        if not watcher.current.is_set():
            try:
                await self._durable.run(lambda: watcher.consult(found.tags), _PATIENCE)
            except StorageError:
                return False  # who cannot ask for the tags cannot know
        return found.born is not None and not self._tags.kills(found.tags, found.born)

    def _adopt(self, ask: Ask, found: Found, began: int) -> None:
        """Put a copy of the second tier into memory, unless memory has a younger one or it cannot be read."""
        held = held_from_tier(ask, found, self._clock, began)
        if held is None:
            return
        present = self._held(ask.key, self._clock.monotonic())
        if present is None or present.fetched < held.fetched:
            self._memory.put(ask.key, held, len(found.raw or b""))

    async def _lease(self, ask: Ask) -> Lease | None:
        if self._durable is None or not ask.durable or self._durable.skipped:
            return None
        return await self._durable.lease(ask.key)

    async def _wait_for_other(self, ask: Ask) -> Held | Lease | None:
        """Another process loads: its answer, or the lease when it gives up, or None when its time is over."""
        assert self._durable is not None
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._durable.lease_for
        now = self._clock.monotonic
        since = now()
        while loop.time() < deadline and not self._durable.skipped:
            await asyncio.sleep(_POLL[0] + (_POLL[1] - _POLL[0]) * self._jitter())
            held, lease_left = await self._look(ask)
            if held is not None and (held.fetched >= since or now() < held.fresh_by(ask.policy)):
                return held
            if lease_left <= 0:
                lease = await self._lease(ask)
                if lease is None or lease.won:
                    return lease
        return None

    # -- the source ------------------------------------------------------------------------------------

    async def _load(self, ask: Ask, lease: Lease | None) -> Remembered[Any]:
        began = self._tags.epoch
        self.counts.loads += 1
        try:
            value = await ask.load()
            raw = b"null" if value is None else ask.dump(value)
        except Exception as error:
            self.counts.failures += 1
            self._failures.note(ask.key, error, self._clock.monotonic())
            if lease is not None and self._durable is not None:
                await self._aside(self._durable.release(ask.key, lease))
            return self._instead(ask, error)
        self._failures.drop(ask.key)
        held = held_from_load(ask, value, self._clock, began, lease, self._jitter())
        if self._alive(held):
            self._memory.put(ask.key, held, len(raw))
        if lease is not None:
            await self._aside(self._keep(ask, held, raw, lease))
        return held.remembered(stale=False, tier="source")

    async def _keep(self, ask: Ask, held: Held, raw: bytes, lease: Lease) -> None:
        assert self._durable is not None
        await self._durable.store(
            ask.key,
            raw,
            lease,
            fresh_for=held.fresh_until - held.fetched,
            keep_for=held.until - held.fetched,
            tags=ask.tags,
        )

    def _instead(self, ask: Ask, error: Exception) -> Remembered[Any]:
        """A copy that will do while the source is down; else the error."""
        now = self._clock.monotonic()
        held = self._held(ask.key, now)
        if held is None or not isinstance(error, self._down_errors):
            raise error.with_traceback(None)
        if now >= held.fresh_by(ask.policy) + ask.policy.down_for:
            raise error.with_traceback(None)
        self.counts.stale += 1
        return held.remembered(stale=True, error=error)

    async def _aside(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it in the background; when there is too much of that, now."""
        if len(self._writes) >= self._limits.writes or self._closed:
            await work
            return
        task = asyncio.get_running_loop().create_task(work)
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)


def _checked(tags: Sequence[str]) -> tuple[str, ...]:
    if len(tags) > _TAGS or not all(_fits(tag) for tag in tags):
        raise ValueError(f"an entry has at most {_TAGS} tags of 1 to 200 printable characters")
    return tuple(tags)


def _fits(tag: str) -> bool:
    return 0 < len(tag) <= 200 and tag.isprintable()  # a lone surrogate could never be published
