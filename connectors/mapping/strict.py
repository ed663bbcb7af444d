"""Check plain data against a type and list every fault at once, where msgspec alone stops at the first.

Rule 1: a fault names its place in the data as a path of keys; lines are looked up afterwards.
Rule 2: this file does no I/O.
"""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Union, get_args, get_origin

import msgspec

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong at `path`: what, and what to do about it."""

    path: Path
    cause: str
    remedy: str


def nearest(word: str, known: Iterable[str]) -> str:
    """A remedy: the nearest known word, or the words there are."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if close:
        return f"是否指 {close[0]}？ / did you mean {close[0]}?"
    shown = ", ".join(names[:40]) + (" …" if len(names) > 40 else "")
    return f"可用：{shown} / one of these"


def faults_of(raw: Any, wanted: Any, path: Path = ()) -> list[Fault]:
    """Everything that keeps `raw` from being a `wanted`."""
    shape = _shape(raw, wanted)
    if isinstance(shape, type) and issubclass(shape, msgspec.Struct) and isinstance(raw, dict):
        return _struct(raw, shape, path)
    if get_origin(shape) is dict and isinstance(raw, dict):
        inner = get_args(shape)[1]
        return [fault for key, value in raw.items() for fault in faults_of(value, inner, (*path, key))]
    if get_origin(shape) is list and isinstance(raw, list):
        inner = get_args(shape)[0]
        return [fault for n, value in enumerate(raw) for fault in faults_of(value, inner, (*path, n))]
    return _plain(raw, wanted, path)


def _shape(raw: Any, wanted: Any) -> Any:
    """Of a union, the member that data of this form is meant to be."""
    if get_origin(wanted) not in (Union, types.UnionType):
        return wanted
    for member in get_args(wanted):
        struct = isinstance(member, type) and issubclass(member, msgspec.Struct)
        if isinstance(raw, dict) and (struct or get_origin(member) is dict):
            return member
        if isinstance(raw, list) and get_origin(member) is list:
            return member
    return wanted


def _struct(raw: dict[str, Any], wanted: type[msgspec.Struct], path: Path) -> list[Fault]:
    hints = typing.get_type_hints(wanted)
    fields = {field.encode_name: field for field in msgspec.structs.fields(wanted)}
    found = []
    for name, value in raw.items():
        if name in fields:
            found += faults_of(value, hints[fields[name].name], (*path, name))
        else:
            found.append(Fault((*path, name), f"没有 {name} 这个键 / no such key", nearest(name, fields)))
    for name, field in fields.items():
        if field.required and name not in raw:
            found.append(Fault(path, f"缺少 {name} / missing", f"写上 {name} = … / add it"))
    return found


def _plain(raw: Any, wanted: Any, path: Path) -> list[Fault]:
    try:
        msgspec.convert(raw, wanted)
    except msgspec.ValidationError as error:
        said = str(error).split(" - at ")[0]
        return [Fault(path, f"值的类型不对 / wrong type: {said}", "按说明改正 / write what is expected")]
    return []
