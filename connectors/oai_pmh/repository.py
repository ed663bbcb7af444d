"""The requests of OAI-PMH: one method a verb, answers read on a thread when they are large.

Rule 1: what a repository says of itself (granularity, formats) is asked once and believed for a while.
Rule 2: a resumptionToken goes alone with its verb (OAI-PMH 2.0 §3.5).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from lxml import etree

from connectors.errors import Refused
from connectors.http import Http
from connectors.oai_pmh.answer import About, Item, Listing, Told, formats, got, identified, listed
from connectors.oai_pmh.dublin_core import dublin_core
from connectors.oai_pmh.lom import lom
from connectors.oai_pmh.options import OaiPmhOptions

T = TypeVar("T")
SMALL = 32 * 1024  # bytes that may be parsed on the loop


@dataclass
class Repository:
    """One repository behind its base address."""

    http: Http
    options: OaiPmhOptions
    _about: tuple[float, About] | None = field(default=None, init=False)
    _prefixes: tuple[float, tuple[str, ...]] | None = field(default=None, init=False)

    async def about(self, within: float) -> About:
        """What it says of itself."""
        now = asyncio.get_running_loop().time()
        if self._about is None or now - self._about[0] > self.options.recheck:
            self._about = (now, await self._ask(identified, within, verb="Identify"))
        return self._about[1]

    async def prefixes(self, within: float) -> tuple[str, ...]:
        """The formats that both sides know, the best first; Refused when there is none."""
        now = asyncio.get_running_loop().time()
        if self._prefixes is None or now - self._prefixes[0] > self.options.recheck:
            offered = await self._ask(formats, within, verb="ListMetadataFormats")
            self._prefixes = (now, tuple(one for one in self.options.prefixes if one in offered))
        if not self._prefixes[1]:
            raise Refused(f"the repository offers none of {', '.join(self.options.prefixes)}")
        return self._prefixes[1]

    async def record(self, identifier: str, within: float) -> Item | None:
        """A record in the best format that it has; None when it does not exist or was deleted."""
        for prefix in await self.prefixes(within):
            try:
                item = await self._get(identifier, prefix, within)
            except Told as told:
                if told.reason == "cannotDisseminateFormat":
                    continue
                if told.reason in ("idDoesNotExist", "noRecordsMatch"):
                    return None
                raise
            return None if item is None or item.deleted or item.values is None else item
        return None

    async def records(
        self, within: float, *, prefix: str, set_spec: str = "", since: str = ""
    ) -> Listing | None:
        """The first page of a list; None when nothing fits."""
        wanted = {"set": set_spec, "from": since}
        try:
            return await self._list(
                prefix, within, metadataPrefix=prefix, **{k: v for k, v in wanted.items() if v}
            )
        except Told as told:
            if told.reason == "noRecordsMatch":
                return None
            raise

    async def resumed(self, prefix: str, token: str, within: float) -> Listing:
        """The page behind a token; Told badResumptionToken when it is no longer good."""
        return await self._list(prefix, within, resumptionToken=token)

    async def _get(self, identifier: str, prefix: str, within: float) -> Item | None:
        metadata = self._metadata(prefix)
        return await self._ask(
            lambda body: got(body, metadata), within,
            verb="GetRecord", identifier=identifier, metadataPrefix=prefix,
        )  # fmt: skip

    async def _list(self, prefix: str, within: float, **arguments: str) -> Listing:
        metadata = self._metadata(prefix)
        return await self._ask(lambda body: listed(body, metadata), within, verb="ListRecords", **arguments)

    async def _ask(self, read: Callable[[bytes], T], within: float, **arguments: str) -> T:
        reply = await self.http.get(
            self.options.base_url, params=arguments, within=within, max_bytes=self.options.max_bytes
        )
        if len(reply.body) <= SMALL:
            return read(reply.body)
        return await asyncio.to_thread(read, reply.body)

    def _metadata(self, prefix: str) -> Callable[[etree._Element], dict[str, Any]]:
        read = dublin_core if prefix == "oai_dc" else lom
        return lambda element: read(element, self.options)
