"""Ask sources, for one request: within its deadline, through the cache, questions of one tick together.

Whatever happens, the caller gets a `Heard`; a source that gives nothing usable is a `Silence` in it, never
an exception, so that one dead source can neither fail nor silently shorten what the others say.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec
from aiodataloader import DataLoader

from connectors.base import Connector
from connectors.errors import Malformed, Overloaded, SourceError, TimedOut, Unanswerable, Unavailable
from hub.cache import keys
from hub.cache.tiered import Cache, CacheBusy, CacheClosed, Policy, Remembered
from hub.sources.batching import Gathering, Wanted, groups, joined, parts, split
from hub.sources.health import Health
from hub.sources.merging import Told
from hub.sources.routing import Asked
from schema.graph.context import Face, Silence
from schema.model.policy import open_to_all
from schema.model.record import Answer, Lookup, Record, lookup
from schema.model.words import Kind, WordSpec

VERSION = "1"
GRACE = 0.1
"""Seconds beyond a question's time in which the cache may still find an older copy instead."""
SIDE_BY_SIDE = 8
"""Most look-ups that one question is cut into and that go to one source at the same time."""

_log = logging.getLogger(__name__)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Answer).decode


@dataclass(slots=True)
class Joined:
    """A source that is joined: how it is named, asked, watched and remembered; `deadline` in seconds."""

    face: Face
    school_code: str
    connector: Connector
    health: Health
    policy: Policy
    deadline: float


@dataclass(frozen=True, slots=True)
class Heard:
    """What came back from one source for one question."""

    told: tuple[Told, ...] = ()
    total: int | None = None
    more: bool = False
    silence: Silence | None = None
    stale: bool = False


@dataclass(slots=True)
class Budget:
    """The time one request has; `within` never promises more than is left."""

    seconds: float
    monotonic: Callable[[], float] = time.monotonic
    ends: float = field(init=False)

    def __post_init__(self) -> None:
        self.ends = self.monotonic() + self.seconds

    def within(self, deadline: float) -> float:
        """Seconds a question may take: the source's deadline or what the request has left."""
        return max(min(deadline, self.ends - self.monotonic()), 0.0)

    def wait(self, deadline: float) -> float:
        """Seconds to wait for an answer, with the one `GRACE` that the request as a whole has."""
        return max(min(deadline, self.ends - self.monotonic()) + GRACE, 0.0)


class Asking:
    """Asks on behalf of one request. `audience`: whom private answers may be remembered for.

    A look-up has the source's own deadline, since others may share it; waiting for it ends with the request.
    """

    def __init__(self, joined: Mapping[str, Joined], cache: Cache, budget: Budget, audience: str) -> None:
        self._joined = joined
        self._cache = cache
        self._budget = budget
        self._audience = audience
        self._loaders: dict[tuple[object, ...], tuple[DataLoader[Wanted, Answer], Gathering]] = {}

    async def whole(self, asked: Asked, spec: WordSpec, question: Lookup) -> Heard:
        """Ask one whole question."""
        source = self._joined[asked.source]

        async def load() -> Answer:
            return await self._asked_in_parts(source, asked, question)

        return await self._remembered(source, spec, question, load)

    async def one(
        self,
        asked: Asked,
        spec: WordSpec,
        by: str,
        value: str,
        fields: frozenset[str],
        also: Mapping[str, str],
    ) -> Heard:
        """Ask for the records of one value of `by`; others of this tick go along in the same look-up.

        `also` holds one value for each further filter that must hold together with it (the school of a key).
        """
        source = self._joined[asked.source]
        kind = spec.kind
        assert kind is not None
        single = lookup(kind, fields, {by: [value], **{name: [extra] for name, extra in also.items()}})
        names = tuple(sorted(also))
        loader, gathering = self._loader(source, asked, kind, by, fields, names)
        seat = gathering.enter()

        async def load() -> Answer | None:
            await gathering.ready(seat)
            answer = await loader.load((value, *(also[name] for name in names)))
            # Nothing under a key is remembered for a short time only: it may be made any moment.
            return answer if answer.records or by != "key" else None

        try:
            return await self._remembered(source, spec, single, load)
        finally:
            gathering.leave(seat)

    async def _remembered(
        self, source: Joined, spec: WordSpec, question: Lookup, load: Callable[[], Awaitable[Answer | None]]
    ) -> Heard:
        """Through the cache: fresh, or asked now, or remembered because the source is silent."""
        public = open_to_all(spec, frozenset(question.fields))
        page = question.page
        name = keys.key(
            version=VERSION, source=source.face.code, kind=question.kind, where=question.where,
            fields=question.fields, page=(page.offset, page.limit) if page else None,
            text="\0".join((question.text, question.since, question.until)),
            audience=keys.PUBLIC if public else self._audience,
        )  # fmt: skip
        tags = (f"source:{source.face.code}", f"kind:{source.face.code}:{question.kind}")
        if not self._budget.within(source.deadline):
            return self._late(source, name, "本次查询的时间已用完 / this query's time was up")
        try:
            async with asyncio.timeout(self._budget.wait(source.deadline)):
                kept = await self._cache.get(
                    name, load, policy=source.policy, tags=tags, dump=_encode, parse=_decode, durable=public
                )
        except TimeoutError:
            return self._late(source, name, "没有在时限内回答 / no answer in time")
        except SourceError as error:
            return Heard(silence=_silence(source, error))
        except (CacheBusy, CacheClosed):
            return Heard(
                silence=_silence(source, Overloaded("本中心繁忙 / this hub has too many questions waiting"))
            )
        except Exception as error:
            # What cannot be handled silences its source, not the query. The error's text may be private.
            _log.warning("%s: %s", source.face.code, type(error).__name__)
            return Heard(silence=_silence(source, Malformed(f"无法处理的应答 / {type(error).__name__}")))
        return _heard(source, kept)

    def _late(self, source: Joined, name: str, reason: str) -> Heard:
        """Nobody waits any longer: a copy in memory will do, or the source is silent."""
        kept: Remembered[Answer | None] | None = self._cache.peek(name)
        error = TimedOut(reason)
        if kept is None:
            return Heard(silence=_silence(source, error))
        return _heard(source, replace(kept, error=error) if kept.stale else kept)

    def _loader(
        self, source: Joined, asked: Asked, kind: Kind, by: str, fields: frozenset[str], also: tuple[str, ...]
    ) -> tuple[DataLoader[Wanted, Answer], Gathering]:
        """The loader that gathers this tick's values of one filter for one source."""
        name = (source.face.code, kind, by, fields, also)
        if name not in self._loaders:
            room = asyncio.Semaphore(SIDE_BY_SIDE)

            async def group(wanted: Sequence[Wanted]) -> dict[Wanted, Answer | SourceError]:
                where = {by: [one[0] for one in wanted]}
                where |= {extra: [one[place + 1] for one in wanted] for place, extra in enumerate(also)}
                try:
                    async with room:
                        answer = await self._asked(source, lookup(kind, fields, where))
                except SourceError as error:
                    return dict.fromkeys(wanted, error)
                return {**split(answer, by, also, wanted)}

            async def together(wanted: list[Wanted]) -> list[Answer | SourceError]:
                cut = groups(wanted, by, also, fields, asked.offer.batch)
                answers: dict[Wanted, Answer | SourceError] = {}
                for said in await asyncio.gather(*map(group, cut)):
                    answers |= said
                return [answers[one] for one in wanted]

            self._loaders[name] = DataLoader(together, cache=False), Gathering()  # type: ignore[arg-type]
        return self._loaders[name]

    async def _asked_in_parts(self, source: Joined, asked: Asked, question: Lookup) -> Answer:
        """One look-up, or several side by side where it has more values than the source takes at once."""
        room = asyncio.Semaphore(SIDE_BY_SIDE)

        async def ask(part: Lookup) -> Answer:
            async with room:
                return await self._asked(source, part)

        answers = await asyncio.gather(*map(ask, parts(question, asked.offer.batch)))
        return joined(answers, question.page)

    async def _asked(self, source: Joined, question: Lookup) -> Answer:
        """One look-up at the connector, watched by the source's breaker."""
        health = source.health
        if not health.admit():
            raise _resting(health)
        began = health.monotonic()
        try:
            # The second bound is for a tongue that does not keep to its deadline.
            async with asyncio.timeout(source.deadline + GRACE / 2):
                answer = await source.connector.look_up(question, source.deadline)
        except Unanswerable:
            health.abandoned()
            raise
        except SourceError as error:
            health.broke(error)
            raise
        except TimeoutError as error:
            health.broke(late := TimedOut(f"没有在 {source.deadline:g} 秒内回答 / no answer in time"))
            raise late from error
        except Exception as error:
            # A tongue that stumbles over a source's answer must not take the whole query with it.
            health.broke(broken := Malformed(f"{type(error).__name__} in the {source.face.protocol} tongue"))
            raise broken from error
        except BaseException:
            health.abandoned()
            raise
        health.succeeded(health.monotonic() - began)
        return answer


def _resting(health: Health) -> SourceError:
    last = health.last_reason
    error = (type(last) if last else Unavailable)(f"resting after: {last.detail if last else ''}")
    error.public = f"连续失败，暂停询问：{error.public} (resting after repeated failures)"
    return error


def _silence(source: Joined, error: SourceError) -> Silence:
    _log.info("%s is silent: %s: %s", source.face.code, error.code, error.detail)
    return Silence(source.face.code, source.face.level, error.code, error.public)


def _heard(source: Joined, kept: Remembered[Answer | None]) -> Heard:
    answer = kept.value or Answer(())
    told = tuple(
        Told(_aged(record, kept.fetched_at), source.face.level, kept.stale) for record in answer.records
    )
    silence = _silence(source, kept.error) if isinstance(kept.error, SourceError) else None
    return Heard(told, answer.total, answer.more, silence, kept.stale)


def _aged(record: Record, fetched_at: float) -> Record:
    """The record with the time it was really fetched at, which the cache knows best."""
    return (
        record if record.fetched_at <= fetched_at else msgspec.structs.replace(record, fetched_at=fetched_at)
    )
