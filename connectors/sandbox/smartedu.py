"""The national platform's other half: its static JSON, odd shapes and all, behind three mirrors (DOMAIN 2.1).

`/m1 /m2 /m3` are the mirrors. `POST /_mirrors` with `{"m2": "dead"}` breaks one: ok, dead (502), forbidden
(403), garbage, hang. `POST /_version` gives every module a new version. Nothing is stored: parts are made
when asked for; the list of a textbook's lessons needs one walk over the national resources, once.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import threading
from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.sandbox.country import Chapter, Country, Resource, Tag, TagNode, Textbook

MIRRORS = ("m1", "m2", "m3")
MODES = ("ok", "dead", "forbidden", "garbage", "hang")
BASE_VERSION = 1_733_284_000_000
PRIVATE = "https://r{}-ndr-private.example.invalid"
PUBLIC = "https://r{}-ndr.example.invalid"
LEVELS = {"zxxxd": "学段", "zxxxk": "学科", "zxxbb": "版本", "zxxnj": "年级", "zxxcc": "册次"}
MODULES = ("national_lesson", "prepare_lesson")
PREVIEW = "https://preview.example.invalid/{}/{}.jpg"

Json = dict[str, Any]


class Forbidden(LookupError):
    """Parts of compounds have no details of their own: 403."""


def app(country: Country, *, part_size: int = 1000, compound_books: bool = False) -> Starlette:
    """The platform over the country's textbooks and national resources.

    `part_size`: most records of a part; `compound_books`: books without PDF come with two `sub` records each.
    `app.state.mirrors` and `app.state.version` may be set directly by tests in the same process.
    """
    platform = Platform(country, part_size, compound_books)
    site = Starlette(routes=[
        Route("/_mirrors", _mirrors, methods=["POST"]),
        Route("/_version", _version, methods=["POST"]),
        Route("/{mirror}/{path:path}", _document),
    ])  # fmt: skip
    site.state.platform = platform
    site.state.mirrors = dict.fromkeys(MIRRORS, "ok")
    site.state.version = BASE_VERSION
    return site


async def _mirrors(request: Request) -> Response:
    wanted = await request.json()
    if not set(wanted) <= set(MIRRORS) or not set(wanted.values()) <= set(MODES):
        return JSONResponse({"error": f"mirrors {MIRRORS}, modes {MODES}"}, 400)
    request.app.state.mirrors |= wanted
    return JSONResponse(request.app.state.mirrors)


async def _version(request: Request) -> Response:
    request.app.state.version += 1
    return JSONResponse({"module_version": request.app.state.version})


async def _document(request: Request) -> Response:
    mirror, mode = request.path_params["mirror"], request.app.state.mirrors.get(request.path_params["mirror"])
    if mode == "hang":
        await asyncio.sleep(3600)
    if mode != "ok":
        status = {"dead": 502, "forbidden": 403, "garbage": 200}.get(mode, 404)
        return Response(b'[{"half":', status, media_type="application/json")
    base = f"{request.url.scheme}://{request.url.netloc}/{mirror}"
    platform: Platform = request.app.state.platform
    try:
        body = await run_in_threadpool(
            platform.document, "/" + request.path_params["path"], base, request.app.state.version
        )
    except Forbidden:
        return Response(b"<Error><Code>AccessDenied</Code></Error>", 403, media_type="application/xml")
    except LookupError:
        return Response(b"<Error><Code>NoSuchKey</Code></Error>", 404, media_type="application/xml")
    etag = f'"{hashlib.md5(body).hexdigest()}"'
    if request.headers.get("If-None-Match") == etag:
        return Response(status_code=304, headers={"ETag": etag})
    return Response(body, headers={"ETag": etag}, media_type="application/json")


class Platform:
    """What lies at which path."""

    def __init__(self, country: Country, part_size: int, compound_books: bool) -> None:
        self._country, self._size, self._compound = country, part_size, compound_books
        self._resources = country.resources("NATIONAL")
        self._lock = threading.Lock()
        self._by_book: dict[str, array[int]] | None = None

    def document(self, path: str, base: str, version: int) -> bytes:
        """The document at a path; LookupError when there is none."""
        for pattern, make in _ROUTES:
            match = pattern.fullmatch(path)
            if match:
                return orjson.dumps(make(self, base, version, *match.groups()))
        raise LookupError(path)

    def books_version(self, base: str, version: int) -> Json:
        urls = [f"{base}/zxx/ndrs/resources/tch_material/part_{100 + n}.json"
                for n in range(_parts(len(self._book_rows()), self._size))]  # fmt: skip
        return {"module": "tch_material", "module_version": version, "urls": ",".join(urls)}

    def books_part(self, base: str, version: int, number: str) -> list[Json]:
        return list(_slice(self._book_rows(), int(number), self._size))

    def book_tags(self, base: str, version: int) -> Json:
        return _root(self._country.tag_tree())

    def lesson_tags(self, base: str, version: int) -> list[Json]:
        return [_root(self._country.tag_tree())]

    def book_details(self, base: str, version: int, key: str) -> Json:
        if any(key in _sub_ids(book) for book in self._country.textbooks() if not book.has_pdf):
            raise Forbidden(key)
        book = self._book(key)
        return _book(book) | {"ti_items": _book_files(book, base)}

    def mapping(self, base: str, version: int, key: str) -> Json:
        book = self._book(key)
        pages = [{"node_id": chapter.id, "page_number": _odd(chapter.page + book.front_page, n)}
                 for n, chapter in enumerate(self._country.chapters(book))]  # fmt: skip
        return {"ebook_id": key, "front_page": book.front_page, "mappings": pages}

    def tree(self, base: str, version: int, key: str) -> Json | list[Json]:
        book = self._book(key)
        root = _tree(book, self._country.chapters(book))
        return [root] if book.index % 2 else root

    def module_version(self, base: str, version: int, module: str) -> Json:
        count = _parts(len(self._resources), self._size)
        address = f"{base}/zxx/ndrs/{module}/teachingmaterials/part_{{}}.json"
        urls = [address.format(100 + n) for n in range(count)]
        return {"module": module, "module_version": version, "urls": urls}

    def module_part(self, base: str, version: int, module: str, number: str) -> list[Json]:
        rows = _slice(self._resources, int(number), self._size)
        return [self._lesson(row) for row in rows if _module(row) == module]

    def lesson_parts(self, base: str, version: int, key: str) -> list[str]:
        self._book(key)
        return [f"{base}/zxx/ndrs/prepare_lesson/teachingmaterials/{key}/resources/part_100.json"]

    def lessons(self, base: str, version: int, module: str, key: str) -> list[Json]:
        self._book(key)
        rows = (self._resources[number] for number in self._index().get(key, ()))
        return [self._lesson(row) for row in rows if _module(row) == module]

    def lesson_details(self, base: str, version: int, name: str, key: str) -> Json:
        row = self._country.resource(key)
        wanted = {"national_lesson/resources": MODULES[0], "prepare_sub_type/resources": MODULES[1]}[name]
        if row is None or row.level != "NATIONAL" or row.tombstone or _module(row) != wanted:
            raise LookupError(key)
        if row.compound == "sub":
            raise Forbidden(key)
        return self._lesson(row) | {"ti_items": _files(row)} | self._relations(row)

    def audios(self, base: str, version: int, key: str) -> list[Json]:
        row = self._country.resource(key)
        return [_files(row)[0]] if row is not None and row.format == "mp3" else []

    def _relations(self, row: Resource) -> Json:
        if row.compound != "parent":
            return {"relations": {}}
        below = self._resources[row.index + 1 : row.index + 3]
        parts = [self._lesson(part) | {"ti_items": _files(part)} for part in below]
        places = ",".join(str(n) for n in range(len(parts)))
        ref = [f"$.relations.national_course_resource[{places}]"]
        structure = {"relations": [{"title": "课程内容", "res_ref": ref}]}
        return {"relations": {"national_course_resource": parts}, "resource_structure": structure}

    def _lesson(self, row: Resource) -> Json:
        sub = row.compound == "sub"
        parent = self._country.resource(row.parent_id or "") if sub else None
        whole = parent or row
        root = _tree_id(row.textbook_id)
        return _record(row.id, row.title, whole.title, row.created_at, row.updated_at) | {
            "global_label": {"zh-CN": list(row.labels)},
            "global_description": {"zh-CN": row.summary},
            "resource_type_code": row.type_code,
            "resource_type_code_name": row.type_name,
            "container_id": _uuid("box", whole.id),
            "provider_list": [{"id": "1", "name": row.provider}],
            "teacher_list": [{"id": "2", "name": row.contributor}],
            "tag_list": [] if sub else _tags(row.tags),
            "tag_paths": [] if sub else [row.tag_path],
            "chapter_paths": [] if sub else [f"{root}/{row.chapter_path}"],
            "teachmeterial_ids": [] if sub else [row.textbook_id],
            "custom_properties": _own(row.format, row.size, row.id, whole.id),
        } | ({"compound_node": row.compound} if row.compound else {})  # fmt: skip

    def _book_rows(self) -> list[Json]:
        return [row for book in self._country.textbooks() for row in _rows(book, self._compound)]

    def _book(self, key: str) -> Textbook:
        book = self._country.textbook(key)
        if book is None:
            raise LookupError(key)
        return book

    def _index(self) -> dict[str, array[int]]:
        with self._lock:
            if self._by_book is None:
                found: dict[str, array[int]] = {}
                for number, row in enumerate(self._resources):
                    found.setdefault(row.textbook_id, array("L")).append(number)
                self._by_book = found
            return self._by_book


_ID = r"([0-9a-f-]{36})"
_ROUTES: tuple[tuple[re.Pattern[str], Callable[..., Any]], ...] = tuple(
    (re.compile(path), make)
    for path, make in (
        (r"/zxx/ndrs/resources/tch_material/version/data_version\.json", Platform.books_version),
        (r"/zxx/ndrs/resources/tch_material/part_(\d{3,6})\.json", Platform.books_part),
        (r"/zxx/ndrs/tags/tch_material_tag\.json", Platform.book_tags),
        (r"/zxx/ndrs/tags/(?:national_lesson_tag|k12)\.json", Platform.lesson_tags),
        (rf"/zxx/ndrv2/resources/tch_material/details/{_ID}\.json", Platform.book_details),
        (rf"/zxx/ndrv2/national_lesson/trees/{_ID}\.json", Platform.tree),
        (rf"/edu_product/esp/assets/{_ID}\.pkg/mapping\.json", Platform.mapping),
        (r"/zxx/ndrs/(national_lesson|prepare_lesson)/teachingmaterials/version/data_version\.json",
         Platform.module_version),
        (r"/zxx/ndrs/(national_lesson|prepare_lesson)/teachingmaterials/part_(\d{3,6})\.json",
         Platform.module_part),
        (rf"/zxx/ndrs/prepare_lesson/teachingmaterials/{_ID}/resources/parts\.json", Platform.lesson_parts),
        (rf"/zxx/ndrs/(national_lesson|prepare_lesson)/teachingmaterials/{_ID}/resources/part_100\.json",
         Platform.lessons),
        (rf"/zxx/ndrv2/(national_lesson/resources|prepare_sub_type/resources)/details/{_ID}\.json",
         Platform.lesson_details),
        (rf"/zxx/ndrs/resources/{_ID}/relation_audios\.json", Platform.audios),
    )
)  # fmt: skip


def _parts(count: int, size: int) -> int:
    return max(1, -(-count // size))


def _slice(rows: Sequence[Any], number: int, size: int) -> Any:
    start = (number - 100) * size
    if start < 0 or start >= max(len(rows), 1):
        raise LookupError("no such part")
    return rows[start : start + size]


def _module(row: Resource) -> str:
    return MODULES[row.type_code == "lesson_plandesign" and not row.compound]


def _uuid(*parts: object) -> str:
    mark = hashlib.md5("/".join(map(str, parts)).encode()).hexdigest()
    return f"{mark[:8]}-{mark[8:12]}-{mark[12:16]}-{mark[16:20]}-{mark[20:]}"


def _tree_id(book: str) -> str:
    return _uuid("tree", book)


def _moment(text: str) -> str:
    """`2024-08-20T09:00:00+08:00` as the platform writes it: milliseconds, no colon in the offset."""
    return text[:19] + ".000" + text[19:].replace(":", "")


def _odd(number: int, turn: int) -> int | str:
    return str(number) if turn % 5 == 4 else number


def _record(key: str, title: str, common: str, created: str, updated: str) -> Json:
    return {
        "id": key,
        "title": title,
        "global_title": {"zh-CN": common},
        "status": "ONLINE",
        "create_time": _moment(created),
        "update_time": _moment(updated),
    }


def _tags(tags: Sequence[Tag]) -> list[Json]:
    """Tags in no order: the last first."""
    return [{"tag_id": tag.id, "tag_name": tag.name, "tag_dimension_id": tag.dimension, "order_num": 0}
            for tag in reversed(tags)]  # fmt: skip


def _own(form: str, size: int, key: str, whole: str) -> Json:
    slides = {f"Slide{n}": PREVIEW.format(key, n) for n in (10, 1, 2)}
    return {"format": form, "size": size, "preview": slides, "global_resource_id": whole}


def _rows(book: Textbook, compound: bool) -> Iterator[Json]:
    yield _book(book)
    if compound and not book.has_pdf:
        for n, key in enumerate(_sub_ids(book)):
            yield _book(book) | {
                "id": key, "title": f"{book.title}（第{n + 1}部分）", "tag_list": [], "tag_paths": [],
                "compound_node": "sub",
            }  # fmt: skip


def _sub_ids(book: Textbook) -> tuple[str, ...]:
    return tuple(_uuid("sub", book.id, n) for n in range(2))


def _book(book: Textbook) -> Json:
    age = Tag(f"513634296{book.edition_age == '新教材':d}", book.edition_age, "zxxxjjc")
    tags = [] if book.index % 29 == 3 else _tags((*book.tags, age))
    form = {"format": "pdf"} if book.has_pdf else {"format": ""}
    return _record(book.id, book.title, book.title, book.created_at, book.updated_at) | {
        "global_label": {"zh-CN": [book.subject_name, book.version_name]},
        "global_description": {"zh-CN": ""},
        "resource_type_code": "assets_document" if book.has_pdf else "thematic_course",
        "resource_type_code_name": "文档" if book.has_pdf else "专题课程",
        "container_id": _uuid("box", book.id),
        "provider_list": [{"id": "1", "name": book.publisher}],
        "tag_list": tags,
        "tag_paths": [book.tag_path],
        "custom_properties": _own("pdf", book.size, book.id, book.id) | form,
    }  # fmt: skip


def _book_files(book: Textbook, base: str) -> list[Json]:
    folder = f"/edu_product/esp/assets/{book.id}.pkg"
    mapping = _item("json", "ebook_mapping", 2048, hashlib.md5(book.id.encode()).hexdigest()) | {
        "ti_storage": f"cs_path:${{ref-path}}{folder}/mapping.json",
        "ti_storages": [f"{base.rsplit('/', 1)[0]}/{mirror}{folder}/mapping.json" for mirror in MIRRORS],
    }
    source = _item("pdf", "source", book.size, book.md5) | _stored(PRIVATE, f"{folder}/book.pdf")
    value: Any = [str(book.page_count), "0"] if book.index % 2 else str(book.page_count)
    source |= _sized(value)
    return [source, mapping] if book.has_pdf else [mapping]


def _files(row: Resource) -> list[Json]:
    folder = f"/edu_product/esp/assets/{row.id}.pkg"
    source = _item(row.format, "source", row.size, row.md5) | _stored(PRIVATE, f"{folder}/main.{row.format}")
    if row.page_count:
        value: Any = [str(row.page_count)] if row.index % 2 else str(row.page_count)
        source["custom_properties"] = {
            "requirements": [{"name": "PageSize", "type": "QUOTA", "value": value}]
        }
    cover = _item("jpg", "cover", 4096, hashlib.md5(row.id.encode()).hexdigest())
    return [cover | _stored(PUBLIC, f"{folder}/cover.jpg"), source]


def _item(form: str, flag: str, size: int, md5: str) -> Json:
    return {"ti_format": form, "lc_ti_format": f"application/{form}", "ti_file_flag": flag,
            "ti_is_source_file": flag == "source", "ti_size": size, "ti_md5": md5}  # fmt: skip


def _sized(value: Any) -> Json:
    return {"custom_properties": {"requirements": [{"name": "PageSize", "type": "QUOTA", "value": value}]}}


def _stored(host: str, path: str) -> Json:
    return {
        "ti_storage": f"cs_path:${{ref-path}}{path}",
        "ti_storages": [host.format(n) + path for n in (1, 2, 3)],
    }


def _tree(book: Textbook, chapters: Sequence[Chapter]) -> Json:
    root = _tree_id(book.id)
    when = {"create_time": _moment(book.created_at), "update_time": _moment(book.updated_at)}

    def node(chapter: Chapter) -> Json:
        below = [node(child) for child in chapters if child.parent_id == chapter.id]
        path = f"{root}/{chapter.path}"
        told = {"id": chapter.id, "title": chapter.title, "node_path": path, "tree_id": root, **when}
        return told | {"child_nodes": below or None}

    tops = [node(chapter) for chapter in chapters if chapter.parent_id is None]
    return {"id": root, "title": book.title, "node_path": root, "tree_id": root, **when, "child_nodes": tops}


def _root(tree: TagNode) -> Json:
    return {"tag_path": tree.path, "hierarchies": _hierarchies(tree)}


def _hierarchies(node: TagNode) -> list[Json] | None:
    if not node.children:
        return None
    children: list[Json] = [{"tag_id": child.tag.id, "tag_name": child.tag.name, "ext": {},
                 "hierarchies": _hierarchies(child)} for child in node.children]  # fmt: skip
    name = LEVELS.get(node.children[0].tag.dimension, "")
    more = [child.path for child in node.children if child.children]
    ext = {"has_next_tag_path": more, "hidden_tags": []}
    return [{"hierarchy_name": name, "ext": ext, "children": children}]
