"""The words of repositories as our codes, and names without what must not travel with them.

Rule 1: the deployment's own map first, then the national code tables; an unknown word is no code.
Rule 2: of a vCard only the name and the organisation are read; numbers and addresses inside them are cut out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import urlsplit

from schema.model.codes import codes_by_name, table

TABLES = {"stage": "stages", "subject_code": "subjects", "grade_code": "grades"}
_STAGES = {
    "小学教育": "PRIMARY", "初中教育": "JUNIOR", "高中教育": "SENIOR", "幼儿教育": "PRESCHOOL",
    "学前": "PRESCHOOL", "中等职业教育": "VOCATIONAL", "primary education": "PRIMARY",
    "lower secondary": "JUNIOR", "upper secondary": "SENIOR", "secondary education": "JUNIOR",
    "higher education": "HIGHER",
}  # fmt: skip
_SYSTEM = re.compile(r"[（(]\s*(?:五\s*\W?\s*四|六\s*\W?\s*三)\s*(?:学制|制)?\s*[）)]")
_CONTACT = re.compile(r"[\w.+-]+@[\w.-]+|https?://\S+|(?<![\w])\+?\d[\d\s()-]{5,}\d|\d{5,}")
_BRACKETED = re.compile(r"[（(][^（()）]*(?:\d{4}|@)[^（()）]*[）)]")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)(T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)?(Z|[+-]\d\d:?\d\d)?")


@lru_cache(maxsize=8)
def _known(field: str) -> dict[str, str]:
    if field == "subject_code":
        national = {row["jyt1001Zxxkc"]: row["code"] for row in table("subjects") if row["jyt1001Zxxkc"]}
    else:
        national = _STAGES if field == "stage" else {}
    named = codes_by_name(TABLES[field])
    return national | {code: code for code in named.values()} | named


def code(field: str, word: str, own: Mapping[str, Mapping[str, str]]) -> str | None:
    """Our code for a repository's word for a stage, subject or grade; None if it has none."""
    told = own.get(field, {}).get(word)
    if told is not None:
        return told
    bare = _SYSTEM.sub("", word).strip()
    return _known(field).get(bare) or _known(field).get(bare.lower())


def theirs(field: str, ours: str, own: Mapping[str, Mapping[str, str]]) -> str:
    """The repository's own word for our code; the code itself where the deployment names none."""
    return next((word for word, code in own.get(field, {}).items() if code == ours), ours)


def name(told: str) -> str:
    """A person's or organisation's name from a vCard or plain text, without telephone, mail, or address."""
    full = _of_card(told, ("FN", "N", "ORG")) if "BEGIN:VCARD" in told.upper() else told
    return _clean(full)


def organisation(told: str) -> str:
    """The organisation of a vCard, else its name; or plain text."""
    full = _of_card(told, ("ORG", "FN", "N")) if "BEGIN:VCARD" in told.upper() else told
    return _clean(full)


def _clean(full: str) -> str:
    bare = _CONTACT.sub(" ", _BRACKETED.sub(" ", full[:1000]))
    return re.sub(r"\s+", " ", bare).strip(" ,;；，、:：<>()（）/")[:100]


def _of_card(card: str, wanted: tuple[str, ...]) -> str:
    """The first of the wanted properties (RFC 6350 §3): unfolded, parameters and groups ignored."""
    told: dict[str, str] = {}
    for line in re.sub(r"\r?\n[ \t]", "", card[:20_000]).splitlines():
        label, _, value = line.strip().partition(":")
        property_name = label.partition(";")[0].rpartition(".")[2].upper()
        if property_name in wanted and value.strip():
            told.setdefault(property_name, _plain(property_name, value))
    return next((told[label] for label in wanted if label in told), "")


def _plain(label: str, value: str) -> str:
    parts = re.sub(r"\\n", " ", re.sub(r"\\([,;\\:])", r"\1", value), flags=re.IGNORECASE).split(";")
    given = [part.strip() for part in parts if part.strip()]
    if label == "N":
        return "".join(given[:2])
    return given[0] if given else ""


def moment(told: str) -> str | None:
    """RFC 3339 for a date-time with zone; None for anything less."""
    match = _TIME.fullmatch(told.strip())
    if match is None or not match[2] or not match[3]:
        return None
    clock = match[2] if match[2].count(":") == 2 else f"{match[2]}:00"
    zone = match[3] if ":" in match[3] or match[3] == "Z" else f"{match[3][:3]}:{match[3][3:]}"
    return f"{match[1]}{clock}{zone}"


def day(told: str) -> str | None:
    """The calendar date that `told` begins with."""
    match = _TIME.match(told.strip())
    return match[1] if match else None


def web(told: str) -> str | None:
    """An http(s) address without user or password in it, or None."""
    try:
        parts = urlsplit(told.strip())
        plain = parts.scheme in ("http", "https") and parts.hostname and not parts.username
    except ValueError:
        return None
    return told.strip() if plain and len(told) < 2000 and not re.search(r"[\s\"'<>]", told.strip()) else None
