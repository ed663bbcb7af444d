"""The chooser and the own accounts' form, over real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import urlencode

import pytest

from auth.documents import Client
from auth.principal import RoleClaim
from auth.provider.chooser import SHOWN, Directory, related
from auth.settings import UpstreamSettings
from hub.identity.store import MongoStore
from hub.mongo import Mongo
from tests.fakes.gate import FRONTEND, Gate, Page, Visitor, gate

GOOD = "liao-cheng 7 bridges"
ADMIN = (RoleClaim("ADMIN", "371500"),)
EVIL = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>"
LEVELS = ("NATIONAL", "PROVINCIAL", "MUNICIPAL", "COUNTY", "SCHOOL")
REGIONS = ("100000", "370000", "371500", "371524", "371524")


def provider(code: str, level: str, region: str, name: str, name_en: str = "") -> UpstreamSettings:
    return UpstreamSettings(
        code=code, kind="oidc", name=name, name_en=name_en, level=level, region=region,
        issuer=f"https://{code}.test",
    )  # fmt: skip


FIVE = tuple(
    provider(level.lower(), level, region, f"{level}平台", name_en=f"{level.title()} platform")
    for level, region in zip(LEVELS, REGIONS, strict=True)
)
SCHOOLS = tuple(
    provider(f"s-{n}", "SCHOOL", "371524" if n % 2 else "371502", f"第{n}实验小学", name_en=f"School {n}")
    for n in range(1200)
)


@pytest.fixture
async def running(mongo: Mongo) -> AsyncIterator[Gate]:
    async with gate(MongoStore(mongo), FIVE) as found:
        await found.accounts.add("city.admin", GOOD, "市级管理员", ADMIN)
        yield found


@pytest.fixture
async def visitor(running: Gate) -> AsyncIterator[Visitor]:
    async with Visitor(running.url) as found:
        yield found


async def signing_in(visitor: Visitor, login: str, password: str, i: str = "") -> Page:
    page = await visitor.get(f"/sign-in/local?i={i}")
    return await visitor.post("/sign-in/local", page.hidden | {"login": login, "password": password})


async def test_the_five_levels_stand_in_order_from_the_nation_down(visitor: Visitor) -> None:
    page = await visitor.get("/sign-in")
    places = [page.text.index(f"{level}平台") for level in LEVELS]
    assert page.status == 200
    assert places == sorted(places)
    assert page.headers["Content-Language"] == "zh-CN"


async def test_english_is_one_link_away_and_stays(visitor: Visitor) -> None:
    page = await visitor.get("/sign-in?q=")
    assert 'href="?lang=en"' in page.text
    english = await visitor.get("/sign-in?lang=en")
    assert "Nation" in english.text
    assert "County platform" in english.text
    assert "Sign in" in (await visitor.get("/sign-in/local")).text


async def test_what_the_person_picked_beats_what_the_application_wishes(
    running: Gate, visitor: Visitor
) -> None:
    begun = await running.begin(visitor.mark, ui_locales="en")
    assert "Demo frontend" in (await visitor.get(f"/sign-in?i={begun.id}")).text
    assert "示范前端" in (await visitor.get(f"/sign-in?i={begun.id}&lang=zh")).text
    assert "示范前端" in (await visitor.get(f"/sign-in?i={begun.id}")).text


async def test_the_way_to_a_provider_keeps_the_interaction_and_is_remembered(
    running: Gate, visitor: Visitor
) -> None:
    begun = await running.begin(visitor.mark)
    page = await visitor.get(f"/sign-in?i={begun.id}")
    assert "上次使用" not in page.text
    way = await visitor.get(f"/sign-in/to/county?i={begun.id}")
    assert (way.status, way.location) == (303, f"/sign-in/county/start?i={begun.id}")
    assert "上次使用" in (await visitor.get(f"/sign-in?i={begun.id}")).text


async def test_a_provider_that_does_not_exist_is_an_error_page_and_no_redirect(visitor: Visitor) -> None:
    for code in ("nobody", "..%2f..%2fevil", "%2f%2fevil.test"):
        page = await visitor.get(f"/sign-in/to/{code}")
        assert page.status == 404
        assert page.location == ""


async def test_a_school_is_found_by_its_name_among_twelve_hundred(mongo: Mongo) -> None:
    async with gate(MongoStore(mongo), (*FIVE, *SCHOOLS)) as running, Visitor(running.url) as visitor:
        all_of_them = await visitor.get("/sign-in")
        assert all_of_them.text.count('href="/sign-in/to/s-') <= SHOWN
        assert f"另有 {1200 + 1 - SHOWN} 个" in all_of_them.text
        found = await visitor.get("/sign-in?q=第777实验")
        assert found.text.count('href="/sign-in/to/') == 1
        assert "第777实验小学" in found.text
        county = await visitor.get("/sign-in?region=371524&q=实验 第77")
        assert "第77实验小学" in county.text
        assert "第778实验小学" not in county.text
        assert "没有符合" in (await visitor.get("/sign-in?q=没有这所学校")).text


def test_a_region_shows_those_above_it_and_those_below_it() -> None:
    found = Directory((*FIVE, *SCHOOLS[:2]), lambda code, lang: code).found("", "371502")
    assert [each.code for each in found] == ["national", "provincial", "municipal", "s-0"]
    assert related("371500", "371571")
    assert not related("371500", "620702")


async def test_xss_by_login_hint_client_name_and_typed_words(running: Gate, visitor: Visitor) -> None:
    evil = Client(id="evil", name=EVIL, name_en=EVIL)
    begun = await running.begin(visitor.mark, evil, login_hint=EVIL, acr_values=EVIL, ui_locales=EVIL)
    typed = urlencode({"i": begun.id, "q": EVIL, "region": EVIL})
    pages = [
        await visitor.get(f"/sign-in?{typed}"),
        await visitor.get(f"/sign-in/local?i={begun.id}"),
        await signing_in(visitor, EVIL, EVIL, begun.id),
    ]
    for page in pages:
        assert "<script>alert" not in page.text
        assert "<img" not in page.text.replace('<img src="/auth/static', "")
        assert "&lt;script&gt;alert" in page.text


async def test_xss_by_upstream_names(mongo: Mongo) -> None:
    evil = provider("evil", "COUNTY", EVIL[:40], EVIL, name_en=EVIL)
    upstreams = (evil, *FIVE, *SCHOOLS[:9])
    async with gate(MongoStore(mongo), upstreams) as running, Visitor(running.url) as visitor:
        await visitor.get("/sign-in/to/evil")
        for path in ("/sign-in", "/sign-in?lang=en"):
            page = await visitor.get(path)
            assert page.status == 200
            assert "<script>alert" not in page.text
            assert "&lt;script&gt;alert" in page.text


async def test_clickjacking_every_page_forbids_being_framed_and_runs_no_foreign_script(
    running: Gate, visitor: Visitor
) -> None:
    begun = await running.begin(visitor.mark)
    for path in ("/sign-in", f"/sign-in/local?i={begun.id}", "/sign-in?i=unknown", "/consent?i=x"):
        page = await visitor.get(path)
        policy = page.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert page.headers["X-Frame-Options"] == "DENY"
        assert page.headers["Cache-Control"] == "no-store"
        assert " style=" not in page.text
        assert " onclick=" not in page.text


async def test_the_own_account_signs_in_and_is_handed_on_with_its_interaction(
    running: Gate, visitor: Visitor
) -> None:
    begun = await running.begin(visitor.mark)
    answer = await signing_in(visitor, "city.admin", GOOD, begun.id)
    assert (answer.status, answer.location) == (303, f"/oauth/authorize/resume?i={begun.id}")
    ((assertion, interaction, intent),) = running.broker.asked
    assert (interaction, intent) == (begun.id, "sign_in")
    assert (assertion.iss, assertion.upstream) == (running.url, "local")
    assert (assertion.acr, assertion.amr) == ("urn:rongtong:acr:password", ("pwd",))
    assert assertion.roles == ADMIN


async def test_session_fixation_the_cookie_that_a_browser_came_with_is_never_the_one_it_leaves_with(
    running: Gate, visitor: Visitor
) -> None:
    visitor.give("rt-session", "planted-by-the-attacker-0123456789")
    await signing_in(visitor, "city.admin", GOOD)
    assert visitor.cookies["rt-session"] != "planted-by-the-attacker-0123456789"
    first = visitor.cookies["rt-session"]
    await signing_in(visitor, "city.admin", GOOD)
    assert visitor.cookies["rt-session"] != first


async def test_the_pages_alone_make_no_session(running: Gate, visitor: Visitor) -> None:
    for wrong in ("wrong", GOOD + " "):
        page = await signing_in(visitor, "city.admin", wrong)
        assert page.status == 403
    assert "rt-session" not in visitor.cookies
    assert running.broker.asked == []


async def test_login_csrf_a_form_made_in_another_browser_does_not_count(
    running: Gate, visitor: Visitor
) -> None:
    async with Visitor(running.url) as attacker:
        theirs = (await attacker.get("/sign-in/local")).hidden
    mine = {"login": "city.admin", "password": GOOD}
    for forged in (theirs, {}, theirs | {"csrf": ""}, theirs | {"csrf": "é" * 64}):
        page = await visitor.post("/sign-in/local", forged | mine)
        assert page.status == 403
        assert page.location == ""
    assert running.broker.asked == []


async def test_login_csrf_a_form_for_one_sign_in_does_not_count_for_another_or_for_linking(
    running: Gate, visitor: Visitor
) -> None:
    one, other = await running.begin(visitor.mark), await running.begin(visitor.mark)
    fields = (await visitor.get(f"/sign-in/local?i={one.id}")).hidden
    mine = {"login": "city.admin", "password": GOOD}
    for changed in ({"i": other.id}, {"i": ""}, {"intent": "link"}):
        assert (await visitor.post("/sign-in/local", fields | changed | mine)).status == 403
    assert running.broker.asked == []


async def test_an_interaction_of_another_browser_is_over_for_this_one(
    running: Gate, visitor: Visitor
) -> None:
    async with Visitor(running.url) as victim:
        begun = await running.begin(victim.mark)
    for path in ("/sign-in", "/sign-in/local", "/consent", "/sign-in/to/county"):
        page = await visitor.get(f"{path}?i={begun.id}")
        assert page.status == 400
        assert "INTERACTION_OVER" in page.text
        assert "示范前端" not in page.text


async def test_user_enumeration_by_status_text_and_work(running: Gate, visitor: Visitor) -> None:
    await running.accounts.add("left.long.ago", GOOD, "前管理员", ADMIN)
    await running.accounts.close("left.long.ago")
    seen = set()
    for login in ("city.admin", "nobody.here", "left.long.ago"):
        before = running.hasher.verified
        page = await signing_in(visitor, login, "a wrong password")
        cost = running.hasher.verified - before
        headers = tuple(sorted(set(page.headers) - {"Date"}))
        seen.add((page.status, page.text.replace(login, "LOGIN"), headers, cost))
    assert len(seen) == 1


async def test_user_enumeration_by_throttling_a_strangers_name_is_slowed_alike(
    running: Gate, visitor: Visitor
) -> None:
    seen = []
    for login in ("city.admin", "nobody.here"):
        statuses = [(await signing_in(visitor, login, "wrong")).status for _ in range(8)]
        seen.append(statuses)
    assert seen[0] == seen[1]
    assert 429 in seen[0]


async def test_throttling_is_not_begun_anew_by_another_spelling_of_the_same_login(
    running: Gate, visitor: Visitor
) -> None:
    spellings = ["city.admin", "City.Admin", "ｃｉｔｙ.admin", " city.admin", "city.admin ", "CITY.ADMIN"]
    spellings += ["city.admin" + " " * 246 + "x", "cIty.admin"]
    statuses = [(await signing_in(visitor, login, "wrong")).status for login in spellings]
    assert statuses == [(await signing_in(visitor, "nobody.here", "wrong")).status for _ in spellings]
    assert statuses[-1] == 429


async def test_throttling_says_when_to_come_back_and_does_not_look_at_the_password(
    running: Gate, visitor: Visitor
) -> None:
    for _ in range(6):
        await signing_in(visitor, "city.admin", "wrong")
    before = running.hasher.verified
    page = await signing_in(visitor, "city.admin", GOOD)
    assert page.status == 429
    assert int(page.headers["Retry-After"]) >= 1
    assert "尝试次数过多" in page.text
    assert running.hasher.verified == before
    running.clock.at += 3
    assert (await signing_in(visitor, "city.admin", GOOD)).status == 303


async def test_malformed_forms_and_queries_are_refused_without_a_fault(visitor: Visitor) -> None:
    fields = (await visitor.get("/sign-in/local")).hidden
    assert (await visitor.get("/sign-in?i=a&i=b")).status == 400
    assert (await visitor.get("/sign-in?i=%ff")).status == 400
    assert (await visitor.get("/sign-in?q=%00&region[$gt]=")).status == 200
    assert (await visitor.post("/sign-in/local", fields | {"login": "x" * 70_000})).status == 413
    json = await visitor.post("/sign-in/local", fields, **{"Content-Type": "application/json"})
    assert json.status == 415


async def test_host_and_forwarded_headers_write_nothing_into_a_page(visitor: Visitor) -> None:
    for headers in ({"Host": "evil.test"}, {"Host": "["}, {"X-Forwarded-Host": "evil.test"}):
        page = await visitor.get("/sign-in?q=x", **headers)
        assert page.status in (200, 400)
        assert "evil.test" not in page.text
        assert "evil.test" not in str(page.headers)


async def test_the_policy_lets_the_form_end_at_the_application_that_asked_and_nowhere_else(
    running: Gate, visitor: Visitor
) -> None:
    begun = await running.begin(visitor.mark)
    policy = (await visitor.get(f"/sign-in/local?i={begun.id}")).headers["Content-Security-Policy"]
    assert "form-action 'self' https://app.test;" in policy
    for uri in ("https://a.test;script-src *", "javascript:alert(1)", "https://[::1", "https://a.test x"):
        odd = await running.begin(visitor.mark, redirect_uri=uri)
        policy = (await visitor.get(f"/sign-in/local?i={odd.id}")).headers["Content-Security-Policy"]
        assert "script-src 'self';" in policy
        assert policy.count(";") == 8
        assert "javascript" not in policy
        assert "*" not in policy


async def test_linking_is_asked_of_somebody_signed_in_and_each_way_is_a_form_of_theirs(
    running: Gate, visitor: Visitor
) -> None:
    stranger = await visitor.get("/sign-in?intent=link")
    assert (stranger.status, stranger.location) == (303, "/sign-in")
    await signing_in(visitor, "city.admin", GOOD)
    page = await visitor.get("/sign-in?intent=link")
    assert page.text.count('method="post" action="/sign-in/') == len(FIVE)
    assert page.text.count('name="intent" value="link"') == len(FIVE)


async def test_only_the_gates_own_files_are_served_and_they_can_be_kept(visitor: Visitor) -> None:
    page = await visitor.get("/sign-in")
    sheet = page.text.partition('rel="stylesheet" href="')[2].partition('"')[0]
    served = await visitor.get(sheet)
    assert served.status == 200
    assert "immutable" in served.headers["Cache-Control"]
    again = await visitor.get(sheet, **{"If-None-Match": served.headers["ETag"]})
    assert again.status == 304
    for name in ("nothing.css", "..%2fpages.py", "%2e%2e%2fpages.py", "pages.py"):
        assert (await visitor.get(f"/auth/static/{name}")).status == 404


async def test_frontend_names_stand_in_the_language_of_the_page(running: Gate, visitor: Visitor) -> None:
    begun = await running.begin(visitor.mark)
    assert FRONTEND.name in (await visitor.get(f"/sign-in?i={begun.id}")).text
    english = await visitor.get(f"/sign-in?i={begun.id}", **{"Accept-Language": "en-GB,en"})
    assert FRONTEND.name_en in english.text
