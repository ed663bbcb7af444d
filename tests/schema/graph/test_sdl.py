"""The schema as text: current, said in both languages, every field about a person marked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
)

import schema as words
from schema.graph.build import COMMAND, build_schema, sdl
from schema.graph.directives import Privacy
from schema.graph.words import TYPES, Undeclared, camel, word
from schema.model import organization
from schema.model.words import Kind, Word

GRAPH = build_schema()._schema
BUILT_IN = {"ID", "String", "Int", "Float", "Boolean"}
OURS = {
    name: made for name, made in GRAPH.type_map.items() if not name.startswith("__") and name not in BUILT_IN
}
OBJECTS = {
    name: made for name, made in OURS.items() if isinstance(made, GraphQLObjectType | GraphQLInterfaceType)
}
WORDS = {name: declared.spec for name, declared in Word.declared.items() if name in OBJECTS}


def test_the_sdl_that_is_checked_in_is_current() -> None:
    kept = Path(str(words.__path__[0]), "sdl", "hub.graphql").read_text("utf-8")
    assert kept == sdl(), f"run: {COMMAND}"


def test_every_word_of_the_model_is_in_the_graph() -> None:
    assert WORDS.keys() == Word.declared.keys()
    assert {kind.value for kind in Kind} <= OBJECTS.keys()


def described() -> Iterator[tuple[str, str]]:
    for name, made in OURS.items():
        yield name, made.description or ""
        if isinstance(made, GraphQLEnumType):
            for label, value in made.values.items():
                yield f"{name}.{label}", value.description or ""
        if isinstance(made, GraphQLObjectType | GraphQLInterfaceType):
            for label, field in made.fields.items():
                yield f"{name}.{label}", field.description or ""
                for key, argument in field.args.items():
                    yield f"{name}.{label}({key}:)", argument.description or ""


def test_everything_is_described_in_chinese_and_english() -> None:
    said = dict(described())
    assert len(said) > 500
    same_in_both = {"ResourceFile.md5"}
    for where, text in said.items():
        assert any("\u4e00" <= letter <= "\u9fff" for letter in text) or where in same_in_both, where
        assert any(letter.isascii() and letter.isalpha() for letter in text), where


def _marked(made: Any) -> set[str]:
    definition = made.extensions.get("strawberry-definition")
    return {mark.class_.value for mark in definition.directives or () if isinstance(mark, Privacy)}


def test_every_field_about_a_person_has_the_mark_of_the_model() -> None:
    about = [spec for spec in WORDS.values() if spec.about_person]
    assert len(about) >= 7
    for spec in about:
        made = OBJECTS[spec.name]
        for name, field in spec.fields.items():
            if not field.hidden:
                marked = _marked(made.fields[camel(name)]) or _marked(made)
                assert marked == {field.privacy.value}, f"{spec.name}.{name}"
    assert "displayName: String @privacy(class: PERSONAL, atWork: INTERNAL)" in sdl()


def test_hidden_values_are_not_in_the_graph() -> None:
    for spec in WORDS.values():
        hidden = {camel(name) for name, field in spec.fields.items() if field.hidden}
        assert not hidden & OBJECTS[spec.name].fields.keys()
    assert "matchKey" not in sdl()
    assert "personKey" not in sdl()


def test_every_type_has_its_marks_in_the_sdl() -> None:
    text = sdl()
    for name in WORDS:
        line = next(line for line in text.splitlines() if line.startswith(f"type {name} "))
        assert "@privacy(class: " in line
        assert "@authority(levels: [" in line


def test_only_ids_and_plain_lists_are_sure_to_be_there() -> None:
    for spec in WORDS.values():
        fields = OBJECTS[spec.name].fields
        for name, field in spec.fields.items():
            if field.hidden:
                continue
            held = fields[camel(name)].type
            if isinstance(held, GraphQLNonNull):
                assert isinstance(held.of_type, GraphQLList), f"{spec.name}.{name}"
                assert not field.link, f"{spec.name}.{name}"
    assert str(OBJECTS["School"].fields["id"].type) == "ID!"
    assert str(OBJECTS["School"].fields["stages"].type) == "[Stage!]!"


def test_fields_stand_in_the_order_of_the_model() -> None:
    shown = [camel(name) for name, field in WORDS["School"].fields.items() if not field.hidden]
    assert list(OBJECTS["School"].fields)[-len(shown) :] == shown


def test_the_model_and_the_graph_agree_on_scalars() -> None:
    assert str(OBJECTS["Person"].fields["birthDate"].type) == "Date"
    assert str(OBJECTS["StudentRoll"].fields["enrolledOn"].type) == "YearMonth"
    assert str(OBJECTS["ResourceFile"].fields["size"].type) == "Float"
    scalars = {name for name, made in OURS.items() if isinstance(made, GraphQLScalarType)}
    assert scalars == {"Date", "DateTime", "YearMonth", "SchoolYear", "RegionCode"}


def test_every_page_tells_its_total_and_who_was_asked() -> None:
    pages = {name: made for name, made in OBJECTS.items() if name.endswith("Connection")}
    assert len(pages) > 20
    for name, made in pages.items():
        assert {"nodes", "edges", "pageInfo", "totalCount", "account"} <= made.fields.keys(), name


def test_a_link_of_the_model_without_its_relation_cannot_be_declared() -> None:
    before = dict(TYPES)
    with pytest.raises(Undeclared, match="region"):

        @word(organization.Organization)
        class Organization:
            """Without its region."""

    assert before == TYPES
