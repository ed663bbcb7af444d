"""Cursors where they leave the graph and come back: lists make them, clients carry them covered.

What a cursor says counts what is hidden as well, so it is neither readable nor alike in two answers.
"""

from collections.abc import Mapping
from typing import Any

from schema.graph.context import BadCursor

USE = "cursor"


def covered(cursor: str, info: Any) -> str:
    """A list's cursor as clients get it, the same throughout one answer; none stays none."""
    if not cursor:
        return ""
    known: dict[str, str] = info.context.extras.setdefault("cursors", {})
    if cursor not in known:
        known[cursor] = info.context.sources.veil.seal(cursor, USE)
    return known[cursor]


def uncovered(given: Mapping[str, Any]) -> dict[str, Any]:
    """A field's arguments, the cursor among them as its list made it. Raises `BadCursor`."""
    if not (after := given.get("after")):
        return dict(given)
    cursor = given["info"].context.sources.veil.unseal(after, USE)
    if not cursor:
        raise BadCursor
    return {**given, "after": cursor}
