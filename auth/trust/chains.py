"""Trust chains: statements from an entity up to its anchor, validated and resolved (Federation 1.0 §10.2).

Rule 1: each statement is signed by a key that the next one up publishes for its issuer; the anchor's own by
a key that was handed over out of band. No key of a chain vouches for itself.
Rule 2: policies are merged from the anchor down; then metadata of the immediate superior, allowed types and
policy are applied to the leaf's metadata, in this order.
Rule 3: this file does no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from auth.trust import constraints, policy
from auth.trust.constraints import ConstraintBroken
from auth.trust.errors import Distrusted
from auth.trust.keys import Published
from auth.trust.policy import Policy, PolicyFlaw
from auth.trust.statements import Statement

REGION, LEVEL = "education_region", "education_level"
"""Our parameters of `federation_entity` metadata: which division an authority speaks for, on which level.
They count only where its superior says them in the statement about it."""

Metadata = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Chain:
    """A valid chain of `entity` to `anchor` and what it resolves to.

    `statements`: the entity's configuration, statements of each superior about the one below, the anchor's
    configuration. `ends`: when the first of them ends. `removed`: entity types that were not allowed.
    """

    entity: str
    anchor: str
    statements: tuple[Statement, ...] = field(repr=False)
    metadata: Metadata = field(repr=False)
    policy: Policy = field(repr=False)
    ends: float
    region: str
    removed: frozenset[str] = frozenset()

    @property
    def tokens(self) -> list[str]:
        """The statements as they were signed, for `trust_chain`."""
        return [each.token for each in self.statements]

    @property
    def entities(self) -> tuple[str, ...]:
        """From the entity to its anchor."""
        return tuple(dict.fromkeys(each.sub for each in self.statements))

    @property
    def keys(self) -> Published:
        """The entity's federation keys, as itself and its superior publish them."""
        own, attested = self.statements[0].keys, self.statements[min(1, len(self.statements) - 1)].keys
        return {kid: key for kid, key in own.items() if kid in attested}


def validated(statements: Sequence[Statement], anchor: str, keys: Published) -> Chain:
    """The chain that `statements` are. Each has been read by `statements.statement`, so that times, types and
    names are right by themselves. `keys`: the anchor's, handed over out of band. Raises `Distrusted`.
    """
    _linked(statements, anchor)
    _signed(statements, keys)
    removed = _constrained(statements)
    rules = _policy(statements)
    metadata, gone = _stated(statements, removed)
    try:
        resolved = policy.applied(rules, metadata)
    except PolicyFlaw as flaw:
        raise Distrusted("policy-violated", statements[0].sub, 0, detail=flaw.place) from None
    return Chain(
        entity=statements[0].sub, anchor=anchor, statements=tuple(statements), metadata=resolved,
        policy=rules, ends=min(each.until for each in statements), region=_region(statements), removed=gone,
    )  # fmt: skip


def _linked(statements: Sequence[Statement], anchor: str) -> None:
    first, last = statements[0], statements[-1]
    if first.iss != first.sub:
        raise Distrusted("wrong-issuer", first.sub, 0)
    if last.iss != anchor or last.sub != anchor:
        raise Distrusted("unknown-anchor", last.iss, len(statements) - 2)
    for depth, (lower, upper) in enumerate(pairwise(statements)):
        if lower.iss != upper.sub:
            raise Distrusted("wrong-issuer", lower.sub, depth)
    subjects = [each.sub for each in statements[1:]]
    if len(subjects) != len(set(subjects)):
        raise Distrusted("loop", first.sub, 0)


def _signed(statements: Sequence[Statement], anchor: Published) -> None:
    """Top down, so that each signature is checked with keys that are believed by then."""
    first, last = statements[0], statements[-1]
    last.verify(anchor, last.sub, max(0, len(statements) - 2))
    for depth in range(len(statements) - 2, -1, -1):
        statements[depth].verify(statements[depth + 1].keys, statements[depth].sub, max(0, depth - 1))
    first.verify(first.keys, first.sub, 0)


def _about(statements: Sequence[Statement]) -> list[Statement]:
    """The statements about subordinates, from the top."""
    return [each for each in reversed(statements) if each.iss != each.sub]


def _constrained(statements: Sequence[Statement]) -> frozenset[str] | None:
    """Applies constraints; the entity types that are allowed in the end, None: all."""
    allowed: frozenset[str] | None = None
    about = _about(statements)
    for place, said in enumerate(about):
        between = len(about) - 1 - place
        try:
            constraints.check(said.of("constraints"), between, [each.sub for each in about[place:]])
            types = constraints.allowed_types(said.of("constraints"))
        except ConstraintBroken as broken:
            depth = _depth(about, broken.entity, between)
            raise Distrusted(broken.reason, broken.entity or said.iss, depth, detail="constraints") from None
        if types is not None:
            allowed = types if allowed is None else allowed & types
    return allowed


def _depth(about: Sequence[Statement], entity: str, between: int) -> int:
    subjects = [each.sub for each in reversed(about)]
    return subjects.index(entity) if entity in subjects else between + 1


def _policy(statements: Sequence[Statement]) -> Policy:
    """The policy of the whole chain (§6.1.4.1)."""
    about = _about(statements)
    for place, said in enumerate(about):
        if "metadata_policy_crit" in said.claims:
            _refuse_operators(said, len(about) - place)
    rules: Policy = {}
    for place, said in enumerate(about):
        if "metadata_policy" not in said.claims:
            continue
        try:
            rules = policy.merged(rules, policy.checked(said.claims["metadata_policy"]))
        except PolicyFlaw as flaw:
            raise Distrusted(f"policy-{flaw.kind}", said.iss, len(about) - place, detail=flaw.place) from None
    return rules


def _refuse_operators(said: Statement, depth: int) -> None:
    """We know the standard operators only, and those may not be listed (§3.1.3)."""
    names = said.claims["metadata_policy_crit"]
    good = isinstance(names, list) and bool(names) and all(isinstance(name, str) for name in names)
    if not good or any(name in policy.OPERATORS for name in names):
        raise Distrusted("policy-malformed", said.iss, depth, detail="metadata_policy_crit")
    raise Distrusted("unknown-policy-critical", said.iss, depth, detail=",".join(names[:5]))


def _stated(
    statements: Sequence[Statement], allowed: frozenset[str] | None
) -> tuple[Metadata, frozenset[str]]:
    """What entity and immediate superior say together, and which types were taken away."""
    said: Metadata = {kind: dict(values) for kind, values in statements[0].of("metadata").items()}
    about = _about(statements)
    for kind, values in about[-1].of("metadata").items() if about else ():
        if kind in said:
            said[kind] |= values
    gone = frozenset(said) - allowed if allowed is not None else frozenset()
    return {kind: values for kind, values in said.items() if kind not in gone}, gone


def _region(statements: Sequence[Statement]) -> str:
    """The division that the entity's immediate superior speaks for, as the chain says it step by step.

    "" where nobody says it, or the superior is the anchor itself. Raises `Distrusted("foreign-region")` for
    one outside of the division above it.
    """
    found = ""
    about = _about(statements)
    for place, said in enumerate(about[:-1]):
        region = said.entity().get(REGION)
        if region is None:
            continue
        if not isinstance(region, str) or not is_within(region, found):
            raise Distrusted("foreign-region", said.sub, len(about) - 1 - place)
        found = region
    return found


def is_within(region: str, above: str) -> bool:
    """Whether a division code lies in another by its digits (GB/T 2260); "" holds everything."""
    stem = above.removesuffix("00").removesuffix("00")
    return region.isascii() and region.isdigit() and len(region) == 6 and region.startswith(stem)


def stated_by_superior(chain: Chain, kind: str) -> Mapping[str, Any]:
    """The metadata of one type that the immediate superior itself states about the entity."""
    about = _about(chain.statements)
    found = about[-1].of("metadata").get(kind) if about else None
    return found if isinstance(found, dict) else {}
