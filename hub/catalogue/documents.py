"""From a record to what the catalogue keeps of it, and back.

Rule 1: what is searched, counted or compared is public: a hidden value cannot be found out by searching.
Rule 2: the record itself is kept as one JSON text, so that no foreign value can be a database word.
Rule 3: the same record makes the same document. This file does no I/O; it is work for a thread.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from hub.catalogue import words
from hub.mongo import Document
from schema.model.codes import Level, table
from schema.model.record import Record

FACTS = (
    "level", "stage", "subject_code", "grade_code", "version_name", "volume", "textbook_key", "chapter_keys",
    "type_code", "format", "parent_key", "school_code", "region_code", "knowledge_points",
)  # fmt: skip
"""Values that a search may filter by; `source` too."""
MOST_VALUES = 50
MOST_LENGTH = 200
MOST_BYTES = 262_144
GENERIC_TITLE = 4
"""A title of fewer characters names no work."""
_SAME = ("subject_code", "stage", "grade_code", "version_name")

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Record).decode
_MD5 = re.compile(r"[0-9a-f]{32}")
_MONTH = re.compile(r"[12][0-9]{3}-[01][0-9]")


def documents(
    records: Iterable[Record], source: str, level: Level, generation: int
) -> tuple[list[Document], int]:
    """The documents for records of one source, the last of each key, and how many had to be refused.

    Refused is what cannot be stored or does not belong to the source, so that none can overwrite another's.
    """
    made: dict[str, Document] = {}
    refused = 0
    for record in records:
        text = _text(record, source)
        if text is None:
            refused += 1
            continue
        made[record.key] = _document(record, text, level, generation)
    return list(made.values()), refused


def record_of(document: Mapping[str, Any]) -> Record:
    """The record that a document was made of."""
    return _decode(document["record"])


def works(facts: Mapping[str, Any], title: str, content_hash: Any) -> list[str]:
    """Names of the work a record is a copy of: by its file, and by what it is called and made for."""
    named = []
    digest = content_hash.lower() if isinstance(content_hash, str) else ""
    if _MD5.fullmatch(digest):
        named.append(f"file:{digest}")
    if len(title) >= GENERIC_TITLE and facts.get("subject_code") and facts.get("stage"):
        parts = "|".join((title, *(str(facts.get(name, "")) for name in _SAME)))
        named.append(f"name:{hashlib.blake2b(parts.encode(), digest_size=12).hexdigest()}")
    return named


def rank(values: Mapping[str, Any]) -> int:
    """How early among equals: popular, well rated and recent ones first; nothing that changes with time."""
    popular = 1000 * math.log10(1 + _number(values.get("downloads"), 10**9))
    rated = 100 * _number(values.get("rating"), 5)
    moment = str(values.get("published_on") or values.get("updated_at") or values.get("created_at") or "")
    recent = 0
    if _MONTH.match(moment):
        recent = 4 * max(0, min(int(moment[:4]) - 2000, 100) * 12 + int(moment[5:7]))
    return round(popular + rated + recent)


def _text(record: Record, source: str) -> str | None:
    own = record.source == source and record.key.startswith(f"{source}:")
    if not own or len(record.key) > 2 * MOST_LENGTH:
        return None
    try:
        text = _encode(record).decode()
    except (msgspec.MsgspecError, UnicodeError, TypeError, ValueError, RecursionError):
        return None
    return text if len(text) <= MOST_BYTES else None


def _document(record: Record, text: str, level: Level, generation: int) -> Document:
    values = record.values
    facts = {name: kept for name in FACTS if (kept := _kept(values.get(name)))}
    facts.setdefault("level", level.value)
    title = str(values.get("title") or "")[: words.MOST_TITLE]
    named = words.terms_of(title, words.MOST_TITLE_TERMS)
    about = words.terms_of(_names(values, facts), words.MOST_ALL_TERMS)
    about += words.terms_of(str(values.get("summary") or "")[: words.MOST_BODY], words.MOST_BODY)
    initials = words.initials_of(title)
    squeezed = words.squeezed(title)
    return {
        "_id": record.key,
        "source": record.source,
        "generation": generation,
        "live": True,
        "rank": rank(values),
        "title": squeezed,
        "facts": facts,
        "title_terms": named + initials,
        "terms": [*initials, *dict.fromkeys(named + about)][: words.MOST_ALL_TERMS],
        "works": works(facts, squeezed, values.get("content_hash")),
        "record": text,
    }


def _kept(value: Any) -> str | list[str]:
    """A filter value: a short text, or a short list of different ones."""
    if isinstance(value, str):
        return value[:MOST_LENGTH]
    if isinstance(value, list):
        return list(dict.fromkeys(one[:MOST_LENGTH] for one in value[:MOST_VALUES] if isinstance(one, str)))
    return ""


def _names(values: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    """What a resource is found by beside its title and summary: what it is for, about and from, by name."""
    said = [_name(rows, facts.get(fact, "")) for rows, fact in _NAMED]
    said += [_one(facts.get("version_name")), _one(facts.get("volume")), *facts.get("knowledge_points", ())]
    said += [_one(tag.get("name")) for tag in _listed(values.get("tags")) if isinstance(tag, dict)]
    said += [_one(provider) for provider in _listed(values.get("providers"))]
    return " ".join(said)[: words.MOST_BODY]


def _one(value: Any) -> str:
    return value[:MOST_LENGTH] if isinstance(value, str) else ""


_NAMED = tuple(
    ({row["code"]: row["zh"] for row in table(rows) if "zh" in row}, fact)
    for rows, fact in (("subjects", "subject_code"), ("stages", "stage"), ("grades", "grade_code"))
)


def _name(rows: Mapping[str, str], code: Any) -> str:
    return rows.get(code, "") if isinstance(code, str) else ""


def _listed(value: Any) -> Sequence[Any]:
    return value[:MOST_VALUES] if isinstance(value, list) else ()


def _number(value: Any, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return 0.0
    return float(min(max(value, 0), most))
