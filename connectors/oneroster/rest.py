"""OneRoster over REST (1EdTech OneRoster 1.2 Rostering REST binding §3; 1.1 §3.4): filters, pages, totals.

Rule 1: a value that cannot be written between single quotes is never sent: the specification has no escape.
Rule 2: a page shorter than asked for is no end: servers cap `limit` in silence. The end is where
X-Total-Count says, else an empty page.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from connectors.base import expect
from connectors.credentials import ClientCredentials
from connectors.http import Http, Reply
from connectors.oneroster.options import SCOPES, OneRosterOptions
from connectors.oneroster.roster import Ask, Found, Remarks, batches, sifted
from connectors.together import together

BODY = 64 * 1024 * 1024  # bytes of one page
HEAVY = 1024 * 1024  # bytes of a body that is parsed beside the loop
ALWAYS = frozenset({"sourcedId", "status", "dateLastModified"})
_NEXT = re.compile(r'rel="?next"?')
_QUOTABLE = re.compile(r"[^'\\\x00-\x1f\x7f]{1,256}")


@dataclass(frozen=True, slots=True)
class Profile:
    """Where a version of the specification differs: paths, a user's school, names of attributes."""

    path: str
    user_school: str
    renamed: Mapping[str, tuple[str, ...]]


PROFILES = {
    "1.2": Profile("/ims/oneroster/rostering/v1p2", "primaryOrg.sourcedId", {}),
    "1.1": Profile(
        "/ims/oneroster/v1p1", "orgs.sourcedId", {"roles": ("role", "orgs"), "primaryOrg": ("orgs",)}
    ),
}


@dataclass(frozen=True, slots=True)
class _Page:
    items: list[Any]
    total: int | None
    next: bool


class Rest:
    """A roster behind an address; made once, used by many tasks."""

    def __init__(self, http: Http, options: OneRosterOptions) -> None:
        self._http, self._options = http, options
        self._profile = PROFILES[options.version]
        self._base = options.base_url.rstrip("/") + (options.path or self._profile.path)
        self.user_school = options.user_school or self._profile.user_school
        scope = options.scope or SCOPES[options.version]
        account = (options.token_url, options.client_id, options.client_secret, scope)
        self._token = ClientCredentials(http, *account) if options.client_id else None

    async def select(self, ask: Ask, until: float, remarks: Remarks) -> Found:
        """See Roster: as few requests as the server's filter takes, side by side."""
        if not ask.path:
            return await self._read(ask, until, remarks)
        safe = replace(ask, values=tuple(value for value in ask.values if _QUOTABLE.fullmatch(value)))
        if len(safe.values) < len(ask.values):
            remarks.add("含引号等字符的标识未查询 / keys with quotes were not asked for")
        parts = [replace(ask, values=group) for group in batches(safe, self._options.ors)]
        found = await together([partial(self._read, part, until, remarks) for part in parts])
        items = {item["sourcedId"]: item for part in found for item in part.items}
        kept = [items[own] for own in sorted(items)][: self._options.most]
        return Found(kept, len(items) > len(kept) or any(part.more for part in found))

    async def probe(self, until: float) -> None:
        """One organisation."""
        await self._page(Ask("orgs", frozenset()), 0, 1, until)

    async def aclose(self) -> None:
        """Nothing is held but a token."""

    async def _read(self, ask: Ask, until: float, remarks: Remarks) -> Found:
        """All pages of one filter: the first tells how many, the others come side by side."""
        most = self._options.most
        limit = min(self._options.page_size, most)
        first = await self._page(ask, 0, limit, until)
        got, told = len(first.items), first.total
        if told is not None and told <= got and (got == limit or first.next):
            told = None  # some servers count the page, not the matches
        if _complete(ask, got, told):
            return self._found(ask, first.items, told, remarks)
        if told is None:
            rest = [await self._span(ask, got, most, limit, until)]
        else:
            starts = range(got, min(told, most), got)
            spans = [(start, min(start + got, told, most)) for start in starts]
            rest = await together([partial(self._span, ask, a, b, b - a, until) for a, b in spans])
        return self._found(ask, [*first.items, *(item for span in rest for item in span)], told, remarks)

    def _found(self, ask: Ask, items: list[Any], total: int | None, remarks: Remarks) -> Found:
        most = self._options.most
        told = len(items) if total is None else min(total, most)
        if len({item.get("sourcedId") for item in items if isinstance(item, dict)}) != told:
            remarks.add(f"{ask.collection}：总数与条数不符 / the total told does not fit the items")
        return Found(sifted(items, ask, remarks), more=len(items) >= most if total is None else total > most)

    async def _span(self, ask: Ask, start: int, stop: int, size: int, until: float) -> list[Any]:
        """Items from `start` up to `stop`, however few the server gives at once; an empty page ends it."""
        items: list[Any] = []
        last: object = None
        while start < stop:
            page = (await self._page(ask, start, min(size, stop - start), until)).items
            if not page or page[0] == last:  # a server that does not heed `offset` would never end
                break
            last = page[0]
            items += page
            start += len(page)
        return items

    async def _page(self, ask: Ask, offset: int, limit: int, until: float) -> _Page:
        names = ALWAYS | self._attributes(ask)
        params = {
            "limit": str(limit), "offset": str(offset), "sort": "sourcedId", "orderBy": "asc",
            "fields": ",".join(sorted(names)),
        }  # fmt: skip
        if ask.path:
            params["filter"] = " OR ".join(f"{ask.path}='{value}'" for value in ask.values)
        reply = await self._get(f"{self._base}/{ask.collection}", params, until)
        body = await asyncio.to_thread(reply.json) if len(reply.body) > HEAVY else reply.json()
        name = "orgs" if ask.collection == "schools" else ask.collection
        items = expect(expect(body, dict, "answer").get(name), list, f"{name} of the answer")
        return _Page(items, _count(reply), bool(_NEXT.search(reply.headers.get("Link", ""))))

    def _attributes(self, ask: Ask) -> frozenset[str]:
        roots = {ask.path.split(".")[0]} if ask.path else set()
        renamed = self._profile.renamed
        wanted = {new for name in ask.wanted for new in renamed.get(name, (name,))}
        return frozenset(wanted | roots)

    async def _get(self, url: str, params: dict[str, str], until: float) -> Reply:
        async def call(header: dict[str, str], within: float) -> Reply:
            accept = {"Accept": "application/json", **header}
            return await self._http.get(url, params=params, headers=accept, within=within, max_bytes=BODY)

        within = max(until - asyncio.get_running_loop().time(), 0.001)
        return await (self._token.authorized(call, within) if self._token else call({}, within))


def _complete(ask: Ask, got: int, told: int | None) -> bool:
    """Whether the first page is all; without a total only if it is empty or holds every key asked for."""
    if told is not None:
        return got >= told or got == 0
    return got == 0 or (ask.path == "sourcedId" and got >= len(ask.values))


def _count(reply: Reply) -> int | None:
    told = reply.headers.get("X-Total-Count", "").strip()
    return int(told) if told.isascii() and told.isdigit() and len(told) < 10 else None
