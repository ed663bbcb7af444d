"""From a table of the settings to the provider it describes, by its kind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from auth.broker.upstream import Upstream
from auth.fetch import Fetch
from auth.ports import Matching
from auth.settings import UpstreamSettings


def upstream(
    settings: UpstreamSettings,
    fetch: Fetch,
    matching: Matching,
    clock: Callable[[], float],
    *,
    metadata: Callable[[], Awaitable[Mapping[str, Any]]] | None = None,
) -> Upstream:
    """The provider of that table; asks nobody yet. `clock` gives seconds since 1970.

    `metadata`: an OIDC provider's, by its chain of trust (a table with `trusted_by`). Raises ValueError, with
    a text for the operator, for a table that its kind cannot work with. A kind is loaded when a table names
    it.
    """
    if settings.trusted_by and settings.kind != "oidc":
        raise ValueError(
            f"upstreams.{settings.code}: trusted_by 只用于 oidc / only an oidc provider has a chain of trust"
        )
    match settings.kind:
        case "oidc":
            from auth.broker.oidc import Oidc

            return Oidc(settings, fetch, matching, clock, metadata=metadata)
        case "oauth2":
            from auth.broker.oauth2 import OAuth2

            return OAuth2(settings, fetch, matching, clock)
        case "cas":
            from auth.broker.cas import Cas

            return Cas(settings, fetch, matching, clock)
        case "ticket":
            from auth.broker.ticket import Ticket

            return Ticket(settings, fetch, matching, clock)
