"""One person, several accounts: who is who the first time, and what parts or joins them later."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from auth.broker.accounts import INDEXES, Accounts, BelongsToAnother, Proof, account_id
from auth.broker.claims import ACCOUNTS, CLAIMS
from auth.broker.persons import COLLECTION as PERSONS
from auth.errors import Denied, StoreDown
from auth.ports import Assertion
from auth.principal import RoleClaim
from auth.store import Document, Documents, Store
from hub.identity.store import MongoStore
from hub.mongo import Mongo
from tests.fakes.recorded import AuditList, Clock, said

PROVINCE = "https://id.province.example"
NUMBER = {"match": "keyed-hash-of-a-number"}


@dataclass
class Desk:
    accounts: Accounts
    store: Store
    audit: AuditList
    clock: Clock

    async def count(self, collection: str) -> int:
        return await self.store.collection(collection).count({})

    def proof(self, person: str, assertion: Assertion) -> Proof:
        return Proof("a session", person, account_id(assertion.iss, assertion.sub), self.clock())


@pytest.fixture
async def desk(mongo: Mongo) -> Desk:
    store, audit, clock = MongoStore(mongo), AuditList(), Clock()
    await store.declare(INDEXES)
    return Desk(Accounts(store, audit, clock), store, audit, clock)


async def test_who_signs_in_twice_is_the_same_person(desk: Desk) -> None:
    first = await desk.accounts.person_for(said("7"))
    assert await desk.accounts.person_for(said("7", name="换了名字")) == first
    assert [each.display_name for each in await desk.accounts.of_person(first)] == ["换了名字"]
    assert desk.audit.events() == ["person.created"]


async def test_the_same_sub_at_two_issuers_is_two_accounts_of_two_persons(desk: Desk) -> None:
    county = await desk.accounts.person_for(said("7"))
    province = await desk.accounts.person_for(said("7", PROVINCE))
    assert county != province
    assert await desk.count(ACCOUNTS) == 2


def test_no_two_accounts_share_a_key_by_where_their_issuer_ends() -> None:
    assert account_id("https://a.example/", "x") != account_id("https://a.example", "/x")
    assert account_id("https://a.example", "1:x") != account_id("https://a.example1", ":x")


async def test_take_over_by_the_same_name_does_not_happen(desk: Desk) -> None:
    teacher = await desk.accounts.person_for(said("7", name="县级教师甲"))
    stranger = await desk.accounts.person_for(said("8", PROVINCE, name="县级教师甲", upstream="province"))
    assert teacher != stranger


async def test_an_authority_that_names_the_same_number_links(desk: Desk) -> None:
    teacher = await desk.accounts.person_for(said("7", identifiers=NUMBER))
    assert await desk.accounts.person_for(said("p-7", PROVINCE, identifiers=NUMBER)) == teacher
    proofs = [each.proof for each in await desk.accounts.of_person(teacher)]
    assert proofs == ["first", "authority"]
    assert desk.audit.notes[-1][0] == "account.linked"
    assert desk.audit.notes[-1][2]["proof"] == "authority"


async def test_a_number_in_another_namespace_is_another_number(desk: Desk) -> None:
    teacher = await desk.accounts.person_for(said("7", identifiers={"roster:county": "42"}))
    other = await desk.accounts.person_for(said("8", PROVINCE, identifiers={"roster:province": "42"}))
    assert teacher != other


async def test_identifiers_that_name_two_persons_link_nobody_and_are_left_to_humans(desk: Desk) -> None:
    one = await desk.accounts.person_for(said("1", identifiers={"match": "a"}))
    two = await desk.accounts.person_for(said("2", identifiers={"roster:county": "b"}))
    three = await desk.accounts.person_for(
        said("3", PROVINCE, identifiers={"match": "a", "roster:county": "b"})
    )
    assert len({one, two, three}) == 3
    (candidate,) = await desk.accounts.candidates()
    assert set(candidate.persons) == {one, two, three}
    assert candidate.namespaces == ("match", "roster:county")


async def test_what_an_account_does_not_tell_any_more_is_forgotten(desk: Desk) -> None:
    teacher = await desk.accounts.person_for(
        said("7", identifiers=NUMBER, roles=(RoleClaim("TEACHER", "371502"),))
    )
    await desk.accounts.person_for(said("7"))
    (account,) = await desk.accounts.of_person(teacher)
    assert account.identifiers == {}
    assert account.roles == ()
    assert await desk.count(CLAIMS) == 0
    assert await desk.accounts.person_for(said("p-7", PROVINCE, identifiers=NUMBER)) != teacher


async def test_an_identifier_that_somebody_else_still_holds_stays_claimed(desk: Desk) -> None:
    teacher = await desk.accounts.person_for(said("7", identifiers=NUMBER))
    await desk.accounts.person_for(said("p-7", PROVINCE, identifiers=NUMBER))
    await desk.accounts.person_for(said("7"))
    assert (
        await desk.accounts.person_for(said("s-7", "https://id.school.example", identifiers=NUMBER))
        == teacher
    )


async def test_a_number_told_later_moves_nobody_but_is_shown_to_humans(desk: Desk) -> None:
    teacher = await desk.accounts.person_for(said("7", identifiers=NUMBER))
    other = await desk.accounts.person_for(said("p-7", PROVINCE))
    assert await desk.accounts.person_for(said("p-7", PROVINCE, identifiers=NUMBER)) == other
    (candidate,) = await desk.accounts.candidates()
    assert set(candidate.persons) == {teacher, other}


async def test_one_person_has_several_roles(desk: Desk) -> None:
    roles = (RoleClaim("TEACHER", "371502", "3137000001", ("c-1",)), RoleClaim("GUARDIAN", "371502"))
    person = await desk.accounts.person_for(said("7", roles=roles))
    (account,) = await desk.accounts.of_person(person)
    assert account.roles == roles


# --- first sign-ins, many at once ---


async def test_64_parallel_first_sign_ins_of_one_account_are_one_person(desk: Desk) -> None:
    found = await asyncio.gather(
        *(desk.accounts.person_for(said("7", identifiers=NUMBER)) for _ in range(64))
    )
    assert len(set(found)) == 1
    assert (await desk.count(PERSONS), await desk.count(ACCOUNTS)) == (1, 1)
    assert desk.audit.events() == ["person.created"]


async def test_two_accounts_with_one_verified_number_signing_in_at_once_are_one_person(desk: Desk) -> None:
    for turn in range(12):
        number = {"match": f"number {turn}"}
        both = (said(f"c{turn}", identifiers=number), said(f"p{turn}", PROVINCE, identifiers=number))
        found = await asyncio.gather(*(desk.accounts.person_for(each) for each in both * 8))
        assert len(set(found)) == 1
    assert await desk.count(PERSONS) == 12


async def test_64_accounts_with_one_verified_number_at_once_are_one_person(desk: Desk) -> None:
    everybody = [said(f"a{number}", identifiers=NUMBER) for number in range(64)]
    found = await asyncio.gather(*(desk.accounts.person_for(each) for each in everybody))
    assert len(set(found)) == 1
    assert await desk.count(PERSONS) == 1


async def test_crossed_identifiers_at_once_end_and_make_no_circle(desk: Desk) -> None:
    def crossed(turn: int) -> list[Assertion]:
        a, b, c = ({f"n{name}": f"{turn}"} for name in "abc")
        return [
            said(f"x{turn}", identifiers=a | b), said(f"y{turn}", identifiers=b | c),
            said(f"z{turn}", identifiers=c | a), said(f"w{turn}", identifiers=a | b | c),
        ]  # fmt: skip

    for turn in range(8):
        found = await asyncio.gather(*(desk.accounts.person_for(each) for each in crossed(turn) * 4))
        again = [await desk.accounts.person_for(each) for each in crossed(turn)]
        assert found[:4] == again  # decided once, for good
        assert [await desk.accounts.current(each) for each in again] == again


async def test_two_processes_agree(mongo: Mongo, mongo_uri: str, desk: Desk) -> None:
    other_mongo = Mongo.connect(mongo_uri, mongo.database, "pymongo")
    other = Accounts(MongoStore(other_mongo), desk.audit, desk.clock)
    both = [desk.accounts, other] * 16
    assertions = [said("7", identifiers=NUMBER), said("p-7", PROVINCE, identifiers=NUMBER)]
    found = await asyncio.gather(*(each.person_for(assertions[n // 2 % 2]) for n, each in enumerate(both)))
    await other_mongo.close()
    assert len(set(found)) == 1


class Failing:
    """A store whose n-th write gets no answer; whether it was done is anybody's guess: here it was not."""

    def __init__(self, store: Store, after: int) -> None:
        self._store, self.left = store, after

    def collection(self, name: str) -> Any:
        return _FailingDocuments(self, self._store.collection(name))

    async def declare(self, indexes: Any) -> None:
        await self._store.declare(indexes)


class _FailingDocuments:
    def __init__(self, failing: Failing, inner: Documents) -> None:
        self._failing, self._inner = failing, inner

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._inner, name)
        if name.startswith(("find_one_and", "insert", "update", "delete")):
            return self._counted(call)
        return call

    def _counted(self, call: Any) -> Any:
        async def counted(*args: Any, **kwargs: Any) -> Any:
            self._failing.left -= 1
            if self._failing.left < 0:
                raise StoreDown
            return await call(*args, **kwargs)

        return counted


async def test_a_crash_between_any_two_steps_is_made_up_for(desk: Desk) -> None:
    teacher = await desk.accounts.person_for(said("7", identifiers=NUMBER))
    for after in range(8):
        newcomer = said(f"p{after}", PROVINCE, identifiers=NUMBER)
        broken = Accounts(Failing(desk.store, after), desk.audit, desk.clock)
        try:
            await broken.person_for(newcomer)
        except StoreDown:
            pass
        else:
            assert after > 2, "it takes several writes"
        # Meanwhile somebody else with that number comes, then the one who was interrupted comes again.
        third = said(f"s{after}", "https://id.school.example", identifiers=NUMBER)
        assert await desk.accounts.person_for(third) == teacher
        assert await desk.accounts.person_for(newcomer) == teacher
    linked = [facts["account"] for event, _, facts in desk.audit.notes if event == "account.linked"]
    assert len(set(linked)) == 16  # at least once each


async def test_a_link_is_in_the_audit_log_before_anybody_goes_on_with_it(desk: Desk) -> None:
    class Deaf(AuditList):
        async def note(self, event: str, *, person: str = "", **facts: str) -> None:
            raise StoreDown

    deaf = Accounts(desk.store, Deaf(), desk.clock)
    with pytest.raises(StoreDown):
        await deaf.person_for(said("7"))
    await desk.accounts.person_for(said("7"))
    assert desk.audit.events() == ["person.created"]


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


def test_an_account_does_not_print_what_it_holds() -> None:
    proof = Proof("s", "person number", "account", 0.0)
    assert "person number" not in repr(proof)


async def test_claims_list_nobodys_numbers(desk: Desk) -> None:
    await desk.accounts.person_for(said("7", identifiers={"roster:county": "371502-0042"}))
    (claim,) = await desk.store.collection(CLAIMS).find({}, limit=10)
    assert "371502-0042" not in str(claim)


async def test_operators_in_values_are_values(desk: Desk) -> None:
    odd: Document = {"match": '{"$gt": ""}', "$where": "1"}
    teacher = await desk.accounts.person_for(said("7", identifiers=NUMBER))
    assert await desk.accounts.person_for(said('{"$ne": ""}', identifiers={"match": odd["match"]})) != teacher
