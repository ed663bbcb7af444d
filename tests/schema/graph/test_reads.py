"""What is written down of an answer: whatever it shows that is sensitive and of others, and no more."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from schema.graph.build import build_schema
from schema.graph.context import Entity, Losing, Part
from schema.graph.ids import encode
from schema.graph.types.alike import together
from schema.model.person import Guardianship
from schema.model.viewer import Viewer
from schema.model.words import Word
from tests.fakes.school import COUNTY_TEACHER, HER_PUPIL, PUPIL, SOURCES, THE_GUARDIAN, context

SCHEMA = build_schema()
LOST = (Losing("birth_date", "county", "2015-05-04", "2016-05-04", "roster", None),)


async def read(
    selection: str, viewer: Viewer = COUNTY_TEACHER, **changed: Any
) -> set[tuple[str, str, tuple[str, ...]]]:
    """What a query about a pupil under 14 leaves in the diary: whose, of which kind, which fields."""
    world = context(viewer, **changed)
    id = encode(Word.declared["Person"].spec, PUPIL, SOURCES)
    query = (
        f'query ($no: Boolean = false) {{ __typename @skip(if: $no) person(id: "{id}") {{ {selection} }} }}'
    )
    result = await SCHEMA.execute(query, context_value=world)
    assert result.errors is None, result.errors
    assert result.data
    assert result.data["person"]
    return {(one.about[0], one.kind.value, one.fields) for one in world.diary.reads}


@pytest.mark.parametrize(
    ("selection", "shown"),
    [
        ("id __typename roles sources { fields }", {}),
        ("a: displayName ... on Node { ... on Person { b: birthDate } }",
         {"Person": {"birth_date", "display_name"}}),
        ("displayName @include(if: $no) birthDate @skip(if: true) roles", {}),
        ("school { name }", {}),
        ("guardians { totalCount }", {"Person": {"guardians"}}),
        ("guardians(first: 0) { totalCount }", {"Person": {"guardians"}}),
        ("guardians(first: 0) { nodes { id } }", {}),
        ("guardians { account { asked } }", {}),
        ("guardians { nodes { id } }", {"Person": {"guardians"}}),
        ("guardians { edges { node { guardian { id } } } }",
         {"Person": {"guardians"}, "Guardianship": {"guardian"}}),
        ("guardians { nodes { guardianName } }",
         {"Person": {"guardians"}, "Guardianship": {"guardian_name"}}),
        ("enrollments { nodes { role } }", {"Person": {"enrollments"}}),
        ("events { totalCount nodes { verb } }", {}),
    ],
)  # fmt: skip
async def test_exactly_what_an_answer_shows_is_noted(selection: str, shown: dict[str, set[str]]) -> None:
    found: dict[str, set[str]] = {}
    for about, kind, fields in await read(selection):
        assert about == PUPIL
        found.setdefault(kind, set()).update(fields)
    assert found == shown


@pytest.mark.parametrize("viewer", [HER_PUPIL, THE_GUARDIAN], ids=lambda one: one.subject)
async def test_nothing_is_noted_of_what_is_ones_own_or_ones_childs(viewer: Viewer) -> None:
    assert (
        await read("displayName birthDate guardians { totalCount nodes { guardianName } }", viewer) == set()
    )


async def test_a_value_that_lost_is_noted_as_well() -> None:
    lost = {PUPIL: LOST}
    assert await read("contradictions { field value kept }", losing=lost) == {
        (PUPIL, "Person", ("birth_date",))
    }
    assert await read("roles", losing=lost) == set()


def test_what_several_sources_tell_alike_is_noted_as_what_any_of_them_shows() -> None:
    spec, values = Guardianship.spec, {"guardian_name": "赵丙"}
    one = Entity(spec, "roster:k1", values, frozenset({"guardian_name"}), ())
    other = replace(one, key="province:k9", logged=frozenset({"guardian_name"}))
    parts = [replace(each, parts=(_part(each.key),)) for each in (one, other)]
    (met,) = together(parts, ("guardian_name",), lambda _levels, _source: 0)
    assert met.logged == {"guardian_name"}


def _part(key: str) -> Part:
    source, local = key.split(":")
    return Part(source, local, 0.0, False, None, ("guardian_name",))
