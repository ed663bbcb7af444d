"""Fields that merge under one path are counted in linear work, and compared within a budget."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from typing import Any

import pytest
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    OperationDefinitionNode,
    SelectionSetNode,
    build_schema,
    parse,
    validate,
)
from graphql.validation.rules import overlapping_fields_can_be_merged as overlapping
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.web.documents import Documents
from hub.web.errors import Refusal
from hub.web.limits import LimitExceeded, Limits, measure
from hub.web.merging import COMPARISONS, RULES, STEPS, MergeCount, bound_merges
from tests.hub.web.served import Hub, codes

LIMITS = Limits()
SCHEMA = build_schema("type Query { a(x: Int): Query b: Query c: Int d(x: [Int]): Int }")
FIELDS = ("a", "b", "c", "d", "k: a", "k: a(x: 1)", "a(x: 1)", "d(x: [1, 2])")


def merged(query: str) -> int:
    return bound_merges(parse(query), LIMITS)


@st.composite
def hostile(draw: st.DrawFn, widest: int = 12, most_fragments: int = 40) -> str:
    """A document made to merge: few names, repeated sets, inline fragments, fragments spread by many."""
    count = draw(st.integers(0, most_fragments))

    def selections(depth: int, above: int) -> str:
        return "{ c " + " ".join(each(depth, above) * draw(st.integers(1, widest)) for _ in range(2)) + "}"

    def each(depth: int, above: int) -> str:
        kinds = ["field", *(["set", "inline"] if depth else []), *(["spread"] if above < count else [])]
        match draw(st.sampled_from(kinds)):
            case "set":
                return draw(st.sampled_from(("a", "b", "k: b"))) + selections(depth - 1, above)
            case "inline":
                return "... " + selections(depth - 1, above)
            case "spread":
                return " ".join(f"...f{i}" for i in range(above, draw(st.integers(above, count - 1)) + 1))
        name = draw(st.sampled_from(FIELDS))
        return name + (" " if name[0] in "cd" else " { c } ")

    body = selections(3, 0)
    one = selections(1, count)  # the same for all fragments, for that is what costs most to compare
    return body + " ".join(f"fragment f{i} on Query {one}" for i in range(count))


def passing(query: str) -> DocumentNode | None:
    """The document, if it is within every limit that is looked at before merging."""
    try:
        document = parse(query, max_lexical_tokens=LIMITS.tokens)
        measure(document, LIMITS)
    except Exception:
        return None
    return document


def naive(document: DocumentNode) -> int:
    """Fields that share a path, by writing every path of the expanded document out."""
    fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
    paths: Counter[tuple[str, ...]] = Counter()

    def walk(chosen: SelectionSetNode, path: tuple[str, ...]) -> None:
        for node in chosen.selections:
            if isinstance(node, FieldNode):
                below = (*path, (node.alias or node.name).value)
                paths[below] += 1
                if node.selection_set:
                    walk(node.selection_set, below)
            elif isinstance(node, FragmentSpreadNode):
                walk(fragments[node.name.value].selection_set, path)
            else:
                walk(node.selection_set, path)  # type: ignore[attr-defined]

    for number, root in enumerate(document.definitions):
        assert isinstance(root, OperationDefinitionNode | FragmentDefinitionNode)
        walk(root.selection_set, (str(number),))
    return sum(count for count in paths.values() if count > 1)


def test_fields_under_one_path_are_counted_through_sets_fragments_and_aliases() -> None:
    assert merged("{ a { c } b { c } }") == 0
    assert merged("{ a { c } a { c } }") == 2 + 2
    assert merged("{ a { c } k: a { c } }") == 0
    assert merged("{ a { c } ... { a { d } } ...F } fragment F on Query { a { c } }") == 3 + 2
    assert merged("{ ...F ...F b { ...F } } fragment F on Query { c }") == 0
    assert merged("{ a { ...F } a { ...F } } fragment F on Query { c b { c } }") == 2


def test_a_count_of_fragments_in_a_circle_ends() -> None:
    assert merged("{ a { ...F } ...Missing } fragment F on Query { a { ...F } }") == 0
    with pytest.raises(LimitExceeded):
        merged("{ a { ...F } } fragment F on Query { a { ...F } a { c } }")


@pytest.mark.parametrize(
    "query",
    [
        "{" + ("a{" + "a{c}" * 20 + "}") * 19 + "}",
        "{" + "...{c}" * 401 + "}",
        "{"
        + "".join(f"...f{i} " for i in range(90))
        + "}"
        + "".join(f"fragment f{i} on Query{{a{{b{{c}} k:b{{c d}}}}}}" for i in range(90)),
    ],
)
def test_more_than_four_hundred_are_refused_before_they_are_compared(query: str) -> None:
    with pytest.raises(LimitExceeded) as refused:
        merged(query)
    assert refused.value.code == "MAX_MERGED_FIELDS_LIMIT"


@settings(deadline=None, max_examples=60)
@given(hostile())
def test_the_count_is_linear_in_what_it_may_count(query: str) -> None:
    if (document := passing(query)) is None:
        return
    count = MergeCount(document, LIMITS.merged_fields)
    with contextlib.suppress(LimitExceeded):
        count.run()
    assert count.steps <= STEPS * LIMITS.merged_fields + LIMITS.tokens
    assert count.merged <= LIMITS.merged_fields + LIMITS.tokens


@settings(deadline=None, max_examples=60)
@given(hostile(widest=3, most_fragments=3))
def test_nothing_that_merges_is_overlooked(query: str) -> None:
    document = passing(query)
    if document is None:
        return
    everything = MergeCount(document, 10**6).run()
    assert everything <= naive(document)
    if not measure(document, LIMITS).merges:
        assert naive(document) == 0


@settings(deadline=None, max_examples=60)
@given(hostile())
def test_validation_compares_no_more_pairs_than_its_budget(query: str) -> None:
    if (document := passing(query)) is None:
        return
    compared = 0
    original = overlapping.find_conflict

    def counted(*given: Any, **more: Any) -> Any:
        nonlocal compared
        compared += 1
        return original(*given, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overlapping, "find_conflict", counted)
        with contextlib.suppress(LimitExceeded):
            validate(SCHEMA, document, RULES)
    assert compared <= COMPARISONS // 2 + 1


def test_the_rule_gives_up_by_itself_and_reports_conflicts_as_ever() -> None:
    hostile_ = parse("{" + ("a{" + "a{c}" * 20 + "}") * 19 + "}")
    with pytest.raises(LimitExceeded) as refused:
        validate(SCHEMA, hostile_, RULES)
    assert refused.value.code == "MAX_MERGED_FIELDS_LIMIT"
    errors = validate(SCHEMA, parse("{ a { c } a: b { c } }"), RULES)
    assert [error.message.split(" because")[0] for error in errors] == ["Fields 'a' conflict"]
    many = " ".join(f"x{i}: c x{i}: d" for i in range(20))
    assert len(validate(SCHEMA, parse(f"{{ {many} }}"), RULES, max_errors=8)) == 9


def long(name: str) -> str:
    return f"{{ {name}: a {{ c }} }} # " + "长" * 300


async def test_unknown_documents_wait_in_a_short_queue_and_the_rest_comes_back_later() -> None:
    documents = Documents(SCHEMA, LIMITS, pending=2)
    asked = (documents.ready(long(f"a{i}"), None) for i in range(5))
    answers = await asyncio.gather(*asked, return_exceptions=True)
    refused = [each for each in answers if isinstance(each, Refusal)]
    assert [(each.status, each.code, each.headers) for each in refused] == [
        (503, "OVERLOADED", {"Retry-After": "1"})
    ] * 3
    assert len(documents) == 2
    await asyncio.gather(*(documents.ready(long("a0"), None) for _ in range(50)))  # known ones never wait
    await documents.ready(long("a4"), None)
    assert len(documents) == 3


async def test_one_document_that_many_ask_for_at_once_is_made_once() -> None:
    documents = Documents(SCHEMA, LIMITS)
    made = await asyncio.gather(*(documents.ready(long("a"), None) for _ in range(20)))
    assert all(each is made[0] for each in made)


async def test_an_overload_of_unknown_documents_is_told_over_http(demo: Hub) -> None:
    demo.endpoint.documents = Documents(demo.graph.schema, LIMITS, pending=0)
    async with demo.http.post(f"{demo.url}/graphql", json={"query": "{ rare } # " + "长" * 300}) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
        assert codes(await answer.json()) == ["OVERLOADED"]
    assert (await demo.ask("{ rare }"))[0] == 200
