"""What clients carry covered: readable to nobody else, made up by nobody, the same where it has to be."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.seal import Seal
from hub.sources.veil import LONGEST, Veil

VEIL, OTHER = Veil(b"0" * 32), Veil(b"1" * 32)
TEXTS = st.text(max_size=200)


@given(TEXTS, TEXTS)
def test_a_name_is_the_same_each_time_and_leads_back(text: str, use: str) -> None:
    assert VEIL.name(text, use) == VEIL.name(text, use)
    assert VEIL.named(VEIL.name(text, use), use) == text


@given(TEXTS.map(lambda text: text.replace("\0", "")))
def test_a_seal_is_another_each_time_and_leads_back(text: str) -> None:
    one, other = VEIL.seal(text, "cursor"), VEIL.seal(text, "cursor")
    assert one != other
    assert VEIL.unseal(one, "cursor") == VEIL.unseal(other, "cursor") == text


def test_a_seal_tells_no_digits_of_a_count() -> None:
    assert len({len(VEIL.seal(f"at|{count}||", "cursor")) for count in (1, 10, 1000, 10**6)}) == 1


@pytest.mark.parametrize("covered", [VEIL.name("u-17", "a"), VEIL.seal("u-17", "a")])
def test_what_is_changed_or_of_another_key_or_use_is_nobodys(covered: str) -> None:
    read = VEIL.named if covered == VEIL.name("u-17", "a") else VEIL.unseal
    assert read(covered, "a") == "u-17"
    assert read(covered, "b") is None
    assert getattr(OTHER, read.__name__)(covered, "a") is None
    raw = bytearray(base64.urlsafe_b64decode(covered + "=" * (-len(covered) % 4)))
    for place in range(len(raw)):
        raw[place] ^= 1
        assert read(base64.urlsafe_b64encode(bytes(raw)).decode().rstrip("="), "a") is None
        raw[place] ^= 1


@pytest.mark.parametrize("odd", ["", "A", "AAAA", "=", "☃", "a b", "A" * (LONGEST + 1), "AA" * 12, "\n"])
def test_what_is_no_cover_is_no_error(odd: str) -> None:
    assert VEIL.named(odd, "a") is None
    assert VEIL.unseal(odd, "a") is None


def test_a_name_is_no_seal_and_a_seal_no_name() -> None:
    assert VEIL.unseal(VEIL.name("x" * 40, "a"), "a") is None
    assert VEIL.named(VEIL.seal("x" * 40, "a"), "a") is None


def test_keys_for_other_uses_differ_and_nothing_prints_them() -> None:
    seal = Seal(b"k" * 32)
    assert seal.derived("ids") != seal.derived("cursors")
    assert len(seal.derived("ids")) == 32
    assert repr(Veil(seal.derived("ids"))) == "Veil(…)"
    with pytest.raises(ValueError, match="32"):
        Veil(b"short")
