"""The rows of a kind, read once for a version of its files and kept so that a look-up only looks.

Rule 1: building blocks and runs in a thread; looking does not block.
Rule 2: a row whose key or number is damaged is left out with the reason; nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connectors.errors import Malformed
from connectors.mapping import LOST, NO_KEY, KindMapping, Reader, Reading
from connectors.mapping.convert import CHINA
from connectors.seal import Seal
from connectors.tables.files import Grid, Version, grids
from connectors.tables.remarks import Ledger
from connectors.tables.shapes import SheetRule, layout

HEADER_ROWS = 20  # first rows among which the header stands
KINDS_ROWS = 1_000_000  # rows of one kind over all files
TWICE = "主键重复，后者不收 / the same key again"

_WIDE = str.maketrans("０１２３４５６７８９ｘＸ．－／\u3000\xa0", "0123456789xX.-/  ")
_ERRORS = frozenset({"#REF!", "#N/A", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!"})
_TOTAL = re.compile(r"(合计|总计|小计|共计|本页合计)[:：]?")


@dataclass
class Index:
    """Readings in the files' order; `places` finds them by field and value."""

    readings: list[Reading] = field(default_factory=list)
    keys: dict[str, int] = field(default_factory=dict)
    places: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    def find(self, where: Iterable[tuple[str, tuple[str, ...]]]) -> list[int]:
        """Places of the rows for which every filter holds, in order."""
        found: set[int] | None = None
        for name, values in where:
            held = set(self._held(name, values))
            found = held if found is None else found & held
        return list(range(len(self.readings))) if found is None else sorted(found)

    def _held(self, name: str, values: tuple[str, ...]) -> Iterator[int]:
        if name == "key":
            yield from (self.keys[value] for value in values if value in self.keys)
            return
        places = self.places.get(name, {})
        for value in values:
            yield from places.get(value, ())


@dataclass(frozen=True)
class Part:
    """A place a kind is read from, with the files as they stand."""

    mapping: KindMapping
    sheet: SheetRule
    files: tuple[Version, ...]


def build(parts: Iterable[Part], own: Callable[[str], str], seal: Seal) -> Index:
    """Read every part; Malformed for files that cannot be read or have no header."""
    index, ledger = Index(), Ledger()
    by: set[str] = set()
    for part in parts:
        by |= set(part.mapping.rule.by)
        for version in part.files:
            changed = datetime.fromtimestamp(version.changed_ns / 1e9, CHINA).isoformat(timespec="seconds")
            _file(index, ledger, part, version, changed, own, seal)
    for name in by:
        index.places[name] = _places(index.readings, name)
    index.remarks = ledger.lines()
    return index


def _file(
    index: Index, ledger: Ledger, part: Part, version: Version, changed: str,
    own: Callable[[str], str], seal: Seal,
) -> None:  # fmt: skip
    headed = 0
    for grid in grids(version.path, part.sheet.sheet):
        header = _header(grid, part.mapping)
        if header is not None:
            headed += 1
            _grid(index, ledger, part, grid, header, changed, own, seal)
    if not headed:
        keys = "、".join(part.mapping.key_natives)
        raise Malformed(f"{version.path.name}: no header row with {keys} / 未找到含“{keys}”的表头")


def _header(grid: Grid, mapping: KindMapping) -> tuple[int, dict[str, int]] | None:
    """The row among the first with most known headers, if the key is among them."""
    best: tuple[int, dict[str, int]] | None = None
    for number, row in enumerate(grid.rows[:HEADER_ROWS]):
        found = layout(row, mapping)
        if set(mapping.key_natives) <= found.keys() and (best is None or len(found) > len(best[1])):
            best = (number, found)
    return best


class _Notes:
    """What one row had wrong, as the reader notes it."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str, str]] = []

    def __call__(self, name: str, native: str, cause: str) -> None:
        self.found.append((name, native, cause))


def _grid(
    index: Index, ledger: Ledger, part: Part, grid: Grid, header: tuple[int, dict[str, int]], changed: str,
    own: Callable[[str], str], seal: Seal,
) -> None:  # fmt: skip
    start, columns = header
    place = f"{grid.file}《{grid.sheet}》" if grid.sheet else grid.file
    for native in sorted(part.mapping.names().keys() - columns.keys()):
        ledger.add(place, native, "没有这一列 / no such column", start + 1, refused=False)
    reader = part.mapping.reader(lambda native: _cell(columns.get(native)), own, seal)
    wanted = part.mapping.fields.keys()
    each = columns.get(part.sheet.each) if part.sheet.each else None
    for offset, cells in enumerate(grid.rows[start + 1 :], start=start + 2):
        row = [_plain(cell) for cell in cells]
        if _skipped(row) or (each is not None and (each >= len(row) or row[each] is None)):
            continue
        for one in _exploded(row, each, part.sheet.split):
            _row(index, ledger, reader, one, list(wanted), place, offset, changed)
        if len(index.readings) > KINDS_ROWS:
            raise Malformed(f"{grid.file}: more than {KINDS_ROWS} rows of one kind")


def _row(
    index: Index, ledger: Ledger, reader: Reader, row: list[Any], wanted: list[str], place: str, number: int,
    changed: str,
) -> None:  # fmt: skip
    notes = _Notes()
    reading = reader(row, wanted, notes)
    lost = next((note for note in notes.found if note[2] == LOST), None)
    worst = lost or next((note for note in notes.found if note[0] == "key"), None)
    if worst is not None:
        ledger.add(place, worst[1], worst[2], number, refused=True)
        return
    for _, native, cause in notes.found:
        ledger.add(place, native, cause, number, refused=False)
    if reading is None:
        return
    if reading.key in index.keys:
        ledger.add(place, reader.mapping.key_natives[0], TWICE, number, refused=True)
        return
    index.keys[reading.key] = len(index.readings)
    index.readings.append(
        Reading(reading.key, reading.local_id, reading.values, reading.updated_at or changed)
    )


def _cell(column: int | None) -> Callable[[list[Any]], Any]:
    if column is None:
        return lambda _: None
    return lambda row: row[column] if column < len(row) else None


def _plain(cell: Any) -> Any:
    """A cell with full-width digits and blanks made plain; empty cells and formula errors are None."""
    if not isinstance(cell, str):
        return cell
    plain = cell.translate(_WIDE).strip()
    return None if not plain or plain in _ERRORS else plain


def _skipped(row: list[Any]) -> bool:
    """Empty rows, and rows of totals."""
    told = [cell for cell in row if cell is not None]
    return not told or any(isinstance(c, str) and _TOTAL.fullmatch(c.replace(" ", "")) for c in told[:3])


def _exploded(row: list[Any], each: int | None, split: str) -> Iterator[list[Any]]:
    """A row for every item of its `each` cell."""
    if each is None or not isinstance(row[each], str):
        yield row
        return
    for item in dict.fromkeys(part.strip() for part in row[each].split(split)):
        if item:
            yield [*row[:each], item, *row[each + 1 :]]


def _places(readings: list[Reading], name: str) -> dict[str, list[int]]:
    places: dict[str, list[int]] = {}
    for place, reading in enumerate(readings):
        value = reading.values.get(name)
        for one in value if isinstance(value, list) else [value]:
            if one is not None:
                places.setdefault(str(one), []).append(place)
    return places


__all__ = ["NO_KEY", "Index", "Part", "build"]
