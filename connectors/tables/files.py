"""Open the files that somebody dropped in a folder, trusting none: bounds first, then their cells.

Rule 1: everything here blocks; it runs in a thread.
Rule 2: only cell values are read; formulas and macros are never run, links never followed.
Rule 3: errors name file and sheet, never what stands in a cell.
"""

from __future__ import annotations

import csv
import fnmatch
import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from python_calamine import CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from connectors.errors import Malformed, Unavailable

ROWS = 200_000  # rows of one sheet
CELLS = 12_000_000  # rows times columns of one sheet
FILE = 50 * 1024 * 1024  # bytes of one file
UNPACKED = 400 * 1024 * 1024  # bytes of a workbook unpacked
PARTS = 2_000  # parts of a workbook
FILES = 200  # files of one pattern
REPEATS = 1_000  # times an OpenDocument cell or row with a value may be repeated
CHUNK = 1024 * 1024

_PLACE = re.compile(rb"""\br\s*=\s*["']([A-Z]{0,3})(\d{1,9})["']""")
_REPEATED_CELL = re.compile(rb"<table:table-cell[^>]{0,2000}>")
_REPEATED = re.compile(rb'number-(?:columns|rows)-repeated="(\d{1,9})"')
_ROW = re.compile(rb"<table:table-row([^>]{0,2000})>")
_BOOKS = (".xlsx", ".xlsm", ".xls", ".ods")


@dataclass(frozen=True, slots=True)
class Version:
    """A file as it stood: another size or time of change is another version."""

    path: Path
    changed_ns: int
    size: int


@dataclass(frozen=True, slots=True)
class Grid:
    """The cells of one sheet, row by row from its first; `sheet` is "" in a CSV file."""

    file: str
    sheet: str
    rows: list[list[Any]]


def versions(folder: Path, pattern: str) -> tuple[Version, ...]:
    """The files of `pattern` in `folder`, by name; Unavailable without the folder."""
    try:
        found = sorted(
            path for path in folder.iterdir()
            if fnmatch.fnmatchcase(path.name, pattern) and not path.name.startswith(("~$", "."))
            and path.is_file() and path.resolve().is_relative_to(folder)
        )  # fmt: skip
        states = [(path, path.stat()) for path in found]
    except OSError as error:
        raise Unavailable(f"the folder cannot be read: {error.strerror}") from None
    if len(found) > FILES:
        raise Malformed(f"more than {FILES} files are named {pattern}")
    return tuple(Version(path, state.st_mtime_ns, state.st_size) for path, state in states)


def grids(path: Path, sheet: str) -> Iterator[Grid]:
    """The sheets whose name fits; Malformed for a file that is none, Unavailable if it went away."""
    try:
        with path.open("rb") as file:
            data = file.read(FILE + 1)
    except OSError as error:
        raise Unavailable(f"{path.name} cannot be read: {error.strerror}") from None
    if len(data) > FILE:
        raise Malformed(f"{path.name} is larger than {FILE // 1024 // 1024} MB")
    if path.suffix.lower() == ".csv":
        yield Grid(path.name, "", _csv(path.name, data))
    elif path.suffix.lower() in _BOOKS:
        yield from _book(path.name, data, sheet)
    else:
        raise Malformed(f"{path.name} is neither CSV nor a spreadsheet (.xlsx, .xls, .ods)")


def _book(name: str, data: bytes, pattern: str) -> Iterator[Grid]:
    if data[:2] == b"PK":
        _weigh(name, data)
    elif data[:8] != b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        raise Malformed(f"{name} is no spreadsheet, whatever its name says")
    try:
        with CalamineWorkbook.from_filelike(io.BytesIO(data)) as book:
            for about in book.sheets_metadata:
                if (
                    about.typ == SheetTypeEnum.WorkSheet
                    and about.visible == SheetVisibleEnum.Visible
                    and fnmatch.fnmatchcase(about.name.strip(), pattern)
                ):
                    yield Grid(name, about.name, _cells(name, book, about.name))
    except (Malformed, GeneratorExit, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # the reader's panics are no Exceptions
        raise Malformed(f"{name} cannot be read as a spreadsheet ({type(error).__name__})") from None


def _cells(name: str, book: CalamineWorkbook, sheet: str) -> list[list[Any]]:
    found = book.get_sheet_by_name(sheet)
    if found.total_height > ROWS or found.total_height * found.total_width > CELLS:
        raise Malformed(f"{name} has more than {ROWS} rows, or too many columns")
    return found.to_python(skip_empty_area=False)


def _weigh(name: str, data: bytes) -> None:
    """Unpack once in pieces, so that a workbook that lies about its size, or whose sheet spans a universe of
    empty cells, is refused before it is built in memory."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as pack:
            parts = pack.infolist()
            if len(parts) > PARTS or sum(part.file_size for part in parts) > UNPACKED:
                raise Malformed(f"{name} unpacks to more than it may")
            for part in parts:
                _walk(name, pack, part)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError, OSError):
        raise Malformed(f"{name} is a broken or locked workbook") from None
    except zipfile.zlib.error:  # type: ignore[attr-defined]
        raise Malformed(f"{name} is a broken workbook") from None


def _walk(name: str, pack: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    sheet, tail, widest, lowest = part.filename.startswith("xl/worksheets/"), b"", 0, 0
    document = part.filename == "content.xml"
    with pack.open(part) as file:
        while chunk := file.read(CHUNK):
            piece = tail + chunk
            if sheet:
                for column, row in _PLACE.findall(piece):
                    widest, lowest = max(widest, _column(column)), max(lowest, int(row))
                if lowest > ROWS or lowest * widest > CELLS:
                    raise Malformed(f"{name} has more than {ROWS} rows, or too many columns")
            if document:
                _repeats(name, piece)
            tail = piece[-4096:]


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _repeats(name: str, piece: bytes) -> None:
    """OpenDocument repeats cells by number; a value said a million times is no table."""
    for tag in _REPEATED_CELL.findall(piece):
        times = _REPEATED.search(tag)
        if b"office:value-type" in tag and times and int(times[1]) > REPEATS:
            raise Malformed(f"{name} repeats a cell beyond belief")
    for row in _ROW.finditer(piece):
        times = _REPEATED.search(row[1])
        if times and int(times[1]) > REPEATS:
            end = piece.find(b"</table:table-row>", row.end())
            if b"office:value-type" in piece[row.end() : end if end >= 0 else len(piece)]:
                raise Malformed(f"{name} repeats a row beyond belief")


def _csv(name: str, data: bytes) -> list[list[Any]]:
    text = _decoded(name, data)
    first = text[: 64 * 1024]
    mark = max(",\t;", key=first.count)
    rows: list[list[Any]] = []
    width = 0
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True):
            rows.append(row)
            width = max(width, len(row))
            if len(rows) > ROWS or len(rows) * width > CELLS:
                raise Malformed(f"{name} has more than {ROWS} rows, or too many columns")
    except csv.Error:
        raise Malformed(f"{name} is broken near line {len(rows) + 1}") from None
    return rows


def _decoded(name: str, data: bytes) -> str:
    if b"\x00" in data:
        raise Malformed(f"{name} is no text")
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Malformed(f"{name} is neither UTF-8 nor GB 18030")
