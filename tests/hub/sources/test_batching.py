"""Questions that travel together get the answers they would have got alone."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from hub.sources.batching import Gathering, groups, joined, parts, split
from schema.model.record import Answer, Page, Record, lookup
from schema.model.words import Kind


def record(key: str, **values: object) -> Record:
    return Record(Kind.RESOURCE, key, "s", key, dict(values), 1.0)


def keys(answer: Answer) -> list[str]:
    return [one.key for one in answer.records]


def test_a_record_with_a_list_goes_to_each_value_it_holds() -> None:
    answer = Answer((record("a", chapter_keys=["1", "2", "2"]), record("b", chapter_keys=["2"])))
    found = split(answer, "chapter_keys", (), [("1",), ("2",), ("3",)])
    assert {one[0]: keys(share) for one, share in found.items()} == {"1": ["a"], "2": ["a", "b"], "3": []}


def test_a_number_at_one_school_is_not_the_same_number_at_another() -> None:
    answer = Answer(
        (record("a", match_key="m", school_code="1"), record("b", match_key="m", school_code="2"))
    )
    found = split(answer, "match_key", ("school_code",), [("m", "1"), ("n", "2")])
    assert keys(found["m", "1"]) == ["a"]
    assert keys(found["n", "2"]) == []


def test_what_cannot_be_told_apart_afterwards_does_not_travel_together() -> None:
    wanted = [("m1", "s1"), ("m2", "s1"), ("m3", "s2")]
    told = list(groups(wanted, "match_key", ("school_code",), {"match_key", "school_code"}, 100))
    assert told == [wanted]
    apart = list(groups(wanted, "match_key", ("school_code",), {"match_key"}, 100))
    assert apart == [wanted[:2], wanted[2:]]
    alone = list(groups(wanted, "match_key", ("school_code",), {"school_code"}, 100))
    assert alone == [[one] for one in wanted]


def test_a_source_that_does_not_repeat_the_filter_is_believed_for_one_value_and_doubted_for_two() -> None:
    answer = Answer((record("a"),))
    assert keys(split(answer, "month", (), [("2026-11",)])["2026-11",]) == ["a"]
    two = split(answer, "month", (), [("2026-11",), ("2026-12",)])
    assert all(share.more and not share.records for share in two.values())


def test_values_that_are_no_text_harm_nobody() -> None:
    odd = Answer((record("a", code={"x": 1}), record("b", code=[["x"], 3, None]), record("c", code="x")))
    assert keys(split(odd, "code", (), [("x",), ("y",)])["x",]) == ["c"]


def test_no_part_has_more_values_of_any_filter_than_the_source_takes() -> None:
    question = lookup(
        Kind.SCHOOL, ["name"], {"key": [str(n) for n in range(7)], "region_code": [str(n) for n in range(5)]}
    )
    cut = parts(question, 2)
    assert all(len(values) <= 2 for part in cut for _, values in part.where)
    pairs = {(a, b) for part in cut for a in part.values("key") for b in part.values("region_code")}
    assert len(pairs) == 35


@given(
    st.lists(st.integers(0, 8), min_size=1, max_size=60),
    st.integers(1, 4),
    st.integers(0, 30),
    st.integers(1, 9),
)
def test_the_pages_of_a_question_in_parts_are_those_of_the_whole(
    held: list[int], batch: int, offset: int, limit: int
) -> None:
    shelf = [record(f"r{n}", code=str(value)) for n, value in enumerate(held)]
    question = lookup(Kind.RESOURCE, ["code"], {"code": [str(n) for n in range(9)]}, page=Page(offset, limit))

    def told(wanted: tuple[str, ...], page: Page | None) -> Answer:
        found = [one for one in shelf if one.values["code"] in wanted]
        assert page is not None
        window = found[page.offset : page.offset + page.limit]
        return Answer(tuple(window), None, page.offset + len(window) < len(found))

    cut = parts(question, batch)
    answer = joined([told(part.values("code"), part.page) for part in cut], question.page)
    in_parts = [one for part in cut for one in shelf if one.values["code"] in part.values("code")]
    assert keys(answer) == [one.key for one in in_parts[offset : offset + limit]]
    assert answer.more == (offset + limit < len(in_parts))


async def test_nobody_leaves_while_another_still_looks_in_the_cache() -> None:
    gathering = Gathering()
    first, second, third = gathering.enter(), gathering.enter(), gathering.enter()
    left: list[str] = []

    async def leave(seat: object, name: str) -> None:
        await gathering.ready(seat)
        left.append(name)

    waiting = asyncio.create_task(leave(first, "first"))
    await asyncio.sleep(0)
    assert left == []
    gathering.leave(second)  # found it in the cache
    await asyncio.gather(waiting, leave(third, "third"))
    assert sorted(left) == ["first", "third"]


async def test_who_never_comes_back_keeps_the_others_for_a_moment_only() -> None:
    gathering = Gathering()
    gathering.enter()
    await gathering.ready(gathering.enter())
