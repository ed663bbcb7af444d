"""Policies narrow from the anchor down, contradict each other openly, and merge the same in any grouping."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auth.trust.policy import OPERATORS, Policy, PolicyFlaw, applied, checked, merged

RP = "openid_relying_party"


def policy(**operators: Any) -> Policy:
    return checked({RP: {"contacts": operators}})


def outcome(rules: Policy, *value: Any) -> Any:
    """The parameter after the policy; "absent" when it is not there."""
    said = {RP: {"contacts": value[0]} if value else {}}
    return applied(rules, said)[RP].get("contacts", "absent")


def flaw(*claims: dict[str, Any], said: dict[str, Any] | None = None) -> str:
    """What is wrong with policies from the anchor down, applied to metadata."""
    with pytest.raises(PolicyFlaw) as caught:
        _resolved(claims, said or {})
    return caught.value.kind


def _resolved(claims: Sequence[dict[str, Any]], said: dict[str, Any]) -> None:
    rules: Policy = {}
    for claim in claims:
        rules = merged(rules, checked({RP: claim}))
    applied(rules, {RP: said})


def test_operators_are_applied_in_their_order() -> None:
    rules = policy(add=["b"], default=["z"], subset_of=["a", "b", "z"], superset_of=["b"], essential=True)
    assert outcome(rules) == ["b"]
    assert outcome(rules, ["a", "x"]) == ["a", "b"]
    assert outcome(policy(default=["z"], essential=True)) == ["z"]
    assert outcome(policy(value=["v"]), ["a"]) == ["v"]
    assert outcome(policy(value=None), ["a"]) == "absent"


def test_a_subset_may_come_out_empty_and_an_absent_parameter_stays_absent() -> None:
    assert outcome(policy(subset_of=["a"], essential=True), ["x"]) == []
    assert outcome(policy(subset_of=["a"], superset_of=["a"])) == "absent"


@pytest.mark.parametrize(
    ("above", "below"),
    [
        ({"value": "a"}, {"value": "b"}),
        ({"value": 1}, {"value": True}),
        ({"default": "a"}, {"default": "b"}),
        ({"one_of": ["a"]}, {"one_of": ["b"]}),
        ({"one_of": ["a"]}, {"value": "b"}),
        ({"one_of": ["a"]}, {"add": ["a"]}),
        ({"one_of": ["a"]}, {"subset_of": ["a"]}),
        ({"one_of": ["a"]}, {"superset_of": ["a"]}),
        ({"subset_of": ["a"]}, {"superset_of": ["b"]}),
        ({"subset_of": ["a"]}, {"add": ["b"]}),
        ({"subset_of": ["a"]}, {"value": ["b"]}),
        ({"superset_of": ["a"]}, {"value": ["b"]}),
        ({"value": ["a"]}, {"add": ["b"]}),
        ({"value": None}, {"essential": True}),
        ({"value": None}, {"default": "a"}),
        ({"value": None}, {"superset_of": ["a"]}),
    ],
)
def test_policies_that_cannot_both_hold_contradict_each_other(
    above: dict[str, Any], below: dict[str, Any]
) -> None:
    assert flaw({"contacts": above}, {"contacts": below}) == "contradiction"
    assert flaw({"contacts": below}, {"contacts": above}) == "contradiction"
    assert flaw({"contacts": above | below} if above.keys() != below.keys() else {}, {"contacts": above},
                {"contacts": below}) == "contradiction"  # fmt: skip


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"essential": True}, {}),
        ({"one_of": ["a"]}, {"contacts": "b"}),
        ({"superset_of": ["a"]}, {"contacts": ["b"]}),
        ({"subset_of": ["a"]}, {"contacts": "a"}),
        ({"add": ["a"]}, {"contacts": {"a": 1}}),
    ],
)
def test_metadata_that_breaks_a_policy_is_told(rules: dict[str, Any], said: dict[str, Any]) -> None:
    assert flaw({"contacts": rules}, said=said) == "violated"


@pytest.mark.parametrize(
    "rules",
    [{"add": "a"}, {"add": [None]}, {"one_of": []}, {"one_of": "a"}, {"subset_of": {}}, {"superset_of": 1},
     {"essential": "true"}, {"default": None}, {"subset_of": ["x"] * 501}],
)  # fmt: skip
def test_an_operator_with_a_value_of_another_kind_is_malformed(rules: dict[str, Any]) -> None:
    assert flaw({"contacts": rules}) == "malformed"


@pytest.mark.parametrize(
    ("above", "below", "together"),
    [
        ({"subset_of": ["a", "b"]}, {"subset_of": ["b", "c"]}, {"subset_of": ["b"]}),
        ({"subset_of": ["a"]}, {"subset_of": ["b"]}, {"subset_of": []}),
        ({"superset_of": ["a"]}, {"superset_of": ["b"]}, {"superset_of": ["a", "b"]}),
        ({"add": ["a"]}, {"add": ["b", "a"]}, {"add": ["a", "b"]}),
        ({"one_of": ["a", "b"]}, {"one_of": ["b", "c"]}, {"one_of": ["b"]}),
        ({"essential": True}, {"essential": False}, {"essential": True}),
        ({"default": ["a", "b"]}, {"default": ["b", "a"]}, {"default": ["a", "b"]}),
        ({"value": 1}, {"value": 1.0, "essential": True}, {"value": 1, "essential": True}),
    ],
)
def test_what_two_policies_say_together(
    above: dict[str, Any], below: dict[str, Any], together: dict[str, Any]
) -> None:
    assert merged(policy(**above), policy(**below)) == {RP: {"contacts": together}}


def test_scope_is_a_list_in_policies_and_words_in_metadata() -> None:
    rules = checked({RP: {"scope": {"subset_of": ["openid", "graph"], "superset_of": ["openid"]}}})
    assert applied(rules, {RP: {"scope": "graph openid email"}})[RP]["scope"] == "graph openid"
    spoken = checked({RP: {"scope": {"default": "openid profile"}}})
    assert applied(spoken, {RP: {}})[RP]["scope"] == "openid profile"
    with pytest.raises(PolicyFlaw):
        applied(rules, {RP: {"scope": "graph"}})


def test_types_that_the_entity_does_not_have_are_left_alone() -> None:
    rules = checked({"openid_provider": {"issuer": {"essential": True}}})
    assert applied(rules, {RP: {"a": 1}}) == {RP: {"a": 1}}


# --- properties

_word = st.sampled_from(["a", "b", "c", "d"])
_words = st.lists(_word, unique=True, max_size=4)
_few = st.lists(_word, unique=True, max_size=2)
_many = st.lists(_word, unique=True, min_size=2, max_size=4)
_any = {
    "value": st.one_of(_words, _word, st.none()), "add": _words, "default": st.one_of(_words, _word),
    "one_of": st.lists(_word, unique=True, min_size=1, max_size=4), "subset_of": _words,
    "superset_of": _words, "essential": st.booleans(),
}  # fmt: skip
# Kinds of policies that people write, and a mixture of everything, most of which contradicts itself.
_of_sets = {"subset_of": _many, "add": _few, "superset_of": _few, "essential": st.booleans(), "default": _few}
_of_one = {"one_of": _many, "default": _word, "essential": st.booleans()}
_set = {"value": _words, "subset_of": _many, "essential": st.booleans()}
_kinds = (_of_sets, _of_one, _set, _any)
_operators = st.one_of(*(st.fixed_dictionaries({}, optional=kind) for kind in _kinds))
_said = st.one_of(_words, _words, _word, st.just("absent"))


def _sound(operators: dict[str, Any]) -> Policy | None:
    try:
        return checked({RP: {"contacts": operators}})
    except PolicyFlaw:
        return None


_policies = _operators.map(_sound).filter(lambda rules: rules is not None).map(lambda rules: rules or {})


def _together(*rules: Policy) -> Policy | None:
    """Merged from the left; None when they contradict each other."""
    found: Policy = {}
    try:
        for each in rules:
            found = merged(found, each)
    except PolicyFlaw:
        return None
    return found


def _as_sets(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _as_sets(each) for key, each in value.items()}
    return sorted(map(json.dumps, value)) if isinstance(value, list) else value


@settings(max_examples=400, deadline=None)
@given(_policies, _policies, _policies)
def test_merging_is_associative(first: Policy, second: Policy, third: Policy) -> None:
    left = _together(first, second, third)
    below = _together(second, third)
    right = None if below is None else _together(first, below)
    assert _as_sets(left) == _as_sets(right)


@settings(max_examples=400, deadline=None)
@given(_policies, _policies)
def test_merging_does_not_mind_who_is_above(first: Policy, second: Policy) -> None:
    assert _as_sets(_together(first, second)) == _as_sets(_together(second, first))


@settings(max_examples=200, deadline=None)
@given(_policies)
def test_merging_a_policy_with_itself_or_with_none_changes_nothing(rules: Policy) -> None:
    assert _as_sets(_together(rules, rules)) == _as_sets(rules)
    assert _together({}, rules) == merged(rules, {}) == rules


@settings(max_examples=600, deadline=None)
@given(_policies, _policies, _said)
def test_what_comes_out_satisfies_both_policies(first: Policy, second: Policy, said: Any) -> None:
    both = _together(first, second)
    if both is None:
        return
    metadata = {RP: {} if said == "absent" else {"contacts": said}}
    try:
        resolved = applied(both, metadata)
    except PolicyFlaw:
        return
    for alone in (first, second, both):
        assert _as_sets(applied(alone, resolved)) == _as_sets(resolved)


@settings(max_examples=300, deadline=None)
@given(_policies, _policies, _said)
def test_a_subordinate_never_opens_what_a_superior_closed(
    superior: Policy, subordinate: Policy, said: Any
) -> None:
    """Where the superior bounds the values, nothing outside of them comes out."""
    both = _together(superior, subordinate)
    bound = superior[RP]["contacts"].get("subset_of")
    if both is None or bound is None:
        return
    try:
        resolved = applied(both, {RP: {} if said == "absent" else {"contacts": said}})
    except PolicyFlaw:
        return
    assert set(resolved[RP].get("contacts", [])) <= set(bound)


@settings(max_examples=300, deadline=None)
@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from((*OPERATORS, RP)), inner),
    max_leaves=20,
))  # fmt: skip
def test_whatever_stands_in_a_policy_is_either_sound_or_refused(claim: Any) -> None:
    with contextlib.suppress(PolicyFlaw):
        rules = checked(claim)
        applied(merged(rules, rules), {RP: {"contacts": ["a"]}})
