"""Who may read what of a supergraph: the marks of its subgraphs, and the ways round them that were found."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from graphql import GraphQLError, build_schema, parse, print_ast

from hub.federation.guarded import MOST_TOLD, Guarded, NotGuarded, Refused, compiled
from hub.federation.marks import FREE, BadMark, Rule
from hub.federation.rules import rules_of

LINK = (
    'extend schema @link(url: "https://specs.apollo.dev/federation/v2.8", import: ["@key", "@external", '
    '"@requires", "@provides", "@context", "@fromContext", "@authenticated", "@requiresScopes", "@policy"])\n'
)
SCHOOLS = (
    LINK
    + """
type Query { pupil: Pupil, someone: Person, anybody: Anybody, people: [Person!]!, grade: Grade }
interface Person { name: String, phone: String @requiresScopes(scopes: [["phones"]]) }
type Pupil implements Person @key(fields: "id") {
  id: ID! name: String phone: String birthDate: String @authenticated
  roll: Roll
}
type Teacher implements Person { name: String @policy(policies: [["staff"]]) phone: String subject: String }
type Cook implements Person @requiresScopes(scopes: [["kitchen", "read"], ["admin"]]) {
  name: String phone: String
}
union Anybody = Pupil | Cook
type Roll @policy(policies: [["roll"]]) { number: String }
enum Grade @authenticated { G01 }
"""
)
CANTEEN = (
    LINK
    + """
type Query { menu: String }
type Pupil @key(fields: "id") {
  id: ID! birthDate: String @external
  cakeDay: String @requires(fields: "birthDate")
  cakeAnswer: String @requires(fields: "cakeDay")
}
"""
)


def asked(query: str, *subgraphs: str, operation: str | None = None) -> Guarded:
    return compiled(rules_of(*(subgraphs or (SCHOOLS, CANTEEN))), parse(query), operation)


def paths(refused: Refused) -> list[str]:
    assert {error.code for error in refused.errors} <= {"UNAUTHORIZED_FIELD_OR_TYPE"}
    return [".".join(error.path) for error in refused.errors]


def refused(
    query: str,
    scopes: str = "",
    policies: str = "",
    *subgraphs: str,
    signed_in: bool = True,
    variables: Mapping[str, object] | None = None,
) -> list[str]:
    """The paths that somebody with these scopes and policies does not get."""
    allows: Callable[[str], bool] = policies.split().__contains__
    return paths(
        asked(query, *subgraphs).refused(
            authenticated=signed_in, scopes=frozenset(scopes.split()), allows=allows, variables=variables
        )
    )


def left(query: str, scopes: str = "", *subgraphs: str, signed_in: bool = True) -> str:
    """The document that may be run."""
    found = asked(query, *subgraphs).refused(authenticated=signed_in, scopes=frozenset(scopes.split()))
    return " ".join(print_ast(found.document).split()) if found.document else ""


def test_who_is_not_signed_in_does_not_read_what_asks_for_it() -> None:
    assert refused("{ pupil { name birthDate } }", signed_in=False) == ["pupil.birthDate"]
    assert refused("{ pupil { name birthDate } }") == []


def test_what_nobody_is_refused_is_the_very_document() -> None:
    guarded = asked("{ pupil { name } menu }")
    assert guarded.refused(authenticated=False).document is guarded.document


@pytest.mark.parametrize(
    ("scopes", "sees"),
    [("", False), ("kitchen", False), ("read", False), ("kitchen read", True), ("admin", True)],
)
def test_scopes_are_an_or_of_ands(scopes: str, sees: bool) -> None:
    found = refused("{ anybody { ... on Cook { name } } }", scopes)
    assert found == ([] if sees else ["anybody.name"])


def test_a_type_that_is_marked_is_marked_wherever_it_is_returned() -> None:
    assert refused("{ pupil { roll { number } } grade }", signed_in=False) == ["pupil.roll", "grade"]
    assert refused("{ pupil { roll { number } } grade }", "", "roll") == []


def test_rules_of_several_subgraphs_add_up() -> None:
    one = LINK + 'type Query { a: Int @requiresScopes(scopes: [["x"], ["y"]]) }'
    other = LINK + 'type Query { a: Int @requiresScopes(scopes: [["z"]]) b: Int }'
    assert refused("{ a }", "x", "", one, other) == ["a"]
    assert refused("{ a }", "z", "", one, other) == ["a"]
    assert refused("{ a b }", "y z", "", one, other) == []


def test_a_rule_in_one_subgraph_holds_though_another_answers() -> None:
    open_one = LINK + "type Query { pupil: Pupil } type Pupil { birthDate: String @shareable }"
    assert refused("{ pupil { birthDate } }", "", "", open_one, SCHOOLS, signed_in=False)


def test_ghsa_mx7m_a_rule_on_an_object_is_not_passed_by_through_its_interface() -> None:
    """GHSA-mx7m-j9xf-62hw: `someone { name }` reads Teacher.name as well as `... on Teacher { name }`."""
    for query in (
        "{ someone { name } }",
        "{ someone { ... on Person { name } } }",
        "{ someone { ... { name } } }",
        "{ someone { ...f } } fragment f on Person { name }",
        "{ people { name } }",
    ):
        assert refused(query, "kitchen read"), query
        assert refused(query, "kitchen read", "staff") == [], query
        assert refused(query, "", "staff"), query
    assert refused("{ someone { ... on Pupil { name } } }") == []


def test_ghsa_mx7m_a_rule_on_an_interface_is_not_passed_by_through_its_objects() -> None:
    assert refused("{ pupil { phone } }") == ["pupil.phone"]
    assert refused("{ pupil { phone } }", "phones") == []
    assert refused("{ someone { ... on Teacher { phone } } }") == ["someone.phone"]


def test_an_interface_above_an_interface_and_one_that_another_subgraph_knows_hold_too() -> None:
    top = LINK + "interface Top @authenticated { id: ID } interface Mid implements Top { id: ID }"
    low = LINK + "type Query { low: Low } type Low implements Mid { id: ID } interface Mid { id: ID }"
    assert refused("{ low { id } }", "", "", top, low, signed_in=False) == ["low"]


def test_an_interface_object_marks_every_object_of_the_interface() -> None:
    base = (
        LINK + 'type Query { film: Film } interface Media @key(fields: "id") { id: ID } '
        'type Film implements Media @key(fields: "id") { id: ID }'
    )
    extra = LINK + 'type Media @interfaceObject @key(fields: "id") { id: ID views: Int @authenticated }'
    assert refused("{ film { id views } }", "", "", base, extra, signed_in=False) == ["film.views"]


def test_what_stands_there_is_not_told_by_its_type_name() -> None:
    assert refused("{ anybody { __typename } }") == ["anybody.__typename"]
    assert refused("{ anybody { ... on Pupil { __typename } } }") == []
    assert refused("{ anybody { __typename } }", "admin") == []
    assert refused("{ __typename }", signed_in=False) == []


def test_objects_of_a_marked_type_are_named_so_that_they_can_be_left_out_under_an_interface() -> None:
    guarded = asked("{ someone { ... on Pupil { name } } }")
    assert guarded.refused(authenticated=True).types == {"Cook"}
    assert guarded.refused(authenticated=True, scopes=frozenset({"admin"})).types == frozenset()
    assert asked("{ pupil { name } }").refused(authenticated=True).types == frozenset()


def test_ghsa_m8jr_a_field_that_requires_a_protected_one_is_protected_however_long_the_chain() -> None:
    """GHSA-m8jr-fxqx-8xx6: the answer of a field made from a protected one tells the protected one."""
    query = "{ pupil { cakeDay cakeAnswer } }"
    assert refused(query, signed_in=False) == ["pupil.cakeDay", "pupil.cakeAnswer"]
    assert refused(query) == []


def test_ghsa_m8jr_requires_reads_through_nested_sets_interfaces_and_fragments() -> None:
    made = (
        LINK
        + """type Query { club: Club }
      type Club @key(fields: "id") { id: ID head: Person @external member: Anybody @external
        badge: String @requires(fields: "head { name }")
        card: String @requires(fields: "member { ... on Cook { name } }")
        list: String @requires(fields: "member { ... on Pupil { name } }") }
      interface Person { name: String } union Anybody = Pupil | Cook
      type Pupil { name: String } type Cook { name: String }"""
    )
    query = "{ club { badge card list } }"
    assert refused(query, "", "staff", made, SCHOOLS) == ["club.badge", "club.card"]
    assert refused(query, "admin", "", made, SCHOOLS) == ["club.badge"]
    assert refused(query, "admin", "staff", made, SCHOOLS) == []


@pytest.mark.parametrize(
    "pulled", ["$land { code }", "$land ... on Region { code }", " $ land\n{ ... on Region { code } }"]
)
def test_ghsa_m8jr_a_field_given_a_protected_value_from_its_context_is_protected(pulled: str) -> None:
    made = (
        LINK
        + f"""type Query {{ region: Region }}
      type Region @context(name: "land") {{ code: String @authenticated school: School }}
      type School {{ sign(code: String @fromContext(field: "{pulled.replace(chr(10), " ")}")): String }}"""
    )
    assert refused("{ region { school { sign } } }", "", "", made, signed_in=False) == ["region.school.sign"]
    assert refused("{ region { school { sign } } }", "", "", made) == []


def test_a_context_on_an_interface_reads_every_object_under_it() -> None:
    made = (
        LINK
        + """type Query { school: School } interface Land @context(name: "land") { code: String }
      type City implements Land { code: String @policy(policies: [["maps"]]) school: School }
      type School { sign(code: String @fromContext(field: "$land { code }")): String }"""
    )
    assert refused("{ school { sign } }", "", "", made) == ["school.sign"]


def test_what_is_provided_is_the_same_field_by_another_way() -> None:
    made = (
        LINK
        + """type Query { desk: Desk } type Desk { owner: Pupil @provides(fields: "birthDate") }
      type Pupil @key(fields: "id") { id: ID! birthDate: String @external }"""
    )
    assert refused("{ desk { owner { id birthDate } } }", "", "", made, SCHOOLS, signed_in=False) == [
        "desk.owner.birthDate"
    ]


@pytest.mark.parametrize(
    ("link", "mark"),
    [
        ('@link(url: "https://specs.apollo.dev/federation/v2.5", import: ["@authenticated"])',
         "authenticated"),
        ('@link(url: "https://specs.apollo.dev/federation/v2.9", '
         'import: [{name: "@authenticated", as: "@signedIn"}])', "signedIn"),
        ('@link(url: "https://specs.apollo.dev/federation/v2.6")', "federation__authenticated"),
        ('@link(url: "https://specs.apollo.dev/federation/v2.6", as: "fed")', "fed__authenticated"),
        ('@link(url: "https://specs.apollo.dev/authenticated/v0.1", for: SECURITY)', "authenticated"),
        ('@link(url: "https://specs.apollo.dev/authenticated/v0.1", as: "in")', "in"),
        ('@link(url: "https://specs.apollo.dev/link/v1.0", as: "l") '
         '@l(url: "https://specs.apollo.dev/federation/v2.5", import: [{name: "@authenticated", as: "@in"}])',
         "in"),
        ("", "authenticated"),
    ],
)  # fmt: skip
def test_a_mark_counts_under_whatever_name_it_is_imported(link: str, mark: str) -> None:
    schema = f"extend schema {link}\n" if link else ""
    assert refused("{ a }", "", "", f"{schema}type Query {{ a: Int @{mark} }}", signed_in=False) == ["a"]


def test_one_mark_imported_under_anothers_name_is_what_it_is() -> None:
    swapped = (
        'extend schema @link(url: "https://specs.apollo.dev/federation/v2.6", import: '
        '[{name: "@policy", as: "@requiresScopes"}]) '
        'type Query { a: Int @requiresScopes(policies: [["p"]]) }'
    )
    assert refused("{ a }", "p", "", swapped) == ["a"]
    assert refused("{ a }", "", "p", swapped) == []


def test_marks_on_extensions_renamed_roots_scalars_and_plain_values_count() -> None:
    odd = (
        LINK
        + """schema { query: Root } type Root { day: Day, open: Int, one: One }
      scalar Day extend scalar Day @authenticated
      type One { a: Int } extend type One @requiresScopes(scopes: "solo")
      extend type Root { two: Int @requiresScopes(scopes: ["p", "q"]) }"""
    )
    assert refused("{ day open one { a } two }", "", "", odd, signed_in=False) == ["day", "one", "two"]
    assert refused("{ day open one { a } two }", "solo q", "", odd) == []


def test_a_choice_without_choices_lets_nobody_in() -> None:
    for mark in ("@requiresScopes(scopes: [])", "@policy(policies: [])"):
        closed = LINK + f"type Query {{ a: Int {mark} }}"
        assert refused("{ a }", "everything", "everything", closed) == ["a"]


@pytest.mark.parametrize(
    ("made", "place"),
    [
        ("type Query { a: Int @requiresScopes }", "Query.a"),
        ("type Query { a: Int @requiresScopes(scopes: [[1]]) }", "Query.a"),
        ("type Query @policy(policies: [null]) { a: Int }", "Query"),
        ('type Query { a: Int @requires(fields: "b {") }', "Query.a"),
        ('type Query { a: Int @requires(fields: "nothing") }', "Query.a"),
        ('type Query { a: Int @requires(fields: "...f") }', "Query.a"),
        ("type Query { a: Int @requires(fields: 7) }", "Query.a"),
        ('type Query { a(b: Int @fromContext(field: "$gone { c }")): Int }', "Query.a"),
        ('type Query { a(b: Int @fromContext(field: "c")): Int }', "Query.a"),
        ('type Query { a: Int @requires(fields: "b } { c") b: Int c: Int }', "Query.a"),
    ],
)
def test_a_mark_that_cannot_be_read_is_refused_with_its_place(made: str, place: str) -> None:
    with pytest.raises(BadMark) as caught:
        rules_of(LINK + made)
    assert caught.value.place == place


def test_what_is_no_sdl_is_refused() -> None:
    with pytest.raises(GraphQLError):
        rules_of("type Query {")
    with pytest.raises(BadMark):
        rules_of("#" * 4_000_001)


def test_a_schema_that_keeps_its_sdl_says_the_same() -> None:
    sdl = "directive @authenticated on FIELD_DEFINITION type Query { a: Int @authenticated b: Int }"
    assert rules_of(build_schema(sdl)).fields == rules_of(sdl).fields


def test_aliases_are_named_as_they_are_answered_and_every_one_is_refused() -> None:
    query = "{ x: pupil { y: birthDate z: birthDate name } w: pupil { birthDate } }"
    assert refused(query, signed_in=False) == ["x.y", "x.z", "w.birthDate"]
    assert left(query, signed_in=False) == "{ x: pupil { name } w: pupil { __typename } }"


def test_a_fragment_is_left_differently_where_it_stands_on_others() -> None:
    query = "{ someone { ...f } pupil { ...f } } fragment f on Person { name phone }"
    found = asked(query).refused(authenticated=True, scopes=frozenset({"phones"}))
    assert paths(found) == ["someone.name", "someone.phone"]
    assert found.document is not None
    text = " ".join(print_ast(found.document).split())
    assert text == "{ someone { __typename } pupil { ...part_1 } } fragment part_1 on Person { name phone }"


def test_what_is_skipped_is_no_error_and_yet_cut_out() -> None:
    query = (
        "query ($no: Boolean!) { pupil { name birthDate @include(if: $no) roll @skip(if: true) { number } } }"
    )
    assert refused(query, signed_in=False, variables={"no": False}) == []
    assert refused(query, signed_in=False, variables={"no": True}) == ["pupil.birthDate"]
    assert "birthDate" not in left(query, signed_in=False)


def test_nothing_left_is_no_document() -> None:
    found = asked("{ grade }").refused(authenticated=False)
    assert found.document is None
    assert paths(found) == ["grade"]


def test_a_mutation_that_is_refused_is_not_run() -> None:
    made = LINK + "type Query { a: Int } type Mutation { open: Int close: Int @authenticated }"
    assert left("mutation { open close }", "", made, signed_in=False) == "mutation { open }"


def test_the_schema_itself_may_be_read() -> None:
    assert refused('{ __schema { types { name } } __type(name: "Roll") { name } }', signed_in=False) == []


@pytest.mark.parametrize(
    "query",
    ["{ nothing }", "{ pupil { nothing } }", "{ pupil { ... on Nothing { a } } }", "{ anybody { name } }",
     "{ ...f } fragment f on Query { ...f }", "query A { menu } query B { menu }", "{ ...gone }"],
)  # fmt: skip
def test_an_operation_that_is_not_of_the_schema_is_not_let_through(query: str) -> None:
    with pytest.raises(NotGuarded):
        asked(query)


def test_one_of_several_operations_is_chosen_by_name() -> None:
    query = "query A { menu } query B { grade }"
    assert paths(asked(query, operation="B").refused(authenticated=False)) == ["grade"]


def test_fragments_that_fan_out_are_looked_at_once() -> None:
    """2^40 paths: neither compiling nor cutting may walk them."""
    deep = 40
    parts = [
        f"fragment f{n} on Pupil {{ a: friend {{ ...f{n + 1} }} b: friend {{ ...f{n + 1} }} }}"
        for n in range(deep)
    ]
    last = f"fragment f{deep} on Pupil {{ birthDate name }}"
    made = (
        LINK
        + "type Query { pupil: Pupil } "
        + "type Pupil { name: String friend: Pupil birthDate: String @authenticated }"
    )
    found = asked("{ pupil { ...f0 } } " + " ".join([*parts, last]), made).refused(authenticated=False)
    assert len(found.errors) == MOST_TOLD
    assert found.document is not None
    assert len(found.document.definitions) == deep + 2
    assert "birthDate" not in print_ast(found.document)


def test_too_deep_is_refused_and_no_overflow() -> None:
    made = LINK + "type Query { pupil: Pupil } type Pupil { friend: Pupil name: String }"
    with pytest.raises(NotGuarded):
        asked("{ pupil " + "{ friend " * 150 + "{ name } " + "}" * 151, made)


def test_each_policy_is_asked_for_once() -> None:
    counted: list[str] = []

    def allows(policy: str) -> bool:
        counted.append(policy)
        return True

    made = (
        LINK + 'type Query { a: Int @policy(policies: [["p", "q"], ["p"]]) b: Int @policy(policies: ["p"]) }'
    )
    guarded = asked("{ a b c: b }", made)
    assert guarded.policies == {"p", "q"}
    assert guarded.refused(authenticated=False, allows=allows).errors == ()
    assert sorted(counted) == ["p", "q"]


def test_rules_add_up_in_any_order() -> None:
    one, other = Rule(True), Rule(policies=frozenset({frozenset({frozenset({"p"})})}))
    assert one & other == other & one
    assert one & FREE is one
    assert FREE & one is one
    assert not FREE


def test_the_hubs_own_schema_can_be_guarded() -> None:
    from schema.graph.build import sdl

    rules = rules_of(sdl())
    guarded = compiled(rules, parse('{ me { displayName school { name } } node(id: "x") { id __typename } }'))
    assert guarded.refused(authenticated=False).document is guarded.document
