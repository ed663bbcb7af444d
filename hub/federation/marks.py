"""What one subgraph's SDL says about who may read what, under whatever names it imports its marks.

Rule 1: a mark that cannot be read is refused with its place, never passed over.
Rule 2: a plain `@authenticated`, `@requiresScopes` or `@policy` counts also where nothing imports it.
Rule 3: this file does no I/O. It cannot be async.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import and_

from graphql import (
    ConstDirectiveNode,
    DefinitionNode,
    DocumentNode,
    ListValueNode,
    ObjectValueNode,
    SchemaDefinitionNode,
    SchemaExtensionNode,
    StringValueNode,
    ValueNode,
)

AUTHENTICATED, SCOPES, POLICY = "authenticated", "requiresScopes", "policy"
REQUIRES, CONTEXT, FROM_CONTEXT = "requires", "context", "fromContext"
KNOWN = (AUTHENTICATED, SCOPES, POLICY, REQUIRES, CONTEXT, FROM_CONTEXT)
_SPECIFICATION = re.compile(r"/([A-Za-z_][\w-]*)/v\d+(?:\.\d+)*/?$")

Alternatives = frozenset[frozenset[str]]
"""One of these sets must be held whole: the OR of ANDs of one mark. Of none, nothing satisfies."""
Spelled = Mapping[str, str]
"""A directive's name as this SDL writes it -> its name in the specification."""


class BadMark(ValueError):
    """A mark that cannot be read; `place` is its coordinate in the SDL."""

    code = "INVALID_ACCESS_MARK"

    def __init__(self, place: str, why: str) -> None:
        super().__init__(f"{place}: {why}")
        self.place = place
        self.public = f"{place} 的访问标记无法读取：{why} / an access mark there cannot be read"


@dataclass(frozen=True, slots=True)
class Rule:
    """What a viewer must hold to read something: all of it. The empty rule asks for nothing."""

    authenticated: bool = False
    scopes: frozenset[Alternatives] = frozenset()
    policies: frozenset[Alternatives] = frozenset()

    def __and__(self, other: Rule) -> Rule:
        if not other or self == other:
            return self
        if not self:
            return other
        return Rule(
            self.authenticated or other.authenticated,
            self.scopes | other.scopes,
            self.policies | other.policies,
        )

    def __bool__(self) -> bool:
        return self.authenticated or bool(self.scopes) or bool(self.policies)

    def met(self, authenticated: bool, scopes: frozenset[str], allows: Callable[[str], bool]) -> bool:
        """Whether somebody holds it all; `allows` says yes or no to a policy's name."""
        return (
            (authenticated or not self.authenticated)
            and all(any(one <= scopes for one in choice) for choice in self.scopes)
            and all(any(all(map(allows, one)) for one in choice) for choice in self.policies)
        )


FREE = Rule()


def every(rules: Iterable[Rule]) -> Rule:
    """All of these rules at once."""
    return reduce(and_, rules, FREE)


def spelled(document: DocumentNode) -> Spelled:
    """How this SDL names the marks: its `@link`s, with `as` and `import`, read whatever `@link` is called."""
    names = {name: name for name in KNOWN}
    for link in _links(document.definitions):
        given = {argument.name.value: argument.value for argument in link.arguments or ()}
        found = _SPECIFICATION.search(_text(given.get("url")) or "")
        if found is None:
            continue
        own = _text(given.get("as"))
        if found[1] in KNOWN:
            names[own or found[1]] = found[1]
        elif found[1] == "federation":
            names |= {f"{own or 'federation'}__{name}": name for name in KNOWN}
        names |= dict(_imported(given.get("import")))
    return names


def rule_of(directives: Iterable[ConstDirectiveNode], names: Spelled, place: str) -> Rule:
    """The rule that these directives say; raises `BadMark`."""
    rule = FREE
    for directive in directives:
        known = names.get(directive.name.value)
        if known == AUTHENTICATED:
            rule &= Rule(True)
        elif known == SCOPES:
            rule &= Rule(True, scopes=frozenset({_alternatives(directive, "scopes", place)}))
        elif known == POLICY:
            rule &= Rule(policies=frozenset({_alternatives(directive, "policies", place)}))
    return rule


def texts(directives: Iterable[ConstDirectiveNode], names: Spelled, known: str, argument: str,
          place: str) -> Iterator[str]:  # fmt: skip
    """The text argument of each directive of one kind; raises `BadMark` where it is none."""
    for directive in directives:
        if names.get(directive.name.value) == known:
            given = {one.name.value: one.value for one in directive.arguments or ()}
            if (text := _text(given.get(argument))) is None:
                raise BadMark(place, f"@{directive.name.value}({argument}:)")
            yield text


def _links(definitions: Iterable[DefinitionNode]) -> Iterator[ConstDirectiveNode]:
    for definition in definitions:
        if isinstance(definition, SchemaDefinitionNode | SchemaExtensionNode):
            yield from definition.directives or ()


def _imported(value: ValueNode | None) -> Iterator[tuple[str, str]]:
    for item in value.values if isinstance(value, ListValueNode) else ():
        if isinstance(item, ObjectValueNode):
            said = {field.name.value: _text(field.value) or "" for field in item.fields}
            name, own = said.get("name", ""), said.get("as", "") or said.get("name", "")
        else:
            name = own = _text(item) or ""
        if name[:1] == "@" and name[1:] in KNOWN and own[:1] == "@":
            yield own[1:], name[1:]


def _alternatives(directive: ConstDirectiveNode, argument: str, place: str) -> Alternatives:
    """`[[a, b], [c]]`; a single value stands for a list of one, as GraphQL coerces input (§3.11)."""
    value = next((one.value for one in directive.arguments or () if one.name.value == argument), None)
    choices = value.values if isinstance(value, ListValueNode) else (value,)
    held = [one.values if isinstance(one, ListValueNode) else (one,) for one in choices]
    names = [[_text(name) for name in one] for one in held]
    if any(name is None for one in names for name in one):
        raise BadMark(place, f"@{directive.name.value}({argument}:)")
    return frozenset(frozenset(name for name in one if name) for one in names)


def _text(value: ValueNode | None) -> str | None:
    return value.value if isinstance(value, StringValueNode) else None
