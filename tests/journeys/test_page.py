"""People open the query page in a browser that can reach nothing but the hub.

First on a small hub; then on the whole demonstration: five levels, a source that dies, a phone.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, Request, async_playwright

from auth.principal import Principal
from schema.graph import ids as global_ids
from schema.model.words import Kind
from tests.hub.web.served import Hub, fresh_ring, gate, hub
from tests.journeys.country import World, short_memory, world
from tests.journeys.examples import EXAMPLES

CHROMIUM = shutil.which("chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]
pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium"),
]
HOLDS = (
    """text => document.querySelector(".result-window .CodeMirror")?.CodeMirror.getValue().includes(text)"""
)
PUPIL = "她的学生 / her pupil"
OVERLAPS = """() => {
  const parts = [...document.querySelectorAll(
    ".bar > *, #purpose-told, #silent, #problems, #graphiql, #origins summary, #origins .scroll")];
  const seen = parts.map((each) => [each, each.getBoundingClientRect()]).filter(([, box]) => box.height > 0);
  const name = (each) => each.id || each.className || each.textContent.trim().slice(0, 20);
  const found = [];
  for (const [one, a] of seen) for (const [other, b] of seen)
    if (one !== other && a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 &&
        b.top < a.bottom - 1 && !(one.tagName === "H1" || other.tagName === "H1"))
      found.push(`${name(one)} over ${name(other)}`);
  if (document.documentElement.scrollWidth > innerWidth) found.push("wider than the window");
  return found;
}"""
TYPE = '{ me { displayName } school(code: "1") { name } rare '


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One Chromium; each page of it has a storage of its own."""
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        await chromium.close()


@asynccontextmanager
async def browsing(browser: Browser, url: str, width: int = 1400, height: int = 860) -> AsyncIterator[Page]:
    """The page at `url` in a browser; fails when anything but the hub is asked for, when a script fails
    or when the page's own policy is offended."""
    page = await browser.new_page(viewport={"width": width, "height": height})
    foreign: list[str] = []
    faults: list[str] = []

    def watch(request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob") and address.netloc != urlsplit(url).netloc:
            foreign.append(request.url)

    def hear(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            faults.append(message.text)

    page.on("request", watch)
    page.on("console", hear)
    page.on("pageerror", lambda error: faults.append(str(error)))
    try:
        await page.goto(f"{url}/")
        await page.wait_for_selector(".graphiql-query-editor .CodeMirror")
        yield page
        assert foreign == []
        assert faults == []
    finally:
        await page.close()


@asynccontextmanager
async def opened(browser: Browser) -> AsyncIterator[tuple[Page, Hub]]:
    """The page of a small hub of its own, with a teacher to be."""
    tokens = gate(fresh_ring())
    token = tokens.issue(Principal("https://hub.test", "县级教师甲", "COUNTY"))
    personas = [{"name": "teacher", "title_zh": "县级教师", "title_en": "county teacher", "token": token}]
    async with hub(personas=personas, tokens=tokens) as running, browsing(browser, running.url) as page:
        yield page, running


async def write(page: Page, query: str) -> None:
    """Replace what stands in the query editor."""
    await page.locator(".graphiql-query-editor .CodeMirror").first.click()
    await page.keyboard.press("Control+A")
    await page.keyboard.press("Delete")
    await page.keyboard.type(query)
    await page.keyboard.press("Escape")


async def run(page: Page, expected: str) -> str:
    """Run the query; the whole answer's text once it holds `expected` (the editor shows a part of it)."""
    await page.keyboard.press("Control+Enter")
    await page.wait_for_function(HOLDS, arg=expected, timeout=15_000)
    return await answered(page)


async def answered(page: Page) -> str:
    """The whole answer's text."""
    text: str = await page.locator(".result-window .CodeMirror").evaluate(
        "node => node.CodeMirror.getValue()"
    )
    return text


async def test_a_teacher_asks_and_sees_chinese_names_and_where_they_come_from(browser: Browser) -> None:
    async with opened(browser) as (page, _):
        await page.wait_for_selector("#persona-field:not([hidden])")
        await page.select_option("#persona", label="县级教师 / county teacher")
        await write(page, TYPE)
        answer = await run(page, "䶮𬭊𫘧𠮷")
        assert "县级教师甲" in answer
        assert "东昌府区龘小学" in answer
        assert "provenance" in answer


async def test_without_the_toggle_no_provenance_is_asked_for(browser: Browser) -> None:
    async with opened(browser) as (page, _):
        await page.uncheck("#provenance")
        await write(page, "{ rare ")
        assert "provenance" not in await run(page, "䶮")


async def test_a_stranger_is_nobody(browser: Browser) -> None:
    async with opened(browser) as (page, _):
        await page.select_option("#persona", label="未登录 / anonymous")
        await write(page, TYPE)
        assert "县级教师甲" not in await run(page, "䶮")


async def test_silent_sources_are_named_above_the_answer(browser: Browser) -> None:
    async with opened(browser) as (page, running):
        assert await page.locator("#silent").is_hidden()
        running.graph.silent = [
            {"name": "东阿县教体局", "level": "COUNTY", "code": "SOURCE_TIMEOUT", "reason": "超时"}
        ]
        await write(page, "{ rare ")
        await run(page, "䶮")
        banner = await page.locator("#silent").inner_text()
        assert banner.startswith("1 个来源没有应答")
        assert "东阿县教体局 SOURCE_TIMEOUT 超时" in banner


async def test_every_example_can_be_chosen_and_brings_its_persona(browser: Browser) -> None:
    async with opened(browser) as (page, running):
        async with running.http.get(f"{running.url}/static/examples.json") as answer:
            examples = await answer.json()
        for index, example in enumerate(examples):
            await page.select_option("#example", str(index))
            name = example["query"].split("query ")[1].split("(")[0].split(" ")[0]
            await page.locator(".graphiql-query-editor").get_by_text(name, exact=True).wait_for()
            if example["persona"] in ("teacher", "anonymous"):
                chosen = await page.locator("#persona").input_value()
                assert chosen == ("1" if example["persona"] == "teacher" else "0")


async def test_the_schemas_documentation_and_completion_work_without_the_internet(browser: Browser) -> None:
    async with opened(browser) as (page, _):
        await page.get_by_label("Show Documentation Explorer").first.click()
        await page.get_by_text("ClassGroup", exact=True).first.wait_for()
        await write(page, "{ sch")
        await page.keyboard.press("Control+Space")
        await page.locator(".CodeMirror-hints").get_by_text("schools", exact=True).wait_for()


async def test_nothing_of_an_answer_stays_in_the_browsers_storage(browser: Browser) -> None:
    async with opened(browser) as (page, _):
        await write(page, TYPE)
        await run(page, "䶮")
        assert await page.evaluate("localStorage.length + sessionStorage.length") == 0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def country() -> AsyncIterator[World]:
    """A demonstration to break, in which every answer is asked for anew."""
    async with world(short_memory) as running:
        yield running


async def shot(page: Page, name: str) -> None:
    """A picture for people to look at, if a folder for them is named."""
    if folder := os.environ.get("RONGTONG_SHOTS"):
        await page.screenshot(path=Path(folder, f"{name}.png"))


async def example(page: Page, name: str) -> None:
    """Choose one of the examples, which brings its persona."""
    await page.select_option("#example", str(list(EXAMPLES).index(name)))
    await page.locator(".graphiql-query-editor .CodeMirror").first.click()


async def put(page: Page, query: str) -> None:
    """Put a query of one's own into the editor."""
    editor = page.locator(".graphiql-query-editor .CodeMirror").first
    await editor.evaluate("(node, query) => node.CodeMirror.setValue(query)", query)
    await editor.click()


async def origins(page: Page) -> dict[str, list[str]]:
    """Source -> level, protocol and age, as the panel shows them."""
    await page.wait_for_selector("#origins:not([hidden])")
    rows = await page.locator("#origins tbody tr").all()
    cells = [await row.locator("td").all_inner_texts() for row in rows]
    return {name.splitlines()[0]: rest for name, *rest in cells}


async def test_a_pupil_sees_her_five_levels_and_where_each_part_comes_from(
    browser: Browser, country: World
) -> None:
    async with browsing(browser, country.demo.url) as page:
        await page.select_option("#persona", label=PUPIL)
        await example(page, "first-light")
        assert await page.locator("#persona option:checked").inner_text() == PUPIL
        answer = await run(page, "小数乘法")
        me = (
            await country.data("{ me { displayName school: enrollments(first: 1) { totalCount } } }", "pupil")
        )["me"]
        assert me["displayName"] in answer
        assert "䶮" in answer
        told = await origins(page)
        assert {level for level, *_ in told.values()} == {"国家", "省", "市", "县", "校"}
        assert told["山东省教育数据中心（沙盒）sd-data"][1] == "SQL 数据库"
        assert "me › enrollments › classGroup › school" in await page.locator("#origins tbody").inner_text()
        assert await page.locator("#silent").is_hidden()
        assert await page.locator("#problems").is_hidden()
        assert await page.evaluate(OVERLAPS) == []
        await shot(page, "country-wide")
        await page.uncheck("#provenance")
        await put(page, "query Again { me { gradeCode } }")
        assert "provenance" not in await run(page, '"gradeCode": "G05"')
        assert await page.locator("#origins").is_hidden()


async def test_on_a_phone_nothing_lies_over_anything(browser: Browser, country: World) -> None:
    async with browsing(browser, country.demo.url, 390, 800) as page:
        await example(page, "first-light")
        await run(page, "displayName")
        assert len(await origins(page)) >= 7
        assert await page.evaluate(OVERLAPS) == []
        await shot(page, "country-phone")


async def test_an_officer_declares_a_purpose_and_reads_what_it_opens(
    browser: Browser, country: World
) -> None:
    hub = country.demo.hub
    assert hub.identity is not None
    key = hub.identity.principal("pupil").person_keys[0]
    person = global_ids.encode(hub.specs[Kind.PERSON], key, hub.registry)
    async with browsing(browser, country.demo.url) as page:
        await page.select_option("#persona", label="省级管理员 / provincial officer")
        await put(page, f'{{ person(id: "{person}") {{ displayName }} }}')
        assert '"displayName": null' in await run(page, "displayName")
        await page.select_option("#purpose", label="学籍管理 / pupil roll")
        assert "办理学籍" in await page.locator("#purpose-told").inner_text()
        assert '"displayName": "周**"' in await run(page, "周")
        await shot(page, "country-purpose")


async def test_examples_stand_under_whom_they_suit_and_the_words_are_explained(
    browser: Browser, country: World
) -> None:
    async with browsing(browser, country.demo.url) as page:
        labels = await page.locator("#example optgroup").evaluate_all("all => all.map(each => each.label)")
        assert PUPIL in labels
        assert "未登录 / anonymous" in labels
        assert await page.locator("#example option").count() == len(EXAMPLES)
        await page.get_by_label("Show Documentation Explorer").first.click()
        await page.get_by_text("ClassGroup", exact=True).first.click()
        await page.locator(".graphiql-doc-explorer-title").get_by_text("ClassGroup").wait_for()
        await shot(page, "country-docs")


async def test_what_is_wrong_with_a_query_stands_above_it_in_chinese(
    browser: Browser, country: World
) -> None:
    async with browsing(browser, country.demo.url) as page:
        await put(page, "query Wrong { me { displayNam } }")
        await run(page, "GRAPHQL_VALIDATION_FAILED")
        problems = await page.locator("#problems").inner_text()
        assert problems.startswith("1 个错误")
        assert "GRAPHQL_VALIDATION_FAILED 查询未通过校验" in problems
        await shot(page, "country-errors")
        await example(page, "county-schools")
        await run(page, "371502")
        assert await page.locator("#problems").is_hidden()


async def test_a_source_that_dies_is_named_and_its_remembered_part_marked(
    browser: Browser, country: World
) -> None:
    async with browsing(browser, country.demo.url) as page:
        await example(page, "first-light")
        whole = await run(page, "微课视频")
        country.kill("repository")
        await country.fault("platform", "error")
        await page.keyboard.press("Control+Enter")
        banner = page.locator("#silent")
        await banner.wait_for()
        told = await banner.inner_text()
        assert told.startswith("2 个来源没有应答")
        assert "省 山东省教育资源库（沙盒） SOURCE_UNAVAILABLE" in told
        assert "市 聊城市智慧教育平台（沙盒） SOURCE_BAD_RESPONSE" in told
        assert told.count("已用此前记得的内容代替") == 2
        assert "过期" in (await origins(page))["山东省教育资源库（沙盒）sd-repository"][-1]
        assert whole.count("微课视频") == (await answered(page)).count("微课视频")
        assert await page.evaluate(OVERLAPS) == []
        await shot(page, "country-silent")
        await page.set_viewport_size({"width": 390, "height": 800})
        assert await page.evaluate(OVERLAPS) == []
        await shot(page, "country-silent-phone")
