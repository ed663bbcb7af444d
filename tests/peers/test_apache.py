"""A school's web site on Apache, with Debian's mod_auth_openidc in front, signs people in at the hub."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import aiohttp
import pytest
import pytest_asyncio

from tests.peers.apache import apache
from tests.peers.conftest import SECRET, Abroad
from tests.peers.plain import asked, claims, redeemed
from tests.peers.town import NAME, Browser, Town

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(abroad: Abroad, hub: Town) -> AsyncIterator[str]:
    """The web site's address."""
    async with apache(abroad.apache[0], hub.issuer, "apache", SECRET) as log:
        yield f"http://127.0.0.1:{abroad.apache[0]}"
        said = await asyncio.to_thread(Path.read_text, log, "utf-8")
    assert "[auth_openidc:error]" not in said, said


async def test_the_officer_reads_the_inner_page_under_her_own_name(
    hub: Town, site: str, officer: Browser
) -> None:
    page = await officer.go(f"{site}/inside/who.shtml")
    assert page.url == f"{site}/inside/who.shtml"
    user, name, acr, audience = page.text.split("\n")[:4]
    assert user.endswith(f"@{hub.issuer}")
    assert (name, acr, audience) == (NAME, "urn:rongtong:acr:password", "apache")
    typed = officer.typed
    again = await officer.go(f"{site}/inside/who.shtml")
    assert again.text == page.text
    assert officer.typed == typed == 1


async def test_the_site_opens_its_rooms_by_role(hub: Town, site: str, officer: Browser) -> None:
    assert NAME in (await officer.go(f"{site}/inside/officers.shtml")).text
    refused = await officer.go(f"{site}/inside/teachers.shtml", stop=hub.issuer)
    assert refused.status == 401
    assert NAME not in refused.text


async def test_a_site_that_posts_its_request_and_wants_the_answer_posted_works_too(
    abroad: Abroad, hub: Town, officer: Browser
) -> None:
    more = "OIDCProviderAuthRequestMethod POST\nOIDCResponseMode form_post"
    async with apache(abroad.apache[1], hub.issuer, "apache", SECRET, more):
        page = await officer.go(f"http://127.0.0.1:{abroad.apache[1]}/inside/who.shtml")
    assert NAME in page.text


async def test_the_site_as_a_service_asks_the_hub_whose_token_it_was_shown(
    hub: Town, site: str, officer: Browser
) -> None:
    _, tokens, _ = await redeemed(hub, await asked(hub, officer))
    async with aiohttp.ClientSession() as client:
        seen = []
        for token in (tokens["access_token"], tokens["id_token"], "nothing"):
            headers = {"Authorization": f"Bearer {token}"}
            async with client.get(f"{site}/api/who.shtml", headers=headers) as answer:
                seen.append((answer.status, (await answer.text()).split("\n")[0]))
    assert seen[0] == (200, claims(tokens["id_token"])["sub"])
    assert [status for status, _ in seen[1:]] == [401, 401]


async def test_signing_out_on_the_site_signs_out_at_the_hub_and_comes_back(
    hub: Town, site: str, officer: Browser
) -> None:
    inner = f"{site}/inside/who.shtml"
    await officer.go(inner)
    back = quote(f"{site}/", safe="")
    landed = await officer.go(f"{site}/inside/redirect?logout={back}")
    assert (landed.url, landed.status) == (f"{site}/", 200)
    asked = await officer.go(inner, stop=f"{hub.issuer}/sign-in")
    assert asked.url.startswith(f"{hub.issuer}/sign-in")


async def test_signing_out_at_the_hub_ends_the_sites_session_over_the_back_channel(
    hub: Town, site: str, officer: Browser
) -> None:
    inner = f"{site}/inside/who.shtml"
    await officer.go(inner)
    assert (await officer.go(inner, stop=hub.issuer)).url == inner
    page = await officer.go(f"{hub.issuer}/oauth/logout")
    assert page.url.startswith(f"{hub.issuer}/signed-out")
    assert "未能通知" not in page.text, "the site was told, and took it"
    asked = await officer.go(inner, stop=hub.issuer)
    assert asked.url.startswith(f"{hub.issuer}/oauth/authorize")
