"""Texts of a fixed form are checked at the door."""

from __future__ import annotations

import pytest
from graphql import GraphQLError

from schema.graph.scalars import SCALARS
from schema.model.words import Date, DateTime, RegionCode, SchoolYear, YearMonth

GOOD = [
    (Date, "2024-02-29"), (DateTime, "2026-09-01T08:00:00+08:00"), (DateTime, "2026-09-01T00:00:00.5Z"),
    (YearMonth, "2026-12"), (SchoolYear, "2026-2027"), (RegionCode, "371571"),
]  # fmt: skip
BAD = [
    (Date, "2023-02-29"), (Date, "2026-9-1"), (Date, "２０２６-09-01"), (Date, 20260901),
    (Date, "2026-09-01\n"),
    (DateTime, "2026-09-01"), (DateTime, "2026-09-01T08:00:00"), (DateTime, "2026-09-01T25:00:00Z"),
    (YearMonth, "2026-13"), (YearMonth, "2026-1"), (SchoolYear, "2026-2028"), (SchoolYear, "bad"),
    (RegionCode, "3715"), (RegionCode, "37150a"), (RegionCode, None), (RegionCode, ["371501"]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text"), GOOD)
def test_what_is_well_formed_comes_in_as_it_is(kind: object, text: str) -> None:
    parse = SCALARS[kind].parse_value
    assert parse is not None
    assert parse(text) == text


@pytest.mark.parametrize(("kind", "value"), BAD)
def test_what_is_not_is_refused_with_an_example(kind: object, value: object) -> None:
    parse = SCALARS[kind].parse_value
    assert parse is not None
    with pytest.raises(GraphQLError, match=r"格式应如 .+ is written like "):
        parse(value)


def test_a_refusal_never_repeats_what_came_in() -> None:
    parse = SCALARS[RegionCode].parse_value
    assert parse is not None
    with pytest.raises(GraphQLError) as caught:
        parse("<script>")
    assert "script" not in str(caught.value)
