"""What the client selected below a field: which model values to fetch, and where the answer stands.

Read from the document itself, through fragments, aliases, `nodes` and `edges { node }`; fields that a
directive leaves out are left out. Remembered for the request, since siblings select the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLIncludeDirective,
    GraphQLResolveInfo,
    GraphQLSkipDirective,
    InlineFragmentNode,
    SelectionNode,
    VariableValues,
    get_directive_values,
)

Resolving = GraphQLResolveInfo[Any]
INTERFACES = frozenset({"Node", "Sourced"})


def selected(info: Resolving, on: Iterable[FieldNode], types: frozenset[str]) -> list[FieldNode]:
    """The fields selected in `on`, fragments opened; fragments on types other than `types` are passed by."""
    found: list[FieldNode] = []
    opened: set[str] = set()
    for node in on:
        if node.selection_set:
            found.extend(_fields(info, node.selection_set.selections, types, opened))
    return found


def things(info: Resolving, *, connection: bool) -> list[FieldNode]:
    """The field nodes whose selection is made on the thing itself: this field, or `nodes` and `node`."""
    if not connection:
        return list(info.field_nodes)
    parts = selected(info, info.field_nodes, frozenset())
    edges = [part for part in parts if part.name.value == "edges"]
    return [part for part in parts if part.name.value == "nodes"] + [
        part for part in selected(info, edges, frozenset()) if part.name.value == "node"
    ]


def wanted(
    info: Resolving, name: str, needs: Mapping[str, frozenset[str]], *, connection: bool = False
) -> frozenset[str]:
    """The model values needed for what is selected on a thing of type `name`.

    `needs` has the values each GraphQL field of that type stands on, and under "" the least to ask for:
    a source that is asked for no value is not asked at all.
    """
    names = named(info, name, connection=connection)
    return frozenset().union(*(needs.get(field, frozenset()) for field in names)) or needs[""]


def named(info: Resolving, name: str, *, connection: bool = False) -> frozenset[str]:
    """The GraphQL fields that are selected on a thing of type `name`."""
    remembered: dict[Any, frozenset[str]] = info.context.extras.setdefault("named", {})
    mark = (name, connection, *map(id, info.field_nodes))
    if (known := remembered.get(mark)) is None:
        on = things(info, connection=connection)
        known = frozenset(node.name.value for node in selected(info, on, INTERFACES | {name}))
        remembered[mark] = known
    return known


def variables(info: Resolving) -> VariableValues:
    """The operation's variables as graphql-core reads them: strawberry hands on the values alone."""
    held: Any = info.variable_values
    return held if isinstance(held, VariableValues) else VariableValues({}, held)


def places(info: Resolving, *, connection: bool = False) -> tuple[str, ...]:
    """Where the things of this answer stand: response keys joined by dots, positions in lists left out."""
    here = ".".join(key for key in info.path.as_list() if isinstance(key, str))
    if not connection:
        return (here,)
    ways = []
    for part in selected(info, info.field_nodes, frozenset()):
        if part.name.value == "nodes":
            ways.append(f"{here}.{_key(part)}")
        elif part.name.value == "edges":
            inner = selected(info, [part], frozenset())
            ways += [f"{here}.{_key(part)}.{_key(node)}" for node in inner if node.name.value == "node"]
    return tuple(dict.fromkeys(ways)) or (here,)


def _key(node: FieldNode) -> str:
    return node.alias.value if node.alias else node.name.value


def _fields(
    info: Resolving,
    selections: Iterable[SelectionNode],
    types: frozenset[str],
    opened: set[str],
) -> Iterator[FieldNode]:
    for selection in selections:
        if _left_out(info, selection):
            continue
        if isinstance(selection, FieldNode):
            yield selection
        elif isinstance(selection, InlineFragmentNode):
            condition = selection.type_condition
            if condition is None or not types or condition.name.value in types:
                yield from _fields(info, selection.selection_set.selections, types, opened)
        elif isinstance(selection, FragmentSpreadNode) and selection.name.value not in opened:
            fragment = info.fragments[selection.name.value]
            opened.add(selection.name.value)
            if not types or fragment.type_condition.name.value in types:
                yield from _fields(info, fragment.selection_set.selections, types, opened)


def _left_out(info: Resolving, node: SelectionNode) -> bool:
    if not node.directives:
        return False
    skip = get_directive_values(GraphQLSkipDirective, node, variables(info))
    include = get_directive_values(GraphQLIncludeDirective, node, variables(info))
    return bool(skip and skip["if"]) or bool(include and not include["if"])
