"""A word says everything of itself, or it cannot be declared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import pytest

from schema.graph import types
from schema.model.privacy import PrivacyClass
from schema.model.words import Unmarked, Word, said


@pytest.fixture(autouse=True)
def _nothing_stays_declared() -> Iterator[None]:
    before = dict(Word.declared)
    yield
    Word.declared.clear()
    Word.declared.update(before)


def test_a_field_about_a_person_without_a_privacy_mark_cannot_be_declared() -> None:
    with pytest.raises(Unmarked, match="nickname"):

        class Friend(
            Word, zh="朋友", en="Friend", privacy=PrivacyClass.PERSONAL, authority=(), about_person=True
        ):
            nickname: Annotated[str, said("昵称", "Nickname")]


def test_a_field_that_says_nothing_of_itself_cannot_be_declared() -> None:
    with pytest.raises(Unmarked, match="colour"):

        class Thing(Word, zh="物", en="Thing", privacy=PrivacyClass.PUBLIC, authority=()):
            colour: str


def test_a_word_cannot_be_known_by_what_it_does_not_declare() -> None:
    with pytest.raises(Unmarked, match="number"):

        class Paper(
            Word, zh="文件", en="Paper", privacy=PrivacyClass.PUBLIC, authority=(), same=(("number",),)
        ):
            title: Annotated[str, said("标题", "Title")]


def test_every_field_of_every_word_is_said_in_both_languages() -> None:
    assert types.__all__, "all words are declared"
    for declared in Word.declared.values():
        for field in declared.spec.fields.values():
            assert any("\u4e00" <= letter <= "\u9fff" for letter in field.zh) or field.zh == "MD5", field
            assert any(letter.isascii() and letter.isalpha() for letter in field.en), field
