"""One person, five levels, one sign-on: in Chromium without the internet, and by plain HTTP for the rest."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import aiohttp
import msgspec
import orjson
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, Request, async_playwright, expect

from hub.settings import Settings
from tests.journeys.country import World, quiet, world
from tests.journeys.signing import Hub, eventually, visitor

CHROMIUM = shutil.which("chromium")
ARGUMENTS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update",
             "--disable-sync", "--no-first-run", "--disable-quic"]  # fmt: skip
pytestmark = pytest.mark.asyncio(loop_scope="module")
ME = "{ me { id displayName roles children { displayName } } viewer { subject roles } }"
AWAY = "school-14"
"""The code of a school's provider that nobody can reach."""


def many_schools(settings: Settings) -> Settings:
    """The demonstration's settings with forty schools' providers more, none of which answers."""
    known = next(each for each in settings.upstreams if each.code == "school")
    schools = tuple(
        msgspec.structs.replace(
            known, code=f"school-{number}", name=f"第{number}中学统一身份认证", name_en=f"Middle School No. {number}",
            issuer=f"http://127.0.0.1:9/{number}", region="371525" if number % 2 else "371522",
            school=f"21370200{number:02d}",
        )
        for number in range(1, 41)
    )  # fmt: skip
    return msgspec.structs.replace(quiet(settings), upstreams=(*settings.upstreams, *schools))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def country() -> AsyncIterator[World]:
    """A demonstration in which people sign in."""
    async with world(many_schools) as running:
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
