"""Build the schema: types, scalars, quick resolvers; and print it as the SDL that is checked in.

python -m schema.graph.build > schema/sdl/hub.graphql
"""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import Any

import strawberry
from graphql import GraphQLInterfaceType, GraphQLObjectType, Undefined
from strawberry.schema.config import StrawberryConfig

from schema.graph import types
from schema.graph.mutation import Mutation
from schema.graph.query import Query
from schema.graph.scalars import SCALARS
from schema.graph.words import QUICK, TYPES
from schema.model.words import Kind

COMMAND = "python -m schema.graph.build > schema/sdl/hub.graphql"


@lru_cache(maxsize=1)
def build_schema() -> strawberry.Schema:
    """The hub's own schema; built once, used by all requests."""
    assert types.__all__, "importing the types declares them"
    schema = strawberry.Schema(
        query=Query,
        mutation=Mutation,
        types=[TYPES[kind.value] for kind in Kind],
        config=StrawberryConfig(scalar_map=dict(SCALARS), enable_experimental_incremental_execution=False),
    )
    for made in schema._schema.type_map.values():
        if isinstance(made, GraphQLObjectType | GraphQLInterfaceType):
            _quicken(made)
    return schema


def sdl() -> str:
    """The schema as text, marks included, ending in a newline."""
    return build_schema().as_str().strip() + "\n"


def _quicken(made: GraphQLObjectType | GraphQLInterfaceType) -> None:
    """Put quick resolvers in place of strawberry's own; an object's type is known by its class alone."""
    for field in made.fields.values():
        declared: Any = field.extensions.get("strawberry-definition")
        resolver = declared.metadata.get(QUICK) if declared is not None else None
        if resolver is not None:
            field.resolve = resolver
        for argument in field.args.values():
            if argument.default_value is None:
                argument.default_value = Undefined  # not given is None already; `= null` says nothing
    if isinstance(made, GraphQLObjectType) and not made.name.startswith("__"):
        made.is_type_of = None


if __name__ == "__main__":
    sys.stdout.write(sdl())
