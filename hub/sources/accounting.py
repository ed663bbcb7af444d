"""The account of a look-up: who was asked, who is silent and why, how many there are.

Rule 1: whoever might have had something to say and did not is in the account.
Rule 2: this file does no I/O. It cannot be async.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hub.sources.asking import Heard
from hub.sources.paging import Mark
from hub.sources.routing import Asked, Question, Route
from schema.graph.context import HUB, NO_SOURCE, Account, Silence
from schema.model.codes import Level


def account_of(path: Route, heard: Sequence[Heard]) -> Account:
    """Who of the route was asked, who answered, who is silent although they might have something to say."""
    pairs = list(zip(path.asked, heard, strict=True))
    unasked = tuple(Silence(one.source, one.level, one.code, one.why) for one in path.passed if one.code)
    return Account(
        tuple(one.source for one, _ in pairs),
        tuple(one.source for one, said in pairs if said.silence is None),
        tuple(replace(said.silence, remembered=said.stale) for _, said in pairs if said.silence) + unasked,
        tuple(one.source for one, said in pairs if said.stale),
    )


def nobody(question: Question) -> Silence:
    """That nobody speaks for what is asked; of the level asked for, or of the nation."""
    level = question.levels[0] if question.levels else Level.NATIONAL
    kind, zh = question.kind.value, question.spec.zh
    reason = f"没有已接入的来源可以告知此处的{zh} / no joined source tells {kind} here"
    return Silence(HUB, level, NO_SOURCE, reason)


def total_of(pairs: Sequence[tuple[Asked, Heard]], mark: Mark) -> int | None:
    """The sum of what the sources count, if each can tell or told everything."""
    total = 0
    for one, said in pairs:
        start = mark.at.get(one.source, 0) if one.offer.pages else 0
        if said.total is not None:
            total += said.total
        elif said.more or (start and not said.told):
            return None
        else:
            total += start + len(said.told)
    return total
