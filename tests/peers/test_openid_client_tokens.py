"""What npm's openid-client does with its tokens, until the sign-on ends."""

from __future__ import annotations

from typing import Any

import pytest

from tests.peers.conftest import HOME, OLD, Abroad
from tests.peers.party import QUERY, header, known, signed_in
from tests.peers.talk import Peer, Refused
from tests.peers.town import Browser, Town

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def peer(abroad: Abroad) -> Peer:
    """The application."""
    return abroad.openid_client


async def test_refresh_tokens_rotate_and_one_used_twice_ends_the_whole_family(
    hub: Town, peer: Peer, officer: Browser
) -> None:
    await known(peer, hub, "office", "client_secret_basic")
    first = await signed_in(peer, officer, "office")
    second = await peer.ask("refresh", client_id="office", token=first["refresh_token"])
    assert second["refresh_token"] != first["refresh_token"]
    for name in ("iss", "sub", "aud", "auth_time", "sid", "acr"):
        assert second["claims"][name] == first["claims"][name]
    narrow = await peer.ask(
        "refresh", client_id="office", token=second["refresh_token"], scope="openid profile"
    )
    assert narrow["scope"] == "openid profile"
    for token in (second["refresh_token"], narrow["refresh_token"]):
        with pytest.raises(Refused) as refused:
            await peer.ask("refresh", client_id="office", token=token)
        assert refused.value.error == "invalid_grant"
    with pytest.raises(Refused) as refused:
        await peer.ask(
            "userinfo", client_id="office", token=narrow["access_token"], sub=first["claims"]["sub"]
        )
    assert refused.value.said["status"] == 401


async def test_introspection_tells_of_living_tokens_and_revocation_ends_them(
    hub: Town, peer: Peer, officer: Browser
) -> None:
    await known(peer, hub, "office", "client_secret_basic")
    tokens = await signed_in(peer, officer, "office")

    async def told(kind: str) -> dict[str, Any]:
        found: dict[str, Any] = await peer.ask("introspect", client_id="office", token=tokens[kind])
        return found

    access, refresh = await told("access_token"), await told("refresh_token")
    assert access["active"]
    assert refresh["active"]
    assert access["sub"] == refresh["sub"] == tokens["claims"]["sub"]
    assert access["token_type"] == "Bearer"
    assert (await told("id_token")) == {"active": False}
    await peer.ask("revoke", client_id="office", token=tokens["refresh_token"])
    assert (await told("access_token")) == (await told("refresh_token")) == {"active": False}
    await peer.ask("revoke", client_id="office", token="never-issued")


async def test_the_access_token_reads_the_graph_and_a_client_credential_reads_nobodys_data(
    hub: Town, peer: Peer, officer: Browser
) -> None:
    await known(peer, hub, "office", "client_secret_basic")
    tokens = await signed_in(peer, officer, "office")
    asked = {"client_id": "office", "url": f"{hub.issuer}/graphql", "body": QUERY}
    mine = await peer.ask("resource", **asked, token=tokens["access_token"])
    assert mine["status"] == 200, mine
    own = await peer.ask("credentials", client_id="office", scope="graph.resources")
    assert own["token_type"].lower() == "bearer"
    assert "refresh_token" not in own
    nobody = await peer.ask("resource", **asked, token=own["access_token"])
    assert nobody["body"]["data"]["me"] is None
    with pytest.raises(Refused) as refused:
        await peer.ask("resource", **asked, token=tokens["id_token"])
    assert refused.value.said["status"] == 401


async def test_client_credentials_with_a_key_are_no_persons_scopes(hub: Town, peer: Peer) -> None:
    await known(peer, hub, "keyed-office", "private_key_jwt")
    own = await peer.ask("credentials", client_id="keyed-office", scope="graph.resources")
    assert own["scope"] == "graph.resources"
    with pytest.raises(Refused) as refused:
        await peer.ask("credentials", client_id="keyed-office", scope="openid profile")
    assert refused.value.error == "invalid_scope"


async def test_signing_out_tells_every_application_by_a_token_that_it_can_check(
    hub: Town, peer: Peer, officer: Browser
) -> None:
    await known(peer, hub, "office", "client_secret_basic")
    await known(peer, hub, "old-office", "client_secret_post", alg="RS256")
    office = await signed_in(peer, officer, "office")
    old = await signed_in(peer, officer, "old-office", scope="openid profile", back=OLD)
    assert office["claims"]["sub"] != old["claims"]["sub"]
    parameters = {
        "id_token_hint": office["id_token"], "post_logout_redirect_uri": HOME, "state": "done",
    }  # fmt: skip
    url = await peer.ask("ending", client_id="office", parameters=parameters)
    landed = await officer.go(url, stop=HOME)
    assert landed.url == f"{HOME}?state=done"
    for client_id, tokens, alg in (("office", office, "ES256"), ("old-office", old, "RS256")):
        notice = await peer.ask("notice", client_id=client_id, sid=tokens["claims"]["sid"])
        assert notice.get("refused") is None
        assert (notice["sid"], notice["sub"]) == (tokens["claims"]["sid"], tokens["claims"]["sub"])
        assert notice["alg"] == alg
    with pytest.raises(Refused) as refused:
        await signed_in(peer, officer, "office", prompt="none")
    assert refused.value.error == "login_required"
    kept = await peer.ask("refresh", client_id="office", token=office["refresh_token"])
    assert kept["claims"]["sub"] == office["claims"]["sub"]  # offline_access outlives the sign-on


@pytest.mark.parametrize(("client_id", "alg"), [("office", "ES256"), ("old-office", "RS256")])
async def test_keys_that_it_read_before_a_rotation_verify_what_is_signed_after_it(
    hub: Town, peer: Peer, officer: Browser, client_id: str, alg: str
) -> None:
    await known(
        peer, hub, client_id, "client_secret_basic" if alg == "ES256" else "client_secret_post", alg=alg
    )
    first = await signed_in(peer, officer, client_id)
    await hub.rotated()
    second = await signed_in(peer, officer, client_id, prompt="login")
    assert header(second["id_token"])["alg"] == alg
    assert header(second["id_token"])["kid"] != header(first["id_token"])["kid"]
    sub = first["claims"]["sub"]
    told = await peer.ask("userinfo", client_id=client_id, token=first["access_token"], sub=sub)
    assert told["sub"] == second["claims"]["sub"]
