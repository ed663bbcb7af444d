"""The document guard lets ordinary queries pass and names what is too much in the others."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import build_schema, get_introspection_query, parse

from hub.web.limits import LimitExceeded, Limits, Measured, measure, page_weights
from tests.hub.web.served import SDL

LIMITS = Limits()
WEIGHTS = page_weights(build_schema(SDL), LIMITS)


def measured(query: str, variables: dict[str, Any] | None = None) -> Measured:
    return measure(parse(query), LIMITS, variables, WEIGHTS)


def refusal(query: str, variables: dict[str, Any] | None = None) -> str:
    with pytest.raises(LimitExceeded) as refused:
        measured(query, variables)
    assert " / " in refused.value.public
    return refused.value.code


def nested(depth: int) -> str:
    return "{" + "a{" * (depth - 1) + "b" + "}" * depth


def chain(length: int, body: str) -> str:
    """Fragments of which each one spreads the next where `body` says %s."""
    parts = [f"fragment f{i} on Query {{ {body.replace('%s', f'...f{i + 1}')} }}" for i in range(length)]
    return " ".join(["{ ...f0 }", *parts, f"fragment f{length} on Query {{ leaf }}"])


def test_fifteen_levels_pass_and_sixteen_do_not() -> None:
    assert measured(nested(15)).depth == 15
    assert refusal(nested(16)) == "MAX_DEPTH_LIMIT"


def test_depth_is_counted_through_fragments_whichever_comes_first() -> None:
    assert refusal(chain(16, "a { %s }")) == "MAX_DEPTH_LIMIT"
    deep = nested(10)[1:-1]
    fragment = f"fragment F on Query {{ {deep} }}"
    assert measured(f"{{ ...F }} {fragment}").depth == 10
    assert refusal(f"{{ ...F a{{a{{a{{a{{a{{a{{ ...F }} }} }} }} }} }} }} {fragment}") == "MAX_DEPTH_LIMIT"


def test_fragments_inside_one_another_without_fields_end_too() -> None:
    assert refusal("{" + "...{" * 150 + "a" + "}" * 151) == "MAX_DEPTH_LIMIT"


def test_a_chain_of_two_hundred_fragments_is_no_trouble_for_the_stack() -> None:
    assert refusal(chain(240, "%s")) == "MAX_DEPTH_LIMIT"


def test_a_hundred_aliases_pass_and_one_more_does_not() -> None:
    assert measured("{" + " ".join(f"a{i}: b" for i in range(100)) + "}").aliases == 100
    assert refusal("{" + " ".join(f"a{i}: b" for i in range(101)) + "}") == "MAX_ALIASES_LIMIT"


def test_aliases_are_multiplied_by_the_spreads_of_their_fragment() -> None:
    fragment = "fragment F on Query {" + " ".join(f"a{i}: b" for i in range(20)) + "}"
    spreads = " ".join(f"s{i} {{ ...F }}" for i in range(6))
    assert refusal(f"{{ {spreads} }} {fragment}") == "MAX_ALIASES_LIMIT"


def test_a_fan_out_of_two_to_the_200_is_refused_at_once() -> None:
    limits = Limits(depth=500, introspection_depth=500)
    with pytest.raises(LimitExceeded) as refused:
        measure(parse(chain(100, "x { %s } y { %s }"), max_tokens=5000), limits)
    assert refused.value.code == "MAX_COST_LIMIT"
    assert refusal(chain(60, "%s %s")) == "MAX_COST_LIMIT"


def test_fragments_in_a_circle_are_left_to_validation() -> None:
    assert (
        measured("{ ...A } fragment A on Query { a { ...B } } fragment B on Query { b { ...A } }").depth < 15
    )
    assert measured("{ ...Missing }").depth == 0


def test_directives_count_once_as_written_and_stop_at_fifty() -> None:
    shared = "fragment F on Query { " + " ".join(f"a{i} @skip(if: true)" for i in range(40)) + " }"
    assert measured(f"query A {{ ...F }} query B {{ ...F }} {shared}").directives == 40
    assert refusal("{ a" + " @skip(if: true)" * 51 + " }") == "MAX_DIRECTIVES_LIMIT"


def test_operations_and_variables_have_bounds() -> None:
    assert refusal(" ".join(f"query Q{i} {{ a }}" for i in range(11))) == "MAX_OPERATIONS_LIMIT"
    many = " ".join(f"$v{i}: Int" for i in range(101))
    assert refusal(f"query ({many}) {{ a }}") == "MAX_VARIABLES_LIMIT"


def test_five_hundred_of_one_field_are_refused() -> None:
    assert refusal("{" + "a { b } " * 100 + "}") == "MAX_DUPLICATES_LIMIT"


@pytest.mark.parametrize(
    "value", ["501", "1000000000", "-1", "1e9", "1.5", '"10"', "true", "[1]", "{a: 1}", "9" * 6000, "LOTS"]
)
def test_a_page_is_a_number_up_to_five_hundred(value: str) -> None:
    assert refusal(f"{{ schools(first: {value}) {{ totalCount }} }}") == "PAGE_SIZE_LIMIT"


@pytest.mark.parametrize("value", [501, 10**9, -1, 1e9, 1.5, "10", True, [1], {"$gt": 0}, float("inf")])
def test_a_page_size_in_a_variable_is_looked_at_too(value: Any) -> None:
    query = "query ($n: Int) { schools(last: $n) { totalCount } }"
    assert refusal(query, {"n": value}) == "PAGE_SIZE_LIMIT"


def test_a_page_size_in_a_variables_default_is_looked_at_too() -> None:
    query = "query ($n: Int = 1000000000) { schools(first: $n) { totalCount } }"
    assert refusal(query) == "PAGE_SIZE_LIMIT"
    assert measured(query, {"n": 5}).paged_by_variables
    assert measured(query, {"n": None}).cost < 500


def test_one_operations_variable_does_not_excuse_anothers_page() -> None:
    page = "fragment F on Query { schools(first: $n) { totalCount } }"
    query = f"query A($n: Int = 5) {{ ...F }} query B($n: Int = 1000) {{ ...F }} {page}"
    assert refusal(query) == "PAGE_SIZE_LIMIT"


def test_pages_inside_pages_multiply() -> None:
    page = "neighbours(first: 200) { nodes { %s } }"
    thrice = "{ schools(first: 200) { nodes { " + page.replace("%s", page.replace("%s", "name")) + " } } }"
    assert refusal(thrice) == "MAX_COST_LIMIT"
    assert 200 * 2 < measured("{ schools(first: 200) { nodes { name code } } }").cost < 200 * 4


def test_lists_without_a_page_size_weigh_and_a_schemas_default_counts() -> None:
    assert WEIGHTS == {"schools": 20, "neighbours": 20, "classes": 10, "pupils": 10}
    assert measured("{ school { classes { name } } }").cost == 1 + (1 + 10)
    circle = "school { classes { " * 6 + "name" + " } }" * 6
    assert refusal("{" + circle + "}") == "MAX_COST_LIMIT"


@pytest.mark.parametrize("extras", [{}, {"input_value_deprecation": True, "schema_description": True}])
def test_the_standard_introspection_query_passes(extras: dict[str, bool]) -> None:
    assert measured(get_introspection_query(**extras)).introspects


def test_introspection_in_circles_is_refused_also_through_fragments() -> None:
    circle = "{ __schema { types { " + "fields { type { " * 4 + "name" + " } }" * 4 + " } } }"
    assert refusal(circle) == "MAX_DEPTH_LIMIT"
    fragments = (
        "fragment T on __Type { fields { type { ...U } } } fragment U on __Type { fields { type { ...V } } }"
    )
    last = "fragment V on __Type { fields { name } }"
    assert refusal(f'{{ __type(name: "School") {{ ...T }} }} {fragments} {last}') == "MAX_DEPTH_LIMIT"
    assert refusal("{ __schema { types {" + " ofType {" * 30 + " name" + "}" * 33) == "MAX_DEPTH_LIMIT"


def test_introspection_does_not_lend_its_depth_to_data() -> None:
    fragment = f"fragment F on X {{ {nested(16)[1:-1]} }}"
    assert refusal(f"{{ __schema {{ ...F }} a {{ ...F }} }} {fragment}") == "MAX_DEPTH_LIMIT"
