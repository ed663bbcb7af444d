"""What an answer says of itself: small beside the data, exact, without positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from hub.sources.veil import Veil
from hub.web.provenance import MOST_PATHS, extensions, provenance
from schema.graph.context import Account, Context, Diary, Entity, Face, Part, Silence
from schema.model.codes import Level
from schema.model.divisions import shipped
from schema.model.organization import School
from schema.model.viewer import NOBODY

NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
FACES = {
    code: Face(code, name, name, level, region, protocol)
    for code, name, level, region, protocol in (
        ("smartedu", "国家中小学智慧教育平台", Level.NATIONAL, "000000", "smartedu"),
        ("sd-data", "山东省教育数据中心", Level.PROVINCIAL, "370000", "sql"),
        ("lc-exchange", "聊城市体系枢纽", Level.MUNICIPAL, "371500", "hub_exchange"),
        ("c371502", "东昌府区教育云平台", Level.COUNTY, "371502", "oneroster"),
        ("s1", "样例小学", Level.SCHOOL, "371502", "oneroster"),
    )
}


@dataclass
class Joined:
    """The `Sources` port over fixed faces."""

    known: Mapping[str, Face] = field(default_factory=lambda: FACES)
    veil: Veil = field(default_factory=Veil.fresh)

    def faces(self) -> Sequence[Face]:
        """All."""
        return list(self.known.values())

    def face(self, code: str) -> Face | None:
        """One."""
        return self.known.get(code)

    def health(self, code: str) -> Mapping[str, Any]:
        """Unknown."""
        return {}


def school(number: int, *parts: tuple[str, float, bool]) -> Entity:
    values = {"name": f"东昌府区第{number}实验小学", "school_code": f"31370000{number:02}"}
    told = tuple(
        Part(source, str(number), NOW.timestamp() - age, stale, None, ("name",))
        for source, age, stale in parts
    )
    return Entity(School.spec, values["school_code"], values, frozenset(values), told)


def context(diary: Diary) -> Context:
    none: Any = None
    return Context(NOBODY, none, None, Joined(), shipped(), diary, NOW, "371500")


def test_forty_schools_with_their_classes_cost_less_than_a_seventh_of_the_answer() -> None:
    diary = Diary()
    everybody = Account(tuple(FACES), tuple(FACES))
    parts = tuple((code, 12.34, False) for code in FACES)
    schools = [school(n, *parts) for n in range(40)]
    for path in ("schools.nodes", "schools.nodes.county", "schools.nodes.classes.nodes"):
        for one in schools:
            diary.note(path, [one], everybody)
    classes = [{"name": f"{grade}年级{n}班", "gradeCode": f"G0{grade}", "studentCount": 42}
               for grade in range(1, 7) for n in (1, 2)]  # fmt: skip
    data = {"schools": {"nodes": [
        {"id": f"Uzox{n:08}", "name": one.values["name"], "schoolCode": one.key, "stages": ["PRIMARY"],
         "county": {"name": "东昌府区"}, "classes": {"nodes": classes}}
        for n, one in enumerate(schools)
    ]}}  # fmt: skip
    said = extensions(context(diary), wanted=True)
    answer = orjson.dumps({"data": data, "extensions": said})
    assert len(orjson.dumps(said)) < 0.15 * len(answer)
    few = {"data": {"schools": {"nodes": [
        {"id": f"Uzox{n:08}", "name": one.values["name"], "schoolCode": one.key, "stages": ["PRIMARY"],
         "address": f"聊城市东昌府区样例路{n}号", "studentCount": 900 + n, "county": {"name": "东昌府区"}}
        for n, one in enumerate(schools)
    ]}}}  # fmt: skip
    only = Diary()
    only.note("schools.nodes", schools, everybody)
    said = extensions(context(only), wanted=True)
    assert len(orjson.dumps(said)) < 0.15 * len(orjson.dumps({**few, "extensions": said}))


def test_each_path_tells_who_how_many_and_how_old() -> None:
    diary = Diary()
    diary.note(
        "schools.nodes", [school(1, ("sd-data", 5.0, False), ("c371502", 2.0, False))], Account(("sd-data",))
    )
    diary.note(
        "schools.nodes", [school(2, ("sd-data", 90.06, True))], Account(("sd-data",), (), (), ("sd-data",))
    )
    said = provenance(diary, Joined(), NOW.timestamp())
    assert said["paths"] == {"schools": {"2": [[0, 90]], "1": 1}}
    assert said["sources"] == ["sd-data P sql 90", "c371502 C oneroster 2"]
    assert said["account"]["stale"] == ["sd-data"]
    assert "pathsLeftOut" not in said


def test_a_clock_that_runs_ahead_makes_nothing_younger_than_now() -> None:
    diary = Diary()
    diary.note("school", [school(1, ("sd-data", -30.0, False))], Account(("sd-data",)))
    assert provenance(diary, Joined(), NOW.timestamp())["sources"] == ["sd-data P sql 0"]


def test_paths_share_their_beginning_and_what_comes_from_whom_the_path_above_does_is_left_out() -> None:
    diary = Diary()
    one, two = [school(1, ("s1", 1.0, False))], [school(2, ("s1", 1.0, False), ("sd-data", 3.0, False))]
    for path in ("me", "me.enrollments.nodes", "me.enrollments.nodes.classGroup", "me.accounts.edges.node"):
        diary.note(path, one, Account())
    diary.note("me.enrollments.nodes.classGroup.school", two, Account())
    diary.note("me.enrollments.nodes.classGroup.textbooks.nodes", two * 3, Account())
    said = provenance(diary, Joined(), NOW.timestamp())
    assert said["paths"] == {
        "me": {"": 0, "enrollments.classGroup": {"school": [0, 1], "textbooks": {"3": [0, 1]}}}
    }


def test_a_source_that_was_remembered_at_one_place_only_is_missing_at_the_others() -> None:
    def silent(remembered: bool) -> Account:
        gap = Silence("sd-data", Level.PROVINCIAL, "SOURCE_TIMEOUT", "没有在时限内回答", remembered)
        return Account(("sd-data",), (), (gap,), ("sd-data",) if remembered else ())

    diary = Diary()
    for path, remembered in (("a", True), ("b", False), ("b", True), ("c", True)):
        diary.note(path, [], silent(remembered))
    (gap,) = (extensions(context(diary), wanted=False) or {})["silent"]
    assert (gap["remembered"], gap["paths"], gap["missing"]) == (False, ["a", "b", "c"], ["b"])
    assert (silent(True) + silent(False)).missing
    assert (silent(False) + silent(True)).missing
    assert not silent(True).missing


def test_paths_beyond_the_most_are_counted() -> None:
    diary = Diary()
    for n in range(MOST_PATHS + 5):
        diary.note(f"alias{n}", [school(1, ("sd-data", 1.0, False))], Account())
    said = provenance(diary, Joined(), NOW.timestamp())
    assert len(said["paths"]) == MOST_PATHS
    assert said["pathsLeftOut"] == 5


def test_who_is_silent_is_said_even_to_who_did_not_ask() -> None:
    silence = Silence("sd-data", Level.PROVINCIAL, "SOURCE_TIMEOUT", "没有在时限内回答")
    diary = Diary()
    diary.note("schools.nodes", [], Account(("sd-data", "s1"), ("s1",), (silence,), ()))
    said = extensions(context(diary), wanted=False)
    assert said == {"silent": [{
        "source": "sd-data", "name": "山东省教育数据中心", "level": "PROVINCIAL", "code": "SOURCE_TIMEOUT",
        "reason": "没有在时限内回答",
        "remembered": False, "paths": ["schools.nodes"], "missing": ["schools.nodes"],
    }]}  # fmt: skip


def test_where_all_answered_and_nobody_asked_nothing_is_said() -> None:
    diary = Diary()
    diary.note("schools.nodes", [school(1, ("s1", 1.0, False))], Account(("s1",), ("s1",)))
    assert extensions(context(diary), wanted=False) is None
