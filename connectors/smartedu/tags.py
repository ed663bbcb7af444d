"""The tag tree: what a full path of tag ids means. Its ids repeat, its paths do not (DOMAIN 2.1, trap 1)."""

from __future__ import annotations

from typing import Any

import msgspec

from connectors.errors import Malformed
from connectors.smartedu import shapes
from connectors.smartedu.entry import DIMENSIONS, Entry, Tag

MOST_TAGS = 200_000
DEEPEST = 16

TagTree = dict[str, Tag]
"""Tag by full path, root included in the path."""


def tag_tree(raw: Any) -> TagTree:
    """Every place of the tree (one object, or a list of them), by its path."""
    roots = shapes.items(raw)
    if not roots:
        raise Malformed("a tag tree that is neither object nor list")
    found: TagTree = {}
    waiting = [(root, _text(root.get("tag_path")), 0) for root in roots]
    while waiting:
        node, path, depth = waiting.pop()
        if depth > DEEPEST or len(found) > MOST_TAGS:
            raise Malformed("a tag tree deeper or larger than any catalogue")
        for level in shapes.items(node.get("hierarchies")):
            dimension = DIMENSIONS.get(_text(level.get("hierarchy_name")), _text(level.get("hierarchy_name")))
            for child in shapes.items(level.get("children")):
                key = shapes.ident(child.get("tag_id"))
                below = f"{path}/{key}"
                found[below] = Tag(dimension, key, _text(child.get("tag_name")), below)
                waiting.append((child, below, depth + 1))
    return found


def wants_tree(one: Entry) -> bool:
    """Whether a record gives paths but not the names along them."""
    return bool(one.paths) and one.named("zxxxd") is None


def named_by(one: Entry, tree: TagTree) -> Entry:
    """`one` with the tags along its paths that it does not name itself."""
    own = {tag.dimension for tag in one.tags}
    told = [tree[path] for path in _steps(one.paths) if path in tree]
    more = tuple(tag for tag in told if tag.dimension not in own)
    return msgspec.structs.replace(one, tags=one.tags + more) if more else one


def _steps(paths: tuple[str, ...]) -> list[str]:
    steps = paths[0].split("/")[:DEEPEST] if paths else []
    return ["/".join(steps[: end + 1]) for end in range(1, len(steps))]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
