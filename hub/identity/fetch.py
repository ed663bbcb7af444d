"""The gate's way out, over the connectors' HTTP port: pool, deadline, bounds and the address guard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from auth.fetch import Fetched, FetchFailed
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
