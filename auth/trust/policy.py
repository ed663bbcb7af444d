"""Metadata policies: checked, merged from the anchor down, applied to what a leaf says (Federation 1.0 §6.1).

Rule 1: merging only ever narrows; what cannot be narrowed together is a contradiction, and the chain falls.
Rule 2: arrays are sets here: their order means nothing, a value counts once; nothing compares each with each.
Rule 3: `scope` is a list in policies and a string with blanks in metadata (§6.1.3.1.8).
Rule 4: this file does no I/O and knows no chains.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

OPERATORS = ("value", "add", "default", "one_of", "subset_of", "superset_of", "essential")
"""The standard operators, in the order in which they are applied."""
_SETS = ("add", "subset_of", "superset_of")
_LISTS = ("add", "one_of", "subset_of", "superset_of")
MOST_VALUES = 500

Operators = dict[str, Any]
Policy = dict[str, dict[str, Operators]]
"""Entity type -> metadata parameter -> operator -> its value."""


class PolicyFlaw(ValueError):
    """`kind`: malformed | contradiction | violated; `place`: entity type and parameter."""

    def __init__(self, kind: str, place: str) -> None:
        super().__init__(f"{kind}: {place}")
        self.kind, self.place = kind, place


def checked(claim: object) -> Policy:
    """A `metadata_policy` claim whose every parameter is well-formed and in itself free of contradiction.

    Operators that are not standard are left out (§6.1.3.2). Raises `PolicyFlaw`.
    """
    if not isinstance(claim, dict):
        raise PolicyFlaw("malformed", "metadata_policy")
    return {kind: _checked_type(kind, rules) for kind, rules in claim.items()}


def _checked_type(kind: str, rules: object) -> dict[str, Operators]:
    if not isinstance(rules, dict):
        raise PolicyFlaw("malformed", kind)
    return {name: _checked_parameter(f"{kind}.{name}", name, given) for name, given in rules.items()}


def _checked_parameter(place: str, name: str, given: object) -> Operators:
    if not isinstance(given, dict):
        raise PolicyFlaw("malformed", place)
    found = {key: _as_list(name, given[key]) for key in OPERATORS if key in given}
    for key, value in found.items():
        if not _TYPES[key](value):
            raise PolicyFlaw("malformed", f"{place}.{key}")
    _refuse_contradictions(place, found)
    return found


def _as_list(name: str, value: Any) -> Any:
    return value.split() if name == "scope" and isinstance(value, str) else value


def _is_array(value: object) -> bool:
    return isinstance(value, list) and len(value) <= MOST_VALUES and all(map(_is_item, value))


def _is_item(value: object) -> bool:
    return isinstance(value, str | int | float | dict) and not isinstance(value, bool)


_TYPES: dict[str, Callable[[Any], bool]] = {
    "value": lambda value: True,
    "add": _is_array,
    "default": lambda value: value is not None,
    "one_of": lambda value: bool(value) and _is_array(value),
    "subset_of": _is_array,
    "superset_of": _is_array,
    "essential": lambda value: isinstance(value, bool),
}


def merged(superior: Policy, subordinate: Policy) -> Policy:
    """Both policies as one, as narrow as both. Raises `PolicyFlaw("contradiction")` (§6.1.4.1)."""
    kinds = dict.fromkeys((*superior, *subordinate))
    return {kind: _merged_type(kind, superior.get(kind, {}), subordinate.get(kind, {})) for kind in kinds}


def _merged_type(
    kind: str, above: Mapping[str, Operators], below: Mapping[str, Operators]
) -> dict[str, Operators]:
    names = dict.fromkeys((*above, *below))
    found = {}
    for name in names:
        place = f"{kind}.{name}"
        one = _merged_parameter(place, above.get(name, {}), below.get(name, {}))
        _refuse_contradictions(place, one)
        found[name] = one
    return found


def _merged_parameter(place: str, above: Operators, below: Operators) -> Operators:
    found: Operators = {}
    for key in OPERATORS:
        if key in above and key in below:
            found[key] = _merged_value(f"{place}.{key}", key, above[key], below[key])
        elif key in above or key in below:
            found[key] = above.get(key, below.get(key))
    return found


def _merged_value(place: str, key: str, above: Any, below: Any) -> Any:
    if key == "essential":
        return above or below
    if key in ("add", "superset_of"):
        return _union(above, below)
    if key == "subset_of":
        return _common(above, below)
    if key == "one_of":
        both = _common(above, below)
        if not both:
            raise PolicyFlaw("contradiction", place)
        return both
    if _marks(above) != _marks(below):  # value, default
        raise PolicyFlaw("contradiction", place)
    return above


def _refuse_contradictions(place: str, rules: Operators) -> None:
    """Raises `PolicyFlaw` for operators that may not stand together (§6.1.3.1)."""
    if not _may_stand_together(rules):
        raise PolicyFlaw("contradiction", place)


def _may_stand_together(rules: Operators) -> bool:
    if "one_of" in rules and any(key in rules for key in _SETS):
        return False
    if "subset_of" in rules:
        for key in ("add", "superset_of"):
            if key in rules and not _within(rules[key], rules["subset_of"]):
                return False
    return "value" not in rules or _value_fits(rules["value"], rules)


def _value_fits(value: Any, rules: Operators) -> bool:
    if value is None and ("default" in rules or rules.get("essential")):
        return False
    if "one_of" in rules and _mark(value) not in set(map(_mark, rules["one_of"])):
        return False
    if any(key in rules for key in _SETS) and not isinstance(value, list):
        return False
    return (
        ("add" not in rules or _within(rules["add"], value))
        and ("subset_of" not in rules or _within(value, rules["subset_of"]))
        and ("superset_of" not in rules or _within(rules["superset_of"], value))
    )


def applied(policy: Policy, metadata: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """`metadata` as `policy` makes it; entity types that it does not hold are not added.

    Raises `PolicyFlaw("violated")` naming the parameter (§6.1.4.2).
    """
    return {kind: _applied_type(kind, policy.get(kind, {}), values) for kind, values in metadata.items()}


def _applied_type(kind: str, rules: Mapping[str, Operators], values: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(values)
    for name, operators in rules.items():
        value = _applied(f"{kind}.{name}", operators, _as_list(name, found.get(name)))
        if value is None:
            found.pop(name, None)
        else:
            found[name] = " ".join(value) if name == "scope" and isinstance(value, list) else value
    return found


def _applied(place: str, rules: Operators, value: Any) -> Any:
    """The parameter after all operators; None: it is absent."""
    if "value" in rules:
        value = rules["value"]
    if "add" in rules:
        value = _union(_array(place, value), rules["add"])
    if value is None:
        value = rules.get("default")
    if value is None:
        if rules.get("essential"):
            raise PolicyFlaw("violated", f"{place}.essential")
        return None
    return _narrowed(place, rules, value)


def _narrowed(place: str, rules: Operators, value: Any) -> Any:
    if "one_of" in rules and _mark(value) not in set(map(_mark, rules["one_of"])):
        raise PolicyFlaw("violated", f"{place}.one_of")
    if "subset_of" in rules:
        value = _common(_array(place, value), rules["subset_of"])
    if "superset_of" in rules and not _within(rules["superset_of"], _array(place, value)):
        raise PolicyFlaw("violated", f"{place}.superset_of")
    return value


def _array(place: str, value: Any) -> list[Any]:
    if value is None:
        return []
    if not _is_array(value):
        raise PolicyFlaw("violated", place)
    return list(value)


def _mark(value: Any) -> str:
    """One text for equal JSON values: 1 and 1.0 are equal, 1 and true are not."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _marks(value: Any) -> object:
    """As `_mark`, an array as a set."""
    return frozenset(map(_mark, value)) if isinstance(value, list) else _mark(value)


def _within(some: Any, others: Any) -> bool:
    return set(map(_mark, some)) <= set(map(_mark, others))


def _union(above: Sequence[Any], below: Iterable[Any]) -> list[Any]:
    return list({_mark(value): value for value in (*above, *below)}.values())


def _common(above: Sequence[Any], below: Sequence[Any]) -> list[Any]:
    kept = set(map(_mark, below))
    return list({mark: value for value in above if (mark := _mark(value)) in kept}.values())


def bounds(policy: Policy, kind: str, name: str) -> bool:
    """Whether a policy says which values a parameter may have at all."""
    rules = policy.get(kind, {}).get(name, {})
    return any(key in rules for key in ("value", "one_of", "subset_of"))
