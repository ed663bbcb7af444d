"""Find the line of a TOML text on which something was said, for error messages that point at it."""

from __future__ import annotations

import re
from collections import Counter

from connectors.mapping.strict import Path

_HEADER = re.compile(r"\s*(\[\[?)([^\]]+)\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""\s*((?:"[^"]*"|'[^']*'|[\w-]+)(?:\s*\.\s*(?:"[^"]*"|'[^']*'|[\w-]+))*)\s*=""")
_PART = re.compile(r'"([^"]*)"|\'([^\']*)\'|([^\s."\']+)')


def line_of(text: str, path: Path) -> int:
    """The line, from 1, where `path` is said, or the nearest thing around it; 1 if nothing of it is."""
    best, depth = 1, 0
    for number, said in _said(text):
        shared = _shared(said, path)
        if shared > depth and shared == min(len(said), len(path)):
            best, depth = number, shared
    return best


def _said(text: str) -> list[tuple[int, Path]]:
    """Every table header and key of the text with the path it stands for."""
    table: Path = ()
    seen: Counter[Path] = Counter()
    found: list[tuple[int, Path]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _parts(header[2])
            if header[1] == "[[":
                seen[table] += 1
                table = (*table, seen[table] - 1)
            elif (above := next((p for p in seen if table[: len(p)] == p), None)) is not None:
                table = (*above, seen[above] - 1, *table[len(above) :])
            found.append((number, table))
        elif key := _KEY.match(line):
            found.append((number, (*table, *_parts(key[1]))))
    return found


def _parts(dotted: str) -> Path:
    return tuple(next(part for part in match if part) for match in _PART.findall(dotted) if any(match))


def _shared(said: Path, path: Path) -> int:
    count = 0
    for one, other in zip(said, path, strict=False):
        if one != other:
            break
        count += 1
    return count
