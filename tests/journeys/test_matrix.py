"""Everybody asks about everybody, by every way there is: each sees what the texts say, and no value more."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from schema.graph import ids as global_ids
from schema.model.words import Kind, Word
from tests.journeys.country import World
from tests.journeys.matrix import (
    LINK_OF,
    LINKS,
    PERSON,
    RECORDS,
    ROLES,
    SUBJECTS,
    Field,
    Role,
    Subject,
    expected,
    masked,
    through,
)
from tests.journeys.matrix_asked import Asked, Asking, nodes, records_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

FAMILY = {"ActivityEvent": "activity"}


def fits(role: Role, subject: Subject, name: str, one: Field, value: Any, true: Any, sight: str) -> None:
    """The value is what this sight leaves of the true one."""
    wanted = {
        "shown": true,
        "masked": masked(one.mask, true),
        "hidden": [] if isinstance(true, list) else None,
    }
    assert value == wanted[sight], f"{role.name} / {subject.name}.{name}: {sight}"


def person_fits(role: Role, subject: Subject, found: Any, true: Any) -> None:
    """Each plain field of a person, wherever the person was found."""
    for name in PERSON.keys() & found.keys():
        fits(
            role, subject, name, PERSON[name], found[name], true[name], expected(role, subject, PERSON[name])
        )


@pytest.mark.parametrize("subject", SUBJECTS.values(), ids=lambda one: one.name)
@pytest.mark.parametrize("role", ROLES.values(), ids=lambda one: one.name)
async def test_a_person_is_seen_as_the_texts_say(asked: Asked, role: Role, subject: Subject) -> None:
    true = asked.truth[subject.name]
    for answers in (asked.first[role.name], asked.again[role.name]):
        found, node = answers.direct[subject.name], answers.direct[f"{subject.name}_node"]
        sights = {name: expected(role, subject, one) for name, one in (PERSON | LINKS).items()}
        if set(sights.values()) == {"hidden"}:
            assert found is None
            assert node is None
            continue
        person_fits(role, subject, found, true)
        person_fits(role, subject, node, true)
        assert node["renamed"] == found["birthDate"], "an alias shows no more"
        assert node["__typename"] == "Person"
        links_fit(role, subject, found, true)
        told = {one for part in node["sources"] for one in part["fields"]}
        assert not {one for one in told if sights.get(one) == "hidden"}, "sources name only what is seen"


def links_fit(role: Role, subject: Subject, found: Any, true: Any) -> None:
    """What hangs on the person is followed only where it may be, and then shows what may be seen of it."""
    for link in LINKS:
        if expected(role, subject, LINKS[link]) == "hidden":
            assert not nodes(found[link]), (role.name, subject.name, link)
            assert (found[link] or {}).get("totalCount", 0) == 0
    for name, link in LINK_OF.items():
        for one in nodes(found[link]):
            whole = next(each for each in nodes(true[link]) if each["id"] == one["id"])
            for field_name, each in RECORDS[name].items():
                sight = expected(role, subject, each, FAMILY.get(name, "identities"))
                sight = through(LINKS[link], sight, role, subject)
                key = field_name
                fits(role, subject, key, each, one[key], whole[key], sight)
        if found[link] and "totalCount" in found[link]:
            assert found[link]["totalCount"] in (None, len(nodes(found[link])), true[link]["totalCount"])
            if not nodes(found[link]):
                assert not found[link]["totalCount"]


@pytest.mark.parametrize("role", ROLES.values(), ids=lambda one: one.name)
async def test_a_record_found_by_its_id_alone_shows_no_more_than_on_the_person(
    asked: Asked, role: Role
) -> None:
    for answers in (asked.first[role.name], asked.again[role.name]):
        for alias, (id, name, who) in asked.kept.items():
            found, subject = answers.records[alias], SUBJECTS[who]
            if found is None:
                continue
            whole = next(one for kind, one in records_of(asked.truth, who) if one["id"] == id)
            assert found["__typename"] == name
            for one, mark in RECORDS[name].items():
                sight = expected(role, subject, mark, FAMILY.get(name, "identities"))
                value, key = found[one], one
                if value not in (None, []):
                    fits(role, subject, key, mark, value, whole[key], sight)


def walked(found: Any) -> Iterator[dict[str, Any]]:
    """Every person anywhere in an answer."""
    if isinstance(found, list):
        for one in found:
            yield from walked(one)
    elif isinstance(found, dict):
        if "displayName" in found:
            yield found
        for one in found.values():
            yield from walked(one)


@pytest.mark.parametrize("role", ROLES.values(), ids=lambda one: one.name)
async def test_whoever_is_met_on_the_way_is_seen_as_if_asked_for(asked: Asked, role: Role) -> None:
    by_id = {id: SUBJECTS[name] for name, id in asked.people.items()}
    for answers in (asked.first[role.name], asked.again[role.name]):
        for found in walked([answers.ways, answers.direct]):
            if (subject := by_id.get(found.get("id", ""))) is not None:
                person_fits(role, subject, found, asked.truth[subject.name])


INSIDERS = {name for name, role in ROLES.items() if role.works and "identities" in role.families}


@pytest.mark.parametrize("role", ROLES.values(), ids=lambda one: one.name)
async def test_numbers_and_pages_tell_no_more_than_what_is_listed(asked: Asked, role: Role) -> None:
    for answers in (asked.first[role.name], asked.again[role.name]):
        ways = answers.ways
        member = role.name in INSIDERS or role.name in (
            "pupil", "classmate", "guardian", "other guardian", "vendor at the guardian's")  # fmt: skip
        assert (ways["classGroup"] is not None) is member, "a class is internal to its members and staff"
        assert bool(ways["school"]["phone"]) is member
        assert bool(ways["school"]["classes"]["nodes"]) is member
        assert ways["school"]["facility"] is None or role.name in INSIDERS
        for page in (ways["activityEvents"], ways["datasets"], ways["notices"]):
            if not page["nodes"]:
                assert not page["totalCount"]
                assert not page.get("pageInfo", {}).get("hasNextPage")
        if role.name not in INSIDERS:
            assert all(event["actorRole"] == "STUDENT" for event in ways["activityEvents"]["nodes"])
        if not member:
            continue
        held = ways["classGroup"]
        for seats in ("pupils", "teachers"):
            assert held[seats]["totalCount"] in (None, len(held[seats]["nodes"]))
        seen = len(held["pupils"]["nodes"])
        assert held["one"]["totalCount"] in (None, seen)
        assert held["one"]["pageInfo"]["hasNextPage"] is (seen > 1)
        assert held["none"]["pageInfo"]["hasNextPage"] is (seen > 0)
        if role.name not in INSIDERS:
            assert seen == (role.name != "pupil" or 1) * 1, "of pupils one sees oneself, or one's child"


@pytest.mark.parametrize("role", ROLES.values(), ids=lambda one: one.name)
async def test_what_is_hidden_stands_nowhere_in_the_answer(asked: Asked, role: Role) -> None:
    """Not in sources, contradictions, cursors, the account, provenance or any field's text."""
    for answers in (asked.first[role.name], asked.again[role.name]):
        for secret, why in secrets(asked, role):
            assert secret not in answers.text, (role.name, why)


def secrets(asked: Asked, role: Role) -> Iterator[tuple[str, str]]:
    """Values that this role may see nowhere, where they are long enough to be nobody else's."""
    shown: set[str] = set()
    hidden: dict[str, str] = {}
    for who, true in asked.truth.items():
        subject = SUBJECTS[who]
        told = [(name, PERSON[name], true[name], "identities") for name in PERSON]
        for kind, one in records_of(asked.truth, who):
            family = FAMILY.get(kind, "identities")
            told += [(f"{kind}.{n}", m, one[n], family) for n, m in RECORDS[kind].items()]
        for name, mark, value, family in told:
            if isinstance(value, str):
                if expected(role, subject, mark, family) == "shown":
                    shown.add(value)
                else:
                    hidden[value] = f"{who}.{name}"
    plain = re.compile(r"[A-Z_0-9]{1,12}|https?://[^?]*verbs/.*|\d{4}-\d\d.*|.{1,2}|PT.*")
    for value, why in hidden.items():
        telling = why.endswith(
            ("displayName", "residentIdMasked", "rollNoMasked", "householdAddress", "subject", "url")
        )
        if value not in shown and telling and not plain.fullmatch(value):
            yield value, why


@pytest.mark.parametrize("role", ROLES.values(), ids=lambda one: one.name)
async def test_the_order_of_asking_changes_nothing(asked: Asked, role: Role) -> None:
    """Whoever asked before, nothing of theirs is remembered for this viewer."""
    first, again = asked.first[role.name], asked.again[role.name]
    assert without_cursors(first.direct) == without_cursors(again.direct)
    assert without_cursors(first.ways) == without_cursors(again.ways)
    assert first.records == again.records


def without_cursors(found: Any) -> Any:
    """The same without what is another each time: cursors, and the log that grows by being read."""
    if isinstance(found, list):
        return [without_cursors(one) for one in found]
    if isinstance(found, dict):
        return {k: without_cursors(v) for k, v in found.items() if k not in ("endCursor", "accessLog")}
    return found


@pytest.mark.parametrize("role", ROLES.values(), ids=lambda one: one.name)
async def test_what_is_hidden_whole_looks_like_what_is_not_there(
    land: World, asked: Asked, role: Role
) -> None:
    """The same bytes but for the ages: data, errors, provenance and account."""
    asking = Asking(land)
    hidden = [(id, name) for alias, (id, name, _) in asked.kept.items()
              if asked.first[role.name].records[alias] is None][:4]  # fmt: skip
    hidden += [(id, "Person") for who, id in asked.people.items()
               if asked.first[role.name].direct[who] is None][:2]  # fmt: skip
    query = '{{ node(id: "{0}") {{ __typename id ... on Person {{ displayName }} }} }}'
    both = await asyncio.gather(
        *(asking.post(role, query.format(id)) for id, _ in hidden),
        *(asking.post(role, query.format(asked.made_up[name])) for _, name in hidden),
    )
    there, nowhere = both[: len(hidden)], both[len(hidden) :]
    assert [ageless(one) for one in there] == [ageless(one) for one in nowhere]


def ageless(answer: dict[str, Any]) -> str:
    return re.sub(r'( [a-z_]+) \d+"', r'\1"', orjson.dumps(answer).decode())


async def test_cursors_and_ids_tell_nothing(land: World, asked: Asked) -> None:
    cursor = asked.first["county officer"].ways["classGroup"]["one"]["pageInfo"]["endCursor"]
    events = asked.first["principal managing"].ways["activityEvents"]["pageInfo"]["endCursor"]
    codes = [face.code.encode() for face in land.demo.hub.registry.faces()]
    for one in (cursor, events):
        raw = base64.urlsafe_b64decode(one + "==")
        assert b"at|" not in raw
        assert not any(code in raw for code in codes)
    for id, name, _ in asked.kept.values():
        ref = global_ids.decode(id, land.demo.hub.registry)
        assert ref is not None
        assert ref.kind is Kind(name)
        assert ref.key.partition(":")[2].encode() not in base64.urlsafe_b64decode(id + "==")


async def test_the_matrix_asks_about_every_type_that_is_about_persons() -> None:
    about = {name for name, word in Word.declared.items() if word.spec.about_person}
    assert about == {"Person", *RECORDS}
    for name, fields in [("Person", {**PERSON, **LINKS}), *RECORDS.items()]:
        spec = Word.declared[name].spec
        told = {_camel(one.name) for one in spec.fields.values() if not one.hidden}
        assert told - fields.keys() <= {"person", "classGroup", "platform", "school", "child", "guardian"}


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(map(str.capitalize, rest))


async def test_every_record_that_the_matrix_needs_is_there(asked: Asked) -> None:
    """Otherwise it could pass for want of something to hide."""
    kinds = {(name, who) for _, name, who in asked.kept.values()}
    assert {name for name, _ in kinds} == set(RECORDS)
    assert {name for name, who in kinds if SUBJECTS[who].minor} == set(RECORDS)
    for who in SUBJECTS:
        assert asked.truth[who]["displayName"]
    assert len(list(secrets(asked, ROLES["nobody"]))) > 10
    assert any(
        expected(role, SUBJECTS["pupil"], PERSON["displayName"]) == "masked" for role in ROLES.values()
    )
