"""The modules of the OpenID Foundation's conformance suite, basic profile, that no other story here tells."""

from __future__ import annotations

import base64

import orjson
import pytest

from tests.peers.conftest import BACK
from tests.peers.plain import CLIENT, REQUEST, asked, claims, redeemed, sent, told
from tests.peers.town import NAME, Browser, Town

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"nonce": ""}, id="ensure-request-without-nonce-succeeds-for-code-flow"),
        pytest.param({"scope": "profile openid"}, id="ensure-other-scope-order-succeeds"),
        pytest.param({"display": "page"}, id="display-page"),
        pytest.param({"display": "popup"}, id="display-popup"),
        pytest.param({"extra": "foobar"}, id="ensure-request-with-unknown-parameter-succeeds"),
        pytest.param({"login_hint": "somebody@example.test"}, id="login-hint"),
        pytest.param({"ui_locales": "se en"}, id="ui-locales"),
        pytest.param({"claims_locales": "se"}, id="claims-locales"),
        pytest.param(
            {"acr_values": "urn:rongtong:acr:password 1"}, id="ensure-request-with-acr-values-succeeds"
        ),
        pytest.param({"claims": '{"userinfo":{"name":{"essential":true}}}'}, id="claims-essential"),
        pytest.param({"max_age": "10000"}, id="max-age-10000"),
    ],
)
async def test_what_a_request_may_say_besides_harms_nothing(
    hub: Town, officer: Browser, more: dict[str, str]
) -> None:
    landed = await asked(hub, officer, **more)
    said = told(landed)
    assert (said["state"], said["iss"]) == (REQUEST["state"], hub.issuer)
    status, tokens, headers = await redeemed(hub, landed)
    assert status == 200
    assert headers["cache-control"] == "no-store"
    found = claims(tokens["id_token"])
    assert found.get("nonce", "") == {**REQUEST, **more}["nonce"]
    assert found["name"] == NAME


async def test_a_request_that_is_posted_is_as_good(hub: Town, officer: Browser) -> None:
    landed = await officer.go(f"{hub.issuer}/oauth/authorize", stop=BACK, form=REQUEST)
    assert (await redeemed(hub, landed))[0] == 200


async def test_userinfo_is_told_by_post_and_never_to_a_token_in_the_body(hub: Town, officer: Browser) -> None:
    _, tokens, _ = await redeemed(hub, await asked(hub, officer))
    status, body, _ = await sent(hub, "/oauth/userinfo", token=tokens["access_token"])
    assert (status, body["name"]) == (200, NAME)
    status, body, headers = await sent(hub, "/oauth/userinfo", access_token=tokens["access_token"])
    assert status == 401
    assert "bearer" in headers["www-authenticate"].lower()
    assert NAME not in str(body)


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"response_type": ""}, ("unsupported_response_type", "invalid_request")),
        ({"response_type": "token"}, ("unsupported_response_type",)),
        ({"response_type": "code id_token"}, ("unsupported_response_type",)),
        ({"scope": ""}, ("invalid_scope", "invalid_request")),
        ({"code_challenge": "", "code_challenge_method": ""}, ("invalid_request",)),
        ({"code_challenge_method": "plain"}, ("invalid_request",)),
        ({"registration": "{}"}, ("registration_not_supported",)),
        ({"request_uri": "https://school.test/request"}, ("request_uri_not_supported",)),
        ({"claims": "{"}, ("invalid_request",)),
    ],
)
async def test_what_is_wrong_is_told_to_the_application_at_its_own_address(
    hub: Town, officer: Browser, more: dict[str, str], error: tuple[str, ...]
) -> None:
    said = told(await asked(hub, officer, **more))
    assert said["error"] in error
    assert (said["state"], said["iss"]) == (REQUEST["state"], hub.issuer)


async def test_an_unsigned_request_object_is_refused(hub: Town, officer: Browser) -> None:
    parts = ({"alg": "none"}, {**REQUEST, "iss": CLIENT, "aud": hub.issuer, "state": "inside"})
    unsigned = ".".join(base64.urlsafe_b64encode(orjson.dumps(each)).rstrip(b"=").decode() for each in parts)
    said = told(await asked(hub, officer, request=f"{unsigned}."))
    assert said["error"] == "invalid_request_object"


@pytest.mark.parametrize(
    "address",
    [f"{BACK}?more=1", f"{BACK}/", BACK.upper(), "https://evil.test/back", "javascript:alert(1)", ""],
)
async def test_nobody_is_sent_to_an_address_that_is_not_registered(
    hub: Town, officer: Browser, address: str
) -> None:
    landed = await asked(hub, officer, redirect_uri=address)
    assert landed.url.startswith(f"{hub.issuer}/oauth/authorize")
    assert landed.status == 400
    assert "location" not in {name.lower() for name in landed.headers or {}}


async def test_a_code_that_comes_twice_ends_what_it_gave_the_first_time(hub: Town, officer: Browser) -> None:
    landed = await asked(hub, officer)
    _, tokens, _ = await redeemed(hub, landed)
    status, body, _ = await redeemed(hub, landed)
    assert (status, body["error"]) == (400, "invalid_grant")
    assert (await sent(hub, "/oauth/userinfo", token=tokens["access_token"]))[0] == 401
    status, body, _ = await sent(
        hub, "/oauth/token", grant_type="refresh_token", refresh_token=tokens["refresh_token"]
    )
    assert (status, body["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize(
    ("changed", "status", "error"),
    [
        ({"code_verifier": "w" * 43}, 400, "invalid_grant"),
        ({"code_verifier": ""}, 400, ""),
        ({"redirect_uri": f"{BACK}/other"}, 400, "invalid_grant"),
        ({"secret": "wrong" * 10}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ],
)
async def test_a_wrong_redemption_fails_and_leaves_the_code_for_the_right_one(
    hub: Town, officer: Browser, changed: dict[str, str], status: int, error: str
) -> None:
    landed = await asked(hub, officer)
    answered, body, headers = await redeemed(hub, landed, **changed)
    assert answered == status
    assert error in body["error"]
    assert status != 401 or "basic" in headers["www-authenticate"].lower()
    assert (await redeemed(hub, landed))[0] == 200
