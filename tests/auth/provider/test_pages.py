"""Every page, with the values it expects: in two languages, escaped, seen well by everybody."""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources
from typing import Any

import pytest
from playwright.async_api import Browser, async_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from auth.assets import Assets
from auth.browser import Cookies
from auth.errors import Denied, StoreDown
from auth.pages import Pages
from auth.provider.chooser import Group, Provider, Region
from hub.cli.listen import serving
from hub.settings import Server
from tests.fakes.gate import KEY, Visitor

CHROMIUM = shutil.which("chromium")
ARGUMENTS = ["--no-sandbox", "--disable-background-networking", "--disable-sync", "--no-first-run"]
COUNTY = Provider("dong-e", "东阿县教育云平台", "东阿县", "/sign-in/to/dong-e?i=x")
SCHOOL = Provider("lu-xi", "鲁西实验学校", "东阿县", "/sign-in/to/lu-xi?i=x")
_CHOOSER: dict[str, Any] = {
    "i": "x", "intent": "sign_in", "client_name": "示范教学应用", "login_hint": "", "verified": False,
    "last": COUNTY, "searchable": True, "regions": (Region("371524", "东阿县"), Region("371500", "聊城市")),
    "region": "371524", "q": "实验", "found": 2, "clear_url": "/sign-in?i=x", "local_url": "/sign-in/local",
    "passkeys": True,
    "groups": (
        Group("NATIONAL", (Provider("n", "国家智慧教育公共服务平台", "", "/x"),), 0),
        Group("PROVINCIAL", (Provider("p", "山东省教育云服务平台", "山东省", "/x"),), 0),
        Group("MUNICIPAL", (Provider("m", "聊城市智慧教育平台", "聊城市", "/x"),), 0),
        Group("COUNTY", (COUNTY,), 0),
        Group("SCHOOL", (SCHOOL,), 118),
    ),
}  # fmt: skip
_LOCAL: dict[str, Any] = {
    "i": "x", "intent": "sign_in", "client_name": "示范教学应用", "login": "city.admin", "failed": False,
    "wait": 0, "back_url": "/sign-in?i=x", "passkeys": True,
}  # fmt: skip
_CONSENT: dict[str, Any] = {
    "i": "x", "client_name": "示范教学应用", "client_id": "demo", "origin": "settings", "region": "",
    "policy_uri": "https://app.test/privacy", "back_to": "app.test", "minors": True,
    "scopes": ("openid", "profile", "offline_access", "graph.identities"),
    "purposes": ("teaching", "school-management"), "person_name": "县级教师甲",
}  # fmt: skip
SAMPLES: dict[str, tuple[str, dict[str, Any]]] = {
    "data": (
        "data",
        {"held": [{"zh": "登录", "en": "Sign-ons", "count": 2, "kept": True}], "gone": False, "recent": True},
    ),
    "data-gone": ("data", {"held": [], "gone": True, "recent": False}),
    "chooser": ("chooser", _CHOOSER),
    "chooser-nobody": (
        "chooser",
        _CHOOSER | {"client_name": "", "last": None, "groups": (), "q": "没有", "found": 0, "verified": True,
                    "login_hint": "teacher@dong-e", "local_url": "", "passkeys": False},
    ),
    "chooser-link": ("chooser", _CHOOSER | {"intent": "link", "passkeys": False}),
    "local": ("local", _LOCAL),
    "local-failed": ("local", _LOCAL | {"failed": True}),
    "local-waiting": ("local", _LOCAL | {"wait": 8, "intent": "link", "login": ""}),
    "consent": ("consent", _CONSENT),
    "consent-unknown": (
        "consent", _CONSENT | {"origin": "registered", "purposes": (), "policy_uri": "", "person_name": ""}
    ),
    "consent-chain": ("consent", _CONSENT | {"origin": "federation", "region": "东阿县"}),
    "error": ("error", {"chinese": "回调地址未登记", "english": "the redirect address is not registered",
                        "code": "BAD_REDIRECT_URI", "retry_after": 0}),
    "error-wait": ("error", {"chinese": "登录服务暂时不可用", "english": "sign-in is not available just now",
                             "code": "STORE_UNAVAILABLE", "retry_after": 2, "back_url": "/sign-in",
                             "back_text": "重新选择"}),
    "form_post": ("form_post", {"action": "/nowhere", "fields": [("code", "c"), ("state", "s")],
                                "client_name": "示范教学应用"}),
    "passkeys": ("passkeys", {"passkeys": [{"id": "a", "name": "办公室电脑", "created": "2026-03-01",
                                            "used": "2026-03-02"}], "recent": True, "most": False,
                              "again_url": "/sign-in/local", "note": "已添加。"}),
    "passkeys-again": ("passkeys", {"passkeys": [], "recent": False, "most": False,
                                    "again_url": "/sign-in/local", "note": ""}),
    "account": ("account", {
        "person_name": "县级教师甲", "note": "账号已关联。", "link_url": "/sign-in?intent=link",
        "passkeys_url": "/account/passkeys",
        "accounts": [
            {"id": "1", "name": "东阿县教育云平台", "level": "COUNTY", "display_name": "教师甲",
             "assurance": "NAME_VERIFIED", "here": True, "removable": True},
            {"id": "2", "name": "山东省教育云服务平台", "level": "PROVINCIAL", "display_name": "",
             "assurance": "", "here": False, "removable": True}],
        "applications": [{"client_id": "demo", "name": "示范教学应用", "since": "2026-03-01",
                          "scopes": ["openid", "profile", "graph"], "purposes": ["teaching", "roll"]}],
        "sessions": [
            {"id": "s", "since": "2026-03-01 08:00", "seen": "08:20", "via": ["东阿县教育云平台"],
             "current": True},
            {"id": "t", "since": "2026-02-27 16:12", "seen": "2026-02-28 09:00", "via": [],
             "current": False}],
    }),
    "account-empty": ("account", {"person_name": "", "note": "", "link_url": "", "passkeys_url": "",
                                  "accounts": [], "applications": [], "sessions": []}),
    "logout": ("logout", {"action": "/oauth/logout", "hidden": [("state", "s")],
                          "client_name": "示范教学应用", "clients": ["示范教学应用", "学校作业系统"],
                          "upstreams": ["东阿县教育云平台"], "cancel_url": "/account"}),
    "signed_out": ("signed_out", {"told": [{"name": "示范教学应用", "state": "done"},
                                           {"name": "学校作业系统", "state": "going"},
                                           {"name": "东阿县教育云平台", "state": "failed"}],
                                  "continue_url": "https://app.test/", "continue_name": "示范教学应用",
                                  "refresh": 0}),
    "signed_out-plain": ("signed_out", {"told": [], "continue_url": "", "continue_name": "", "refresh": 5}),
    "device": ("device", {"code": "", "wrong": True}),
    "device-link": ("device", {"code": "BCDF-GHJK", "wrong": False}),
    "device_confirm": ("device_confirm", {
        "i": "x", "code": "BCDF-GHJK", "client_name": "融通命令行", "origin": "settings", "minors": False,
        "scopes": ("openid", "graph"), "purposes": ("teaching",), "person_name": "市级管理员"}),
    "device_done": ("device_done", {"allowed": True, "client_name": "融通命令行"}),
    "device_done-refused": ("device_done", {"allowed": False, "client_name": "融通命令行"}),
    "again": ("again", {"ways": [{"name": "东阿县教育云平台", "url": "/x"}], "back_url": "/account"}),
    "merge": ("merge", {"o": "x", "kept": ["东阿县教育云平台 · 教师甲"], "gone": ["山东省教育云服务平台"],
                        "signed_out": True}),
    "onward": ("onward", {"url": "/nowhere", "name": "山东省教育云服务平台"}),
}  # fmt: skip
"""Page by page the values that its template documents."""
EVIL = "\"'><script>alert(1)</script>"
UNSEEN = """() => {
  const found = [];
  if (document.documentElement.scrollWidth > innerWidth) found.push(`wider than the window: ${innerWidth}`);
  const shown = (each) => each.getClientRects().length > 0 && getComputedStyle(each).visibility === "visible";
  for (const each of document.querySelectorAll("input:not([type=hidden]), select"))
    if (shown(each) && !each.labels.length) found.push(`no label: ${each.name}`);
  for (const each of document.querySelectorAll("a, button"))
    if (shown(each) && !(each.textContent.trim() || each.ariaLabel)) found.push("a button without name");
  for (const each of document.querySelectorAll("button, .button, input:not([type=hidden])"))
    if (shown(each) && each.getBoundingClientRect().height < 24) found.push(`too small: ${each.textContent}`);
  if (document.querySelectorAll("h1").length !== 1) found.push("not one h1");
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const layers = (element) => {
    const all = [];
    for (let each = element; each; each = each.parentElement)
      all.unshift(getComputedStyle(each).backgroundColor);
    return all;
  };
  const light = (colours) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const colour of ["#fff", ...colours]) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((each) => each / 255)
      .map((each) => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.textContent.trim();
    if (!text || !shown(element) || element.closest(".skip, option")) continue;
    const under = layers(element);
    const one = light(under);
    const other = light([...under, getComputedStyle(element).color]);
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (contrast < 4.5) found.push(`contrast ${contrast.toFixed(2)}: ${text.slice(0, 20)}`);
  }
  return found;
}"""


@asynccontextmanager
async def shown() -> AsyncIterator[str]:
    """Every sample at its name, on a real port; the address."""
    pages = Pages(Cookies("http://localhost"), KEY)

    async def page(request: Request) -> Response:
        name, values = SAMPLES[request.path_params["name"]]
        return pages.show(request, name, purpose="sample", **values)

    async def broken(request: Request) -> Response:
        raise StoreDown

    async def denied(request: Request) -> Response:
        raise Denied("BAD", f"坏{EVIL} / bad{EVIL}", 418)

    routes = [
        Route("/sample/{name}", page), Route("/broken", pages.guarded(broken)),
        Route("/denied", pages.guarded(denied), methods=["GET", "POST"]), *pages.assets.routes(),
    ]  # fmt: skip
    async with serving(Starlette(routes=routes), Server(port=0)) as url:
        yield url


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        await chromium.close()


def test_every_template_has_its_sample() -> None:
    templates = resources.files("auth").joinpath("templates").iterdir()
    names = {each.name.removesuffix(".html") for each in templates} - {"base"}
    whole = {name for name in names if not name.startswith("_")}  # the others are parts of pages
    assert whole == {name for name, _ in SAMPLES.values()}


async def test_every_page_says_the_same_things_in_both_languages_and_nothing_inline() -> None:
    async with shown() as url:
        visitor = Visitor(url)
        for name in SAMPLES:
            chinese = await visitor.get(f"/sample/{name}?lang=zh")
            english = await visitor.get(f"/sample/{name}?lang=en")
            assert (chinese.status, english.status) == (200, 200), name
            assert 'lang="zh-CN"' in chinese.text
            assert 'href="?lang=en"' in chinese.text
            assert _tags(chinese.text) == _tags(english.text), name
            assert not re.search(
                r"\sstyle=|\son\w+=|javascript:|<style|https?://(?!app\.test)", chinese.text
            ), name
            assert [each for each in re.findall(r"<script([^>]*)>", chinese.text) if "src=" not in each] == []
        await visitor.__aexit__()


def _tags(text: str) -> list[str]:
    return re.findall(r"<(\w+)", text)


async def test_xss_no_page_lets_a_value_out_of_its_place() -> None:
    pages = Pages(Cookies("http://localhost"), KEY)
    scope = {"type": "http", "method": "GET", "path": "/x", "headers": [], "query_string": b""}
    for name, values in SAMPLES.values():
        evil = {key: _evil(value) for key, value in values.items()}
        text = bytes(pages.show(Request(scope), name, purpose="sample", **evil).body).decode()
        assert "<script>alert" not in text, name
        assert not re.search(r'="[^"]*"\'>', text), name


def _evil(value: Any) -> Any:
    """The same value with every text of it replaced; what templates compare with is let be."""
    if isinstance(value, str):
        return value if value in ("sign_in", "link", "registered", "federation", "done", "failed") else EVIL
    if isinstance(value, Group):
        return Group(EVIL, tuple(_evil(each) for each in value.providers), value.more)
    if isinstance(value, Provider | Region):
        return type(value)(*(EVIL for _ in value.__slots__))
    if isinstance(value, dict):
        return {key: _evil(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_evil(each) if not _pair(each) else (EVIL, EVIL) for each in value]
    return value


def _pair(value: object) -> bool:
    return isinstance(value, tuple) and len(value) == 2


async def test_an_error_becomes_a_page_with_its_code_and_never_a_fault() -> None:
    async with shown() as url:
        visitor = Visitor(url)
        down = await visitor.get("/broken")
        assert (down.status, down.headers["Retry-After"]) == (503, "2")
        assert "STORE_UNAVAILABLE" in down.text
        assert "2 秒后重试" in down.text
        denied = await visitor.get("/denied?i=a&i=b")
        assert denied.status == 418
        assert "<script>alert" not in denied.text
        posted = await visitor.post("/denied", {})
        assert 'class="tongue"' not in posted.text
        await visitor.__aexit__()


async def test_a_page_in_the_other_language_is_relative_whatever_the_path_says() -> None:
    pages = Pages(Cookies("http://localhost"), KEY)
    scope = {
        "type": "http", "method": "GET", "path": "//evil.test/x", "query_string": b"i=1&lang=zh&q=a%22b",
        "headers": [(b"host", b"[")],
    }  # fmt: skip
    text = bytes(pages.error(Request(scope), Denied("X", "坏 / bad")).body).decode()
    assert 'href="?i=1&amp;lang=en&amp;q=a%22b"' in text
    assert "evil.test" not in text


def test_a_page_cannot_name_a_file_that_is_not_there() -> None:
    with pytest.raises(KeyError):
        Assets().address("nothing.css")


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium")
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_in_chromium_every_page_can_be_read_on_a_small_phone_by_day_and_by_night(
    browser: Browser, scheme: Any
) -> None:
    async with shown() as url:
        page = await browser.new_page(viewport={"width": 320, "height": 640}, color_scheme=scheme)
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if "Security Policy" in said.text else None)
        for name in SAMPLES:
            if name in ("form_post", "onward"):
                continue  # they leave at once; their looks are the frame's
            for lang in ("zh", "en"):
                await page.goto(f"{url}/sample/{name}?lang={lang}")
                assert await page.evaluate(UNSEEN) == [], (name, lang)
        assert faults == []
        await page.close()


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium")
async def test_in_chromium_a_page_that_is_hard_to_read_would_be_noticed(browser: Browser) -> None:
    page = await browser.new_page(viewport={"width": 320, "height": 640})
    await page.set_content(
        '<h1>a</h1><h1>b</h1><p style="color:#999">pale</p><input name="mute"><p style="width:500px">wide</p>'
    )
    found = await page.evaluate(UNSEEN)
    assert [each.partition(":")[0].split()[0] for each in found] == ["wider", "no", "too", "not", "contrast"]
    await page.close()
