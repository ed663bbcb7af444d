"""Places that were renamed, zones that report beside the counties, and codes that sources go on writing."""

from __future__ import annotations

from schema.model.codes import Level
from schema.model.divisions import Divisions, shipped

CITY, DONGCHANGFU, CHIPING, OLD_CHIPING, ZONE = "371500", "371502", "371503", "371523", "371571"


def test_a_withdrawn_code_leads_to_the_code_in_force() -> None:
    tree = shipped()
    assert tree.current(OLD_CHIPING) == CHIPING
    assert tree.current("372500") == CITY
    assert tree.current(DONGCHANGFU) == DONGCHANGFU
    assert tree.current("no such code") == "no such code"


def test_a_code_is_in_force_until_the_day_before_its_withdrawal() -> None:
    tree = shipped()
    assert tree.get(OLD_CHIPING, "2018-12-31") is not None
    assert tree.get(OLD_CHIPING, "2019-01-01") is None
    assert tree.get("371202", "2018-12-31") is not None
    assert tree.get("371202", "2019-01-01") is None
    assert tree.get(OLD_CHIPING) is not None


def test_a_successor_begins_when_its_predecessor_ends() -> None:
    tree = shipped()
    assert tree.get(CHIPING, "2018-12-31") is None
    begun = tree.get(CHIPING, "2019-01-01")
    assert begun is not None
    assert begun["valid_from"] == "2019-01-01"
    assert tree.get(DONGCHANGFU, "1980-01-01") is not None
    rows = [
        {"code": "1", "name": "旧", "level": "COUNTY", "validTo": "2016", "successor": "3"},
        {"code": "2", "name": "旧二", "level": "COUNTY", "validTo": "2019-03", "successor": "3"},
        {"code": "3", "name": "新", "level": "COUNTY"},
    ]
    assert Divisions(rows).get("3", "2016-01-01") is not None
    assert Divisions(rows).get("3", "2015-12-31") is None
    assert Divisions([*rows[:2], rows[2] | {"validFrom": "2015"}]).get("3", "2015-06-01") is not None


def test_records_below_a_place_may_still_carry_the_codes_from_before() -> None:
    tree = shipped()
    assert set(tree.written(CHIPING)) == {CHIPING, OLD_CHIPING}
    assert tree.written(OLD_CHIPING) == tree.written(CHIPING)
    assert set(tree.written(CITY)) == {*tree.under(CITY), OLD_CHIPING, "372500"}
    assert len(tree.written("000000")) == len(set(tree.written("000000")))
    assert tree.written(DONGCHANGFU) == [DONGCHANGFU]


def test_what_still_has_a_withdrawn_code_lies_where_its_successor_lies() -> None:
    tree = shipped()
    assert tree.within(OLD_CHIPING, CHIPING)
    assert tree.within(OLD_CHIPING, CITY)
    assert tree.within("371202", "370100")
    assert tree.within("371202", "371200")
    assert not tree.within(OLD_CHIPING, DONGCHANGFU)
    assert not tree.within("371202", CITY)


def test_a_scope_with_a_withdrawn_code_covers_what_took_its_place() -> None:
    tree = shipped()
    assert tree.within(CHIPING, OLD_CHIPING)
    assert tree.within(DONGCHANGFU, "372500")
    assert not tree.within(DONGCHANGFU, OLD_CHIPING)


def test_a_zone_reports_to_the_city_and_not_to_the_county_it_lies_in() -> None:
    tree = shipped()
    values = tree.get(ZONE)
    assert values is not None
    assert values["carved_from_codes"] == [DONGCHANGFU]
    assert not values["official"]
    assert "gb_code" not in values
    assert tree.within(ZONE, CITY)
    assert not tree.within(ZONE, DONGCHANGFU)
    assert not tree.overlap(ZONE, DONGCHANGFU)


def test_children_come_in_the_order_of_the_monthly_report_without_what_is_withdrawn() -> None:
    tree = shipped()
    below = tree.children(CITY)
    assert below == ["371502", "371581", "371525", "371522", "371521", "371524", "371503", "371526",
                     "371571", "371572", "371573"]  # fmt: skip
    assert tree.children(CITY, zones=False) == below[:8]
    assert OLD_CHIPING in tree.children(CITY, withdrawn=True)


def test_ancestors_are_nearest_first_up_to_the_nation() -> None:
    tree = shipped()
    assert tree.ancestors(ZONE) == [CITY, "370000", "000000"]
    assert tree.ancestors("000000") == []
    assert tree.ancestors("nowhere") == []


def test_a_place_has_one_region_a_level() -> None:
    tree = shipped()
    assert tree.at_level(ZONE, Level.COUNTY) == ZONE
    assert tree.at_level(ZONE, Level.MUNICIPAL) == CITY
    assert tree.at_level(CITY, Level.COUNTY) is None


def test_unknown_places_lie_nowhere_and_nothing_lies_in_them() -> None:
    tree = shipped()
    assert not tree.within("nowhere", "000000")
    assert not tree.within(CITY, "nowhere")
    assert not tree.within("", CITY)
    assert not tree.within(CITY, "")


def test_everything_under_the_nation_is_in_force_and_within_it() -> None:
    tree = shipped()
    under = tree.under("000000")
    assert len(under) == len(set(under)) > 190
    assert all(tree.within(code, "000000") for code in under)
    assert OLD_CHIPING not in under


def test_a_circle_in_the_table_ends() -> None:
    rows = [
        {"code": "1", "name": "甲", "level": "COUNTY", "parent": "2", "successor": "2"},
        {"code": "2", "name": "乙", "level": "COUNTY", "parent": "1", "successor": "1"},
    ]
    tree = Divisions(rows)
    assert set(tree.ancestors("1")) == {"1", "2"}
    assert tree.current("1") in {"1", "2"}
    assert tree.within("1", "2")
