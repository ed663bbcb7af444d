"""An operation with the rules of everything it selects: compiled once, asked for each viewer.

Rule 1: what is compiled depends on the rules and the operation, and on nothing else: not on variables, not on
who asks. That is what makes it cacheable.
Rule 2: work is bounded by the places of the document, never by the paths of its answer: a fragment is looked
at once for each set of objects that it may stand on.
Rule 3: a field that no subgraph knows is refused, not let through.
Rule 4: this file does no I/O. It cannot be async.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count, islice
from typing import Any, TypeVar

from graphql import (
    BooleanValueNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    NameNode,
    Node,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
)

from hub.federation.marks import FREE, Rule, every
from hub.federation.rules import Rules

MOST_PLACES = 20_000
"""Most fields and fragments that are looked at, each counted once for each set of objects it stands on."""
DEEPEST = 100
MOST_TOLD = 100
"""Most refused paths that are named; the rest is left out of the document all the same."""
T = TypeVar("T", bound=Node)
_ROOTS = {"query": "Query", "mutation": "Mutation", "subscription": "Subscription"}
_INTROSPECTION = frozenset({"__schema", "__type"})


class NotGuarded(ValueError):
    """An operation that no rule can be told for: not of this schema, or too large. It must not be run."""

    code = "OPERATION_NOT_GUARDED"

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.public = f"无法判定此操作的访问权限：{why} / access to this operation cannot be decided"


@dataclass(frozen=True, slots=True)
class Unauthorized:
    """One field, or the type it returns, that the viewer may not read; `path` holds response names."""

    path: tuple[str, ...]
    code: str = "UNAUTHORIZED_FIELD_OR_TYPE"
    public: str = "无权查看此字段或类型 / not authorised to read this field or type"


@dataclass(frozen=True, slots=True)
class Refused:
    """What a viewer does not get: `errors`, one a path, to be null in the answer, and what may be run.

    `document` is the one given where nothing is refused; None: nothing of it is left. A field of which
    nothing is left asks for `__typename` alone, so that null below it can be told from null itself.
    `types`: objects of these types, wherever they turn up under an interface or union, are to be null.
    """

    errors: tuple[Unauthorized, ...]
    document: DocumentNode | None
    types: frozenset[str]


@dataclass(slots=True, eq=False)
class _Group:
    """One selection set on one set of objects."""

    items: list[_Item] = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class _Item:
    """A field with its rule, or a fragment; `below` is what is selected in it."""

    node: FieldNode | InlineFragmentNode | FragmentSpreadNode
    rule: Rule
    below: _Group | None


@dataclass(frozen=True, slots=True, eq=False)
class Guarded:
    """A compiled operation. `rules` are the distinct ones it stands under, `policies` their policies' names;
    `types` the rules of protected objects that may turn up under an interface or union."""

    document: DocumentNode
    operation: OperationDefinitionNode
    rules: frozenset[Rule]
    policies: frozenset[str]
    types: Mapping[str, Rule]
    _top: _Group

    def refused(
        self,
        *,
        authenticated: bool,
        scopes: frozenset[str] = frozenset(),
        allows: Callable[[str], bool] = lambda _policy: False,
        variables: Mapping[str, Any] | None = None,
    ) -> Refused:
        """What somebody with these scopes does not get; `allows` is asked at most once for each policy.

        `variables` only keep errors from what `@skip` and `@include` leave out; it is cut out all the same,
        so that the document serves any variables.
        """
        granted = frozenset(name for name in self.policies if allows(name))
        unmet = {
            rule
            for rule in {*self.rules, *self.types.values()}
            if not rule.met(authenticated, scopes, granted.__contains__)
        }
        if not unmet:
            return Refused((), self.document, frozenset())
        types = frozenset(name for name, rule in self.types.items() if rule in unmet)
        cutting = _Cutting(self.document, frozenset(unmet), variables or {})
        if not cutting.touched(self._top):
            return Refused((), self.document, types)
        errors = tuple(Unauthorized(path) for path in cutting.paths(self._top))
        return Refused(errors, cutting.left(self.operation, self._top), types)


def compiled(rules: Rules, document: DocumentNode, operation: str | None = None) -> Guarded:
    """The operation of this name (or the only one) of a valid document; raises `NotGuarded`."""
    operations = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
    found = [one for one in operations if operation is None or (one.name and one.name.value == operation)]
    if len(found) != 1:
        raise NotGuarded("name one operation of the document")
    compiling = _Compiling(rules, document)
    root = _ROOTS[found[0].operation.value]
    top = compiling.group(found[0].selection_set, frozenset({root}), rules.possible.get(root, frozenset()))
    used = frozenset(rule for rule in compiling.used if rule)
    named = {one for rule in {*used, *compiling.types.values()} for choice in rule.policies for one in choice}
    policies = frozenset(name for one in named for name in one)
    return Guarded(document, found[0], used, policies, compiling.types, top)


class _Compiling:
    """One operation's compilation."""

    def __init__(self, rules: Rules, document: DocumentNode) -> None:
        self._rules = rules
        self._fragments = _fragments(document)
        self._made: dict[tuple[int, frozenset[str], frozenset[str]], _Group | None] = {}
        self._places = self._depth = 0
        self.used: set[Rule] = set()
        self.types: dict[str, Rule] = {}

    def group(self, chosen: SelectionSetNode, names: frozenset[str], there: frozenset[str]) -> _Group:
        """What is selected on a thing of static type `names`, where the objects `there` may stand."""
        mark = (id(chosen), names, there)
        if mark in self._made:
            if (known := self._made[mark]) is None:
                raise NotGuarded("fragments in a circle")
            return known
        self._made[mark] = None
        self._depth += 1
        if self._depth > DEEPEST:
            raise NotGuarded("too deep")
        self._note(names, there)
        made = _Group([self._item(node, names, there) for node in chosen.selections])
        self._made[mark] = made
        self._depth -= 1
        return made

    def _note(self, names: frozenset[str], there: frozenset[str]) -> None:
        if names != there:
            protected = ((name, self._rules.types.get(name, FREE)) for name in there)
            self.types |= {name: rule for name, rule in protected if rule}

    def _item(self, node: SelectionNode, names: frozenset[str], there: frozenset[str]) -> _Item:
        self._places += 1
        if self._places > MOST_PLACES:
            raise NotGuarded("too many places")
        if isinstance(node, FieldNode):
            return self._field(node, names, there)
        assert isinstance(node, InlineFragmentNode | FragmentSpreadNode)
        if isinstance(node, InlineFragmentNode):
            part: InlineFragmentNode | FragmentDefinitionNode = node
        elif (known := self._fragments.get(node.name.value)) is not None:
            part = known
        else:
            raise NotGuarded("an unknown fragment")
        if part.type_condition is None:
            return _Item(node, FREE, self.group(part.selection_set, names, there))
        name = part.type_condition.name.value
        possible = self._rules.possible.get(name)
        if possible is None:
            raise NotGuarded(f"no type {name}")
        return _Item(node, FREE, self.group(part.selection_set, frozenset({name}), there & possible))

    def _field(self, node: FieldNode, names: frozenset[str], there: frozenset[str]) -> _Item:
        of = node.name.value
        if of in _INTROSPECTION and names == {"Query"}:
            return _Item(node, FREE, None)
        found = [self._rules.selected(name, there & self._under(name), of) for name in sorted(names)]
        known = [rule for rule in found if rule is not None]
        if not known:
            raise NotGuarded(f"{', '.join(sorted(names))} has no field {of}")
        self.used.add(rule := every(known))
        if node.selection_set is None:
            return _Item(node, rule, None)
        returned: frozenset[str] = frozenset().union(
            *(self._rules.returns.get((name, of), frozenset()) for name in (*names, *there))
        )
        possible: frozenset[str] = frozenset().union(*(self._under(name) for name in returned))
        return _Item(node, rule, self.group(node.selection_set, returned, possible))

    def _under(self, name: str) -> frozenset[str]:
        return self._rules.possible.get(name, frozenset())


class _Cutting:
    """What is cut out of a compiled operation for one viewer."""

    def __init__(self, document: DocumentNode, unmet: frozenset[Rule], variables: Mapping[str, Any]) -> None:
        self._unmet = unmet
        self._variables = variables
        self._touched: dict[int, bool] = {}
        self._cut: dict[int, SelectionSetNode | None] = {}
        self._fragments = _fragments(document)
        self._remade: dict[int, FragmentDefinitionNode] = {}
        self._numbers = count(1)

    def touched(self, group: _Group) -> bool:
        """Whether anything in it, however deep, is refused."""
        if (known := self._touched.get(id(group))) is None:
            known = self._touched[id(group)] = any(
                self._refused(item) or (item.below is not None and self.touched(item.below))
                for item in group.items
            )
        return known

    def paths(self, top: _Group) -> list[tuple[str, ...]]:
        """Where something asked for is refused, each path once, the first `MOST_TOLD` of them."""
        found: dict[tuple[str, ...], None] = {}
        for path in islice(self._walk(top, ()), MOST_PLACES):
            if path is not None:
                found[path] = None
            if len(found) == MOST_TOLD:
                break
        return list(found)

    def left(self, operation: OperationDefinitionNode, top: _Group) -> DocumentNode | None:
        """The document without what is refused; fragments under new names, one for each way they are left."""
        chosen = self._selections(top)
        if chosen is None:
            return None
        return DocumentNode(definitions=(_with(operation, chosen), *self._remade.values()))

    def _walk(self, group: _Group, path: tuple[str, ...]) -> Iterator[tuple[str, ...] | None]:
        for item in group.items:
            yield None  # a step, so that a document of many ways to one field ends too
            if self._left_out(item):
                continue
            here = (*path, _key(item.node)) if isinstance(item.node, FieldNode) else path
            if self._refused(item):
                yield here
            elif item.below is not None and self.touched(item.below):
                yield from self._walk(item.below, here)

    def _selections(self, group: _Group) -> SelectionSetNode | None:
        """What is left of a group; None: nothing."""
        if id(group) not in self._cut:
            kept = [left for item in group.items if (left := self._left(item)) is not None]
            self._cut[id(group)] = SelectionSetNode(selections=tuple(kept)) if kept else None
        return self._cut[id(group)]

    def _left(self, item: _Item) -> SelectionNode | None:
        if self._refused(item):
            return None
        if item.below is None:
            return item.node
        below = self._selections(item.below)
        if isinstance(item.node, FieldNode):
            return _with(item.node, below or _THERE)
        if below is None:
            return None
        if isinstance(item.node, InlineFragmentNode):
            return _with(item.node, below)
        return self._spread(item.node, item.below, below)

    def _spread(self, node: FragmentSpreadNode, group: _Group, below: SelectionSetNode) -> FragmentSpreadNode:
        """The spread of the fragment as it is left on these objects."""
        made = self._remade.get(id(group))
        if made is None:
            named = next(one for one in map("part_{}".format, self._numbers) if one not in self._fragments)
            made = _with(self._fragments[node.name.value], below, name=NameNode(value=named))
            self._remade[id(group)] = made
        return FragmentSpreadNode(name=made.name, directives=node.directives)

    def _refused(self, item: _Item) -> bool:
        return item.rule in self._unmet

    def _left_out(self, item: _Item) -> bool:
        """Whether `@skip` or `@include` leaves it out under these variables."""
        for directive in item.node.directives or ():
            name = directive.name.value
            if name not in ("skip", "include") or not directive.arguments:
                continue
            if self._told(directive.arguments[0].value) is (name == "skip"):
                return True
        return False

    def _told(self, value: ValueNode) -> object:
        if isinstance(value, VariableNode):
            return self._variables.get(value.name.value)
        return value.value if isinstance(value, BooleanValueNode) else None


_THERE = SelectionSetNode(selections=(FieldNode(name=NameNode(value="__typename")),))


def _key(node: FieldNode) -> str:
    return node.alias.value if node.alias else node.name.value


def _with(node: T, chosen: SelectionSetNode, **changed: object) -> T:
    """The same node with another selection set."""
    return type(node)(**{key: getattr(node, key) for key in node.keys} | {"selection_set": chosen} | changed)


def _fragments(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    return {one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)}
