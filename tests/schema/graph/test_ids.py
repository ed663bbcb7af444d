"""Global ids lead back to what they were made from; whatever else comes leads nowhere."""

from __future__ import annotations

import base64

import pytest

from schema.graph.ids import LONGEST, Ref, decode, encode, pack
from schema.model.words import Kind, Word
from tests.fakes.school import PUPIL, SCHOOL, SOURCES


def plain(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@pytest.mark.parametrize(
    ("kind", "key", "said"),
    [
        (Kind.RESOURCE, "province:oai:x|y:1", "P|province|Resource|oai:x|y:1"),
        (Kind.NOTICE, "county:通知 1", "C|county|Notice|通知 1"),
        (Kind.SCHOOL, SCHOOL, f"H|hub|School|{SCHOOL}"),
        (Kind.REGION, "371502", "H|hub|Region|371502"),
        (Kind.CHAPTER, "a:b|c", "H|hub|Chapter|a:b|c"),
    ],
)
def test_an_id_leads_back_to_its_thing(kind: Kind, key: str, said: str) -> None:
    text = encode(Word.declared[kind.value].spec, key, SOURCES)
    assert plain(text).decode() == said
    assert "=" not in text
    assert decode(text, SOURCES) == Ref(kind, key)


@pytest.mark.parametrize("kind", [one for one in Kind if Word.declared[one.value].spec.about_person])
def test_an_id_of_a_record_about_a_person_does_not_tell_what_its_source_calls_it(kind: Kind) -> None:
    number = "2016371502000000017"
    spec = Word.declared[kind.value].spec
    text = encode(spec, f"province:{number}", SOURCES)
    assert plain(text).startswith(f"P|province|{kind.value}|".encode())
    assert number.encode() not in plain(text)
    assert text == encode(spec, f"province:{number}", SOURCES), "an id stays what it is"
    assert decode(text, SOURCES) == Ref(kind, f"province:{number}")
    assert decode(pack(f"P|province|{kind.value}|{number}"), SOURCES) is None, "nobody makes one up"


def test_an_id_covered_for_one_kind_or_source_is_none_of_another() -> None:
    covered = plain(encode(Word.declared["Person"].spec, PUPIL, SOURCES)).decode().split("|")[3]
    assert decode(pack(f"S|roster|Account|{covered}"), SOURCES) is None
    assert decode(pack(f"P|province|Person|{covered}"), SOURCES) is None
    assert decode(pack(f"S|roster|Person|{covered}"), SOURCES) == Ref(Kind.PERSON, PUPIL)


@pytest.mark.parametrize(
    "text",
    [
        "", "=", "☃", "not an id", "AAAA", "A" * (LONGEST + 1), "AAAAA", "/+/+", "\x00",
        pack("S|roster|Person"), pack("S|roster|Person|"), pack("S|elsewhere|Person|p1"),
        pack("N|roster|Person|p1"), pack("H|hub|Person|p1"), pack("S|roster|School|1"),
        pack("S|roster|Platform|p1"), pack("S|roster|ResourceFile|p1"), pack("S|roster|__class__|p1"),
        pack("X|elsewhere|Person|p1"), pack("S|roster|Person|p1") + "=", pack("S|roster|Person|p1") + "\n",
        pack("s|roster|Person|p1"), base64.urlsafe_b64encode(b"S|roster|Person|\xff\xfe").decode(),
    ],
)  # fmt: skip
def test_a_made_up_or_foreign_id_leads_nowhere(text: str) -> None:
    assert decode(text, SOURCES) is None


def test_an_id_with_loose_bits_at_its_end_is_not_the_id() -> None:
    text = pack("S|roster|Notice|p1x2")
    assert decode(text, SOURCES) is not None
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twins = [text[:-1] + last for last in letters if plain(text[:-1] + last) == plain(text)]
    assert len(twins) > 1
    assert [twin for twin in twins if decode(twin, SOURCES)] == [text]
