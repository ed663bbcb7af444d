"""The odd shapes of the national platform's values: one reader for each, plain and pure (DOMAIN 2.1).

Rule 1: text or list, list or object, absent or empty: all are read alike.
Rule 2: what cannot be read is absent; only a whole document of the wrong shape is Malformed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

from connectors.errors import Malformed
from schema.model.codes import table

ID = re.compile(r"[0-9A-Za-z_-]{1,64}")
_PATH = re.compile(r"/zxx/[0-9A-Za-z_./-]{1,300}\.json")
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?)(?:([+-]\d\d):?(\d\d)|Z)")
_SYSTEM = re.compile(r"[（(]\s*五\s*[•·・‧∙●.]?\s*四\s*(?:学制)?\s*[）)]")
_STAGES = {name: row["code"] for row in table("stages") for name in (*row["smartedu"], row["zh"])}
MOST_PARTS = 2000


def moment(value: Any) -> str | None:
    """`2024-12-04T12:05:23.797+0800` as RFC 3339; None for anything that is no moment."""
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    return f"{match[1]}{match[2]}:{match[3]}" if match[2] else f"{match[1]}Z"


def words(value: Any) -> tuple[str, ...]:
    """Text, a list of texts or nothing, as a tuple of texts that are not blank."""
    many = value if isinstance(value, list) else [value]
    return tuple(item.strip() for item in many if isinstance(item, str) and item.strip())


def chinese(value: Any) -> tuple[str, ...]:
    """The Chinese of `{"zh-CN": text or list}`, or of the bare value."""
    return words(value.get("zh-CN", value.get("zh_CN")) if isinstance(value, dict) else value)


def number(value: Any) -> int | None:
    """A count as number, text, or list of either; None if it is none."""
    first = value[0] if isinstance(value, list) and value else value
    if isinstance(first, str) and first.strip().isascii() and first.strip().isdigit() and len(first) < 16:
        return int(first)
    return first if isinstance(first, int) and not isinstance(first, bool) and first >= 0 else None


def items(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; of a lone object, itself."""
    many = value if isinstance(value, list) else [value]
    return [item for item in many if isinstance(item, dict)]


def named(value: Any) -> dict[str, Any]:
    """An object, or an empty one."""
    return value if isinstance(value, dict) else {}


def ident(value: Any) -> str:
    """An id of the platform, or empty text when it could not be one."""
    return value if isinstance(value, str) and ID.fullmatch(value) else ""


def stage(name: str) -> tuple[str | None, str | None]:
    """(stage, schooling system) of a printed stage: 小学（五•四学制） is PRIMARY under S54."""
    bare, five_four = _SYSTEM.subn("", name.strip())
    code = _STAGES.get(bare.strip())
    if five_four:
        return code, "S54"
    return code, "S63" if code in ("PRIMARY", "JUNIOR") else None


def version(raw: Any) -> tuple[str, tuple[str, ...]]:
    """(module version, paths of the parts) of a version file; hosts of the addresses are not followed."""
    if not isinstance(raw, dict) or not isinstance(raw.get("module_version"), int | str):
        raise Malformed("a version file without module_version")
    return str(raw["module_version"])[:64], paths(raw.get("urls"))


def paths(urls: Any) -> tuple[str, ...]:
    """Paths behind a base, of addresses in a list or separated by commas."""
    many = urls.split(",") if isinstance(urls, str) else urls
    if not isinstance(many, list) or len(many) > MOST_PARTS:
        raise Malformed("no list of the addresses of parts, or too long a one")
    return tuple(_path(url) for url in many if isinstance(url, str) and url.strip())


def _path(url: str) -> str:
    try:
        path = urlsplit(url.strip()).path
    except ValueError:
        path = ""
    start = path.find("/zxx/")
    found = path[start:] if start >= 0 else ""
    if not _PATH.fullmatch(found) or ".." in found:
        raise Malformed("the address of a part that is none of the platform's")
    return found


def listed(raw: Any) -> list[dict[str, Any]]:
    """The records of a part."""
    if not isinstance(raw, list):
        raise Malformed(f"a part that is no list but {type(raw).__name__}")
    return items(raw)


def web(value: Any) -> str | None:
    """An http(s) address, or None."""
    if not isinstance(value, str) or len(value) > 2000:
        return None
    return value if value.startswith(("https://", "http://")) and not re.search(r"[\s\"'<>]", value) else None


def first(values: Iterable[str | None]) -> str | None:
    """The first that is told."""
    return next((value for value in values if value), None)


def numbered(preview: dict[str, Any]) -> Iterator[Any]:
    """The slides of a preview in order: Slide1, Slide2, Slide10."""
    yield from (preview[name] for name in sorted(preview, key=lambda name: (len(name), name)))
