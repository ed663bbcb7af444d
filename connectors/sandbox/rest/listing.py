"""Rows that are asked for by parameters, and their pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LARGEST = 200
Row = dict[str, Any]
Params = Mapping[str, Any]


class Fault(Exception):
    """An answer whose code is not 0."""

    def __init__(self, code: str, msg: str) -> None:
        super().__init__(msg)
        self.code, self.msg = code, msg


@dataclass(frozen=True)
class Listing:
    """Rows and how they may be asked for: parameter -> field of the row (any of the values given)."""

    rows: Callable[[], Sequence[Row]]
    by: Mapping[str, str]
    words: tuple[str, ...] = ()
    start: str = ""

    def found(self, params: Params) -> Sequence[Row]:
        asked = {field: values_of(params[name]) for name, field in self.by.items() if params.get(name)}
        text, since, until = str(params.get("gjc") or ""), params.get("kssjq"), params.get("kssjz")
        if not asked and not text and not (since or until):
            return self.rows()
        return [
            row
            for row in self.rows()
            if all(_any(row.get(field)) & held for field, held in asked.items())
            and (not text or any(text in (row.get(word) or "") for word in self.words))
            and (not since or row[self.start] >= since)
            and (not until or row[self.start] < until)
        ]


def values_of(said: Any) -> set[str]:
    many = said if isinstance(said, list) else str(said).split(",")
    return {str(one) for one in many}


def _any(value: Any) -> set[str]:
    return {str(one) for one in value} if isinstance(value, list) else {str(value)}


def window(params: Params, start: int, size: int, rows: Sequence[Row]) -> Row:
    if not 1 <= size <= LARGEST or start < 0:
        raise Fault("40001", "分页参数错误")
    return {
        "list": [rows[n] for n in range(start, min(start + size, len(rows)))] or None,
        "total": str(len(rows)),
    }
