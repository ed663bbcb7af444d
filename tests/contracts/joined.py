"""What a contract is about: a connector beside its twin, the questions it answers, and how it breaks."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from connectors.base import Connector
from schema.model import activity, organization, person, platform, region, report, resource
from schema.model.record import Answer, Lookup, lookup
from schema.model.words import Kind, Word, WordSpec

_ = (activity, organization, person, platform, region, report, resource)  # declares every word
SPECS: dict[Kind, WordSpec] = {word.spec.kind: word.spec for word in Word.declared.values() if word.spec.kind}
WITHIN = 10.0


@dataclass
class HandClock:
    """The wall clock, which can be put ahead: what `Tools.now` is in a contract's connector."""

    ahead: float = 0.0

    def __call__(self) -> float:
        """Seconds since 1970."""
        return time.time() + self.ahead


def asked_anew(question: Lookup, fields: Iterable[str] | None = None, **changed: Any) -> Lookup:
    """The same question with other fields, filters (`where`), text, bounds or page."""
    told: dict[str, Any] = {
        "where": dict(question.where), "text": question.text, "since": question.since,
        "until": question.until, "page": question.page, **changed,
    }  # fmt: skip
    return lookup(question.kind, question.fields if fields is None else fields, **told)


def keys(answer: Answer) -> list[str]:
    """The keys of an answer, in its order."""
    return [record.key for record in answer.records]


@dataclass
class Joined:
    """A connector with its twin, its `Tools.now` a `HandClock`.

    `break_with(mode)` breaks the twin; modes it cannot play are left out.
    `questions`: look-ups that have an answer at the twin, at least one for each kind offered.
    `calls`: how many requests the twin has seen, where it is a server.
    """

    connector: Connector
    questions: list[Lookup]
    break_with: Callable[[str], Awaitable[None]]
    modes: frozenset[str] = frozenset({"hang", "error", "garbage", "html", "drip", "busy", "dead"})
    calls: Callable[[], int] | None = None

    @property
    def clock(self) -> HandClock:
        """The connector's clock."""
        clock = self.connector.tools.now
        assert isinstance(clock, HandClock), "give the connector Tools(…, now=HandClock())"
        return clock

    def asked(self) -> int | None:
        """How many requests the twin has seen; None where nobody counts."""
        return self.calls() if self.calls else None

    async def ask(self, question: Lookup) -> Answer:
        """The connector's answer."""
        return await self.connector.look_up(question, WITHIN)


def fits(value: Any, wanted: Any) -> bool:
    """Whether a value is of the declared plain type, all the way down."""
    supertype = getattr(wanted, "__supertype__", None)
    if supertype is not None:
        return fits(value, supertype)
    if get_origin(wanted) is list:
        return isinstance(value, list) and all(fits(item, get_args(wanted)[0]) for item in value)
    if isinstance(wanted, type) and issubclass(wanted, Word):
        fields = wanted.spec.fields
        return isinstance(value, dict) and all(
            k in fields and fits(v, fields[k].type) for k, v in value.items()
        )
    if wanted is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if wanted is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if isinstance(wanted, type) and issubclass(wanted, str) and wanted is not str:
        return isinstance(value, str) and value in {member.value for member in wanted}  # type: ignore[attr-defined]
    return isinstance(value, wanted)
