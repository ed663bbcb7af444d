"""Learning Object Metadata in our words: IEEE 1484.12.1, its XML binding, and CELTS-42's habits.

Names count, namespaces do not: CELTS-42 and IMS files use others, and `langstring` for `string`, or neither.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from lxml import etree

from connectors.oai_pmh import terms
from connectors.oai_pmh.options import OaiPmhOptions

MOST = 200  # of anything that repeats
LONGEST = 4000  # characters of one text
XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
PUBLISHERS = frozenset({"publisher", "出版者", "出版单位", "发布者"})
AUTHORS = frozenset({"author", "creator", "作者", "创建者", "主讲"})
_MD5 = re.compile(r"(?:urn:md5:)?([0-9a-fA-F]{32})")


class Part:
    """An element read once: its text, language, and parts by their names, whatever their namespaces."""

    __slots__ = ("language", "parts", "text")

    def __init__(self, element: etree._Element) -> None:
        self.text = element.text or ""
        self.language = (element.get("language") or element.get(XML_LANG) or "").lower()
        self.parts: dict[str, list[Part]] = {}
        for child in element:
            same = self.parts.setdefault(local(child), [])
            if len(same) < MOST:
                same.append(Part(child))


def local(element: etree._Element) -> str:
    """The name of an element, whatever its namespace."""
    return _bare(str(element.tag))


@lru_cache(maxsize=1024)
def _bare(tag: str) -> str:
    return tag.rpartition("}")[2]


def below(part: Part, *path: str) -> list[Part]:
    """The parts at a path of names."""
    found = [part]
    for step in path:
        found = [child for one in found for child in one.parts.get(step, ())][:MOST]
    return found


def words(part: Part) -> Iterator[str]:
    """The texts of a LangString or plain element: Chinese first, blank ones left out."""
    inner = [*part.parts.get("string", ()), *part.parts.get("langstring", ())]
    inner.sort(key=lambda one: not one.language.startswith(("zh", "cn")))
    for one in inner or [part]:
        text = " ".join(one.text.split())[:LONGEST]
        if text:
            yield text


def told(part: Part, *path: str) -> str | None:
    """The first text at a path."""
    return next((text for one in below(part, *path) for text in words(one)), None)


@dataclass
class Placed:
    """What the classifications say."""

    options: OaiPmhOptions
    values: dict[str, Any] = field(default_factory=dict)
    odd: bool = False

    def take(self, name: str, ids: list[str], entries: list[str]) -> None:
        """One path of a taxonomy that stands for `name`."""
        if name == "chapter_keys":
            self._chapters([key for key in ids if key])
        elif name == "knowledge_points":
            self.values.setdefault(name, []).extend(entries[-1:])
        elif name in terms.TABLES:
            self._code(name, [*reversed(entries), *reversed(ids)])
        elif entries:
            self.values.setdefault(name, entries[-1])

    def _chapters(self, ids: list[str]) -> None:
        if len(ids) > 1:
            self.values.setdefault("textbook_key", ids[0])
            self.values.setdefault("chapter_keys", []).append(ids[-1])

    def _code(self, name: str, found: list[str]) -> None:
        codes = (terms.code(name, word, self.options.codes) for word in found if word)
        code = next(filter(None, codes), None)
        self.odd |= code is None
        if code is not None:
            self.values.setdefault(name, code)


def lom(element: etree._Element, options: OaiPmhOptions) -> dict[str, Any]:
    """The values of a LOM record; `odd` is true when a word fits no code table."""
    root = Part(element)
    placed = _placed(root, options)
    location = next((web for one in below(root, "technical", "location")
                     for text in words(one) if (web := terms.web(text))), None)  # fmt: skip
    return placed.values | _people(root) | {
        "title": told(root, "general", "title"),
        "summary": told(root, "general", "description"),
        "tags": [{"dimension": "keyword", "name": text} for one in below(root, "general", "keyword")
                 for text in words(one)][:MOST] or None,
        "type_code": told(root, "educational", "learningResourceType", "value")
        or told(root, "educational", "learningresourcetype", "value"),
        "format": told(root, "technical", "format"),
        "licence": told(root, "rights", "description"),
        "landing_url": location,
        "files": _files(root),
        "content_hash": _hash(root),
        "odd": placed.odd,
    }  # fmt: skip


def _placed(root: Part, options: OaiPmhOptions) -> Placed:
    placed = Placed(options)
    for path in below(root, "classification", "taxonPath") + below(root, "classification", "taxonpath"):
        source = told(path, "source") or ""
        taxons = list(_taxons(path))
        name = options.taxonomies.get(source) or options.taxonomies.get(source.lower())
        if name and taxons:
            placed.take(name, [key for key, _ in taxons], [entry for _, entry in taxons if entry])
    if "stage" not in placed.values:
        context = [word for one in below(root, "educational", "context", "value") for word in words(one)]
        if context:
            placed.take("stage", [], context[:1])
    return placed


def _taxons(path: Part) -> Iterator[tuple[str, str]]:
    """(id, entry) along a path, whether taxons stand beside one another or one inside the other."""
    for one in path.parts.get("taxon", ()):
        yield told(one, "id") or "", told(one, "entry") or ""
        yield from _taxons(one)


def _people(root: Part) -> dict[str, Any]:
    providers: list[str] = []
    authors: list[str] = []
    published = None
    for one in below(root, "lifeCycle", "contribute") + below(root, "lifecycle", "contribute"):
        role = (told(one, "role", "value") or "").lower()
        cards = [entity.text for entity in below(one, "entity") + below(one, "centity", "vcard")]
        if role in PUBLISHERS:
            providers += filter(None, map(terms.organisation, cards))
            published = published or _day(one)
        elif role in AUTHORS:
            authors += filter(None, map(terms.name, cards))
    return {
        "providers": list(dict.fromkeys(providers))[:20] or None,
        "contributor_name": "、".join(dict.fromkeys(authors[:10])) or None,
        "published_on": published,
    }


def _day(contribute: Part) -> str | None:
    date = told(contribute, "date", "dateTime") or told(contribute, "date", "datetime")
    return terms.day(date) if date else None


def _files(root: Part) -> list[dict[str, Any]] | None:
    size, form = told(root, "technical", "size"), told(root, "technical", "format")
    if size is None and form is None:
        return None
    count = int(size) if size and size.isascii() and size.isdigit() and len(size) < 16 else None
    about = {"format": form, "role": "source", "size": count, "md5": _hash(root)}
    return [{name: value for name, value in about.items() if value is not None}]


def _hash(root: Part) -> str | None:
    for one in below(root, "general", "identifier") + below(root, "general", "catalogentry"):
        catalog = (told(one, "catalog") or "").lower()
        match = _MD5.fullmatch(told(one, "entry") or "")
        if match and catalog in ("md5", "urn:md5"):
            return match[1].lower()
    return None
