"""The national platform's records in our words: textbooks and resources; codes that fit, or nothing.

Rule 1: an unknown code makes its field absent and is remarked; it never goes through as it came.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from connectors.smartedu import shapes
from connectors.smartedu.entry import Entry, File
from connectors.smartedu.options import PAGES
from schema.model.codes import Level, codes_by_name

MOST_REMARKS = 20
_MD5 = re.compile(r"[0-9a-f]{32}")


class Remarks:
    """What was odd, each thing once and not without end."""

    def __init__(self) -> None:
        self._said: dict[str, None] = {}

    def add(self, what: str) -> None:
        """Note one oddity, in words without personal data."""
        if len(self._said) < MOST_REMARKS:
            self._said[what[:200]] = None

    def all(self) -> tuple[str, ...]:
        """Every remark once."""
        return tuple(self._said)


def placed(one: Entry, remarks: Remarks) -> dict[str, Any]:
    """Stage, system, subject, grade, version, volume: what the tags say, in our codes."""
    stage, system = shapes.stage(one.named("zxxxd") or "")
    if stage is None and one.named("zxxxd"):
        remarks.add("有未知的学段 / a stage unknown to the code table")
    return {
        "stage": stage,
        "schooling_system": system if stage else None,
        "subject_code": _code("subjects", one.named("zxxxk"), remarks),
        "grade_code": _code("grades", one.named("zxxnj"), remarks),
        "version_name": one.named("zxxbb"),
        "volume": one.named("zxxcc"),
    }


def textbook(one: Entry, landing: str, remarks: Remarks) -> dict[str, Any]:
    """The values of a Textbook."""
    page = f"{landing}/tchMaterial/detail?contentType={quote(one.type_code or 'assets_document')}"
    return placed(one, remarks) | {
        "title": one.title or None,
        "edition_age": one.named("zxxxjjc"),
        "providers": list(one.providers) or None,
        "has_pdf": one.format == "pdf",
        "cover_url": one.cover,
        "landing_url": f"{page}&contentId={one.id}&catalogType=tchMaterial&subCatalog=tchMaterial",
    }


def resource(one: Entry, module: str, landing: str, remarks: Remarks) -> dict[str, Any]:
    """The values of a Resource, its parent's key excepted; files only where the document lists them."""
    place = placed(one, remarks)
    place.pop("schooling_system")
    main = _main(one.files or ())
    return place | {
        "title": one.title or None,
        "summary": one.summary or None,
        "type_code": one.type_code or None,
        "format": one.format or (main.format if main else None) or None,
        "level": Level.NATIONAL.value,
        "textbook_key": one.textbooks[0] if one.textbooks else None,
        "chapter_keys": list(one.chapters) or None,
        "tags": [_tag(tag) for tag in one.tags] or None,
        "providers": list(one.providers) or None,
        "contributor_name": "、".join(one.teachers[:10]) or None,
        "created_at": one.created_at,
        "updated_at": one.updated_at,
        "online": one.online,
        "cover_url": one.cover,
        "landing_url": f"{landing}{PAGES[module]}{(one.whole if one.sub else one.id) or one.id}",
        "files": None if one.files is None else [_file(file) for file in one.files] or None,
        "content_hash": main.md5 if main and _MD5.fullmatch(main.md5) else None,
        "page_count": main.pages if main else None,
    }


def _code(name: str, printed: str | None, remarks: Remarks) -> str | None:
    code = codes_by_name(name).get(printed or "")
    if printed and code is None:
        remarks.add(f"有代码表 {name} 之外的值 / a value outside of the code table {name}")
    return code


def _tag(tag: Any) -> dict[str, str]:
    told = {"dimension": tag.dimension, "tag_id": tag.tag_id, "name": tag.name, "path": tag.path}
    return {name: value for name, value in told.items() if value}


def _main(files: Iterable[File]) -> File | None:
    ranked = sorted(files, key=lambda file: (not file.source, file.role != "source"))
    return next((file for file in ranked if file.role != "ebook_mapping"), None)


def _file(file: File) -> dict[str, Any]:
    told = {
        "format": file.format, "role": file.role, "size": file.size,
        "md5": file.md5 if _MD5.fullmatch(file.md5) else None,
        "url": file.address or None, "needs_login": not file.address,
    }  # fmt: skip
    return {name: value for name, value in told.items() if value not in (None, "")}
