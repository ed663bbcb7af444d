"""Which pages of other origins may read the hub's answers in a browser: registered applications' alone."""

from __future__ import annotations

import aiohttp
import pytest

from tests.peers.conftest import BACK, PAGE
from tests.peers.town import Town

pytestmark = pytest.mark.asyncio(loop_scope="session")

SERVER = BACK.removesuffix("/back")
STRANGERS = ("https://evil.test", "https://page.test.evil.test", "http://page.test", "null", SERVER)
PUBLIC = ("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/oauth/jwks")
POSTED = ("/oauth/token", "/oauth/par", "/oauth/revoke", "/oauth/device_authorization")
BROWSERS = ("/oauth/authorize", "/sign-in", "/consent", "/oauth/logout", "/account", "/oauth/introspect")


async def asked(hub: Town, method: str, path: str, origin: str, **more: str) -> tuple[int, dict[str, str]]:
    """Status and headers, lower-cased, of what a browser is answered for a page of this origin."""
    headers = {"Origin": origin, **{name.replace("_", "-"): value for name, value in more.items()}}
    form = {"grant_type": "authorization_code"} if method == "POST" else None
    async with (
        aiohttp.ClientSession() as client,
        client.request(
            method, hub.issuer + path, headers=headers, data=form, allow_redirects=False
        ) as answer,
    ):
        return answer.status, {name.lower(): value for name, value in answer.headers.items()}


async def test_the_registered_page_reads_tokens_userinfo_keys_and_metadata(hub: Town) -> None:
    for method, paths in (("POST", POSTED), ("GET", (*PUBLIC, "/oauth/userinfo"))):
        for path in paths:
            _, headers = await asked(hub, method, path, PAGE)
            assert headers["access-control-allow-origin"] in (PAGE, "*"), path
            assert "access-control-allow-credentials" not in headers
    _, headers = await asked(hub, "GET", "/oauth/userinfo", PAGE)
    assert "WWW-Authenticate" in headers["access-control-expose-headers"]
    assert "Origin" in headers["vary"]


async def test_its_browser_may_ask_beforehand_for_what_dpop_and_tokens_need(hub: Town) -> None:
    for path in ("/oauth/token", "/oauth/userinfo", "/graphql"):
        status, headers = await asked(
            hub, "OPTIONS", path, PAGE,
            Access_Control_Request_Method="POST",
            Access_Control_Request_Headers="authorization,content-type,dpop",
        )  # fmt: skip
        allowed = {word.strip().lower() for word in headers["access-control-allow-headers"].split(",")}
        assert status == 204
        assert headers["access-control-allow-origin"] == PAGE
        assert {"authorization", "content-type", "dpop"} <= allowed


@pytest.mark.parametrize("origin", STRANGERS)
async def test_a_page_of_any_other_origin_reads_nothing_but_what_is_public(hub: Town, origin: str) -> None:
    for path in (*POSTED, "/oauth/userinfo", "/graphql"):
        method = "GET" if path == "/oauth/userinfo" else "POST"
        _, headers = await asked(hub, method, path, origin)
        assert "access-control-allow-origin" not in headers, path
        _, headers = await asked(hub, "OPTIONS", path, origin, Access_Control_Request_Method="POST")
        assert "access-control-allow-origin" not in headers, path
    for path in PUBLIC:
        _, headers = await asked(hub, "GET", path, origin)
        assert headers["access-control-allow-origin"] == "*"


async def test_pages_for_people_and_servers_answer_no_other_origin_at_all(hub: Town) -> None:
    for path in BROWSERS:
        for method in ("GET", "OPTIONS"):
            _, headers = await asked(hub, method, path, PAGE, Access_Control_Request_Method="GET")
            assert "access-control-allow-origin" not in headers, path
