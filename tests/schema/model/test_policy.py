"""Who sees what: every persona against every privacy class, the fourteenth birthday, masks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schema.model import activity, organization, person, platform, region, report, resource  # noqa: F401 - words are declared by import
from schema.model.codes import PersonRole
from schema.model.divisions import shipped
from schema.model.policy import Eye, decided, decision, is_minor, reveal, ties
from schema.model.privacy import Duty, Mask, PrivacyClass, masked
from schema.model.viewer import Standing, Viewer
from schema.model.words import Family, Kind, Word
from tests.fakes.school import (
    CLASS,
    CLASSMATE,
    COUNTY_TEACHER,
    HER_PUPIL,
    MOTHER,
    OFFICER,
    OFFICER_ELSEWHERE,
    OFFICER_FOR_THE_ROLL,
    OTHER_TEACHER,
    PUPIL,
    ROWS,
    SCHOOL,
    STRANGER,
    TEACHER,
    THE_CLASSMATE,
    THE_GUARDIAN,
    TODAY,
)

WITHIN = shipped().within
PERSONAS = {
    "stranger": STRANGER,
    "teacher": COUNTY_TEACHER,
    "other teacher": OTHER_TEACHER,
    "pupil": HER_PUPIL,
    "classmate": THE_CLASSMATE,
    "guardian": THE_GUARDIAN,
    "officer": OFFICER,
    "officer for the roll": OFFICER_FOR_THE_ROLL,
    "officer elsewhere": OFFICER_ELSEWHERE,
}


def seen(viewer: Viewer, kind: Kind, key: str, **changed: Any) -> Mapping[str, Any]:
    """What this viewer sees of the record, by field; empty when it looks absent."""
    spec = Word.declared[kind.value].spec
    shown = reveal(viewer, spec, {**ROWS.get(kind, {}).get(key, {}), **changed}, WITHIN, TODAY)
    values, open_fields = shown or ({}, frozenset())
    graph = {name for name in open_fields if not spec.fields[name].hidden}
    return {name: value for name, value in values.items() if name in graph}


ODD: st.SearchStrategy[Any] = st.sampled_from([None, "", [], ["x"], "2010-01-01", 7, {"a": 1}])
RECORDS = st.fixed_dictionaries(
    {},
    optional={
        "region_code": st.sampled_from(["371502", "371521", "370000", "000000"]) | ODD,
        "school_code": st.sampled_from([SCHOOL, "3137000002"]) | st.just(""),
        "class_key": st.sampled_from([CLASS, "roster:c9"]),
        "class_keys": st.lists(st.sampled_from([CLASS, "roster:c9"]), max_size=2),
        "person_key": st.sampled_from([PUPIL, TEACHER, MOTHER, "roster:p9"]),
        "match_key": st.sampled_from(["m1", "m9"]),
        "guardian_key": st.sampled_from([MOTHER, "roster:g9"]),
        "birth_date": st.sampled_from(["2016-05-04", "2010-01-01", "1985-01-01", "20100504", "", "2010-13"]),
        "roles": st.lists(st.sampled_from(["STUDENT", "TEACHER", "GUARDIAN"]), max_size=2),
        "role": st.sampled_from(["STUDENT", "TEACHER", ""]),
        "actor_role": st.sampled_from(["STUDENT", "TEACHER"]),
        "name": st.just("x"),
    },
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(RECORDS, max_size=8), st.sampled_from(sorted(PERSONAS)), st.booleans(), st.data())
def test_who_looks_at_many_records_decides_as_if_each_were_the_only_one(
    records: list[dict[str, Any]], who: str, vendor: bool, data: st.DataObject
) -> None:
    viewer = replace(
        PERSONAS[who], third_party=vendor, minors=True, consented=frozenset({(PUPIL, Duty.TEACHING)})
    )
    eye = Eye(viewer, WITHIN, TODAY)
    for record in records:
        spec = data.draw(st.sampled_from([Word.declared[kind.value].spec for kind in Kind]))
        try:
            alone = decided(viewer, spec, record, WITHIN, TODAY)
        except TypeError:
            continue
        assert eye.decided(spec, record) is alone


@pytest.mark.parametrize("who", PERSONAS)
def test_everybody_sees_what_is_public_of_a_school(who: str) -> None:
    assert seen(PERSONAS[who], Kind.SCHOOL, SCHOOL)["name"] == "样例小学"


@pytest.mark.parametrize("who", PERSONAS)
def test_what_is_internal_of_a_school_is_for_its_people_and_those_above(who: str) -> None:
    sees = who not in ("stranger", "officer elsewhere")
    assert ("phone" in seen(PERSONAS[who], Kind.SCHOOL, SCHOOL)) is sees


@pytest.mark.parametrize(
    ("who", "name", "birth", "grade"),
    [
        ("stranger", None, None, False),
        ("teacher", "王小甲", "2016-05-04", True),
        ("other teacher", None, None, True),
        ("pupil", "王小甲", "2016-05-04", True),
        ("classmate", None, None, False),
        ("guardian", "王小甲", "2016-05-04", True),
        ("officer", None, None, True),
        ("officer for the roll", "王**", "2016", True),
        ("officer elsewhere", None, None, False),
    ],
)
def test_a_child_under_14_is_seen_by_those_who_stand_for_her_or_have_the_duty(
    who: str, name: str | None, birth: str | None, grade: bool
) -> None:
    values = seen(PERSONAS[who], Kind.PERSON, PUPIL, grade_code="G05")
    assert (values.get("display_name"), values.get("birth_date")) == (name, birth)
    assert ("grade_code" in values) is grade


@pytest.mark.parametrize("who", PERSONAS)
def test_the_roll_record_is_for_the_family_and_those_who_keep_the_roll(who: str) -> None:
    values = seen(PERSONAS[who], Kind.STUDENT_ROLL, "province:r1")
    sees = who in ("pupil", "guardian", "officer for the roll")
    assert ("status_code" in values) is sees
    assert bool(values) is sees, "a record with nothing to see looks absent"


@pytest.mark.parametrize(("who", "sees"), [("teacher", True), ("other teacher", False), ("classmate", False)])
def test_what_is_personal_of_an_older_pupil_is_for_those_who_teach_her(who: str, sees: bool) -> None:
    values = seen(PERSONAS[who], Kind.PERSON, PUPIL, birth_date="2010-01-01", assurance="ROLL_MATCHED")
    assert ("assurance" in values) is sees


def test_assurance_of_a_child_under_14_is_sensitive_and_no_duty_opens_it_to_staff() -> None:
    assert "assurance" not in seen(COUNTY_TEACHER, Kind.PERSON, PUPIL, assurance="ROLL_MATCHED")
    assert "assurance" in seen(HER_PUPIL, Kind.PERSON, PUPIL, assurance="ROLL_MATCHED")


@pytest.mark.parametrize(
    ("born", "minor"),
    [("2012-11-21", True), ("2012-11-20", False), ("2012-11-19", False), ("2026-01-01", True)],
)
def test_a_child_is_under_14_until_the_day_of_her_birthday(born: str, minor: bool) -> None:
    assert is_minor({"birth_date": born, "roles": ["STUDENT"]}, TODAY) is minor


def test_a_leap_day_child_turns_14_on_the_first_of_march() -> None:
    assert is_minor({"birth_date": "2012-02-29"}, date(2026, 2, 28))
    assert not is_minor({"birth_date": "2012-02-29"}, date(2026, 3, 1))


@pytest.mark.parametrize(
    ("values", "minor"),
    [
        ({}, True),
        ({"roles": ["STUDENT"]}, True),
        ({"birth_date": "", "roles": ["STUDENT"]}, True),
        ({"birth_date": "2001-xx-01", "roles": ["TEACHER"]}, True),
        ({"roles": ["TEACHER"]}, False),
        ({"role": "TEACHER"}, False),
        ({"roles": ["TEACHER", "STUDENT"]}, True),
        ({"owner_role": "PUBLIC"}, True),
    ],
)
def test_who_is_of_unknown_age_is_a_child_unless_every_role_is_an_adults(
    values: dict[str, Any], minor: bool
) -> None:
    assert is_minor(values, TODAY) is minor


@pytest.mark.parametrize("born", ["0001-01-01", "1900-01-01", "+201-05-04", "2010-13-45", "20100504xx"])
def test_a_birth_date_that_no_pupil_can_have_makes_nobody_older(born: str) -> None:
    assert is_minor({"birth_date": born, "roles": ["STUDENT"]}, TODAY)


@pytest.mark.parametrize("duty", [Duty.ROLL, Duty.AID, Duty.DROPOUT_PREVENTION])
@pytest.mark.parametrize("key", [TEACHER, MOTHER])
def test_a_purpose_about_pupils_opens_nothing_personal_of_an_adult(duty: Duty, key: str) -> None:
    office = Standing(PersonRole.ADMIN, "370000", duties=frozenset(Duty))
    officer = Viewer("officer", (office,), purposes=frozenset({duty}))
    hers = {"gender": "2", "birth_date": "1985-01-01", "resident_id_masked": "9999**", "assurance": "NONE"}
    assert not hers.keys() & seen(officer, Kind.PERSON, key, **hers).keys()
    assert ("display_name" in seen(officer, Kind.PERSON, key)) is (key == TEACHER), "at work she has a name"


def test_a_purpose_opens_of_an_older_pupil_the_fields_that_name_it() -> None:
    office = Standing(PersonRole.ADMIN, "370000", duties=frozenset(Duty))
    older = {"birth_date": "2010-01-01", "gender": "1", "assurance": "ROLL_MATCHED"}
    sees = {
        duty: seen(Viewer("o", (office,), purposes=frozenset({duty})), Kind.PERSON, PUPIL, **older).keys()
        & {"display_name", "gender", "birth_date", "assurance"}
        for duty in (Duty.AID, Duty.ROLL, Duty.SCHOOL_MANAGEMENT)
    }
    assert sees[Duty.AID] == set()
    assert sees[Duty.ROLL] == {"display_name", "gender", "birth_date"}
    assert sees[Duty.SCHOOL_MANAGEMENT] == {"display_name", "assurance"}


def test_who_teaches_the_same_class_is_a_colleague_and_no_pupil() -> None:
    values = seen(COUNTY_TEACHER, Kind.PERSON, TEACHER, person_key="roster:t9", gender="2")
    assert values["display_name"]
    assert not {"gender", "birth_date"} & values.keys()


@pytest.mark.parametrize("place", ["371502", "371500", "370000", "000000"])
def test_a_notice_of_ones_own_county_city_or_province_is_for_all_staff_below(place: str) -> None:
    notice = {"title": "关于期末工作的通知", "region_code": place}
    spec = Word.declared["Notice"].spec
    for insider in (COUNTY_TEACHER, OTHER_TEACHER):
        assert reveal(insider, spec, notice, WITHIN, TODAY)
    for outsider in (STRANGER, HER_PUPIL, THE_GUARDIAN):
        assert reveal(outsider, spec, notice, WITHIN, TODAY) is None
    assert reveal(COUNTY_TEACHER, spec, {**notice, "region_code": "371521"}, WITHIN, TODAY) is None
    assert reveal(COUNTY_TEACHER, spec, {**notice, "school_code": "3137000002"}, WITHIN, TODAY) is None


def test_the_bureaus_catalogue_of_data_is_not_for_the_teachers_below_it() -> None:
    dataset = {"name": "学籍数据", "region_code": "370000"}
    assert reveal(COUNTY_TEACHER, Word.declared["Dataset"].spec, dataset, WITHIN, TODAY) is None
    assert reveal(OFFICER, Word.declared["Dataset"].spec, dataset, WITHIN, TODAY)


@pytest.mark.parametrize("who", PERSONAS)
def test_what_a_pupil_did_is_for_the_family_and_those_who_teach_them(who: str) -> None:
    deed = {**EVENT, "person_key": PUPIL, "class_keys": [CLASS], "actor_role": "STUDENT"}
    sees = seen(PERSONAS[who], Kind.ACTIVITY_EVENT, "", **deed)
    assert bool(sees) is (who in ("pupil", "guardian", "teacher"))
    head = replace(OTHER_TEACHER.standings[0], role=PersonRole.PRINCIPAL, duties=frozenset(Duty))
    managing = Viewer("head", (head,), purposes=frozenset({Duty.SCHOOL_MANAGEMENT}))
    assert "verb" in seen(managing, Kind.ACTIVITY_EVENT, "", **deed)
    assert not seen(replace(managing, purposes=frozenset()), Kind.ACTIVITY_EVENT, "", **deed)


EVENT = {"school_code": SCHOOL, "region_code": "371502", "verb": "logged-in", "occurred_at": "2026-11-20"}
FACILITY = {"school_code": SCHOOL, "region_code": "371502", "uplink_mbps": 100.0}


@pytest.mark.parametrize(
    ("kind", "row"),
    [(Kind.ACTIVITY_EVENT, {**EVENT, "actor_role": "TEACHER"}), (Kind.SCHOOL_FACILITY, FACILITY)],
)
def test_what_teachers_do_and_how_a_school_is_equipped_is_for_staff(
    kind: Kind, row: Mapping[str, Any]
) -> None:
    spec = Word.declared[kind.value].spec
    for family in (HER_PUPIL, THE_GUARDIAN):
        assert reveal(family, spec, row, WITHIN, TODAY) is None
    assert reveal(OTHER_TEACHER, spec, row, WITHIN, TODAY)
    assert reveal(OFFICER, spec, row, WITHIN, TODAY)


@pytest.mark.parametrize("role", [PersonRole.PUBLIC, PersonRole.GUARDIAN])
def test_a_passer_by_and_a_guardian_of_nobody_belong_to_no_school(role: PersonRole) -> None:
    claimed = Viewer("odd", (Standing(role, "371502", SCHOOL, frozenset({CLASS}), frozenset(Duty)),))
    assert not seen(claimed, Kind.CLASS_GROUP, CLASS)
    assert not seen(claimed, Kind.PERSON, TEACHER)
    assert "phone" not in seen(claimed, Kind.SCHOOL, SCHOOL)


def test_a_guardian_of_another_child_sees_nothing_of_this_one() -> None:
    other = Viewer("other", THE_GUARDIAN.standings, frozenset({"roster:g9"}), frozenset({"roster:p2"}))
    assert not seen(other, Kind.PERSON, PUPIL)


def test_records_without_keys_belong_to_nobody() -> None:
    odd = Viewer("odd")
    assert not seen(odd, Kind.PERSON, PUPIL, person_key=None, match_key=None)


def test_a_class_is_internal_to_its_members_and_staff_above() -> None:
    assert seen(HER_PUPIL, Kind.CLASS_GROUP, CLASS)["name"]
    assert seen(OTHER_TEACHER, Kind.CLASS_GROUP, CLASS)["name"]
    assert not seen(STRANGER, Kind.CLASS_GROUP, CLASS)
    assert not seen(OFFICER_ELSEWHERE, Kind.CLASS_GROUP, CLASS)


@pytest.mark.parametrize(
    ("who", "named"), [("other teacher", True), ("pupil", True), ("guardian", True), ("stranger", False)]
)
def test_a_teachers_name_at_work_is_for_the_people_of_her_school(who: str, named: bool) -> None:
    values = seen(PERSONAS[who], Kind.PERSON, TEACHER, subjects=["13"])
    assert ("display_name" in values) is named
    assert ("subjects" in values) is named
    assert "birth_date" not in values


def test_a_parent_is_not_at_work_and_her_name_is_not_for_the_school() -> None:
    assert "display_name" not in seen(OTHER_TEACHER, Kind.PERSON, MOTHER)
    assert seen(THE_GUARDIAN, Kind.PERSON, MOTHER)["display_name"] == "赵丙"


def test_masks_leave_the_family_name_and_the_year() -> None:
    assert masked("王小明", Mask.NAME) == "王**"
    assert masked("𠮷", Mask.NAME) == "𠮷*"
    assert masked("2016-05-04", Mask.YEAR) == "2016"
    assert masked(["王小明"], Mask.NAME) == ["王小明"]
    assert masked("王小明", Mask.NONE) == "王小明"


def test_words_about_persons_are_never_public() -> None:
    about = [word for word in Word.declared.values() if word.spec.about_person]
    assert person.Person in about
    for word in about:
        assert all(field.privacy is not PrivacyClass.PUBLIC for field in word.spec.fields.values()), word
    assert organization.School.spec.privacy is PrivacyClass.PUBLIC


def test_an_application_let_into_other_families_sees_of_this_one_what_anybody_sees() -> None:
    narrow = replace(COUNTY_TEACHER, families=frozenset({Family.RESOURCES}))
    assert seen(COUNTY_TEACHER, Kind.PERSON, PUPIL)
    assert seen(narrow, Kind.PERSON, PUPIL) == seen(STRANGER, Kind.PERSON, PUPIL) == {}
    assert seen(narrow, Kind.SCHOOL, SCHOOL) == seen(STRANGER, Kind.SCHOOL, SCHOOL) != {}


def test_a_third_party_sees_a_pupil_only_once_consented_to_whoever_sits_at_its_screen() -> None:
    vendor = replace(COUNTY_TEACHER, third_party=True, minors=True)
    assert seen(vendor, Kind.PERSON, PUPIL) == {}
    agreed = replace(vendor, consented=frozenset({(PUPIL, Duty.TEACHING)}))
    assert seen(agreed, Kind.PERSON, PUPIL) == seen(COUNTY_TEACHER, Kind.PERSON, PUPIL)
    assert seen(vendor, Kind.PERSON, TEACHER) == seen(COUNTY_TEACHER, Kind.PERSON, TEACHER)


@pytest.mark.parametrize("who", [COUNTY_TEACHER, OFFICER_FOR_THE_ROLL], ids=["teacher", "officer"])
def test_what_was_agreed_to_for_one_purpose_opens_nothing_for_another(who: Viewer) -> None:
    vendor = replace(who, third_party=True, minors=True, purposes=frozenset(Duty))
    agreed = replace(vendor, consented=frozenset({(PUPIL, Duty.AID), (CLASSMATE, Duty.TEACHING)}))
    for kind, key in ((Kind.PERSON, PUPIL), (Kind.STUDENT_ROLL, "province:r1")):
        aided = replace(who, standings=tuple(replace(s, class_keys=frozenset()) for s in who.standings))
        for_aid = seen(replace(aided, purposes=frozenset({Duty.AID})), kind, key)
        assert seen(agreed, kind, key) == for_aid
    assert ties(agreed, Word.declared["Person"].spec, ROWS[Kind.PERSON][CLASSMATE], WITHIN).taught is (
        who is COUNTY_TEACHER
    )


@pytest.mark.parametrize("who", [HER_PUPIL, THE_GUARDIAN], ids=["pupil", "guardian"])
def test_a_third_party_sees_of_a_pupil_what_the_pupil_or_guardian_themselves_brought_it(who: Viewer) -> None:
    vendor = replace(who, third_party=True, minors=True)
    assert seen(vendor, Kind.PERSON, PUPIL) == seen(who, Kind.PERSON, PUPIL) != {}


def test_a_decision_is_made_once_for_each_way_to_stand_to_a_record() -> None:
    spec = Word.declared["Person"].spec
    tie = ties(COUNTY_TEACHER, spec, ROWS[Kind.PERSON][PUPIL], WITHIN)
    assert decision(spec, tie, True, False) is decision(spec, tie, True, False)
    assert decision(spec, tie, True, False) is not decision(spec, tie, False, False)


@pytest.mark.parametrize(
    "who", [COUNTY_TEACHER, HER_PUPIL, THE_GUARDIAN], ids=["teacher", "pupil", "guardian"]
)
def test_an_application_without_leave_is_told_of_nobody_under_fourteen_whoever_brings_them(
    who: Viewer,
) -> None:
    agreed = frozenset((PUPIL, duty) for duty in Duty)
    vendor = replace(who, third_party=True, consented=agreed, purposes=frozenset(Duty))
    assert seen(vendor, Kind.PERSON, PUPIL) == {}
    grown = {"birth_date": "2010-01-01"}
    assert seen(vendor, Kind.PERSON, PUPIL, **grown) != {}
