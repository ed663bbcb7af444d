"""Pushed requests: checked at once, good for one client, one browser, one answer, ninety seconds."""

from __future__ import annotations

from urllib.parse import urlencode

from hub.identity.store import MongoStore
from hub.mongo import Mongo
from tests.auth.provider.browsing import Application, Browser, request_object, signed, usual
from tests.auth.proving import Holder
from tests.fakes.provider import Provider


async def pushed(app: Application, client: str = "web", **params: str | None) -> str:
    form = {k: v for k, v in usual(client, **params).items() if k != "client_id" or client == "page"}
    answer = await app.post("/oauth/par", client, None, **{k: v for k, v in form.items() if k != "client_id"})
    assert answer.status == 201, answer.text
    assert answer.json["expires_in"] == 90
    uri: str = answer.json["request_uri"]
    assert uri.startswith("urn:ietf:params:oauth:request_uri:")
    return uri


def where(uri: str, client: str = "web", **more: str) -> str:
    return f"/oauth/authorize?{urlencode({'client_id': client, 'request_uri': uri, **more})}"


async def test_a_pushed_request_is_gone_on_with_once(browser: Browser, app: Application) -> None:
    uri = await pushed(app)
    sent = await browser.get(where(uri))
    back = await browser.sign_in(sent)
    assert back.said["state"] == "状态 1"
    assert (await app.redeem(back.said["code"])).status == 200
    assert (await browser.get(where(uri))).is_page("BAD_REQUEST")


async def test_a_pushed_request_of_which_two_tabs_are_open_is_answered_once(
    browser: Browser, app: Application
) -> None:
    uri = await pushed(app)
    one, other = await browser.get(where(uri)), await browser.get(where(uri))
    assert (await browser.sign_in(one)).said["code"]
    assert (await browser.sign_in(other)).is_page("INTERACTION_OVER")


async def test_another_browser_or_client_or_a_later_time_gets_nothing_of_it(
    browser: Browser, stranger: Browser, app: Application, gate: Provider
) -> None:
    uri, late = await pushed(app), await pushed(app)
    assert (await stranger.get(where(uri, "page"))).is_page("BAD_REQUEST")
    assert "/sign-in?" in (await browser.get(where(uri))).location
    assert (await stranger.get(where(uri))).is_page("BAD_REQUEST")
    assert "/sign-in?" in (await browser.get(where(uri))).location  # a reload
    gate.clock.ahead = 91
    assert (await browser.get(where(late))).is_page("BAD_REQUEST")


async def test_parameters_beside_a_pushed_request_count_for_nothing(
    browser: Browser, app: Application
) -> None:
    uri = await pushed(app, "pusher")
    more = {"redirect_uri": "https://evil.example", "scope": "everything", "state": "other", "prompt": "none"}
    back = await browser.sign_in(await browser.get(where(uri, "pusher", **more)))
    assert back.location.startswith("https://pusher.example/back?")
    assert back.said["state"] == "状态 1"


async def test_a_client_that_must_push_gets_nothing_plainly(browser: Browser) -> None:
    answer = await browser.ask("pusher")
    assert answer.said["error"] == "invalid_request"
    assert "code" not in answer.said


async def test_a_request_by_any_other_address_is_refused_and_never_fetched(
    browser: Browser, gate: Provider
) -> None:
    for uri in (
        "https://evil.example/r",
        "http://127.0.0.1:1/",
        "file:///etc/passwd",
        "urn:x",
        "data:,x",
        "地址",
    ):
        assert (await browser.get(where(uri))).is_page("BAD_REQUEST"), uri
        told = await browser.ask(request_uri=uri)
        assert told.said["error"] == "request_uri_not_supported"
        assert told.said["iss"] == gate.issuer
    for name in ("", "x", "{'$ne': ''}", "*"):
        uri = f"urn:ietf:params:oauth:request_uri:{name}"
        assert (await browser.get(where(uri))).is_page("BAD_REQUEST"), uri


async def test_what_is_wrong_is_told_when_it_is_pushed(app: Application) -> None:
    for params, error in (
        ({"redirect_uri": "https://evil.example"}, "invalid_request"),
        ({"redirect_uri": "https://应用.example"}, "invalid_request"),
        ({"redirect_uri": ""}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "everything"}, "invalid_scope"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"request_uri": "urn:ietf:params:oauth:request_uri:x"}, "invalid_request"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"client_id": "page"}, "invalid_client"),
        ({"request": "a.b.c"}, "invalid_request_object"),
    ):
        answer = await app.post("/oauth/par", "web", None, **(usual() | params))
        assert answer.json["error"] == error, params
        assert answer.status in (400, 401)
    assert (await app.send("POST", "/oauth/par", data=usual())).status == 401
    assert (await app.send("GET", "/oauth/par")).status == 405


async def test_a_public_client_may_push_as_well(browser: Browser, app: Application) -> None:
    answer = await app.post("/oauth/par", "page", None, **usual("page"))
    sent = await browser.get(where(answer.json["request_uri"], "page"))
    assert (await browser.sign_in(sent)).said["code"]


async def test_a_pushed_hint_says_whom_it_means_and_its_token_is_not_kept(
    browser: Browser, app: Application, mongo: Mongo
) -> None:
    hint = (await app.redeem(await browser.code())).json["id_token"]
    other = (await app.redeem(await browser.code("page"), "page")).json["id_token"]
    for token, answered in ((hint, "code"), (other, "error"), ("a.b.c", "error")):
        uri = await pushed(app, prompt="none", id_token_hint=token)
        found = await MongoStore(mongo).collection("auth_pushed").find({}, limit=10)
        assert token not in str(found)
        assert answered in (await browser.get(where(uri))).said, token


async def test_a_key_proven_when_pushing_is_the_one_the_code_is_bound_to(
    browser: Browser, app: Application, gate: Provider
) -> None:
    owner, url = Holder(), f"{gate.issuer}/oauth/par"
    answer = await app.post("/oauth/par", "web", {"DPoP": owner.proof("POST", url)}, **usual())
    code = (await browser.sign_in(await browser.get(where(answer.json["request_uri"])))).said["code"]
    assert (await app.redeem(code)).json["error"] == "invalid_grant"
    other = usual(dpop_jkt=Holder().thumbprint)
    mixed = await app.post("/oauth/par", "web", {"DPoP": owner.proof("POST", url)}, **other)
    assert mixed.json["error"] == "invalid_dpop_proof"


async def test_a_signed_request_may_be_pushed(browser: Browser, app: Application, gate: Provider) -> None:
    token = signed(request_object(gate.issuer, "strict"))
    plain = await app.post("/oauth/par", "strict", None, **usual("strict"))
    assert plain.json["error"] == "invalid_request"
    answer = await app.post("/oauth/par", "strict", request=token)
    assert answer.status == 201, answer.text
    back = await browser.sign_in(await browser.get(where(answer.json["request_uri"], "strict")))
    assert back.location.startswith("https://strict.example/back?code=")
