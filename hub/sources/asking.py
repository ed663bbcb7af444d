"""Ask sources, for one request: within its deadline, through the cache, questions of one tick together.

Whatever happens, the caller gets a `Heard`; a source that gives nothing usable is a `Silence` in it, never
an exception, so that one dead source can neither fail nor silently shorten what the others say.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
from aiodataloader import DataLoader

from connectors.base import Connector
from connectors.errors import Malformed, Overloaded, SourceError, TimedOut, Unavailable
from hub.cache import keys
from hub.cache.tiered import Cache, CacheBusy, CacheClosed, Policy
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


class Asking:
    """Asks on behalf of one request. `audience`: whom private answers may be remembered for."""

    def __init__(self, joined: Mapping[str, Joined], cache: Cache, budget: Budget, audience: str) -> None:
        self._joined = joined
        self._cache = cache
        self._budget = budget
        self._audience = audience
        self._loaders: dict[tuple[object, ...], DataLoader[tuple[str, ...], Answer]] = {}

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
        loader = self._loader(source, asked, kind, by, fields, tuple(sorted(also)))

        async def load() -> Answer:
            return await loader.load((value, *(also[name] for name in sorted(also))))

        return await self._remembered(source, spec, single, load)

    async def _remembered(
        self, source: Joined, spec: WordSpec, question: Lookup, load: Callable[[], Awaitable[Answer]]
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
        within = self._budget.within(source.deadline)
        try:
            async with asyncio.timeout(within + GRACE):
                kept = await self._cache.get(
                    name, load, policy=source.policy, tags=tags, dump=_encode, parse=_decode, durable=public
                )
        except TimeoutError:
            return Heard(
                silence=_silence(source, TimedOut(f"没有在 {within:.1f} 秒内回答 / no answer in time"))
            )
        except SourceError as error:
            return Heard(silence=_silence(source, error))
        except (CacheBusy, CacheClosed):
            return Heard(
                silence=_silence(source, Overloaded("本中心繁忙 / this hub has too many questions waiting"))
            )
        answer = kept.value
        told = tuple(
            Told(_aged(record, kept.fetched_at), source.face.level, kept.stale) for record in answer.records
        )
        silence = _silence(source, kept.error) if isinstance(kept.error, SourceError) else None
        return Heard(told, answer.total, answer.more, silence, kept.stale)

    def _loader(
        self, source: Joined, asked: Asked, kind: Kind, by: str, fields: frozenset[str], also: tuple[str, ...]
    ) -> DataLoader[tuple[str, ...], Answer]:
        """The loader that gathers this tick's values of one filter for one source."""
        name = (source.face.code, kind, by, fields, also)
        if name not in self._loaders:

            async def together(wanted: list[tuple[str, ...]]) -> list[Answer | SourceError]:
                where = {by: [values[0] for values in wanted]}
                where |= {extra: [values[place + 1] for values in wanted] for place, extra in enumerate(also)}
                try:
                    answer = await self._asked_in_parts(source, asked, lookup(kind, fields, where))
                except SourceError as error:
                    return [error] * len(wanted)
                return _split(answer, by, [values[0] for values in wanted])

            self._loaders[name] = DataLoader(together, cache=False)  # type: ignore[arg-type]
        return self._loaders[name]

    async def _asked_in_parts(self, source: Joined, asked: Asked, question: Lookup) -> Answer:
        """One look-up, or several side by side where it has more values than the source takes at once."""
        questions = _parts(question, asked.offer.batch)
        answers = await asyncio.gather(*(self._asked(source, part) for part in questions))
        if len(answers) == 1:
            return answers[0]
        records = {record.key: record for answer in answers for record in answer.records}
        return Answer(tuple(records.values()), None, any(answer.more for answer in answers))

    async def _asked(self, source: Joined, question: Lookup) -> Answer:
        """One look-up at the connector, watched by the source's breaker."""
        health = source.health
        if not health.admit():
            raise _resting(health)
        began = health.monotonic()
        try:
            answer = await source.connector.look_up(question, self._budget.within(source.deadline))
        except SourceError as error:
            health.broke(error)
            raise
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
    detail = f"连续失败，暂停询问：{last.detail if last else ''} / resting after repeated failures"
    return (type(last) if isinstance(last, Unavailable | Malformed) else Unavailable)(detail)


def _silence(source: Joined, error: SourceError) -> Silence:
    return Silence(source.face.code, source.face.level, error.code, error.detail)


def _aged(record: Record, fetched_at: float) -> Record:
    """The record with the time it was really fetched at, which the cache knows best."""
    return (
        record if record.fetched_at <= fetched_at else msgspec.structs.replace(record, fetched_at=fetched_at)
    )


def _parts(question: Lookup, batch: int) -> list[Lookup]:
    """The question cut so that no filter has more than `batch` values; only its longest filter is cut."""
    if not question.where:
        return [question]
    name, values = max(question.where, key=lambda pair: len(pair[1]))
    if len(values) <= batch:
        return [question]
    others = {other: held for other, held in question.where if other != name}
    return [
        msgspec.structs.replace(
            question, where=tuple(sorted({**others, name: values[start : start + batch]}.items()))
        )
        for start in range(0, len(values), batch)
    ]


def _split(answer: Answer, by: str, wanted: Sequence[str]) -> list[Answer | SourceError]:
    """One answer for each wanted value: the records that hold it."""
    shares: dict[str, list[Record]] = {value: [] for value in wanted}
    for record in answer.records:
        held = record.key if by == "key" else record.values.get(by)
        for value in held if isinstance(held, list) else (held,):
            if value in shares:
                shares[value].append(record)
    return [Answer(tuple(shares[value]), None, answer.more) for value in wanted]
