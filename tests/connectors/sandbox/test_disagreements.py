"""Levels disagree about a few schools, and only where the country says so."""

from __future__ import annotations

from datetime import date

import pytest

from connectors.sandbox.country import Country

FIELDS = ("name", "address", "student_count", "class_count")


@pytest.fixture(scope="module")
def demo() -> Country:
    return Country(today=date(2026, 11, 22))


def test_a_register_tells_otherwise_exactly_what_is_listed(demo: Country) -> None:
    listed = {(one.school_code, one.level, one.field): (one.value, one.so) for one in demo.disagreements()}
    found = {}
    for school in demo.schools:
        for level in ("NATIONAL", "PROVINCIAL", "MUNICIPAL", "COUNTY", "SCHOOL"):
            told = demo.told_by(level, school)
            assert (told.code, told.unit_code) == (school.code, school.unit_code)
            for field in FIELDS:
                if getattr(told, field) != getattr(school, field):
                    found[school.code, level, field] = getattr(told, field), getattr(school, field)
    assert found == listed
    assert {code for code, _, _ in listed} == set(demo.oddities()["contradictions"])


def test_the_platform_still_writes_the_withdrawn_county(demo: Country) -> None:
    for school in demo.schools_of("371503"):
        told = demo.told_by("MUNICIPAL", school).name
        assert told == (school.name.replace("茌平区", "茌平县") if school.old_region_name else school.name)
    assert any(one.value == f"茌平县{str(one.so)[3:]}" for one in demo.disagreements())


def test_the_province_is_a_month_behind_on_two_schools(demo: Country) -> None:
    counted = [one for one in demo.disagreements() if one.field == "student_count"]
    assert [one.level for one in counted] == ["PROVINCIAL"] * 2
    assert all(0 < abs(int(one.value) - int(one.so)) < 5 for one in counted)


def test_the_first_school_is_only_called_by_a_short_name(demo: Country) -> None:
    first = demo.schools[0]
    (only,) = [one for one in demo.disagreements() if one.school_code == first.code]
    assert (only.level, only.field) == ("MUNICIPAL", "name")
    assert first.name == f"东昌府区{only.value}"


def test_disagreements_stay_few_in_a_whole_city() -> None:
    country = Country("city", today=date(2026, 11, 22))
    odd = set(country.oddities()["contradictions"])
    assert 0 < len(odd) < 0.1 * len(country.schools)
