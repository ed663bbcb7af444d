"""A teacher opens the query page in a browser that can reach nothing but the hub."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page, Request, async_playwright

from auth.keys import new_signing_key
from auth.principal import Principal
from tests.hub.web.served import Hub, gate, hub

CHROMIUM = shutil.which("chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium"
)
TYPE = '{ me { displayName } school(code: "1") { name } rare '


@asynccontextmanager
async def opened() -> AsyncIterator[tuple[Page, Hub]]:
    """The page in a browser, with a teacher to be; fails when anything but the hub is asked for."""
    tokens = gate(new_signing_key())
    token = tokens.issue(Principal("https://hub.test", "县级教师甲", "COUNTY"))
    personas = [{"name": "teacher", "title_zh": "县级教师", "title_en": "county teacher", "token": token}]
    async with hub(personas=personas, tokens=tokens) as running, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = await browser.new_page(viewport={"width": 1400, "height": 860})
        foreign: list[str] = []
        faults: list[str] = []

        def watch(request: Request) -> None:
            address = urlsplit(request.url)
            if address.scheme not in ("data", "blob") and address.netloc != f"127.0.0.1:{running.port}":
                foreign.append(request.url)

        page.on("request", watch)
        page.on("pageerror", lambda error: faults.append(str(error)))
        try:
            await page.goto(f"{running.url}/")
            await page.wait_for_selector(".graphiql-query-editor .CodeMirror")
            yield page, running
            assert foreign == []
            assert faults == []
        finally:
            await browser.close()


async def write(page: Page, query: str) -> None:
    """Replace what stands in the query editor."""
    await page.locator(".graphiql-query-editor .CodeMirror").first.click()
    await page.keyboard.press("Control+A")
    await page.keyboard.press("Delete")
    await page.keyboard.type(query)
    await page.keyboard.press("Escape")


async def run(page: Page, expected: str) -> str:
    """Run the query; the answer's text once it holds `expected`."""
    await page.keyboard.press("Control+Enter")
    await page.locator(".result-window").filter(has_text=expected).wait_for(timeout=15_000)
    return await page.locator(".result-window").inner_text()


async def test_a_teacher_asks_and_sees_chinese_names_and_where_they_come_from() -> None:
    async with opened() as (page, _):
        await page.wait_for_selector("#persona-field:not([hidden])")
        assert await page.locator("#persona").input_value() == "1"  # the first example is the teacher's
        await write(page, TYPE)
        answer = await run(page, "䶮𬭊𫘧𠮷")
        assert "县级教师甲" in answer
        assert "东昌府区龘小学" in answer
        assert "provenance" in answer


async def test_without_the_toggle_no_provenance_is_asked_for() -> None:
    async with opened() as (page, _):
        await page.uncheck("#provenance")
        await write(page, "{ rare ")
        assert "provenance" not in await run(page, "䶮")


async def test_a_stranger_is_nobody() -> None:
    async with opened() as (page, _):
        await page.select_option("#persona", label="未登录 / anonymous")
        await write(page, TYPE)
        assert "县级教师甲" not in await run(page, "䶮")


async def test_silent_sources_are_named_above_the_answer() -> None:
    async with opened() as (page, running):
        assert await page.locator("#silent").is_hidden()
        running.graph.silent = [{"name": "东阿县教体局", "level": "COUNTY", "reason": "SOURCE_TIMEOUT"}]
        await write(page, "{ rare ")
        await run(page, "䶮")
        banner = await page.locator("#silent").inner_text()
        assert banner.startswith("1 个来源没有应答")
        assert "东阿县教体局（COUNTY，SOURCE_TIMEOUT）" in banner


async def test_every_example_can_be_chosen_and_brings_its_persona() -> None:
    async with opened() as (page, running):
        async with running.http.get(f"{running.url}/static/examples.json") as answer:
            examples = await answer.json()
        for index, example in enumerate(examples):
            await page.select_option("#example", str(index))
            name = example["query"].split("query ")[1].split("(")[0].split(" ")[0]
            await page.locator(".graphiql-query-editor").get_by_text(name, exact=True).wait_for()
            if example["persona"] in ("teacher", "anonymous"):
                chosen = await page.locator("#persona").input_value()
                assert chosen == ("1" if example["persona"] == "teacher" else "0")


async def test_the_schemas_documentation_and_completion_work_without_the_internet() -> None:
    async with opened() as (page, _):
        await page.get_by_label("Show Documentation Explorer").first.click()
        await page.get_by_text("ClassGroup", exact=True).first.wait_for()
        await write(page, "{ sch")
        await page.keyboard.press("Control+Space")
        await page.locator(".CodeMirror-hints").get_by_text("schools", exact=True).wait_for()


async def test_nothing_of_an_answer_stays_in_the_browsers_storage() -> None:
    async with opened() as (page, _):
        await write(page, TYPE)
        await run(page, "䶮")
        assert await page.evaluate("localStorage.length + sessionStorage.length") == 0
