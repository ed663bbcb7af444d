"""Who may agree for whom through the graph, and who reads the log: told with one made-up school."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import pytest

from schema.graph.build import build_schema
from schema.graph.context import Context, NoWitness, Silence
from schema.graph.ids import encode
from schema.model.codes import Level
from schema.model.privacy import Duty
from schema.model.viewer import Viewer
from schema.model.words import Kind, Word
from tests.fakes.school import (
    COUNTY_TEACHER,
    HER_PUPIL,
    MOTHER,
    PUPIL,
    ROWS,
    SOURCES,
    STRANGER,
    TEACHER,
    THE_CLASSMATE,
    THE_GUARDIAN,
    context,
)

SCHEMA = build_schema()
AT = "2026-11-20T08:00:00.000+00:00"
GIVE = """mutation ($id: ID!, $client: String! = "app") {
  giveConsent(person: $id, client: $client, purpose: TEACHING, noticeVersion: "v1") {
    receipt client purpose noticeVersion byGuardian grantedAt withdrawnAt } }"""
WITHDRAW = """mutation ($id: ID!, $receipt: String!) {
  withdrawConsent(person: $id, receipt: $receipt) { receipt withdrawnAt } }"""
LOG = "query ($id: ID!) { node(id: $id) { ... on Person { accessLog { fields roles client } } } }"


@dataclass
class FakeWitness:
    """Receipts in a list, and one entry in everybody's log; notes by which keys it was asked."""

    receipts: dict[str, dict[str, Any]] = field(default_factory=dict)
    about: dict[str, tuple[str, ...]] = field(default_factory=dict)
    asked: list[tuple[str, ...]] = field(default_factory=list)
    away: bool = False

    async def accesses(
        self, about: Sequence[str], *, first: int, before: datetime | None = None
    ) -> Sequence[Mapping[str, Any]]:
        self._reached(about)
        entry = {
            "at": AT, "roles": ["STAFF"], "region_code": "371502", "school_code": None, "client": "archive",
            "purposes": [Duty.ROLL], "fields": ["Person.birth_date"],
        }  # fmt: skip
        return [entry][:first]

    async def consents(self, about: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        self._reached(about)
        return [one for number, one in self.receipts.items() if set(self.about[number]) & set(about)]

    async def consent(
        self, viewer: Viewer, about: Sequence[str], client: str, purpose: Duty, notice: str
    ) -> Mapping[str, Any]:
        self._reached(about)
        for number, one in self.receipts.items():
            same = (one["client"], one["purpose"], one["withdrawn_at"]) == (client, purpose, None)
            if same and self.about[number] == tuple(about):
                return one
        number = f"r{len(self.receipts)}"
        self.about[number] = tuple(about)
        self.receipts[number] = {
            "receipt": number, "client": client, "purpose": purpose, "notice_version": notice,
            "by_guardian": bool(viewer.children_keys & set(about)), "granted_at": AT, "withdrawn_at": None,
        }  # fmt: skip
        return self.receipts[number]

    async def withdraw(self, viewer: Viewer, about: Sequence[str], receipt: str) -> Mapping[str, Any] | None:
        self._reached(about)
        if not set(self.about.get(receipt, ())) & set(about):
            return None
        self.receipts[receipt]["withdrawn_at"] = AT
        return self.receipts[receipt]

    def _reached(self, about: Sequence[str]) -> None:
        if self.away:
            raise NoWitness
        self.asked.append(tuple(about))


def gid(key: str) -> str:
    return encode(Word.declared[Kind.PERSON.value].spec, key, SOURCES)


def world(viewer: Viewer, witness: FakeWitness | None, **changed: Any) -> Context:
    found = context(viewer, **changed)
    found.witness = witness
    return found


async def asked(query: str, world: Context, key: str = PUPIL, **variables: Any) -> tuple[Any, list[Any]]:
    """(data, errors) of a query about the person with this key."""
    result = await SCHEMA.execute(query, variable_values={"id": gid(key), **variables}, context_value=world)
    return result.data, result.errors or []


async def refused(query: str, world: Context, key: str = PUPIL, **variables: Any) -> tuple[str, str]:
    """The one error: its code, and what it says."""
    _, errors = await asked(query, world, key, **variables)
    (error,) = errors
    cause = error.original_error
    return cause.code, cause.public


async def test_a_guardian_agrees_for_her_child_and_has_one_receipt_for_it() -> None:
    keeper = FakeWitness()
    data, errors = await asked(GIVE, world(THE_GUARDIAN, keeper))
    assert errors == []
    receipt = data["giveConsent"]
    assert (receipt["byGuardian"], receipt["client"], receipt["withdrawnAt"]) == (True, "app", None)
    assert (receipt["purpose"], receipt["noticeVersion"]) == ("TEACHING", "v1")
    again, _ = await asked(GIVE, world(THE_GUARDIAN, keeper))
    assert again["giveConsent"]["receipt"] == receipt["receipt"]
    assert keeper.about[receipt["receipt"]] == (PUPIL, "m1")


async def test_a_grown_person_agrees_for_herself() -> None:
    keeper = FakeWitness()
    data, errors = await asked(GIVE, world(COUNTY_TEACHER, keeper), TEACHER)
    assert errors == []
    assert data["giveConsent"]["byGuardian"] is False


async def test_a_pupil_under_fourteen_cannot_agree_and_neither_can_one_of_unknown_age() -> None:
    keeper = FakeWitness()
    code, said = await refused(GIVE, world(HER_PUPIL, keeper))
    assert code == "BAD_ARGUMENT"
    assert "监护人" in said
    ageless = {name: value for name, value in ROWS[Kind.PERSON][PUPIL].items() if name != "birth_date"}
    rows = {**ROWS, Kind.PERSON: {**ROWS[Kind.PERSON], PUPIL: ageless}}
    assert "监护人" in (await refused(GIVE, world(HER_PUPIL, keeper, rows=rows)))[1]
    assert keeper.asked == []


async def test_but_she_may_withdraw_what_was_agreed_to_for_her() -> None:
    keeper = FakeWitness()
    given, _ = await asked(GIVE, world(THE_GUARDIAN, keeper))
    number = given["giveConsent"]["receipt"]
    data, errors = await asked(WITHDRAW, world(HER_PUPIL, keeper), receipt=number)
    assert errors == []
    assert data["withdrawConsent"] == {"receipt": number, "withdrawnAt": AT}


@pytest.mark.parametrize("viewer", [STRANGER, THE_CLASSMATE, COUNTY_TEACHER], ids=lambda one: one.subject)
async def test_whoever_may_not_is_told_the_same_as_for_a_person_who_is_not_there(viewer: Viewer) -> None:
    keeper = FakeWitness()
    for query, more in ((GIVE, {}), (WITHDRAW, {"receipt": "r0"})):
        there = await refused(query, world(viewer, keeper), PUPIL, **more)
        missing = await refused(query, world(viewer, keeper), "roster:nobody", **more)
        assert there == missing
        assert there[0] == "BAD_ARGUMENT"
    assert keeper.asked == []


async def test_an_application_of_somebody_elses_agrees_to_nothing_for_nobody() -> None:
    keeper = FakeWitness()
    application = replace(
        THE_GUARDIAN, third_party=True, client="app", consented=frozenset({(PUPIL, Duty.TEACHING)})
    )
    for query, more in ((GIVE, {}), (WITHDRAW, {"receipt": "r0"})):
        code, said = await refused(query, world(application, keeper), **more)
        assert (code, "页面" in said) == ("BAD_ARGUMENT", True)
    assert keeper.asked == []


async def test_a_guardian_agrees_for_no_child_that_is_not_hers() -> None:
    keeper = FakeWitness()
    assert (await refused(GIVE, world(THE_GUARDIAN, keeper), "roster:p2"))[0] == "BAD_ARGUMENT"
    assert keeper.asked == []


async def test_a_receipt_of_another_person_is_not_there() -> None:
    keeper = FakeWitness()
    given, _ = await asked(GIVE, world(THE_GUARDIAN, keeper))
    number = given["giveConsent"]["receipt"]
    for receipt in (number, "no such receipt"):
        data, errors = await asked(WITHDRAW, world(COUNTY_TEACHER, keeper), TEACHER, receipt=receipt)
        assert (data["withdrawConsent"], errors) == (None, [])
    assert keeper.receipts[number]["withdrawn_at"] is None


async def test_an_empty_client_or_receipt_is_refused() -> None:
    keeper = FakeWitness()
    assert (await refused(GIVE, world(THE_GUARDIAN, keeper), client=""))[0] == "BAD_ARGUMENT"
    assert (await refused(WITHDRAW, world(THE_GUARDIAN, keeper), receipt=""))[0] == "BAD_ARGUMENT"


@pytest.mark.parametrize("client", ["a b", "x" * 256, "nul\0", "应用", "a\u202eb"])
async def test_what_can_be_no_applications_name_is_agreed_to_by_nobody(client: str) -> None:
    keeper = FakeWitness()
    assert (await refused(GIVE, world(THE_GUARDIAN, keeper), client=client))[0] == "BAD_ARGUMENT"
    assert keeper.receipts == {}


async def test_a_silent_roster_is_told_and_not_taken_for_a_missing_person() -> None:
    down = (Silence("roster", Level.SCHOOL, "TIMED_OUT", "超时 / timed out"),)
    keeper = FakeWitness()
    found = world(THE_GUARDIAN, keeper, rows={**ROWS, Kind.PERSON: {}}, silent=down)
    assert (await refused(GIVE, found))[0] == "TIMED_OUT"


# -- the log -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("viewer", [HER_PUPIL, THE_GUARDIAN], ids=lambda one: one.subject)
async def test_the_pupil_and_her_guardian_see_who_looked(viewer: Viewer) -> None:
    keeper = FakeWitness()
    data, errors = await asked(LOG, world(viewer, keeper))
    assert errors == []
    assert data["node"]["accessLog"] == [
        {"fields": ["Person.birth_date"], "roles": ["STAFF"], "client": "archive"}
    ]
    assert keeper.asked == [(PUPIL, "m1")]


@pytest.mark.parametrize("viewer", [STRANGER, THE_CLASSMATE, COUNTY_TEACHER], ids=lambda one: one.subject)
@pytest.mark.parametrize("what", ["accessLog { at }", "consents { receipt }"])
async def test_nobody_else_sees_it_and_nobody_is_asked(viewer: Viewer, what: str) -> None:
    keeper = FakeWitness()
    query = f"query ($id: ID!) {{ node(id: $id) {{ ... on Person {{ {what} }} }} }}"
    data, errors = await asked(query, world(viewer, keeper))
    assert errors == []
    assert not any((data["node"] or {}).values())
    assert keeper.asked == []


async def test_a_guardian_does_not_see_the_log_of_the_teacher() -> None:
    keeper = FakeWitness()
    data, _ = await asked(LOG, world(THE_GUARDIAN, keeper), TEACHER)
    assert not any((data["node"] or {}).values())
    own, _ = await asked(LOG, world(THE_GUARDIAN, keeper), MOTHER)
    assert own["node"]["accessLog"]
    assert keeper.asked == [(MOTHER,)]


async def test_receipts_are_shown_with_their_end() -> None:
    keeper = FakeWitness()
    given, _ = await asked(GIVE, world(THE_GUARDIAN, keeper))
    await asked(WITHDRAW, world(THE_GUARDIAN, keeper), receipt=given["giveConsent"]["receipt"])
    query = "query ($id: ID!) { node(id: $id) { ... on Person { consents { receipt withdrawnAt } } } }"
    data, errors = await asked(query, world(THE_GUARDIAN, keeper))
    assert errors == []
    assert data["node"]["consents"] == [{"receipt": "r0", "withdrawnAt": AT}]


@pytest.mark.parametrize("keeper", [None, FakeWitness(away=True)], ids=["no database", "database away"])
async def test_records_that_cannot_be_read_are_an_error_and_never_an_empty_list(
    keeper: FakeWitness | None,
) -> None:
    for what in ("accessLog { at }", "consents { receipt }"):
        query = f"query ($id: ID!) {{ node(id: $id) {{ ... on Person {{ log: {what} }} }} }}"
        data, errors = await asked(query, world(HER_PUPIL, keeper))
        assert [error.original_error.code for error in errors] == ["RECORDS_UNAVAILABLE"]
        assert data["node"]["log"] is None
    code, _ = await refused(GIVE, world(THE_GUARDIAN, keeper))
    assert code == "RECORDS_UNAVAILABLE"
