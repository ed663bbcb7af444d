"""Fields that merge under one response path: counted before validation, and bounded inside it.

GraphQL §5.3.2 makes validation compare every pair of fields that answer under one name: 1.6 kB of
`a { b }` cost 0.6 s. `bound_merges` refuses such a document first; it visits each selection set once
alone, and together with others only where fields merge, which is what it counts. `BoundedMerging` is
graphql-core's rule with a budget of comparisons that no document can overdraw.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    OperationDefinitionNode,
    OverlappingFieldsCanBeMergedRule,
    SelectionNode,
    SelectionSetNode,
    ValidationContext,
    specified_rules,
)
from graphql.validation.validate import ValidationAbortedError

from hub.web.limits import Limits, refuse

COMPARISONS = 20_000
"""Units of graphql-core's complexity budget; a compared pair costs two. Measured: 20,000 take 50 ms."""
STEPS = 20
"""Selections that the count looks at, for each field that may merge."""

_Group = tuple[SelectionSetNode, ...]
"""Selection sets whose fields answer under one path."""


def bound_merges(document: DocumentNode, limits: Limits) -> int:
    """How many fields share their response path with another one, fragments expanded, each path once.

    Raises LimitExceeded (MAX_MERGED_FIELDS_LIMIT) beyond `limits.merged_fields`. The work is bounded by
    twenty selections for each field of that limit, whatever the document.
    """
    return MergeCount(document, limits.merged_fields).run()


class MergeCount:
    """One count over one document. `steps`: selections looked at; `merged`: fields that merge."""

    __slots__ = ("alone", "fragments", "merged", "most", "pending", "steps")

    def __init__(self, document: DocumentNode, most: int) -> None:
        self.fragments = {
            each.name.value: each.selection_set
            for each in document.definitions
            if isinstance(each, FragmentDefinitionNode)
        }
        self.pending: list[_Group] = [
            (each.selection_set,)
            for each in document.definitions
            if isinstance(each, OperationDefinitionNode | FragmentDefinitionNode)
        ]
        self.alone: set[int] = set()
        self.merged = 0
        self.steps = 0
        self.most = most

    def run(self) -> int:
        while self.pending:
            group = self.pending.pop()
            if len(group) == 1:
                if id(group[0]) in self.alone:
                    continue
                self.alone.add(id(group[0]))
            self._look(group)
        return self.merged

    def _look(self, group: _Group) -> None:
        fields: dict[str, list[FieldNode]] = {}
        for node in self._fields(group):
            fields.setdefault((node.alias or node.name).value, []).append(node)
        for nodes in fields.values():
            if len(nodes) > 1:
                self.merged += len(nodes)
                if self.merged > self.most:
                    self._too_many()
            if below := tuple(node.selection_set for node in nodes if node.selection_set):
                self.pending.append(below)

    def _fields(self, group: _Group) -> Iterator[FieldNode]:
        """The fields of a group, its fragments expanded, each fragment once (GraphQL §6.3.2)."""
        spread: set[str] = set()
        open_ = list(group)
        while open_:
            for node in open_.pop().selections:
                self.steps += 1
                if isinstance(node, FieldNode):
                    yield node
                else:
                    open_.extend(self._inside(node, spread))
            if self.steps > self.most * STEPS:
                self._too_many()

    def _inside(self, node: SelectionNode, spread: set[str]) -> _Group:
        if not isinstance(node, FragmentSpreadNode):
            return (node.selection_set,)  # type: ignore[attr-defined]
        name = node.name.value
        if name in spread or name not in self.fragments:
            return ()
        spread.add(name)
        return (self.fragments[name],)

    def _too_many(self) -> NoReturn:
        refuse("MERGED_FIELDS", "合并到同一路径的字段", "fields merged under one path", self.most)


class BoundedMerging(OverlappingFieldsCanBeMergedRule):
    """The specified rule, which gives up with MAX_MERGED_FIELDS_LIMIT after `COMPARISONS`."""

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        self.rule_context.remaining_complexity_budget = COMPARISONS

    def enter_selection_set(
        self, selection_set: SelectionSetNode, _key: Any, parent: Any, *_args: Any
    ) -> None:
        """Called by the visitor at each selection set."""
        try:
            super().enter_selection_set(selection_set, _key, parent, *_args)
        except ValidationAbortedError:
            if self.rule_context.remaining_complexity_budget < 0:
                refuse("MERGED_FIELDS", "同名字段比较次数", "field comparisons", COMPARISONS)
            raise


RULES = tuple(
    BoundedMerging if rule is OverlappingFieldsCanBeMergedRule else rule for rule in specified_rules
)
"""The specified rules, with merging bounded."""
