"""A table of the settings that cannot work is refused when the hub starts, with words for its operator."""

from __future__ import annotations

from typing import Any

import pytest

from auth.broker.kinds import upstream
from auth.fetch import Fetched
from tests.fakes.broker_side import Clock, Keyed, county
from tests.fakes.hostile_provider import HostileProvider


async def nowhere(method: str, url: str, **_: Any) -> Fetched:
    """Making a provider asks nobody."""
    raise AssertionError(f"{method} {url}")


def made(**other: Any) -> Any:
    """The provider of a table."""
    usual = {"issuer": "https://id.example.org", "options": {}}
    return upstream(county(HostileProvider(Clock()), **{**usual, **other}), nowhere, Keyed(), Clock())


def test_a_sound_table_asks_nobody_yet() -> None:
    assert made().settings.code == "county"
    assert made(issuer="http://10.1.2.3:8080").settings.issuer == "http://10.1.2.3:8080"


@pytest.mark.parametrize(
    "wrong",
    [
        {"algorithms": ("none",)}, {"algorithms": ("HS256", "ES256")}, {"algorithms": ()}, {"client_id": ""},
        {"issuer": "http://id.example.org"}, {"issuer": "id.example.org"}, {"issuer": "https://a@b.example"},
        {"issuer": "https://id.example.org/#x"}, {"claims": {"sub": "email"}}, {"trusted_by": "https://a.test"},
        {"options": {"token_auth": "private_key_jwt"}}, {"issuer": "https://id.example.org:99999"},
        {"kind": "oauth2", "trusted_by": "https://a.test"}, {"kind": "cas", "trusted_by": "https://a.test"},
        {"kind": "oauth2"},
    ],
    ids=str,
)  # fmt: skip
def test_a_table_that_cannot_work_is_refused_at_once(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"upstreams\.county"):
        made(**wrong)
