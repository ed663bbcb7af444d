"""Tricks with addresses: an error page, never a redirect; and nothing of the request decides who we are."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from tests.auth.provider.browsing import BACK, Application, Browser, usual
from tests.fakes.provider import Provider

TRICKS = (
    f"{BACK}/", f"{BACK}/evil", f"{BACK}?x=1", f"{BACK}#x", BACK.upper(), "https://app.example", "https://app.example/",
    "https://app.example@evil.example/back", "https://app.example:443/back", "https://app.example.evil.example/back",
    "https://app.example/%62ack", "https://app.example//back", "https://app.example/x/../back",
    "https://app.example\\\\@evil.example/back", "http://app.example/back", "//app.example/back", "/back",
    "javascript:alert(1)//https://app.example/back", "data:text/html,x", f" {BACK}", f"{BACK} ", f"{BACK}\\t",
    f"{BACK}%00", "https://应用.example/back", f"{BACK}\\r\\nSet-Cookie: a=b", "{'$ne': ''}", "*", "",
)  # fmt: skip


async def test_an_address_that_is_not_registered_to_the_letter_gets_nothing(browser: Browser) -> None:
    for trick in TRICKS:
        uri = trick.encode().decode("unicode_escape") if "\\" in trick else trick
        answer = await browser.ask(redirect_uri=uri)
        assert answer.is_page("BAD_REDIRECT_URI"), trick
        assert "evil" not in str(answer.headers), trick


async def test_no_address_gets_nothing(browser: Browser) -> None:
    assert (await browser.ask(redirect_uri=None)).is_page("BAD_REDIRECT_URI")


async def test_an_address_that_has_a_query_of_its_own_keeps_it(browser: Browser) -> None:
    back = await browser.signed_in(redirect_uri="https://app.example/back?tenant=1")
    assert back.location.startswith("https://app.example/back?tenant=1&code=")


async def test_a_client_that_nobody_knows_gets_nothing(browser: Browser) -> None:
    for client in ("", "nobody", "{'$ne': ''}", "客户端", "x" * 3000, "https://unknown.example"):
        answer = await browser.get(f"/oauth/authorize?{urlencode(usual('web') | {'client_id': client})}")
        assert answer.is_page("UNKNOWN_CLIENT"), client


async def test_a_parameter_given_twice_is_a_page(browser: Browser) -> None:
    for name in ("client_id", "redirect_uri", "state", "scope", "code_challenge", "nonce"):
        for value in ("x", usual()[name]):
            answer = await browser.get(f"/oauth/authorize?{urlencode(usual())}&{urlencode({name: value})}")
            assert answer.is_page("DUPLICATE_PARAMETER"), (name, value)


async def test_a_query_that_cannot_be_read_is_a_page(browser: Browser) -> None:
    for query in ("%FF=1", "client_id=%C3%28", "&".join(f"a{n}=1" for n in range(100))):
        assert (await browser.get(f"/oauth/authorize?{query}")).is_page("BAD_FORM"), query


async def test_operators_in_brackets_are_parameters_that_nobody_knows(browser: Browser) -> None:
    query = urlencode({**usual(), "client_id[$ne]": "x", "redirect_uri[$regex]": ".*"})
    assert "/sign-in?i=" in (await browser.get(f"/oauth/authorize?{query}")).location
    query = urlencode({"client_id[$ne]": "x", "redirect_uri[$ne]": "x", "response_type": "code"})
    assert (await browser.get(f"/oauth/authorize?{query}")).is_page("UNKNOWN_CLIENT")


HOSTS = (
    {"Host": "evil.example"},
    {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "Forwarded": "host=evil.example"},
)


@pytest.mark.parametrize("headers", HOSTS)
async def test_another_host_in_the_request_changes_no_address_and_no_issuer(
    browser: Browser, app: Application, gate: Provider, headers: dict[str, str]
) -> None:
    sent = await browser.get(f"/oauth/authorize?{urlencode(usual())}", headers=headers)
    assert sent.location.startswith(f"{gate.issuer}/sign-in?i=")
    refused = await browser.get(f"/oauth/authorize?{urlencode(usual(prompt='none'))}", headers=headers)
    assert refused.said["iss"] == gate.issuer
    code = (await browser.sign_in(sent)).said["code"]
    answer = await app.post(
        "/oauth/token", "web", headers, grant_type="authorization_code", code=code, redirect_uri=BACK,
        code_verifier="v" * 43,
    )  # fmt: skip
    assert answer.status == 200
    assert gate.tokens.verify(answer.json["access_token"]).issuer == gate.issuer
    page = await browser.get("/oauth/authorize?client_id=x", headers=headers)
    assert "evil.example" not in page.text


async def test_a_posted_request_of_another_site_does_not_take_the_browsers_mark_away(
    browser: Browser, stranger: Browser
) -> None:
    sent = await browser.ask()
    cross_site = await stranger.send("POST", "/oauth/authorize", data=usual())
    assert "Set-Cookie" not in cross_site.headers
    assert (await browser.sign_in(sent)).said["code"]
    assert (await browser.send("POST", "/oauth/authorize", data=usual(state="x" * 20000))).status == 413
    assert (await browser.send("POST", "/oauth/authorize", json={})).status == 415
