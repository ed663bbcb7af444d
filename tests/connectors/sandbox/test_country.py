"""The sandbox country is always the same, adds up, and is odd exactly where it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import date
from itertools import islice
from pathlib import Path

import pytest

from connectors.sandbox.country import Country, Person, check_digit

TODAY = date(2026, 11, 22)
ROOT = Path(__file__).resolve().parents[3]
ROLL_NO = re.compile(r"[GJL][0-9]{17}[0-9X]")

FINGERPRINT = """
from datetime import date
from hashlib import sha256
from connectors.sandbox.country import Country
land = Country("city", today=date(2026, 11, 22))
school = land.schools[777]
group = land.classes(school)[3]
pupil = land.pupils(group)[5]
seen = [school, group, pupil, land.guardians_of(pupil), land.teachers(school)[2], land.personas()]
seen += [land.resources("PROVINCIAL")[6_000_000], list(land.statements(school, date(2026, 11, 20)))]
seen += [land.textbooks()[9], land.chapters(land.textbooks()[9]), land.activities()[:9], land.live_sessions()]
print(sha256(repr(seen).encode()).hexdigest())
"""


@pytest.fixture(scope="module")
def demo() -> Country:
    return Country(today=TODAY)


@pytest.fixture(scope="module")
def city() -> Country:
    return Country("city", today=TODAY)


def everybody(country: Country) -> Iterator[Person]:
    for school in country.schools:
        yield from country.teachers(school)
        for group in country.classes(school):
            yield from country.pupils(group)


def known(country: Country, local_id: str) -> Person:
    person = country.person(local_id)
    assert person is not None
    return person


def fingerprint(hash_seed: str) -> str:
    run = subprocess.run(
        [sys.executable, "-c", FINGERPRINT],
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout.strip()


def test_two_processes_see_the_same_country() -> None:
    one, other = fingerprint("1"), fingerprint("4242")
    assert one == other
    assert len(one) == 64


def test_another_seed_is_another_country(demo: Country) -> None:
    other = Country(today=TODAY, seed=1)
    assert [school.name for school in other.schools] == [school.name for school in demo.schools]
    assert other.textbooks()[0].id != demo.textbooks()[0].id
    names = [[person.name for person in islice(everybody(land), 50)] for land in (demo, other)]
    assert names[0] != names[1]


def test_the_demonstration_has_forty_four_schools_and_six_thousand_people(demo: Country) -> None:
    totals = demo.totals()
    assert (totals["schools"], totals["people"]) == (44, 6_000)
    counted = Counter(person.role for person in everybody(demo))
    assert counted["student"] == totals["pupils"] == sum(school.student_count for school in demo.schools)
    assert counted["teacher"] + counted["principal"] == totals["staff"]
    assert [len(demo.schools_of(unit.code)) for unit in demo.units] == [4] * 11


def test_every_class_is_as_large_as_it_says_and_every_school_the_sum_of_its_classes(demo: Country) -> None:
    for school in demo.schools:
        groups = demo.classes(school)
        assert len(groups) == school.class_count
        assert sum(len(demo.pupils(group)) for group in groups) == school.student_count
        assert all(group.size > 0 for group in groups)


def test_the_city_has_its_size_without_being_counted(city: Country) -> None:
    totals = city.totals()
    assert (totals["schools"], totals["people"]) == (1_200, 860_000)
    assert totals["resources_provincial"] == len(city.resources("PROVINCIAL")) == 6_600_000
    assert sum(school.student_count + school.staff_count for school in city.schools) == 860_000
    assert max(group.size for school in city.schools[::50] for group in city.classes(school)) <= 64


def test_a_resource_far_inside_is_reached_at_once_and_found_again_by_its_id(city: Country) -> None:
    shelf = city.resources("PROVINCIAL")
    far = shelf[6_000_000]
    assert shelf[5_999_990:6_000_010][10] == far
    assert city.resource(far.id) == far
    assert shelf[-1].index == 6_599_999
    assert city.resource(far.id[:-1] + ("0" if far.id[-1] != "0" else "1")) is None


def test_the_number_of_provincial_resources_can_be_chosen() -> None:
    country = Country(today=TODAY, resources=100_000)
    assert len(country.resources("PROVINCIAL")) == 100_000
    with pytest.raises(ValueError, match="zero or more"):
        Country(today=TODAY, resources=-1)
    with pytest.raises(ValueError, match="demo or city"):
        Country("planet", today=TODAY)


def test_everybody_has_a_well_formed_number_and_nobody_shares_it(demo: Country) -> None:
    seen: set[str] = set()
    for person in everybody(demo):
        number = person.resident_id or person.roll_no[1:]
        assert len(number) == 18
        assert number.startswith("999999" + person.birth_date.replace("-", ""))
        if person.resident_id or person.roll_no.startswith("J"):
            assert number[17] == check_digit(number[:17])
            assert int(number[16]) % 2 == int(person.sex) % 2
        assert number not in seen
        seen.add(number)


def test_parents_share_no_number_with_anybody(demo: Country) -> None:
    seen = {person.resident_id for person in everybody(demo)}
    for school in demo.schools[::4]:
        for group in demo.classes(school):
            for pupil in demo.pupils(group):
                for guardian in demo.guardians_of(pupil):
                    parent = known(demo, guardian.id)
                    assert parent.resident_id[17] == check_digit(parent.resident_id[:17])
                    assert parent.resident_id not in seen
                    seen.add(parent.resident_id)


def test_numbers_stay_apart_in_the_whole_city(city: Country) -> None:
    numbers: set[str] = set()
    count = 0
    for school in city.schools:
        for group in (city.classes(school)[0], city.classes(school)[-1]):
            numbers.update(f"{pupil.roll_no[1:]}" for pupil in city.pupils(group)[::4])
            count += len(city.pupils(group)[::4])
    assert len(numbers) == count > 20_000


def test_the_check_digit_is_that_of_the_standard() -> None:
    assert check_digit("99999920120901001") == "5"


def test_every_pupil_has_a_roll_number_and_some_have_a_substitute_or_a_temporary_one(demo: Country) -> None:
    pupils = [person for person in everybody(demo) if person.role == "student"]
    assert all(ROLL_NO.fullmatch(pupil.roll_no) for pupil in pupils)
    kinds = Counter(pupil.roll_no[0] for pupil in pupils)
    assert kinds["G"] > 20 * (kinds["J"] + kinds["L"]) > 0
    assert kinds["J"] > 0 < kinds["L"]
    assert all(bool(pupil.resident_id) == (pupil.roll_no[0] == "G") for pupil in pupils)


def test_anybody_is_found_by_every_identifier(demo: Country) -> None:
    for person in islice(everybody(demo), 0, None, 37):
        assert demo.person(person.id) == person
        assert demo.person_by_hub_id(person.hub_person_id) == person
        assert demo.person_by_login(person.login) == person
        if person.role == "student":
            assert demo.person_by_student_id(person.student_id) == person
    officer = known(demo, "u-officer")
    assert demo.person_by_hub_id(officer.hub_person_id) == officer
    assert demo.person_by_login(officer.login) == officer


@pytest.mark.parametrize(
    "stray", ["", "u-", "u-44-1-0", "u-0-99-0", "u-0-1-99", "u-00-1-0", "u-0-t999", "u-0-1-0-g9"]
)
def test_nobody_answers_to_a_made_up_name(demo: Country, stray: str) -> None:
    assert demo.person(stray) is None
    assert demo.person_by_hub_id(stray) is None
    assert demo.person_by_student_id("0" * 19) is None


def test_an_unknown_school_class_or_resource_is_absent(demo: Country) -> None:
    assert demo.school("2137010005") is None
    assert demo.school("²137010001") is None
    assert demo.class_group("c-0-99") is None
    assert demo.class_group("c-0-²") is None
    assert demo.resource("not-an-id") is None
    assert len(demo.schools_of("000000")) == 0
    with pytest.raises(LookupError, match="owner"):
        demo.resources("COUNTY", "000000")
    with pytest.raises(LookupError, match="level"):
        demo.resources("PLANETARY")


@pytest.mark.parametrize("scale", ["demo", "city"])
def test_the_personas_belong_together(scale: str) -> None:
    country = Country(scale, today=TODAY)
    cast = country.personas()
    pupil, teacher = known(country, cast["pupil"].person_id), known(country, cast["teacher"].person_id)
    group = country.class_group(pupil.class_key)
    assert group is not None
    assert (group.grade_code, group.homeroom_teacher_id) == ("G05", teacher.id)
    assert pupil.class_key in cast["teacher"].class_keys
    assert country.school(pupil.school_code) == country.schools[0]
    mother = known(country, cast["guardian"].person_id)
    assert mother.children_ids == cast["guardian"].children_ids == (pupil.id,)
    assert mother.id in [one.id for one in country.guardians_of(pupil) if one.relation == "52"]
    assert cast["principal"].person_id == country.schools[0].principal_id
    assert cast["principal"].name == country.schools[0].principal_name
    assert cast["stranger"].region_code != cast["teacher"].region_code == "371502"
    regions = [cast[key].region_code for key in ("officer", "city_officer", "county_officer")]
    assert regions == ["370000", "371500", "371502"]


@pytest.mark.parametrize("today", [date(2026, 7, 31), date(2026, 8, 1), date(2027, 2, 28)])
def test_the_pupil_is_under_fourteen_and_the_senior_is_not(today: date) -> None:
    country = Country(today=today)
    cast = country.personas()
    young, old = known(country, cast["pupil"].person_id), known(country, cast["senior"].person_id)
    assert young.birth_date > today.replace(year=today.year - 14, day=28).isoformat()
    assert old.birth_date < today.replace(year=today.year - 15, day=1).isoformat()
    assert old.stage == "SENIOR"


def test_the_school_year_begins_in_august() -> None:
    assert Country(today=date(2026, 7, 31)).school_year == "2025-2026"
    assert Country(today=date(2026, 8, 1)).school_year == "2026-2027"


def test_rare_characters_stand_in_four_names(demo: Country) -> None:
    rare = [known(demo, key).name[-1] for key in demo.oddities()["rare_names"]]
    assert rare == ["䶮", "𬭊", "𫘧", "𠮷"]
    assert demo.personas()["pupil"].name.endswith("䶮")


def test_two_pupils_of_one_county_share_name_and_birth_date_and_nothing_else(demo: Country) -> None:
    one, other = (known(demo, key) for key in demo.oddities()["same_name_and_birth_date"])
    assert (one.name, one.birth_date, one.sex) == (other.name, other.birth_date, other.sex)
    assert one.unit_code == other.unit_code
    assert one.school_code != other.school_code
    assert one.resident_id != other.resident_id
    assert one.student_id != other.student_id


def test_one_pupil_moved_and_the_roll_has_not_heard(demo: Country) -> None:
    moved = known(demo, demo.oddities()["moved"][0])
    assert moved.roll_school_code != moved.school_code
    assert demo.school(moved.roll_school_code) is not None
    assert [change.status for change in moved.roll_changes] == ["PENDING"]
    differing = [one.id for one in everybody(demo) if one.roll_no and one.roll_school_code != one.school_code]
    assert differing == [moved.id]


def test_a_county_still_prints_its_withdrawn_name(demo: Country) -> None:
    listed = {school.listed_region_name for school in demo.schools_of("371503")}
    assert listed == {"茌平县", "茌平区"}
    assert all(school.old_region_name is None for school in demo.schools if school.unit_code != "371503")


def test_one_school_name_is_borne_in_two_counties(city: Country) -> None:
    names = Counter(school.name for school in city.schools)
    assert [count for count in names.values() if count > 1] == [2]
    one, other = (city.school(code) for code in city.oddities()["shared_school_name"])
    assert one is not None
    assert other is not None
    assert one.name == other.name
    assert one.unit_code != other.unit_code


def test_the_sixth_grade_is_junior_under_one_system_and_primary_under_the_other(demo: Country) -> None:
    stages = {
        (school.system, group.stage)
        for school in demo.schools
        for group in demo.classes(school)
        if group.grade_code == "G06"
    }
    assert stages == {("S63", "PRIMARY"), ("S54", "JUNIOR"), ("S9", "PRIMARY"), ("S12", "PRIMARY")}
    systems = {school.system for school in demo.schools_of("371502")}
    assert {"S63", "S54"} <= systems


def test_the_province_has_its_own_code_for_a_relation(demo: Country) -> None:
    pupil = known(demo, demo.personas()["pupil"].person_id)
    family = demo.guardians_of(pupil)
    assert [(one.relation, one.relation_local) for one in family] == [("51", "1"), ("52", "2")]
    assert [one.member_id for one in family] == [pupil.student_id + "1", pupil.student_id + "2"]
    assert len(pupil.student_id) == 19


def test_a_zone_has_no_code_of_its_own_in_the_province(demo: Country) -> None:
    zone = next(unit for unit in demo.units if not unit.official)
    school = demo.schools_of(zone.code)[0]
    pupil = demo.pupils(demo.classes(school)[0])[0]
    assert pupil.unit_code == zone.code
    assert pupil.student_id[4:10] == zone.carved_from == "371502"


def test_printed_figures_keep_their_slip(demo: Country) -> None:
    printed = demo.statistics()[0]
    assert (printed.schools, printed.public_schools, printed.private_schools) == (34_285, 26_057, 8_226)
    *rows, total = demo.stage_table()
    assert (total.schools, total.students_10k, total.staff_10k) == (
        sum(row.schools for row in rows),
        sum(row.students_10k for row in rows),
        sum(row.staff_10k for row in rows),
    )
    city, *units = demo.statistics()[1:]
    assert city.students == sum(unit.students for unit in units) == demo.totals()["pupils"]


def test_the_family_table_is_in_the_catalogue_of_the_data_centre(demo: Country) -> None:
    table = next(one for one in demo.datasets() if one.table == "ZXX_XS_JTCY")
    assert table.row_count == 22_759_269
    assert [column.name for column in table.columns if column.primary_key] == ["ZXX_XS_JTCY_ID"]
    assert {column.privacy for column in table.columns if column.name in ("CYXM", "GXM")} == {"SENSITIVE"}


def test_nothing_of_ours_is_imported_by_the_sandbox_country() -> None:
    files = list((ROOT / "connectors" / "sandbox" / "country").glob("*.py"))
    ours = re.compile(
        r"^\s*(?:from|import) (hub|auth|schema|connectors(?!\.sandbox\.country)\S*)", re.MULTILINE
    )
    assert len(files) > 5
    assert not [file.name for file in files if ours.search(file.read_text(encoding="utf-8"))]
