"""How an entry point of the graph is declared: the type at its end by name, said in both languages."""

from collections.abc import Callable
from typing import Any

import strawberry

from schema.graph.words import ANNOTATION, both


def root(
    zh: str, en: str, *, one: str = "", few: str = "", many: str = ""
) -> Callable[[Callable[..., Any]], Any]:
    """Declare an entry point to `one` thing, a plain list of `few`, or a page of `many`."""
    annotation = f"{one} | None" if one else f"list[{few}] | None" if few else f"{many}Connection | None"

    def make(function: Callable[..., Any]) -> Any:
        return strawberry.field(
            resolver=function,
            description=both(zh, en),
            graphql_type=Any,
            metadata={ANNOTATION: annotation},
        )

    return make
