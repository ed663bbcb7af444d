"""A mark says what an entity may be entrusted with, as long as its issuer says so."""

from __future__ import annotations

import pytest

from connectors.sandbox.federation import Entity, standing
from tests.auth.trust.hub_as_city import MINORS, City, claims_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def minors(city: City) -> tuple[bool, tuple[tuple[str, str], ...]]:
    """Whether the school's system may be told of minors, and why marks were refused."""
    city.federation.forget()
    client = await city.federation.client(city.country.school.url)
    known = city.federation.known(city.country.school.url)
    assert client is not None
    assert known is not None
    return client.minors, known.refused


async def test_a_mark_of_the_nation_lets_a_system_receive_minors_data(city: City) -> None:
    nation, school = city.country.nation, city.country.school
    nation.mark_issuers = {MINORS: [nation.url]}
    token = nation.issue_mark(MINORS, school.url)
    school.marks = [(MINORS, token)]
    assert await minors(city) == (True, ())
    nation.issued[token] = "revoked"
    assert await minors(city) == (False, ((MINORS, "revoked"),))
    nation.issued.clear()
    assert await minors(city) == (False, ((MINORS, "status-unknown"),))


async def test_a_mark_of_ours_counts_until_we_revoke_it(city: City) -> None:
    nation, school = city.country.nation, city.country.school
    nation.mark_issuers = {MINORS: [city.url]}
    token = await city.federation.marks.issue(MINORS, school.url, life=3600)
    school.marks = [(MINORS, token)]
    assert (await minors(city))[0]
    status, kind, answer = await city.post("/federation/trust_mark_status", trust_mark=token)
    assert (status, kind) == (200, "application/trust-mark-status-response+jwt")
    assert claims_of(answer)["status"] == "active"
    assert await city.federation.marks.revoke(MINORS, school.url) == 1
    assert await minors(city) == (False, ((MINORS, "revoked"),))
    _, _, answer = await city.post("/federation/trust_mark_status", trust_mark=token)
    assert claims_of(answer)["status"] == "revoked"
    again = await city.federation.marks.issue(MINORS, school.url, life=1000)
    city.clock.ahead = 1001.0
    _, _, answer = await city.post("/federation/trust_mark_status", trust_mark=again)
    assert claims_of(answer)["status"] == "expired"


async def test_the_status_of_what_we_did_not_issue_is_not_told(city: City) -> None:
    nation = city.country.nation
    foreign = nation.issue_mark(MINORS, city.country.school.url)
    assert (await city.post("/federation/trust_mark_status", trust_mark=foreign))[0] == 404
    assert (await city.post("/federation/trust_mark_status", trust_mark="x"))[0] == 404
    assert (await city.post("/federation/trust_mark_status"))[0] == 400
    ours = await city.federation.marks.issue(MINORS, city.country.school.url, life=60)
    forged = ours[:-8] + ("A" * 8 if ours[-8:] != "A" * 8 else "B" * 8)
    status, _, answer = await city.post("/federation/trust_mark_status", trust_mark=forged)
    assert (status, claims_of(answer)["status"]) == (200, "invalid")


async def test_a_mark_by_a_foreign_issuer_does_not_count(city: City) -> None:
    nation, county, school = city.country.nation, city.country.county, city.country.school
    nation.mark_issuers = {MINORS: [nation.url]}
    school.marks = [(MINORS, county.issue_mark(MINORS, school.url))]
    assert await minors(city) == (False, ((MINORS, "foreign-issuer"),))
    school.marks = [(MINORS, school.issue_mark(MINORS, school.url))]
    assert await minors(city) == (False, ((MINORS, "foreign-issuer"),))


async def test_a_mark_whose_issuer_is_in_no_chain_does_not_count(city: City) -> None:
    nation, school = city.country.nation, city.country.school
    async with standing(Entity("自称机构", authority=True)) as stranger:
        nation.mark_issuers = {MINORS: [stranger.url]}
        school.marks = [(MINORS, stranger.issue_mark(MINORS, school.url))]
        assert await minors(city) == (False, ((MINORS, "no-authority-hints"),))


async def test_a_mark_of_a_type_that_the_nation_does_not_know_is_not_looked_at(city: City) -> None:
    nation, school = city.country.nation, city.country.school
    school.marks = [(MINORS, nation.issue_mark(MINORS, school.url))]
    assert await minors(city) == (False, ())
    city.country.county.mark_issuers = {MINORS: [nation.url]}  # only an anchor may say so
    assert await minors(city) == (False, ())


async def test_a_mark_that_was_made_out_otherwise_does_not_count(city: City) -> None:
    nation, county, school = city.country.nation, city.country.county, city.country.school
    nation.mark_issuers = {MINORS: [nation.url], "https://nation.example/other": []}
    for token, reason in (
        (nation.issue_mark(MINORS, county.url), "wrong-subject"),
        (nation.issue_mark("https://nation.example/other", school.url), "wrong-type"),
        (nation.issue_mark(MINORS, school.url, life=-120), "expired"),
        (nation.issue_mark(MINORS, school.url)[:-6] + "AAAAAA", "bad-signature"),
        ("no.mark.at-all", "malformed"),
    ):
        school.marks = [(MINORS, token)]
        assert await minors(city) == (False, ((MINORS, reason),))


async def test_a_mark_with_an_owner_needs_the_owners_delegation(city: City) -> None:
    country = city.country
    owner, issuer, school = country.nation, country.county, country.school
    owner.mark_issuers = {MINORS: [issuer.url]}
    owner.mark_owners = {MINORS: {"sub": "https://owner.example", "jwks": owner.jwks}}
    school.marks = [(MINORS, issuer.issue_mark(MINORS, school.url))]
    assert await minors(city) == (False, ((MINORS, "no-delegation"),))
    owner.mark_owners = {MINORS: {"sub": owner.url, "jwks": owner.jwks}}
    for word, reason in (
        (owner.delegate(MINORS, country.province.url), "foreign-delegation"),
        (owner.delegate("https://nation.example/other", issuer.url), "foreign-delegation"),
        (issuer.delegate(MINORS, issuer.url), "foreign-delegation"),
        ("x.y.z", "malformed"),
    ):
        school.marks = [(MINORS, issuer.issue_mark(MINORS, school.url, delegation=word))]
        assert await minors(city) == (False, ((MINORS, reason),))
    good = owner.delegate(MINORS, issuer.url)
    school.marks = [(MINORS, issuer.issue_mark(MINORS, school.url, delegation=good))]
    assert await minors(city) == (True, ())
    owner.mark_owners = {MINORS: {"sub": owner.url, "jwks": issuer.jwks}}
    assert await minors(city) == (False, ((MINORS, "foreign-key"),))


@pytest.mark.parametrize(("fault", "reason"), [
    ("stranger-signs", "bad-signature"), ("wrong-typ", "wrong-type"), ("wrong-iss", "status-unknown"),
    ("not-yet-valid", "status-unknown"),
])  # fmt: skip
async def test_a_status_that_is_not_the_issuers_fresh_word_does_not_count(
    city: City, fault: str, reason: str
) -> None:
    nation, school = city.country.nation, city.country.school
    nation.mark_issuers = {MINORS: [nation.url]}
    school.marks = [(MINORS, nation.issue_mark(MINORS, school.url))]
    nation.faults["status"] = fault
    assert await minors(city) == (False, ((MINORS, reason),))


async def test_a_chain_is_asked_anew_when_a_mark_ends(city: City) -> None:
    nation, school = city.country.nation, city.country.school
    nation.mark_issuers = {MINORS: [nation.url]}
    school.marks = [(MINORS, nation.issue_mark(MINORS, school.url, life=300))]
    assert (await minors(city))[0]
    city.clock.ahead = 400.0
    client = await city.federation.client(school.url)
    assert client is not None
    assert not client.minors
