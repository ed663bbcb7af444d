"""A provider says that a sign-on ended there: ours ends too, and nobody else's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from urllib.parse import quote

import aiohttp
import pytest

from auth.broker.upstream import UpstreamLogout, UpstreamRefused
from auth.documents import UpstreamSession
from auth.ports import Assertion
from auth.settings import UpstreamSettings
from hub.identity.store import MongoStore
from hub.mongo import Mongo
from tests.auth.leaving import working
from tests.connectors.sandbox.browser import Browser
from tests.fakes.middle import Middle, middle
from tests.fakes.recorded import said

# --- a provider's own word ---


async def told(hub: Middle, code: str, **form: str) -> int:
    url = f"{hub.url}/sign-in/{code}/backchannel-logout"
    async with aiohttp.ClientSession() as http, http.post(url, data=form) as answer:
        assert answer.headers["Cache-Control"] == "no-store"
        return answer.status


async def test_signing_out_at_the_county_signs_out_here_and_at_the_applications(
    hub: Middle, teacher: Browser
) -> None:
    await hub.enter(teacher)
    _, refresh = await hub.use(teacher, "gradebook")
    async with aiohttp.ClientSession() as http, http.delete(f"{hub.county.url}/_passport/sessions") as answer:
        (notice,) = (await answer.json())["notices"]
    assert notice["status"] == 200
    assert await hub.who(teacher) == {}
    assert await hub.families.find(refresh) is None
    async with working(hub.endings):
        await asyncio.wait_for(hub.application.came.wait(), 10)
    assert len(hub.application.heard) == 1


class Provider:
    """A provider whose notices a story writes itself; verified, as far as the endpoint is concerned."""

    def __init__(self, code: str, issuer: str) -> None:
        self.settings = UpstreamSettings(
            code=code, kind="cas", name=code, level="CITY", region="", issuer=issuer
        )
        self.claims_to_be = issuer

    async def begin(self, callback: str, state: str, **wishes: object) -> tuple[str, dict[str, str]]:
        raise UpstreamRefused("unavailable", status=503)

    async def finish(
        self, callback: str, state: str, query: Mapping[str, str], kept: Mapping[str, str]
    ) -> Assertion:
        raise UpstreamRefused("unavailable", status=503)

    async def logout_url(self, session: UpstreamSession, back: str, state: str) -> str | None:
        return f"https://cas.test/logout?service={quote(back)}&state={state}"

    async def logged_out(self, form: Mapping[str, str]) -> UpstreamLogout:
        if "logoutRequest" not in form:
            raise UpstreamRefused("no-logout-request")
        sub, _, sid = form["logoutRequest"].partition("/")
        return UpstreamLogout(self.claims_to_be, sub, sid, form.get("jti", ""))


@pytest.fixture
async def city(mongo: Mongo, tmp_path: Path) -> AsyncIterator[tuple[Middle, Provider]]:
    provider = Provider("city", "https://cas.city.example")
    async with middle(MongoStore(mongo), tmp_path, more={"city": provider}) as found:
        yield found, provider


async def here(
    hub: Middle, sub: str, sid: str, upstream: str = "city", iss: str = "https://cas.city.example"
) -> str:
    session, _ = await hub.sessions.sign_in(
        None, "mark", f"person of {sub}", said(sub, iss, upstream=upstream, sid=sid)
    )
    return session.id


async def test_a_notice_with_a_session_ends_that_one_only(city: tuple[Middle, Provider]) -> None:
    hub, _ = city
    one, two = await here(hub, "7", "ST-1"), await here(hub, "7", "ST-2")
    assert await told(hub, "city", logoutRequest="/ST-1") == 200
    assert await hub.sessions.get(one) is None
    assert await hub.sessions.get(two) is not None


async def test_a_notice_without_a_session_ends_all_of_the_account(city: tuple[Middle, Provider]) -> None:
    hub, _ = city
    mine = [await here(hub, "7", f"ST-{number}") for number in range(3)]
    other = await here(hub, "8", "ST-9")
    assert await told(hub, "city", logoutRequest="7/") == 200
    assert [await hub.sessions.get(each) for each in mine] == [None] * 3
    assert await hub.sessions.get(other) is not None


async def test_a_foreign_provider_ends_nobody_elses_session(city: tuple[Middle, Provider]) -> None:
    hub, provider = city
    at_county = await here(hub, "7", "ST-1", "county", hub.county.url)
    assert await told(hub, "city", logoutRequest="7/ST-1") == 200, "there is nothing of its own to end"
    provider.claims_to_be = hub.county.url
    assert await told(hub, "city", logoutRequest="7/ST-1") == 400
    same_issuer_other_code = await here(hub, "7", "ST-1", "imposter", "https://cas.city.example")
    provider.claims_to_be = "https://cas.city.example"
    assert await told(hub, "city", logoutRequest="7/ST-1") == 200
    for each in (at_county, same_issuer_other_code):
        assert await hub.sessions.get(each) is not None


async def test_a_replayed_notice_has_no_effect(city: tuple[Middle, Provider]) -> None:
    hub, _ = city
    await here(hub, "7", "ST-1")
    assert await told(hub, "city", logoutRequest="7/", jti="once") == 200
    later = await here(hub, "7", "ST-2")
    assert await told(hub, "city", logoutRequest="7/", jti="once") == 200
    assert await hub.sessions.get(later) is not None


async def test_garbage_is_refused(city: tuple[Middle, Provider]) -> None:
    hub, _ = city
    await here(hub, "7", "ST-1")
    assert await told(hub, "city", logoutRequest="/") == 400, "a notice that names nobody"
    assert await told(hub, "city", other="x") == 400
    for token in ("", "a.b.c", "x" * 60_000, '{"$ne": 1}'):
        assert await told(hub, "county", logout_token=token) == 400
    assert await told(hub, "nobody", logout_token="x") == 404
    async with aiohttp.ClientSession() as http:
        url = f"{hub.url}/sign-in/county/backchannel-logout"
        async with http.post(url, json={"logout_token": "x"}) as answer:
            assert answer.status == 415
        async with http.post(url, data={"logout_token": "x" * 70_000}) as answer:
            assert answer.status == 413
