"""A repository of resources that speaks OAI-PMH 2.0: a province's in LOM, a school's in Dublin Core.

Rule 1: keys by GetRecord, filters by sets, everything by harvest; what sets cannot filter is filtered here.
Rule 2: a value that could not stand in a setSpec is never sent: nothing has it.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable
from functools import cached_property, partial
from typing import Any, ClassVar

from connectors.base import Capabilities, Connector, Identity, Offer, Tools, filters, meets, only, window
from connectors.deadline import in_time
from connectors.errors import Unanswerable
from connectors.oai_pmh import terms
from connectors.oai_pmh.answer import Item
from connectors.oai_pmh.harvest import Walk, mark_of, written
from connectors.oai_pmh.options import FILTERS, SEGMENT, OaiPmhOptions
from connectors.oai_pmh.repository import Repository
from connectors.together import together
from schema.model.record import Answer, Batch, Lookup, Record
from schema.model.words import Kind

ODD = "有代码表之外的学段、学科或年级 / a stage, subject or grade outside of the code tables"
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,20}:[^\s\x00-\x20\"<>\\^`{|}]{1,500}")
DC = frozenset({
    "title", "summary", "type_code", "format", "level", "stage", "subject_code", "grade_code", "textbook_key",
    "chapter_keys", "tags", "providers", "contributor_name", "published_on", "updated_at", "online",
    "landing_url", "licence", "content_hash", "region_code",
})  # fmt: skip
LOM = DC | {"version_name", "volume", "knowledge_points", "files"}


class OaiPmh(Connector):
    """A joined repository."""

    protocol: ClassVar[str] = "oai_pmh"
    options: ClassVar[type[OaiPmhOptions]] = OaiPmhOptions

    def __init__(self, identity: Identity, options: OaiPmhOptions, tools: Tools) -> None:
        super().__init__(identity, options, tools)
        self._repository = Repository(tools.http, options)

    @property
    def capabilities(self) -> Capabilities:
        """Resources, by key and by the fields that sets stand for."""
        return self._capabilities

    @cached_property
    def _capabilities(self) -> Capabilities:
        fields = LOM if self.settings.prefixes[0] != "oai_dc" else DC
        offer = Offer(
            fields | ({"school_code"} if self.identity.school_code else frozenset()),
            frozenset({"key", *self.settings.sets}), batch=100, pages=True, harvest=True, fresh_for=600.0,
        )  # fmt: skip
        return Capabilities({Kind.RESOURCE: offer})

    async def look_up(self, lookup: Lookup, within: float) -> Answer:
        """See `Connector.look_up`; wants a key, or a filter that a set stands for."""
        self.offer(lookup)
        if not lookup.where:
            raise Unanswerable(f"{self.identity.code} lists everything by harvest only")
        async with in_time(within, f"{self.identity.code}: no whole answer"):
            return await self._answer(lookup, within)

    async def harvest(self, kind: Kind, checkpoint: str, within: float) -> AsyncIterator[Batch]:
        """All records; from a finished checkpoint only what changed since, deletions included."""
        if kind is not Kind.RESOURCE:
            raise Unanswerable(f"{self.identity.code} cannot be harvested for {kind}")
        fields = self.capabilities.offers[kind].fields
        async for page, mark in Walk(self._repository, mark_of(checkpoint), within).pages():
            records = {item.identifier: self._record(item, fields) for item in page.items if item.values}
            deleted = tuple(self.key(item.identifier) for item in page.items if item.deleted)
            yield Batch(tuple(records.values()), deleted, written(mark), page.total)

    async def probe(self, within: float) -> None:
        """Ask which formats it offers, anew."""
        await Repository(self.tools.http, self.settings).prefixes(within)

    async def _answer(self, lookup: Lookup, within: float) -> Answer:
        if lookup.keys:
            found, cut = await self._named(self.local(lookup.keys), within), False
        else:
            found, cut = await self._in_sets(lookup, within)
        where = filters(lookup, but=("key",))
        kept = [item for item in found if meets(item.values or {}, where)]
        shown, more = window(kept, lookup.page, self.settings.most)
        records = tuple(self._record(item, lookup.fields) for item in shown)
        return Answer(records, None, more or (bool(shown) and cut), _remarks(shown))

    async def _named(self, identifiers: Iterable[str], within: float) -> list[Item]:
        wanted = [one for one in identifiers if _URI.fullmatch(one)]
        if not wanted:
            return []
        await self._repository.prefixes(within)
        found = await together(partial(self._repository.record, one, within) for one in wanted)
        return [item for item, asked in zip(found, wanted, strict=True)
                if item is not None and item.identifier == asked]  # fmt: skip

    async def _in_sets(self, lookup: Lookup, within: float) -> tuple[list[Item], bool]:
        name = next(name for name in FILTERS if lookup.values(name))
        template = self.settings.sets[name]
        words = (terms.theirs(name, value, self.settings.codes) for value in lookup.values(name))
        specs = [template.replace("{}", word) for word in words if SEGMENT.fullmatch(word)]
        enough = min(self.settings.most, lookup.page.offset + lookup.page.limit + 1 if lookup.page else 10**9)
        if len(lookup.where) > 1:
            enough = self.settings.most  # the other filters will leave fewer
        found = await together(partial(self._set, spec, enough, within) for spec in specs)
        items = {item.identifier: item for part, _ in found for item in part}
        return list(items.values()), any(cut for _, cut in found)

    async def _set(self, spec: str, enough: int, within: float) -> tuple[list[Item], bool]:
        prefix = (await self._repository.prefixes(within))[0]
        page = await self._repository.records(within, prefix=prefix, set_spec=spec)
        found: list[Item] = []
        asked = 1
        while page is not None:
            found += [item for item in page.items if item.values and not item.deleted]
            # A list without end gives pages without records: their number is bounded too.
            if not page.token or len(found) >= enough or asked > self.settings.most // 10:
                return found, bool(page.token)
            page = await self._repository.resumed(prefix, page.token, within)
            asked += 1
        return found, False

    def _record(self, item: Item, fields: Iterable[str]) -> Record:
        updated = terms.moment(item.datestamp)
        told: dict[str, Any] = (item.values or {}) | {
            "level": self.identity.level.value, "region_code": self.identity.region_code or None,
            "school_code": self.identity.school_code or None, "updated_at": updated, "online": True,
        }  # fmt: skip
        key = self.key(item.identifier)
        return self.record(Kind.RESOURCE, key, item.identifier, only(told, fields), updated_at=updated)


def _remarks(items: Iterable[Item]) -> tuple[str, ...]:
    return (ODD,) if any((item.values or {}).get("odd") for item in items) else ()
