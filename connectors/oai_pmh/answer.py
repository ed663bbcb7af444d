"""An answer of a repository, read safely: records, token, errors (OAI-PMH 2.0 §3).

Rule 1: no document type, no entity, no network, no huge tree; what declares a DTD is refused unread.
Rule 2: parsing and mapping are plain functions; who calls with a large answer does so on a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from lxml import etree

from connectors.errors import Malformed, Refused

OAI = "{http://www.openarchives.org/OAI/2.0/}"
MOST_RECORDS = 20_000
T = TypeVar("T")
Metadata = Callable[[etree._Element], T]


class Told(Refused):
    """The repository answers with an OAI error; `reason` is its code (OAI-PMH 2.0 §3.6)."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the repository says {reason}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Item:
    """A record as told: `values` None when it was deleted, or came without metadata."""

    identifier: str
    datestamp: str
    deleted: bool
    values: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of records; no `token` means the end."""

    items: tuple[Item, ...]
    token: str
    total: int | None
    told_at: str


@dataclass(frozen=True, slots=True)
class About:
    """What Identify says: `granularity` empty when it is neither of the two that exist."""

    granularity: str
    deleted: str


REASONS = frozenset({
    "badArgument", "badResumptionToken", "badVerb", "cannotDisseminateFormat", "idDoesNotExist",
    "noRecordsMatch", "noMetadataFormats", "noSetHierarchy",
})  # fmt: skip


def opened(body: bytes) -> etree._Element:
    """The OAI-PMH element of an answer; Told for an OAI error, Malformed for anything else."""
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise Malformed("an answer with a document type: refused unread")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, huge_tree=False, load_dtd=False, dtd_validation=False,
        remove_comments=True, remove_pis=True,
    )  # fmt: skip
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError):
        raise Malformed(f"not XML, {len(body)} bytes") from None
    declared: Any = root.getroottree().docinfo
    if declared.doctype or root.tag != f"{OAI}OAI-PMH":
        raise Malformed("XML, but no OAI-PMH answer")
    for error in root.iterfind(f"{OAI}error"):
        reason = error.get("code", "")
        raise Told(reason) if reason in REASONS else Malformed("an OAI error of no known code")
    return root


def identified(body: bytes) -> About:
    """An answer to Identify."""
    about = _verb(opened(body), "Identify")
    granularity = text(about, "granularity")
    known = granularity in ("YYYY-MM-DD", "YYYY-MM-DDThh:mm:ssZ")
    return About(granularity if known else "", text(about, "deletedRecord"))


def formats(body: bytes) -> tuple[str, ...]:
    """The prefixes of an answer to ListMetadataFormats."""
    listed = _verb(opened(body), "ListMetadataFormats").iterfind(f"{OAI}metadataFormat")
    return tuple(prefix for one in listed if (prefix := text(one, "metadataPrefix")))


def got(body: bytes, metadata: Metadata[dict[str, Any]]) -> Item | None:
    """The record of an answer to GetRecord; None if it has no identifier."""
    found = _verb(opened(body), "GetRecord").find(f"{OAI}record")
    if found is None:
        raise Malformed("GetRecord without a record")
    return _item(found, metadata)


def listed(body: bytes, metadata: Metadata[dict[str, Any]]) -> Listing:
    """A page of an answer to ListRecords; those without an identifier are left out."""
    root = opened(body)
    verb = _verb(root, "ListRecords")
    found = [_item(one, metadata) for one in _bounded(verb)]
    token = verb.find(f"{OAI}resumptionToken")
    return Listing(
        tuple(item for item in found if item is not None),
        (token.text or "").strip() if token is not None else "",
        _count(token.get("completeListSize")) if token is not None else None,
        text(root, "responseDate"),
    )


def text(above: etree._Element, name: str) -> str:
    """The text of a child in the OAI namespace, stripped; empty if it is not there."""
    return (above.findtext(f"{OAI}{name}") or "").strip()


def _verb(root: etree._Element, name: str) -> etree._Element:
    found = root.find(f"{OAI}{name}")
    if found is None:
        raise Malformed(f"an answer to something else than {name}")
    return found


def _bounded(verb: etree._Element) -> Iterator[etree._Element]:
    for number, one in enumerate(verb.iterfind(f"{OAI}record")):
        if number >= MOST_RECORDS:
            raise Malformed(f"more than {MOST_RECORDS} records in one answer")
        yield one


def _item(record: etree._Element, metadata: Metadata[dict[str, Any]]) -> Item | None:
    header = record.find(f"{OAI}header")
    identifier = text(header, "identifier") if header is not None else ""
    if header is None or not identifier or len(identifier) > 1000:
        return None
    deleted, inside = header.get("status") == "deleted", record.find(f"{OAI}metadata")
    body = next(iter(inside), None) if inside is not None and not deleted else None
    values = metadata(body) if body is not None else None
    return Item(identifier, text(header, "datestamp"), deleted, values)


def _count(told: str | None) -> int | None:
    return int(told) if told and told.isascii() and told.isdigit() and len(told) < 16 else None
