"""Whatever is asked in whatever way, no value leaves that a mark of its object or interface refuses.

The oracle reads marks only where they stand, and runs what is left with graphql-core on any objects.
"""

from __future__ import annotations

import random
from typing import Any

import hypothesis.strategies as st
from graphql import (
    DocumentNode,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLUnionType,
    build_schema,
    execute_sync,
    parse,
    validate,
)
from hypothesis import given, settings

from hub.federation.guarded import compiled
from hub.federation.rules import rules_of

DIRECTIVES = """directive @authenticated on OBJECT | FIELD_DEFINITION | INTERFACE
directive @requiresScopes(scopes: [[String!]!]!) on OBJECT | FIELD_DEFINITION | INTERFACE
"""
OBJECTS, INTERFACES, FIELDS = ("A", "B", "C"), ("I", "J"), ("p", "q", "next", "any")
RETURNS = {"p": "String", "q": "String", "next": "I", "any": "U"}
MARKS = st.sampled_from(["", "", "", "@authenticated", '@requiresScopes(scopes: [["s"]])'])


@st.composite
def countries(draw: st.DrawFn) -> tuple[str, dict[str, str]]:
    """An SDL of three objects under two interfaces and a union, and where its marks stand."""
    marks = {place: draw(MARKS) for name in (*OBJECTS, *INTERFACES)
             for place in (name, *(f"{name}.{one}" for one in FIELDS))}  # fmt: skip
    above = {name: draw(st.sampled_from(["I", "I & J"])) for name in OBJECTS}
    lines = [
        f"type Query {{ i: I u: U {' '.join(f'{n.lower()}: {n}' for n in OBJECTS)} }}",
        "union U = A | B | C",
    ]
    for name in (*INTERFACES, *OBJECTS):
        word = f"type {name} implements {above[name]}" if name in above else f"interface {name}"
        body = " ".join(f"{one}: {RETURNS[one]} {marks[f'{name}.{one}']}" for one in FIELDS)
        lines.append(f"{word} {marks[name]} {{ {body} }}")
    lines.append("type Ignored implements J { p: String q: String next: I any: U }")
    return "\n".join(lines), marks


@st.composite
def queries(draw: st.DrawFn, on: str = "Query", depth: int = 3) -> str:
    """A selection on a type, by fields, aliases and fragments."""
    if on == "Query":
        pick = draw(
            st.lists(
                st.sampled_from([("i", "I"), ("u", "U"), ("a", "A"), ("b", "B")]), min_size=1, max_size=3
            )
        )
        return (
            "{ "
            + " ".join(f"r{n}: {one} {draw(queries(to, depth))}" for n, (one, to) in enumerate(pick))
            + " }"
        )
    parts = (
        []
        if on == "U"
        else [
            f"x{draw(st.integers(0, 99))}{one}: {one}"
            for one in draw(st.sets(st.sampled_from("pq"), min_size=1))
        ]
    )
    if depth:
        for to in draw(st.sets(st.sampled_from([*OBJECTS, *INTERFACES]), min_size=on == "U", max_size=2)):
            parts.append(f"... on {to} {draw(queries(to, depth - 1))}")
        if on != "U" and draw(st.booleans()):
            parts.append(f"n{draw(st.integers(0, 99))}: next {draw(queries('I', depth - 1))}")
    parts += ["__typename"] if draw(st.booleans()) or not parts else []
    return "{ " + " ".join(parts) + " }"


def told(sdl: str, document: DocumentNode, seed: int) -> set[str]:
    """The coordinates whose values an execution tells, every abstract field an object by chance."""
    schema = build_schema(DIRECTIVES + sdl)
    chance = random.Random(seed)
    heard: set[str] = set()

    def resolve(_source: object, info: Any) -> Any:
        kind = info.return_type
        if isinstance(kind, GraphQLInterfaceType | GraphQLUnionType):
            return {"__typename": chance.choice(OBJECTS)}
        if isinstance(kind, GraphQLObjectType):
            return {"__typename": kind.name}
        heard.add(f"{info.parent_type.name}.{info.field_name}")
        return "value"

    result = execute_sync(schema, document, field_resolver=resolve)
    assert not result.errors, result.errors
    return heard


@settings(max_examples=150, deadline=None)
@given(countries(), queries(), st.booleans(), st.booleans(), st.integers(0, 9))
def test_no_value_leaves_that_a_mark_refuses(
    country: tuple[str, dict[str, str]], query: str, signed_in: bool, scoped: bool, seed: int
) -> None:
    sdl, marks = country
    document = parse(query)
    if validate(build_schema(DIRECTIVES + sdl), document):
        return
    scopes = frozenset({"s"}) if scoped else frozenset()
    found = compiled(rules_of(sdl), document).refused(authenticated=signed_in, scopes=scopes)
    schema = build_schema(DIRECTIVES + sdl)

    def shut(mark: str) -> bool:
        inside = signed_in and (scoped or "Scopes" not in mark)
        return bool(mark) and not inside

    if found.document is None:
        return
    assert not validate(schema, found.document)
    for turn in range(4):
        for place in told(sdl, found.document, seed + turn):
            name, one = place.split(".")
            kind = schema.type_map[name]
            assert isinstance(kind, GraphQLObjectType)
            line = [name, *(above.name for above in kind.interfaces)]
            closed = [at for at in (*line, *(f"{each}.{one}" for each in line)) if shut(marks.get(at, ""))]
            assert not closed, (place, closed)


@settings(max_examples=60, deadline=None)
@given(countries(), queries())
def test_who_may_read_everything_is_cut_nothing(country: tuple[str, dict[str, str]], query: str) -> None:
    document = parse(query)
    if validate(build_schema(DIRECTIVES + country[0]), document):
        return
    found = compiled(rules_of(country[0]), document).refused(authenticated=True, scopes=frozenset({"s"}))
    assert found.document is document
    assert not found.errors
