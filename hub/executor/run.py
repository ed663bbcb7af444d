"""Runs a checked document against our own schema; graphql-core does the work."""

from __future__ import annotations

from typing import Any

import strawberry
from graphql import DocumentNode, ExecutionResult, GraphQLSchema, execute


class SchemaExecutor:
    """The web room's `Executor` over a Strawberry schema."""

    def __init__(self, schema: strawberry.Schema) -> None:
        # Strawberry has no public name for the graphql-core schema it builds; pinned to a minor for this.
        self._schema: GraphQLSchema = schema._schema

    @property
    def schema(self) -> GraphQLSchema:
        """The schema documents are checked against."""
        return self._schema

    async def execute(
        self,
        document: DocumentNode,
        *,
        variables: dict[str, Any] | None,
        operation_name: str | None,
        context: Any,
    ) -> ExecutionResult:
        """The answer, with located errors beside whatever could be answered (GraphQL §6)."""
        outcome = execute(
            self._schema,
            document,
            variable_values=variables,
            operation_name=operation_name,
            context_value=context,
        )
        return outcome if isinstance(outcome, ExecutionResult) else await outcome
