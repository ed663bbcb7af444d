"""Accounts that people or operators join and part: link, unlink, merge, split."""

from __future__ import annotations

import asyncio

import pytest

from auth.broker.accounts import Accounts, BelongsToAnother, account_id
from auth.broker.claims import ACCOUNTS
from auth.broker.persons import COLLECTION as PERSONS
from auth.errors import Denied, StoreDown
from hub.mongo import Mongo
from tests.fakes.account_desk import NUMBER, PROVINCE, Desk, Failing, desk_of
from tests.fakes.recorded import said


@pytest.fixture
async def desk(mongo: Mongo) -> Desk:
    return await desk_of(mongo)


# --- linking, unlinking ---


async def test_a_proven_account_is_linked_and_says_so(desk: Desk) -> None:
    person = await desk.accounts.person_for(said("7"))
    other = said("p-7", PROVINCE)
    await desk.accounts.link(person, other, desk.proof(person, other))
    assert await desk.accounts.person_for(other) == person
    assert [each.proof for each in await desk.accounts.of_person(person)] == ["first", "both"]


async def test_proof_confusion_a_proof_of_one_account_links_no_other(desk: Desk) -> None:
    """CVE-2026-9087: a proof that names only the local user is good for any account."""
    person = await desk.accounts.person_for(said("7"))
    proven, wanted = said("p-7", PROVINCE), said("victim", PROVINCE)
    with pytest.raises(Denied, match="proof"):
        await desk.accounts.link(person, wanted, desk.proof(person, proven))
    same_sub_elsewhere = said("p-7", "https://id.evil.example")
    with pytest.raises(Denied, match="proof"):
        await desk.accounts.link(person, same_sub_elsewhere, desk.proof(person, proven))
    assert await desk.count(ACCOUNTS) == 1


async def test_proof_confusion_a_proof_for_one_person_links_to_no_other(desk: Desk) -> None:
    teacher = await desk.accounts.person_for(said("7"))
    stranger = await desk.accounts.person_for(said("9"))
    account = said("p-7", PROVINCE)
    with pytest.raises(Denied, match="proof"):
        await desk.accounts.link(teacher, account, desk.proof(stranger, account))


async def test_a_proof_older_than_five_minutes_is_none(desk: Desk) -> None:
    person = await desk.accounts.person_for(said("7"))
    account = said("p-7", PROVINCE)
    proof = desk.proof(person, account)
    desk.clock.ahead += 301
    with pytest.raises(Denied, match="proof"):
        await desk.accounts.link(person, account, proof)


async def test_an_account_of_somebody_else_is_not_taken(desk: Desk) -> None:
    teacher, other = await desk.accounts.person_for(said("7")), said("p-7", PROVINCE)
    owner = await desk.accounts.person_for(other)
    with pytest.raises(BelongsToAnother) as refused:
        await desk.accounts.link(teacher, other, desk.proof(teacher, other))
    assert refused.value.person == owner
    assert await desk.accounts.person_for(other) == owner


async def test_an_unlinked_account_begins_anew(desk: Desk) -> None:
    person, other = await desk.accounts.person_for(said("7")), said("p-7", PROVINCE)
    await desk.accounts.link(person, other, desk.proof(person, other))
    await desk.accounts.unlink(person, account_id(other.iss, other.sub))
    assert await desk.accounts.person_for(other) != person
    assert "account.unlinked" in desk.audit.events()


async def test_the_last_account_stays(desk: Desk) -> None:
    person = await desk.accounts.person_for(said("7"))
    with pytest.raises(Denied) as refused:
        await desk.accounts.unlink(person, account_id(said("7").iss, "7"))
    assert refused.value.code == "LAST_ACCOUNT"
    assert await desk.accounts.person_for(said("7")) == person


async def test_of_two_last_accounts_unlinked_at_once_one_stays(desk: Desk) -> None:
    for turn in range(10):
        one, two = said(f"1-{turn}"), said(f"2-{turn}", PROVINCE)
        person = await desk.accounts.person_for(one)
        await desk.accounts.link(person, two, desk.proof(person, two))
        ids = [account_id(each.iss, each.sub) for each in (one, two)]
        done = await asyncio.gather(
            *(desk.accounts.unlink(person, each) for each in ids * 2), return_exceptions=True
        )
        assert len(await desk.accounts.of_person(person)) == 1
        assert any(isinstance(each, Denied) for each in done)


async def test_nobody_unlinks_what_is_somebody_elses(desk: Desk) -> None:
    teacher, stranger = await desk.accounts.person_for(said("7")), await desk.accounts.person_for(said("9"))
    with pytest.raises(Denied) as refused:
        await desk.accounts.unlink(stranger, account_id(said("7").iss, "7"))
    assert refused.value.code == "NO_SUCH_ACCOUNT"
    assert len(await desk.accounts.of_person(teacher)) == 1


async def test_an_unlinking_that_died_half_way_is_completed_by_the_next(desk: Desk) -> None:
    one, two, three = said("1"), said("2", PROVINCE), said("3", "https://id.school.example")
    person = await desk.accounts.person_for(one)
    for each in (two, three):
        await desk.accounts.link(person, each, desk.proof(person, each))
    second, third = (account_id(each.iss, each.sub) for each in (two, three))
    broken = Accounts(Failing(desk.store, 2), desk.audit, desk.clock)  # takes the turn, and no more
    with pytest.raises(StoreDown):
        await broken.unlink(person, second)
    await desk.accounts.unlink(person, third)
    assert [each.sub for each in await desk.accounts.of_person(person)] == ["1"]


# --- merging, splitting ---


async def test_the_older_number_is_kept_whichever_is_named_first(desk: Desk) -> None:
    older = await desk.accounts.person_for(said("7"))
    desk.clock.ahead += 1
    younger = await desk.accounts.person_for(said("p-7", PROVINCE))
    assert await desk.accounts.merge(younger, older) == older
    assert await desk.accounts.current(younger) == older
    assert {each.person for each in await desk.accounts.of_person(younger)} == {older}
    assert await desk.accounts.person_for(said("p-7", PROVINCE)) == older
    assert desk.audit.notes[-1] == ("person.merged", older, {"gone": younger})


async def test_merges_in_both_directions_at_once_make_no_circle(desk: Desk) -> None:
    persons = [await desk.accounts.person_for(said(str(number))) for number in range(6)]
    pairs = [(a, b) for a in persons for b in persons if a != b]
    await asyncio.gather(*(desk.accounts.merge(a, b) for a, b in pairs))
    assert {await desk.accounts.current(each) for each in persons} == {persons[0]}
    assert len(await desk.accounts.of_person(persons[3])) == 6


async def test_a_person_that_nobody_knows_is_merged_with_nobody(desk: Desk) -> None:
    person = await desk.accounts.person_for(said("7"))
    with pytest.raises(Denied) as refused:
        await desk.accounts.merge(person, "mistyped")
    assert refused.value.code == "NO_SUCH_PERSON"
    assert await desk.count(PERSONS) == 1


async def test_a_merge_that_died_half_way_is_seen_whole_all_the_same(desk: Desk) -> None:
    older = await desk.accounts.person_for(said("7"))
    desk.clock.ahead += 1
    younger = await desk.accounts.person_for(said("p-7", PROVINCE))
    broken = Accounts(Failing(desk.store, 1), desk.audit, desk.clock)
    with pytest.raises(StoreDown):
        await broken.merge(older, younger)
    assert len(await desk.accounts.of_person(older)) == 2
    assert await desk.accounts.person_for(said("p-7", PROVINCE)) == older


async def test_an_operator_parts_what_was_linked_wrongly_and_it_stays_parted(desk: Desk) -> None:
    teacher = await desk.accounts.person_for(said("7", identifiers=NUMBER))
    wrong = said("p-7", PROVINCE, identifiers=NUMBER)
    assert await desk.accounts.person_for(wrong) == teacher
    parted = await desk.accounts.split(account_id(wrong.iss, wrong.sub))
    assert parted != teacher
    assert await desk.accounts.person_for(wrong) == parted
    assert await desk.accounts.person_for(said("7", identifiers=NUMBER)) == teacher
    assert "account.split" in desk.audit.events()
    # From now on the number names two persons, so it links nobody.
    newcomer = await desk.accounts.person_for(said("s-7", "https://id.school.example", identifiers=NUMBER))
    assert newcomer not in (teacher, parted)
