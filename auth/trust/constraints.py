"""Constraints that superiors set on everybody below them (Federation 1.0 §6.2).

Rule: each statement's constraints are applied on their own, to its subject and all below; none loosens
another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from auth.trust.identifiers import host_of

FEDERATION_ENTITY = "federation_entity"


class ConstraintBroken(ValueError):
    """`reason`: malformed | path-too-long | name-not-permitted; `entity`: whom it hits, "" the setter."""

    def __init__(self, reason: str, entity: str = "") -> None:
        super().__init__(reason)
        self.reason, self.entity = reason, entity


def check(constraints: Mapping[str, Any], between: int, below: Iterable[str]) -> None:
    """Raises `ConstraintBroken`. `between`: intermediates between who sets this and the chain's subject;
    `below`: the entities under who sets it."""
    longest = constraints.get("max_path_length")
    if longest is not None:
        if not isinstance(longest, int) or isinstance(longest, bool) or longest < 0:
            raise ConstraintBroken("malformed")
        if between > longest:
            raise ConstraintBroken("path-too-long")
    naming = constraints.get("naming_constraints")
    if naming is not None:
        permitted, excluded = _names(naming, "permitted"), _names(naming, "excluded") or ()
        for entity in below:
            host = host_of(entity)
            if _any(host, excluded) or (permitted is not None and not _any(host, permitted)):
                raise ConstraintBroken("name-not-permitted", entity)


def _names(naming: object, member: str) -> Sequence[str] | None:
    names = naming.get(member) if isinstance(naming, dict) else ""
    if names is None:
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise ConstraintBroken("malformed")
    return names


def _any(host: str, names: Sequence[str]) -> bool:
    return any(_fits(host, name.lower()) for name in names)


def _fits(host: str, name: str) -> bool:
    """RFC 5280 §4.2.1.10: with a leading dot any host below it, without one that host."""
    return host.endswith(name) and len(host) > len(name) if name.startswith(".") else host == name


def allowed_types(constraints: Mapping[str, Any]) -> frozenset[str] | None:
    """The entity types that subordinates may have; None: any. Raises `ConstraintBroken("malformed")`."""
    types = constraints.get("allowed_entity_types")
    if types is None:
        return None
    if not isinstance(types, list) or not all(isinstance(each, str) for each in types):
        raise ConstraintBroken("malformed")
    return frozenset((*types, FEDERATION_ENTITY))
