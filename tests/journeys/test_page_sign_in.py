"""The query page signs people in at the hub itself, and asks the graph as who they are."""

from __future__ import annotations

import pytest
from playwright.async_api import async_playwright, expect

from connectors.sandbox.country import Country
from connectors.sandbox.passport import demo_users
from tests.journeys.country import World
from tests.journeys.test_page import ARGUMENTS, CHROMIUM

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_county_teacher_signs_in_on_the_query_page_asks_and_signs_out(land: World) -> None:
    users = demo_users(Country("demo"))
    (her,) = [one for one in users if one["persona"] == "teacher" and one["level"] == "COUNTY"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = await browser.new_page(locale="zh-CN", viewport={"width": 1280, "height": 800})
        await page.goto(f"{land.demo.url}/")
        await page.click("#sign-in")
        await page.get_by_role("link", name="东昌府区教育统一身份认证").click()
        await page.fill("[name=username]", her["login"])
        await page.fill("[name=password]", her["password"])
        await page.keyboard.press("Enter")
        await expect(page.locator("#sign-out")).to_be_visible()
        assert page.url == f"{land.demo.url}/"
        name = (await land.data("{ me { displayName } }", "teacher"))["me"]["displayName"]
        await expect(page.locator("#persona option").first).to_have_text(f"{name} / signed in")
        await page.click(".graphiql-execute-button")
        await expect(page.locator(".result-window")).to_contain_text(name)
        await page.click("#sign-out")
        await expect(page.locator("#sign-in")).to_be_visible()
        assert page.url == f"{land.demo.url}/"
        await page.goto(f"{land.demo.url}/account")
        await expect(page.get_by_text("登录").first).to_be_visible()
        await browser.close()
