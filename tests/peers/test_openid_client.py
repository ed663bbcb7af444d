"""npm's openid-client signs people in at the hub, and validates whatever it is given."""

from __future__ import annotations

from typing import Any

import pytest

from tests.peers.conftest import BACK, PAGE, Abroad
from tests.peers.party import QUERY, known, signed_in
from tests.peers.talk import Peer, Refused
from tests.peers.town import INITIAL, NAME, Browser, Town

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def peer(abroad: Abroad) -> Peer:
    """The application."""
    return abroad.openid_client


@pytest.mark.parametrize(
    ("client_id", "auth", "alg"),
    [
        ("office", "client_secret_basic", "ES256"),
        ("old-office", "client_secret_post", "RS256"),
        ("keyed-office", "private_key_jwt", "ES256"),
    ],
)
@pytest.mark.parametrize("way", ["plain", "par"])
async def test_the_officer_signs_in_and_her_id_token_and_userinfo_agree(
    hub: Town, peer: Peer, officer: Browser, client_id: str, auth: str, alg: str, way: str
) -> None:
    found = await known(peer, hub, client_id, auth, alg=alg)
    assert found["issuer"] == hub.issuer
    tokens = await signed_in(peer, officer, client_id, way=way, acr_values="urn:rongtong:acr:password")
    claims = tokens["claims"]
    assert (claims["iss"], claims["aud"], claims["name"]) == (hub.issuer, client_id, NAME)
    assert claims["acr"] == "urn:rongtong:acr:password"
    assert claims["amr"] == ["pwd"]
    told = await peer.ask("userinfo", client_id=client_id, token=tokens["access_token"], sub=claims["sub"])
    assert (told["sub"], told["name"]) == (claims["sub"], NAME)
    assert told["roles"] == claims["roles"] == [{"role": "ADMIN", "region": "371500"}]


@pytest.mark.parametrize("way", ["jar", "jar and par"])
async def test_a_signed_request_by_value_is_taken_plain_and_pushed(
    hub: Town, peer: Peer, officer: Browser, way: str
) -> None:
    await known(peer, hub, "keyed-office", "private_key_jwt")
    tokens = await signed_in(peer, officer, "keyed-office", way=way)
    assert tokens["claims"]["name"] == NAME


async def test_the_answer_comes_by_form_where_that_is_asked(hub: Town, peer: Peer, officer: Browser) -> None:
    await known(peer, hub, "old-office", "client_secret_post", alg="RS256")
    begun = await peer.ask(
        "begin", client_id="old-office", redirect_uri=BACK, scope="openid", way="plain",
        more={"response_mode": "form_post"},
    )  # fmt: skip
    landed = await officer.go(begun["url"], stop=BACK)
    tokens = await peer.ask("posted", url=BACK, fields=landed.posted, state=begun["state"])
    assert tokens["claims"]["aud"] == "old-office"


async def test_an_answer_without_iss_or_with_another_state_is_not_taken(
    hub: Town, peer: Peer, officer: Browser
) -> None:
    await known(peer, hub, "office", "client_secret_basic")
    begun = await peer.ask(
        "begin", client_id="office", redirect_uri=BACK, scope="openid", way="plain", more={}
    )
    landed = await officer.go(begun["url"], stop=BACK)
    address, _, query = landed.url.partition("?")
    bare = "&".join(pair for pair in query.split("&") if not pair.startswith("iss="))
    with pytest.raises(Refused, match="iss"):
        await peer.ask("finish", url=f"{address}?{bare}", state=begun["state"])
    with pytest.raises(Refused, match="state"):
        await peer.ask("finish", url=landed.url.replace("state=", "state=x"), state=begun["state"])
    tokens = await peer.ask("finish", url=landed.url, state=begun["state"])
    with pytest.raises(Refused) as again:
        await peer.ask("finish", url=landed.url, state=begun["state"])
    assert again.value.error == "invalid_grant"
    dead = await peer.ask("introspect", client_id="office", token=tokens["access_token"])
    assert dead == {"active": False}


async def test_an_id_token_of_another_algorithm_than_was_agreed_is_not_taken(
    hub: Town, peer: Peer, officer: Browser
) -> None:
    await known(peer, hub, "office", "client_secret_basic", alg="RS256")
    with pytest.raises(Refused, match="alg"):
        await signed_in(peer, officer, "office", scope="openid")


async def test_refused_consent_silence_and_age_reach_the_application_as_its_own_errors(
    hub: Town, peer: Peer, officer: Browser
) -> None:
    await known(peer, hub, "notebook", "client_secret_basic")
    common = {"client_id": "notebook", "redirect_uri": BACK, "scope": "openid roles", "way": "plain"}

    async def answered(more: dict[str, str], decision: str = "allow") -> str:
        begun = await peer.ask("begin", **common, more=more)
        landed = await officer.go(begun["url"], stop=BACK, decision=decision)
        with pytest.raises(Refused) as refused:
            await peer.ask("finish", url=landed.url, state=begun["state"])
        return refused.value.error

    assert await answered({"prompt": "none"}) == "login_required"
    assert await answered({}, decision="deny") == "access_denied"
    assert await answered({"prompt": "none"}) == "consent_required"
    assert await answered({"response_mode": "fragment"}) == "invalid_request"
    assert await answered({"prompt": "none login"}) == "invalid_request"

    async def once_more(**more: str) -> dict[str, Any]:
        tokens = await signed_in(peer, officer, "notebook", scope="openid roles", **more)
        found: dict[str, Any] = tokens["claims"]
        return found

    first = await signed_in(peer, officer, "notebook", scope="openid roles")
    typed, claims = officer.typed, first["claims"]
    assert (await once_more(prompt="none"))["auth_time"] == claims["auth_time"]
    assert (await once_more(prompt="none", id_token_hint=first["id_token"]))["sub"] == claims["sub"]
    assert (await once_more(max_age="3600"))["sid"] == claims["sid"]
    assert officer.typed == typed
    await once_more(max_age="0")
    await once_more(prompt="login")
    assert officer.typed == typed + 2


async def test_a_public_page_holds_its_key_for_every_token(hub: Town, peer: Peer, officer: Browser) -> None:
    await known(peer, hub, "page", "none", dpop=True)
    tokens = await signed_in(peer, officer, "page", scope="openid profile graph", back=f"{PAGE}/back")
    assert tokens["token_type"].lower() == "dpop"
    sub = tokens["claims"]["sub"]
    assert (await peer.ask("userinfo", client_id="page", token=tokens["access_token"], sub=sub))["sub"] == sub
    asked = {"client_id": "page", "url": f"{hub.issuer}/graphql", "body": QUERY}
    assert (await peer.ask("resource", **asked, token=tokens["access_token"]))["status"] == 200
    renewed = await peer.ask("refresh", client_id="page", token=tokens["refresh_token"])
    assert renewed["token_type"].lower() == "dpop"

    await known(peer, hub, "page", "none", dpop=True)  # the same client with another key: a thief
    with pytest.raises(Refused) as refused:
        await peer.ask("refresh", client_id="page", token=renewed["refresh_token"])
    assert refused.value.error == "invalid_grant"
    with pytest.raises(Refused) as refused:
        await peer.ask("resource", **asked, token=renewed["access_token"])
    assert refused.value.said["status"] == 401


async def test_a_screen_without_a_keyboard_is_let_in_by_its_code(
    hub: Town, peer: Peer, officer: Browser
) -> None:
    await known(peer, hub, "television", "none")
    device = await peer.ask("device", client_id="television", scope="openid profile")
    page = await officer.go(device["verification_uri"], user_code=device["user_code"])
    assert page.status == 200
    tokens = await peer.ask("polled", client_id="television", device={**device, "interval": 1})
    assert tokens["claims"]["name"] == NAME
    assert tokens["refresh_token"]


async def test_an_application_registers_itself_with_the_initial_token(
    hub: Town, peer: Peer, officer: Browser
) -> None:
    metadata = {
        "client_name": "错题本", "token_endpoint_auth_method": "client_secret_post",
        "redirect_uris": [BACK], "scope": "openid profile",
        "grant_types": ["authorization_code", "refresh_token"],
        "id_token_signed_response_alg": "ES256",
    }  # fmt: skip
    with pytest.raises(Refused):
        await peer.ask("register", issuer=hub.issuer, metadata=metadata, initial="guessed" * 6)
    client = await peer.ask("register", issuer=hub.issuer, metadata=metadata, initial=INITIAL)
    tokens = await signed_in(peer, officer, client["client_id"], scope="openid profile")
    assert tokens["claims"]["aud"] == client["client_id"]
