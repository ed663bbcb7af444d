"""Speaks a platform's own JSON over HTTP, described by a mapping file: endpoints, paging, filters, codes.

Rule 1: no platform is known here; everything about it is declared data.
Rule 2: where the platform cannot filter (match keys), records are filtered here, beside a filter that it can;
what it can is held against the records again, so that no platform can widen an answer.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar

from connectors.base import (
    Capabilities,
    Connector,
    Identity,
    Offer,
    Options,
    Tools,
    filters,
    inside,
    meets,
    only,
    window,
)
from connectors.credentials import ClientCredentials
from connectors.deadline import Left, deadline
from connectors.errors import Malformed, Unanswerable
from connectors.mapping import KindMapping, Reader, Reading, Remarks, load_mapping
from connectors.mapping.convert import CHINA
from connectors.rest import walk
from connectors.rest.asking import Asker, Params
from connectors.rest.endpoints import Endpoint, Filter, RestDocument, checked, path
from connectors.together import together
from schema.model.record import Answer, Batch, Lookup, Page, Record
from schema.model.words import Kind

ASKS = 500  # requests one look-up may be split into
MANY = 200  # rows worth a thread of their own
LONGEST = 200  # characters of a filter value
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ODD = re.compile(r"[\x00-\x1f\x7f]|\A\.\.?\Z")  # no id, and in a path a step to somewhere else


class RestOptions(Options, frozen=True, kw_only=True):
    """Settings of a REST source.

    `base_url` the platform's address; `mapping` its mapping file, relative to the configuration;
    `token_url`, `client_id`, `client_secret`, `scope` OAuth 2.0 client credentials, if it wants them;
    `api_key_header`, `api_key` a header sent with every request, if it wants one.
    """

    base_url: str
    mapping: str
    token_url: str = ""
    client_id: str = ""
    client_secret: str = ""
    scope: str = ""
    api_key_header: str = ""
    api_key: str = ""


@dataclass(frozen=True, slots=True)
class _Offered:
    """A kind with all that answering it takes, compiled."""

    mapping: KindMapping
    endpoint: Endpoint
    filters: dict[str, Filter]
    reader: Reader


class Rest(Connector):
    """A platform that is asked as its mapping file says."""

    protocol: ClassVar[str] = "rest"
    options: ClassVar[type[Options]] = RestOptions

    def __init__(self, identity: Identity, options: RestOptions, tools: Tools) -> None:
        super().__init__(identity, options, tools)
        document = load_mapping(inside(tools.root, options.mapping), RestDocument, checked)
        self._asker = Asker(
            tools.http, options.base_url, document.document.envelope, _credentials(options, tools),
            {options.api_key_header: options.api_key} if options.api_key_header else {},
        )  # fmt: skip
        self._offered = {
            kind: self._compiled(parts[0], document.document) for kind, parts in document.kinds.items()
        }
        self._capabilities = Capabilities({kind: _offer(o) for kind, o in self._offered.items()})

    def _compiled(self, mapping: KindMapping, document: RestDocument) -> _Offered:
        endpoint = document.endpoints[mapping.source]
        reader = mapping.reader(path, self.key, self.tools.seal)
        return _Offered(mapping, endpoint, endpoint.asked_by(), reader)

    @property
    def capabilities(self) -> Capabilities:
        """What the mapping file declares."""
        return self._capabilities

    async def look_up(self, lookup: Lookup, within: float) -> Answer:
        """See Connector."""
        self.offer(lookup)
        offered, left = self._offered[lookup.kind], deadline(within)
        if lookup.keys and offered.endpoint.one and "key" not in offered.filters:
            return await self._by_id(offered, lookup, left)
        here = {name for name, _ in lookup.where if name in offered.filters and offered.filters[name].here}
        if here and here == {name for name, _ in lookup.where}:
            raise Unanswerable(f"{lookup.kind} by {', '.join(sorted(here))} needs another filter beside it")
        if missing := set(offered.endpoint.needs) - {name for name, _ in lookup.where}:
            raise Unanswerable(f"{lookup.kind} is asked for by {', '.join(sorted(missing))} only")
        asks = self._asks(offered, lookup)
        if lookup.page and len(asks) == 1 and not here and offered.endpoint.windows:
            return await self._window(offered, lookup, asks[0], lookup.page, left)
        answers = await together(
            partial(walk.whole, self._asker, offered.endpoint, ask, left) for ask in asks
        )
        records, remarks = await self._read(
            offered, lookup, (r for rows, _, _ in answers for r in rows), here
        )
        cut = any(more for _, _, more in answers)
        return _cut(records, lookup.page, cut, remarks)

    async def _window(self, offered: _Offered, lookup: Lookup, ask: Params, page: Page, left: Left) -> Answer:
        limit = min(page.limit, walk.MOST)
        rows, total = await walk.window(self._asker, offered.endpoint, ask, page.offset, limit, left)
        records, remarks = await self._read(offered, lookup, rows, set())
        return Answer(records, total, page.offset + len(rows) < total and bool(rows), remarks)

    async def _by_id(self, offered: _Offered, lookup: Lookup, left: Left) -> Answer:
        if lookup.text or lookup.since or lookup.until:
            raise Unanswerable(f"{lookup.kind} by key takes neither text nor span")
        ids = self._ids(offered, lookup.keys)
        found = await together(partial(self._asker.one, offered.endpoint, one, left) for one in ids)
        rows = [row for row in found if row is not None]
        if not all(isinstance(row, dict) for row in rows):
            raise Malformed("the answer holds no record where one is declared")
        others = {name for name, _ in lookup.where if name != "key"}
        records, remarks = await self._read(offered, lookup, rows, others)
        return _cut(records, lookup.page, False, remarks)

    def _ids(self, offered: _Offered, keys: Iterable[str]) -> list[str]:
        """Local ids that can be asked for; what cannot be one of ours is left out."""
        local = list(keys) if offered.mapping.spec.shared else self.local(keys)
        return [one for one in local if 0 < len(one) <= LONGEST and not _ODD.search(one)]

    def _asks(self, offered: _Offered, lookup: Lookup) -> list[Params]:
        """The requests that together answer a look-up; none if nothing can match."""
        fixed: Params = {**offered.endpoint.fixed, **_beside(offered.endpoint, lookup)}
        ways: list[list[Params]] = []
        for name, values in lookup.where:
            said = offered.filters[name]
            natives = None if said.here else self._natives(offered, name, values)
            if natives is not None:
                ways.append(_ways(said, natives))
        count = 1
        for way in ways:
            count *= len(way)
        if count > ASKS:
            raise Unanswerable(f"{lookup.kind}: too many requests for one look-up; ask for fewer values")
        asks = []
        for combination in itertools.product(*ways):
            ask = dict(fixed)
            for part in combination:
                ask |= part
            asks.append(ask)
        return asks

    def _natives(self, offered: _Offered, name: str, values: tuple[str, ...]) -> list[str] | None:
        """Native values to ask for; None where every record matches anyway."""
        if name == "key":
            return self._ids(offered, values)
        found: dict[str, None] = {}
        for value in values:
            natives = offered.mapping.native(name, value, self.identity.code)
            if natives is None:
                return None
            found |= dict.fromkeys(natives)
        return [one for one in found if len(one) <= LONGEST and not _CONTROL.search(one)]

    async def _read(
        self, offered: _Offered, lookup: Lookup, rows: Iterable[Any], here: set[str]
    ) -> tuple[tuple[Record, ...], tuple[str, ...]]:
        rows = list(rows)
        if len(rows) > MANY:
            return await asyncio.to_thread(self._records, offered, lookup, rows, here)
        return self._records(offered, lookup, rows, here)

    def _records(
        self, offered: _Offered, lookup: Lookup, rows: list[Any], here: set[str]
    ) -> tuple[tuple[Record, ...], tuple[str, ...]]:
        where, remarks = filters(lookup), Remarks(lookup.kind)
        ours = [one for one in where if one[0] in here]
        theirs = [one for one in where if one[0] not in here]
        wanted = frozenset(lookup.fields).union(name for name, _ in where)
        found: dict[str, Record] = {}
        for row in rows:
            reading = offered.reader(row, wanted, remarks)
            if reading is None or not meets(reading.values, ours):
                continue
            if (name := _ignored(reading, theirs)) is not None:
                remarks(name, "", "来源未按条件筛选 / the source ignored the filter")
            else:
                found.setdefault(reading.key, self.record(
                    lookup.kind, reading.key, reading.local_id, only(reading.values, lookup.fields),
                    updated_at=reading.updated_at,
                ))  # fmt: skip
        return tuple(found.values()), remarks.lines()

    async def harvest(self, kind: Kind, checkpoint: str, within: float) -> AsyncIterator[Batch]:
        """Pages in the source's order; a checkpoint is the mark of the next page."""
        offered = self._offered.get(kind)
        if offered is None or not offered.endpoint.harvest:
            raise Unanswerable(f"{self.identity.code} cannot be harvested for {kind}")
        wanted = Lookup(kind, tuple(offered.mapping.fields))
        if len(checkpoint) > 4096 or (
            offered.endpoint.paging in ("page", "offset") and not _counts(checkpoint)
        ):
            raise Unanswerable("a checkpoint of another source")
        mark, params = checkpoint, {**offered.endpoint.fixed}
        while True:
            sheet, following = await walk.step(
                self._asker, offered.endpoint, dict(params), mark, deadline(within)
            )
            records, _ = await self._read(offered, wanted, sheet.rows, set())
            # At the end the last page stays the mark: what is added later shows there first.
            yield Batch(records, (), following or mark, sheet.total)
            if not following:
                return
            if following == mark:
                raise Malformed("its pages go round in a circle")
            mark = following

    async def probe(self, within: float) -> None:
        """The first page, one row long, of the first endpoint that needs no filter, or the first of all."""
        able = [o for o in self._offered.values() if not any(f.here for f in o.filters.values())]
        endpoint = (able or list(self._offered.values()))[0].endpoint
        params: Params = dict(endpoint.fixed)
        if endpoint.paging != "none":
            params[endpoint.size] = 1
        if endpoint.paging in ("page", "offset"):
            params[endpoint.page] = endpoint.first if endpoint.paging == "page" else 0
        await self._asker.sheet(endpoint, params, deadline(within))


def _ignored(reading: Reading, where: Iterable[tuple[str, frozenset[str]]]) -> str | None:
    """The filter that a record tells another value for; what it does not tell is believed of the source."""
    for name, wanted in where:
        told = name == "key" or name in reading.values
        if told and not meets(reading.values, [(name, wanted)], reading.key):
            return name
    return None


def _credentials(options: RestOptions, tools: Tools) -> ClientCredentials | None:
    if not options.token_url:
        return None
    return ClientCredentials(
        tools.http, options.token_url, options.client_id, options.client_secret, options.scope
    )


def _offer(offered: _Offered) -> Offer:
    endpoint = offered.endpoint
    by = frozenset(offered.filters) | ({"key"} if endpoint.one else frozenset())
    return Offer(
        fields=frozenset(offered.mapping.fields),
        by=by,
        batch=endpoint.batch,
        pages=endpoint.windows,
        totals=endpoint.windows,
        search=endpoint.text is not None,
        spans=endpoint.since is not None and endpoint.until is not None,
        harvest=endpoint.harvest,
        fresh_for=offered.mapping.rule.fresh_for,
    )


def _ways(said: Filter, natives: list[str]) -> list[Params]:
    """The alternatives of one filter: one request with all values, or one a value."""
    if said.join is not None:
        safe = [one for one in natives if said.join not in one]
        return [{said.to: said.join.join(safe)}] if safe else []
    if said.repeat:
        return [{said.to: list(natives)}] if natives else []
    return [{said.to: one} for one in natives]


def _beside(endpoint: Endpoint, lookup: Lookup) -> Params:
    """Text and span as the endpoint wants them."""
    params: Params = {}
    if lookup.text and endpoint.text:
        params[endpoint.text] = lookup.text[:LONGEST]
    if lookup.since and endpoint.since:
        params[endpoint.since] = _moment(lookup.since).strftime(endpoint.moments)
    if lookup.until and endpoint.until:
        until = _moment(lookup.until) - timedelta(seconds=1 if endpoint.until_inclusive else 0)
        params[endpoint.until] = until.strftime(endpoint.moments)
    return params


def _moment(said: str) -> datetime:
    try:
        found = datetime.fromisoformat(said)
    except ValueError:
        raise Unanswerable("since and until are ISO dates or date-times") from None
    return found.replace(tzinfo=CHINA) if found.tzinfo is None else found.astimezone(CHINA)


def _cut(records: tuple[Record, ...], page: Page | None, more: bool, remarks: tuple[str, ...]) -> Answer:
    """A window of what was read whole."""
    total = None if more else len(records)
    if page is None:
        return Answer(records, total, more, remarks)
    part, rest = window(records, page, walk.MOST)
    return Answer(tuple(part), total, rest or (bool(part) and more), remarks)


def _counts(checkpoint: str) -> bool:
    return not checkpoint or (checkpoint.isascii() and checkpoint.isdigit() and len(checkpoint) < 10)
