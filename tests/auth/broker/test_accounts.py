"""One person, several accounts: who is who the first time, and what parts or joins them later."""

from __future__ import annotations

import asyncio

import pytest

from auth.broker.accounts import Accounts, Proof, account_id
from auth.broker.claims import ACCOUNTS, CLAIMS
from auth.broker.persons import COLLECTION as PERSONS
from auth.errors import StoreDown
from auth.ports import Assertion
from auth.principal import RoleClaim
from auth.store import Document
from hub.identity.store import MongoStore
from hub.mongo import Mongo
from tests.fakes.account_desk import NUMBER, PROVINCE, Desk, Failing, desk_of
from tests.fakes.recorded import AuditList, said


@pytest.fixture
async def desk(mongo: Mongo) -> Desk:
    return await desk_of(mongo)


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
