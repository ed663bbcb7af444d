"""OneRoster as a CSV bundle (OneRoster 1.2 and 1.1 CSV binding): checked, read beside the loop, indexed.

Rule 1: a bundle is read again when its files have changed, and only then; readers of one version share it.
Rule 2: nothing outside the files' root is opened, nothing larger than promised is unpacked.
Rule 3: only `bulk` bundles are read: a delta alone is no roster.
"""

from __future__ import annotations

import asyncio
import csv
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path

from connectors.errors import Malformed, Refused, Unavailable
from connectors.oneroster.headers import FILES, NEEDED, OPTIONAL, of_version
from connectors.oneroster.options import OneRosterOptions
from connectors.oneroster.roster import Ask, Found, Item, Remarks, reach, sifted
from connectors.oneroster.rows import Row, Shapes
from connectors.recent import Recent

CELL = 65_536  # characters of one cell
ROWS = 4_000_000  # rows of one file
FLIGHT = 300.0  # seconds for reading a bundle; longer than callers wait, for the next ones profit
INDEXED = {
    "classes": ("school.sourcedId",),
    "users": ("primaryOrg.sourcedId",),
    "enrollments": ("user.sourcedId", "class.sourcedId", "school.sourcedId"),
}


class Collection:
    """The rows of one file by sourcedId and by what they refer to; made into items when asked for."""

    def __init__(self, name: str, rows: list[Row], shapes: Shapes) -> None:
        self._name, self._rows, self._shapes = name, rows, shapes
        self._by: dict[str, dict[str, list[int]]] = {"sourcedId": {}}
        self._by |= {path: {} for path in INDEXED.get(name, ())}
        for place, row in enumerate(rows):
            self._by["sourcedId"].setdefault(row.get("sourcedId", ""), []).append(place)
            item = shapes.item(name, row) if name in INDEXED else {}
            for path in INDEXED.get(name, ()):
                for own in reach(item, path):
                    self._by[path].setdefault(own, []).append(place)

    def items(self, ask: Ask) -> Iterator[Item]:
        """The items that may match."""
        index = self._by.get(ask.path)
        places = range(len(self._rows)) if index is None else _places(index, ask.values)
        return (self._shapes.item(self._name, self._rows[place]) for place in places)


def _places(index: Mapping[str, list[int]], values: tuple[str, ...]) -> list[int]:
    return sorted({place for value in values for place in index.get(value, ())})


Shelf = dict[str, Collection]


class Bundle:
    """A roster in files; made once, used by many tasks."""

    def __init__(self, root: Path, options: OneRosterOptions) -> None:
        self._root, self._options = root, options
        self._recent: Recent[Shelf] = Recent(size=1, life=86_400.0, flight=FLIGHT)
        self.user_school = "primaryOrg.sourcedId"

    async def select(self, ask: Ask, until: float, remarks: Remarks) -> Found:
        """See Roster: from memory, after a look at the files' dates."""
        shelf = await self._shelf(until)
        return await asyncio.to_thread(self._pick, shelf, ask, remarks)

    async def probe(self, until: float) -> None:
        """The whole bundle can be read."""
        await self._shelf(until)

    async def aclose(self) -> None:
        """End what is under way."""
        await self._recent.aclose()

    def _pick(self, shelf: Shelf, ask: Ask, remarks: Remarks) -> Found:
        items = shelf["orgs" if ask.collection == "schools" else ask.collection].items(ask)
        if ask.collection == "schools":
            items = (item for item in items if item.get("type") == "school")
        found = sifted(items, ask, remarks)
        return Found(found[: self._options.most], len(found) > self._options.most)

    async def _shelf(self, until: float) -> Shelf:
        version = await asyncio.to_thread(self._version)

        async def make(names: list[str]) -> Mapping[str, Shelf]:
            return {names[0]: await asyncio.to_thread(self._load)}

        within = max(until - asyncio.get_running_loop().time(), 0.001)
        return (await self._recent.get([version], make, within))[version]

    def _version(self) -> str:
        """Changes whenever a file does."""
        path = self._path()
        parts = sorted(path.glob("*.csv")) if path.is_dir() else [path]
        try:
            states = [(part.name, part.stat()) for part in parts]
        except OSError:
            raise Unavailable("打不开数据包 / the bundle cannot be opened") from None
        return repr([(name, state.st_mtime_ns, state.st_size, state.st_ino) for name, state in states])

    def _path(self) -> Path:
        root = self._root.resolve()
        path = (root / self._options.bundle).resolve()
        if not path.is_relative_to(root):
            raise Refused("数据包路径越出文件根目录 / the bundle lies outside the files' root")
        if not path.exists():
            raise Unavailable("数据包不存在 / there is no bundle")
        return path

    def _load(self) -> Shelf:
        path = self._path()
        try:
            if path.is_dir():
                return _shelf(_in_folder(path, self._options.largest))
            with zipfile.ZipFile(path) as packed:
                return _shelf(_in_zip(packed, self._options.largest))
        except (zipfile.BadZipFile, zlib.error, csv.Error, NotImplementedError, RuntimeError, EOFError):
            raise Malformed("数据包不是有效的 zip 或 CSV / neither a sound zip nor CSV") from None
        except UnicodeDecodeError:
            raise Malformed("数据包不是 UTF-8 编码 / a file of the bundle is not UTF-8") from None
        except OSError:
            raise Unavailable("打不开数据包 / the bundle cannot be opened") from None


Open = Callable[[str], bytes | None]


def _in_folder(folder: Path, largest: int) -> Open:
    left = [largest]

    def read(name: str) -> bytes | None:
        path = (folder / name).resolve()
        if not path.is_relative_to(folder):
            raise Refused("数据包文件越出目录 / a file of the bundle lies outside its folder")
        if not path.is_file():
            return None
        with path.open("rb") as stream:
            return _bounded(stream.read(left[0] + 1), left)

    return read


def _in_zip(packed: zipfile.ZipFile, largest: int) -> Open:
    left, names = [largest], frozenset(packed.namelist())

    def read(name: str) -> bytes | None:
        if name not in names:
            return None
        with packed.open(name) as stream:
            return _bounded(stream.read(left[0] + 1), left)

    return read


def _bounded(content: bytes, left: list[int]) -> bytes:
    left[0] -= len(content)
    if left[0] < 0:
        raise Malformed("数据包超过约定大小 / the bundle is larger than agreed")
    return content


def _shelf(read: Open) -> Shelf:
    manifest = _manifest(read)
    version = manifest.get("oneroster.version", "")
    headers = of_version(version)
    if headers is None:
        raise Malformed("manifest.csv：oneroster.version 应为 1.1 或 1.2 / should be 1.1 or 1.2")
    rows = {
        name: _file(read, name, headers[name], _state(manifest, name)) for name in FILES if name in headers
    }
    shapes = Shapes(version, rows.pop("roles", []))
    return {name: Collection(name, part, shapes) for name, part in rows.items()}


def _manifest(read: Open) -> dict[str, str]:
    table = _rows("manifest", read("manifest.csv"), ("propertyName", "value"))
    return {row["propertyName"].strip(): row["value"].strip() for row in table}


def _state(manifest: Mapping[str, str], name: str) -> str:
    state = manifest.get(f"file.{name}", "absent")
    if state not in ("bulk", "absent"):
        raise Malformed(f"manifest.csv：file.{name} 应为 bulk 或 absent / should be bulk or absent")
    if state == "absent" and name in NEEDED:
        raise Malformed(f"manifest.csv：缺少 file.{name} / file.{name} is needed")
    return state


def _file(read: Open, name: str, header: tuple[str, ...], state: str) -> list[Row]:
    return _rows(name, read(f"{name}.csv"), header) if state == "bulk" else []


def _rows(name: str, content: bytes | None, header: tuple[str, ...]) -> list[Row]:
    """The rows of a file as mappings; blank cells are left out."""
    if content is None:
        raise Malformed(f"缺少 {name}.csv / {name}.csv is missing")
    lines = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
    names = [cell.strip() for cell in next(lines, [])]
    missing = [column for column in header if column not in names and column not in OPTIONAL]
    if missing:
        raise Malformed(f"{name}.csv：缺少列 / missing columns: {', '.join(missing[:5])}")
    rows = [_row(name, names, cells) for cells in islice(lines, ROWS + 1) if cells]
    if len(rows) > ROWS:
        raise Malformed(f"{name}.csv：行数过多 / too many rows")
    return rows


def _row(name: str, names: list[str], cells: list[str]) -> Row:
    if len(cells) != len(names):
        raise Malformed(f"{name}.csv：有一行的列数与表头不符 / a row does not fit the header")
    if any(len(cell) > CELL for cell in cells):
        raise Malformed(f"{name}.csv：有单元格过长 / a cell is too long")
    return {key: cell for key, cell in zip(names, cells, strict=True) if cell}
