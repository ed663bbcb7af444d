"""The national platform, over real sockets against its twin: the contract, the five traps, the harvest."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from connectors.base import Identity, Tools
from connectors.errors import Malformed, SourceError, Unanswerable, Unavailable
from connectors.http import Http
from connectors.sandbox import smartedu as twin
from connectors.sandbox.country import Chapter, Country, Resource
from connectors.sandbox.frame import Served, served
from connectors.seal import Seal
from connectors.smartedu import SmartEdu, SmartEduOptions, shapes
from connectors.smartedu.entry import entries, gathered
from connectors.smartedu.harvest import mark_of
from connectors.smartedu.pages import printed
from connectors.smartedu.tags import tag_tree
from connectors.smartedu.trees import nodes
from schema.model.codes import Level
from schema.model.record import Batch, Page, lookup
from schema.model.words import Kind
from tests.contracts.connector import WITHIN, ConnectorContract, HandClock, Joined

COUNTRY = Country(today=date(2026, 10, 15))
BOOK = COUNTRY.focus_textbook
RECORDS = len(COUNTRY.textbooks()) + 2 * len(COUNTRY.oddities()["no_pdf"])
NATIONAL = COUNTRY.resources("NATIONAL")
SAMPLE = json.loads(Path(__file__).with_name("smartedu_shapes.json").read_text("utf-8"))


@dataclass
class Setting:
    """A connector, its twin, and the twin's own state."""

    source: SmartEdu
    served: Served
    state: Any

    def asked(self, part: str) -> int:
        return sum(count for path, count in self.served.frame.calls.items() if part in path)


@asynccontextmanager
async def setting(
    country: Country = COUNTRY, *, part_size: int = 1000, **options: Any
) -> AsyncIterator[Setting]:
    site = twin.app(country, part_size=part_size, compound_books=True)
    async with served(site) as up, Http(allowed=["127.0.0.0/8"]) as http:
        bases = tuple(f"{up.url}/{mirror}" for mirror in twin.MIRRORS)
        tools = Tools(http, Seal(b"k" * 32), now=HandClock())
        identity = Identity("smartedu", Level.NATIONAL, "000000")
        source = SmartEdu(identity, SmartEduOptions(bases=bases, **options), tools)
        try:
            yield Setting(source, up, site.state)
        finally:
            await source.aclose()


@pytest.fixture
async def country() -> AsyncIterator[Setting]:
    async with setting() as here:
        yield here


def first_lesson() -> Chapter:
    return next(chapter for chapter in COUNTRY.chapters(BOOK) if chapter.parent_id)


def compound() -> tuple[Resource, Resource]:
    """A part of a compound of the national platform, and its parent."""
    part = next(row for row in NATIONAL if row.compound == "sub")
    parent = COUNTRY.resource(part.parent_id or "")
    assert parent is not None
    return part, parent


class TestContract(ConnectorContract):
    @pytest.fixture
    async def joined(self) -> AsyncIterator[Joined]:
        async with setting() as here:
            frame = here.served.frame

            async def break_with(mode: str) -> None:
                here.state.mirrors |= dict.fromkeys(twin.MIRRORS, "dead" if mode == "dead" else "ok")
                frame.mode = "ok" if mode == "dead" else mode

            yield Joined(
                here.source,
                [
                    lookup(
                        Kind.TEXTBOOK, ["title", "stage"], {"stage": ["PRIMARY"], "subject_code": ["MATH"]}
                    ),
                    lookup(Kind.CHAPTER, ["title", "page"], {"textbook_key": [BOOK.id]}),
                    lookup(Kind.RESOURCE, ["title"], {"textbook_key": [BOOK.id]}),
                    lookup(Kind.RESOURCE, ["title"], {"textbook_key": [compound()[1].textbook_id]}),
                ],
                break_with,
                calls=lambda: frame.calls.total(),
            )


async def test_every_textbook_of_the_country_is_told_as_it_is(country: Setting) -> None:
    offered = country.source.capabilities.offers[Kind.TEXTBOOK].fields
    answer = await country.source.look_up(lookup(Kind.TEXTBOOK, offered), WITHIN)
    told = {record.key: record.values for record in answer.records}
    for book in COUNTRY.textbooks():
        values = told[book.id]
        assert values["title"] == book.title
        assert (values["stage"], values["subject_code"]) == (book.stage, book.subject_code)
        assert values.get("grade_code", "") == book.grade_code
        assert (values["version_name"], values["volume"]) == (book.version_name, book.volume)
        assert values["has_pdf"] is book.has_pdf
        assert values["providers"] == [book.publisher]
    assert (
        answer.total
        == len(told)
        == len(COUNTRY.textbooks()) + 2 * sum(not b.has_pdf for b in COUNTRY.textbooks())
    )


async def test_five_four_books_stand_apart_from_six_three_ones(country: Setting) -> None:
    where = {"schooling_system": ["S54"], "grade_code": ["G06"]}
    answer = await country.source.look_up(lookup(Kind.TEXTBOOK, ["stage"], where), WITHIN)
    assert {record.values["stage"] for record in answer.records} == {"JUNIOR"}
    expected = {b.id for b in COUNTRY.textbooks() if b.five_four and b.grade_code == "G06"}
    assert expected <= {record.key for record in answer.records}


async def test_a_book_that_gives_only_its_path_gets_its_tags_from_the_tree(country: Setting) -> None:
    bare = next(book for book in COUNTRY.textbooks() if book.index % 29 == 3)
    wanted = lookup(Kind.TEXTBOOK, ["stage", "subject_code", "volume"], {"key": [bare.id]})
    (record,) = (await country.source.look_up(wanted, WITHIN)).records
    assert record.values == {"stage": bare.stage, "subject_code": bare.subject_code, "volume": bare.volume}


async def test_the_catalogue_is_read_once_and_then_asked_for_its_version_only(country: Setting) -> None:
    question = lookup(Kind.TEXTBOOK, ["title"], {"key": [BOOK.id]})
    for _ in range(3):
        await country.source.look_up(question, WITHIN)
    assert country.asked("tch_material/version") == 1
    assert country.asked("part_100") == 1


async def test_a_catalogue_due_for_a_check_is_read_again_only_when_its_version_changed() -> None:
    async with setting(recheck=0.0) as here:
        question = lookup(Kind.TEXTBOOK, ["title"], {"key": [BOOK.id]})
        for _ in range(2):
            await here.source.look_up(question, WITHIN)
        assert (here.asked("tch_material/version"), here.asked("part_100")) == (2, 1)
        here.state.version += 1
        await here.source.look_up(question, WITHIN)
        assert (here.asked("tch_material/version"), here.asked("part_100")) == (3, 2)


async def test_what_is_found_unchanged_is_as_fresh_as_that_and_what_is_remembered_is_not() -> None:
    questions = [
        lookup(Kind.TEXTBOOK, ["title"], {"key": [BOOK.id]}),
        lookup(Kind.CHAPTER, ["title"], {"textbook_key": [BOOK.id]}),
        lookup(Kind.RESOURCE, ["title"], {"textbook_key": [BOOK.id]}),
    ]
    for recheck in (0.0, 600.0):
        async with setting(recheck=recheck) as here:
            clock = here.source.tools.now
            assert isinstance(clock, HandClock)
            for question in questions:
                await here.source.look_up(question, WITHIN)
            read = clock()
            clock.ahead += 50.0
            for question in questions:
                told = (await here.source.look_up(question, WITHIN)).records
                ages = [one.fetched_at - read for one in told]
                assert ages
                assert min(ages) > 49.0 if recheck == 0.0 else max(ages) <= 0.0


async def test_chapters_stand_where_the_book_puts_them_with_their_printed_pages(country: Setting) -> None:
    for book in (BOOK, COUNTRY.textbooks()[BOOK.index + 1]):  # one tree is a list, the other an object
        fields = ["title", "order", "page", "path", "parent_key", "textbook_key", "depth"]
        answer = await country.source.look_up(
            lookup(Kind.CHAPTER, fields, {"textbook_key": [book.id]}), WITHIN
        )
        expected = COUNTRY.chapters(book)
        assert [record.key for record in answer.records] == [chapter.id for chapter in expected]
        for record, chapter in zip(answer.records, expected, strict=True):
            assert record.values["title"] == chapter.title
            assert record.values["page"] == chapter.page
            assert record.values.get("parent_key") == chapter.parent_id
            assert record.values["depth"] == (1 if chapter.parent_id else 0)
            assert str(record.values["path"]).endswith(chapter.path)
        tops = [record.values["order"] for record in answer.records if record.values["depth"] == 0]
        assert tops == list(range(1, len(tops) + 1))


async def test_a_chapter_is_found_by_its_key_alone_and_the_search_is_not_repeated(country: Setting) -> None:
    last = COUNTRY.textbooks()[-1]
    keys = [first_lesson().id, COUNTRY.chapters(last)[0].id]
    question = lookup(Kind.CHAPTER, ["textbook_key"], {"key": keys})
    found = (await country.source.look_up(question, WITHIN)).records
    assert {record.key: record.values["textbook_key"] for record in found} == {
        keys[0]: BOOK.id,
        keys[1]: last.id,
    }
    unknown = lookup(Kind.CHAPTER, ["title"], {"key": ["00000000-0000-4000-8000-000000000000"]})
    assert (await country.source.look_up(unknown, WITHIN)).records == ()
    swept = country.asked("/trees/")
    assert swept <= RECORDS
    assert (await country.source.look_up(unknown, WITHIN)).records == ()
    await country.source.look_up(question, WITHIN)
    assert country.asked("/trees/") == swept


async def test_children_of_a_chapter_are_found_without_naming_the_book(country: Setting) -> None:
    unit = COUNTRY.chapters(BOOK)[0]
    answer = await country.source.look_up(lookup(Kind.CHAPTER, ["order"], {"parent_key": [unit.id]}), WITHIN)
    expected = [chapter.id for chapter in COUNTRY.chapters(BOOK) if chapter.parent_id == unit.id]
    assert [record.key for record in answer.records] == expected


async def test_resources_of_a_chapter_are_all_of_them_and_no_other(country: Setting) -> None:
    lesson = first_lesson()
    where = {"chapter_keys": [lesson.id], "textbook_key": [BOOK.id]}
    answer = await country.source.look_up(lookup(Kind.RESOURCE, ["title", "chapter_keys"], where), WITHIN)
    expected = {
        f"smartedu:{row.id}" for row in NATIONAL if row.chapter_id == lesson.id and row.compound != "sub"
    }
    assert {record.key for record in answer.records if "~" not in record.key} == expected
    assert country.asked("/trees/") == 0
    assert country.served.frame.calls.total() == 3  # two lists and the addresses of one


async def test_resources_of_a_chapter_are_found_without_naming_the_book(country: Setting) -> None:
    question = lookup(Kind.RESOURCE, ["title"], {"chapter_keys": [first_lesson().id]})
    both = lookup(Kind.RESOURCE, ["title"], {"chapter_keys": [first_lesson().id], "textbook_key": [BOOK.id]})
    alone = {record.key for record in (await country.source.look_up(question, WITHIN)).records}
    assert alone == {record.key for record in (await country.source.look_up(both, WITHIN)).records} != set()


async def test_a_part_of_a_compound_inherits_from_its_parent_and_is_found_without_having_been_seen(
    country: Setting,
) -> None:
    part, parent = compound()
    fields = ["title", "subject_code", "version_name", "textbook_key", "chapter_keys", "parent_key", "files"]
    question = lookup(Kind.RESOURCE, fields, {"key": [f"smartedu:{parent.id}~{part.id}"]})
    (record,) = (await country.source.look_up(question, WITHIN)).records
    assert record.values["title"] == part.title
    assert record.values["subject_code"] == parent.subject_code
    assert record.values["version_name"] == parent.version_name
    assert record.values["textbook_key"] == parent.textbook_id
    assert record.values["chapter_keys"] == [parent.chapter_id]
    assert record.values["parent_key"] == f"smartedu:{parent.id}"
    assert country.asked("/details/") == 1


async def test_a_part_of_a_textbook_inherits_its_tags_from_the_whole(
    country: Setting,
) -> None:
    whole = next(book for book in COUNTRY.textbooks() if not book.has_pdf)
    where = {"version_name": [whole.version_name], "subject_code": [whole.subject_code],
             "stage": [whole.stage], "volume": [whole.volume]}  # fmt: skip
    answer = await country.source.look_up(lookup(Kind.TEXTBOOK, ["title", "has_pdf"], where), WITHIN)
    parts = [record for record in answer.records if record.values["title"].startswith(f"{whole.title}（第")]
    assert len(parts) == 2
    assert not any(record.values["has_pdf"] for record in parts)


async def test_what_is_gone_or_forbidden_is_simply_not_there(country: Setting) -> None:
    part, _ = compound()
    stone = next(row for row in NATIONAL if row.tombstone)
    keys = [f"smartedu:{row.id}" for row in (part, stone)]
    answer = await country.source.look_up(lookup(Kind.RESOURCE, ["title"], {"key": keys}), WITHIN)
    assert answer.records == ()


async def test_files_are_described_and_none_is_linked_that_lies_behind_a_login(country: Setting) -> None:
    row = next(row for row in NATIONAL if row.compound is None and row.page_count)
    fields = ["files", "landing_url", "content_hash", "page_count", "created_at"]
    question = lookup(Kind.RESOURCE, fields, {"key": [f"smartedu:{row.id}"]})
    (record,) = (await country.source.look_up(question, WITHIN)).records
    source = next(file for file in record.values["files"] if file["role"] == "source")
    assert source["needs_login"] is True
    assert "url" not in source
    assert next(file for file in record.values["files"] if file["role"] == "cover")["needs_login"] is False
    assert record.values["content_hash"] == row.md5
    assert record.values["page_count"] == row.page_count
    assert record.values["created_at"] == row.created_at[:19] + ".000+08:00"
    assert record.values["landing_url"].endswith(row.id)


async def test_tags_that_share_an_id_are_told_apart_by_their_paths(country: Setting) -> None:
    tree = tag_tree(twin._root(COUNTRY.tag_tree()))
    by_id: dict[str, set[str]] = {}
    for path, tag in tree.items():
        by_id.setdefault(tag.tag_id, set()).add(path)
    assert max(map(len, by_id.values())) > 10
    rows = [next(r for r in NATIONAL if r.compound is None and r.subject_code == s and r.grade_code == "G05")
            for s in ("MATH", "CHINESE")]  # fmt: skip
    question = lookup(Kind.RESOURCE, ["tags"], {"key": [f"smartedu:{row.id}" for row in rows]})
    records = (await country.source.look_up(question, WITHIN)).records
    grades = [tag for record in records for tag in record.values["tags"] if tag["dimension"] == "zxxnj"]
    assert len({tag["tag_id"] for tag in grades}) == 1
    assert len({tag["path"] for tag in grades}) == 2


@pytest.mark.parametrize("fault", ["dead", "forbidden", "garbage", "hang"])
async def test_one_broken_mirror_is_passed_over_and_then_avoided(country: Setting, fault: str) -> None:
    country.state.mirrors["m1"] = fault
    question = lookup(Kind.CHAPTER, ["title"], {"textbook_key": [BOOK.id]})
    assert (await country.source.look_up(question, WITHIN)).records
    before = country.asked("/m1/")
    await country.source.look_up(lookup(Kind.TEXTBOOK, ["title"], {"key": [BOOK.id]}), WITHIN)
    assert country.asked("/m1/") == before


async def test_two_broken_mirrors_leave_a_third_and_three_an_error(country: Setting) -> None:
    country.state.mirrors |= {"m1": "dead", "m2": "garbage"}
    question = lookup(Kind.CHAPTER, ["title"], {"textbook_key": [BOOK.id]})
    assert (await country.source.look_up(question, WITHIN)).records
    country.state.mirrors["m3"] = "dead"
    other = lookup(Kind.CHAPTER, ["title"], {"textbook_key": [COUNTRY.textbooks()[0].id]})
    with pytest.raises(Unavailable):
        await country.source.look_up(other, WITHIN)
    country.state.mirrors["m2"] = "ok"
    assert (await country.source.look_up(other, WITHIN)).records


async def test_everything_at_once_is_refused_rather_than_swept_together(country: Setting) -> None:
    for kind in (Kind.CHAPTER, Kind.RESOURCE):
        with pytest.raises(Unanswerable):
            await country.source.look_up(lookup(kind, ["title"]), WITHIN)


async def test_an_unchanged_version_costs_one_request_a_module(country: Setting) -> None:
    whole = [batch async for batch in country.source.harvest(Kind.RESOURCE, "", WITHIN)]
    country.served.frame.calls.clear()
    assert [b async for b in country.source.harvest(Kind.RESOURCE, whole[-1].checkpoint, WITHIN)] == []
    assert country.served.frame.calls.total() == 2
    country.state.version += 1
    again = [batch async for batch in country.source.harvest(Kind.RESOURCE, whole[-1].checkpoint, WITHIN)]
    assert _keys(again) == _keys(whole)


def _keys(batches: list[Batch]) -> list[str]:
    return [record.key for batch in batches for record in batch.records]


async def test_a_harvest_is_every_national_resource_once(country: Setting) -> None:
    keys = _keys([batch async for batch in country.source.harvest(Kind.RESOURCE, "", WITHIN)])
    expected = {f"smartedu:{f'{r.parent_id}~{r.id}' if r.compound == 'sub' else r.id}" for r in NATIONAL}
    assert len(keys) == len(set(keys))
    assert set(keys) == expected


@pytest.mark.parametrize("died_after", [1, 4, 7])
async def test_a_harvest_that_died_half_way_goes_on_where_it_was(died_after: int) -> None:
    async with setting(part_size=700) as here:
        whole = [batch async for batch in here.source.harvest(Kind.RESOURCE, "", WITHIN)]
        first: list[Batch] = []

        async def dying() -> None:
            async for batch in here.source.harvest(Kind.RESOURCE, "", WITHIN):
                first.append(batch)
                if len(first) == died_after:
                    raise ConnectionAbortedError

        with pytest.raises(ConnectionAbortedError):
            await dying()
        rest = [b async for b in here.source.harvest(Kind.RESOURCE, first[-1].checkpoint, WITHIN)]
        assert _keys(first) + _keys(rest) == _keys(whole)
        told = [r.values for b in (*first, *rest) for r in b.records]
        assert told == [r.values for b in whole for r in b.records]  # parts found their parents again


async def test_a_source_that_dies_during_a_harvest_says_so_and_loses_nothing(country: Setting) -> None:
    got: list[Batch] = []

    async def read() -> None:
        async for batch in country.source.harvest(Kind.RESOURCE, "", WITHIN):
            got.append(batch)
            country.served.frame.mode = "error" if len(got) >= 3 else "ok"

    with pytest.raises(SourceError):
        await read()
    country.served.frame.mode = "ok"
    rest = [b async for b in country.source.harvest(Kind.RESOURCE, got[-1].checkpoint, WITHIN)]
    whole = [b async for b in country.source.harvest(Kind.RESOURCE, "", WITHIN)]
    assert _keys(got) + _keys(rest) == _keys(whole)


@pytest.mark.parametrize("strange", ["", "nonsense", "[]", '{"part":-1}', '{"done":3}', "\ud800"])
def test_a_checkpoint_nobody_can_read_means_a_fresh_start(strange: str) -> None:
    assert mark_of(strange).part == 0
    assert mark_of(strange).done == {}


async def test_pages_of_textbooks_walk_the_whole_catalogue(country: Setting) -> None:
    seen: list[str] = []
    more = True
    while more:
        answer = await country.source.look_up(
            lookup(Kind.TEXTBOOK, ["title"], page=Page(len(seen), 50)), WITHIN
        )
        seen += [record.key for record in answer.records]
        more = answer.more
    assert len(seen) == len(set(seen)) == answer.total


# The shapes as read in public clients, each value hand-made


def test_the_sample_reads_as_its_maker_expects() -> None:
    book, part = gathered(entries(SAMPLE["part_100.json"]), {})
    assert part.sub
    assert part.tags == book.tags
    assert shapes.version(SAMPLE["data_version.json"])[0] == "1733284000000"
    assert printed(SAMPLE["ebook_mapping"]) == {"00000000-0000-4000-8000-000000000023": 4}
    places = [path for path in tag_tree(SAMPLE["tch_material_tag.json"]) if path.endswith("d1")]
    assert len(places) == 2
    tree = nodes(SAMPLE["trees/{ebook_id}.json"], "00000000-0000-4000-8000-000000000011")
    assert [node.depth for node in tree.values()] == [0, 1]


@pytest.mark.parametrize(
    ("printed_stage", "expected"),
    [
        ("小学", ("PRIMARY", "S63")),
        ("小学（五•四学制）", ("PRIMARY", "S54")),
        ("初中(五·四学制)", ("JUNIOR", "S54")),
        ("初中（五四学制）", ("JUNIOR", "S54")),
        ("高中", ("SENIOR", None)),
        ("特殊教育", ("SPECIAL", None)),
        ("大学堂", (None, None)),
    ],
)
def test_a_printed_stage_is_a_stage_and_a_schooling_system(
    printed_stage: str, expected: tuple[str | None, str | None]
) -> None:
    assert shapes.stage(printed_stage) == expected


def test_a_moment_without_a_colon_becomes_rfc_3339() -> None:
    assert shapes.moment("2024-12-04T12:05:23.797+0800") == "2024-12-04T12:05:23.797+08:00"
    assert shapes.moment("2024-12-04T12:05:23Z") == "2024-12-04T12:05:23Z"
    assert shapes.moment("yesterday") is None
    assert shapes.moment(1733284000) is None


def test_addresses_of_parts_come_as_text_or_list_and_their_hosts_are_not_followed() -> None:
    address = "https://elsewhere.example/zxx/ndrs/a/part_100.json"
    assert shapes.paths(f"{address},{address}") == shapes.paths([address, address])
    assert shapes.paths([address]) == ("/zxx/ndrs/a/part_100.json",)
    for strange in (
        "https://x/zxx/../etc/passwd.json",
        "https://x/other/part.json",
        "https://x/zxx/a?b.json",
    ):
        with pytest.raises(Malformed):
            shapes.paths([strange])
    with pytest.raises(Malformed):
        shapes.paths({"0": address})


def test_a_quota_is_a_number_as_text_or_list() -> None:
    assert [shapes.number(value) for value in ("96", ["600", "800"], 7, [], "x", True)] == [
        96,
        600,
        7,
        None,
        None,
        None,
    ]


def test_a_tree_without_end_is_refused() -> None:
    node: dict[str, Any] = {"id": "leaf", "title": "末"}
    for depth in range(200):
        node = {"id": f"n{depth}", "title": "层", "child_nodes": [node]}
    with pytest.raises(Malformed):
        nodes(node, "book")


def test_settings_that_could_never_work_are_refused_when_read() -> None:
    with pytest.raises(ValueError, match="bases"):
        SmartEduOptions(bases=())
    with pytest.raises(ValueError, match="modules"):
        SmartEduOptions(modules=("nothing",))
