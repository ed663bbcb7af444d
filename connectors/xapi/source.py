"""A learning record store as a source: look-ups, spans and harvest over GET /statements (xAPI 1.0.3 §2.1.3).

Rule 1: a `more` link is followed on the store's own origin only: it would carry our credentials.
Rule 2: stores bound `since` and `until` by when a statement was stored, we by when it happened; late ones are
waited for (`late`), and what does not fit is left out here.
Rule 3: voided statements and those that void them are no events.
"""

from __future__ import annotations

import asyncio
import re
from base64 import b64encode
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import ClassVar

import orjson
from yarl import URL

from connectors.base import Capabilities, Connector, Identity, Offer, Tools, expect, meets, narrowed, only
from connectors.credentials import ClientCredentials
from connectors.deadline import in_time
from connectors.errors import Forbidden, Malformed, Refused, Unanswerable
from connectors.http import Reply, status_of
from connectors.together import together
from connectors.xapi.options import XapiOptions
from connectors.xapi.words import VOIDED, Statement, Words, at, moment, text, voided_by
from schema.model.record import Answer, Batch, Lookup, Record
from schema.model.words import Kind

CHINA = timezone(timedelta(hours=8))
BODY = 32 * 1024 * 1024  # bytes of one page
HEAVY = 1024 * 1024  # bytes of a body that is parsed beside the loop
LONGEST_WALK = 100_000  # pages of one harvest or look-up
GRAIN = timedelta(milliseconds=1)  # stores round `stored`; this much is read again
FIELDS = frozenset({
    "person_key", "actor_role", "verb", "scene", "loop_step", "object_type", "object_id", "object_name",
    "score_scaled", "occurred_at", "stored_at", "school_code", "region_code", "class_key", "platform",
})  # fmt: skip
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

Query = dict[str, str]


@dataclass(frozen=True, slots=True)
class _Page:
    statements: list[Statement]
    more: str
    consistent: datetime | None


class Xapi(Connector):
    """A school's or platform's learning record store (xAPI 1.0.3), read only."""

    protocol: ClassVar[str] = "xapi"
    options: ClassVar[type[XapiOptions]] = XapiOptions

    def __init__(self, identity: Identity, options: XapiOptions, tools: Tools) -> None:
        super().__init__(identity, options, tools)
        self._options = options
        self._url = options.base_url.rstrip("/") + "/statements"
        self._homes: dict[str, list[str]] = {}
        for home, roster in options.actors.items():
            self._homes.setdefault(roster, []).append(home)
        account = (options.token_url, options.client_id, options.client_secret, options.scope)
        self._token = ClientCredentials(tools.http, *account) if options.client_id else None
        self._capabilities = Capabilities({Kind.ACTIVITY_EVENT: self._offer()})

    @property
    def capabilities(self) -> Capabilities:
        """Events of persons and classes; no pages, since a store has no stable offsets."""
        return self._capabilities

    async def look_up(self, lookup: Lookup, within: float) -> Answer:
        """See Connector; the newest first, `Options.most` statements at most."""
        self.offer(lookup)
        until = asyncio.get_running_loop().time() + within
        async with self._in_time(within):
            return await self._answer(lookup, until)

    async def harvest(self, kind: Kind, checkpoint: str, within: float) -> AsyncIterator[Batch]:
        """Statements in the order they were stored; `deleted` holds those voided; checkpoint: a moment."""
        if kind is not Kind.ACTIVITY_EVENT:
            raise Unanswerable(f"{self.identity.code} cannot be harvested for {kind}")
        query: Query | None = self._since(checkpoint)
        url, seen = self._url, set[int]()
        while True:
            until = asyncio.get_running_loop().time() + within
            async with self._in_time(within):
                page = await self._page(url, query, until)
            checkpoint = _checkpoint(page, checkpoint)
            yield self._batch(page, checkpoint)
            if not page.more:
                return
            self._walk(page.more, seen)
            url, query = page.more, None

    async def probe(self, within: float) -> None:
        """One statement: proves address and credentials."""
        until = asyncio.get_running_loop().time() + within
        async with self._in_time(within):
            await self._page(self._url, {"limit": "1"}, until)

    def _offer(self) -> Offer:
        options = self._options
        fields, by = FIELDS, {"key", "school_code"}
        if options.actors:
            by.add("person_key")
        else:
            fields -= {"person_key"}
        if options.class_iri:
            by.add("class_key")
        else:
            fields -= {"class_key"}
        return Offer(fields, frozenset(by), batch=50, spans=True, harvest=True, fresh_for=30.0)

    def _in_time(self, within: float) -> AbstractAsyncContextManager[None]:
        return in_time(within, f"{self.identity.code}: no whole answer")

    # Look-ups

    async def _answer(self, lookup: Lookup, until: float) -> Answer:
        words = Words(self.identity, self._options)
        if lookup.keys:
            found, more = await self._by_id(lookup, until), False
        else:
            parts = await together([partial(self._read, query, until) for query in self._queries(lookup)])
            found = [statement for statements, _ in parts for statement in statements]
            more = any(rest for _, rest in parts)
        records = [self._record(words, statement) for statement in self._valid(words, found)]
        kept = {record.key: record for record in records if self._holds(record, lookup)}
        newest = sorted(kept.values(), key=lambda record: (record.updated_at or "", record.key), reverse=True)
        shown = tuple(narrowed(record, lookup.fields) for record in newest)
        return Answer(shown, None, more, words.remarks())

    async def _by_id(self, lookup: Lookup, until: float) -> list[Statement]:
        own = [one for one in self.local(lookup.keys) if _UUID.fullmatch(one)]
        found = await together([partial(self._one, one, until) for one in own])
        return [statement for statement in found if statement is not None]

    async def _one(self, own: str, until: float) -> Statement | None:
        try:
            reply = await self._get(self._url, {"statementId": own}, until)
        except Refused as error:
            if status_of(error) == 404:
                return None
            raise
        statement: Statement = expect(reply.json(), dict, "statement")
        return statement if statement.get("id") == own else None

    def _queries(self, lookup: Lookup) -> Iterator[Query]:
        """One query for each person or class asked for, or a single one; none where nothing can match."""
        bounds = self._bounds(lookup)
        asked = {name for name, _ in lookup.where}
        school = self.identity.school_code
        if school and "school_code" in asked and school not in lookup.values("school_code"):
            return
        if "person_key" in asked:
            yield from ({**bounds, "agent": agent} for agent in self._agents(lookup.values("person_key")))
        elif "class_key" in asked:
            start, prefix = self._options.class_iri, f"{self._options.classes}:"
            own = [key[len(prefix) :] for key in lookup.values("class_key") if key.startswith(prefix)]
            yield from ({**bounds, "activity": start + one, "related_activities": "true"} for one in own)
        else:
            yield bounds

    def _agents(self, keys: Iterable[str]) -> Iterator[str]:
        for key in keys:
            roster, _, name = key.partition(":")
            for home in self._homes.get(roster, ()) if name else ():
                agent = {"objectType": "Agent", "account": {"homePage": home, "name": name}}
                yield orjson.dumps(agent).decode()

    def _bounds(self, lookup: Lookup) -> Query:
        since, until = bound(lookup.since), bound(lookup.until)
        told: Query = {}
        if since:
            told["since"] = (since - timedelta(seconds=self._options.early)).isoformat()
        if until:
            told["until"] = (until + timedelta(seconds=self._options.late)).isoformat()
        return told

    async def _read(self, query: Query, until: float) -> tuple[list[Statement], bool]:
        """Statements of one query through all `more` links, and whether the bound cut it short."""
        most = self._options.most
        limit = str(min(self._options.page_size, most))
        page = await self._page(self._url, {**query, "limit": limit}, until)
        found, seen = list(page.statements), set[int]()
        while page.more and len(found) < most:
            self._walk(page.more, seen)
            page = await self._page(page.more, None, until)
            found += page.statements
        return found[:most], bool(page.more) or len(found) > most

    def _walk(self, more: str, seen: set[int]) -> None:
        """Note a step; Malformed where it was taken before or there are too many."""
        if hash(more) in seen or len(seen) >= LONGEST_WALK:
            raise Malformed(f"{self.identity.code}: more links have no end")
        seen.add(hash(more))

    def _valid(self, words: Words, statements: Iterable[Statement]) -> Iterator[Statement]:
        """Statements that are events: with an id, neither voided nor voiding."""
        held = list(statements)
        voided = {own for statement in held if (own := voided_by(statement))}
        for statement in held:
            own = text(at(statement, "id"))
            if own is None:
                words.remark("语句缺少 id / a statement without an id")
            elif own not in voided and at(statement, "verb", "id") != VOIDED:
                yield statement

    def _record(self, words: Words, statement: Statement) -> Record:
        values = only(words.values(statement), FIELDS)
        own, stored = statement["id"], moment(statement.get("stored"))
        updated = stored.astimezone(UTC).isoformat() if stored else None
        return self.record(Kind.ACTIVITY_EVENT, self.key(own), own, values, updated_at=updated)

    def _holds(self, record: Record, lookup: Lookup) -> bool:
        if not meets(record.values, lookup.where, record.key):
            return False
        when = moment(record.values.get("occurred_at"))
        since, until = bound(lookup.since), bound(lookup.until)
        if (since or until) and when is None:
            return False
        return not ((since and when and when < since) or (until and when and when >= until))

    # Harvest

    def _since(self, checkpoint: str) -> Query:
        query = {"ascending": "true", "limit": str(self._options.page_size)}
        if not checkpoint:
            return query
        stored = moment(checkpoint)
        if stored is None:
            raise Unanswerable(f"{self.identity.code}: a checkpoint of a harvest is a moment")
        # `since` excludes its own moment, at which more may have been stored than were read.
        return {**query, "since": (stored - GRAIN).isoformat()}

    def _batch(self, page: _Page, checkpoint: str) -> Batch:
        words = Words(self.identity, self._options)
        fields = self._capabilities.offers[Kind.ACTIVITY_EVENT].fields
        records = [narrowed(self._record(words, one), fields) for one in self._valid(words, page.statements)]
        gone = dict.fromkeys(self.key(own) for one in page.statements if (own := voided_by(one)))
        return Batch(tuple(records), tuple(gone), checkpoint)

    # Requests

    async def _page(self, url: str, query: Query | None, until: float) -> _Page:
        reply = await self._get(url, query, until)
        body = await asyncio.to_thread(reply.json) if len(reply.body) > HEAVY else reply.json()
        answer = expect(body, dict, "answer")
        statements = expect(answer.get("statements"), list, "statements of the answer")
        more = expect(answer.get("more") or "", str, "more of the answer")
        consistent = moment(reply.headers.get("X-Experience-API-Consistent-Through"))
        held = [one for one in statements if isinstance(one, dict)]
        return _Page(held, self._own(more) if more else "", consistent)

    def _own(self, more: str) -> str:
        """The address of a `more` link, or Forbidden where it leads elsewhere."""
        here = URL(self._url)
        try:
            there = here.join(URL(more))
        except ValueError:
            raise Malformed(f"{self.identity.code}: a more link is no address") from None
        if there.origin() != here.origin() or there.user or there.password:
            raise Forbidden(f"{self.identity.code}: a more link leads to another host")
        return str(there)

    async def _get(self, url: str, query: Query | None, until: float) -> Reply:
        http, within = self.tools.http, max(until - asyncio.get_running_loop().time(), 0.001)
        told = {"X-Experience-API-Version": self._options.version, "Accept": "application/json"}

        async def call(header: dict[str, str], left: float) -> Reply:
            return await http.get(url, params=query, headers={**told, **header}, within=left, max_bytes=BODY)

        return await (self._token.authorized(call, within) if self._token else call(self._signed(), within))

    def _signed(self) -> dict[str, str]:
        options = self._options
        if options.login:
            pair = b64encode(f"{options.login}:{options.login_secret}".encode()).decode()
            return {"Authorization": f"Basic {pair}"}
        return {"Authorization": f"Bearer {options.bearer_secret}"} if options.bearer_secret else {}


def bound(told: str) -> datetime | None:
    """A bound of a span: a date is its first moment in China, a time without offset is China's."""
    if not told:
        return None
    try:
        found = datetime.fromisoformat(told)
    except ValueError:
        raise Unanswerable("a span is bounded by ISO dates or times") from None
    return found if found.tzinfo else found.replace(tzinfo=CHINA)


def _checkpoint(page: _Page, before: str) -> str:
    """The last moment of which all is known: what was read, as far as the store vouches for it."""
    told = [stored for one in page.statements if (stored := moment(one.get("stored")))]
    last = max(told, default=None)
    if last is None:
        return before
    safe = min(last, page.consistent) if page.consistent else last
    return safe.astimezone(UTC).isoformat()
