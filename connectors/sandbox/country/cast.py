"""The cast: who signs in during a demonstration, and the few people with something odd about them."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.sandbox.country.entities import Person, Persona
from connectors.sandbox.country.people import People, Place, Written, officer
from connectors.sandbox.country.schools import Schools
from connectors.sandbox.country.words import CITY, PROVINCE, RARE

_OFFICERS = (
    ("officer", "卢省样", PROVINCE, "PROVINCIAL"),
    ("city_officer", "卢市样", CITY, "MUNICIPAL"),
    ("county_officer", "卢县样", "371502", "COUNTY"),
)


def places(schools: Schools) -> dict[str, Place]:
    """Where the written people sit, as (school, class number, seat); the same at every scale."""

    def first(school: int, grade: int) -> int:
        step = schools.kind(school)[2].index(grade)
        return step * schools.classes_per_grade(school) + 1

    fifth = first(0, 5)
    seats: dict[str, Place] = {
        key: (0, fifth, seat) for seat, key in enumerate(("pupil", "rare1", "rare2", "rare3", "moved"))
    }
    return seats | {
        "twin1": (1, first(1, 7), 0),
        "twin2": (2, first(2, 7), 0),
        "senior": (3, first(3, 11), 0),
    }


def written(schools: Schools) -> dict[Place, Written]:
    """What the play writes down about them."""
    at = places(schools)
    script = {at[key]: Written(given_name="禾" + char) for key, char in zip(at, RARE, strict=False)}
    script[at["moved"]] = Written(roll_school=schools.of_unit(1)[0])
    script[at["twin1"]] = script[at["senior"]] = Written()
    script[at["twin2"]] = Written(like=at["twin1"])
    return script


def officers(start_year: int) -> dict[str, Person]:
    """The officers of the bureaus by local id."""
    rows = enumerate(_OFFICERS, start=1)
    people = (officer(key.replace("_", "-"), name, code, n, start_year) for n, (key, name, code, _) in rows)
    return {person.id: person for person in people}


def personas(schools: Schools, people: People, bureau: Mapping[str, Person]) -> dict[str, Persona]:
    """Everybody who signs in, by key."""
    at = places(schools)
    pupil, senior = people.pupil(*at["pupil"]), people.pupil(*at["senior"])
    mother = people.person(f"{pupil.id}-g2")
    assert mother is not None
    players = {
        "teacher": people.member(0, at["pupil"][1]),
        "pupil": pupil,
        "guardian": mother,
        "principal": people.member(0, 0),
        "stranger": people.member(schools.of_unit(3)[0], 1),
        "senior": senior,
    }
    found = {key: _persona(key, person, "SCHOOL") for key, person in players.items()}
    for (key, _, _, level), person in zip(_OFFICERS, bureau.values(), strict=True):
        found[key] = _persona(key, person, level)
    return found


def odd_people(schools: Schools) -> dict[str, tuple[str, ...]]:
    """The local ids of the odd ones, by what is odd about them."""
    ids = {key: "u-{}-{}-{}".format(*place) for key, place in places(schools).items()}
    return {
        "rare_names": tuple(ids[key] for key in ("pupil", "rare1", "rare2", "rare3")),
        "same_name_and_birth_date": (ids["twin1"], ids["twin2"]),
        "moved": (ids["moved"],),
    }


def _persona(key: str, person: Person, level: str) -> Persona:
    return Persona(
        key=key,
        name=person.name,
        role=person.role,
        level=level,
        region_code=person.unit_code,
        school_code=person.school_code,
        class_keys=person.class_keys,
        person_id=person.id,
        children_ids=person.children_ids,
    )
