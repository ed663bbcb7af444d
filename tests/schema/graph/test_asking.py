"""What a query makes the graph ask, what it shows, what it notes: told with one made-up school."""

from __future__ import annotations

import base64
from typing import Any, cast

import pytest

from schema.graph.build import build_schema
from schema.graph.connections import cursor as plain
from schema.graph.context import Context, Entity, Losing, Silence
from schema.graph.cursors import USE
from schema.graph.ids import encode
from schema.model.codes import Level
from schema.model.resource import Resource
from schema.model.words import Kind, Word
from tests.fakes.directory import Asked, FakeCatalogue, FakeDirectory
from tests.fakes.school import (
    CLASS,
    COUNTY_TEACHER,
    HER_PUPIL,
    OFFICER,
    PUPIL,
    SCHOOL,
    SOURCES,
    STRANGER,
    THE_CLASSMATE,
    THE_GUARDIAN,
    context,
)

SCHEMA = build_schema()
SLOW = "超时 / timed out"
DOWN = (Silence("roster", Level.SCHOOL, "TIMED_OUT", SLOW),)


async def ask(query: str, world: Context, **variables: Any) -> Any:
    """Data of a query that goes well."""
    result = await SCHEMA.execute(query, variable_values=variables, context_value=world)
    assert result.errors is None, result.errors
    return result.data


def asked(world: Context, kind: Kind) -> list[Asked]:
    return [one for one in cast(FakeDirectory, world.directory).asked if one.kind is kind]


def gid(kind: Kind, key: str) -> str:
    return encode(Word.declared[kind.value].spec, key, SOURCES)


def sealed(cursor: str) -> str:
    """A list's own cursor as clients carry it."""
    return SOURCES.veil.seal(cursor, USE)


async def test_a_pupil_finds_the_way_from_herself_to_the_province() -> None:
    data = await ask(
        "{ me { displayName enrollments { nodes { role classGroup { name school { name"
        " county { name } city { name } province { name level } } } } } } }",
        context(HER_PUPIL),
    )
    assert data["me"]["displayName"] == "王小甲"
    assert data["me"]["enrollments"]["nodes"][0]["classGroup"]["school"] == {
        "name": "样例小学", "county": {"name": "东昌府区"}, "city": {"name": "聊城市"},
        "province": {"name": "山东省", "level": "PROVINCIAL"},
    }  # fmt: skip


async def test_only_what_was_selected_is_asked_for_through_aliases_and_fragments() -> None:
    world = context()
    await ask(
        """
        query ($yes: Boolean!, $no: Boolean!) {
          school(schoolCode: "3137000001") {
            __typename id sources { source }
            titled: name
            ...Figures
            ... on School { stages }
            ... on Sourced { id }
            phone @include(if: $no)
            address @skip(if: $yes)
            facility { classrooms }
          }
        }
        fragment Figures on School { studentCount ...More }
        fragment More on Node { ... on School { isPrivate } }
        """,
        world,
        yes=True,
        no=False,
    )
    selected = {"name", "student_count", "stages", "is_private"}
    assert asked(world, Kind.SCHOOL)[0].fields == selected | {"region_code"}
    assert asked(world, Kind.SCHOOL_FACILITY)[0].fields == {"classrooms"}


async def test_fragments_on_other_types_ask_for_nothing() -> None:
    world = context()
    query = (
        "query($id: ID!) { node(id: $id) { ... on School { name } ... on Person { birthDate subjects } } }"
    )
    await ask(query, world, id=gid(Kind.SCHOOL, SCHOOL))
    assert asked(world, Kind.SCHOOL)[0].fields == {"name"}


async def test_selections_under_nodes_and_under_edges_count_together() -> None:
    world = context()
    await ask(
        """{ school(schoolCode: "3137000001") { classes {
             nodes { name } edges { node { ...G } } totalCount } } }
           fragment G on ClassGroup { gradeCode }""",
        world,
    )
    assert asked(world, Kind.CLASS_GROUP)[0].fields == {"name", "grade_code"}


async def test_what_is_only_counted_still_asks_for_something() -> None:
    world = context()
    data = await ask('{ school(schoolCode: "3137000001") { id classes { totalCount } } }', world)
    assert data["school"]["classes"]["totalCount"] == 2
    assert asked(world, Kind.SCHOOL)[0].fields == {"region_code"}
    assert asked(world, Kind.CLASS_GROUP)[0].fields == {"name"}


async def test_a_relation_that_is_not_for_the_viewer_is_absent_and_nobody_is_asked() -> None:
    world = context(STRANGER, silent=DOWN)
    data = await ask(
        '{ school(schoolCode: "3137000001") { name phone facility { classrooms }'
        " classes { totalCount nodes { name } account { silent { source } } } } }",
        world,
    )
    assert data["school"] == {
        "name": "样例小学", "phone": None, "facility": None,
        "classes": {"totalCount": 0, "nodes": [], "account": {"silent": []}},
    }  # fmt: skip
    assert not asked(world, Kind.CLASS_GROUP)
    assert not asked(world, Kind.SCHOOL_FACILITY)


async def test_the_guardian_sees_her_child_and_the_classmate_does_not_see_the_roll() -> None:
    query = """query($id: ID!) { person(id: $id) {
      displayName studentRoll { statusCode } guardians { nodes { guardianName } } } }"""
    data = await ask(query, context(THE_GUARDIAN), id=gid(Kind.PERSON, PUPIL))
    assert data["person"]["studentRoll"] == {"statusCode": "01"}
    assert data["person"]["guardians"]["nodes"] == [{"guardianName": "赵丙"}]
    world = context(THE_CLASSMATE)
    assert await ask(query, world, id=gid(Kind.PERSON, PUPIL)) == {"person": None}
    assert not asked(world, Kind.STUDENT_ROLL)


async def test_a_guardian_finds_her_children() -> None:
    data = await ask("{ me { children { nodes { child { displayName } } } } }", context(THE_GUARDIAN))
    assert data["me"]["children"]["nodes"] == [{"child": {"displayName": "王小甲"}}]


async def test_look_ups_by_match_key_name_the_school() -> None:
    world = context(HER_PUPIL)
    await ask("{ me { studentRoll { gradeCode } accounts { totalCount } learningSpace { url } } }", world)
    for kind in (Kind.STUDENT_ROLL, Kind.ACCOUNT, Kind.LEARNING_SPACE):
        (question,) = asked(world, kind)
        assert (question.by, question.value) == ("match_key", "m1")
        assert question.more["where"] == {"school_code": [SCHOOL]}


async def test_a_thing_missing_while_a_source_is_silent_is_an_error_and_no_plain_null() -> None:
    world = context(rows={}, silent=DOWN)
    result = await SCHEMA.execute('{ s: school(schoolCode: "1") { name } }', context_value=world)
    assert result.data == {"s": None}
    (error,) = result.errors or []
    assert error.path == ["s"]
    assert getattr(error.original_error, "code", "") == "TIMED_OUT"
    assert (error.extensions or {}).get("sources") == ["roster"]


async def test_a_thing_missing_while_all_answer_is_null() -> None:
    assert await ask('{ school(schoolCode: "1") { name } }', context()) == {"school": None}


async def test_a_list_goes_on_and_says_who_is_silent() -> None:
    data = await ask(
        '{ school(schoolCode: "3137000001") { classes { totalCount nodes { name }'
        " account { asked answered silent { source level code reason } stale } } } }",
        context(silent=DOWN),
    )
    page = data["school"]["classes"]
    assert len(page["nodes"]) == 2
    assert page["totalCount"] is None, "nobody knows what the silent one holds"
    assert page["account"] == {
        "asked": ["county", "roster"], "answered": ["county"], "stale": [],
        "silent": [{"source": "roster", "level": "SCHOOL", "code": "TIMED_OUT", "reason": SLOW}],
    }  # fmt: skip


PAGED = """query($first: Int!, $after: String) { school(schoolCode: "3137000001") {
  classes(first: $first, after: $after) {
    totalCount edges { cursor node { name } } pageInfo { hasNextPage endCursor } } } }"""


async def test_a_whole_list_is_read_page_by_page() -> None:
    first = (await ask(PAGED, context(), first=1))["school"]["classes"]
    assert first["pageInfo"] == {"hasNextPage": True, "endCursor": first["edges"][0]["cursor"]}
    after = first["pageInfo"]["endCursor"]
    second = (await ask(PAGED, context(), first=1, after=after))["school"]["classes"]
    assert second["pageInfo"]["hasNextPage"] is False
    names = [edge["node"]["name"] for page in (first, second) for edge in page["edges"]]
    assert names == ["五年级1班", "四年级1班"]
    assert first["totalCount"] == second["totalCount"] == 2


@pytest.mark.parametrize(
    ("first", "after", "code"),
    [
        (501, None, "BAD_FIRST"), (-1, None, "BAD_FIRST"), (1, "row1", "BAD_CURSOR"),
        (1, plain(1), "BAD_CURSOR"), (1, sealed(plain(1)) + "AAAA", "BAD_CURSOR"),
        (1, sealed(plain(1) + "A"), "BAD_CURSOR"), (1, sealed("row1"), "BAD_CURSOR"),
        (1, SOURCES.veil.seal(plain(1), "another use"), "BAD_CURSOR"), (1, "A" * 40_000, "BAD_CURSOR"),
        (1, gid(Kind.PERSON, PUPIL), "BAD_CURSOR"),
    ],
)  # fmt: skip
async def test_a_page_that_cannot_be_is_refused_with_a_code(first: int, after: str | None, code: str) -> None:
    result = await SCHEMA.execute(PAGED, {"first": first, "after": after}, context())
    assert result.data == {"school": {"classes": None}}
    assert [getattr(error.original_error, "code", "") for error in result.errors or []] == [code]


async def test_a_cursor_is_neither_readable_nor_alike_in_two_answers() -> None:
    one, other = [
        (await ask(PAGED, context(), first=1))["school"]["classes"]["pageInfo"]["endCursor"] for _ in range(2)
    ]
    assert one != other
    assert len(one) == len(other)
    assert SOURCES.veil.unseal(one, USE) == SOURCES.veil.unseal(other, USE) == plain(1)
    assert "at|" not in base64.urlsafe_b64decode(one + "==").decode("latin-1")


async def test_lists_over_sources_go_on_with_the_directorys_own_cursors() -> None:
    world = context()
    query = """query($id: ID!, $after: String) { chapter(id: $id) { resources(first: 2, after: $after) {
      nodes { title } totalCount pageInfo { hasNextPage endCursor } } } }"""
    chapter = gid(Kind.CHAPTER, "ch1")
    page = (await ask(query, world, id=chapter))["chapter"]["resources"]
    assert page["totalCount"] == 5
    assert page["pageInfo"]["hasNextPage"]
    assert SOURCES.veil.unseal(page["pageInfo"]["endCursor"], USE) == "row2"
    rest = (await ask(query, world, id=chapter, after=sealed("row4")))["chapter"]["resources"]
    assert [one["title"] for one in rest["nodes"]] == ["分数的意义5"]
    assert asked(world, Kind.RESOURCE)[0].more["where"] == {"chapter_keys": ["ch1"]}


async def test_a_textbook_opens_at_its_top_chapters_in_order() -> None:
    data = await ask(
        "query($id: ID!) { textbook(id: $id) { chapters { nodes { title children { nodes { title } } } } } }",
        context(STRANGER),
        id=gid(Kind.TEXTBOOK, "tb1"),
    )
    top = data["textbook"]["chapters"]["nodes"]
    assert [one["title"] for one in top] == ["一、分数", "二、小数"]
    assert top[0]["children"]["nodes"] == [{"title": "分数的意义"}]


async def test_the_diary_notes_where_each_part_stands() -> None:
    world = context()
    await ask(
        '{ mine: school(schoolCode: "3137000001") { region { name } classes { nodes { name'
        " all: enrollments(role: STUDENT) { edges { node { person { displayName } } } } } } } }",
        world,
    )
    assert set(world.diary.origins) == {
        "mine", "mine.region", "mine.classes.nodes", "mine.classes.nodes.all.edges.node",
        "mine.classes.nodes.all.edges.node.person",
    }  # fmt: skip
    assert world.diary.origins["mine.classes.nodes.all.edges.node"]["roster"][0] == 2
    assert world.diary.account.answered == ("county",)


async def test_node_opens_anything_with_an_id_and_nothing_else() -> None:
    query = (
        "query($id: ID!) { node(id: $id) { __typename id ... on School { name } ... on Region { code } } }"
    )
    things: list[tuple[Kind, str, dict[str, str]]] = [
        (Kind.SCHOOL, SCHOOL, {"name": "样例小学"}), (Kind.REGION, "371502", {"code": "371502"}),
        (Kind.CLASS_GROUP, CLASS, {}),
    ]  # fmt: skip
    for kind, key, shown in things:
        text = gid(kind, key)
        data = await ask(query, context(), id=text)
        assert data == {"node": {"__typename": kind.value, "id": text, **shown}}
    for odd in ("", "nonsense", gid(Kind.SCHOOL, "9999999999"), gid(Kind.REGION, "999998")):
        assert await ask(query, context(), id=odd) == {"node": None}
    wrong = await ask("query($id: ID!) { person(id: $id) { id } }", context(), id=gid(Kind.SCHOOL, SCHOOL))
    assert wrong == {"person": None}


async def test_every_part_says_where_it_came_from_and_not_what_is_hidden() -> None:
    query = """query($id: ID!) { person(id: $id) { displayName sources {
      source sourceName level protocol localId ageSeconds stale fields } } }"""
    data = await ask(query, context(), id=gid(Kind.PERSON, PUPIL))
    (source,) = data["person"]["sources"]
    fields = source.pop("fields")
    assert "displayName" in fields
    assert not {"matchKey", "personKey", "classKeys"} & set(fields)
    assert source == {
        "source": "roster", "sourceName": "样例名册", "level": "SCHOOL", "protocol": "oneroster",
        "localId": None, "ageSeconds": 60.0, "stale": False,
    }  # fmt: skip
    own = await ask(query, context(HER_PUPIL), id=gid(Kind.PERSON, PUPIL))
    assert own["person"]["sources"][0]["localId"] == "p1", "what a source calls her is for who sees her whole"


async def test_a_contradiction_is_shown_to_those_inside_only() -> None:
    losing = {SCHOOL: (Losing("student_count", "province", 40, 3, "county", None),)}
    query = '{ school(schoolCode: "3137000001") { contradictions { field source level value kept } } }'
    inside = await ask(query, context(losing=losing))
    assert inside["school"]["contradictions"] == [
        {"field": "studentCount", "source": "province", "level": "PROVINCIAL", "value": "40", "kept": "3"}
    ]
    outside = await ask(query, context(STRANGER, losing=losing))
    assert outside["school"]["contradictions"] == []


async def test_platforms_tell_their_processor_to_staff_of_their_region_only() -> None:
    query = "{ platforms(level: COUNTY) { code processor region { name } health { state medianMs } } }"
    (shown,) = (await ask(query, context(OFFICER)))["platforms"]
    assert (shown["processor"], shown["health"]["medianMs"]) == ("样例公司", 12.5)
    (hidden,) = (await ask(query, context(STRANGER)))["platforms"]
    assert (hidden["processor"], hidden["health"]) == (None, {"state": "up", "medianMs": None})
    assert hidden["region"] == {"name": "东昌府区"}


async def test_the_catalogue_answers_searches_and_counts_what_was_selected() -> None:
    spec, open_fields = Resource.spec, frozenset(Resource.spec.fields)
    titles = [{"title": f"分数{n}", "level": "PROVINCIAL"} for n in range(3)]
    held = tuple(Entity(spec, f"province:{n}", values, open_fields, ()) for n, values in enumerate(titles))
    catalogue = FakeCatalogue(held)
    data = await ask(
        """query($by: [ResourceFacet!]) { resources(text: "分数", level: [PROVINCIAL], first: 2) {
             totalCount nodes { title sameAs { title } }
             facets(dimensions: $by) { dimension value count } } }""",
        context(STRANGER, catalogue=catalogue),
        by=["LEVEL"],
    )
    found = data["resources"]
    assert found["totalCount"] == 3
    assert found["nodes"][0] == {"title": "分数0", "sameAs": [{"title": "分数1"}, {"title": "分数2"}]}
    assert found["facets"] == [{"dimension": "LEVEL", "value": "PROVINCIAL", "count": 3}]
    assert catalogue.searches == [
        {"text": "分数", "filters": {"level": ["PROVINCIAL"]}, "facets": ("level",), "first": 2}
    ]


async def test_without_a_catalogue_the_sources_are_searched() -> None:
    world = context(STRANGER)
    await ask('{ resources(text: "分数", level: [PROVINCIAL], stage: PRIMARY) { nodes { title } } }', world)
    (question,) = asked(world, Kind.RESOURCE)
    assert question.more["text"] == "分数"
    assert question.more["levels"] == (Level.PROVINCIAL,)
    assert question.more["where"] == {"stage": ["PRIMARY"]}


async def test_a_months_activities_are_bounded_in_chinas_time() -> None:
    world = context(STRANGER)
    await ask('{ activities(region: "371502", month: "2026-12") { totalCount } }', world)
    (question,) = asked(world, Kind.ACTIVITY)
    assert question.more["since"] == "2026-12-01T00:00:00+08:00"
    assert question.more["until"] == "2027-01-01T00:00:00+08:00"
    assert question.more["where"] == {"region_code": ["371502"]}
    assert question.more["region"] == "371502"


async def test_a_filter_no_source_need_know_is_applied_to_the_whole_list() -> None:
    world = context(STRANGER)
    data = await ask(
        '{ a: schools(region: "371500", stage: PRIMARY) { totalCount }'
        ' b: schools(region: "371500", stage: SENIOR) { totalCount nodes { name } } }',
        world,
    )
    assert (data["a"]["totalCount"], data["b"]["totalCount"]) == (1, 0)
    for question in asked(world, Kind.SCHOOL):
        assert "stages" not in question.more["where"]
        assert "stages" in question.fields


async def test_the_regions_of_the_hub_are_known_at_once() -> None:
    world = context(STRANGER)
    data = await ask('{ regions { name } region(code: "371502") { ancestors { level } } }', world)
    assert len(data["regions"]) == 11
    assert [one["level"] for one in data["region"]["ancestors"]] == ["MUNICIPAL", "PROVINCIAL", "NATIONAL"]
    assert not cast(FakeDirectory, world.directory).asked


async def test_the_viewer_is_told_who_she_is() -> None:
    data = await ask("{ viewer { subject anonymous roles } }", context(COUNTY_TEACHER))
    assert data == {"viewer": {"subject": "teacher", "anonymous": False, "roles": ["TEACHER"]}}
    assert (await ask("{ me { id } viewer { anonymous subject } }", context(STRANGER))) == {
        "me": None, "viewer": {"anonymous": True, "subject": None},
    }  # fmt: skip
