"""Signing in at a level's provider, walked through by browsers over real sockets; and every way to cheat."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from auth.browser import Cookies
from auth.documents import Client
from auth.store import kept
from hub.embedded import EmbeddedMongo
from hub.identity.store import MongoStore
from hub.mongo import Mongo
from tests.connectors.sandbox.browser import Browser
from tests.fakes.middle import Middle, follow, middle

FRONTEND = Client(id="frontend", name="示范前端", redirect_uris=("https://app.test/cb",))


def mark_of(browser: Browser, cookies: Cookies) -> str:
    (found,) = [each.value for each in browser._http.cookie_jar if each.key == cookies.mark_name]
    return found


# --- the honest way ---


async def test_a_teacher_signs_in_at_her_county_and_is_one_person_ever_after(
    hub: Middle, teacher: Browser
) -> None:
    seen = await hub.enter(teacher)
    assert (seen.status, seen.location) == (303, "/account")
    first = await hub.who(teacher)
    async with Browser() as at_home:
        await hub.enter(at_home)
        second = await hub.who(at_home)
    assert first["person"] == second["person"]
    assert first["session"] != second["session"]
    assert ("sign_in", first["person"]) in [(event, person) for event, person, _ in hub.audit.notes]


async def test_an_application_gets_its_answer_after_signing_in(hub: Middle, teacher: Browser) -> None:
    await teacher.open(f"{hub.url}/sign-in")
    mark = mark_of(teacher, hub.cookies)
    begun = await hub.interactions.begin(FRONTEND, {"login_hint": "t0000009", "prompt": "login"}, mark)
    there = await hub.leave(teacher, "county", i=begun.id)
    asked = parse_qs(urlsplit(there).query)
    assert (asked["login_hint"], asked["prompt"]) == (["t0000009"], ["login"])
    seen = await hub.through(teacher, there, "teacher", "county")
    assert seen.location == f"/oauth/authorize/resume?i={begun.id}"
    after = await hub.interactions.get(begun.id, mark)
    assert after is not None
    assert after.signed_in is not None


async def test_county_and_school_are_two_persons_until_somebody_proves_otherwise(
    hub: Middle, teacher: Browser, stranger: Browser
) -> None:
    await hub.enter(teacher, at="county")
    await hub.enter(stranger, at="school")
    assert (await hub.who(teacher))["person"] != (await hub.who(stranger))["person"]


async def test_the_session_keeps_what_the_providers_logout_wants(hub: Middle, teacher: Browser) -> None:
    await hub.enter(teacher)
    session = await hub.session(teacher)
    assert session is not None
    (rests_on,) = session.upstreams
    assert rests_on.sid
    assert hub.sessions.opened(rests_on).hint.count(".") == 2
    assert session.acr == "urn:rongtong:acr:name-verified"


async def test_64_parallel_first_sign_ins_of_one_person_are_one_person(hub: Middle) -> None:
    browsers = [Browser() for _ in range(64)]
    try:
        answers = []
        for each in browsers:
            there = await hub.leave(each, "county")
            answers.append(await hub.answer(each, there, "teacher", "county"))
        seen = await asyncio.gather(
            *(each.open(answer) for each, answer in zip(browsers, answers, strict=True))
        )
        assert {each.location for each in seen} == {"/account"}
        assert len({(await hub.who(each))["person"] for each in browsers}) == 1
        assert len({(await hub.who(each))["session"] for each in browsers}) == 64
    finally:
        await asyncio.gather(*(each.__aexit__(None, None, None) for each in browsers))


# --- login CSRF, fixation, replay, mix-up ---


async def test_session_fixation_a_planted_cookie_is_not_the_one_that_counts(
    hub: Middle, teacher: Browser, stranger: Browser
) -> None:
    planted = "p" * 43
    teacher._http.cookie_jar.update_cookies({hub.cookies.session_name: planted})
    await hub.enter(teacher)
    assert (await hub.who(teacher))["person"]
    stranger._http.cookie_jar.update_cookies({hub.cookies.session_name: planted})
    assert await hub.who(stranger) == {}


async def test_session_fixation_signing_in_again_voids_the_cookie_before(
    hub: Middle, teacher: Browser, stranger: Browser
) -> None:
    await hub.enter(teacher)
    stolen = {each.key: each.value for each in teacher._http.cookie_jar}
    stranger._http.cookie_jar.update_cookies(stolen)
    assert await hub.who(stranger) == await hub.who(teacher)
    before = await hub.who(teacher)
    await hub.enter(teacher)
    assert await hub.who(teacher) == before, "the same sign-on goes on"
    assert await hub.who(stranger) == {}


async def test_login_csrf_a_callback_in_another_browser_signs_nobody_in(
    hub: Middle, teacher: Browser, stranger: Browser
) -> None:
    answer = await hub.answer(stranger, await hub.leave(stranger, "county"), "pupil", "county")
    await teacher.open(f"{hub.url}/sign-in")
    seen = await teacher.open(answer)
    assert (seen.status, seen.location) == (400, "")
    assert "SIGN_IN_OVER" in seen.text
    assert await hub.who(teacher) == {}
    assert (await stranger.open(answer)).location == "/account", "whose it is may still use it"


async def test_login_csrf_a_callback_without_any_mark_signs_nobody_in(hub: Middle, stranger: Browser) -> None:
    answer = await hub.answer(stranger, await hub.leave(stranger, "county"), "pupil", "county")
    async with Browser() as fresh:
        assert (await fresh.open(answer)).status == 400
        assert await hub.who(fresh) == {}


async def test_state_replay_a_callback_counts_once(hub: Middle, teacher: Browser) -> None:
    answer = await hub.answer(teacher, await hub.leave(teacher, "county"), "teacher", "county")
    assert (await teacher.open(answer)).status == 303
    again = await teacher.open(answer)
    assert (again.status, again.location) == (400, "")


async def test_state_replay_of_many_at_once_one_gets_through(hub: Middle, teacher: Browser) -> None:
    answer = await hub.answer(teacher, await hub.leave(teacher, "county"), "teacher", "county")
    seen = await asyncio.gather(*(teacher.open(answer) for _ in range(16)))
    assert sorted(each.status for each in seen) == [303, *[400] * 15]


async def test_mix_up_a_state_made_for_one_level_is_none_at_another(hub: Middle, teacher: Browser) -> None:
    answer = await hub.answer(teacher, await hub.leave(teacher, "county"), "teacher", "county")
    mixed = answer.replace("/sign-in/county/", "/sign-in/school/")
    seen = await teacher.open(mixed)
    assert (seen.status, seen.location) == (400, "")
    assert (await teacher.open(answer)).status == 400, "and it is spent"
    assert await hub.who(teacher) == {}


async def test_mix_up_an_answer_of_another_issuer_is_refused(hub: Middle, teacher: Browser) -> None:
    answer = await hub.answer(teacher, await hub.leave(teacher, "county"), "teacher", "county")
    assert hub.county.url.partition("//")[2] in answer.replace("%3A", ":")
    port = urlsplit(hub.county.url).port
    seen = await teacher.open(answer.replace(f"A{port}", f"A{urlsplit(hub.school.url).port}"))
    assert (seen.status, seen.location) == (400, "")
    assert await hub.who(teacher) == {}


async def test_a_state_grows_old_in_ten_minutes(hub: Middle, teacher: Browser) -> None:
    there = await hub.leave(teacher, "county")
    answer = await hub.answer(teacher, there, "teacher", "county")
    hub.clock.ahead += 601
    assert (await teacher.open(answer)).status == 400


async def test_nonsense_at_the_callback_is_an_error_page(hub: Middle, teacher: Browser) -> None:
    await teacher.open(f"{hub.url}/sign-in")
    for query in (
        "",
        "state=",
        "state=x&state=y",
        "state=%00",
        "code=1&state[$ne]=1",
        "state=%ff",
        "a=" + "b" * 5000,
    ):
        seen = await teacher.open(f"{hub.url}/sign-in/county/callback?{query}")
        assert (seen.status, seen.location) == (400, ""), query
    assert (await teacher.open(f"{hub.url}/sign-in/nobody/start")).status == 404
    assert (await teacher.open(f"{hub.url}/sign-in/county/start?i=foreign")).status == 400


async def test_another_browsers_interaction_is_not_gone_on_with(
    hub: Middle, teacher: Browser, stranger: Browser
) -> None:
    await stranger.open(f"{hub.url}/sign-in")
    begun = await hub.interactions.begin(FRONTEND, {}, mark_of(stranger, hub.cookies))
    await teacher.open(f"{hub.url}/sign-in")
    assert (await teacher.open(f"{hub.url}/sign-in/county/start?i={begun.id}")).status == 400


async def test_a_posted_answer_is_read_once_and_in_its_own_browser(
    hub: Middle, teacher: Browser, stranger: Browser
) -> None:
    """form_post (OAuth 2.0 Form Post Response Mode): the browser sends no cookies of ours with it."""
    answer = await hub.answer(teacher, await hub.leave(teacher, "county"), "teacher", "county")
    callback, fields = (
        answer.partition("?")[0],
        {k: v[0] for k, v in parse_qs(urlsplit(answer).query).items()},
    )
    async with aiohttp.ClientSession() as cookieless:
        async with cookieless.post(callback, data=fields, allow_redirects=False) as posted:
            assert posted.status == 303
            onward = posted.headers["Location"]
        async with cookieless.post(callback, data=fields | {"code": "evil"}, allow_redirects=False) as again:
            assert again.status == 400, "the first answer stands"
        async with cookieless.post(callback, data={"state": "unknown"}, allow_redirects=False) as unknown:
            assert unknown.status == 400
    assert "code" not in onward
    await stranger.open(f"{hub.url}/sign-in")
    assert (await stranger.open(hub.url + onward)).status == 400
    assert (await teacher.open(hub.url + onward)).location == "/account"
    assert (await teacher.open(hub.url + onward)).status == 400


# --- providers that say no, or nothing ---


async def test_who_cancels_at_the_provider_reads_so_and_finds_the_way_back(
    hub: Middle, teacher: Browser
) -> None:
    there = await hub.leave(teacher, "county")
    state = parse_qs(urlsplit(there).query)["state"][0]
    said = f"error=access_denied&state={state}&iss={hub.county.url}"
    seen = await teacher.open(f"{hub.url}/sign-in/county/callback?{said}")
    assert seen.status == 400
    assert "取消" in seen.text
    assert 'href="/sign-in"' in seen.text


@pytest.mark.parametrize("mode", ["error", "garbage", "html"])
async def test_a_broken_provider_is_a_page_with_the_way_back(
    hub: Middle, teacher: Browser, mode: str
) -> None:
    await teacher.open(f"{hub.url}/sign-in")
    mark = mark_of(teacher, hub.cookies)
    begun = await hub.interactions.begin(FRONTEND, {}, mark)
    hub.county.frame.mode = mode
    seen = await teacher.open(f"{hub.url}/sign-in/county/start?i={begun.id}")
    assert seen.status in (502, 503)
    assert f"/sign-in?i={begun.id}" in seen.text
    hub.county.frame.mode = "ok"
    assert (await hub.enter(teacher, i=begun.id)).status == 303


# --- who was here before ---


async def test_somebody_else_in_the_same_browser_ends_the_sign_on_before(
    hub: Middle, teacher: Browser
) -> None:
    await hub.enter(teacher, "teacher")
    before = await hub.who(teacher)
    _, refresh = await hub.use(teacher, "gradebook")
    there = await hub.leave(teacher, "county", again="1")
    login_page = await teacher.open(there)
    assert login_page.status == 200, "`again`: the provider must ask"
    await hub.through(teacher, there, "pupil", "county")
    after = await hub.who(teacher)
    assert after["person"] != before["person"]
    assert await hub.sessions.get(before["session"]) is None
    assert await hub.families.find(refresh) is None
    await hub.notices.sent([each["_id"] for each in await _notices(hub)], 5)
    assert len(hub.application.heard) == 1


async def _notices(hub: Middle) -> list[dict[str, str]]:
    return await hub.store.collection("auth_notices").find({}, limit=10)


async def test_the_hubs_own_accounts_sign_in_the_same_way(hub: Middle, teacher: Browser) -> None:
    seen = await teacher.open(f"{hub.url}/own?sub=admin-1")
    assert seen.location == "/account"
    page = await teacher.open(f"{hub.url}/account")
    assert "本中心账号" in page.text


async def test_signing_in_without_a_database_is_a_503_and_writes_nothing(
    mortal_mongo: EmbeddedMongo, tmp_path: Path, teacher: Browser
) -> None:
    mongo = Mongo.connect(mortal_mongo.uri, "gate")
    async with middle(MongoStore(mongo), tmp_path) as hub:
        answer = await hub.answer(teacher, await hub.leave(teacher, "county"), "teacher", "county")
        await mortal_mongo.stop()
        seen = await teacher.open(answer)
        assert (seen.status, seen.location) == (503, "")
        assert (await teacher.open(f"{hub.url}/sign-in/school/start")).status == 503
        await mortal_mongo.start()
        assert await hub.store.collection("auth_accounts").count({}) == 0
        assert (await teacher.open(answer)).location == "/account", "nothing was used up"
    await mongo.close()


async def test_the_database_holds_no_state_and_no_verifier(hub: Middle, teacher: Browser) -> None:
    there = await hub.leave(teacher, "county")
    asked = {name: values[0] for name, values in parse_qs(urlsplit(there).query).items()}
    (pending,) = await hub.store.collection("auth_pending").find({}, limit=10)
    assert pending["_id"] == kept(asked["state"])
    for value in (asked["state"], asked["nonce"], mark_of(teacher, hub.cookies)):
        assert value not in str(pending)


async def test_following_every_redirect_ends_at_ones_own_page(hub: Middle, teacher: Browser) -> None:
    seen, way = await follow(teacher, await hub.enter(teacher), hub.url)
    assert seen.status == 200
    assert way == [f"{hub.url}/account"]
