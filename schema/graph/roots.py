"""How an entry point of the graph is declared: the type at its end by name, said in both languages."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import strawberry

from schema.graph.cursors import uncovered
from schema.graph.refusals import full
from schema.graph.words import ANNOTATION, both


def root(
    zh: str, en: str, *, one: str = "", few: str = "", many: str = ""
) -> Callable[[Callable[..., Any]], Any]:
    """Declare an entry point to `one` thing, a plain list of `few`, or a page of `many`."""
    annotation = f"{one} | None" if one else f"list[{few}] | None" if few else f"{many}Connection | None"

    def make(function: Callable[..., Any]) -> Any:
        return strawberry.field(
            resolver=_checking(function),
            description=both(zh, en),
            graphql_type=Any,
            metadata={ANNOTATION: annotation},
        )

    return make


def _checking(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, unless a text among its arguments is empty: that is refused."""
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def ask(*args: Any, **kwargs: Any) -> Any:
            full(kwargs)
            return await function(*args, **uncovered(kwargs))

        return ask

    @functools.wraps(function)
    def look(*args: Any, **kwargs: Any) -> Any:
        full(kwargs)
        return function(*args, **kwargs)

    return look
