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
        (Kind.PERSON, PUPIL, "S|roster|Person|p1"),
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
    text = pack("S|roster|Person|p1x2")
    assert decode(text, SOURCES) is not None
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twins = [text[:-1] + last for last in letters if plain(text[:-1] + last) == plain(text)]
    assert len(twins) > 1
    assert [twin for twin in twins if decode(twin, SOURCES)] == [text]
