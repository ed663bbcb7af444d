"""Who somebody is, from the rosters: roles, classes and children as the schools' own sources tell them."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from auth.documents import Account
from auth.ports import Profile
from auth.principal import RoleClaim
from hub.people.index import MatchIndex
from hub.people.rosters import RosterPeople
from schema.model.viewer import Viewer
from schema.model.words import Kind
from tests.journeys.country import World

pytestmark = pytest.mark.asyncio(loop_scope="session")
NOW = datetime(2026, 11, 20, tzinfo=UTC)


def account(**told: object) -> Account:
    usual = {"id": "a", "iss": "https://id.invalid", "sub": "s", "person": "p", "upstream": "county",
             "level": "COUNTY", "created": NOW, "seen": NOW}  # fmt: skip
    return Account(**{**usual, **told})  # type: ignore[arg-type]


def index(land: World) -> MatchIndex:
    hub = land.demo.hub
    assert hub.mongo is not None
    return MatchIndex(hub.mongo, {code: one.connector for code, one in hub.registry.joined.items()})


async def who(land: World, *accounts: Account) -> Profile:
    people = RosterPeople(land.demo.hub.directory, lambda: date(2026, 11, 20), index(land).find)
    return await people.profile("p", accounts)


def rostered(land: World, persona: str) -> Account:
    assert land.demo.hub.identity is not None
    source, _, local = land.demo.hub.identity.principal(persona).person_keys[0].partition(":")
    return account(identifiers={f"roster:{source}": local})


@pytest.mark.parametrize("persona", ["teacher", "pupil", "guardian", "principal", "stranger"])
async def test_the_roster_tells_who_somebody_is(land: World, persona: str) -> None:
    assert land.demo.hub.identity is not None
    wanted = land.demo.hub.identity.principal(persona)
    found = await who(land, rostered(land, persona))
    assert found.person_keys == wanted.person_keys
    assert set(found.children_keys) == set(wanted.children_keys)
    for claim in wanted.roles:
        same = [
            role for role in found.roles if (role.role, role.school_code) == (claim.role, claim.school_code)
        ]
        assert same, (claim, found.roles)
        assert set(claim.class_keys) <= set(same[0].class_keys)
        assert same[0].region_code == claim.region_code


async def test_only_the_pupil_under_fourteen_is_a_minor(land: World) -> None:
    told = {
        one: (await who(land, rostered(land, one))).minor
        for one in ("pupil", "senior", "teacher", "guardian")
    }
    assert told == {"pupil": True, "senior": False, "teacher": False, "guardian": False}


async def test_a_number_alone_finds_the_record_by_its_keyed_hash(land: World) -> None:
    (key,) = (await who(land, rostered(land, "pupil"))).person_keys
    own = land.demo.hub.directory(Viewer("x", person_keys=frozenset({key})))
    entity, _ = await own.get(Kind.PERSON, key, frozenset({"match_key"}))
    assert entity is not None
    assert await index(land).refresh() > 1000
    found = await who(land, account(level="PROVINCIAL", identifiers={"match": entity.values["match_key"]}))
    assert key in found.person_keys
    assert {role.role for role in found.roles} == {"STUDENT"}


async def test_a_role_without_a_school_has_no_scope_unless_it_is_an_administrations(land: World) -> None:
    told = account(roles=(RoleClaim("TEACHER", "371502"), RoleClaim("ADMIN", "371502"), RoleClaim("OWNER")))
    found = await who(land, told)
    assert found.roles == (RoleClaim("TEACHER"), RoleClaim("ADMIN", "371502"))
    assert not found.minor


async def test_who_is_known_to_no_roster_counts_as_a_child(land: World) -> None:
    found = await who(land, account(identifiers={"roster:c371502-roster": "nobody", "roster:": "x"}))
    assert found.minor
    assert found.roles == ()
