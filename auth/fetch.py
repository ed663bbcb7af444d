"""The way out that the gate asks for: bounded, guarded, without redirects; handed in by the hub."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from auth.errors import AuthError


class FetchFailed(AuthError):
    """The other side gave nothing usable in time. `kind`: timeout | refused | malformed | forbidden |
    unavailable | too-large. Its text names host and status, never a query, a body or a header."""

    code = "PEER_FAILED"
    public = "对方系统没有可用的应答 / the other system gave no usable answer"

    def __init__(self, kind: str, detail: str = "", status: int | None = None) -> None:
        super().__init__()
        self.kind, self.detail, self.status = kind, detail, status


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer of 2xx, complete; header names do not mind case. Its repr shows no content."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    def json(self) -> Any:
        """The body as JSON (RFC 8259). Raises `FetchFailed("malformed")`."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            raise FetchFailed("malformed", "not JSON") from None


class Fetch(Protocol):
    """One request out. The address guard refuses private and odd addresses that the operator did not allow;
    redirects are refused; `within` is in seconds and covers all; at most `max_bytes` are read."""

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
        ...
