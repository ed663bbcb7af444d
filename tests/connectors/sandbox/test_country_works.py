"""What the sandbox country holds and does: textbooks, resources, events, lists that agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date
from itertools import pairwise

import pytest

from connectors.sandbox.country import Country, Person, TagNode


@pytest.fixture(scope="module")
def demo() -> Country:
    return Country(today=date(2026, 11, 22))


def known(country: Country, local_id: str) -> Person:
    person = country.person(local_id)
    assert person is not None
    return person


def branches(node: TagNode) -> Iterator[tuple[TagNode, ...]]:
    if not node.children:
        yield (node,)
    for child in node.children:
        for rest in branches(child):
            yield node, *rest


def test_the_tag_tree_leads_from_stage_to_volume_and_repeats_ids_but_no_path(demo: Country) -> None:
    leaves = list(branches(demo.tag_tree()))
    named = [[node.tag.dimension for node in leaf[1:]] for leaf in leaves]
    full = ["zxxxd", "zxxxk", "zxxbb", "zxxnj", "zxxcc"]
    assert full in named
    assert all(row in (full, ["zxxxd", "zxxxk", "zxxbb", "zxxcc"]) for row in named)
    nodes = {node.path: node for leaf in leaves for node in leaf}
    grades = Counter(node.tag.id for node in nodes.values() if node.tag.name == "一年级")
    assert max(grades.values()) > 1
    assert {book.tag_path for book in demo.textbooks()} == {leaf[-1].path for leaf in leaves}


def test_chapters_are_units_with_lessons_in_reading_order(demo: Country) -> None:
    ids = [chapter.id for book in demo.textbooks() for chapter in demo.chapters(book)]
    assert len(ids) == len(set(ids))
    chapters = demo.chapters(demo.focus_textbook)
    units = {chapter.id for chapter in chapters if chapter.parent_id is None}
    assert units == {chapter.parent_id for chapter in chapters if chapter.parent_id}
    assert all(one.order < other.order and one.page <= other.page for one, other in pairwise(chapters))
    assert any(not book.has_pdf for book in demo.textbooks())
    assert demo.focus_textbook.has_pdf


def test_the_pupils_class_uses_the_focus_textbook(demo: Country) -> None:
    group = demo.class_group(demo.personas()["pupil"].class_keys[0])
    assert group is not None
    assert demo.focus_textbook in demo.textbooks_of(group)
    for school in demo.schools:
        for one in demo.classes(school):
            books = demo.textbooks_of(one)
            assert books
            assert {book.stage for book in books} == {one.stage}


def test_every_level_has_something_for_every_lesson_of_the_focus_textbook(demo: Country) -> None:
    lessons = {chapter.id for chapter in demo.chapters(demo.focus_textbook) if chapter.parent_id}
    owners = (
        ("NATIONAL", None),
        ("PROVINCIAL", None),
        ("MUNICIPAL", None),
        ("COUNTY", "371502"),
        ("SCHOOL", demo.schools[0].code),
    )
    for level, owner in owners:
        usable = (one for one in demo.resources(level, owner)[:60] if not (one.deleted or one.compound))
        assert lessons <= {one.chapter_id for one in usable}, level


def test_national_resources_have_parents_parts_and_tombstones(demo: Country) -> None:
    shelf = list(demo.resources("NATIONAL"))
    kinds = Counter(one.compound for one in shelf)
    assert kinds["sub"] > kinds["parent"] > 0
    parts = [one for one in shelf if one.compound == "sub"]
    assert all(one.tags == () and one.tag_path == "" for one in parts)
    parents = {one.id for one in shelf if one.compound == "parent"}
    assert {one.parent_id for one in parts} <= parents
    assert any(one.tombstone for one in shelf)


def test_one_work_in_twenty_is_a_national_one_under_another_id(demo: Country) -> None:
    national = {one.work_key: one for one in demo.resources("NATIONAL")}
    for level in ("PROVINCIAL", "MUNICIPAL"):
        shelf = demo.resources(level)
        repeats = [one for one in shelf if one.work_key in national]
        assert 0.03 < len(repeats) / len(shelf) < 0.07
        for one in repeats:
            source = national[one.work_key]
            assert (one.title, one.md5) == (source.title, source.md5)
            assert one.id != source.id
    assert any(one.deleted for one in demo.resources("PROVINCIAL"))


def test_a_harvester_finds_where_to_go_on(demo: Country) -> None:
    shelf = demo.resources("PROVINCIAL")
    assert all(one.updated_at <= other.updated_at for one, other in pairwise(shelf[::97]))
    moment = shelf[3_000].updated_at
    assert demo.resources_since("PROVINCIAL", moment) == 3_000
    assert demo.resources_since("PROVINCIAL", "9999") == len(shelf)


def test_a_months_events_add_up_to_its_counts(demo: Country) -> None:
    row = demo.monthly_counts("2026-11")[0]
    schools = demo.schools_of("371502")
    events = [
        event
        for school in schools
        for day in range(1, 31)
        for event in demo.statements(school, date(2026, 11, day))
    ]
    teachers = [event for event in events if event.actor_role == "teacher"]
    assert row.teacher_logins == sum(event.verb == "logged-in" for event in teachers) > 0
    assert row.effective_lessons == sum(event.effective for event in events) > 0
    assert row.teaching_uses == sum(event.scene == "TEACH" and event.verb == "used" for event in events) > 0
    assert row.notices == sum(event.verb == "published" for event in events)
    assert row.office_uses == sum(event.app in OFFICE for event in events)
    assert max(event.timestamp for event in events) < "2026-11-23"
    assert len({event.id for event in events}) == len(events)


OFFICE_WORDS = """通知公告 日常巡查 数据上报 值班管理 流程审批 教师考勤 周行事历 会议安排 每周食谱
设备报修 问卷调查 物品申领 场馆申请 工资管理 学生请假 公文流转 学生点评"""
OFFICE = frozenset(OFFICE_WORDS.split())


def test_an_event_names_people_and_classes_that_exist(demo: Country) -> None:
    for event in demo.statements(demo.schools[5], date(2026, 11, 20)):
        actor = known(demo, event.actor_id)
        assert actor.school_code == event.school_code == demo.schools[5].code
        assert not event.class_key or event.class_key in actor.class_keys
        assert event.timestamp.startswith("2026-11-20T")
        assert event.timestamp.endswith("+08:00")


def test_lists_of_the_month_agree_with_the_report(demo: Country) -> None:
    rows = {row.unit_code: row for row in demo.monthly_counts()}
    held = Counter(one.region_code for one in demo.activities() if one.level in ("COUNTY", "SCHOOL"))
    told = Counter(one.region_code for one in demo.notices() if one.level == "SCHOOL")
    assert {code: row.activities_held for code, row in rows.items()} == held
    assert {code: row.notices for code, row in rows.items()} == told
    assert [row.unit_name for row in rows.values()] == [unit.name for unit in demo.units]


def test_communities_spaces_and_bureaus_point_at_things_that_exist(demo: Country) -> None:
    communities = demo.communities()
    ids = {one.id for one in communities}
    assert {one.parent_id for one in communities} - {None} <= ids
    assert all(demo.person(member) for one in communities for member in one.member_ids)
    spaces = demo.learning_spaces(demo.schools[0])
    assert (
        len({space.owner_id for space in spaces})
        == demo.schools[0].student_count + demo.schools[0].staff_count
    )
    bureaus = demo.organizations()
    assert {one.parent_id for one in bureaus} - {None} <= {one.id for one in bureaus}
    assert sum(one.kind == "BUREAU" and one.level == "COUNTY" for one in bureaus) == 11
    points = demo.knowledge_points()
    assert {before for one in points for before in one.prerequisite_ids} <= {one.id for one in points}
    assert all(demo.resource(key) for one in demo.collections() for key in one.resource_ids)
    assert all((demo.honours(), demo.applications(), demo.metrics(), demo.migration(), demo.live_sessions()))
    assert all((demo.homework_stats(), demo.platform_usage()))
