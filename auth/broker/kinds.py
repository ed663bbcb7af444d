"""From a table of the settings to the provider it describes, by its kind."""

from __future__ import annotations

from collections.abc import Callable

from auth.broker.upstream import Upstream
from auth.fetch import Fetch
from auth.ports import Matching
from auth.settings import UpstreamSettings


def upstream(
    settings: UpstreamSettings, fetch: Fetch, matching: Matching, clock: Callable[[], float]
) -> Upstream:
    """The provider of that table; asks nobody yet. `clock` gives seconds since 1970.

    Raises ValueError, with a text for the operator, for a table that its kind cannot work with.
    A kind is loaded when a table names it: a hub with OIDC alone never reads the code of CAS.
    """
    match settings.kind:
        case "oidc":
            from auth.broker.oidc import Oidc

            return Oidc(settings, fetch, matching, clock)
        case "oauth2":
            from auth.broker.oauth2 import OAuth2

            return OAuth2(settings, fetch, matching, clock)
        case "cas":
            from auth.broker.cas import Cas

            return Cas(settings, fetch, matching, clock)
        case "ticket":
            from auth.broker.ticket import Ticket

            return Ticket(settings, fetch, matching, clock)
