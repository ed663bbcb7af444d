"""npm's oauth4webapi, every check of it on, as a client of the hub and as a resource server beside it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.peers.conftest import BACK, PAGE, SECRET, Abroad
from tests.peers.talk import Peer, Refused
from tests.peers.town import NAME, Browser, Town

pytestmark = pytest.mark.asyncio(loop_scope="session")

QUERY = {"query": "{ me { displayName } }"}


@pytest.fixture
def peer(abroad: Abroad) -> Peer:
    """The application."""
    return abroad.oauth4webapi


async def signed_in(peer: Peer, hub: Town, officer: Browser, *, bound: bool) -> dict[str, Any]:
    """Tokens of the server's application, or of the page's, which are bound to its key."""
    client_id, back = ("page", f"{PAGE}/back") if bound else ("web-office", BACK)
    secret = "" if bound else SECRET
    await peer.ask("know", issuer=hub.issuer, client_id=client_id, secret=secret, dpop=bound)
    begun = await peer.ask(
        "begin", client_id=client_id, redirect_uri=back, scope="openid profile graph",
        more={"max_age": "600", "claims": '{"userinfo": {"acr": null, "auth_time": null}}'},
    )  # fmt: skip
    landed = await officer.go(begun["url"], stop=back)
    tokens: dict[str, Any] = await peer.ask("finish", url=landed.url, state=begun["state"])
    return tokens | {"client_id": client_id}


@pytest.mark.parametrize("bound", [False, True], ids=["a server", "a page that holds a key"])
async def test_the_officer_signs_in_and_every_check_is_passed(
    hub: Town, peer: Peer, officer: Browser, bound: bool
) -> None:
    tokens = await signed_in(peer, hub, officer, bound=bound)
    claims = tokens["claims"]
    assert (claims["iss"], claims["name"]) == (hub.issuer, NAME)
    asked = {"client_id": tokens["client_id"], "token": tokens["access_token"]}
    told = await peer.ask("userinfo", **asked, sub=claims["sub"])
    assert told["auth_time"] == claims["auth_time"]
    answer = await peer.ask("resource", **asked, url=f"{hub.issuer}/graphql", body=QUERY)
    assert answer["status"] == 200
    assert "errors" not in answer["body"]
    renewed = await peer.ask("refresh", client_id=tokens["client_id"], token=tokens["refresh_token"])
    assert renewed["token_type"] == ("dpop" if bound else "bearer")


async def test_the_plain_oauth_metadata_is_as_good_for_discovery(hub: Town, peer: Peer) -> None:
    asked = {"issuer": hub.issuer, "client_id": "web-office", "secret": SECRET}
    openid = await peer.ask("know", **asked)
    plain = await peer.ask("know", **asked, algorithm="oauth2")
    assert plain == openid


async def test_introspection_and_the_published_keys_tell_the_same_of_an_access_token(
    hub: Town, peer: Peer, officer: Browser
) -> None:
    tokens = await signed_in(peer, hub, officer, bound=False)
    told = await peer.ask("introspect", client_id="web-office", token=tokens["access_token"])
    read = await peer.ask(
        "accepted", client_id="web-office", token=tokens["access_token"], audience=f"{hub.issuer}/graphql"
    )
    for name in ("iss", "sub", "aud", "exp", "iat", "jti", "client_id", "scope"):
        assert told[name] == read[name]
    with pytest.raises(Refused):
        await peer.ask("accepted", client_id="web-office", token=tokens["access_token"], audience=hub.issuer)
    with pytest.raises(Refused):  # an ID token is no access token
        await peer.ask("accepted", client_id="web-office", token=tokens["id_token"], audience="web-office")


async def test_another_nonce_is_noticed(hub: Town, peer: Peer, officer: Browser) -> None:
    await peer.ask("know", issuer=hub.issuer, client_id="web-office", secret=SECRET)
    begun = await peer.ask(
        "begin", client_id="web-office", redirect_uri=BACK, scope="openid", more={"max_age": "600"}
    )
    landed = await officer.go(begun["url"], stop=BACK)
    with pytest.raises(Refused, match="nonce"):
        await peer.ask("finish", url=landed.url, state=begun["state"], nonce="another")


async def test_a_token_bound_to_a_key_is_nothing_without_it(hub: Town, peer: Peer, officer: Browser) -> None:
    tokens = await signed_in(peer, hub, officer, bound=True)
    await peer.ask("know", issuer=hub.issuer, client_id="web-office", secret=SECRET)
    with pytest.raises(Refused) as refused:
        await peer.ask(
            "resource", client_id="web-office", token=tokens["access_token"],
            url=f"{hub.issuer}/graphql", body=QUERY,
        )  # fmt: skip
    assert refused.value.said["status"] == 401
