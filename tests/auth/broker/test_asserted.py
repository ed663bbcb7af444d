"""What a provider says of a person counts as far as the operator made it an authority, and no further."""

from __future__ import annotations

from typing import Any

import pytest

from auth.broker.asserted import asked_of, assertion_from, at
from auth.broker.upstream import UpstreamRefused
from auth.principal import RoleClaim
from auth.settings import UpstreamSettings
from tests.fakes.broker_side import Keyed

ID_NUMBER = "999999201001011234"  # an area that exists nowhere; the check character is put right below
ID_NUMBER = next(
    ID_NUMBER[:17] + last
    for last in "0123456789X"
    if (
        sum(int(d) * (pow(2, 17 - i, 11)) for i, d in enumerate(ID_NUMBER[:17]))
        + (10 if last == "X" else int(last))
    )
    % 11
    == 1
)
TEACHER = {
    "sub": "teacher-7", "name": "合成教师甲", "id": ID_NUMBER, "roll": f"G{ID_NUMBER}", "roster": "t-301",
    "duty": ["js", "bzr"], "level": "2",
}  # fmt: skip


def county(**other: Any) -> UpstreamSettings:
    """A county that is an authority for everything it tells."""
    values: dict[str, Any] = {
        "code": "county", "kind": "oauth2", "name": "某县", "level": "COUNTY", "region": "371502",
        "issuer": "https://id.county.test", "client_id": "hub",
        "authoritative": ("id_number", "roll_number", "roster:county-tables"),
        "claims": {"id_number": "id", "roll_number": "roll", "roster": "roster", "role": "duty",
                   "assurance": "level"},
        "roles": {"js": "TEACHER", "xz": "SCHOOL_ADMIN"},
        "assurance": {"1": "SELF_ASSERTED", "2": "NAME_VERIFIED", "3": "FACE_VERIFIED"},
    }  # fmt: skip
    return UpstreamSettings(**{**values, **other})


def test_a_verified_teacher_is_told_with_roster_number_and_role() -> None:
    told = assertion_from(county(), Keyed(), TEACHER, amr=["pwd"], auth_time=7, sid="s", hint="h")
    assert (told.iss, told.sub, told.name) == ("https://id.county.test", "teacher-7", "合成教师甲")
    assert told.identifiers == {"roster:county-tables": "t-301", "match": Keyed().match_key(ID_NUMBER)}
    assert told.roles == (RoleClaim("TEACHER", "371502", None),)
    assert (told.assurance, told.acr) == ("NAME_VERIFIED", "urn:rongtong:acr:name-verified")
    assert (told.amr, told.auth_time, told.sid, told.hint) == (("pwd",), 7, "s", "h")


def test_no_number_of_a_person_leaves_in_the_clear() -> None:
    told = assertion_from(county(), Keyed(), TEACHER)
    assert ID_NUMBER not in str(told.identifiers)
    assert "teacher-7" not in repr(told)
    assert "t-301" not in repr(told)


@pytest.mark.parametrize("level", ["1", "", None, "4", ["2"], {"2": 2}, True, "2 "])
def test_take_over_by_self_asserted_attributes_links_nothing(level: Any) -> None:
    assert assertion_from(county(), Keyed(), {**TEACHER, "level": level}).identifiers == {}


@pytest.mark.parametrize("verified", [False, None, "false", "yes", 1, "1", [True], {"": True}])
def test_take_over_by_unverified_attributes_links_nothing(verified: Any) -> None:
    settings = county(options={"verified_claim": "checked"})
    assert assertion_from(settings, Keyed(), {**TEACHER, "checked": verified}).identifiers == {}


@pytest.mark.parametrize("verified", [True, "true"])
def test_a_provider_may_mark_identifiers_verified_by_a_claim(verified: Any) -> None:
    settings = county(options={"verified_claim": "checked.ok"})
    told = assertion_from(settings, Keyed(), {**TEACHER, "level": "1", "checked": {"ok": verified}})
    assert told.identifiers["roster:county-tables"] == "t-301"


def test_a_provider_is_believed_only_in_the_namespaces_it_is_an_authority_for() -> None:
    told = assertion_from(county(authoritative=("roster:other",)), Keyed(), TEACHER)
    assert told.identifiers == {"roster:other": "t-301"}
    assert assertion_from(county(authoritative=()), Keyed(), TEACHER).identifiers == {}


def test_e_mail_and_phone_and_name_never_link() -> None:
    settings = county(
        authoritative=("email", "phone", "name"), claims={"email": "email", "assurance": "level"}
    )
    told = assertion_from(settings, Keyed(), {**TEACHER, "email": "a@b.test", "phone": "1"})
    assert told.identifiers == {}


def test_two_rosters_are_told_apart_by_their_full_names() -> None:
    claims = {"roster:a": "a", "roster:b": "b.id", "assurance": "level"}
    settings = county(authoritative=("roster:a", "roster:b"), claims=claims)
    told = assertion_from(settings, Keyed(), {**TEACHER, "a": "1", "b": {"id": 2}})
    assert told.identifiers == {"roster:a": "1", "roster:b": "2"}


@pytest.mark.parametrize(
    "number",
    ["", "000000000000000000", "111111111111111111", "9999************34", ID_NUMBER[:17], ID_NUMBER + "0",
     ID_NUMBER[:10] + "1399" + ID_NUMBER[14:], f"{ID_NUMBER}\n", int(ID_NUMBER[:17]), [ID_NUMBER], None,
     True],
)  # fmt: skip
def test_a_placeholder_or_a_masked_number_makes_no_two_people_one(number: Any) -> None:
    told = assertion_from(county(), Keyed(), {**TEACHER, "id": number, "roll": number})
    assert "match" not in told.identifiers


def test_the_roll_number_links_where_there_is_no_id_number() -> None:
    roll = assertion_from(county(), Keyed(), {**TEACHER, "id": None})
    assert roll.identifiers["match"] == Keyed().match_key(f"G{ID_NUMBER}")
    issued = {**TEACHER, "id": None, "roll": "J99999920100101123X"}
    assert "match" in assertion_from(county(), Keyed(), issued).identifiers


@pytest.mark.parametrize("roll", ["L99999920100101123X", "J000000000000000000", "G000000000000000000", "12"])
def test_a_temporary_or_made_up_roll_number_links_nobody(roll: str) -> None:
    told = assertion_from(county(), Keyed(), {**TEACHER, "id": None, "roll": roll})
    assert "match" not in told.identifiers


def test_full_width_digits_are_the_same_number() -> None:
    wide = ID_NUMBER.translate(str.maketrans("0123456789X", "０１２３４５６７８９Ｘ"))
    told = assertion_from(county(), Keyed(), {**TEACHER, "id": wide})
    assert told.identifiers["match"] == Keyed().match_key(ID_NUMBER)


def test_roles_hold_in_the_provider_s_own_region_and_school_whatever_it_says() -> None:
    settings = county(school="3137150201")
    values = {**TEACHER, "duty": ["js", "xz", "js", "省厅管理员", 7, None, {"js": 1}], "region": "370000"}
    told = assertion_from(settings, Keyed(), values)
    assert told.roles == (
        RoleClaim("TEACHER", "371502", "3137150201"),
        RoleClaim("SCHOOL_ADMIN", "371502", "3137150201"),
    )


@pytest.mark.parametrize("duty", [None, "", "省厅管理员", {"js": True}, 7, True, [["js"]]])
def test_a_role_the_table_does_not_list_is_none(duty: Any) -> None:
    settings = county(roles={"js": "TEACHER", "": "TEACHER"})
    assert assertion_from(settings, Keyed(), {**TEACHER, "duty": duty}).roles == ()


def test_ten_thousand_roles_are_cut_short() -> None:
    table = {str(number): f"R{number}" for number in range(10_000)}
    told = assertion_from(county(roles=table), Keyed(), {**TEACHER, "duty": list(table)})
    assert len(told.roles) == 32


@pytest.mark.parametrize(
    "sub",
    ["", " ", "a\0", "a\n", " a", "a ", "a" * 256, "a\ud800", "a\u202eb", "a\u200bb", None, True, -1, 1.0,
     1 << 64, ["a"], {"id": 1}],
)  # fmt: skip
def test_a_doubtful_account_name_signs_nobody_in(sub: Any) -> None:
    with pytest.raises(UpstreamRefused) as caught:
        assertion_from(county(), Keyed(), {**TEACHER, "sub": sub})
    assert caught.value.kind == "claim-sub"


@pytest.mark.parametrize(
    ("sub", "told"), [("王", "王"), ("a" * 255, "a" * 255), (7, "7"), (0, "0"), ("a b", "a b")]
)
def test_an_account_name_is_kept_exactly(sub: Any, told: str) -> None:
    assert assertion_from(county(), Keyed(), {**TEACHER, "sub": sub}).sub == told


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("合成 教师", "合成 教师"),
        ("a\u202eb\0c\n", "abc"),
        ("甲" * 500, "甲" * 100),
        (7, ""),
        (None, ""),
        ("  甲 ", "甲"),
    ],
)
def test_a_name_cannot_turn_a_page_around(name: Any, told: str) -> None:
    assert assertion_from(county(), Keyed(), {**TEACHER, "name": name}).name == told


def test_a_provider_that_says_nothing_is_worth_what_the_operator_says() -> None:
    silent = {**TEACHER, "level": None}
    assert assertion_from(county(), Keyed(), silent).assurance == "SELF_ASSERTED"
    settings = county(assurance={"": "NAME_VERIFIED"})
    assert assertion_from(settings, Keyed(), silent).assurance == "NAME_VERIFIED"


def test_a_provider_cannot_call_itself_stronger_than_the_table_says() -> None:
    settings = county(claims={}, assurance={})
    told = assertion_from(
        settings, Keyed(), {**TEACHER, "acr": "urn:rongtong:acr:face-verified"}, assurance_at="acr"
    )
    assert told.acr == "urn:rongtong:acr:password"


def test_methods_are_bounded_words() -> None:
    told = assertion_from(county(), Keyed(), TEACHER, amr=["pwd", 7, "<b>", "x" * 99, *["otp"] * 99])  # type: ignore[list-item]
    assert told.amr == ("pwd", *["otp"] * 12)


@pytest.mark.parametrize(
    ("wish", "asked"),
    [
        ("urn:rongtong:acr:name-verified", "2 3"),
        ("urn:rongtong:acr:face-verified", "3"),
        ("urn:rongtong:acr:unheard urn:rongtong:acr:face-verified", "3"),
        ("2", ""),
        ("", ""),
    ],
)
def test_step_up_is_asked_for_in_the_provider_s_words(wish: str, asked: str) -> None:
    assert asked_of(county(), wish) == asked


@pytest.mark.parametrize(
    ("path", "found"),
    [("data.user.id", 7), ("list.1.id", 2), ("a.b", "whole"), ("list.9.id", None), ("list.-1", None),
     ("data.none.id", None), ("data.user.id.x", None), ("", None), (".", None), ("list.1000000", None)],
)  # fmt: skip
def test_a_dotted_path_leads_to_one_value_or_nowhere(path: str, found: Any) -> None:
    values = {"data": {"user": {"id": 7}}, "list": [{"id": 1}, {"id": 2}], "a.b": "whole", "a": {"b": "part"}}
    assert at(values, path) == found
