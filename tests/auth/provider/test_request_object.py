"""Signed requests by value: only what the client signed counts, once, and only with its own keys."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlencode

from joserfc.jwk import ECKey

from tests.auth.provider.browsing import KEY, Answer, Application, Browser, request_object, signed, usual
from tests.auth.provider.test_client_auth import forged
from tests.fakes.provider import Provider


async def ask(browser: Browser, token: str, client: str = "signer", **more: str) -> Answer:
    query = urlencode({"client_id": client, "request": token, **more})
    return await browser.get(f"/oauth/authorize?{query}")


async def test_a_signed_request_counts_and_what_stands_beside_it_does_not(
    browser: Browser, gate: Provider
) -> None:
    token = signed(request_object(gate.issuer, max_age=100, claims={"id_token": {"name": None}}))
    sent = await ask(browser, token, redirect_uri="https://evil.example", scope="x", state="other")
    back = await browser.sign_in(sent)
    assert back.location.startswith("https://signer.example/back?code=")
    assert back.said["state"] == "状态 1"


async def test_a_signed_request_counts_once(browser: Browser, gate: Provider) -> None:
    token = signed(request_object(gate.issuer))
    assert "/sign-in?" in (await ask(browser, token)).location
    assert (await ask(browser, token)).is_page("BAD_REQUEST")


async def test_signed_requests_that_are_wrong_are_pages(browser: Browser, gate: Provider) -> None:
    now = int(time.time())
    wrong: tuple[dict[str, Any], ...] = (
        {"iss": "web"}, {"iss": None}, {"aud": "https://evil.example"}, {"aud": None},
        {"aud": [gate.issuer, "x"]},
        {"exp": now - 60}, {"exp": None}, {"exp": now + 100_000}, {"nbf": now + 600}, {"jti": None},
        {"client_id": "web"}, {"sub": "signer"}, {"request": "a.b.c"},
        {"request_uri": "https://evil.example"},
        {"redirect_uri": ["https://signer.example/back"]}, {"scope": {"$ne": ""}}, {"state": 1},
        {"max_age": True},
        {"state": "x" * 5000}, {"nonce": "a\0b"},
    )  # fmt: skip
    for claims in wrong:
        answer = await ask(browser, signed(request_object(gate.issuer, **claims)))
        assert answer.is_page("BAD_REQUEST"), claims


async def test_a_signed_request_to_an_address_that_is_not_registered_is_a_page(
    browser: Browser, gate: Provider
) -> None:
    token = signed(request_object(gate.issuer, redirect_uri="https://evil.example/back"))
    assert (await ask(browser, token)).is_page("BAD_REDIRECT_URI")
    token = signed(request_object(gate.issuer, redirect_uri=None))
    assert (await ask(browser, token)).is_page("BAD_REDIRECT_URI")


async def test_algorithm_confusion_and_foreign_keys_are_pages(browser: Browser, gate: Provider) -> None:
    claims, evil = request_object(gate.issuer), ECKey.generate_key("P-256")
    for header in (
        {"alg": "none"}, {"alg": "HS256"}, {"alg": ["ES256"]}, {"kid": None}, {"kid": "k9"}, {"kid": "k2"},
        {"typ": "at+jwt"}, {"jwk": evil.as_dict(private=False)}, {"jku": "https://evil.example"},
        {"x5u": "https://evil.example"}, {"crit": ["exp"]},
    ):  # fmt: skip
        assert (await ask(browser, forged(header, claims, KEY))).is_page("BAD_REQUEST"), header
    assert (await ask(browser, signed(claims, evil))).is_page("BAD_REQUEST")
    head, body, _ = signed(claims).split(".")
    for token in (f"{head}.{body}.", "a.b.c", "x", "签.名.。", "x" * 18_000):
        assert (await ask(browser, token)).is_page("BAD_REQUEST")


async def test_a_client_without_keys_signs_nothing(browser: Browser, gate: Provider) -> None:
    token = signed(request_object(gate.issuer, "web"))
    assert (await ask(browser, token, "web")).is_page("BAD_REQUEST")


async def test_an_access_token_or_a_client_assertion_is_no_signed_request(
    browser: Browser, app: Application, gate: Provider
) -> None:
    from tests.auth.provider.browsing import assertion

    assert (await ask(browser, signed(assertion(gate.issuer)))).is_page("BAD_REQUEST")
    token = (await app.redeem(await browser.code())).json["access_token"]
    assert (await ask(browser, token)).is_page("BAD_REQUEST")


async def test_a_signed_request_is_no_client_assertion(app: Application, gate: Provider) -> None:
    answer = await app.send(
        "POST", "/oauth/token",
        data={
            "grant_type": "client_credentials", "client_id": "signer",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": signed(request_object(gate.issuer)),
        },
    )  # fmt: skip
    assert answer.status == 401


async def test_a_client_that_must_sign_gets_nothing_plainly(browser: Browser) -> None:
    assert (await browser.ask("strict")).said["error"] == "invalid_request"


async def test_a_broken_request_is_told_to_a_registered_address_that_stands_plainly_beside_it(
    browser: Browser, gate: Provider
) -> None:
    answer = await ask(browser, "a.b.c", **{k: v for k, v in usual("signer").items() if k != "client_id"})
    assert answer.said["error"] == "invalid_request_object"
    assert answer.said["iss"] == gate.issuer
