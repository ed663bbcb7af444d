"""What nobody may read in a log, what a client's published keys are good for, and what an ID token says."""

from __future__ import annotations

import logging

import orjson
import pytest
from joserfc.jwk import ECKey

from auth.clients import client_from
from auth.provider.client_auth import ASSERTION_TYPE
from auth.settings import ClientSettings
from tests.auth.provider import browsing
from tests.auth.provider.browsing import Application, Browser, assertion, claims_of, jwk, signed
from tests.fakes.provider import Provider


async def test_no_code_and_no_token_is_written_into_a_log(
    browser: Browser, app: Application, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "authlib"):
        code = await browser.code()
        tokens = (await app.redeem(code)).json
        newer = (await app.refresh(tokens["refresh_token"])).json
        for_itself = (await app.token(grant_type="client_credentials")).json
    assert caplog.records
    secrets = [code, browsing.SECRET, for_itself["access_token"]]
    secrets += [
        each[name] for each in (tokens, newer) for name in ("access_token", "refresh_token", "id_token")
    ]
    assert not [secret for secret in secrets if secret in caplog.text]


async def test_a_client_may_publish_its_keys_and_change_them(app: Application, gate: Provider) -> None:
    first, second = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
    address = "https://keys.example/jwks"
    settings = ClientSettings(
        id="publisher", name="出版社", auth_method="private_key_jwt", jwks_uri=address,
        grant_types=("client_credentials",), scopes=("graph",),
    )  # fmt: skip
    gate.clients._configured["publisher"] = client_from(settings)

    async def ask(key: ECKey, kid: str) -> int:
        token = signed(assertion(gate.issuer, "publisher"), key, kid=kid)
        form = {"grant_type": "client_credentials", "client_assertion": token,
                "client_assertion_type": ASSERTION_TYPE}  # fmt: skip
        return (await app.send("POST", "/oauth/token", data=form)).status

    assert await ask(first, "a") == 401  # its address does not answer: no 500
    gate.clock.ahead += 10
    gate.key_sets.served[address] = orjson.dumps({"keys": [jwk(first, "a")]})
    assert await ask(first, "a") == 200
    gate.key_sets.served[address] = orjson.dumps({"keys": [jwk(second, "b")]})
    gate.clock.ahead += 31
    assert await ask(second, "b") == 200
    assert await ask(second, "a") == 401


async def test_an_id_token_says_what_the_scopes_allow_and_no_more(browser: Browser, app: Application) -> None:
    wish = '{"id_token": {"name": null, "roles": {"essential": true}}, "userinfo": {"name": null}}'
    bare = claims_of((await app.redeem(await browser.code(claims=wish))).json["id_token"])
    assert set(bare) == {
        "iss",
        "sub",
        "aud",
        "azp",
        "iat",
        "exp",
        "auth_time",
        "nonce",
        "acr",
        "amr",
        "sid",
        "at_hash",
    }
    assert bare["exp"] - bare["iat"] == 300
    full = claims_of((await app.redeem(await browser.code(scope="openid profile roles"))).json["id_token"])
    assert set(full) - set(bare) == {"name", "roles", "groups"}
    assert "c-301" not in str(full)
    assert "roster:" not in str(full)


async def test_a_claims_request_with_odd_contents_is_harmless(browser: Browser, app: Application) -> None:
    deep = '{"id_token":{"name":' + '{"$where":' * 200 + "1" + "}" * 200 + ',"roles":{"a.b":9e999999}}}'
    huge = '{"id_token":{"name":{"value":' + "9" * 400 + "}}}"
    for claims in (deep, huge, '{"userinfo":{"$ne":{}}}', "null", "[]", "1", '{"id_token":null}'):
        answer = await browser.ask(claims=claims, prompt="login")
        assert answer.status == 303, claims
        if "/sign-in?" in answer.location:
            code = (await browser.sign_in(answer)).said["code"]
            assert (await app.redeem(code)).status == 200, claims
        else:
            assert answer.said["error"] == "invalid_request"
    for claims in ("null", "[]", "1"):
        assert (await browser.ask(claims=claims)).said["error"] == "invalid_request", claims
