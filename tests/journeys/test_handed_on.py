"""A server of a school hands the county's token on to the hub, and is given one for the graph."""

from __future__ import annotations

import pytest

from auth.ports import Assertion
from auth.principal import Principal
from connectors.sandbox.country import Country
from tests.connectors.sandbox.browser import Browser
from tests.connectors.sandbox.passports import account, entrance, part, redeemed, told
from tests.journeys.country import World

pytestmark = pytest.mark.asyncio(loop_scope="session")
SERVER = "demo-server:demo-server-secret-for-trying-out-only"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"


async def handed_on(land: World, id_token: str) -> Principal:
    form = {"grant_type": EXCHANGE, "subject_token": id_token, "subject_token_type": ID_TOKEN}
    status, answer = await told(f"{land.demo.url}/oauth/token", form, basic=SERVER)
    assert status == 200, answer
    return land.demo.hub.tokens.verify(answer["access_token"])


async def test_the_countys_token_is_good_at_the_hub_and_leaves_the_account_as_it_is(land: World) -> None:
    base = land.url("county-passport")
    async with Browser() as browser:
        seen = await browser.sign_in(
            entrance("county-passport", base), *account(Country("demo"), "principal")
        )
    _, tokens = await redeemed(base, seen)
    claims = part(1, tokens["id_token"])
    first = await handed_on(land, tokens["id_token"])
    assert first.client_id == "demo-server"
    assert first.person_keys == (), "a token alone says nothing of rosters"
    gate = land.demo.hub.gate
    assert gate is not None
    told_more = Assertion(
        upstream="c371502", iss=base, sub=claims["sub"], level="COUNTY", region="371502",
        identifiers={"roster:c371502-roster": "u-0-t0"},
    )  # fmt: skip
    assert await gate.accounts.person_for(told_more) == first.person
    again = await handed_on(land, tokens["id_token"])
    assert again.person == first.person
    assert again.person_keys == ("c371502-roster:u-0-t0",)
