"""The gate's way out, over the connectors' HTTP port: pool, deadline, bounds and the address guard."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from auth.fetch import Fetch, Fetched, FetchFailed
from connectors.errors import Forbidden, Malformed, SourceError, TimedOut, Unavailable
from connectors.http import Http, status_of

_KINDS: tuple[tuple[type[SourceError], str], ...] = (
    (TimedOut, "timeout"),
    (Forbidden, "forbidden"),
    (Malformed, "malformed"),
    (Unavailable, "unavailable"),
)


class HttpFetch:
    """`auth.fetch.Fetch` over an `Http` of its own pool."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def __call__(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        json: Any = None,
        within: float = 5.0,
        max_bytes: int = 262_144,
    ) -> Fetched:
        """The answer if it is 2xx; everything else is `FetchFailed`."""
        try:
            if method == "GET":
                reply = await self._http.get(
                    url, params=params, headers=headers, within=within, max_bytes=max_bytes
                )
            else:
                reply = await self._http.post(
                    url, form=form, json=json, params=params, headers=headers, within=within,
                    max_bytes=max_bytes,
                )  # fmt: skip
        except SourceError as error:
            kind = next((kind for cause, kind in _KINDS if isinstance(error, cause)), "refused")
            raise FetchFailed(kind, str(error), status_of(error)) from None
        return Fetched(reply.status, reply.headers, reply.body)


class Written:
    """Two ways out in one: `inside` for addresses that the operator wrote down, `outside` for all others,
    which strangers may have named (registered applications, entities of a federation)."""

    def __init__(self, inside: Fetch, outside: Fetch, addresses: Iterable[str]) -> None:
        self._inside, self._outside, self._written = inside, outside, frozenset(addresses)

    async def __call__(self, method: str, url: str, **more: Any) -> Fetched:
        """As `auth.fetch.Fetch` promises."""
        way = self._inside if url in self._written else self._outside
        return await way(method, url, **more)
