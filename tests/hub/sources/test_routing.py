"""Who is asked, who is passed over, and that everybody hears why."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Capabilities, Offer
from hub.sources.routing import (
    MOST_ASKED,
    Candidate,
    Question,
    Reach,
    authority_rank,
    route,
)
from schema.graph.context import Face
from schema.model.codes import LEVELS, Level
from schema.model.divisions import shipped
from schema.model.record import NOWHERE, Place
from schema.model.words import Kind
from tests.hub.sources.room import (
    CITY,
    COUNTY,
    ELSEWHERE,
    NATION,
    OTHER_SCHOOL,
    PROVINCE,
    SCHOOL,
    SPECS,
    offer,
)

SPEC = SPECS[Kind.SCHOOL]
REGION_OF = {
    Level.NATIONAL: NATION, Level.PROVINCIAL: PROVINCE, Level.MUNICIPAL: CITY,
    Level.COUNTY: COUNTY, Level.SCHOOL: COUNTY,
}  # fmt: skip


def candidate(
    code: str, level: Level, region: str = "", school: str = "", given: Offer | None = None
) -> Candidate:
    face = Face(code, code, code, level, region or REGION_OF[level], "rest")
    school = school or (SCHOOL if level is Level.SCHOOL else "")
    return Candidate(face, school, Capabilities({Kind.SCHOOL: given or offer(Kind.SCHOOL, "region_code")}))


COUNTRY = [candidate(level.value.lower(), level) for level in LEVELS]


def question(place: Place = NOWHERE, **more: object) -> Question:
    base = Question(SPEC, frozenset({"name", "stages"}), frozenset({"key"}), place)
    return replace(base, **more)  # type: ignore[arg-type]


def asked(given: Question, candidates: list[Candidate] = COUNTRY) -> list[str]:
    return [one.source for one in route(given, candidates, shipped()).asked]


def why(given: Question, candidates: list[Candidate] = COUNTRY) -> dict[str, str]:
    return {one.source: one.why for one in route(given, candidates, shipped()).passed}


def test_a_thing_at_a_school_is_asked_of_all_levels_above_it_and_of_the_school() -> None:
    assert set(asked(question(Place(COUNTY, SCHOOL)))) == {level.value.lower() for level in LEVELS}


def test_the_source_of_another_school_is_not_asked() -> None:
    given = question(Place(COUNTY, OTHER_SCHOOL))
    assert "school" not in asked(given)
    assert "不管辖该地" in why(given)["school"]


def test_a_county_is_not_asked_about_its_neighbour() -> None:
    assert "county" not in asked(question(Place(ELSEWHERE)))


def test_a_zone_that_reports_beside_the_counties_is_not_the_county_it_lies_in() -> None:
    zone = "371571"
    assert "county" not in asked(question(Place(zone)))
    there = [*COUNTRY, candidate("zone", Level.COUNTY, zone)]
    assert {"zone", "municipal"} <= set(asked(question(Place(zone)), there))


def test_a_place_written_with_its_withdrawn_code_is_asked_of_the_county_that_took_its_place() -> None:
    county = candidate("chiping", Level.COUNTY, "371503")
    assert asked(question(Place("371523")), [county]) == ["chiping"]


def test_where_the_place_is_not_known_only_the_upper_three_levels_are_asked() -> None:
    assert set(asked(question())) == {"national", "provincial", "municipal"}


def test_a_list_of_a_city_is_asked_of_its_counties_and_schools_and_of_those_above() -> None:
    wide = question(Place(CITY), reach=Reach.REGION)
    assert set(asked(wide)) == {level.value.lower() for level in LEVELS}
    assert set(asked(question(Place(ELSEWHERE), reach=Reach.REGION))) == {
        "national",
        "provincial",
        "municipal",
    }


def test_a_list_of_no_region_is_asked_of_everybody() -> None:
    assert len(asked(question(reach=Reach.REGION))) == 5


def test_the_most_authoritative_is_asked_first() -> None:
    order = [Level(code.upper()) for code in asked(question(Place(COUNTY, SCHOOL)))]
    assert order[0] is SPEC.authority[0]
    assert order == sorted(order, key=lambda level: authority_rank(SPEC.authority, level))
    assert order.index(Level.SCHOOL) < order.index(Level.NATIONAL)  # of those not named, the nearest first


def test_only_levels_asked_for_are_asked() -> None:
    given = question(Place(COUNTY), levels=(Level.COUNTY,))
    assert asked(given) == ["county"]
    assert "不在所问级别" in why(given)["provincial"]


def test_the_owner_of_a_record_is_asked_wherever_it_lies() -> None:
    given = question(Place(ELSEWHERE), only_source="county")
    assert asked(given) == ["county"]
    assert "另一来源" in why(given)["national"]


@pytest.mark.parametrize(
    ("given", "lacking", "reason"),
    [
        (offer(Kind.SCHOOL), {"by": frozenset({"region_code"})}, "region_code"),
        (offer(Kind.SCHOOL), {"text": True}, "全文"),
        (offer(Kind.SCHOOL), {"spans": True}, "时间"),
        (Offer(frozenset({"address"})), {}, "没有所需字段"),
    ],
)
def test_who_cannot_do_what_is_asked_is_passed_over_and_told_why(
    given: Offer, lacking: dict[str, object], reason: str
) -> None:
    one = [candidate("national", Level.NATIONAL, given=given)]
    assert asked(question(**lacking), one) == []  # type: ignore[arg-type]
    assert reason in why(question(**lacking), one)["national"]  # type: ignore[arg-type]


def test_a_resting_source_stays_on_the_route_and_is_marked() -> None:
    resting = replace(COUNTRY[0], resting=True)
    assert [one.resting for one in route(question(), [resting], shipped()).asked] == [True]


def test_each_source_is_asked_only_for_fields_it_holds() -> None:
    narrow = candidate("national", Level.NATIONAL, given=Offer(frozenset({"name"})))
    (one,) = route(question(), [narrow], shipped()).asked
    assert one.fields == {"name"}


def test_beyond_the_most_asked_the_rest_is_said_to_be_cut() -> None:
    many = [candidate(f"n{n}", Level.NATIONAL) for n in range(MOST_ASKED + 3)]
    found = route(question(), many, shipped())
    assert len(found.asked) == MOST_ASKED
    assert [one.code for one in found.passed] == ["SOURCE_NOT_ASKED"] * 3


CODES = sorted(["000000", "370000", "371500", "371502", "371571", "371581", "371523", "nowhere", ""])
OFFERS = st.sampled_from(
    [None, offer(Kind.SCHOOL), offer(Kind.SCHOOL, "region_code", search=True), Offer(frozenset({"address"}))]
)


@given(
    st.lists(st.tuples(st.sampled_from(LEVELS), st.sampled_from(CODES), OFFERS), max_size=80),
    st.sampled_from(CODES),
    st.sampled_from(["", SCHOOL]),
    st.sampled_from(list(Reach)),
    st.booleans(),
    st.lists(st.sampled_from(LEVELS), max_size=2),
)
def test_every_source_is_either_asked_or_passed_over_with_a_reason(
    sources: list[tuple[Level, str, Offer | None]], region: str, school: str, reach: Reach, text: bool,
    levels: list[Level],
) -> None:  # fmt: skip
    candidates = [
        Candidate(
            Face(f"s{n}", "", "", level, code, "rest"), SCHOOL if level is Level.SCHOOL else "",
            Capabilities({Kind.SCHOOL: held} if held else {}),
        )
        for n, (level, code, held) in enumerate(sources)
    ]  # fmt: skip
    given_question = question(Place(region, school), reach=reach, text=text, levels=tuple(levels))
    found = route(given_question, candidates, shipped())
    names = [one.source for one in found.asked] + [one.source for one in found.passed]
    assert sorted(names) == sorted(one.face.code for one in candidates)
    assert all(one.why for one in found.asked)
    assert all(one.why for one in found.passed)
    assert all(one.fields for one in found.asked)
