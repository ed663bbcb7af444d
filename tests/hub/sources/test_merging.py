"""One thing of what many tell: authority decides, what loses stays visible, in whatever order it is told."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hub.sources.merging import Merged, Told, merge
from hub.sources.routing import authority_rank
from schema.model.codes import LEVELS, Level
from schema.model.record import Record
from schema.model.words import Kind
from tests.hub.sources.room import SCHOOL, SPECS

SPEC = SPECS[Kind.SCHOOL]


def told(
    source: str, level: Level, values: dict[str, Any], *, stale: bool = False, updated: str | None = None
) -> Told:
    return Told(Record(Kind.SCHOOL, SCHOOL, source, "1", values, 1.0, updated), level, stale)


def test_the_level_named_first_for_a_field_wins_it() -> None:
    nation = told("n", Level.NATIONAL, {"name": "样例小学", "address": "旧址"})
    county = told("c", Level.COUNTY, {"name": "样例学校", "address": "新址"})
    merged = merge(SPEC, [county, nation])
    assert merged.values == {"name": "样例小学", "address": "新址"}
    assert {(one.field, one.source, one.value, one.kept, one.kept_source) for one in merged.losing} == {
        ("name", "c", "样例学校", "样例小学", "n"),
        ("address", "n", "旧址", "新址", "c"),
    }


def test_a_field_only_one_source_tells_is_its_share() -> None:
    merged = merge(
        SPEC, [told("n", Level.NATIONAL, {"name": "甲"}), told("c", Level.COUNTY, {"phone": "000"})]
    )
    assert {part.source: part.fields for part in merged.parts} == {"n": ("name",), "c": ("phone",)}
    assert merged.losing == ()


def test_who_agrees_does_not_lose() -> None:
    both = [told("n", Level.NATIONAL, {"name": "甲"}), told("c", Level.COUNTY, {"name": "甲"})]
    assert merge(SPEC, both).losing == ()


def test_among_equals_the_later_moment_wins_whatever_its_offset() -> None:
    early = told("a", Level.COUNTY, {"address": "早"}, updated="2026-09-01T08:30:00+08:00")
    late = told("b", Level.COUNTY, {"address": "晚"}, updated="2026-09-01T01:00:00Z")
    assert merge(SPEC, [early, late]).values["address"] == "晚"


def test_who_does_not_say_when_is_taken_for_the_oldest() -> None:
    dated = told("b", Level.COUNTY, {"address": "有日期"}, updated="2020-01-01T00:00:00Z")
    for odd in (None, "", "yesterday", "2026-13-45"):
        undated = told("a", Level.COUNTY, {"address": "无日期"}, updated=odd)
        assert merge(SPEC, [undated, dated]).values["address"] == "有日期"


def test_a_remembered_copy_yields_to_a_fresh_one_of_the_same_level_only() -> None:
    fresh = told("b", Level.COUNTY, {"address": "新"})
    stale = told("a", Level.COUNTY, {"address": "旧"}, stale=True, updated="2026-09-01T00:00:00Z")
    assert merge(SPEC, [stale, fresh]).values["address"] == "新"
    below = told("s", Level.NATIONAL, {"address": "国"})
    assert merge(SPEC, [stale, below]).values["address"] == "旧"


def test_a_value_that_no_word_declares_is_nobodys() -> None:
    odd = told("c", Level.COUNTY, {"name": "甲", "no_such_field": 1})
    assert "no_such_field" not in merge(SPEC, [odd, told("n", Level.NATIONAL, {"name": "乙"})]).values


FIELDS = ("name", "address", "class_count", "student_count")
TOLD = st.lists(
    st.tuples(
        st.sampled_from(LEVELS),
        st.dictionaries(st.sampled_from(FIELDS), st.integers(0, 2), min_size=1),
        st.booleans(),
        st.sampled_from([None, "2026-01-01T00:00:00Z", "2026-01-01T08:00:00+08:00", "2026-05-01T00:00:00Z"]),
    ),
    min_size=1,
    max_size=6,
).map(lambda rows: [told(f"s{n}", lv, vs, stale=st_, updated=up) for n, (lv, vs, st_, up) in enumerate(rows)])


def plain(merged: Merged) -> tuple[object, ...]:
    return merged.key, merged.values, merged.parts, merged.losing


@given(TOLD, st.randoms(use_true_random=False))
def test_the_order_of_telling_changes_nothing(all_told: list[Told], chance: Any) -> None:
    shuffled = list(all_told)
    chance.shuffle(shuffled)
    assert plain(merge(SPEC, shuffled)) == plain(merge(SPEC, all_told))


@given(TOLD)
def test_the_winner_has_the_strongest_authority_and_every_value_is_accounted_for(
    all_told: list[Told],
) -> None:
    merged = merge(SPEC, all_told)
    level_of = {one.record.source: one.level for one in all_told}
    for name, value in merged.values.items():
        winner = next(part.source for part in merged.parts if name in part.fields)
        tellers = [one for one in all_told if name in one.record.values]
        best = min(authority_rank(SPEC.fields[name].authority, one.level) for one in tellers)
        assert authority_rank(SPEC.fields[name].authority, level_of[winner]) == best
        lost = {one.source for one in merged.losing if one.field == name}
        agreeing = {one.record.source for one in tellers if one.record.values[name] == value}
        assert {one.record.source for one in tellers} == lost | agreeing
        assert not lost & agreeing
