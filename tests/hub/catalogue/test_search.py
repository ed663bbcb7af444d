"""Searching: Chinese as people type it, facets that are true, pages that fit, nothing a query can break."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from hub.catalogue.documents import FACTS
from hub.catalogue.question import FACETS
from hub.catalogue.state import States
from hub.embedded import EmbeddedMongo
from hub.mongo import Document, Mongo
from schema.graph.context import BadCursor
from schema.model.codes import Level
from schema.model.privacy import PrivacyClass
from schema.model.resource import Resource
from schema.model.viewer import Viewer
from tests.fakes.harvestable import resource
from tests.hub.cache.turned_clock import TurnedClock
from tests.hub.catalogue.joined import LEVELS, Library

TITLES = (
    "小学数学微课《三角形的面积》",
    "长方形面积公式",
    "三角形内角和 练习",
    "圆",
    "圆的周长",
    "研究生命起源",
    "荷塘月色 ＰＰＴ 课件",
    "English Reading: Unit 3 My School",
    "㛃老师朗读《静夜思》",
    "𠮷祥村的春节",
    "C++ 入门（信息技术）",
    "2026年春季开学第一课",
    "黄河流域 的 气候",
    "气候与黄河",
)
A = TITLES

SENTENCES: list[tuple[str, set[str]]] = [
    ("三角形", {A[0], A[2]}),
    ("三角形的面积", {A[0]}),
    ("面积 三角形", {A[0]}),
    ("三角形，面积！", {A[0]}),
    ("面积", {A[0], A[1]}),
    ("圆", {A[3], A[4]}),
    ("角", {A[0], A[2]}),
    ("圆周长", {A[4]}),
    ("生命", {A[5]}),
    ("研究生", {A[5]}),
    ("sxwk", {A[0]}),
    ("htys", {A[6]}),
    ("cfx", {A[1]}),
    ("HTYS", {A[6]}),
    ("htys 课件", {A[6]}),
    ("ppt", {A[6]}),
    ("ＰＰＴ", {A[6]}),
    ("ENGLISH school", {A[7]}),
    ("ｕｎｉｔ ３", {A[7]}),
    ("chool", set()),
    ("㛃", {A[8]}),
    ("㛃老师", {A[8]}),
    ("𠮷", {A[9]}),
    ("𠮷祥村", {A[9]}),
    ("2026", {A[11]}),
    ("２０２６年", {A[11]}),
    ("c++", {A[10]}),
    ("黄河气候", {A[12], A[13]}),
    ("的", {A[0], A[4], A[8], A[9], A[12]}),
    ("化学", set()),
    ("三角形 化学", set()),
    ("古诗", {A[8]}),
    ("语文", {A[8]}),
    ("五年级", {A[0]}),
    ("人教版", {A[0]}),
]

HOSTILE = (
    ".*", "(a+)+$", "[", "\\", "$where", "{$gt: ''}", '{"$ne": null}', "$", "^~s", "~s", "=圆", "\x00",
    "\ud800", "圆" * 5_000, "a" * 10_000, " ".join(map(str, range(5_000))), "，。！？", "   。", "😀😀",
    "‮圆", "%00", "'; drop",
    "ﷺ" * 500, "sxwk" * 1_000, "\u0301" * 1_000,
)  # fmt: skip


@pytest.fixture
async def shelves(library: Library) -> Library:
    """The titles above, at two sources, harvested."""
    sources = library.join("nation"), library.join("county")
    for place, title in enumerate(TITLES):
        sources[place % 2].put(
            str(place), {"title": title, "contributor_name": f"化名{place}"} | _more(place)
        )
    await library.catalogue.harvest_all()
    return library


def _more(place: int) -> dict[str, object]:
    if place == 0:
        return {"grade_code": "G05", "stage": "PRIMARY", "subject_code": "MATH", "version_name": "人教版"}
    if place == 8:
        return {"subject_code": "CHINESE", "summary": "一首古诗的朗读"}
    return {}


@pytest.mark.parametrize(("text", "expected"), SENTENCES)
async def test_chinese_is_found_as_people_type_it(shelves: Library, text: str, expected: set[str]) -> None:
    assert set(await shelves.titles(text)) == expected


@pytest.mark.parametrize("text", HOSTILE)
async def test_nothing_typed_breaks_the_search_or_finds_everything(shelves: Library, text: str) -> None:
    assert len((await shelves.hits(text)).found.entities) < len(TITLES) / 2
    assert (await shelves.hits("", subject_code=[text])).found.total == 0
    with pytest.raises(BadCursor):
        await shelves.viewer().search("圆", filters={}, after=text)


async def test_an_empty_text_shows_everything(shelves: Library) -> None:
    assert sorted(await shelves.titles("")) == sorted(TITLES) == sorted(await shelves.titles("  "))


async def test_the_very_title_comes_first_then_the_phrase_then_titles_then_the_rest(library: Library) -> None:
    shelf = library.join("nation")
    wanted = ["数学游戏", "小学数学游戏大全", "游戏中的数学", "春天", "冬天"]
    for place, title in enumerate(wanted):
        about = {"summary": "数学课上的游戏"} if place > 2 else {}
        shelf.put(str(place), {"title": title, "downloads": 10**place} | about)
    await library.catalogue.harvest_all()
    assert await library.titles("数学游戏") == [*wanted[:3], "冬天", "春天"]
    assert await library.titles("游戏 数学") == [
        "游戏中的数学",
        "小学数学游戏大全",
        "数学游戏",
        "冬天",
        "春天",
    ]


async def test_facets_and_totals_are_what_a_count_by_hand_gives(library: Library) -> None:
    everything = {code: range(start, start + 600) for start, code in enumerate(LEVELS)}
    for code, numbers in everything.items():
        library.join(code).stock(numbers)
    await library.catalogue.harvest_all()
    told = [
        resource(number) | {"level": LEVELS[code].value}
        for code, numbers in everything.items() for number in numbers
    ]  # fmt: skip
    for text, word, filters in (
        ("微课", "微课", {}),
        ("", "", {}),
        ("三角形 课件", "三角形", {"stage": ["PRIMARY", "JUNIOR"], "level": ["NATIONAL", "COUNTY"]}),
        ("", "", {"chapter_keys": ["ch-7"]}),
        ("", "", {"version_name": ["人教版"], "format": ["pdf"]}),
    ):
        kept = [one for one in told if _holds(one, text, word, filters)]
        hits = await library.hits(text, **filters)
        assert hits.found.total == len(kept)
        for name in FACETS:
            counted = Counter(value for one in kept for value in _values(one[name]))
            expected = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))[:50]
            assert [(f.value, f.count) for f in hits.facets if f.dimension == name] == expected
        assert kept, "a count of nothing proves nothing"


def _values(value: object) -> list[object]:
    return list(dict.fromkeys(value)) if isinstance(value, list) else [value]


def _holds(one: dict[str, object], text: str, word: str, filters: dict[str, list[str]]) -> bool:
    said = f"{one['title']} {one['summary']}"
    words = text.split()
    return all(word in said for word in words) and all(
        set(_values(one[name])) & set(wanted) for name, wanted in filters.items()
    )


async def test_pages_follow_each_other_without_gap_or_double(library: Library) -> None:
    library.join("nation").stock(range(500))
    library.join("county").stock(range(500))
    await library.catalogue.harvest_all()
    for text, filters in (
        ("面积", {}),
        ("微课", {"stage": ["PRIMARY"]}),
        ("", {}),
        ("sjxdmj", {}),
        ("微三角课", {}),
    ):
        seen: list[str] = []
        after, more, total = "", True, None
        while more:
            hits = await library.viewer().search(text, filters=filters, first=37, after=after)
            assert hits is not None
            total = hits.found.total
            seen += [entity.key for entity in hits.found.entities]
            assert len(hits.found.cursors) == len(hits.found.entities)
            after, more = hits.found.cursors[-1], hits.found.more
        assert len(seen) == len(set(seen)) == total
        whole = await library.viewer().search(text, filters=filters, first=200)
        assert whole is not None
        assert [entity.key for entity in whole.found.entities] == seen[:200]


async def test_a_cursor_of_another_search_is_refused(shelves: Library) -> None:
    hits = await shelves.viewer().search("圆", filters={}, first=1)
    assert hits is not None
    with pytest.raises(BadCursor):
        await shelves.viewer().search("面积", filters={}, first=1, after=hits.found.cursors[0])


async def test_an_unknown_filter_or_facet_is_named(shelves: Library) -> None:
    with pytest.raises(ValueError, match="contributor_name"):
        await shelves.viewer().search("", filters={"contributor_name": ["化名1"]})
    with pytest.raises(ValueError, match="contributor_name"):
        await shelves.viewer().search("", filters={}, facets=["contributor_name"])


async def test_a_stranger_neither_sees_nor_finds_a_contributor(shelves: Library) -> None:
    assert await shelves.titles("化名0") == []
    hits = await shelves.viewer(Viewer()).search("三角形", filters={})
    assert hits is not None
    assert all("contributor_name" not in entity.values for entity in hits.found.entities)


def test_only_public_values_can_be_searched_or_counted_by() -> None:
    fields = Resource.spec.fields
    assert {fields[name].privacy for name in (*FACTS, *FACETS, "title", "summary", "tags", "providers")} == {
        PrivacyClass.PUBLIC
    }


async def test_the_answer_says_how_old_it_is_and_who_is_missing(library: Library, clock: TurnedClock) -> None:
    library.join("nation").put("1", {"title": "圆"})
    harvested_at = clock.epoch()
    await library.catalogue.harvest("nation")
    late = library.join("city")
    late.breaks_after = 0
    late.put("1", {"title": "圆"})
    library.join("school", harvestable=False)
    await library.catalogue.harvest("city")
    clock.turn(10.0)
    account = (await library.hits("圆")).found.account
    assert (account.asked, account.answered, account.stale) == (("city", "nation", "school"), ("nation",), ())
    assert [(one.source, one.code) for one in account.silent] == [
        ("city", "SOURCE_UNAVAILABLE"), ("school", "NOT_HARVESTED"),
    ]  # fmt: skip
    assert account.silent[0].level is Level.MUNICIPAL
    (entity,) = (await library.hits("圆")).found.entities
    assert (entity.parts[0].fetched_at, entity.parts[0].stale) == (harvested_at, False)
    clock.turn(2 * library.every)
    old = (await library.hits("圆")).found
    assert old.account.stale == ("nation",)
    assert old.entities[0].parts[0].stale


async def test_before_anything_is_harvested_there_is_no_catalogue(library: Library) -> None:
    library.join("nation").stock(range(3))
    assert await library.viewer().search("圆", filters={}) is None


async def test_the_same_work_is_known_at_other_levels(library: Library) -> None:
    copy = {"title": "圆的面积推导", "subject_code": "MATH", "stage": "PRIMARY", "grade_code": "G06",
            "version_name": "人教版"}  # fmt: skip
    nation, city, school = library.join("nation"), library.join("city"), library.join("school")
    nation.put("a", {"title": "圆的面积", "content_hash": "0123456789ABCDEF" * 2} | {"stage": "PRIMARY"})
    nation.put("b", copy)
    city.put("a", {"title": "同一文件，别的名字", "content_hash": "0123456789abcdef" * 2})
    city.put("b", copy | {"title": "《圆的面积　推导》"})
    school.put("b", copy | {"grade_code": "G05"})
    school.put("c", {"title": "圆的面积"})
    await library.catalogue.harvest_all()
    viewer = library.viewer()

    async def same(key: str) -> list[str]:
        return [entity.key for entity in await viewer.same_as(key)]

    keys = ("nation:a", "nation:b", "city:a", "city:b", "school:b", "school:c", "nowhere:1")
    found = await asyncio.gather(*map(same, keys))
    assert dict(zip(keys, found, strict=True)) == {
        "nation:a": ["city:a"], "nation:b": ["city:b"], "city:a": ["nation:a"], "city:b": ["nation:b"],
        "school:b": [], "school:c": [], "nowhere:1": [],
    }  # fmt: skip
    city.remove("b")
    await library.catalogue.harvest("city")
    assert await library.viewer().same_as("nation:b") == ()


async def test_a_name_that_many_bear_names_no_work(library: Library) -> None:
    nation, city = library.join("nation"), library.join("city")
    common = {"title": "期末测试题", "subject_code": "MATH", "stage": "PRIMARY"}
    nation.put("1", common)
    for number in range(30):
        city.put(str(number), common)
    await library.catalogue.harvest_all()
    assert await library.viewer().same_as("nation:1") == ()


async def test_without_the_database_there_is_no_catalogue_and_no_error(mortal_mongo: EmbeddedMongo) -> None:
    mongo = Mongo.connect(mortal_mongo.uri, "story")
    library = Library(mongo)
    library.join("nation").put("1", {"title": "圆"})
    await library.catalogue.harvest_all()
    assert await library.titles("圆") == ["圆"]
    await mortal_mongo.stop()
    assert await library.viewer().search("圆", filters={}) is None
    assert await library.viewer().same_as("nation:1") == ()
    await mortal_mongo.start()
    await mongo.ready()
    for _ in range(400):
        if await library.viewer().search("圆", filters={}) is not None:
            break
        await asyncio.sleep(0.05)
    assert await library.titles("圆") == ["圆"]
    await library.catalogue.aclose()
    await mongo.close()
    await library.registry.aclose()


async def test_a_database_that_went_away_is_waited_for_once(
    mortal_mongo: EmbeddedMongo, monkeypatch: pytest.MonkeyPatch
) -> None:
    mongo = Mongo.connect(mortal_mongo.uri, "story")
    library = Library(mongo)
    library.join("nation").put("1", {"title": "圆"})
    await library.catalogue.harvest_all()
    asked = 0
    states = States.all

    async def counted(self: States) -> dict[str, Document]:
        nonlocal asked
        asked += 1
        return await states(self)

    monkeypatch.setattr(States, "all", counted)
    await mortal_mongo.stop()
    for _ in range(20):
        assert await library.viewer().search("圆", filters={}) is None
        assert await library.viewer().same_as("nation:1") == ()
    assert asked == 1
    await library.catalogue.aclose()
    await mongo.close()
    await library.registry.aclose()
