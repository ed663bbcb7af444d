"""What people agree to, over real sockets; receipts and withdrawal over a real database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from auth.documents import Client
from auth.ports import Assertion
from auth.provider.consents import COLLECTION, digest
from auth.store import secret
from hub.identity.store import MongoStore
from hub.mongo import Mongo
from tests.fakes.gate import FRONTEND, Gate, Page, Visitor, gate

TEACHER = Assertion(upstream="county", iss="https://county.test", sub="teacher", level="COUNTY")
PUPIL = Assertion(upstream="county", iss="https://county.test", sub="pupil", level="COUNTY")
PERSON = "person-of-teacher"
ASKED = ("openid", "profile", "graph.identities")


@pytest.fixture
async def running(mongo: Mongo) -> AsyncIterator[Gate]:
    async with gate(MongoStore(mongo)) as found:
        yield found


@pytest.fixture
async def teacher(running: Gate) -> AsyncIterator[Visitor]:
    async with Visitor(running.url) as found:
        sign_in(running, found)
        yield found


def sign_in(running: Gate, visitor: Visitor, assertion: Assertion = TEACHER) -> None:
    cookie = secret()
    running.broker.keep(cookie, assertion)
    visitor.give("rt-session", cookie)


async def answered(teacher: Visitor, i: str, decision: str) -> Page:
    page = await teacher.get(f"/consent?i={i}")
    return await teacher.post("/consent", page.hidden | {"decision": decision})


async def test_the_page_says_who_asks_for_what_for_which_purpose_and_who_vouches(
    running: Gate, teacher: Visitor
) -> None:
    begun = await running.begin(teacher.mark)
    page = await teacher.get(f"/consent?i={begun.id}")
    said = ("示范前端", "您的姓名", "学籍与人员信息", "教学", "由本中心的管理者登记", "app.test")
    assert page.status == 200
    assert [each for each in said if each not in page.text] == []
    english = await teacher.get(f"/consent?i={begun.id}&lang=en")
    told = ("Demo frontend", "your name", "teaching", "operators of this hub")
    assert [each for each in told if each not in english.text] == []


async def test_an_application_that_registered_itself_is_marked_so(running: Gate, teacher: Visitor) -> None:
    for origin, words in (("registered", "无人担保"), ("federation", "信任链担保（东阿县）")):
        client = msgspec.structs.replace(FRONTEND, id=origin, origin=origin, region="371524")
        begun = await running.begin(teacher.mark, client)
        text = (await teacher.get(f"/consent?i={begun.id}")).text
        assert words in text


async def test_allowing_leaves_a_receipt_before_the_application_hears_of_it(
    running: Gate, teacher: Visitor
) -> None:
    begun = await running.begin(teacher.mark)
    answer = await answered(teacher, begun.id, "allow")
    assert (answer.status, answer.location) == (303, f"/oauth/authorize/resume?i={begun.id}")
    (receipt,) = await running.consents.of_person(PERSON)
    assert (receipt.client_id, receipt.scopes, receipt.purposes) == ("frontend", ASKED, ("teaching",))
    assert receipt.text == digest(FRONTEND)
    after = await running.interactions.get(begun.id, teacher.mark)
    assert after is not None
    assert after.consented == ASKED
    assert await running.consents.covers(PERSON, FRONTEND, ASKED, ("teaching",))


async def test_not_allowing_leaves_no_receipt(running: Gate, teacher: Visitor) -> None:
    begun = await running.begin(teacher.mark)
    assert (await answered(teacher, begun.id, "deny")).status == 303
    after = await running.interactions.get(begun.id, teacher.mark)
    assert after is not None
    assert after.consented == ()
    assert await running.consents.of_person(PERSON) == []
    assert not await running.consents.covers(PERSON, FRONTEND, ("openid",))


async def test_consent_csrf_no_form_but_this_browsers_for_this_request_counts(
    running: Gate, teacher: Visitor
) -> None:
    one, other = await running.begin(teacher.mark), await running.begin(teacher.mark)
    mine = (await teacher.get(f"/consent?i={one.id}")).hidden
    async with Visitor(running.url) as attacker:
        sign_in(running, attacker)
        theirs = (await attacker.get(f"/consent?i={(await running.begin(attacker.mark)).id}")).hidden
    for forged in (theirs | {"i": one.id}, {"i": one.id}, mine | {"i": other.id}, mine | {"csrf": "0" * 64}):
        page = await teacher.post("/consent", forged | {"decision": "allow"})
        assert page.status == 403
    assert await running.consents.of_person(PERSON) == []


async def test_consent_csrf_a_page_shown_to_one_person_does_not_count_for_the_next(
    running: Gate, teacher: Visitor
) -> None:
    begun = await running.begin(teacher.mark)
    shown = (await teacher.get(f"/consent?i={begun.id}")).hidden
    sign_in(running, teacher, PUPIL)
    page = await teacher.post("/consent", shown | {"decision": "allow"})
    assert page.status == 403
    assert await running.consents.of_person("person-of-pupil") == []


async def test_pressing_twice_gives_one_receipt(running: Gate, teacher: Visitor) -> None:
    begun = await running.begin(teacher.mark)
    fields = (await teacher.get(f"/consent?i={begun.id}")).hidden | {"decision": "allow"}
    answers = await asyncio.gather(*(teacher.post("/consent", fields) for _ in range(8)))
    assert {each.status for each in answers} == {303}
    assert len(await running.consents.of_person(PERSON)) == 1


async def test_a_form_sent_after_the_request_ended_says_so(running: Gate, teacher: Visitor) -> None:
    begun = await running.begin(teacher.mark)
    fields = (await teacher.get(f"/consent?i={begun.id}")).hidden
    await running.interactions.take(begun.id, teacher.mark)
    page = await teacher.post("/consent", fields | {"decision": "allow"})
    assert page.status == 400
    assert "INTERACTION_OVER" in page.text
    assert await running.consents.of_person(PERSON) == []


async def test_the_form_cannot_ask_for_more_than_the_request_did(running: Gate, teacher: Visitor) -> None:
    begun = await running.begin(teacher.mark)
    fields = (await teacher.get(f"/consent?i={begun.id}")).hidden
    more = {"decision": "allow", "scope": "openid offline_access graph", "client_id": "other"}
    assert (await teacher.post("/consent", fields | more)).status == 303
    (receipt,) = await running.consents.of_person(PERSON)
    assert receipt.scopes == ASKED
    assert (await teacher.post("/consent", fields | {"decision": "perhaps"})).status == 400


async def test_who_is_not_signed_in_is_sent_to_sign_in(running: Gate) -> None:
    async with Visitor(running.url) as stranger:
        begun = await running.begin(stranger.mark)
        page = await stranger.get(f"/consent?i={begun.id}")
        assert (page.status, page.location) == (303, f"/sign-in?i={begun.id}")


async def test_clickjacking_the_consent_page_cannot_be_framed_and_ends_at_the_application(
    running: Gate, teacher: Visitor
) -> None:
    begun = await running.begin(teacher.mark)
    policy = (await teacher.get(f"/consent?i={begun.id}")).headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self' https://app.test;" in policy


async def test_xss_by_the_applications_own_words(running: Gate, teacher: Visitor) -> None:
    evil = "'\"><script>alert(1)</script>"
    client = Client(
        id="evil", name=evil, name_en=evil, purposes=("teaching", evil), policy_uri="javascript:alert(1)",
        region=evil,
    )  # fmt: skip
    begun = await running.begin(teacher.mark, client, scope=f"openid graph {evil}", redirect_uri=evil)
    page = await teacher.get(f"/consent?i={begun.id}")
    assert page.status == 200
    assert "<script>alert" not in page.text
    assert "javascript:" not in page.text


async def test_withdrawing_ends_the_applications_grants_and_asks_anew(running: Gate) -> None:
    consents = running.consents
    await consents.grant(PERSON, FRONTEND, ASKED, ("teaching",))
    await consents.grant("person-of-pupil", FRONTEND, ASKED, ("teaching",))
    assert await consents.withdraw(PERSON, "frontend") == 1
    assert running.ended == [(PERSON, "frontend")]
    assert not await consents.covers(PERSON, FRONTEND, ("openid",))
    assert await consents.covers("person-of-pupil", FRONTEND, ASKED, ("teaching",))
    (receipt,) = await consents.of_person(PERSON)
    assert receipt.withdrawn is not None
    assert await consents.withdraw(PERSON, "frontend") == 0
    assert len(running.ended) == 2


async def test_consent_covers_less_but_never_more_than_was_agreed(running: Gate) -> None:
    consents = running.consents
    await consents.grant(PERSON, FRONTEND, ("openid", "graph"), ("teaching",))
    assert await consents.covers(PERSON, FRONTEND, ("openid", "graph.activity"), ("teaching",))
    assert not await consents.covers(PERSON, FRONTEND, ("openid", "profile"))
    assert not await consents.covers(PERSON, FRONTEND, ("openid",), ("aid",))
    await consents.grant(PERSON, FRONTEND, ("profile",), ("aid",))
    assert await consents.covers(PERSON, FRONTEND, ("openid", "profile"), ("aid", "teaching"))


async def test_an_application_that_calls_itself_otherwise_must_ask_anew(running: Gate) -> None:
    await running.consents.grant(PERSON, FRONTEND, ASKED)
    renamed = msgspec.structs.replace(FRONTEND, name="另一个名字")
    assert not await running.consents.covers(PERSON, renamed, ASKED)


async def test_two_persons_that_were_one_have_agreed_to_what_either_did(running: Gate) -> None:
    await running.consents.grant("gone", FRONTEND, ASKED)
    assert await running.consents.moved("gone", PERSON) == 1
    assert await running.consents.covers(PERSON, FRONTEND, ASKED)


async def test_a_receipt_is_never_written_over(running: Gate, mongo: Mongo) -> None:
    first = await running.consents.grant(PERSON, FRONTEND, ASKED)
    await running.consents.withdraw(PERSON, "frontend")
    second = await running.consents.grant(PERSON, FRONTEND, ASKED)
    kept = [each["_id"] async for each in mongo.collection(COLLECTION).stream({})]
    assert sorted(kept) == sorted([first.id, second.id])
