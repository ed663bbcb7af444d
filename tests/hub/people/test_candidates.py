"""Who may be one person: proposed, decided by somebody, and linked by nothing but that."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from auth.errors import StoreDown
from hub.clock import Clock
from hub.identity.store import MongoStore
from hub.mongo import Mongo
from hub.people.candidates import ALIKE, SAME_IDENTIFIER, SAME_NUMBER, Candidates, NoCandidate, NotEnough
from hub.people.index import COLLECTION as INDEX
from hub.people.index import MatchIndex
from hub.people.sign_ons import SignOns
from tests.connectors.sandbox.browser import Browser
from tests.fakes.middle import Middle, middle
from tests.fakes.recorded import said


@dataclass
class Desk:
    hub: Middle
    candidates: Candidates
    mongo: Mongo
    index: MatchIndex

    async def row(self, key: str, match: str, named: str, alike: str = "") -> None:
        row = {"_id": key, "source": key.partition(":")[0], "match": match, "named": named, "alike": alike}
        await self.mongo.collection(INDEX).insert_one(row)


@pytest.fixture
async def desk(mongo: Mongo, tmp_path: Path) -> AsyncIterator[Desk]:
    async with middle(MongoStore(mongo), tmp_path) as hub:
        sign_ons = SignOns(hub.sessions, hub.endings, hub.families)
        candidates = Candidates(mongo, hub.accounts, sign_ons, hub.consents, hub.audit, Clock())
        yield Desk(hub, candidates, mongo, MatchIndex(mongo, {}))


async def two_named_by_one_account(desk: Desk) -> tuple[str, str]:
    """Two persons, and an account with an identifier of each."""
    one = await desk.hub.accounts.person_for(said("1", identifiers={"match": "n1"}))
    other = await desk.hub.accounts.person_for(said("2", identifiers={"roster:county": "t2"}))
    both = {"match": "n1", "roster:county": "t2"}
    await desk.hub.accounts.person_for(said("3", identifiers=both))
    return one, other


async def test_persons_named_together_are_proposed_and_stay_apart_until_somebody_decides(desk: Desk) -> None:
    one, other = await two_named_by_one_account(desk)
    await desk.candidates.gather()
    waiting = await desk.candidates.waiting()
    assert {each.reasons for each in waiting} == {(SAME_IDENTIFIER,)}
    assert {each.confidence for each in waiting} == {0.9}
    assert await desk.hub.accounts.current(one) != await desk.hub.accounts.current(other)
    for each in waiting:
        await desk.candidates.confirm(each.id)
    assert await desk.hub.accounts.current(one) == await desk.hub.accounts.current(other)
    assert "candidate.confirmed" in desk.hub.audit.events()
    assert await desk.candidates.waiting() == []


async def test_what_was_rejected_is_not_proposed_again(desk: Desk) -> None:
    one, other = await two_named_by_one_account(desk)
    await desk.candidates.gather()
    for each in await desk.candidates.waiting():
        assert (await desk.candidates.reject(each.id)).state == "REJECTED"
        with pytest.raises(NoCandidate):
            await desk.candidates.confirm(each.id)
    await desk.candidates.gather()
    assert await desk.candidates.waiting() == []
    assert await desk.hub.accounts.current(one) != await desk.hub.accounts.current(other)
    assert desk.hub.audit.events().count("candidate.rejected") == 2
    with pytest.raises(NoCandidate):
        await desk.candidates.confirm("no such proposal")


async def test_sign_ons_of_the_number_that_goes_end(desk: Desk) -> None:
    async with Browser() as teacher:
        old = await desk.hub.accounts.person_for(said("1", identifiers={"roster:county": "t1"}))
        await desk.hub.enter(teacher)
        person = (await desk.hub.who(teacher))["person"]
        (account,) = await desk.hub.accounts.of_person(person)
        both = {"roster:county": "t1", **account.identifiers}
        await desk.hub.accounts.person_for(said("3", identifiers=both))
        await desk.candidates.gather()
        for each in await desk.candidates.waiting():
            await desk.candidates.confirm(each.id)
        assert await desk.hub.accounts.current(person) == old
        assert await desk.hub.session(teacher) is None


async def test_persons_who_became_one_meanwhile_wait_no_more(desk: Desk) -> None:
    one, other = await two_named_by_one_account(desk)
    await desk.candidates.gather()
    third = (await desk.hub.accounts.of_person(await desk.hub.accounts.person_for(said("3"))))[0].person
    await desk.hub.accounts.merge(await desk.hub.accounts.merge(one, other), third)
    assert await desk.candidates.waiting() == []


async def test_one_number_under_two_names_in_one_roster_finds_neither_until_somebody_decides(
    desk: Desk,
) -> None:
    await desk.row("county:1", "n1", "a-name")
    await desk.row("county:2", "n1", "another-name")
    await desk.row("province:9", "n1", "a-third-name")
    assert await desk.index.find("n1") == ["province:9"]
    await desk.candidates.gather()
    (proposal,) = await desk.candidates.waiting()
    assert (proposal.one, proposal.other, proposal.reasons) == ("county:1", "county:2", (SAME_NUMBER,))
    await desk.candidates.confirm(proposal.id)
    assert sorted(await desk.index.find("n1")) == ["county:1", "county:2", "province:9"]


async def test_one_number_under_one_name_is_in_no_doubt(desk: Desk) -> None:
    await desk.row("county:1", "n1", "a-name")
    await desk.row("county:2", "n1", "a-name")
    await desk.row("county:3", "n2", "another-name")
    assert sorted(await desk.index.find("n1")) == ["county:1", "county:2"]
    await desk.candidates.gather()
    assert await desk.candidates.waiting() == []


async def test_the_same_name_and_birth_date_alone_never_confirm(desk: Desk) -> None:
    await desk.row("county:1", "n1", "a-name", "alike")
    await desk.row("school:1", "", "a-name", "alike")
    await desk.candidates.gather()
    (proposal,) = await desk.candidates.waiting()
    assert (proposal.reasons, proposal.confidence) == ((ALIKE,), 0.3)
    with pytest.raises(NotEnough):
        await desk.candidates.confirm(proposal.id)
    assert await desk.index.find("n1") == ["county:1"]
    await desk.candidates.reject(proposal.id)
    assert await desk.candidates.waiting() == []


async def test_a_decision_that_broke_off_is_completed_by_deciding_the_same_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = await two_named_by_one_account(desk)
    await desk.candidates.gather()
    waiting = await desk.candidates.waiting()

    async def down(event: str, **_: str) -> None:
        raise StoreDown

    monkeypatch.setattr(desk.hub.audit, "note", down)
    with pytest.raises(StoreDown):
        await desk.candidates.confirm(waiting[0].id)
    monkeypatch.undo()
    with pytest.raises(NoCandidate):
        await desk.candidates.reject(waiting[0].id)
    for each in waiting:
        await desk.candidates.confirm(each.id)
    assert await desk.hub.accounts.current(one) == await desk.hub.accounts.current(other)
