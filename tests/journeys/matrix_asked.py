"""The matrix, asked: every role's answers about everybody, in two orders, beside what is true."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest_asyncio

from auth.principal import principal_from
from schema.graph import ids as global_ids
from schema.model.words import Kind
from tests.journeys.country import World
from tests.journeys.matrix import LINK_OF, PERSON, RECORDS, ROLES, ROSTER, SCHOOL, SUBJECTS, Role

WHOLE = {name: " ".join(fields) for name, fields in RECORDS.items()}
PLAIN = " ".join(PERSON)
FRAGMENTS = f"""
fragment Plain on Person {{ id {PLAIN} }}
fragment Light on Person {{ id displayName gender birthDate residentIdMasked assurance roles schoolCode }}
fragment Traced on Sourced {{ sources {{ source localId fields }} contradictions {{ field value kept }} }}
""" + "\n".join(f"fragment {name} on {name} {{ id {fields} ...Traced }}" for name, fields in WHOLE.items())
RELATED = """school { schoolCode }
  enrollments(first: 9) { totalCount account { silent { source } } nodes { ...Enrollment } }
  accounts(first: 9) { totalCount nodes { ...Account } }
  studentRoll { ...StudentRoll }
  guardians(first: 9) { totalCount
    edges { node { ...Guardianship child { ...Light } guardian { ...Light } } } }
  children(first: 9) { totalCount nodes { ...Guardianship child { ...Light } } }
  learningSpace { ...LearningSpace }
  events(first: 9) { totalCount pageInfo { hasNextPage } nodes { ...ActivityEvent person { ...Light } } }
  accessLog(first: 1) { at } consents { receipt }"""


@dataclass
class Answers:
    """What one role was told: about each subject, from other places, of single records, word for word."""

    direct: dict[str, Any] = field(default_factory=dict)
    ways: dict[str, Any] = field(default_factory=dict)
    records: dict[str, Any] = field(default_factory=dict)
    text: str = ""


@dataclass
class Asked:
    """All answers, twice: in one order of asking and then in the other; and what is true."""

    first: dict[str, Answers]
    again: dict[str, Answers]
    truth: dict[str, Any]
    kept: dict[str, tuple[str, str, str]]
    """Of each record about somebody: its id, its type, its subject."""
    made_up: dict[str, str]
    people: dict[str, str]


def gid(land: World, kind: Kind, key: str) -> str:
    hub = land.demo.hub
    return global_ids.encode(hub.specs[kind], key, hub.registry)


class Asking:
    """One way round: every role asks the same."""

    def __init__(self, land: World) -> None:
        self._land = land
        self.people = {one.name: gid(land, Kind.PERSON, ROSTER + one.key) for one in SUBJECTS.values()}
        self._class = gid(land, Kind.CLASS_GROUP, ROSTER + "c-0-9")

    def headers(self, role: Role) -> dict[str, str]:
        """Who asks, and for what."""
        hub = self._land.demo.hub
        assert hub.identity is not None
        held = {"X-Rongtong-Purpose": role.purpose} if role.purpose else {}
        if role.claim:
            token = hub.tokens.issue(principal_from(role.claim, issuer="matrix"))
        elif role.persona:
            token = hub.identity.token(role.persona)
        else:
            return held
        return held | {"Authorization": f"Bearer {token}"}

    async def post(self, role: Role, query: str) -> dict[str, Any]:
        body = {"query": query, "extensions": {"provenance": True}}
        url = f"{self._land.demo.url}/graphql"
        async with self._land.client.post(url, json=body, headers=self.headers(role)) as reply:
            answer: dict[str, Any] = orjson.loads(await reply.read())
            return answer

    async def about(self, role: Role) -> dict[str, Any]:
        """Every subject: straight, and by `node` through each interface."""
        parts = [
            f'{name}: person(id: "{id}") {{ ...Plain {RELATED} }} '
            f'{name}_node: node(id: "{id}") {{ __typename id ... on Sourced {{ ...Traced '
            f"... on Person {{ ...Plain }} }} ... on Node {{ ... on Person {{ renamed: birthDate }} }} }}"
            for name, id in self.people.items()
        ]
        return await self.post(role, f"{{ {' '.join(parts)} }} {FRAGMENTS}")

    async def around(self, role: Role) -> dict[str, Any]:
        """The same people from the school, the class, oneself, and lists."""
        used = "\n".join(part for part in FRAGMENTS.splitlines() if part.startswith("fragment Light"))
        seats = "enrollments(first: 60) { totalCount nodes { role person { ...Light } } }"
        return await self.post(
            role,
            f"""{{ me {{ ...Light enrollments(first: 1) {{ nodes {{ classGroup {{ {seats} }} }} }} }}
            school(schoolCode: "{SCHOOL}") {{ name phone principalName
              classes(gradeCode: "G05", first: 1) {{ totalCount nodes {{ name {seats}
                homeroomTeacher {{ ...Light }} }} }} facility {{ uplinkMbps }} }}
            classGroup(id: "{self._class}") {{ name
              pupils: enrollments(role: STUDENT, first: 60) {{
                totalCount nodes {{ person {{ ...Light }} }} }}
              teachers: enrollments(role: TEACHER, first: 60) {{
                totalCount nodes {{ person {{ ...Light }} }} }}
              one: enrollments(role: STUDENT, first: 1) {{ totalCount pageInfo {{ hasNextPage endCursor }} }}
              none: enrollments(role: STUDENT, first: 0) {{ totalCount pageInfo {{ hasNextPage }} }} }}
            activityEvents(school: "{SCHOOL}", first: 5) {{ totalCount pageInfo {{ hasNextPage endCursor }}
              nodes {{ actorRole objectId scoreScaled person {{ ...Light }} }} }}
            notices(region: "371502", first: 100) {{ totalCount nodes {{ title }} }}
            datasets(first: 5) {{ totalCount pageInfo {{ hasNextPage }} nodes {{ id }} }} }} {used}""",
        )

    async def single(self, role: Role, kept: dict[str, tuple[str, str, str]]) -> dict[str, Any]:
        """Every record about somebody, by its id alone."""
        parts = [
            f'{alias}: node(id: "{id}") {{ __typename ... on Sourced {{ ...{name} }} }}'
            for alias, (id, name, _) in kept.items()
        ]
        used = "\n".join(part for part in FRAGMENTS.splitlines() if " on Person" not in part)
        return await self.post(role, f"{{ {' '.join(parts)} }} {used}")

    async def everything(self, role: Role, kept: dict[str, tuple[str, str, str]]) -> Answers:
        about, around, single = await asyncio.gather(
            self.about(role), self.around(role), self.single(role, kept)
        )
        for answer in (about, around, single):
            assert "errors" not in answer, (role.name, answer["errors"])
        text = orjson.dumps([about, around, single]).decode()
        return Answers(about["data"], around["data"], single["data"], text)


def nodes(found: Any) -> list[Any]:
    """What a connection or a single relation holds."""
    if not found:
        return []
    if "edges" in found:
        return [edge["node"] for edge in found["edges"]]
    return list(found["nodes"]) if "nodes" in found else [found]


def records_of(truth: dict[str, Any], subject: str) -> Iterator[tuple[str, Any]]:
    for name, link in LINK_OF.items():
        for one in nodes(truth[subject][link])[:2]:
            yield name, one


async def agreed(land: World, asking: Asking) -> str:
    """The guardian agrees to the vendor's seeing her child; the receipt."""
    given = await land.data(
        """mutation($id: ID!) { giveConsent(person: $id, client: "matrix-consented", purpose: TEACHING,
        noticeVersion: "1") { receipt } }""", "guardian", id=asking.people["pupil"],
    )  # fmt: skip
    return str(given["giveConsent"]["receipt"])


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def asked(land: World) -> AsyncIterator[Asked]:
    """The whole matrix, asked in one order and then in the other."""
    asking = Asking(land)
    selves = {
        "pupil": "pupil", "classmate": "classmate", "senior": "senior", "teacher": "teacher",
        "principal": "principal", "guardian": "guardian",
    }  # fmt: skip
    owns = await asyncio.gather(*(asking.about(ROLES[who]) for who in selves.values()))
    truth = {who: own["data"][who] for who, own in zip(selves, owns, strict=True)}
    kept: dict[str, tuple[str, str, str]] = {}
    for who in selves:
        for name, one in records_of(truth, who):
            kept[f"r{len(kept)}"] = (one["id"], name, who)
    receipt = await agreed(land, asking)
    try:
        first = {name: await asking.everything(role, kept) for name, role in ROLES.items()}
        again = {name: await asking.everything(role, kept) for name, role in reversed(ROLES.items())}
    finally:
        await land.data(
            "mutation($id: ID!, $r: String!) { withdrawConsent(person: $id, receipt: $r) { receipt } }",
            "guardian", id=asking.people["pupil"], r=receipt,
        )  # fmt: skip
    made_up = {
        name: gid(land, Kind(name), f"{_source(land, id)}:no-such-thing") for id, name, _ in kept.values()
    } | {"Person": gid(land, Kind.PERSON, ROSTER + "u-no-such")}
    yield Asked(first, again, truth, kept, made_up, asking.people)


def _source(land: World, id: str) -> str:
    ref = global_ids.decode(id, land.demo.hub.registry)
    assert ref is not None
    return ref.key.partition(":")[0]
