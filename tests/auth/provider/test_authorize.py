"""An application asks, a person signs in, and the application gets a code, as OpenID Connect says."""

from __future__ import annotations

import json

import pytest

from tests.auth.provider.browsing import Application, Browser, claims_of
from tests.fakes.provider import PUPIL, Provider


async def test_a_teacher_signs_in_and_the_application_gets_tokens(
    browser: Browser, app: Application, gate: Provider
) -> None:
    sent = await browser.ask(scope="openid profile roles graph")
    assert sent.status == 303
    back = await browser.sign_in(sent)
    assert back.status == 303
    assert back.location.startswith("https://app.example/back?")
    assert back.said == {"code": back.said["code"], "state": "状态 1", "iss": gate.issuer}
    answer = await app.redeem(back.said["code"])
    assert answer.status == 200, answer.text
    assert set(answer.json) == {
        "access_token",
        "token_type",
        "expires_in",
        "scope",
        "refresh_token",
        "id_token",
    }
    said = claims_of(answer.json["id_token"])
    assert said["iss"] == gate.issuer
    assert said["aud"] == said["azp"] == "web"
    assert said["nonce"] == "n-1"
    assert said["name"] == "教师甲"
    assert said["roles"] == [{"role": "TEACHER", "region": "371502", "school": "3137000001"}]
    assert said["amr"] == ["pwd"]
    assert len(said["sid"]) >= 16
    principal = gate.tokens.verify(answer.json["access_token"])
    assert principal.subject == said["sub"]
    assert principal.purposes == ("teaching",)
    assert principal.person_keys == ("roster:p-7",)
    assert principal.person not in answer.text


async def test_a_second_application_signs_in_silently_and_knows_the_person_by_another_name(
    browser: Browser, app: Application
) -> None:
    first = claims_of((await app.redeem(await browser.code())).json["id_token"])
    silent = await browser.ask("page", prompt="none")
    second = claims_of((await app.redeem(silent.said["code"], "page")).json["id_token"])
    assert first["sub"] != second["sub"]
    assert first["sid"] != second["sid"]
    assert first["auth_time"] == second["auth_time"]


WRONG: list[tuple[dict[str, str | None], str]] = [
    ({"response_type": "token"}, "unsupported_response_type"),
    ({"response_type": "code id_token"}, "unsupported_response_type"),
    ({"response_type": "码"}, "unsupported_response_type"),
    ({"response_type": None}, "unsupported_response_type"),
    ({"response_mode": "fragment"}, "invalid_request"),
    ({"scope": None}, "invalid_scope"),
    ({"scope": "openid 一切"}, "invalid_scope"),
    ({"scope": "openid email"}, "invalid_scope"),
    ({"scope": "openid " + "x" * 2000}, "invalid_request"),
    ({"prompt": "none login"}, "invalid_request"),
    ({"prompt": "create"}, "invalid_request"),
    ({"max_age": "-1"}, "invalid_request"),
    ({"max_age": "１２"}, "invalid_request"),
    ({"claims": "{"}, "invalid_request"),
    ({"claims": '{"id_token": []}'}, "invalid_request"),
    ({"claims": '{"id_token": ["acr"]}'}, "invalid_request"),
    ({"claims": '{"id_token": {"acr": {"value": {"$ne": ""}}}}'}, "invalid_request"),
    ({"claims": "[" * 4000}, "invalid_request"),
    ({"nonce": "n" * 5000}, "invalid_request"),
    ({"dpop_jkt": "../../etc"}, "invalid_request"),
    ({"registration": "{}"}, "registration_not_supported"),
]


async def test_a_request_that_is_wrong_is_told_to_the_client_with_state_and_issuer(
    browser: Browser, gate: Provider
) -> None:
    for params, error in WRONG:
        answer = await browser.ask(**params)
        assert answer.status == 303, params
        assert answer.location.startswith("https://app.example/back?"), params
        assert answer.said["error"] == error, params
        assert answer.said["state"] == "状态 1"
        assert answer.said["iss"] == gate.issuer


async def test_a_form_works_as_an_address_does(browser: Browser) -> None:
    from tests.auth.provider.browsing import usual

    sent = await browser.send("POST", "/oauth/authorize", data=usual())
    assert sent.status == 303
    assert (await browser.sign_in(await browser.get(sent.location))).said["code"]


async def test_form_post_carries_the_answer_in_a_form_that_may_only_go_to_the_client(
    browser: Browser, app: Application, gate: Provider
) -> None:
    page = await browser.signed_in(response_mode="form_post", state='"><script>alert(1)</script>')
    assert page.status == 200
    assert "form-action 'self' https://app.example;" in page.headers["Content-Security-Policy"]
    assert 'action="https://app.example/back"' in page.text
    assert "<script>alert" not in page.text
    assert f'name="iss" value="{gate.issuer}"' in page.text
    code = page.text.split('name="code" value="')[1].split('"')[0]
    assert (await app.redeem(code)).status == 200


async def test_an_error_travels_by_form_post_too(browser: Browser) -> None:
    page = await browser.ask(response_mode="form_post", prompt="none")
    assert page.status == 200
    assert 'name="error" value="login_required"' in page.text


async def test_nobody_signed_in_and_nobody_may_be_asked(browser: Browser) -> None:
    assert (await browser.ask(prompt="none")).said["error"] == "login_required"


@pytest.mark.parametrize("params", [{"prompt": "login"}, {"prompt": "select_account"}, {"max_age": "0"}])
async def test_a_person_who_is_signed_in_signs_in_again_when_the_application_wants_it(
    browser: Browser, params: dict[str, str]
) -> None:
    await browser.code()
    sent = await browser.ask(**params)
    assert "/sign-in?i=" in sent.location
    assert (await browser.sign_in(sent)).said["code"]


async def test_a_provider_that_did_not_really_ask_again_does_not_pass_for_prompt_login(
    browser: Browser,
) -> None:
    sent = await browser.ask(prompt="login")
    back = await browser.sign_in(sent, since="900")
    assert back.said["error"] == "login_required"


async def test_coming_back_without_signing_in_leads_to_sign_in_again(browser: Browser) -> None:
    sent = await browser.ask(prompt="login")
    again = await browser.get(sent.location.replace("/sign-in?", "/oauth/authorize/resume?"))
    assert again.location == sent.location


async def test_an_old_sign_on_does_for_those_who_do_not_mind(browser: Browser, gate: Provider) -> None:
    await browser.code()
    gate.clock.ahead = 3600
    assert (await browser.ask(prompt="none", max_age="4000")).said["code"]
    assert (await browser.ask(prompt="none", max_age="3000")).said["error"] == "login_required"


async def test_step_up_asks_for_a_stronger_proof_and_says_when_there_is_none(browser: Browser) -> None:
    strong = "urn:rongtong:acr:face-verified"
    await browser.code()
    assert (await browser.ask(prompt="none", acr_values=strong)).said["error"] == "interaction_required"
    sent = await browser.ask(acr_values=strong)
    assert (await browser.sign_in(sent)).said["error"] == "unmet_authentication_requirements"
    sent = await browser.ask(
        claims=json.dumps({"id_token": {"acr": {"essential": True, "values": [strong]}}})
    )
    assert (await browser.sign_in(sent, acr=strong)).said["code"]
    assert (await browser.ask(prompt="none", acr_values="urn:rongtong:acr:name-verified")).said["code"]


async def test_a_hint_at_another_person_does_not_let_this_one_pass(
    browser: Browser, stranger: Browser, app: Application
) -> None:
    mine = (await app.redeem(await browser.code())).json["id_token"]
    other = (await app.redeem(await stranger.code(who="officer"))).json["id_token"]
    assert (await browser.ask(prompt="none", id_token_hint=mine)).said["code"]
    assert (await browser.ask(prompt="none", id_token_hint=other)).said["error"] == "login_required"
    assert (await browser.ask(prompt="none", id_token_hint="a.b.c")).said["error"] == "login_required"
    sub = claims_of(other)["sub"]
    wanted = json.dumps({"id_token": {"sub": {"value": sub}}})
    assert (await browser.ask(prompt="none", claims=wanted)).said["error"] == "login_required"
    access = (await app.redeem(await browser.code())).json["access_token"]
    assert (await browser.ask(prompt="none", id_token_hint=access)).said["error"] == "login_required"


async def test_a_pupil_signs_in_only_where_minors_may_be_told_of(browser: Browser, app: Application) -> None:
    refused = await browser.signed_in("third", who=PUPIL)
    assert refused.said["error"] == "access_denied"
    answer = await app.redeem(await browser.code("web", who=PUPIL))
    assert answer.status == 200


async def test_a_third_party_asks_for_consent_once_and_again_when_it_wants_more(browser: Browser) -> None:
    sent = await browser.signed_in("third")
    assert "/consent?i=" in sent.location
    assert (await browser.ask("third", prompt="none")).said["error"] == "consent_required"
    assert (await browser.agree(sent)).said["code"]
    assert (await browser.ask("third", prompt="none")).said["code"]
    assert (await browser.ask("third", prompt="none", scope="openid profile")).said[
        "error"
    ] == "consent_required"
    again = await browser.ask("third", prompt="consent")
    assert (await browser.agree(again, "deny")).said["error"] == "access_denied"


async def test_consent_after_prompt_login_does_not_ask_for_sign_in_twice(browser: Browser) -> None:
    sent = await browser.signed_in("third", prompt="login consent")
    assert (await browser.agree(sent)).said["code"]


async def test_what_one_person_agreed_to_does_not_count_for_whoever_signs_in_next(browser: Browser) -> None:
    sent = await browser.signed_in("third")
    agreed = await browser.agree(sent, onward=False)
    other = await browser.ask("web", prompt="login")
    await browser.sign_in(other, "officer")
    asked_anew = await browser.get(agreed.location)
    assert "/consent?i=" in asked_anew.location
    assert asked_anew.location != sent.location


async def test_a_request_is_gone_on_with_only_in_its_own_browser_and_only_once(
    browser: Browser, stranger: Browser
) -> None:
    sent = await browser.ask()
    resume = sent.location.replace("/sign-in?", "/oauth/authorize/resume?")
    await stranger.code(who="officer")
    assert (await stranger.get(resume)).is_page("INTERACTION_OVER")
    assert (await browser.sign_in(sent)).said["code"]
    assert (await browser.get(resume)).is_page("INTERACTION_OVER")


async def test_a_made_up_request_is_a_page(browser: Browser) -> None:
    await browser.ask()
    for name in ("", "x", "{'$ne': ''}", "%00", "一" * 100, "a" * 9000):
        page = await browser.get("/oauth/authorize/resume", params={"i": name})
        assert page.is_page("INTERACTION_OVER"), name


async def test_an_application_that_lost_its_address_meanwhile_gets_nothing(
    browser: Browser, gate: Provider
) -> None:
    sent = await browser.ask("pusher", request_uri=None)
    assert sent.said["error"] == "invalid_request"  # it must push
    sent = await browser.ask("web")
    gate.clients._configured["web"] = gate.clients._configured["page"]
    back = await browser.sign_in(sent)
    assert back.is_page("BAD_REDIRECT_URI")


async def test_language_of_pages_follows_the_request(browser: Browser) -> None:
    page = await browser.signed_in(response_mode="form_post", ui_locales="en")
    assert "School office" in page.text
