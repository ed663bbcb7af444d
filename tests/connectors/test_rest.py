"""A city platform's own JSON, asked as its mapping says: contract, vendor habits, and traps."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.base import Identity, Tools
from connectors.errors import Malformed, Overloaded, Refused, SourceError, Unanswerable, Unavailable
from connectors.http import Http
from connectors.mapping import MappingRefused
from connectors.rest import Rest, RestOptions
from connectors.rest.windows import cover
from connectors.sandbox.country import Country
from connectors.sandbox.frame import Served, served
from connectors.sandbox.rest import CLIENT_ID, CLIENT_SECRET, Gate, app
from connectors.seal import Seal
from schema.model.codes import Level
from schema.model.record import Lookup, Page, lookup
from schema.model.words import Kind
from tests.contracts.connector import ConnectorContract, HandClock, Joined

DEMO = Path(__file__).parents[2] / "docker" / "demo"
SEAL = Seal(b"a key of the hub, for tests only!")
CITY = Identity("lc-platform", Level.MUNICIPAL, "371500")
WITHIN = 10.0


@pytest.fixture(scope="module")
def country() -> Country:
    return Country(today=date(2026, 11, 22))


@asynccontextmanager
async def platform(country: Country, **scope: Any) -> AsyncIterator[tuple[Rest, Served]]:
    async with served(app(country, **scope)) as twin, Http(allowed=["127.0.0.0/8"]) as http:
        yield joined_to(twin, http), twin


def joined_to(twin: Served, http: Http, **other: str) -> Rest:
    options = {
        "base_url": twin.url, "mapping": "lc-platform.toml", "token_url": f"{twin.url}/oauth/token",
        "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, **other,
    }  # fmt: skip
    return Rest(CITY, RestOptions(**options), Tools(http, SEAL, DEMO, HandClock()))


def questions(country: Country) -> list[Lookup]:
    school = country.schools[0]
    pupil = country.pupils(country.classes(school)[0])[0]
    book = country.focus_textbook
    lesson = next(c for c in country.chapters(book) if c.parent_id)
    spaces = {"match_key": [SEAL.match_key(pupil.roll_no)], "school_code": [school.code]}
    return [
        lookup(Kind.ACTIVITY, ["title", "level", "starts_at"], {"region_code": ["371500", "371502"]}),
        lookup(
            Kind.ACTIVITY, ["title", "level"], {"level": ["COUNTY"]}, since="2026-11-01", until="2026-12-01"
        ),
        lookup(Kind.COMMUNITY, ["name", "member_count"], {"subject_code": ["MATH"]}),
        lookup(Kind.NOTICE, ["title", "published_at"], {"region_code": ["371500"]}),
        lookup(Kind.NOTICE, ["title", "school_code"], {"school_code": [school.code]}),
        lookup(Kind.LIVE_SESSION, ["title", "viewer_count"], {"region_code": ["371500", "371524"]}),
        lookup(Kind.LIVE_SESSION, ["title"], since="2026-10-01", until="2026-12-01"),
        lookup(Kind.LEARNING_SPACE, ["opened_on", "real_name"], spaces),
        lookup(Kind.HOMEWORK_STAT, ["published"], {"region_code": ["371502"], "period": ["2026-11"]}),
        lookup(Kind.PLATFORM_USAGE, ["page_views"], {"region_code": ["371500"], "period": ["2026-11"]}),
        lookup(Kind.RESOURCE, ["title", "files"], {"chapter_keys": [lesson.id]}),
        lookup(Kind.RESOURCE, ["title", "level"], {"subject_code": ["MATH"], "stage": ["PRIMARY"]}),
        lookup(Kind.RESOURCE, ["title"], {"grade_code": ["G05"]}, text="小数"),
        lookup(Kind.RESOURCE_COLLECTION, ["name", "resource_count"], {"key": ["lc-platform:col-cloud"]}),
        lookup(Kind.KNOWLEDGE_POINT, ["name", "prerequisite_keys"], {"subject_code": ["MATH"]}),
        lookup(Kind.APPLICATION, ["name", "origin"]),
        lookup(Kind.METRIC, ["value", "printed"], {"region_code": ["371500"]}),
        lookup(Kind.HONOUR, ["title"], {"region_code": [unit.code for unit in country.units]}),
        lookup(Kind.SCHOOL, ["name", "class_count"], {"region_code": ["371503"]}),
    ]


class TestRest(ConnectorContract):
    @pytest.fixture
    async def joined(self, country: Country) -> AsyncIterator[Joined]:
        async with Http(allowed=["127.0.0.0/8"]) as http, AsyncExitStack() as server:
            twin = await server.enter_async_context(served(app(country)))
            connector = joined_to(twin, http)
            # A token from before the fault, so that the fault is met at the platform's own lists.
            await connector.probe(WITHIN)

            async def break_with(mode: str) -> None:
                if mode == "dead":
                    await server.aclose()
                else:
                    twin.frame.mode = mode

            yield Joined(connector, questions(country), break_with, calls=twin.frame.calls.total)


async def test_a_county_of_a_withdrawn_name_is_found_under_its_new_code(country: Country) -> None:
    async with platform(country) as (rest, _):
        answer = await rest.look_up(lookup(Kind.SCHOOL, ["region_code"], {"region_code": ["371503"]}), WITHIN)
        odd = set(country.oddities()["withdrawn_region"])
        assert odd < {record.key for record in answer.records}
        assert {record.values["region_code"] for record in answer.records} == {"371503"}


async def test_dates_without_a_zone_are_chinas_and_counts_in_text_are_numbers(country: Country) -> None:
    async with platform(country) as (rest, _):
        wanted = lookup(Kind.ACTIVITY, ["starts_at", "participant_count"], {"level": ["MUNICIPAL"]})
        record = (await rest.look_up(wanted, WITHIN)).records[0]
        assert re.fullmatch(r"2026-\d\d-\d\dT08:00:00\+08:00", record.values["starts_at"])
        assert isinstance(record.values["participant_count"], int)
        usage = lookup(Kind.PLATFORM_USAGE, ["page_views"], {"period": ["2026-11"]})
        told = (await rest.look_up(usage, WITHIN)).records[0].values["page_views"]
        assert told == next(u.page_views for u in country.platform_usage() if u.platform == "lc-city")


async def test_many_values_of_a_filter_travel_in_one_request(country: Country) -> None:
    async with platform(country) as (rest, twin):
        await rest.probe(WITHIN)
        twin.frame.calls.clear()
        everywhere = {"region_code": [unit.code for unit in country.units], "level": ["COUNTY", "SCHOOL"]}
        answer = await rest.look_up(
            lookup(Kind.ACTIVITY, ["title"], everywhere, since="2026-11-01", until="2026-12-01"), WITHIN
        )
        assert len(answer.records) > 10
        assert twin.frame.calls.total() == 1


async def test_a_token_that_ended_early_is_renewed_once_and_unseen(country: Country) -> None:
    twin_app = app(country)
    gate: Gate = twin_app.state.gate
    async with served(twin_app) as twin, Http(allowed=["127.0.0.0/8"]) as http:
        rest = joined_to(twin, http)
        question = lookup(Kind.APPLICATION, ["name"])
        await rest.look_up(question, WITHIN)
        gate.forget()
        assert (await rest.look_up(question, WITHIN)).records
        assert twin.frame.calls["/oauth/token"] == 2


async def test_a_wrong_client_secret_is_refused_and_never_printed(country: Country) -> None:
    async with served(app(country)) as twin, Http(allowed=["127.0.0.0/8"]) as http:
        rest = joined_to(twin, http, client_secret="not-the-secret")
        with pytest.raises(Refused) as caught:
            await rest.look_up(lookup(Kind.APPLICATION, ["name"]), WITHIN)
        assert "not-the-secret" not in caught.value.detail + repr(rest.settings)


async def test_a_learning_space_is_never_searched_through_the_whole_city(country: Country) -> None:
    async with platform(country) as (rest, _):
        with pytest.raises(Unanswerable):
            await rest.look_up(lookup(Kind.LEARNING_SPACE, ["url"], {"match_key": ["x"]}), WITHIN)


async def test_a_harvest_brings_every_resource_of_the_city(country: Country) -> None:
    async with platform(country) as (rest, _):
        keys = {r.key async for b in rest.harvest(Kind.RESOURCE, "", WITHIN) for r in b.records}
        assert len(keys) == country.totals()["resources_municipal"]


@pytest.mark.parametrize(
    ("offset", "limit", "largest"), [(0, 7, 100), (7, 7, 100), (5, 10, 100), (150, 100, 60)]
)
def test_pages_asked_for_cover_the_window(offset: int, limit: int, largest: int) -> None:
    size, pages = cover(offset, limit, largest)
    assert size <= largest
    assert pages[0] * size <= offset
    assert offset + limit <= (pages[-1] + 1) * size


# A vendor that misbehaves, one answer at a time

SMALL = """
[envelope]
code = "code"
absent = ["404"]
refused = ["403"]
overloaded = ["429"]
unavailable = ["503"]
[endpoints.books]
path = "/books"
list = "data.list"
total = "data.total"
next = "data.next"
paging = "PAGING"
largest = 10
[kinds.Application]
from = "books"
key = "id"
[kinds.Application.fields]
name = "mc"
access_level = { from = "jb", codes = "levels" }
"""


@asynccontextmanager
async def vendor(folder: Path, data: Any, *, code: object = 0, paging: str = "page") -> AsyncIterator[Rest]:
    async def answer(_: Request) -> Response:
        return JSONResponse({"code": code, "msg": "张三的密码错误", "data": data})

    (folder / "m.toml").write_text(SMALL.replace("PAGING", paging), "utf-8")
    twin_app = Starlette(routes=[Route("/books", answer)])
    async with served(twin_app) as twin, Http(allowed=["127.0.0.0/8"]) as http:
        yield Rest(CITY, RestOptions(base_url=twin.url, mapping="m.toml"), Tools(http, SEAL, folder))


BOOKS = lookup(Kind.APPLICATION, ["name", "access_level"])


@pytest.mark.parametrize(
    ("code", "error"),
    [("403", Refused), (429, Overloaded), ("503", Unavailable), (500, Malformed), (None, Malformed)],
)
async def test_an_error_inside_a_200_is_the_error_it_is(
    tmp_path: Path, code: object, error: type[SourceError]
) -> None:
    async with vendor(tmp_path, None, code=code) as rest:
        with pytest.raises(error) as caught:
            await rest.look_up(BOOKS, WITHIN)
        assert type(caught.value) is error
        assert "张三" not in caught.value.detail


async def test_no_such_thing_inside_a_200_is_an_empty_answer(tmp_path: Path) -> None:
    async with vendor(tmp_path, None, code=404) as rest:
        assert (await rest.look_up(BOOKS, WITHIN)).records == ()


async def test_a_page_shorter_than_its_total_promises_is_not_taken_for_the_whole(tmp_path: Path) -> None:
    async with vendor(tmp_path, {"list": [{"id": 1, "mc": "a"}], "total": 9}) as rest:
        with pytest.raises(Malformed, match="shorter"):
            await rest.look_up(BOOKS, WITHIN)


@pytest.mark.parametrize(
    "data", [{"total": 3}, {"list": {}, "total": 1}, {"list": ["x"], "total": 1}, [], "x"]
)
async def test_an_answer_of_another_shape_is_malformed(tmp_path: Path, data: Any) -> None:
    async with vendor(tmp_path, data) as rest:
        with pytest.raises(Malformed):
            await rest.look_up(BOOKS, WITHIN)


async def test_a_next_page_at_another_origin_is_not_followed(tmp_path: Path) -> None:
    data = {"list": [{"id": 1}], "total": "1", "next": "http://127.0.0.2:9/books?from=2"}
    async with vendor(tmp_path, data, paging="link") as rest:
        with pytest.raises(Malformed, match="origin"):
            await rest.look_up(BOOKS, WITHIN)


async def test_pages_that_go_in_a_circle_are_left(tmp_path: Path) -> None:
    async with vendor(tmp_path, {"list": [{"id": 1}], "total": 1, "next": "same"}, paging="cursor") as rest:
        with pytest.raises(Malformed, match="circle"):
            await rest.look_up(BOOKS, WITHIN)


async def test_an_unknown_code_makes_the_field_absent_and_is_remarked_without_its_value(
    tmp_path: Path,
) -> None:
    rows = [{"id": 1, "mc": "a", "jb": "宇宙级"}, {"id": 2, "mc": "b", "jb": "国家"}, {"mc": "无键"}]
    async with vendor(tmp_path, {"list": rows, "total": 3}) as rest:
        answer = await rest.look_up(BOOKS, WITHIN)
        assert [r.values for r in answer.records] == [
            {"name": "a"},
            {"name": "b", "access_level": "NATIONAL"},
        ]
        assert len(answer.remarks) == 2
        assert "宇宙级" not in "".join(answer.remarks)


async def test_a_page_with_no_rows_or_a_negative_start_is_our_fault(tmp_path: Path) -> None:
    async with vendor(tmp_path, {"list": [], "total": 0}) as rest:
        for page in (Page(0, 0), Page(-1, 5)):
            with pytest.raises(Unanswerable):
                await rest.look_up(lookup(Kind.APPLICATION, ["name"], page=page), WITHIN)


def test_a_mapping_with_faults_of_its_endpoints_is_refused_with_all_of_them(tmp_path: Path) -> None:
    bad = (
        SMALL.replace('"/books"', '"books/../x"').replace('"data.list"', '"data.["').replace("PAGING", "page")
    )
    (tmp_path / "m.toml").write_text(bad.replace('from = "books"', 'from = "boks"'), "utf-8")
    with pytest.raises(MappingRefused) as caught:
        Rest(CITY, RestOptions(base_url="http://127.0.0.1", mapping="m.toml"), Tools(Http(), SEAL, tmp_path))
    text = str(caught.value)
    assert len(caught.value.flaws) == 3
    assert "did you mean books?" in text
    assert "JMESPath" in text


def test_a_mapping_outside_the_configuration_folder_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="outside"):
        Rest(
            CITY, RestOptions(base_url="http://127.0.0.1", mapping="../m.toml"), Tools(Http(), SEAL, tmp_path)
        )


async def test_what_a_platform_wants_to_be_asked_by_is_declared_and_never_forgotten(
    country: Country, tmp_path: Path
) -> None:
    async with platform(country) as (rest, twin):
        before = twin.frame.calls.total()
        with pytest.raises(Unanswerable, match="school_code"):
            await rest.look_up(lookup(Kind.LEARNING_SPACE, ["opened_on"]), WITHIN)
        assert twin.frame.calls.total() == before
    said = (DEMO / "lc-platform.toml").read_text("utf-8")
    wrong = said.replace('needs = ["school_code"]', 'needs = ["school_cod"]')
    (tmp_path / "m.toml").write_text(wrong, "utf-8")
    with pytest.raises(MappingRefused, match="school_code"):
        Rest(CITY, RestOptions(base_url="http://127.0.0.1", mapping="m.toml"), Tools(Http(), SEAL, tmp_path))


async def test_a_filter_that_the_platform_ignores_widens_nothing_and_is_remarked(country: Country) -> None:
    async with platform(country) as (rest, _):
        some = lookup(Kind.RESOURCE, ["title", "subject_code"], {"subject_code": ["MATH"]}, page=Page(0, 3))
        own = [record.key for record in (await rest.look_up(some, WITHIN)).records]
        # Where ids are given, the platform looks at nothing else.
        both = lookup(Kind.RESOURCE, ["title"], {"key": own, "subject_code": ["CHINESE"]})
        answer = await rest.look_up(both, WITHIN)
        assert answer.records == ()
        assert any("ignored" in remark for remark in answer.remarks)
