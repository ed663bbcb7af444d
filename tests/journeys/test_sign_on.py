"""One person, five levels, one sign-on: in Chromium without the internet, and by plain HTTP for the rest."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec
import orjson
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, Request, async_playwright, expect

from auth.settings import ClientSettings
from hub.settings import Settings
from tests.journeys.country import World, quiet, world
from tests.journeys.signing import Hub, Shown, claims, visitor

CHROMIUM = shutil.which("chromium")
ARGUMENTS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update",
             "--disable-sync", "--no-first-run", "--disable-quic"]  # fmt: skip
pytestmark = pytest.mark.asyncio(loop_scope="module")
ME = "{ me { id displayName roles children { nodes { child { displayName } } } } viewer { subject roles } }"
AWAY = "school-14"
"""The code of a school's provider that nobody can reach."""


def many_schools(settings: Settings) -> Settings:
    """The demonstration's settings, forty schools' providers more, none of which answers, and a stranger's
    application that may not be told of minors."""
    known = next(each for each in settings.upstreams if each.code == "school")
    schools = tuple(
        msgspec.structs.replace(
            known, code=f"school-{number}", name=f"第{number}中学统一身份认证",
            name_en=f"Middle School No. {number}", issuer=f"http://127.0.0.1:9/{number}",
            region="371525" if number % 2 else "371522", school=f"21370200{number:02d}",
        )
        for number in range(1, 41)
    )  # fmt: skip
    shop = ClientSettings(
        id="shop", name="校外书店", name_en="A bookshop", auth_method="none",
        redirect_uris=("http://127.0.0.1:9/shop",), scopes=("openid", "profile"),
    )  # fmt: skip
    return msgspec.structs.replace(
        quiet(settings), upstreams=(*settings.upstreams, *schools), clients=(*settings.clients, shop)
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def country() -> AsyncIterator[World]:
    """A demonstration in which people sign in."""
    async with world(many_schools) as running:
        assert running.demo.hub.records.index is not None
        await running.demo.hub.records.index.refresh()
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hub(country: World) -> Hub:
    """Its hub, from what it tells a script."""
    return Hub(orjson.loads(orjson.dumps(country.demo.told())))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    """One Chromium."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield running
        await running.close()


@dataclass
class Desk:
    """Somebody's browser with several tabs, in one language; pictures of it are numbered."""

    context: BrowserContext
    language: str
    foreign: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    shots: int = 0

    async def tab(self) -> Page:
        """One more tab, whose scripts must not fail."""
        page = await self.context.new_page()
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", lambda said: self._hear(said.text))
        return page

    def watch(self, request: Request) -> None:
        """Note whatever would leave the machine."""
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob") and address.hostname != "127.0.0.1":
            self.foreign.append(request.url)

    def say(self, chinese: str, english: str) -> str:
        """Words in this browser's language."""
        return chinese if self.language == "zh" else english

    async def shot(self, page: Page, name: str) -> None:
        """A picture for people to look at, if a folder for them is named."""
        self.shots += 1
        if folder := os.environ.get("RONGTONG_SHOTS"):
            path = Path(folder, f"sign-on-{self.language}-{self.shots:02d}-{name}.png")
            await page.screenshot(path=path, full_page=True)

    def _hear(self, text: str) -> None:
        if "Content Security Policy" in text:
            self.faults.append(text)


@asynccontextmanager
async def desk(chromium: Browser, language: str) -> AsyncIterator[Desk]:
    """A fresh browser; fails when anything left loopback, a script failed or a policy was offended."""
    locale = {"zh": "zh-CN", "en": "en-GB"}[language]
    context = await chromium.new_context(locale=locale, viewport={"width": 1100, "height": 760})
    context.set_default_timeout(15_000)
    one = Desk(context, language)
    context.on("request", one.watch)
    try:
        yield one
        assert one.foreign == []
        assert one.faults == []
    finally:
        await context.close()


async def sessions(country: World, hub: Hub, code: str, login: str) -> int:
    """How many sign-ons of somebody a level's provider holds."""
    address = f"{hub.provider(code)}/_passport/sessions?{urlencode({'login': login})}"
    async with country.client.get(address) as reply:
        return int((await reply.json())["count"])


async def fill_in(page: Page, hub: Hub, persona: str, code: str) -> None:
    """Sign in on a provider's own page."""
    user = hub.user(persona, code)
    await page.fill("input[name=username]", user["login"])
    await page.fill("input[name=password]", user["password"])
    await page.locator("form button").click()


async def answered(page: Page) -> dict[str, object]:
    """The application's page once it shows who is there: `me` of the graph's answer."""
    await page.locator("body[data-state=here]").wait_for()
    await expect(page.locator("#answer")).to_contain_text('"me"')
    me: dict[str, object] = orjson.loads(await page.locator("#answer").inner_text())["data"]["me"]
    return me


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_a_teacher_is_one_person_in_two_applications_and_signs_out_of_everything_at_once(
    chromium: Browser, country: World, hub: Hub, language: str
) -> None:
    login = hub.user("teacher", "c371502")["login"]
    async with desk(chromium, language) as one:
        portal = await one.tab()
        await portal.goto(f"{hub.application('portal')}/?lang={language}")
        await portal.locator("body[data-state=gone]").wait_for()
        await one.shot(portal, "portal-before")
        await portal.click("#in")
        await choose_the_county(one, portal)
        await one.shot(portal, "county-login")
        await fill_in(portal, hub, "teacher", "c371502")
        me = await answered(portal)
        name = str(me["displayName"])
        await expect(portal.locator("#facts")).to_contain_text(name)
        await expect(portal.locator("#facts")).to_contain_text(one.say("教师", "Teacher"))
        await one.shot(portal, "portal-signed-in")

        research = await one.tab()
        await research.goto(f"{hub.application('research')}/?lang={language}")
        assert await answered(research) == me, "silently, and the same person"
        await one.shot(research, "research-signed-in")

        account = await one.tab()
        await account.goto(f"{hub.issuer}/account")
        await link_the_province(one, account, hub, name)
        assert await sessions(country, hub, "c371502", login) == 1
        assert await sessions(country, hub, "sd", login) == 1

        await portal.bring_to_front()
        await portal.click("#out")
        await portal.get_by_role("heading", name=one.say("已退出登录", "Signed out")).wait_for()
        for application in one.say("学校门户 教研平台", "portal research").split():
            line = portal.get_by_role("listitem").filter(has_text=application)
            await expect(line).to_contain_text(one.say("已退出", "Signed out"))
        await one.shot(portal, "signing-out")
        await portal.wait_for_url(f"{hub.application('portal')}/")
        await portal.locator("body[data-state=gone]").wait_for()
        await one.shot(portal, "portal-signed-out")
        await research.locator("body[data-state=ended]").wait_for()
        assert name not in await research.locator("body").inner_text()
        await one.shot(research, "research-told")
        for code in ("c371502", "sd"):
            assert await sessions(country, hub, code, login) == 0, f"{code} is signed out too"
        await account.goto(f"{hub.issuer}/account")
        await account.wait_for_url(f"{hub.issuer}/sign-in")
        await one.shot(account, "account-asks-to-sign-in")


async def choose_the_county(one: Desk, page: Page) -> None:
    """Find the county's provider among many: by a school's name, by region."""
    await page.get_by_role("heading", name=one.say("登录", "Sign in"), exact=True).wait_for()
    lang = await page.locator("html").get_attribute("lang")
    assert lang == one.say("zh-CN", "en")
    await one.shot(page, "chooser")
    await page.fill("#q", one.say("第14中学", "school no. 14"))
    await page.get_by_role("button", name=one.say("查找", "Find")).click()
    await expect(page.get_by_role("status")).to_contain_text(one.say("找到 1 个", "1 found"))
    await expect(page.locator("a.row")).to_have_count(2)  # the school, and the hub's own accounts
    await one.shot(page, "chooser-school")
    await page.fill("#q", "")
    await page.select_option("#region", "371502")
    await page.get_by_role("button", name=one.say("查找", "Find")).click()
    await expect(page.get_by_role("status")).to_contain_text(one.say("找到 5 个", "5 found"))
    await one.shot(page, "chooser-region")
    await page.get_by_role("link", name=one.say("东昌府区教育统一身份认证", "District sign-in")).click()
    await page.locator("input[name=username]").wait_for()


async def link_the_province(one: Desk, page: Page, hub: Hub, name: str) -> None:
    """On one's own page, link the province's account by signing in there."""
    await page.get_by_role("heading", name=name).wait_for()
    await one.shot(page, "account")
    province = one.say("山东省教育统一认证", "Provincial sign-in")
    line = page.get_by_role("listitem").filter(has_text=province)
    if await line.count():  # linked the last time: take it away first
        await line.get_by_role("button").click()
        note = one.say("账号已解除关联。", "The account is no longer linked.")
        await page.get_by_role("status").filter(has_text=note).wait_for()
    await expect(line).to_have_count(0)
    await page.get_by_role("link", name=one.say("关联另一个账号", "Link another account")).click()
    await one.shot(page, "link-chooser")
    await page.get_by_role("button", name=province).click()
    await page.locator("input[name=username]").wait_for()
    await one.shot(page, "province-login")
    await fill_in(page, hub, "teacher", "sd")
    note = one.say("账号已关联。", "The account is linked.")
    await page.get_by_role("status").filter(has_text=note).wait_for()
    accounts = page.get_by_role("region", name=one.say("已关联的账号", "Linked accounts"))
    county = one.say("东昌府区教育统一身份认证", "District sign-in")
    await expect(accounts.get_by_role("listitem").filter(has_text=county)).to_have_count(1)
    await expect(accounts.get_by_role("listitem").filter(has_text=province)).to_have_count(1)
    await one.shot(page, "account-linked")


# --- people of every kind, by plain HTTP ---


async def graph(country: World, hub: Hub, persona: str, code: str) -> tuple[Any, Any]:
    """`me` and `viewer` of somebody who signs in to the portal at that provider."""
    async with visitor() as browser:
        told = await hub.tokens(country.client, browser, persona, code)
    answer = await hub.ask(country.client, told["access_token"], ME)
    assert "errors" not in answer, answer
    return answer["data"]["me"], answer["data"]["viewer"]


async def test_a_teacher_of_county_and_province_is_the_same_person_without_linking_anything(
    country: World, hub: Hub
) -> None:
    assert await graph(country, hub, "principal", "c371502") == await graph(country, hub, "principal", "sd")


@pytest.mark.parametrize("code", ["nation", "lc", "school"])
async def test_an_account_that_no_authority_vouches_for_is_nobody_until_it_is_linked(
    country: World, hub: Hub, code: str
) -> None:
    me, viewer = await graph(country, hub, "teacher", "c371502")
    async with visitor() as browser:
        told = await hub.tokens(country.client, browser, "teacher", code)
        assert claims(told["id_token"])["name"] == me["displayName"]
        before = (await hub.ask(country.client, told["access_token"], ME))["data"]
        assert (before["me"], before["viewer"]["roles"]) == (None, [])
        chooser = await browser.open(f"{hub.issuer}/sign-in?intent=link")
        onward = await browser.send(chooser.link("/sign-in/c371502/start"), csrf=chooser.field("csrf"))
        login, user = await browser.open(onward.link("/authorize?")), hub.user("teacher", "c371502")
        merge = await browser.send(login.url, username=user["login"], password=user["password"])
        assert "/account/merge?" in merge.url, "the county's account is hers already, of another number"
        await browser.send(merge.link("/account/merge"), csrf=merge.field("csrf"), o=merge.field("o"))
        status, _ = await hub.refreshed(country.client, told["refresh_token"])
        assert status == 400, "what the number had that is no more is void"
        assert (await graph(country, hub, "teacher", code)) == (me, viewer)


async def test_a_pupil_under_14_signs_in_to_applications_for_minors_and_to_no_other(
    country: World, hub: Hub
) -> None:
    me, viewer = await graph(country, hub, "pupil", "c371502")
    assert (me["roles"], viewer["roles"]) == (["STUDENT"], ["STUDENT"])
    async with visitor() as browser:
        flow = hub.flow("shop", "openid profile")
        callback = await hub.to_callback(browser, flow, "pupil", "c371502")
        back = await browser.open(callback, stop=flow.redirect_uri)
        assert back.said["error"] == "access_denied"
        assert "code" not in back.said


async def test_a_guardian_finds_the_child_in_the_graph(country: World, hub: Hub) -> None:
    pupil, _ = await graph(country, hub, "pupil", "c371502")
    for code in ("c371502", "sd"):
        me, viewer = await graph(country, hub, "guardian", code)
        assert viewer["roles"] == ["GUARDIAN"]
        children = [each["child"]["displayName"] for each in me["children"]["nodes"]]
        assert children == [pupil["displayName"]]


@pytest.mark.parametrize(
    ("persona", "code", "region"),
    [("officer", "sd", "370000"), ("city_officer", "lc", "371500"), ("county_officer", "c371502", "371502")],
)
async def test_an_officer_administers_the_region_of_the_level_that_says_so(
    country: World, hub: Hub, persona: str, code: str, region: str
) -> None:
    async with visitor() as browser:
        told = await hub.tokens(country.client, browser, persona, code)
    roles = [(each["role"], each["region"]) for each in claims(told["id_token"])["roles"]]
    assert roles == [("ADMIN", region)]
    answer = await hub.ask(country.client, told["access_token"], ME)
    assert answer["data"]["viewer"]["roles"] == ["ADMIN"]


async def test_a_level_appoints_nobody_for_another_level(country: World, hub: Hub) -> None:
    _, viewer = await graph(country, hub, "city_officer", "sd")
    assert viewer["roles"] == [], "the city's own provider says who administers the city"


async def test_another_application_of_the_same_person_knows_another_number(country: World, hub: Hub) -> None:
    async with visitor() as browser:
        portal = await hub.tokens(country.client, browser, "teacher", "c371502")
        flow = hub.flow("research")
        back = await browser.open(f"{flow.url}&prompt=none", stop=flow.redirect_uri)
        _, research = await hub.token(country.client, flow.form(hub.code_at(flow, back)))
    one, other = claims(portal["id_token"]), claims(research["id_token"])
    assert one["name"] == other["name"]
    assert one["sub"] != other["sub"]
    assert one["sid"] != other["sid"]


# --- what goes wrong ---


def is_friendly(page: Shown, *statuses: int) -> None:
    """A page of the hub's own that says what happened, with a way back to the chooser."""
    assert page.status in statuses, page
    assert 'role="alert"' in page.text
    assert "Traceback" not in page.text
    assert page.link("/sign-in?")


async def test_a_wrong_password_is_told_at_the_provider_and_the_right_one_still_counts(
    country: World, hub: Hub
) -> None:
    async with visitor() as browser:
        flow, user = hub.flow(), hub.user("teacher", "c371502")
        login = await hub.to_login(browser, flow, "c371502")
        refused = await browser.send(login.url, username=user["login"], password="nonsense-9")
        assert (refused.status, "用户名或密码不正确" in refused.text) == (401, True)
        back = await browser.send(
            login.url, stop=flow.redirect_uri, username=user["login"], password=user["password"]
        )
        status, _ = await hub.token(country.client, flow.form(hub.code_at(flow, back)))
        assert status == 200


async def test_a_wrong_password_of_the_hubs_own_accounts_signs_nobody_in(hub: Hub) -> None:
    async with visitor() as browser:
        chooser = await browser.open(hub.flow().url)
        form = await browser.open(chooser.link("/sign-in/local?"))
        sent = {"csrf": form.field("csrf"), "i": form.field("i"), "login": "nobody", "password": "nonsense-9"}
        refused = await browser.send(f"{hub.issuer}/sign-in/local", **sent)
        assert refused.status == 403
        assert (await browser.open(f"{hub.issuer}/account")).url == f"{hub.issuer}/sign-in"


async def test_a_cancelled_sign_in_leads_back_to_the_chooser_and_on(country: World, hub: Hub) -> None:
    async with visitor() as browser:
        flow = hub.flow()
        login = await hub.to_login(browser, flow, "c371502")
        said = {"error": "access_denied", "state": login.said["state"], "iss": hub.provider("c371502")}
        page = await browser.open(f"{login.said['redirect_uri']}?{urlencode(said)}")
        is_friendly(page, 400)
        again = await browser.open(page.link("/sign-in?"))
        assert again.status == 200
        login, user = await browser.open(again.link("/sign-in/to/sd?")), hub.user("teacher", "sd")
        back = await browser.send(
            login.url, stop=flow.redirect_uri, username=user["login"], password=user["password"]
        )
        assert hub.code_at(flow, back)


async def test_a_provider_that_cannot_be_reached_is_a_page_with_a_way_back(hub: Hub) -> None:
    async with visitor() as browser:
        page = await hub.to_login(browser, hub.flow(), AWAY)
        is_friendly(page, 502, 503)
        assert (await browser.open(page.link("/sign-in?"))).status == 200


@pytest.mark.parametrize(("code", "process"), [
    ("c371502", "county-passport"), ("lc", "city-passport"), ("sd", "province-passport"),
    ("nation", "nation-passport"),
])  # fmt: skip
async def test_a_provider_that_breaks_half_way_is_a_page_and_the_other_levels_go_on(
    country: World, hub: Hub, code: str, process: str
) -> None:
    for mode in ("garbage", "error", "html", "hang"):
        async with visitor() as browser, visitor() as another:
            callback = await hub.to_callback(browser, hub.flow(), "teacher", code)
            await country.fault(process, mode)
            try:
                is_friendly(await browser.open(callback), 502, 503)
                assert await hub.code(another, hub.flow(), "teacher", "school")
            finally:
                await country.fault(process, "ok")
            flow = hub.flow()
            again = await hub.enter(browser, flow, "teacher", code)
            assert hub.code_at(flow, again), "mended, it works again"
