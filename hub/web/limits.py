"""The document guard: measures a parsed operation document once, and refuses what is too much.

Rule 1: one pass. Each fragment is measured once and remembered, so the work is linear in the
document's size whatever its fragments would expand to.
Rule 2: no trust. The document may be invalid (unknown fields, cycles, missing fragments); the guard
stays finite and leaves saying so to validation.
Rule 3: this file does no I/O. It cannot be async.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    NullValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_interface_type,
    is_leaf_type,
    is_list_type,
    is_object_type,
)

PAGE_ARGUMENTS = frozenset({"first", "last"})
_INTROSPECTION = frozenset({"__schema", "__type"})
_CIRCULAR = frozenset({"fields", "interfaces", "possibleTypes", "inputFields"})
_CIRCULAR_MOST = 2  # the standard introspection query nests one of these lists
_CROWD = 20  # selection sets up to this size are not worth counting duplicates in


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may ask for. Counts, except where a unit is given."""

    depth: int = 15
    """Nested fields on the longest path, fragments expanded."""
    introspection_depth: int = 20
    """The same under `__schema` and `__type`: the standard introspection query needs 15."""
    aliases: int = 100
    """Aliases, fragments expanded."""
    directives: int = 50
    """Directives as written."""
    duplicates: int = 20
    """Selections of one selection set under one response name."""
    tokens: int = 2000
    comments: int = 200
    source_length: int = 64_000
    """Characters of a document."""
    merged_fields: int = 400
    """Fields that answer under a path that other fields answer under too, fragments expanded."""
    operations: int = 10
    variables: int = 100
    """Variable definitions of a document."""
    page_size: int = 500
    """Largest `first` or `last`."""
    cost: int = 100_000
    """Fields to resolve, each multiplied by the page sizes around it."""
    unpaged_list: int = 10
    """Weight of a list field that has no page size."""
    body_bytes: int = 256 * 1024
    body_seconds: float = 5.0
    """Time to receive a body, in seconds."""


class LimitExceeded(Exception):
    """A document is too much. `code` is stable (MAX_DEPTH_LIMIT, ...), `public` says what to do."""

    status = 400

    def __init__(self, code: str, public: str) -> None:
        super().__init__(public)
        self.code = code
        self.public = public


@dataclass(frozen=True, slots=True)
class Measured:
    """What a document amounts to, at its worst operation."""

    depth: int
    aliases: int
    cost: int
    directives: int
    introspects: bool
    merges: bool
    """Fields may share a response path: there are fragments, or one name twice in a selection set."""
    paged_by_variables: bool
    """Some page size comes from a variable: measure again for other variables."""


def page_weights(schema: GraphQLSchema, limits: Limits) -> dict[str, int]:
    """Field name -> how many rows it stands for when the query does not say: the largest default of
    `first`/`last` in any type, or `limits.unpaged_list` for lists. Lists inside a Connection are one,
    for the connection has been counted already. Fields of weight 1 are left out."""
    weights: dict[str, int] = {}
    for type_ in schema.type_map.values():
        if type_.name.startswith("__") or not (is_object_type(type_) or is_interface_type(type_)):
            continue
        inside = 1 if type_.name.endswith("Connection") else limits.unpaged_list
        for name, weight in _weights_of(type_, inside):  # type: ignore[arg-type]
            weights[name] = max(weight, weights.get(name, 1))
    return {name: weight for name, weight in weights.items() if weight > 1}


def _weights_of(type_: GraphQLObjectType, inside: int) -> list[tuple[str, int]]:
    found = []
    for name, field in type_.fields.items():
        paged = [argument for key, argument in field.args.items() if key in PAGE_ARGUMENTS]
        defaults = [_default_of(argument) for argument in paged]
        if paged:
            found.append((name, max([inside, *defaults])))
        elif is_list_type(get_nullable_type(field.type)) and not is_leaf_type(get_named_type(field.type)):
            found.append((name, inside))
    return found


def _default_of(argument: Any) -> int:
    """A page size's default, which graphql-core keeps as a value, or as an input value or literal."""
    value, given = argument.default_value, argument.default
    if given is not None:
        value = _literal(given.literal) if given.literal is not None else given.value
    return value if type(value) is int else 1


def measure(
    document: DocumentNode,
    limits: Limits,
    variables: Mapping[str, Any] | None = None,
    weights: Mapping[str, int] | None = None,
) -> Measured:
    """The measures of a document under the given variables, all its operations and fragments looked at.

    `weights` come from `page_weights`. Raises LimitExceeded at the first excess.
    """
    return _Walk(document, limits, variables or {}, weights or {}).run()


_Sums = tuple[int, int, int, int]
"""Depth below, aliases, cost, nested circular introspection lists."""
_EMPTY: _Sums = (0, 0, 0, 0)


class _Walk:
    """One pass over one document."""

    __slots__ = (
        "counted", "directives", "fragments", "introspects", "limits", "memo", "merges", "operations",
        "paged_by_variables", "variables", "weights",
    )  # fmt: skip

    def __init__(
        self,
        document: DocumentNode,
        limits: Limits,
        variables: Mapping[str, Any],
        weights: Mapping[str, int],
    ) -> None:
        self.limits = limits
        self.weights = weights
        self.operations = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
        self.fragments = {
            d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)
        }
        self.variables = variables
        self.memo: dict[tuple[str, bool], _Sums | None] = {}
        self.counted: set[str] = set()
        self.directives = 0
        self.introspects = False
        self.merges = False
        self.paged_by_variables = False

    def run(self) -> Measured:
        self._count_definitions()
        depth = aliases = cost = 0
        for operation in self.operations:
            self.directives += len(operation.directives or ())
            sums = self._operation(operation)
            depth, aliases, cost = max(depth, sums[0]), max(aliases, sums[1]), max(cost, sums[2])
        self.variables = {}
        for name in self.fragments:
            if (name, False) not in self.memo and (name, True) not in self.memo:
                self._spread(name, self.limits.depth, 0, False)
        if self.directives > self.limits.directives:
            refuse("DIRECTIVES", "指令", "directives", self.limits.directives)
        return Measured(
            depth, aliases, cost, self.directives, self.introspects, self.merges, self.paged_by_variables
        )

    def _count_definitions(self) -> None:
        if len(self.operations) > self.limits.operations:
            refuse("OPERATIONS", "操作", "operations", self.limits.operations)
        count = sum(len(operation.variable_definitions or ()) for operation in self.operations)
        if count > self.limits.variables:
            refuse("VARIABLES", "变量", "variables", self.limits.variables)

    def _operation(self, operation: OperationDefinitionNode) -> _Sums:
        defaults = {
            each.variable.name.value: _literal(each.default_value)
            for each in operation.variable_definitions or ()
            if each.default_value is not None
        }
        if defaults or len(self.operations) > 1:
            given, self.variables = self.variables, {**defaults, **self.variables}
            self.memo = {}  # a fragment's cost depends on the operation's variables
            sums = self._selections(operation.selection_set, self.limits.depth, 0, False)
            self.variables = given
        else:
            sums = self._selections(operation.selection_set, self.limits.depth, 0, False)
        return self._check(sums)

    def _check(self, sums: _Sums) -> _Sums:
        if sums[1] > self.limits.aliases:
            refuse("ALIASES", "别名", "aliases", self.limits.aliases)
        if sums[2] > self.limits.cost:
            refuse("COST", "查询代价", "cost", self.limits.cost)
        return sums

    def _selections(self, chosen: SelectionSetNode, room: int, nesting: int, inside: bool) -> _Sums:
        """Sums of a selection set. `room` is how many fields may still nest, `nesting` counts every
        brace so that empty nests end too, `inside` tells introspection."""
        selections = chosen.selections
        if nesting > 4 * self.limits.introspection_depth:
            self._too_deep()
        if len(selections) > _CROWD:
            self._crowd(chosen)
        depth = aliases = cost = circular = 0
        names = set()
        for node in selections:
            if node.directives:
                self.directives += len(node.directives)
            if isinstance(node, FieldNode):
                names.add((node.alias or node.name).value)
                below = self._field(node, room, nesting, inside)
            elif isinstance(node, FragmentSpreadNode):
                below = self._spread(node.name.value, room, nesting, inside)
                cost += 1
            else:
                assert isinstance(node, InlineFragmentNode)
                below = self._selections(node.selection_set, room, nesting + 1, inside)
                cost += 1
            depth = max(depth, below[0])
            aliases += below[1]
            cost += below[2]
            circular = max(circular, below[3])
        if len(names) < len(selections):  # a name twice, or a fragment
            self.merges = True
        return depth, aliases, cost, circular

    def _field(self, node: FieldNode, room: int, nesting: int, inside: bool) -> _Sums:
        if room < 1:
            self._too_deep()
        name = node.name.value
        if name in _INTROSPECTION and not inside:
            return self._introspection(node, nesting)
        alias = 1 if node.alias else 0
        weight = 1 if inside else self._weight(node, name)
        if node.selection_set is None:
            return 1, alias, weight, 0
        depth, aliases, cost, circular = self._selections(node.selection_set, room - 1, nesting + 1, inside)
        circular += 1 if inside and name in _CIRCULAR else 0
        return depth + 1, aliases + alias, 1 + weight * cost, circular

    def _introspection(self, node: FieldNode, nesting: int) -> _Sums:
        self.introspects = True
        alias = 1 if node.alias else 0
        if node.selection_set is None:
            return 1, alias, 1, 0
        room = self.limits.introspection_depth
        _, aliases, cost, circular = self._selections(node.selection_set, room, nesting + 1, True)
        if circular > _CIRCULAR_MOST:
            self._too_deep()
        return 1, aliases + alias, cost + 1, 0

    def _spread(self, name: str, room: int, nesting: int, inside: bool) -> _Sums:
        key = (name, inside)
        if key in self.memo:
            known = self.memo[key]
            if known is not None and known[0] > room:
                self._too_deep()
            return known or _EMPTY  # None: inside itself, a cycle, for validation to refuse
        fragment = self.fragments.get(name)
        if fragment is None:
            return _EMPTY
        self.memo[key] = None
        before = self.directives
        sums = self._selections(fragment.selection_set, room, nesting + 1, inside)
        if name in self.counted:  # measured again for another operation, but written once
            self.directives = before
        else:
            self.directives += len(fragment.directives or ())
            self.counted.add(name)
        self.memo[key] = sums
        return sums

    def _weight(self, node: FieldNode, name: str) -> int:
        if not node.arguments:
            return self.weights.get(name, 1)
        sizes = [
            self._page_size(argument.value)
            for argument in node.arguments
            if argument.name.value in PAGE_ARGUMENTS
        ]
        known = [size for size in sizes if size is not None]
        return max(known) if known else self.weights.get(name, 1)

    def _page_size(self, node: ValueNode) -> int | None:
        """The rows asked for; None when the query leaves it to the schema's default."""
        if isinstance(node, VariableNode):
            self.paged_by_variables = True
            value = self.variables.get(node.name.value)
        else:
            value = _literal(node)
        if value is None:
            return None
        if type(value) is float and value.is_integer() and abs(value) < 2**31:
            value = int(value)  # GraphQL §3.5.1: an integral float is a good Int variable
        if type(value) is not int or not 0 <= value <= self.limits.page_size:
            raise LimitExceeded("PAGE_SIZE_LIMIT", _page_text(self.limits.page_size))
        return value or 1

    def _crowd(self, chosen: SelectionSetNode) -> None:
        names = Counter(
            (node.alias or node.name).value for node in chosen.selections if isinstance(node, FieldNode)
        )
        if names and max(names.values()) > self.limits.duplicates:
            refuse("DUPLICATES", "重复字段", "duplicate fields", self.limits.duplicates)

    def _too_deep(self) -> NoReturn:
        refuse("DEPTH", "嵌套层数", "depth", self.limits.depth)


def _literal(node: ValueNode) -> Any:
    """What a literal says, as far as page sizes go; `False` for whatever cannot be one."""
    if isinstance(node, NullValueNode):
        return None
    if isinstance(node, IntValueNode) and len(node.value) <= 11:
        return int(node.value)
    return False


def refuse(name: str, chinese: str, english: str, most: int) -> NoReturn:
    raise LimitExceeded(
        f"MAX_{name}_LIMIT",
        f"{chinese}超过上限 {most}，请拆分或精简查询 / {english} over the limit of {most}: "
        "split or trim the query",
    )


def _page_text(most: int) -> str:
    return f"每页条数须为 0 到 {most} 的整数 / a page size is a whole number from 0 to {most}"
