"""What a deployment says about a repository: address, formats, sets, and the words it uses for codes."""

from __future__ import annotations

import re

import msgspec

from connectors.base import Options

SEGMENT = re.compile(r"[A-Za-z0-9\-_.!~*'()]{1,200}")
FILTERS = ("chapter_keys", "textbook_key", "subject_code", "grade_code", "stage", "version_name", "volume")
"""Fields that a set can stand for, the most telling first."""

TAXONOMIES = {
    "学段": "stage", "学科": "subject_code", "年级": "grade_code", "教材版本": "version_name",
    "版本": "version_name", "册次": "volume", "知识点": "knowledge_points", "教材章节": "chapter_keys",
    "章节": "chapter_keys",
    "stage": "stage", "subject": "subject_code", "grade": "grade_code", "textbook version": "version_name",
    "volume": "volume", "knowledge point": "knowledge_points", "textbook chapters": "chapter_keys",
}  # fmt: skip

RELATIONS = {"chapter_keys": "urn:smartedu:chapter:{}", "textbook_key": "urn:smartedu:textbook:{}"}


class OaiPmhOptions(Options, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of one joined repository (OAI-PMH 2.0)."""

    base_url: str
    """Address of the repository, without a query."""
    prefixes: tuple[str, ...] = ("lom", "oai_dc")
    """metadataPrefix, the best first; the first that the repository offers is used."""
    sets: dict[str, str] = msgspec.field(default_factory=dict)
    """setSpec by the field it filters by, `{}` standing for the value: `chapter_keys = "chapter:{}"`."""
    codes: dict[str, dict[str, str]] = msgspec.field(default_factory=dict)
    """For a field, our code by the repository's own word, before the national code tables are asked."""
    taxonomies: dict[str, str] = msgspec.field(default_factory=TAXONOMIES.copy)
    """Field by the name of a taxonomy (LOM 9.2.1); in `chapter_keys` the first taxon is the textbook."""
    relations: dict[str, str] = msgspec.field(default_factory=RELATIONS.copy)
    """How dc:relation names what a field holds, `{}` standing for the value."""
    most: int = 2000
    """Most records read for one look-up by set."""
    max_bytes: int = 16 * 1024 * 1024
    """Most bytes of one answer."""
    recheck: float = 3600.0
    """Seconds for which what the repository says of itself is believed."""

    def __post_init__(self) -> None:
        """Refuse what could never work, when the settings are read."""
        if not self.prefixes or "?" in self.base_url:
            raise ValueError("prefixes: one or more; base_url: without a query / 至少一种格式，地址不含问号")
        for name, template in self.sets.items():
            filled = template.replace("{}", "x")
            if name not in FILTERS or template.count("{}") != 1 or not set_spec(filled):
                raise ValueError(f"sets.{name}: a field of {', '.join(FILTERS)} and a setSpec with one {{}}")


def set_spec(text: str) -> bool:
    """Whether `text` is a setSpec (OAI-PMH 2.0 §2.6)."""
    return all(SEGMENT.fullmatch(part) for part in text.split(":"))
