"""One record of the national platform, read once from a part or from its details, whatever its odd shape.

Rule 1: a `sub` node without tags inherits from the record it is part of (DOMAIN 2.1, trap 2).
Rule 2: a tag is known by its full path: its id repeats across branches (trap 1).
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import msgspec

from connectors.smartedu import shapes

MOST = 200  # files, tags, chapters of one record

DIMENSIONS = {"学段": "zxxxd", "学科": "zxxxk", "版本": "zxxbb", "年级": "zxxnj", "册次": "zxxcc"}


class Tag(msgspec.Struct, frozen=True):
    """A tag of a record; `path` is empty where the record does not say in which branch it hangs."""

    dimension: str
    tag_id: str
    name: str
    path: str = ""


class File(msgspec.Struct, frozen=True):
    """One file; `address` is empty where it lies behind a login."""

    format: str
    role: str
    size: int | None
    md5: str
    address: str
    store: str
    pages: int | None
    source: bool


class Entry(msgspec.Struct, frozen=True):
    """A record as told; `files` is None where the document does not list files at all."""

    id: str
    title: str
    summary: str
    type_code: str
    format: str
    online: bool
    created_at: str | None
    updated_at: str | None
    providers: tuple[str, ...]
    teachers: tuple[str, ...]
    tags: tuple[Tag, ...]
    paths: tuple[str, ...]
    labels: tuple[str, ...]
    chapters: tuple[str, ...]
    textbooks: tuple[str, ...]
    cover: str | None
    container: str
    role: str
    whole: str
    files: tuple[File, ...] | None
    parts: tuple[Entry, ...] = ()

    @property
    def sub(self) -> bool:
        """Whether this is a part of a compound, told apart by its parent."""
        return self.role == "sub"

    def named(self, dimension: str) -> str | None:
        """The name of its tag in a dimension."""
        return next((tag.name for tag in self.tags if tag.dimension == dimension), None)


def entries(raw: Any) -> tuple[Entry, ...]:
    """The records of a part; those without an id are left out."""
    return tuple(found for item in shapes.listed(raw) if (found := entry(item)) is not None)


def entry(raw: dict[str, Any]) -> Entry | None:
    """One record, or None when it has no id to be known by."""
    own, key = shapes.named(raw.get("custom_properties")), shapes.ident(raw.get("id"))
    if not key:
        return None
    paths = tuple(path for path in shapes.words(raw.get("tag_paths")) if len(path) < 2000)[:MOST]
    return Entry(
        id=key,
        title=_title(raw),
        summary=shapes.first(shapes.chinese(raw.get("global_description"))) or "",
        type_code=_text(raw.get("resource_type_code")),
        format=_text(own.get("format")).lower(),
        online=raw.get("status", "ONLINE") == "ONLINE",
        created_at=shapes.moment(raw.get("create_time")),
        updated_at=shapes.moment(raw.get("update_time")),
        providers=_names(raw.get("provider_list")),
        teachers=_names(raw.get("teacher_list")),
        tags=_tags(raw.get("tag_list"), paths),
        paths=paths,
        labels=shapes.chinese(raw.get("global_label"))[:MOST],
        chapters=_chapters(raw.get("chapter_paths")),
        textbooks=tuple(filter(shapes.ID.fullmatch, shapes.words(raw.get("teachmeterial_ids"))[:MOST])),
        cover=_cover(own),
        container=shapes.ident(raw.get("container_id")),
        role=_text(raw.get("compound_node")),
        whole=shapes.ident(own.get("global_resource_id")),
        files=_files(raw["ti_items"]) if "ti_items" in raw else None,
        parts=_parts(raw.get("relations")),
    )


def inherit(part: Entry, parent: Entry) -> Entry:
    """`part` with what it does not tell itself taken from `parent`."""
    return msgspec.structs.replace(
        part,
        tags=part.tags or parent.tags,
        paths=part.paths or parent.paths,
        chapters=part.chapters or parent.chapters,
        textbooks=part.textbooks or parent.textbooks,
        providers=part.providers or parent.providers,
        teachers=part.teachers or parent.teachers,
        cover=part.cover or parent.cover,
        whole=parent.id,
    )


def gathered(found: tuple[Entry, ...], known: dict[str, Entry]) -> tuple[Entry, ...]:
    """`found` with every part joined to its parent among `found` and `known`; orphans stay as they are.

    The parent is the record that a part names as its whole, else the one of its container that is no part.
    """
    wholes = known | {one.id: one for one in found if not one.sub}
    boxes = {one.container: one for one in wholes.values() if one.container}
    return tuple(_joined(one, wholes, boxes) if one.sub else one for one in found)


def _joined(part: Entry, wholes: dict[str, Entry], boxes: dict[str, Entry]) -> Entry:
    parent = wholes.get(part.whole) or boxes.get(part.container)
    return inherit(part, parent) if parent is not None else part


def _title(raw: dict[str, Any]) -> str:
    """A part's own title: its global one is that of the whole."""
    own, common = shapes.words(raw.get("title")), shapes.chinese(raw.get("global_title"))
    return shapes.first((*own, *common) if raw.get("compound_node") == "sub" else (*common, *own)) or ""


def _text(value: Any) -> str:
    return value.strip()[:200] if isinstance(value, str) else ""


def _names(value: Any) -> tuple[str, ...]:
    return tuple(name for item in shapes.items(value)[:MOST] if (name := _text(item.get("name"))))


def _tags(raw: Any, paths: tuple[str, ...]) -> tuple[Tag, ...]:
    found = [_tag(item, paths) for item in shapes.items(raw)[:MOST]]
    return tuple(tag for tag in found if tag.tag_id and tag.name)


def _tag(item: dict[str, Any], paths: tuple[str, ...]) -> Tag:
    key = shapes.ident(item.get("tag_id"))
    return Tag(_text(item.get("tag_dimension_id")), key, _text(item.get("tag_name")), _branch(key, paths))


def _branch(key: str, paths: tuple[str, ...]) -> str:
    """The path down to the tag `key`, along the first of the record's paths that passes it."""
    for path in paths:
        steps = path.split("/")
        if key in steps:
            return "/".join(steps[: steps.index(key) + 1])
    return ""


def _chapters(raw: Any) -> tuple[str, ...]:
    leaves = (path.rstrip("/").rsplit("/", 1)[-1] for path in shapes.words(raw)[:MOST])
    return tuple(dict.fromkeys(leaf for leaf in leaves if shapes.ident(leaf)))


def _cover(own: dict[str, Any]) -> str | None:
    slides = shapes.numbered(shapes.named(own.get("preview")))
    return shapes.first(map(shapes.web, (*slides, *shapes.words(own.get("thumbnails")))))


def _files(raw: Any) -> tuple[File, ...]:
    return tuple(_file(item) for item in shapes.items(raw)[:MOST])


def _file(item: dict[str, Any]) -> File:
    stored = shapes.words(item.get("ti_storages"))[:8]
    store = _text(item.get("ti_storage")).partition("${ref-path}")[2]
    return File(
        format=_text(item.get("ti_format")).lower(),
        role=_text(item.get("ti_file_flag")),
        size=shapes.number(item.get("ti_size")),
        md5=_text(item.get("ti_md5")).lower(),
        address=shapes.first(web for web in map(shapes.web, stored) if web and not _private(web)) or "",
        store=store if store.startswith("/") else "",
        pages=_quota(item, "PageSize"),
        source=item.get("ti_is_source_file") is True,
    )


def _private(address: str) -> bool:
    try:
        return "private" in (urlsplit(address).hostname or "private")
    except ValueError:
        return True


def _quota(item: dict[str, Any], name: str) -> int | None:
    wanted = shapes.items(shapes.named(item.get("custom_properties")).get("requirements"))
    return next((shapes.number(one.get("value")) for one in wanted if one.get("name") == name), None)


def _parts(raw: Any) -> tuple[Entry, ...]:
    related = shapes.named(raw)
    listed = [item for name in ("national_course_resource", "course_resource")
              for item in shapes.items(related.get(name))[:MOST]]  # fmt: skip
    return tuple(found for item in listed if (found := entry(item | {"relations": None})) is not None)
