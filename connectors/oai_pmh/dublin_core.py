"""Simple Dublin Core in our words: what fifteen elements can tell of a school's worksheet."""

from __future__ import annotations

import re
from typing import Any

from lxml import etree

from connectors.oai_pmh import terms
from connectors.oai_pmh.lom import LONGEST, MOST, local
from connectors.oai_pmh.options import OaiPmhOptions

_MD5 = re.compile(r"urn:md5:([0-9a-f]{32})", re.IGNORECASE)


def dublin_core(root: etree._Element, options: OaiPmhOptions) -> dict[str, Any]:
    """The values of an oai_dc record; subjects that are codes become codes, the others tags."""
    told: dict[str, list[str]] = {}
    for child in root:
        text = " ".join((child.text or "").split())[:LONGEST]
        if text and len(told.setdefault(local(child), [])) < MOST:
            told[local(child)].append(text)
    identifiers = told.get("identifier", [])
    return _subjects(told.get("subject", []), options) | _relations(told.get("relation", []), options) | {
        "title": _first(told, "title"),
        "summary": _first(told, "description"),
        "type_code": _first(told, "type"),
        "format": _first(told, "format"),
        "licence": _first(told, "rights"),
        "published_on": next(filter(None, map(terms.day, told.get("date", []))), None),
        "providers": [one for text in told.get("publisher", []) if (one := terms.organisation(text))] or None,
        "contributor_name": "、".join(filter(None, map(terms.name, told.get("creator", [])[:10]))) or None,
        "landing_url": next(filter(None, map(terms.web, identifiers)), None),
        "content_hash": next((m[1].lower() for text in identifiers if (m := _MD5.fullmatch(text))), None),
    }  # fmt: skip


def _first(told: dict[str, list[str]], name: str) -> str | None:
    return next(iter(told.get(name, [])), None)


def _subjects(words: list[str], options: OaiPmhOptions) -> dict[str, Any]:
    found: dict[str, Any] = {}
    tags = []
    for word in words:
        codes = {name: code for name in terms.TABLES if (code := terms.code(name, word, options.codes))}
        for name, code in codes.items():
            found.setdefault(name, code)
        if not codes:
            tags.append({"dimension": "subject", "name": word})
    return found | ({"tags": tags} if tags else {})


def _relations(words: list[str], options: OaiPmhOptions) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, template in options.relations.items():
        head, _, tail = template.partition("{}")
        fits = [word for word in words if word.startswith(head) and word.endswith(tail)]
        ids = [key for word in fits if (key := word[len(head) : len(word) - len(tail)])]
        if ids:
            found[name] = ids if name == "chapter_keys" else ids[0]
    return found
