"""A level's provider that is known by its chain alone, and what breaks the chain refuses the sign-in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pytest

from auth.broker.upstream import UpstreamRefused
from auth.errors import AuthError, StoreDown
from auth.settings import UpstreamSettings
from auth.trust.errors import Distrusted
from auth.trust.federation import Federation
from hub.identity.gate import _by_chain

ISSUER, ANCHOR = "https://id.county.example", "https://nation.example"


def table(code: str = "county", **more: Any) -> UpstreamSettings:
    values = {"kind": "oidc", "issuer": ISSUER, "trusted_by": ANCHOR} | more
    return UpstreamSettings(code=code, name="县", level="COUNTY", region="371502", **values)


class Chains:
    """A federation that says one thing, and notes what it is asked."""

    def __init__(self, said: Mapping[str, Any] | AuthError) -> None:
        self.said, self.asked = said, list[tuple[str, str]]()

    async def provider(self, entity_id: str, anchor: str = "") -> Mapping[str, Any]:
        self.asked.append((entity_id, anchor))
        if isinstance(self.said, AuthError):
            raise self.said
        return self.said


async def test_a_provider_is_asked_for_by_its_issuer_to_its_own_anchor_each_time() -> None:
    chains = Chains({"issuer": ISSUER, "jwks": {"keys": []}})
    metadata = _by_chain(cast(Federation, chains), table())
    assert [await metadata(), await metadata()] == [chains.said, chains.said]
    assert chains.asked == [(ISSUER, ANCHOR)] * 2


@pytest.mark.parametrize(
    ("error", "status", "kind", "code"),
    [
        (Distrusted("not-vouched", ISSUER, 0), 502, "distrusted", "UPSTREAM_REFUSED: not-vouched"),
        (Distrusted("loop", ISSUER, 0), 502, "distrusted", "UPSTREAM_REFUSED: loop"),
        (Distrusted("unreachable", ANCHOR), 503, "distrusted", "UPSTREAM_REFUSED: unreachable"),
        (StoreDown(), 503, "store-down", ""),
    ],
)
async def test_what_breaks_the_chain_refuses_the_sign_in(
    error: AuthError, status: int, kind: str, code: str
) -> None:
    with pytest.raises(UpstreamRefused) as caught:
        await _by_chain(cast(Federation, Chains(error)), table())()
    refused = caught.value
    assert (refused.status, refused.kind, refused.shown_code) == (status, kind, code)
    assert (refused.retry_after is not None) == (status == 503)
    assert " / " in refused.public
