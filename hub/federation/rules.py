"""Who may read which field of the supergraph: the rules of all subgraphs, brought together.

Rule 1: what any subgraph protects is protected, whichever subgraph answers: rules add up.
Rule 2: a rule on an interface, or on a field of it, holds for every object under it; and a field selected on
an interface asks for the rules of every object that may stand there (GHSA-mx7m-j9xf-62hw).
Rule 3: a field computed from others (`@requires`, `@fromContext`) asks for their rules too, however long the
chain (GHSA-m8jr-fxqx-8xx6). What `@provides` brings along is the same field by another way: under its rule.
Rule 4: this file does no I/O. It cannot be async.
"""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from graphql import (
    DefinitionNode,
    DocumentNode,
    EnumTypeDefinitionNode,
    EnumTypeExtensionNode,
    FieldDefinitionNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    InlineFragmentNode,
    InterfaceTypeDefinitionNode,
    InterfaceTypeExtensionNode,
    ListTypeNode,
    NonNullTypeNode,
    ObjectTypeDefinitionNode,
    ObjectTypeExtensionNode,
    OperationDefinitionNode,
    ScalarTypeDefinitionNode,
    ScalarTypeExtensionNode,
    SchemaDefinitionNode,
    SchemaExtensionNode,
    SelectionSetNode,
    TypeNode,
    UnionTypeDefinitionNode,
    UnionTypeExtensionNode,
    parse,
)

from hub.federation.marks import (
    CONTEXT,
    FREE,
    FROM_CONTEXT,
    REQUIRES,
    BadMark,
    Rule,
    Spelled,
    every,
    rule_of,
    spelled,
    texts,
)

LONGEST = 4_000_000
"""Most characters of an SDL."""
_OBJECT = ObjectTypeDefinitionNode | ObjectTypeExtensionNode
_INTERFACE = InterfaceTypeDefinitionNode | InterfaceTypeExtensionNode
_UNION = UnionTypeDefinitionNode | UnionTypeExtensionNode
_LEAF = EnumTypeDefinitionNode | EnumTypeExtensionNode | ScalarTypeDefinitionNode | ScalarTypeExtensionNode
_ROOTS = {"query": "Query", "mutation": "Mutation", "subscription": "Subscription"}
_FROM = re.compile(r"\s*\$\s*([A-Za-z_]\w*)\s*(.*)", re.DOTALL)

Place = tuple[str, str]
"""A coordinate: type and field."""
Source = str | DocumentNode | GraphQLSchema
"""A subgraph: its SDL, parsed or not, or a schema that was built from SDL and keeps its nodes."""


@dataclass(slots=True)
class _Table:
    """What the subgraphs say, added up."""

    types: dict[str, Rule] = field(default_factory=dict)
    objects: set[str] = field(default_factory=set)
    interfaces: set[str] = field(default_factory=set)
    above: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    members: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    fields: dict[str, dict[str, Rule]] = field(default_factory=lambda: defaultdict(dict))
    returns: dict[Place, set[str]] = field(default_factory=lambda: defaultdict(set))
    reads: dict[Place, list[tuple[frozenset[str], SelectionSetNode]]] = field(
        default_factory=lambda: defaultdict(list)
    )


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of a supergraph; `types` and `fields` as they hold in the end, every rule inherited.

    `possible`: the objects that may stand for each object, interface and union; `returns`: named types that a
    field may return. Everything is by name, so that it serves whatever schema the operation is made for.
    """

    types: Mapping[str, Rule]
    fields: Mapping[Place, Rule]
    possible: Mapping[str, frozenset[str]]
    returns: Mapping[Place, frozenset[str]]

    def selected(self, name: str, there: frozenset[str], of: str) -> Rule | None:
        """The rule of field `of` selected on type `name` where the objects `there` may stand; None: no such
        field. Of `__typename` it is that of the types themselves, since it tells of what stands there."""
        if of == "__typename":
            return every(self.types.get(one, FREE) for one in (name, *sorted(there)))
        if there == self.possible.get(name) or not there:
            return self.fields.get((name, of))
        rules = [rule for one in sorted(there) if (rule := self.fields.get((one, of))) is not None]
        return every(rules) if rules else None


def rules_of(*subgraphs: Source) -> Rules:
    """The rules of all these subgraphs together; raises `BadMark`, and `GraphQLError` for what is no SDL."""
    table = _Table()
    for subgraph in subgraphs:
        _read(table, _definitions(subgraph))
    return _settled(table)


def _definitions(subgraph: Source) -> DocumentNode:
    if isinstance(subgraph, DocumentNode):
        return subgraph
    if isinstance(subgraph, str):
        if len(subgraph) > LONGEST:
            raise BadMark("schema", f"more than {LONGEST} characters")
        return parse(subgraph, no_location=True)
    kept = [(one.ast_node, *one.extension_ast_nodes) for one in subgraph.type_map.values()]
    nodes = [node for pair in [*kept, (subgraph.ast_node, *subgraph.extension_ast_nodes)] for node in pair]
    if not any(nodes):
        raise BadMark("schema", "a schema without its SDL: give the SDL")
    return DocumentNode(definitions=tuple(node for node in nodes if isinstance(node, DefinitionNode)))


def _read(table: _Table, document: DocumentNode) -> None:
    """Add one subgraph; contexts are its own affair."""
    names, roots = spelled(document), _roots(document)
    contexts: dict[str, set[str]] = defaultdict(set)
    pulled: list[tuple[Place, str]] = []
    for node in document.definitions:
        if not isinstance(node, _OBJECT | _INTERFACE | _UNION | _LEAF):
            continue
        name = roots.get(node.name.value, node.name.value)
        directives = node.directives or ()
        table.types[name] = table.types.get(name, FREE) & rule_of(directives, names, name)
        for context in texts(directives, names, CONTEXT, "name", name):
            contexts[context].add(name)
        if isinstance(node, _UNION):
            table.members[name] |= {roots.get(one.name.value, one.name.value) for one in node.types or ()}
        elif isinstance(node, _OBJECT | _INTERFACE):
            (table.objects if isinstance(node, _OBJECT) else table.interfaces).add(name)
            table.above[name] |= {one.name.value for one in node.interfaces or ()}
            for made in node.fields or ():
                pulled += [
                    ((name, made.name.value), text) for text in _field(table, name, made, names, roots)
                ]
    for place, text in pulled:
        context, read = _pulled(place, text)
        if context not in contexts:
            raise BadMark(".".join(place), f"no type has the context {context}")
        table.reads[place].append((frozenset(contexts[context]), read))


def _field(table: _Table, name: str, made: FieldDefinitionNode, names: Spelled, roots: Mapping[str, str]
           ) -> list[str]:  # fmt: skip
    """Add one field; what its arguments pull from contexts is returned."""
    own = made.name.value
    place, said = f"{name}.{own}", made.directives or ()
    table.fields[name][own] = table.fields[name].get(own, FREE) & rule_of(said, names, place)
    returned = _named(made.type)
    table.returns[name, own].add(roots.get(returned, returned))
    for text in texts(said, names, REQUIRES, "fields", place):
        table.reads[name, own].append((frozenset(), _set(place, text)))
    return [
        text
        for argument in made.arguments or ()
        for text in texts(argument.directives or (), names, FROM_CONTEXT, "field", place)
    ]


def _settled(table: _Table) -> Rules:
    """Every field's rule in the end: its own, its types', its interfaces', and those of all that it reads."""
    composite = table.objects | table.interfaces
    above = {name: _closure(name, table.above) for name in composite}
    possible = _possible(table, above)
    types = {
        name: every(table.types.get(one, FREE) for one in (name, *sorted(above.get(name, ()))))
        for name in {*table.types, *composite}
    }
    offered = {
        name: {of for one in (name, *above[name]) for of in table.fields.get(one, {})} for name in composite
    }
    returns = {
        (name, of): frozenset().union(*(table.returns.get((one, of), ()) for one in (name, *above[name])))
        for name in composite
        for of in offered[name]
    }
    rules, behind = {}, {}
    for (name, of), returned in returns.items():
        line = (name, *above[name])
        own = every(table.fields.get(one, {}).get(of, FREE) for one in line)
        rules[name, of] = every((types[name], own, *(types.get(one, FREE) for one in sorted(returned))))
        behind[name, of] = {
            read
            for one in line
            for on, chosen in table.reads.get((one, of), ())
            for read in _walked(chosen, on or {name}, returns, f"{name}.{of}")
        }
        if name in table.interfaces:
            behind[name, of] |= {(one, of) for one in possible[name]}
    return Rules(types, _spread(rules, behind), possible, returns)


def _spread(rules: dict[Place, Rule], behind: Mapping[Place, set[Place]]) -> dict[Place, Rule]:
    """Rules handed on along what is read, until nothing changes: they only grow, so it ends."""
    readers: dict[Place, list[Place]] = defaultdict(list)
    for place, read in behind.items():
        for one in read & rules.keys():
            readers[one].append(place)
    waiting = deque(place for place, rule in rules.items() if rule)
    while waiting:
        place = waiting.popleft()
        for reader in readers[place]:
            if (grown := rules[reader] & rules[place]) != rules[reader]:
                rules[reader] = grown
                waiting.append(reader)
    return rules


def _walked(chosen: SelectionSetNode, on: Iterable[str], returns: Mapping[Place, frozenset[str]], place: str
            ) -> Iterator[Place]:  # fmt: skip
    """The coordinates that a field set reads from the types `on`; raises `BadMark` for an unknown one."""
    held = frozenset(on)
    for node in chosen.selections:
        if isinstance(node, InlineFragmentNode):
            to = {node.type_condition.name.value} if node.type_condition else held
            yield from _walked(node.selection_set, to, returns, place)
        elif isinstance(node, FieldNode) and node.name.value != "__typename":
            found = {(one, node.name.value) for one in held} & returns.keys()
            if not found:
                raise BadMark(place, f"{node.name.value} is no field of {', '.join(sorted(held))}")
            yield from found
            if node.selection_set:
                to = frozenset().union(*(returns[one] for one in found))
                yield from _walked(node.selection_set, to, returns, place)
        elif not isinstance(node, FieldNode):
            raise BadMark(place, "a field set holds no named fragment")


def _possible(table: _Table, above: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    objects = table.objects - table.interfaces  # an @interfaceObject is an interface elsewhere
    under: dict[str, set[str]] = defaultdict(set)
    for name in objects:
        for one in (name, *above[name]):
            under[one].add(name)
    for name, members in table.members.items():
        under[name] |= members
    return {name: frozenset(under[name]) for name in table.objects | table.interfaces | under.keys()}


def _closure(name: str, above: Mapping[str, set[str]]) -> frozenset[str]:
    """All interfaces above a type, also those that only another subgraph puts above one of them."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for one in above.get(waiting.pop(), ()):
            if one not in found and one != name:
                found.add(one)
                waiting.append(one)
    return frozenset(found)


def _roots(document: DocumentNode) -> dict[str, str]:
    nodes = (node for node in document.definitions
             if isinstance(node, SchemaDefinitionNode | SchemaExtensionNode))  # fmt: skip
    return {
        one.type.name.value: _ROOTS[one.operation.value]
        for node in nodes
        for one in node.operation_types or ()
    }


def _named(node: TypeNode) -> str:
    while isinstance(node, ListTypeNode | NonNullTypeNode):
        node = node.type
    return str(node.name.value)  # type: ignore[attr-defined]


def _pulled(place: Place, text: str) -> tuple[str, SelectionSetNode]:
    """`$context { a }` or `$context ... on A { x } ... on B { y }`."""
    where = ".".join(place)
    found = _FROM.match(text)
    if found is None:
        raise BadMark(where, "@fromContext(field:)")
    rest = found[2].strip()
    return found[1], _set(where, rest[1:-1] if rest[:1] == "{" and rest[-1:] == "}" else rest)


def _set(place: str, text: str) -> SelectionSetNode:
    try:
        document = parse(f"{{ {text} }}", no_location=True, max_source_length=LONGEST)
    except GraphQLError as error:
        raise BadMark(place, "a field set that cannot be read") from error
    match document.definitions:
        case (OperationDefinitionNode(selection_set=chosen),):
            return chosen
    raise BadMark(place, "a field set that cannot be read")
