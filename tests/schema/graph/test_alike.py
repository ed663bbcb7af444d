"""A child's guardians as roster and roll tell them: who is told alike is one, nobody is lost."""

from __future__ import annotations

from typing import Any

from schema.graph.build import build_schema
from schema.graph.ids import encode
from schema.model.words import Kind, Word
from tests.fakes.school import PUPIL, ROWS, SOURCES, THE_GUARDIAN, context

SCHEMA = build_schema()
QUERY = """query($id: ID!) { person(id: $id) { guardians(first: 10) { totalCount nodes {
  relationCode guardianName isLegalGuardian guardian { displayName } sources { source fields } } } } }"""


async def guardians(*roll: dict[str, Any], **roster: Any) -> list[dict[str, Any]]:
    """What her guardian is shown, of the roster's entry and those of the roll."""
    own = {**ROWS[Kind.GUARDIANSHIP]["roster:k1"], "relation_code": "52", **roster}
    lines = {f"province:f{n}": {"match_key": "m1", "school_code": own["school_code"], **line}
             for n, line in enumerate(roll)}  # fmt: skip
    world = context(THE_GUARDIAN, rows={**ROWS, Kind.GUARDIANSHIP: {"roster:k1": own, **lines}})
    pupil = encode(Word.declared["Person"].spec, PUPIL, SOURCES)
    result = await SCHEMA.execute(QUERY, variable_values={"id": pupil}, context_value=world)
    assert result.errors is None, result.errors
    assert result.data is not None
    page = result.data["person"]["guardians"]
    assert page["totalCount"] == len(page["nodes"])
    return list(page["nodes"])


def sources(entry: dict[str, Any]) -> list[str]:
    return [part["source"] for part in entry["sources"]]


async def test_a_guardian_told_alike_by_roster_and_roll_is_one_entry_of_both() -> None:
    mother = {"guardian_name": "赵丙", "relation_code": "52", "is_legal_guardian": True}
    [entry] = await guardians(mother, is_legal_guardian=False)
    assert sources(entry) == ["roster", "province"]
    assert entry["guardian"] == {"displayName": "赵丙"}  # only the roster knows her key
    assert entry["isLegalGuardian"] is True  # the province is the authority
    shares = {part["source"]: part["fields"] for part in entry["sources"]}
    assert "isLegalGuardian" in shares["province"]
    assert "isLegalGuardian" not in shares["roster"]


async def test_guardians_who_differ_in_name_or_relation_stay_apart() -> None:
    entries = await guardians(
        {"guardian_name": "钱戊", "relation_code": "51"},
        {"guardian_name": "赵丙", "relation_code": "62"},
        {"guardian_name": "赵丙"},
    )
    assert [sources(entry) for entry in entries] == [["roster"], ["province"], ["province"], ["province"]]


async def test_two_that_one_source_tells_alike_stay_two() -> None:
    twice = {"guardian_name": "赵丙", "relation_code": "52"}
    entries = await guardians(twice, twice)
    assert [sources(entry) for entry in entries] == [["roster", "province"], ["province"]]
