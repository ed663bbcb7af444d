"""One remembered answer: how long it is good, how it came here, how it is shown. Values, no I/O."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from hub.cache.durable import Found, Lease
from hub.clock import Clock

T_co = TypeVar("T_co", covariant=True)
Tier = Literal["memory", "durable", "source"]

_JITTER = 0.1  # a tenth less at most, so that what was loaded together is not loaded again together
_FAILURES = 10_000


@dataclass(frozen=True, slots=True)
class Policy:
    """How long an answer is good, in seconds.

    `fresh_for`: from its arrival, needs no refreshing. `stale_for`: after that, served at once and refreshed
    beside. `down_for`: after freshness, served while the source is down. `negative_for`: "there is none".
    """

    fresh_for: float
    stale_for: float = 0.0
    down_for: float = 0.0
    negative_for: float = 5.0


@dataclass(frozen=True, slots=True)
class Remembered(Generic[T_co]):
    """An answer and where it comes from. `fetched_at`: when it left its source, epoch seconds UTC.

    `error`: why the source was not asked again, when this copy stands in for it.
    """

    value: T_co
    fetched_at: float
    stale: bool
    tier: Tier
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """One call of `Cache.get`."""

    key: str
    load: Callable[[], Awaitable[Any]]
    policy: Policy
    tags: tuple[str, ...]
    dump: Callable[[Any], bytes]
    parse: Callable[[bytes], Any]
    durable: bool


@dataclass(slots=True)
class Held:
    """An entry of memory. `fetched`, `fresh_until`, `until` are monotonic; `checked` is a `Tags.epoch`."""

    value: Any
    fetched_at: float
    fetched: float
    fresh_until: float
    until: float
    tags: tuple[str, ...]
    born: datetime | None
    checked: int
    shown: Remembered[Any] = field(init=False)

    def __post_init__(self) -> None:
        self.shown = self.remembered(stale=False)

    def fresh_by(self, policy: Policy) -> float:
        """Until when it is fresh under this policy, which may be stricter than that of who loaded it."""
        asked = self.fetched + policy.fresh_for
        return asked if asked < self.fresh_until else self.fresh_until

    def remembered(
        self, *, stale: bool, tier: Tier = "memory", error: Exception | None = None
    ) -> Remembered[Any]:
        """As it is shown to a caller."""
        return Remembered(self.value, self.fetched_at, stale, tier, error)


def held_from_load(
    ask: Ask, value: Any, clock: Clock, began: int, lease: Lease | None, chance: float
) -> Held:
    """An answer that has just arrived; `chance` (0 to 1) shortens its freshness by up to a tenth."""
    policy, now = ask.policy, clock.monotonic()
    fresh, beyond = policy.fresh_for, max(policy.stale_for, policy.down_for)
    if value is None:
        fresh, beyond = min(fresh, policy.negative_for), 0.0
    fresh *= 1 - _JITTER * chance
    return Held(
        value=value,
        fetched_at=clock.epoch(),
        fetched=now,
        fresh_until=now + fresh,
        until=now + fresh + beyond,
        tags=ask.tags,
        born=lease.born if lease else None,
        checked=began,
    )


def held_from_tier(ask: Ask, found: Found, clock: Clock, began: int) -> Held | None:
    """A copy of the second tier; None when it cannot be read (another version wrote it, or a stranger)."""
    raw = found.raw
    if raw is None:
        return None
    try:
        value = None if raw == b"null" else ask.parse(raw)
    except Exception:  # whatever a parser raises, an unreadable copy is no copy
        return None
    now = clock.monotonic()
    return Held(
        value=value,
        fetched_at=clock.epoch() - found.age,
        fetched=now - found.age,
        fresh_until=now + found.fresh_left,
        until=now + found.use_left,
        tags=found.tags,
        born=found.born,
        checked=began,
    )


@dataclass(slots=True)
class Counts:
    """What happened so far: answers by tier, stale ones, loads, failed loads, refreshes."""

    memory: int = 0
    durable: int = 0
    stale: int = 0
    loads: int = 0
    failures: int = 0
    refreshes: int = 0


class Failures:
    """Failed loads, each remembered for `back_off` seconds; the oldest go when there are too many."""

    def __init__(self, back_off: float) -> None:
        self._back_off = back_off
        self._noted: OrderedDict[str, tuple[Exception, float]] = OrderedDict()

    def get(self, key: str, now: float) -> Exception | None:
        """The failure that still counts, or None."""
        noted = self._noted.get(key)
        if noted is None:
            return None
        if now < noted[1]:
            return noted[0]
        del self._noted[key]
        return None

    def note(self, key: str, error: Exception, now: float) -> None:
        """Remember a failure, without the frames it came through: they would keep a request's data alive."""
        self._noted[key] = (error.with_traceback(None), now + self._back_off)
        self._noted.move_to_end(key)
        while len(self._noted) > _FAILURES or now >= next(iter(self._noted.values()))[1]:
            self._noted.popitem(last=False)

    def drop(self, key: str) -> None:
        """It works again."""
        self._noted.pop(key, None)
