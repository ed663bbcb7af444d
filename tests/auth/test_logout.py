"""Signing out once: the applications hear it, the providers end theirs, and nobody else can do it for you."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import aiohttp
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from auth.broker.upstream import UpstreamLogout, UpstreamRefused
from auth.documents import UpstreamSession
from auth.ending import notices
from auth.ending.endings import Endings
from auth.ending.notices import EVENT, Notices
from auth.errors import StoreDown
from auth.ports import Assertion
from auth.settings import UpstreamSettings
from hub.embedded import EmbeddedMongo
from hub.identity.fetch import HttpFetch
from hub.identity.store import MongoStore
from hub.mongo import Mongo
from tests.connectors.sandbox.browser import Browser, Seen
from tests.fakes.middle import Middle, follow, middle, token_on
from tests.fakes.recorded import said

BYE = "https://app.test/bye"


@pytest.fixture
async def hub(mongo: Mongo, tmp_path: Path) -> AsyncIterator[Middle]:
    async with middle(MongoStore(mongo), tmp_path) as found:
        yield found


@pytest.fixture
async def teacher() -> AsyncIterator[Browser]:
    async with Browser() as found:
        yield found


@pytest.fixture
async def stranger() -> AsyncIterator[Browser]:
    async with Browser() as found:
        yield found


async def leave(hub: Middle, browser: Browser, **query: str) -> Seen:
    return await browser.open(f"{hub.url}/oauth/logout?{urlencode(query)}")


def claims(hub: Middle, token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """(header, claims) of a logout token, its signature checked by what the hub publishes."""
    found = jwt.decode(
        token, KeySet.import_key_set(cast(Any, hub.ring.public())), algorithms=["ES256", "RS256"]
    )
    return dict(found.header), dict(found.claims)


async def outbox(hub: Middle) -> list[dict[str, Any]]:
    return await hub.store.collection(notices.COLLECTION).find({}, limit=100)


async def signed_in_at(twin_url: str) -> int:
    async with aiohttp.ClientSession() as http, http.get(f"{twin_url}/_passport/sessions") as answer:
        return int((await answer.json())["count"])


@asynccontextmanager
async def working(endings: Endings) -> AsyncIterator[None]:
    """With the worker running, as the hub runs it."""
    task = asyncio.create_task(endings.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


# --- everywhere at once ---


async def test_signing_out_once_ends_the_session_its_tokens_and_the_providers_own(
    hub: Middle, teacher: Browser
) -> None:
    await hub.enter(teacher)
    id_token, refresh = await hub.use(teacher, "gradebook")
    assert await signed_in_at(hub.county.url) == 1
    seen = await leave(hub, teacher, id_token_hint=id_token, post_logout_redirect_uri=BYE, state="s&1")
    assert seen.to == f"{hub.county.url}/logout"
    assert await hub.who(teacher) == {}
    assert await hub.families.find(refresh) is None
    back = await teacher.open(seen.location)
    assert back.to == f"{hub.url}/signed-out"
    end = await teacher.open(back.location)
    assert (end.status, end.location) == (303, f"{BYE}?state=s%261")
    assert await signed_in_at(hub.county.url) == 0


async def test_every_application_of_the_session_is_told_before_the_browser_goes_on(
    hub: Middle, teacher: Browser
) -> None:
    await hub.enter(teacher)
    session = await hub.session(teacher)
    assert session is not None
    id_token, _ = await hub.use(teacher, "gradebook")
    for other in ("archive", "silent"):
        await hub.use(teacher, other)
    noted = {each.client_id: each for each in (await hub.sessions.get(session.id) or session).clients}
    await leave(hub, teacher, id_token_hint=id_token)
    told = {
        body["aud"]: (header, body) for header, body in (claims(hub, each) for each in hub.application.heard)
    }
    assert set(told) == {"gradebook", "archive"}
    assert [told[name][0]["alg"] for name in ("gradebook", "archive")] == ["ES256", "RS256"]
    for name, (header, body) in told.items():
        assert header["typ"] == "logout+jwt"
        assert body["events"] == {EVENT: {}}
        assert (body["iss"], body["sub"], body["sid"]) == (hub.url, noted[name].sub, noted[name].sid)
        assert body["exp"] - body["iat"] <= 120
        assert body["jti"]
        assert "nonce" not in body
        assert session.person not in str(body), "pairwise: no shared identifier leaves the hub"
    assert await outbox(hub) == []


async def test_the_browser_is_led_through_every_provider_in_turn(hub: Middle, teacher: Browser) -> None:
    await hub.enter(teacher, at="county")
    await hub.through(teacher, await hub.link(teacher, "school"), "teacher", "school")
    id_token, _ = await hub.use(teacher, "gradebook")
    seen = await leave(hub, teacher, id_token_hint=id_token, post_logout_redirect_uri=BYE)
    assert seen.to == "/signed-out"
    page = await teacher.open(hub.url + seen.location)
    assert page.status == 200
    (go,) = re.findall(r'content="1;url=([^"]+)"', page.text)
    _, way = await follow(teacher, await teacher.open(hub.url + go), hub.url)
    assert [each.partition("?")[0] for each in way] == [
        f"{hub.county.url}/logout", f"{hub.url}/signed-out", f"{hub.school.url}/logout",
        f"{hub.url}/signed-out", BYE,
    ]  # fmt: skip
    assert [await signed_in_at(each.url) for each in (hub.county, hub.school)] == [0, 0]


async def test_a_provider_that_does_not_send_the_browser_back_hinders_nobody(
    hub: Middle, teacher: Browser
) -> None:
    await hub.enter(teacher, at="county")
    await hub.through(teacher, await hub.link(teacher, "school"), "teacher", "school")
    id_token, _ = await hub.use(teacher, "gradebook")
    seen = await leave(hub, teacher, id_token_hint=id_token)
    page = await teacher.open(hub.url + seen.location)
    (go,) = re.findall(r'content="1;url=([^"]+)"', page.text)
    first = await teacher.open(hub.url + go)
    assert first.to == f"{hub.county.url}/logout"  # and there the browser stays
    again = await teacher.open(f"{hub.url}/signed-out")
    assert "未能通知" in again.text
    assert go.replace("&", "&amp;") in again.text
    second = await teacher.open(hub.url + go)
    assert second.to == f"{hub.school.url}/logout"
    end, _ = await follow(teacher, second, hub.url)
    assert end.status == 200
    assert await signed_in_at(hub.school.url) == 0


@pytest.mark.parametrize("mode", ["hang", "error", "garbage"])
async def test_a_provider_that_is_broken_hinders_nobody(hub: Middle, teacher: Browser, mode: str) -> None:
    await hub.enter(teacher)
    id_token, _ = await hub.use(teacher, "gradebook")
    hub.clock.ahead += 3601  # what was known of the provider's addresses is old by now
    id_token, _ = await hub.use(teacher, "gradebook")
    hub.county.frame.mode = mode
    seen = await leave(hub, teacher, id_token_hint=id_token, post_logout_redirect_uri=BYE)
    assert seen.status == 303
    assert await hub.who(teacher) == {}


async def test_another_browser_does_not_walk_somebodys_way(
    hub: Middle, teacher: Browser, stranger: Browser
) -> None:
    await hub.enter(teacher)
    id_token, _ = await hub.use(teacher, "gradebook")
    seen = await leave(hub, teacher, id_token_hint=id_token, post_logout_redirect_uri=BYE)
    state = parse_qs(urlsplit(seen.location).query)["state"][0]
    await stranger.open(f"{hub.url}/sign-in")
    for name in ("state", "go", "step"):
        there = await stranger.open(f"{hub.url}/signed-out?{name}={state}")
        assert (there.status, there.location) == (200, "")
        assert BYE not in there.text


async def test_a_language_switch_on_the_way_skips_no_provider(hub: Middle, teacher: Browser) -> None:
    await hub.enter(teacher)
    page = await teacher.open(f"{hub.url}/oauth/logout")
    seen = await teacher.send(f"{hub.url}/oauth/logout/confirm", csrf=token_on(page))
    for _ in range(3):
        shown = await teacher.open(f"{hub.url}{seen.location}&lang=en")
        assert shown.status == 200
        assert "Under way" in shown.text
    (go,) = re.findall(r'content="1;url=([^"]+)"', shown.text)
    assert (await teacher.open(hub.url + go)).to == f"{hub.county.url}/logout"


# --- logout CSRF, return addresses ---


async def test_logout_csrf_without_a_proof_a_page_asks_first(hub: Middle, teacher: Browser) -> None:
    await hub.enter(teacher)
    await hub.use(teacher, "gradebook")
    seen = await leave(hub, teacher, client_id="gradebook", post_logout_redirect_uri=BYE, state="s")
    assert seen.status == 200
    assert "成绩册" in seen.text
    assert "东昌府区教育统一身份认证" in seen.text
    assert await hub.who(teacher) != {}
    url = f"{hub.url}/oauth/logout/confirm"
    fields = {"client_id": "gradebook", "post_logout_redirect_uri": BYE, "state": "s"}
    assert (await teacher.send(url, None, csrf="", **fields)).status == 403
    assert await hub.who(teacher) != {}
    done = await teacher.send(url, None, csrf=token_on(seen), **fields)
    assert done.to == "/signed-out", "a page of ours leads on: a form may not be redirected elsewhere"
    assert await hub.who(teacher) == {}


async def test_logout_csrf_a_post_from_another_site_asks_first(hub: Middle, teacher: Browser) -> None:
    await hub.enter(teacher)
    seen = await teacher.send(f"{hub.url}/oauth/logout", client_id="gradebook")
    assert seen.to == "/oauth/logout"
    assert (await teacher.open(hub.url + seen.location)).status == 200
    assert await hub.who(teacher) != {}


async def test_logout_csrf_somebody_elses_id_token_proves_nothing(
    hub: Middle, teacher: Browser, stranger: Browser
) -> None:
    await hub.enter(teacher, "teacher")
    await hub.use(teacher, "gradebook")
    await hub.enter(stranger, "pupil")
    theirs, _ = await hub.use(stranger, "gradebook")
    seen = await leave(hub, teacher, id_token_hint=theirs, post_logout_redirect_uri=BYE)
    assert seen.status == 200
    assert await hub.who(teacher) != {}
    assert await hub.who(stranger) != {}, "nor does it end theirs from here"


async def test_logout_csrf_an_id_token_of_an_earlier_sign_on_proves_nothing(
    hub: Middle, teacher: Browser
) -> None:
    await hub.enter(teacher)
    old, _ = await hub.use(teacher, "gradebook")
    await hub.endings.end((await hub.who(teacher))["session"])
    await hub.enter(teacher)
    await hub.use(teacher, "gradebook")
    assert (await leave(hub, teacher, id_token_hint=old)).status == 200
    assert await hub.who(teacher) != {}


async def test_an_expired_id_token_is_still_a_proof(hub: Middle, teacher: Browser) -> None:
    await hub.enter(teacher)
    id_token, _ = await hub.use(teacher, "gradebook")
    hub.clock.ahead += 3600
    await leave(hub, teacher, id_token_hint=id_token)
    assert await hub.who(teacher) == {}


async def test_forged_hints_are_none(hub: Middle, teacher: Browser) -> None:
    await hub.enter(teacher)
    id_token, _ = await hub.use(teacher, "gradebook")
    head, body, signature = id_token.split(".")
    logout_token = await hub.notices._token(
        notices.Notice(
            id="n",
            client_id="gradebook",
            sub="s",
            sid="x",
            created=_now(hub),
            next=_now(hub),
            expires=_now(hub),
        ),
        hub.applications["gradebook"],
    )
    for forged in (
        f"{head}.{body}.",
        f"{head}.{body}.{signature[:-4]}AAAA",
        logout_token,
        "a.b.c",
        "x" * 9000,
    ):
        seen = await leave(hub, teacher, id_token_hint=forged)
        assert seen.status == 200, forged[:20]
        assert await hub.who(teacher) != {}


async def test_another_clients_id_token_is_refused(hub: Middle, teacher: Browser) -> None:
    await hub.enter(teacher)
    id_token, _ = await hub.use(teacher, "gradebook")
    seen = await leave(hub, teacher, id_token_hint=id_token, client_id="archive")
    assert (seen.status, seen.location) == (400, "")
    assert await hub.who(teacher) != {}


@pytest.mark.parametrize(
    "address",
    [
        "https://app.test/bye/", "https://app.test/bye?x=1", "https://app.test/bye#x", "https://app.test.evil/bye",
        "https://app.test@evil.example/bye", "https://evil.example/", "javascript:alert(1)", "//app.test/bye",
        "https://APP.test/bye", "https://app.test/%62ye", "https://app.test:443/bye",
    ],
)  # fmt: skip
async def test_redirect_uri_tricks_at_signing_out_are_an_error_page_and_nothing_is_done(
    hub: Middle, teacher: Browser, address: str
) -> None:
    await hub.enter(teacher)
    id_token, _ = await hub.use(teacher, "gradebook")
    seen = await leave(hub, teacher, id_token_hint=id_token, post_logout_redirect_uri=address)
    assert (seen.status, seen.location) == (400, "")
    assert await hub.who(teacher) != {}


async def test_an_address_to_return_to_without_a_client_is_refused(hub: Middle, teacher: Browser) -> None:
    await hub.enter(teacher)
    for query in ({}, {"client_id": "nobody"}, {"client_id": "silent"}, {"client_id": "$ne"}):
        seen = await leave(hub, teacher, post_logout_redirect_uri=BYE, **query)
        assert (seen.status, seen.location) == (400, "")
    twice = f"{hub.url}/oauth/logout?client_id=gradebook&client_id=archive"
    assert (await teacher.open(twice)).status == 400


async def test_a_registered_address_with_a_query_keeps_it(hub: Middle, teacher: Browser) -> None:
    registered = "https://app.test/bye?kept=1"
    seen = await leave(hub, teacher, client_id="gradebook", post_logout_redirect_uri=registered, state="a b")
    assert seen.location == "https://app.test/bye?kept=1&state=a+b"


async def test_who_is_signed_out_already_is_sent_on(hub: Middle, teacher: Browser) -> None:
    seen = await leave(hub, teacher, client_id="gradebook", post_logout_redirect_uri=BYE)
    assert seen.location == BYE
    plain = await leave(hub, teacher)
    assert plain.location == "/signed-out"
    assert (await teacher.open(f"{hub.url}/signed-out")).status == 200


async def test_signing_out_in_two_tabs_at_once_is_one_end(hub: Middle, teacher: Browser) -> None:
    await hub.enter(teacher)
    id_token, _ = await hub.use(teacher, "gradebook")
    seen = await asyncio.gather(*(leave(hub, teacher, id_token_hint=id_token) for _ in range(8)))
    assert {each.status for each in seen} <= {200, 303}
    assert len(hub.application.heard) == 1
    assert hub.audit.events().count("session.ended") == 1


# --- the outbox ---


async def test_an_application_that_fails_is_told_later(hub: Middle, teacher: Browser) -> None:
    hub.application.mode = "fail"
    await hub.enter(teacher)
    id_token, _ = await hub.use(teacher, "gradebook")
    await leave(hub, teacher, id_token_hint=id_token)
    (waiting,) = await outbox(hub)
    assert waiting["tries"] == 1
    hub.application.mode = "ok"
    async with working(hub.endings):
        await asyncio.sleep(0.1)
        assert hub.application.heard == [], "not before its time"
        hub.clock.ahead += 3
        hub.notices.wake()
        await asyncio.wait_for(hub.application.came.wait(), 10)
    assert len(hub.application.heard) == 1


async def test_the_wait_grows_and_after_a_day_it_is_given_up_and_said_so(
    hub: Middle, teacher: Browser
) -> None:
    hub.application.mode = "fail"
    await hub.enter(teacher)
    await hub.use(teacher, "gradebook")
    await hub.endings.end((await hub.who(teacher))["session"])
    waits = []
    for _ in range(60):
        left = await outbox(hub)
        if not left:
            break
        hub.clock.ahead += max(0.0, left[0]["next"].timestamp() - hub.clock() + 0.01)
        before = hub.clock()
        await hub.notices.sent([left[0]["_id"]], 5)
        left = await outbox(hub)
        waits += [left[0]["next"].timestamp() - before] if left else []
    assert await outbox(hub) == []
    assert [round(each) for each in waits[:5]] == [2, 8, 32, 128, 512]
    assert max(waits) < 3700
    assert "logout.undelivered" in hub.audit.events()


async def test_an_application_that_hangs_delays_neither_the_page_nor_the_others(
    hub: Middle, teacher: Browser
) -> None:
    hung = hub.applications["silent"]
    hub.applications["silent"] = type(hung)(
        **{**{name: getattr(hung, name) for name in hung.__struct_fields__},
           "backchannel_logout_uri": f"{hub.school.url}/nobody"},
    )  # fmt: skip
    hub.school.frame.mode = "hang"
    await hub.enter(teacher)
    id_token, _ = await hub.use(teacher, "gradebook")
    await hub.use(teacher, "silent")
    seen = await leave(hub, teacher, id_token_hint=id_token)
    assert seen.status == 303
    assert len(hub.application.heard) == 1
    assert [each["client_id"] for each in await outbox(hub)] == ["silent"]


async def test_many_notices_for_an_application_that_hangs_leave_room_for_the_others(
    hub: Middle, teacher: Browser
) -> None:
    gradebook = hub.applications["gradebook"]
    hub.applications["hung"] = type(gradebook)(
        id="hung", name="不应答的应用", backchannel_logout_uri=f"{hub.school.url}/nobody"
    )
    hub.school.frame.mode = "hang"
    for number in range(40):
        session, _ = await hub.sessions.sign_in(None, f"m{number}", "teacher", said("7"))
        await hub.sessions.note_client(session.id, "hung", "s")
        await hub.endings.end(session.id)
    async with working(hub.endings):
        while hub.notices._busy["hung"] < 4:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        session, _ = await hub.sessions.sign_in(None, "m", "teacher", said("7"))
        await hub.sessions.note_client(session.id, "gradebook", "s")
        await hub.endings.end(session.id)
        await asyncio.wait_for(hub.application.came.wait(), 30)
        assert hub.notices._busy["hung"] <= 4
        assert len(await outbox(hub)) >= 40, "none of those went through before"


async def test_a_notice_outlives_the_process_and_is_sent_by_another(hub: Middle, teacher: Browser) -> None:
    await hub.enter(teacher)
    await hub.use(teacher, "gradebook")
    await hub.endings.end((await hub.who(teacher))["session"])
    assert len(await outbox(hub)) == 1
    other = Notices(
        hub.store, hub.applications, hub.ring, hub.notices._fetch, hub.audit, hub.clock, issuer=hub.url
    )
    assert isinstance(hub.notices._fetch, HttpFetch)
    task = asyncio.create_task(other.run())
    await asyncio.wait_for(hub.application.came.wait(), 10)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert len(hub.application.heard) == 1


async def test_of_many_processes_one_sends_each_notice(hub: Middle) -> None:
    for number in range(20):
        session, _ = await hub.sessions.sign_in(None, f"m{number}", "teacher", said("7"))
        await hub.sessions.note_client(session.id, "gradebook", "s")
        await hub.endings.end(session.id)
    workers = [
        Notices(
            hub.store, hub.applications, hub.ring, hub.notices._fetch, hub.audit, hub.clock, issuer=hub.url
        )
        for _ in range(4)
    ]
    tasks = [asyncio.create_task(each.run()) for each in workers]
    while await outbox(hub):  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert hub.application.tried == 20


async def test_a_process_that_died_between_ending_and_telling_is_made_up_for(
    hub: Middle, teacher: Browser
) -> None:
    await hub.enter(teacher)
    _, refresh = await hub.use(teacher, "gradebook")
    await hub.sessions.end((await hub.who(teacher))["session"])  # and there it died
    assert await hub.families.find(refresh) is not None
    assert await hub.endings.sweep() == 0
    hub.clock.ahead += 11
    assert await hub.endings.sweep() == 1
    assert await hub.families.find(refresh) is None
    assert len(await outbox(hub)) == 1
    assert await hub.endings.sweep() == 0


async def test_without_a_database_signing_out_is_a_503_and_the_worker_waits(
    mortal_mongo: EmbeddedMongo, tmp_path: Path, teacher: Browser
) -> None:
    mongo = Mongo.connect(mortal_mongo.uri, "gate")
    async with middle(MongoStore(mongo), tmp_path) as hub:
        await hub.enter(teacher)
        id_token, _ = await hub.use(teacher, "gradebook")
        async with working(hub.endings):
            await mortal_mongo.stop()
            seen = await leave(hub, teacher, id_token_hint=id_token)
            assert seen.status == 503
            with pytest.raises(StoreDown):
                await hub.sessions.get("any")
            await mortal_mongo.start()
            assert await hub.who(teacher) != {}
            seen = await leave(hub, teacher, id_token_hint=id_token)
            assert seen.status == 303
            await asyncio.wait_for(hub.application.came.wait(), 10)
    await mongo.close()


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


def _now(hub: Middle) -> Any:
    return datetime.fromtimestamp(hub.clock(), UTC)
