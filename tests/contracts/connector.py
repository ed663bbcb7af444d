"""What every tongue promises, examined over a real socket or file against its twin; a new one inherits this.

A subclass gives one fixture, `joined`; the sentences below then hold for it or fail.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from datetime import datetime
from typing import Any

import orjson
import pytest

from connectors.errors import Malformed, SourceError, TimedOut, Unanswerable, Unavailable
from schema.model.record import Answer, Lookup, Page, Record, lookup
from schema.model.words import Kind
from tests.contracts.joined import SPECS, WITHIN, HandClock, Joined, asked_anew, fits, keys

__all__ = ["WITHIN", "ConnectorContract", "HandClock", "Joined"]

AHEAD = 300.0  # seconds: less than a token lives, and than a source lets clocks differ
NOTHING = "龘靐齉爩"
"""A text that stands in no title."""
OWN_TIME = {
    Kind.ACTIVITY: "starts_at",
    Kind.LIVE_SESSION: "starts_at",
    Kind.NOTICE: "published_at",
    Kind.ACTIVITY_EVENT: "occurred_at",
}
"""The time of a kind that `since` and `until` bound."""
NAMES = ("title", "name", "summary", "description")
CHINESE = re.compile(r"[\u4e00-\u9fff]{2}")
# With a date of birth inside: the ids that 体系枢纽 gives to persons have eighteen digits, too.
PLAIN_NUMBER = re.compile(
    rb"(?<!\d)[GJL]?\d{6}(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])\d{3}[\dX](?!\d)"
)


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

    async def test_a_page_beyond_the_end_is_empty_and_promises_no_more(self, joined: Joined) -> None:
        for question in joined.questions:
            offer = joined.connector.capabilities.offers[question.kind]
            if offer.pages:
                answer = await joined.ask(asked_anew(question, page=Page(1_000_000, 5)))
                assert answer.records == ()
                assert not answer.more
                if offer.totals:
                    first = await joined.ask(asked_anew(question, page=Page(0, 1)))
                    assert answer.total == first.total
                for page in (Page(0, 0), Page(-1, 5)):
                    with pytest.raises(Unanswerable):
                        await joined.ask(asked_anew(question, page=page))

    async def test_a_look_up_without_a_filter_is_answered_whole_or_refused(self, joined: Joined) -> None:
        for kind, offer in joined.connector.capabilities.offers.items():
            try:
                answer = await joined.ask(lookup(kind, sorted(offer.fields)[:2]))
            except Unanswerable:
                continue
            assert answer.records or answer.total == 0, kind
            assert len(set(keys(answer))) == len(answer.records) <= 50_000, kind
            if answer.total is not None:
                assert answer.more is (answer.total > len(answer.records)), kind

    async def test_a_filter_that_nothing_meets_finds_nothing(self, joined: Joined) -> None:
        for question in joined.questions:
            for name, _ in question.where:
                strange = {**dict(question.where), name: ["no-such-value"]}
                assert (await joined.ask(asked_anew(question, where=strange))).records == (), (question, name)

    async def test_of_two_filters_both_must_hold(self, joined: Joined) -> None:
        for question in joined.questions:
            offer = joined.connector.capabilities.offers[question.kind]
            others = sorted((offer.by & offer.fields) - {"key", "match_key"})
            if "key" not in offer.by or not others:
                continue
            full = await joined.ask(asked_anew(question, {*question.fields, *others}))
            for name in others:
                told = next((record for record in full.records if record.values.get(name)), None)
                if told is None:
                    continue
                value = told.values[name]
                held = [str(value[0] if isinstance(value, list) else value)]
                both = asked_anew(
                    question, where={"key": [told.key], name: held}, text="", since="", until="", page=None
                )
                assert keys(await joined.ask(both)) == [told.key], (question, name)
                neither = asked_anew(both, where={"key": [told.key], name: ["no-such-value"]})
                assert keys(await joined.ask(neither)) == [], (question, name)

    async def test_a_field_it_does_not_have_is_simply_absent(self, joined: Joined) -> None:
        for question in joined.questions:
            lacking = (
                SPECS[question.kind].values() - joined.connector.capabilities.offers[question.kind].fields
            )
            answer = await joined.ask(asked_anew(question, {*question.fields, *lacking}))
            assert answer.records
            assert not any(lacking & set(record.values) for record in answer.records)

    async def test_no_record_comes_twice_in_an_answer(self, joined: Joined) -> None:
        for question in joined.questions:
            found = keys(await joined.ask(question))
            assert len(found) == len(set(found)), question

    async def test_a_span_holds_what_falls_into_it_and_nothing_else(self, joined: Joined) -> None:
        for question in joined.questions:
            offer = joined.connector.capabilities.offers[question.kind]
            if not offer.spans or question.keys:
                continue
            name = OWN_TIME[question.kind]
            whole = await joined.ask(asked_anew(question, {name}, since="", until="", page=None))
            when = {record.key: datetime.fromisoformat(record.values[name]) for record in whole.records
                    if name in record.values}  # fmt: skip
            middle = sorted(when.values())[len(when) // 2]
            later = await joined.ask(
                asked_anew(question, {name}, since=middle.isoformat(), until="", page=None)
            )
            sooner = await joined.ask(
                asked_anew(question, {name}, since="", until=middle.isoformat(), page=None)
            )
            assert all(datetime.fromisoformat(r.values[name]) >= middle for r in later.records), question
            assert all(datetime.fromisoformat(r.values[name]) < middle for r in sooner.records), question
            if not whole.more:
                assert set(keys(later)) == {key for key, at in when.items() if at >= middle}, question
                assert set(keys(sooner)) == {key for key, at in when.items() if at < middle}, question

    async def test_a_search_finds_a_chinese_word_and_not_what_is_nowhere(self, joined: Joined) -> None:
        for kind, offer in joined.connector.capabilities.offers.items():
            if not offer.search:
                continue
            names = [name for name in NAMES if name in offer.fields]
            question = next(question for question in joined.questions if question.kind is kind)
            told = (await joined.ask(asked_anew(question, names))).records[0]
            word = next(found[0] for name in names if (found := CHINESE.search(told.values.get(name, ""))))
            answer = await joined.ask(asked_anew(question, names, text=word))
            assert told.key in keys(answer), (kind, word)
            assert any(word in value for record in answer.records for value in record.values.values())
            assert (await joined.ask(asked_anew(question, names, text=NOTHING))).records == (), kind

    async def test_many_who_ask_different_things_at_once_get_each_their_own(self, joined: Joined) -> None:
        alone = [await joined.ask(question) for question in joined.questions]
        crowd = await asyncio.gather(*(joined.ask(question) for question in joined.questions * 3))
        for place, answer in enumerate(crowd):
            calm = alone[place % len(alone)]
            assert [(r.key, r.values) for r in answer.records] == [(r.key, r.values) for r in calm.records]
            assert (answer.total, answer.more) == (calm.total, calm.more)

    async def test_an_answer_from_memory_tells_its_real_age(self, joined: Joined) -> None:
        """What is told without asking the source was read before the clock was put ahead."""
        began = joined.clock()
        for question in joined.questions:
            for record in (await joined.ask(question)).records:
                assert began <= record.fetched_at <= joined.clock(), question
        last = joined.clock()
        joined.clock.ahead += AHEAD
        for question in joined.questions:
            before, answer = joined.asked(), await joined.ask(question)
            silent = before is not None and joined.asked() == before
            for record in answer.records:
                assert began <= record.fetched_at <= (last if silent else joined.clock()), question

    async def test_what_a_dead_source_is_remembered_for_was_told_before_it_died(self, joined: Joined) -> None:
        if "dead" not in joined.modes:
            pytest.skip(f"a {joined.connector.protocol} source has no such fault: dead")
        for question in joined.questions:
            await joined.ask(question)
        last = joined.clock()
        await joined.break_with("dead")
        joined.clock.ahead += AHEAD
        for question in joined.questions:
            with contextlib.suppress(SourceError):
                assert all(record.fetched_at <= last for record in (await joined.ask(question)).records), (
                    question
                )

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
