"""A code: used once, by its client, with its key, within its minute; a second use takes everything back."""

from __future__ import annotations

from functools import partial

from tests.auth.provider.browsing import Application, Browser, claims_of
from tests.auth.proving import Holder
from tests.fakes.provider import Provider


async def test_a_code_that_is_used_again_takes_back_what_came_from_it(
    browser: Browser, app: Application, gate: Provider
) -> None:
    code = await browser.code()
    first = await app.redeem(code)
    assert first.status == 200
    second = await app.redeem(code)
    assert (second.status, second.json["error"]) == (400, "invalid_grant")
    refreshed = await app.refresh(first.json["refresh_token"])
    assert (refreshed.status, refreshed.json["error"]) == (400, "invalid_grant")
    assert not await gate.families.active(gate.tokens.opened(first.json["access_token"]).family)
    assert "code.replayed" in gate.audit.named()


async def test_a_code_is_good_for_a_minute_and_a_late_second_use_still_revokes(
    browser: Browser, app: Application, gate: Provider
) -> None:
    late = await browser.code()
    used = await browser.code()
    tokens = (await app.redeem(used)).json
    gate.clock.ahead = 61
    assert (await app.redeem(late)).json["error"] == "invalid_grant"
    assert (await app.redeem(used)).json["error"] == "invalid_grant"
    assert (await app.refresh(tokens["refresh_token"])).json["error"] == "invalid_grant"


async def test_another_client_can_neither_use_a_code_nor_burn_it(browser: Browser, app: Application) -> None:
    code = await browser.code()
    for thief in ("third", "page", "legacy"):
        stolen = await app.redeem(code, thief)
        assert (stolen.status, stolen.json["error"]) == (400, "invalid_grant")
    assert (await app.redeem(code, "page", redirect_uri="https://app.example/back")).status == 400
    assert (await app.redeem(code)).status == 200


async def test_a_wrong_verifier_address_or_key_does_not_burn_a_code(
    browser: Browser, app: Application, gate: Provider
) -> None:
    code = await browser.code()
    for wrong in (
        {"code_verifier": "w" * 43}, {"code_verifier": ""}, {"code_verifier": "v" * 42},
        {"code_verifier": "量" * 43}, {"code_verifier": "v" * 43 + "\n"}, {"redirect_uri": ""},
        {"redirect_uri": "https://app.example/back/"}, {"redirect_uri": "https://应用.example"},
    ):  # fmt: skip
        refused = await app.redeem(code, **wrong)
        assert refused.status == 400, wrong
        assert refused.json["error"] in ("invalid_grant", "invalid_request"), wrong
    assert (await app.redeem(code)).status == 200


async def test_pkce_cannot_be_left_out_or_weakened(browser: Browser) -> None:
    plain: tuple[dict[str, str | None], ...] = (
        {"code_challenge": None}, {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge_method": None}, {"code_challenge_method": "plain"},
        {"code_challenge_method": "s256"},
        {"code_challenge": "v" * 44}, {"code_challenge": "v" * 42}, {"code_challenge": "量" * 43},
        {"code_challenge": "v" * 43 + "\n"},
    )  # fmt: skip
    for params in plain:
        assert (await browser.ask(**params)).said["error"] == "invalid_request", params


async def test_a_legacy_client_may_do_without_pkce_but_not_half(browser: Browser, app: Application) -> None:
    code = await browser.code("legacy", code_challenge=None, code_challenge_method=None)
    injected = await app.redeem(code, "legacy")  # RFC 9700 §4.8: a verifier where there was no challenge
    assert injected.json["error"] == "invalid_request"
    answer = await app.redeem(code, "legacy", code_verifier="")
    assert answer.status == 200
    assert "refresh_token" not in answer.json
    code = await browser.code("legacy")
    assert (await app.redeem(code, "legacy", code_verifier="")).json["error"] == "invalid_request"
    plain = await browser.ask("legacy", code_challenge_method="plain")
    assert plain.said["error"] == "invalid_request"


async def test_id_tokens_are_signed_as_the_client_needs_it(browser: Browser, app: Application) -> None:
    answer = await app.redeem(await browser.code("legacy"), "legacy")
    header = answer.json["id_token"].split(".")[0]
    assert claims_of(f".{header}.")["alg"] == "RS256"


async def test_without_openid_there_is_no_id_token(browser: Browser, app: Application) -> None:
    answer = await app.redeem(await browser.code(scope="graph"))
    assert "id_token" not in answer.json
    assert answer.json["scope"] == "graph"


async def test_a_code_of_a_session_that_has_ended_gives_nothing(
    browser: Browser, app: Application, gate: Provider
) -> None:
    sent = await browser.ask()
    at_door = await browser.get(f"{sent.location}&as=county-teacher")
    code = (await browser.get(at_door.location)).said["code"]
    await gate.sessions.end(at_door.headers["X-Session"])
    assert (await app.redeem(code)).json["error"] == "invalid_grant"


async def test_a_code_goes_with_the_consent_the_person_or_the_session_it_rests_on(
    browser: Browser, app: Application, gate: Provider
) -> None:
    principal = gate.tokens.verify((await app.redeem(await browser.code())).json["access_token"])
    person, session = principal.person, principal.session
    for revoke in (
        partial(gate.families.revoke_client_of, person, "web"),
        partial(gate.families.revoke_person, person),
        partial(gate.families.revoke_session, session),
    ):
        code = await browser.code(scope="openid offline_access")
        await revoke()
        assert (await app.redeem(code)).json["error"] == "invalid_grant"
    code = await browser.code(scope="openid offline_access")
    await gate.families.revoke_client_of(person, "page")
    assert (await app.redeem(code)).status == 200


async def test_a_code_bound_to_a_key_is_good_with_that_key_only(
    browser: Browser, app: Application, gate: Provider
) -> None:
    owner, thief = Holder(), Holder()
    url = f"{gate.issuer}/oauth/token"
    code = await browser.code(dpop_jkt=owner.thumbprint)
    usual = {"grant_type": "authorization_code", "code": code, "redirect_uri": "https://app.example/back",
             "code_verifier": "v" * 43}  # fmt: skip
    assert (await app.token(**usual)).json["error"] == "invalid_grant"
    stolen = await app.post("/oauth/token", "web", {"DPoP": thief.proof("POST", url)}, **usual)
    assert stolen.json["error"] == "invalid_grant"
    answer = await app.post("/oauth/token", "web", {"DPoP": owner.proof("POST", url)}, **usual)
    assert answer.json["token_type"] == "DPoP"
    assert gate.tokens.verify(answer.json["access_token"]).jkt == owner.thumbprint
    bad = await app.post("/oauth/token", "web", {"DPoP": "x"}, **usual)
    assert (bad.status, bad.json["error"]) == (400, "invalid_dpop_proof")


async def test_a_client_that_must_prove_its_key_gets_nothing_without_and_its_refresh_tokens_are_bound(
    browser: Browser, app: Application, gate: Provider
) -> None:
    owner, thief = Holder(), Holder()
    url = f"{gate.issuer}/oauth/token"
    code = await browser.code("bound")
    refused = await app.redeem(code, "bound")
    assert (refused.status, refused.json["error"]) == (400, "invalid_dpop_proof")
    answer = await app.post(
        "/oauth/token", "bound", {"DPoP": owner.proof("POST", url)}, grant_type="authorization_code",
        code=code, redirect_uri="https://bound.example/back", code_verifier="v" * 43,
    )  # fmt: skip
    token = answer.json["refresh_token"]
    refresh = {"grant_type": "refresh_token", "refresh_token": token}
    stolen = await app.post("/oauth/token", "bound", {"DPoP": thief.proof("POST", url)}, **refresh)
    assert stolen.json["error"] == "invalid_grant"
    good = await app.post("/oauth/token", "bound", {"DPoP": owner.proof("POST", url)}, **refresh)
    assert good.status == 200
    # Also the used token, shown by a thief without the key, burns nothing.
    again = await app.post("/oauth/token", "bound", {"DPoP": thief.proof("POST", url)}, **refresh)
    assert again.json["error"] == "invalid_grant"
    refresh["refresh_token"] = good.json["refresh_token"]
    assert (
        await app.post("/oauth/token", "bound", {"DPoP": owner.proof("POST", url)}, **refresh)
    ).status == 200


async def test_malformed_token_requests_are_400_and_never_500(app: Application) -> None:
    for form in (
        {}, {"grant_type": "password"}, {"grant_type": "密码"}, {"grant_type": 'x"\\'},
        {"grant_type": "authorization_code"}, {"grant_type": "refresh_token"},
        {"grant_type": "authorization_code", "code": "码" * 30},
        {"grant_type": "authorization_code", "code": "x"},
        {"grant_type": "authorization_code", "code": "{'$ne': ''}" * 5},
        {"grant_type": "refresh_token", "refresh_token": "票.据"},
        {"grant_type": "refresh_token", "refresh_token": "x" * 20000},
        {"grant_type": "authorization_code", "code[$ne]": "x"},
    ):  # fmt: skip
        answer = await app.token(**form)
        assert answer.status == 400, form
        assert answer.json["error_description"].isascii() if "error_description" in answer.json else True
    twice = await app.send(
        "POST", "/oauth/token", data=b"grant_type=authorization_code&grant_type=refresh_token&client_id=page",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )  # fmt: skip
    assert (twice.status, twice.json["error"]) == (400, "invalid_request")
    assert (await app.send("POST", "/oauth/token", json={"grant_type": "x"})).status == 415
    assert (await app.send("GET", "/oauth/token")).status == 405
    large = await app.send("POST", "/oauth/token", data={"x": "y" * 100_000})
    assert large.status == 413
