"""What every tongue promises, examined over a real socket or file against its twin; a new one inherits this.

A subclass gives one fixture, `joined`; the sentences below then hold for it or fail.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, get_args, get_origin

import orjson
import pytest

from connectors.base import Connector
from connectors.errors import Malformed, SourceError, TimedOut, Unanswerable, Unavailable
from schema.model import activity, organization, person, platform, region, report, resource
from schema.model.record import Answer, Batch, Lookup, Page, Record, lookup
from schema.model.words import Kind, Word, WordSpec

_ = (activity, organization, person, platform, region, report, resource)  # declares every word
SPECS: dict[Kind, WordSpec] = {word.spec.kind: word.spec for word in Word.declared.values() if word.spec.kind}
WITHIN = 10.0
# With a date of birth inside: the ids that 体系枢纽 gives to persons have eighteen digits, too.
PLAIN_NUMBER = re.compile(
    rb"(?<!\d)[GJL]?\d{6}(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])\d{3}[\dX](?!\d)"
)


@dataclass
class Joined:
    """A connector with its twin. `break_with(mode)` breaks the twin; modes it cannot play are left out.

    `questions`: look-ups that have an answer at the twin, at least one for each kind offered.
    `calls`: how many requests the twin has seen, where it is a server.
    """

    connector: Connector
    questions: list[Lookup]
    break_with: Callable[[str], Awaitable[None]]
    modes: frozenset[str] = frozenset({"hang", "error", "garbage", "html", "drip", "busy", "dead"})
    calls: Callable[[], int] | None = None
    harvest_limit: int = 100_000
    spent: list[Batch] = field(default_factory=list)


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


class ConnectorContract:
    """Inherit, and provide the fixture `joined`."""

    @pytest.fixture
    async def joined(self) -> Any:
        raise NotImplementedError

    async def test_every_kind_offered_is_a_declared_word_with_declared_fields(self, joined: Joined) -> None:
        assert joined.connector.capabilities.offers
        for kind, offer in joined.connector.capabilities.offers.items():
            assert offer.fields, kind
            assert offer.fields <= SPECS[kind].values(), (kind, offer.fields - SPECS[kind].values())
            assert offer.by - {"key"} <= SPECS[kind].values() | {"month"}, (kind, offer.by)

    async def test_every_kind_offered_has_a_question_that_is_answered(self, joined: Joined) -> None:
        assert {q.kind for q in joined.questions} == joined.connector.capabilities.kinds
        for question in joined.questions:
            answer = await joined.connector.look_up(question, WITHIN)
            assert answer.records, question

    async def test_records_carry_only_what_was_wanted_in_the_declared_types(self, joined: Joined) -> None:
        for question in joined.questions:
            answer = await joined.connector.look_up(question, WITHIN)
            for record in answer.records[:50]:
                self.check(record, question, joined)

    def check(self, record: Record, question: Lookup, joined: Joined) -> None:
        spec = SPECS[record.kind]
        assert record.kind == question.kind
        assert record.source == joined.connector.identity.code
        assert record.local_id
        assert record.fetched_at > 1_500_000_000
        assert record.key.startswith(f"{record.source}:") is not spec.shared, record.key
        assert set(record.values) <= set(question.fields), set(record.values) - set(question.fields)
        for name, value in record.values.items():
            assert value is not None, name
            assert fits(value, spec.fields[name].type), (name, value)
        orjson.dumps(record.values)

    async def test_every_field_it_declares_comes_at_least_once(self, joined: Joined) -> None:
        seen: dict[Kind, set[str]] = {}
        for question in joined.questions:
            offered = joined.connector.capabilities.offers[question.kind].fields
            full = lookup(
                question.kind, offered, dict(question.where), text=question.text,
                since=question.since, until=question.until, page=question.page,
            )  # fmt: skip
            answer = await joined.connector.look_up(full, WITHIN)
            seen.setdefault(question.kind, set()).update(*(record.values for record in answer.records))
        for kind, names in seen.items():
            assert joined.connector.capabilities.offers[kind].fields == names, (
                kind, joined.connector.capabilities.offers[kind].fields - names,
            )  # fmt: skip

    async def test_a_record_found_is_found_again_by_its_key(self, joined: Joined) -> None:
        for question in joined.questions:
            offer = joined.connector.capabilities.offers[question.kind]
            if "key" not in offer.by:
                continue
            found = (await joined.connector.look_up(question, WITHIN)).records[: min(3, offer.batch)]
            again = lookup(question.kind, question.fields, {"key": [record.key for record in found]})
            answer = await joined.connector.look_up(again, WITHIN)
            assert {record.key for record in answer.records} == {record.key for record in found}

    async def test_an_unknown_key_is_simply_not_in_the_answer(self, joined: Joined) -> None:
        for kind, offer in joined.connector.capabilities.offers.items():
            if "key" in offer.by:
                for key in (
                    "nobody:nothing",
                    joined.connector.key("no-such-thing"),
                    "0000000000",
                    "'; DROP TABLE",
                ):
                    strange = lookup(kind, sorted(offer.fields)[:2], {"key": [key]})
                    assert (await joined.connector.look_up(strange, WITHIN)).records == ()

    async def test_filters_are_kept(self, joined: Joined) -> None:
        for question in joined.questions:
            fields = joined.connector.capabilities.offers[question.kind].fields
            wanted = lookup(
                question.kind, {*question.fields, *(n for n, _ in question.where if n in fields)},
                dict(question.where), text=question.text, since=question.since, until=question.until,
                page=question.page,
            )  # fmt: skip
            answer = await joined.connector.look_up(wanted, WITHIN)
            for record in answer.records:
                for name, values in question.where:
                    actual = record.key if name == "key" else record.values.get(name)
                    if actual is not None:
                        held = set(actual) if isinstance(actual, list) else {actual}
                        assert held & set(values), (name, actual, values)

    async def test_pages_together_are_the_whole_without_repeats(self, joined: Joined) -> None:
        for question in joined.questions:
            offer = joined.connector.capabilities.offers[question.kind]
            if not offer.pages or question.keys:
                continue
            walked: list[str] = []
            answer = Answer((), None, True)
            while answer.more and len(walked) < 60:
                page = Page(offset=len(walked), limit=7)
                answer = await joined.connector.look_up(
                    lookup(question.kind, question.fields, dict(question.where), text=question.text,
                           since=question.since, until=question.until, page=page), WITHIN
                )  # fmt: skip
                assert len(answer.records) <= 7
                assert answer.records or not answer.more
                walked += [record.key for record in answer.records]
                if offer.totals:
                    assert answer.total is not None
            assert len(walked) == len(set(walked))
            if offer.totals and not answer.more:
                assert answer.total == len(walked)

    async def test_what_it_never_offered_is_unanswerable(self, joined: Joined) -> None:
        absent = next(kind for kind in Kind if kind not in joined.connector.capabilities.kinds)
        with pytest.raises(Unanswerable):
            await joined.connector.look_up(lookup(absent, ["name"], {"key": ["x"]}), WITHIN)
        kind, offer = next(iter(joined.connector.capabilities.offers.items()))
        with pytest.raises(Unanswerable):
            await joined.connector.look_up(lookup(kind, ["name"], {"no_such_filter": ["x"]}), WITHIN)
        if "key" in offer.by:
            many = [joined.connector.key(str(n)) for n in range(offer.batch + 1)]
            with pytest.raises(Unanswerable):
                await joined.connector.look_up(lookup(kind, ["name"], {"key": many}), WITHIN)

    async def test_no_plain_id_or_roll_number_ever_leaves(self, joined: Joined) -> None:
        for question in joined.questions:
            offered = joined.connector.capabilities.offers[question.kind].fields
            full = lookup(question.kind, offered, dict(question.where), text=question.text,
                          since=question.since, until=question.until, page=question.page)  # fmt: skip
            answer = await joined.connector.look_up(full, WITHIN)
            for record in answer.records:
                told = {k: v for k, v in record.values.items() if not k.endswith(("url", "hash", "subject"))}
                assert not PLAIN_NUMBER.search(orjson.dumps([record.key, record.local_id, told]))

    @pytest.mark.parametrize("mode", ["hang", "drip"])
    async def test_a_source_that_never_ends_is_timed_out(self, joined: Joined, mode: str) -> None:
        await self.broken(joined, mode, TimedOut, within=0.4)

    async def test_a_source_that_asks_for_patience_is_unavailable(self, joined: Joined) -> None:
        await self.broken(joined, "busy", Unavailable)

    async def test_a_dead_source_is_unavailable(self, joined: Joined) -> None:
        await self.broken(joined, "dead", Unavailable)

    @pytest.mark.parametrize("mode", ["error", "garbage", "html"])
    async def test_a_source_that_talks_nonsense_is_malformed(self, joined: Joined, mode: str) -> None:
        await self.broken(joined, mode, Malformed)

    async def broken(
        self, joined: Joined, mode: str, error: type[SourceError], within: float = WITHIN
    ) -> None:
        if mode not in joined.modes:
            pytest.skip(f"a {joined.connector.protocol} source has no such fault: {mode}")
        await joined.break_with(mode)
        for question in joined.questions[:3]:
            with pytest.raises(error) as caught:
                await joined.connector.look_up(question, within)
            assert "Traceback" not in caught.value.detail
            assert caught.value.code.startswith("SOURCE_")
        with pytest.raises(SourceError):
            await joined.connector.probe(min(within, 2.0))

    async def test_a_broken_source_that_is_mended_answers_again(self, joined: Joined) -> None:
        mode = next((m for m in ("error", "garbage") if m in joined.modes), None)
        if mode is None:
            pytest.skip("nothing to mend")
        await joined.break_with(mode)
        with pytest.raises(SourceError):
            await joined.connector.look_up(joined.questions[0], WITHIN)
        await joined.break_with("ok")
        assert (await joined.connector.look_up(joined.questions[0], WITHIN)).records

    async def test_a_healthy_source_passes_its_probe(self, joined: Joined) -> None:
        await joined.connector.probe(WITHIN)

    async def test_forgetting_a_question_half_way_harms_no_other(self, joined: Joined) -> None:
        question = joined.questions[0]
        task = asyncio.create_task(joined.connector.look_up(question, WITHIN))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        answers = await asyncio.gather(*(joined.connector.look_up(question, WITHIN) for _ in range(8)))
        assert len({tuple(record.key for record in answer.records) for answer in answers}) == 1

    async def test_a_harvest_is_whole_and_resumes_where_it_stopped(self, joined: Joined) -> None:
        for kind, offer in joined.connector.capabilities.offers.items():
            if not offer.harvest:
                continue
            whole = [batch async for batch in joined.connector.harvest(kind, "", WITHIN)]
            keys = [record.key for batch in whole for record in batch.records]
            assert len(keys) == len(set(keys)) > 0
            half = len(whole) // 2
            if half and whole[half - 1].checkpoint:
                rest = [b async for b in joined.connector.harvest(kind, whole[half - 1].checkpoint, WITHIN)]
                first = {record.key for batch in whole[:half] for record in batch.records}
                assert first | {record.key for batch in rest for record in batch.records} == set(keys)
