"""Numbers of persons are checked, masked, and hashed so that nobody can count back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.seal import Seal, birth_date_of, canonical, check_digit, flaw, mask_number

KEY = bytes(range(32))
FIRST = "99999920160504001"
NUMBER = FIRST + check_digit(FIRST)
digits = st.text("0123456789", min_size=3, max_size=3)


def test_the_check_character_is_that_of_the_standard() -> None:
    # GB 11643-1999, annex A, example 2: 34052419800101001X.
    assert check_digit("34052419800101001") == "X"


@pytest.mark.parametrize(
    "written",
    [NUMBER, "G" + NUMBER, "g" + NUMBER, f" {NUMBER[:6]} {NUMBER[6:]}\n",
     NUMBER.translate(str.maketrans("0123456789", "０１２３４５６７８９"))],
)  # fmt: skip
def test_one_person_has_one_key_however_the_number_is_written(written: str) -> None:
    assert Seal(KEY).match_key(written) == Seal(KEY).match_key(NUMBER)
    assert birth_date_of(written) == "2016-05-04"


def test_a_small_x_is_a_large_one() -> None:
    assert canonical("34052419800101001x") == canonical("34052419800101001Ｘ") == "34052419800101001X"


@given(digits, digits)
def test_two_persons_have_two_keys(one: str, other: str) -> None:
    keys = {Seal(KEY).match_key(f"99999920160504{tail}0") for tail in (one, other)}
    assert len(keys) == len({one, other})


def test_another_hub_makes_other_keys() -> None:
    assert Seal(KEY).match_key(NUMBER) != Seal(KEY[::-1]).match_key(NUMBER)


def test_a_key_does_not_show_the_number_and_a_seal_not_its_secret() -> None:
    seal = Seal(b"a secret that nobody may ever see printed")
    assert NUMBER not in seal.match_key(NUMBER)
    assert len(seal.match_key(NUMBER)) == 24
    assert "secret" not in f"{seal!r} {seal}"


def test_a_short_matching_key_is_refused_without_being_shown() -> None:
    with pytest.raises(ValueError, match="32 bytes") as caught:
        Seal(b"too short to be safe")
    assert "safe" not in str(caught.value)


@pytest.mark.parametrize("blank", ["", "  ", "\u3000"])
def test_persons_without_a_number_are_not_all_one_person(blank: str) -> None:
    with pytest.raises(ValueError, match="blank"):
        Seal(KEY).match_key(blank)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (NUMBER[:-1], "18 位"),
        (NUMBER[:-1] + str((int(NUMBER[-1], 36) + 1) % 10), "校验码不符"),
        ("999999201613040010", "出生日期不存在"),
        ("999999201602300010", "出生日期不存在"),
        ("九九九九九九201605040010", "18 位"),
        ("१२३४५६२०१६०५०४००१०", "18 位"),
        ("", "18 位"),
    ],
)
def test_a_flawed_number_is_told_why(wrong: str, reason: str) -> None:
    assert reason in (flaw(wrong) or "")
    assert birth_date_of(wrong) is None


def test_a_zone_or_a_withdrawn_county_in_a_number_is_no_flaw() -> None:
    assert flaw(NUMBER) is None


@given(st.text("0123456789X", max_size=30))
def test_a_mask_keeps_the_length_and_shows_at_most_half(number: str) -> None:
    masked = mask_number(number)
    assert len(masked) == len(number)
    assert len(masked.replace("*", "")) <= len(number) / 2


def test_a_long_number_shows_its_first_four_and_last_two() -> None:
    assert mask_number(f" {NUMBER} ") == f"9999************{NUMBER[-2:]}"
