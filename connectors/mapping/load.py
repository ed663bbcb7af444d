"""Load a mapping file: every fault is found at once and told with file, line, cause and remedy."""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any, Generic, TypeVar, overload

import msgspec

from connectors.mapping.judge import SPECS, judged
from connectors.mapping.lines import line_of
from connectors.mapping.read import KindMapping
from connectors.mapping.rules import Document
from connectors.mapping.strict import Fault, Path, faults_of
from schema.model.words import Kind

D = TypeVar("D", bound=Document)
LARGEST = 1024 * 1024  # bytes of a mapping file

_AT = re.compile(r"\(at line (\d+)")


@dataclass(frozen=True, slots=True)
class Flaw:
    """One reason why a mapping file is refused."""

    file: str
    line: int
    cause: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.cause} → {self.remedy}"


class MappingRefused(ValueError):
    """A mapping file that cannot be used: `flaws` are all reasons; file, line, cause, remedy the first's."""

    def __init__(self, flaws: Iterable[Flaw]) -> None:
        self.flaws = tuple(sorted(flaws, key=lambda flaw: flaw.line))
        super().__init__("\n".join(map(str, self.flaws)))
        first = self.flaws[0]
        self.file, self.line, self.cause, self.remedy = first.file, first.line, first.cause, first.remedy


@dataclass(frozen=True, slots=True)
class Mapping(Generic[D]):
    """A mapping file that holds: by kind, the places it is read from, in the file's order.

    `document` is the whole file in the tongue's own shape (endpoints, sheets …).
    """

    kinds: dict[Kind, tuple[KindMapping, ...]]
    document: D


@overload
def load_mapping(path: FilePath) -> Mapping[Document]: ...
@overload
def load_mapping(
    path: FilePath, document: type[D], check: Callable[[D], Iterable[Fault]] = ...
) -> Mapping[D]: ...
def load_mapping(
    path: FilePath,
    document: type[Any] = Document,
    check: Callable[[Any], Iterable[Fault]] = lambda _: (),
) -> Mapping[Any]:
    """Read and judge a mapping file; `check` adds the tongue's own faults. Raises `MappingRefused`.

    Blocks on the disk: call it when a connector is built, not on a busy loop.
    """
    text = _text(path)
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = _AT.search(str(error))
        line = int(at[1]) if at else max(text.count("\n"), 1)
        raise MappingRefused(
            [Flaw(path.name, line, f"不是 TOML / not TOML: {error}", "改正写法 / mend it")]
        ) from None
    faults = [*faults_of(raw, document), *judged(raw)]
    told = {fault.path for fault in faults}
    whole = _without(raw, faults, document)
    if whole is not None:
        faults += [fault for fault in check(whole) if fault.path not in told]
    if faults or whole is None:
        raise MappingRefused(
            Flaw(path.name, line_of(text, f.path), _place(f.path, f.cause), f.remedy) for f in faults
        )
    return Mapping(_kinds(whole), whole)


def _text(path: FilePath) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
        if len(data) <= LARGEST:
            return data.decode("utf-8-sig")
        cause, remedy = "映射文件过大 / mapping file too large", "拆开 / split it"
    except OSError as error:
        cause, remedy = (
            f"打不开 / cannot be opened: {error.strerror}",
            "检查路径与权限 / check path and rights",
        )
    except UnicodeDecodeError:
        cause, remedy = "不是 UTF-8 / not UTF-8", "另存为 UTF-8 / save as UTF-8"
    raise MappingRefused([Flaw(path.name, 1, cause, remedy)])


def _without(raw: dict[str, Any], faults: list[Fault], document: type[D]) -> D | None:
    """The document without its faulty parts, so that the tongue's own check still sees the rest."""
    rest = copy.deepcopy(raw)
    for fault in faults:
        _drop(rest, fault.path)
    try:
        return msgspec.convert(rest, document)
    except msgspec.ValidationError:
        return None


def _drop(raw: Any, path: Path) -> None:
    for key in path[:-1]:
        if not isinstance(raw, dict) or key not in raw:
            return  # within a list, or dropped before: the conversion decides
        raw = raw[key]
    if path and isinstance(raw, dict):
        raw.pop(path[-1], None)


def _place(path: Path, cause: str) -> str:
    dotted = ".".join(map(str, path))
    return f"{dotted}: {cause}" if dotted else cause


def _kinds(whole: Document) -> dict[Kind, tuple[KindMapping, ...]]:
    return {
        Kind(name): tuple(
            KindMapping(Kind(name), rule, SPECS[name])
            for rule in (said if isinstance(said, list) else [said])
        )
        for name, said in whole.kinds.items()
    }
