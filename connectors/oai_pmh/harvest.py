"""Reading a repository whole and then only what changed, so that an interruption costs one page.

The checkpoint holds the date-stamp from which this run reads, and while it is under way its token. When a
token is no longer good, the run begins again at the last date-stamp seen if the repository has been listing
in their order, else at its own start; nothing is lost, some records come twice.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import pairwise

import msgspec

from connectors.errors import Malformed, Unavailable
from connectors.oai_pmh.answer import Listing, Told
from connectors.oai_pmh.repository import Repository

RESTARTS = 5  # of one run, without a later date-stamp between them
GRANULARITIES = ("YYYY-MM-DD", "YYYY-MM-DDThh:mm:ssZ")
_STAMP = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\dZ)?")


class Mark(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a harvest stands: `since` begins the run, `began` will begin the next one."""

    since: str = ""
    token: str = ""
    prefix: str = ""
    began: str = ""
    last: str = ""
    ordered: bool = True


def mark_of(checkpoint: str) -> Mark:
    """The mark written in a checkpoint; the start for an empty or strange one."""
    try:
        return msgspec.json.decode(checkpoint or "{}", type=Mark)
    except (msgspec.MsgspecError, UnicodeError):
        return Mark()


def written(mark: Mark) -> str:
    """The checkpoint of a mark."""
    return msgspec.json.encode(mark).decode()


def stamp(moment: str, granularity: str) -> str:
    """A UTC date-stamp in the repository's granularity; empty when it cannot be written in it."""
    if not _STAMP.fullmatch(moment) or granularity not in GRANULARITIES:
        return ""
    if granularity == "YYYY-MM-DD":
        return moment[:10]
    return moment if len(moment) == 20 else f"{moment}T00:00:00Z"


@dataclass
class Walk:
    """One run from a mark on."""

    repository: Repository
    mark: Mark
    within: float

    async def pages(self) -> AsyncIterator[tuple[Listing, Mark]]:
        """Each page with the mark right after it; none when nothing has changed."""
        mark, restarts, furthest = self.mark, 0, ""
        while True:
            # A list that was begun in one format goes on in it, whatever is offered by then.
            prefix = mark.prefix or (await self.repository.prefixes(self.within))[0]
            mark = msgspec.structs.replace(mark, prefix=prefix)
            try:
                page = await self._page(mark)
            except Told as told:
                if told.reason != "badResumptionToken" or not mark.token:
                    raise
                restarts += 1
                if restarts > RESTARTS:
                    raise Unavailable("the repository forgets its tokens before they are used") from None
                mark = Mark(since=mark.last if mark.ordered and mark.last else mark.since, began=mark.began)
                continue
            if page is None:
                return
            reached = max((item.datestamp for item in page.items), default="")
            if reached > furthest:
                restarts, furthest = 0, reached
            mark = self._after(mark, page)
            yield page, mark
            if not mark.token:
                return

    async def _page(self, mark: Mark) -> Listing | None:
        if mark.token:
            return await self.repository.resumed(mark.prefix, mark.token, self.within)
        since = ""
        if mark.since:
            since = stamp(mark.since, (await self.repository.about(self.within)).granularity)
        return await self.repository.records(self.within, prefix=mark.prefix, since=since)

    def _after(self, mark: Mark, page: Listing) -> Mark:
        if page.token and page.token == mark.token:
            raise Malformed("a resumptionToken that leads to itself")
        began = mark.began or page.told_at
        if not page.token:
            return Mark(since=began)
        stamps = [mark.last, *(item.datestamp for item in page.items)]
        ordered = mark.ordered and all(a <= b for a, b in pairwise(stamps))
        return Mark(mark.since, page.token, mark.prefix, began, max(stamps), ordered)
