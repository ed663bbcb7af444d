"""The query page needs nothing but its own hub."""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path

import aiohttp
import pytest
from graphql import parse
from starlette.applications import Starlette

from hub.web.page import page_routes
from tests.hub.web.served import SDL, Hub, hub, serving

STATIC = resources.files("hub.web").joinpath("static")
OURS = ["page.html", "page.js", "page.told.js", "page.css", "examples.json"]
TEACHER = {"name": "teacher", "title_zh": "县级教师", "title_en": "county teacher", "token": "t"}


async def test_every_file_that_the_page_names_is_served_and_kept_for_a_year(demo: Hub) -> None:
    async with demo.http.get(f"{demo.url}/") as answer:
        assert answer.status == 200
        page = await answer.text()
    names = re.findall(r'(?:src|href)="(/[^"]*)"', page)
    assert len(names) == 10
    for name in names:
        async with demo.http.get(demo.url + name) as answer:
            assert answer.status == 200, name
            if name.startswith("/static/"):
                assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
            body = await answer.read()
            assert body
            etag = answer.headers["ETag"]
        async with demo.http.get(demo.url + name, headers={"If-None-Match": etag}) as answer:
            assert answer.status == 304


async def test_a_file_asked_for_under_an_old_digest_is_not_kept(demo: Hub) -> None:
    async with demo.http.get(f"{demo.url}/static/page.js?v=0000") as answer:
        assert answer.headers["Cache-Control"] == "no-cache"


async def test_the_page_lets_no_foreign_script_frame_or_request_in(demo: Hub) -> None:
    async with demo.http.get(f"{demo.url}/") as answer:
        policy = answer.headers["Content-Security-Policy"]
        headers = answer.headers
        page = await answer.text()
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    for name in ("default-src", "script-src", "style-src", "connect-src"):
        assert directives[name] == "'self'"
    assert directives["frame-ancestors"] == directives["base-uri"] == "'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)
    assert not re.search(r"<style|\sstyle=|\son\w+=", page)


@pytest.mark.parametrize("name", OURS)
def test_what_we_wrote_names_no_other_host(name: str) -> None:
    text = STATIC.joinpath(name).read_text(encoding="utf-8")
    assert not re.search(r"(?:https?:|wss?:)?//[a-z0-9]", text, re.IGNORECASE)


def test_the_vendored_style_sheet_fetches_nothing() -> None:
    text = STATIC.joinpath("graphiql.min.css").read_text(encoding="utf-8")
    assert set(re.findall(r"url\(['\"]?([a-z]+:|[^'\")]{0,20})", text)) <= {"data:"}
    assert "@import" not in text


@pytest.mark.parametrize(
    "path",
    ["/static/../page.py", "/static/%2e%2e/page.py", "/static/..%2fpage.py", "/static//etc/passwd",
     "/static/", "/static/licences", "/static/page.html", "/static/%00", "/static/....//page.py",
     "/static/..\\page.py"],
)  # fmt: skip
async def test_nothing_else_can_be_reached(demo: Hub, path: str) -> None:
    answer = await demo.raw(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert answer.split(b" ")[1] in (b"404", b"400")
    assert b"from __future__" not in answer


async def test_the_licences_of_what_is_vendored_come_with_it(demo: Hub) -> None:
    for name in ("graphiql-4.1.2", "react-18.2.0", "react-dom-18.2.0"):
        async with demo.http.get(f"{demo.url}/static/licences/{name}.txt") as answer:
            assert "MIT License" in await answer.text()


async def test_demo_personas_exist_in_the_demo_only(demo: Hub) -> None:
    async with demo.http.get(f"{demo.url}/demo/personas.json") as answer:
        assert answer.status == 404
    async with hub(personas=[TEACHER]) as other, other.http.get(f"{other.url}/demo/personas.json") as answer:
        assert await answer.json() == [TEACHER]
        assert answer.headers["Cache-Control"] == "no-store"


async def test_personas_that_are_made_at_each_visit_have_fresh_tokens() -> None:
    issued = iter(["first", "second"])
    routed = Starlette(routes=page_routes(lambda: [TEACHER | {"token": next(issued)}]))
    async with serving(routed) as port, aiohttp.ClientSession() as client:
        for token in ("first", "second"):
            async with client.get(f"http://127.0.0.1:{port}/demo/personas.json") as answer:
                assert await answer.json() == [TEACHER | {"token": token}]


def test_every_example_is_a_query_with_a_persona_and_both_languages() -> None:
    examples = json.loads(STATIC.joinpath("examples.json").read_text(encoding="utf-8"))
    assert {"teacher", "pupil", "guardian", "officer", "anonymous"} == {each["persona"] for each in examples}
    for each in examples:
        assert set(each) == {"id", "title_zh", "title_en", "persona", "query", "variables"}
        parse(each["query"])


async def test_the_schema_is_there_as_text(demo: Hub) -> None:
    async with demo.http.get(f"{demo.url}/schema.graphql") as answer:
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert await answer.text() == SDL
    async with hub(sdl=None) as closed, closed.http.get(f"{closed.url}/schema.graphql") as answer:
        assert answer.status == 404


def test_all_vendored_files_are_named_in_the_page() -> None:
    page = STATIC.joinpath("page.html").read_text(encoding="utf-8")
    vendored = [Path(entry.name) for entry in STATIC.iterdir() if ".min." in entry.name]
    assert len(vendored) == 4
    assert all(f"/static/{name}" in page for name in vendored)
