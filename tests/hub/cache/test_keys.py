"""One name for one question by one audience."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.cache.keys import PUBLIC, canonical, key

_QUESTION: Mapping[str, Any] = {
    "version": "1",
    "source": "liaocheng",
    "kind": "pupil",
    "audience": PUBLIC,
    "where": {"school": ["371500-001"]},
    "fields": ("name", "grade"),
    "page": {"first": 20},
    "text": None,
}

_plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    "change",
    [
        {"version": "2"},
        {"source": "dezhou"},
        {"kind": "teacher"},
        {"audience": "teacher:371500"},
        {"where": {"school": ["371500-002"]}},
        {"where": {"school": "371500-001"}},
        {"fields": ("name",)},
        {"page": {"first": 21}},
        {"page": {"first": "20"}},
        {"text": ""},
    ],
)
def test_another_question_or_another_audience_has_another_name(change: Mapping[str, Any]) -> None:
    assert key(**{**_QUESTION, **change}) != key(**_QUESTION)


def test_the_order_of_fields_and_filters_does_not_matter() -> None:
    asked = {**_QUESTION, "where": {"a": 1, "b": 2}, "fields": ["grade", "name"]}
    again = {**_QUESTION, "where": {"b": 2, "a": 1}, "fields": ["name", "grade", "name"]}
    assert key(**asked) == key(**again)


def test_a_name_is_the_same_tomorrow_and_in_every_process() -> None:
    assert key(**_QUESTION) == "Efih2R90OAhMZGtRMt68Ai65swCJe1Bg"


def test_the_same_moment_told_in_two_zones_is_one_moment() -> None:
    moment = datetime(2026, 9, 1, tzinfo=UTC)
    assert canonical(moment) == canonical(moment.astimezone(timezone(timedelta(hours=8))))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True),
        (1, 1.0),
        (1, "1"),
        (1, Decimal(1)),
        (None, ""),
        (None, "None"),
        ("a", b"a"),
        (["a", "b"], ["ab"]),
        ([["a"], "b"], [["a", "b"]]),
        ({"a": {"b": 1}}, {"a": 1, "b": 1}),
        ({"a", "b"}, ["a", "b"]),
        (date(2026, 9, 1), "2026-09-01"),
        ("\ud800", "?"),
    ],
)
def test_what_looks_alike_but_is_not_has_another_form(one: Any, other: Any) -> None:
    assert canonical(one) != canonical(other)


@given(_plain, _plain)
def test_two_values_share_a_form_only_when_they_are_equal(one: Any, other: Any) -> None:
    if canonical(one) == canonical(other):
        assert one == other
    assert canonical(one) == canonical(one)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), Decimal("NaN"), datetime(2026, 9, 1)])
def test_what_means_nothing_certain_has_no_name(value: Any) -> None:
    with pytest.raises(ValueError, match=r"number|time zone"):
        canonical(value)


def test_what_is_no_plain_value_or_nests_too_deep_is_refused() -> None:
    with pytest.raises(TypeError):
        canonical(object())
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    with pytest.raises(ValueError, match="deeper"):
        canonical(nested)
