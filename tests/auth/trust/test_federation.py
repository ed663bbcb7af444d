"""The hub is the city: it vouches for counties below it and is vouched for by its province."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from starlette.applications import Starlette

from auth.clients import Clients
from auth.keys import KeyRing
from auth.provider.answers import Refusal
from auth.provider.request_object import RequestObjects
from auth.provider.signed import Once, Signed
from auth.settings import Seconds, TrustSettings
from auth.trust.authority import Published
from auth.trust.errors import Distrusted
from auth.trust.federation import INDEXES, Federation, limits_of
from auth.trust.keys import published, thumbprints
from auth.trust.resolver import Limits, Resolver
from auth.trust.statements import signed
from auth.trust.subordinates import Unfit
from connectors.http import Http
from connectors.sandbox.federation import Entity, application, paper, standing
from connectors.sandbox.federation import Federation as Country
from hub.cli.listen import bound, serving
from hub.identity.fetch import HttpFetch
from hub.identity.store import MongoStore
from hub.mongo import Mongo
from hub.settings import Server
from tests.auth.trust.conftest import Clock

RP, OP = "openid_relying_party", "openid_provider"
MINORS = "https://nation.example/marks/minors"


@dataclass
class City:
    """The hub as it stands between province and county."""

    url: str
    federation: Federation
    keys: KeyRing
    country: Country
    clock: Clock

    async def get(self, path: str, **params: str | list[str]) -> tuple[int, str, str]:
        """Status, content type and body."""
        pairs = [
            (name, one)
            for name, value in params.items()
            for one in (value if isinstance(value, list) else [value])
        ]
        return await got("GET", f"{self.url}{path}", params=pairs)

    async def post(self, path: str, **form: str) -> tuple[int, str, str]:
        """The same for a form."""
        return await got("POST", f"{self.url}{path}", data=form)


async def got(method: str, url: str, **told: Any) -> tuple[int, str, str]:
    async with aiohttp.ClientSession() as session, session.request(method, url, **told) as answer:
        return answer.status, answer.content_type, await answer.text()


@pytest.fixture
async def city(
    country: Country, out: HttpFetch, mongo: Mongo, clock: Clock, tmp_path: Path
) -> AsyncIterator[City]:
    """The hub, served, in the place of the sandbox's city."""
    for entity in country.entities:
        entity.clock = clock
    store, server = MongoStore(mongo), Server(host="127.0.0.1", port=0)
    await store.declare(INDEXES)
    keys = KeyRing.open(tmp_path / "federation", clock=clock)
    sock = bound(server)
    url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    settings = TrustSettings(anchors=country.anchors, minors_mark=MINORS)
    said = Published(lambda: {OP: {"issuer": url}}, superiors=(country.province.url,))
    federation = Federation(url, settings, store, out, keys, said, clock, purposes=("teaching",))
    place = {"education_region": "371500", "education_level": "MUNICIPAL"}
    country.province.vouch(url, keys.public(), metadata={"federation_entity": place})
    country.county.superiors[:] = [url]
    await federation.subordinates.add(
        country.county.url, country.county.jwks, types=("federation_entity",), intermediate=True,
        region="371502", level="COUNTY", by="operator",
    )  # fmt: skip
    async with serving(Starlette(routes=federation.routes()), server, sock):
        yield City(url, federation, keys, country, clock)
    await federation.aclose()


def claims_of(token: str) -> dict[str, Any]:
    body = token.split(".")[1]
    found: dict[str, Any] = json.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return found


async def refused(work: Any) -> Distrusted:
    with pytest.raises(Distrusted) as caught:
        await work
    return caught.value


async def test_a_stranger_resolves_a_school_through_the_hub_over_the_network(
    city: City, out: HttpFetch
) -> None:
    stranger = Resolver(out, city.country.anchors, Limits(), city.clock)
    chain = await stranger.chain(city.country.school.url)
    country = city.country
    assert chain.entities == (
        country.school.url, country.county.url, city.url, country.province.url, country.nation.url,
    )  # fmt: skip
    assert chain.region == "371502"


async def test_the_hub_does_not_ask_itself_over_the_network(city: City) -> None:
    found = await city.federation.resolve(city.country.school.url, types=(RP,))
    assert city.url in found.chain.entities
    assert (await city.federation.resolve(city.url)).metadata[OP] == {"issuer": city.url}


# --- what it publishes


async def test_the_configuration_says_keys_endpoints_and_superiors(city: City) -> None:
    status, kind, token = await city.get("/.well-known/openid-federation")
    assert (status, kind) == (200, "application/entity-statement+jwt")
    paper = signed(token, "entity-statement+jwt", city.url)
    paper.verify(published(city.keys.public()), city.url)
    assert paper.claims["iss"] == paper.claims["sub"] == city.url
    assert paper.claims["authority_hints"] == [city.country.province.url]
    assert set(paper.claims["metadata"]) == {"federation_entity", OP}
    entity = paper.claims["metadata"]["federation_entity"]
    assert entity["federation_fetch_endpoint"] == f"{city.url}/federation/fetch"
    assert "private" not in token
    assert all("d" not in key for key in paper.claims["jwks"]["keys"])


async def test_the_fetch_endpoint_speaks_of_subordinates_only(city: City) -> None:
    status, kind, token = await city.get("/federation/fetch", sub=city.country.county.url)
    assert (status, kind) == (200, "application/entity-statement+jwt")
    claims = claims_of(token)
    assert (claims["sub"], claims["jwks"]) == (city.country.county.url, city.country.county.jwks)
    assert claims["metadata"]["federation_entity"]["education_region"] == "371502"
    for params, status, error in (
        ({"sub": "https://stranger.example"}, 404, "not_found"),
        ({"sub": '{"$ne": ""}'}, 404, "not_found"),
        ({"sub": city.url}, 400, "invalid_request"),
        ({}, 400, "invalid_request"),
        ({"sub": [city.country.county.url] * 2}, 400, "invalid_request"),
    ):
        got, kind, body = await city.get("/federation/fetch", **params)
        assert (got, kind, json.loads(body)["error"]) == (status, "application/json", error)


async def test_the_list_can_be_narrowed(city: City) -> None:
    school, county = city.country.school, city.country.county
    await city.federation.subordinates.add(school.url, school.jwks, types=(RP,))
    await city.federation.marks.issue(MINORS, school.url, life=3600)

    async def listed(**params: str | list[str]) -> Any:
        status, kind, body = await city.get("/federation/list", **params)
        assert (status, kind) == (200, "application/json")
        return json.loads(body)

    assert set(await listed()) == {school.url, county.url}
    assert await listed(entity_type=RP) == [school.url]
    assert await listed(entity_type=[RP, "federation_entity"]) == []
    assert await listed(intermediate="true") == [county.url]
    assert await listed(intermediate="false") == [school.url]
    assert await listed(trust_marked="true") == [school.url]
    assert await listed(trust_mark_type="https://other.example/mark") == []
    assert (await city.get("/federation/list", intermediate="maybe"))[0] == 400


async def test_resolve_tells_of_subordinates_and_of_nobody_unknown(city: City) -> None:
    country, anchor = city.country, city.country.nation.url
    status, kind, token = await city.get("/federation/resolve", sub=country.county.url, trust_anchor=anchor)
    assert (status, kind) == (200, "application/resolve-response+jwt")
    claims = claims_of(token)
    assert claims["metadata"]["federation_entity"]["education_level"] == "COUNTY"
    assert len(claims["trust_chain"]) == 5
    assert country.school.frame is not None
    before = country.school.frame.calls.total()
    status, _, body = await city.get("/federation/resolve", sub=country.school.url, trust_anchor=anchor)
    assert (status, json.loads(body)["error"]) == (404, "not_found")
    assert country.school.frame.calls.total() == before  # a stranger's question sends us nowhere
    await city.federation.resolve(country.school.url)
    status, _, token = await city.get(
        "/federation/resolve", sub=country.school.url, trust_anchor=anchor, entity_type=RP
    )
    assert set(claims_of(token)["metadata"]) == {RP}
    status, _, body = await city.get("/federation/resolve", sub=country.county.url, trust_anchor="https://x.y")
    assert (status, json.loads(body)["error"]) == (404, "invalid_trust_anchor")
    country.province.faults[city.url] = "unlisted"
    city.federation.forget()
    status, _, body = await city.get("/federation/resolve", sub=country.county.url, trust_anchor=anchor)
    assert (status, json.loads(body)["error"]) == (400, "invalid_trust_chain")


async def test_keys_of_the_past_are_on_record(city: City) -> None:
    _, _, first = await city.get("/.well-known/openid-federation")
    old = {key["kid"] for key in claims_of(first)["jwks"]["keys"]}
    city.keys.rotate()
    city.keys.rotate()
    city.clock.ahead = 2 * 86_400.0
    status, kind, token = await city.get("/federation/historical_keys")
    assert (status, kind) == (200, "application/jwk-set+jwt")
    gone = claims_of(token)["keys"]
    assert {key["kid"] for key in gone} <= old
    assert gone
    assert all(key["exp"] > key["iat"] and "d" not in key for key in gone)


async def test_without_the_store_the_endpoints_say_when_to_come_again(
    country: Country, out: HttpFetch, clock: Clock, tmp_path: Path
) -> None:
    nowhere = Mongo.connect("mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=200", "nowhere")
    server = Server(host="127.0.0.1", port=0)
    sock = bound(server)
    url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    keys = KeyRing.open(tmp_path / "federation", clock=clock)
    hub = Federation(url, TrustSettings(), MongoStore(nowhere), out, keys, Published(dict), clock)
    async with serving(Starlette(routes=hub.routes()), server, sock):
        for path in (f"fetch?sub={country.county.url}", "list", "historical_keys"):
            status, _, body = await got("GET", f"{url}/federation/{path}")
            assert (status, json.loads(body)["error"]) == (503, "temporarily_unavailable")
        assert (await got("GET", f"{url}/.well-known/openid-federation"))[0] == 200
    await nowhere.close()


async def test_what_would_break_every_chain_is_refused_at_the_door(city: City) -> None:
    county, add = city.country.county, city.federation.subordinates.add
    contradiction = {RP: {"scope": {"one_of": ["a"], "add": ["b"]}}}
    for flaw in ({"policy": contradiction}, {"constraints": {"max_path_length": -1}},
                 {"metadata": {RP: "x"}}):  # fmt: skip
        with pytest.raises(Unfit):
            await add(county.url, county.jwks, **flaw)
    with pytest.raises(Unfit):
        await add(county.url, {"keys": []})
    with pytest.raises(Unfit):
        await add("http://county.example", county.jwks)


# --- automatic registration


async def test_a_schools_system_is_a_client_by_its_chain_alone(city: City) -> None:
    school = city.country.school
    client = await city.federation.client(school.url)
    assert client is not None
    assert (client.id, client.origin, client.auth_method) == (school.url, "federation", "private_key_jwt")
    assert client.redirect_uris == (f"{school.url}/callback",)
    assert client.jwks is not None
    assert thumbprints(client.jwks) == [school.app_key.thumbprint()]
    assert (client.sector, client.region) == ("127.0.0.1", "371502")
    assert (client.name, client.name_en) == ("学校作业系统", "School homework system")
    assert client.require_signed_request
    assert not client.minors
    assert client.chain_expires is not None
    assert 0 < client.chain_expires.timestamp() - city.clock() <= 6 * 3600


async def test_what_a_system_asserts_alone_gives_it_no_rights(city: City) -> None:
    school = city.country.school
    school.metadata[RP] |= {"purposes": ["teaching"], "scope": "openid profile graph roles"}
    alone = await city.federation.client(school.url)
    assert alone is not None
    assert (alone.scopes, alone.purposes) == (("openid", "profile"), ())
    city.country.county.subordinates[school.url].policy = {
        RP: {"scope": {"subset_of": ["openid", "graph"]}, "purposes": {"subset_of": ["teaching", "roll"]}}
    }
    city.federation.forget()
    vouched = await city.federation.client(school.url)
    assert vouched is not None
    assert (vouched.scopes, vouched.purposes) == (("openid", "graph"), ("teaching",))


@pytest.mark.parametrize("flaw", [
    {"redirect_uris": []}, {"redirect_uris": "x"}, {"redirect_uris": ["javascript:alert(1)"]},
    {"redirect_uris": ["https://*.example/cb"]}, {"redirect_uris": ["http://school.example/cb"]},
    {"client_registration_types": ["explicit"]}, {"token_endpoint_auth_method": "none"},
    {"grant_types": ["implicit"]}, {"response_types": ["token"]}, {"logo_uri": "file:///etc/passwd"},
    {"id_token_signed_response_alg": "none"}, {"scope": ["openid"]},
    {"backchannel_logout_uri": "http://10.0.0.1/out"},
])  # fmt: skip
async def test_metadata_that_does_not_fit_is_refused_by_name(city: City, flaw: dict[str, Any]) -> None:
    city.country.school.metadata[RP] |= flaw
    reason = await refused(city.federation.client(city.country.school.url))
    assert reason.reason == "unfit-metadata"
    assert next(iter(flaw)) in reason.public


@pytest.mark.parametrize("jwks", [{}, {"keys": []}, {"keys": [{"kty": "oct", "k": "AA", "kid": "1"}]}, None])
async def test_an_application_without_usable_keys_is_refused(city: City, jwks: Any) -> None:
    city.country.school.metadata[RP]["jwks"] = jwks
    if jwks is None:
        del city.country.school.metadata[RP]["jwks"]
    assert (await refused(city.federation.client(city.country.school.url))).reason == "no-keys"


async def test_keys_may_come_signed_from_the_entity(city: City) -> None:
    school = city.country.school
    del school.metadata[RP]["jwks"]
    school.metadata[RP]["signed_jwks_uri"] = f"{school.url}/signed-jwks"
    client = await city.federation.client(school.url)
    assert client is not None
    assert client.jwks is not None
    assert thumbprints(client.jwks) == [school.app_key.thumbprint()]
    for fault, reason in (("stranger-signs", "bad-signature"), ("wrong-typ", "wrong-type"),
                          ("wrong-iss", "wrong-issuer"), ("expired", "expired")):  # fmt: skip
        school.faults["jwks"] = fault
        city.federation.forget()
        assert (await refused(city.federation.client(school.url))).reason == reason


async def test_a_request_signed_by_the_systems_key_counts_once(city: City, mongo: Mongo) -> None:
    store, school = MongoStore(mongo), city.country.school
    nowhere = HttpFetch(Http())
    clients = Clients(store, (), nowhere, city.clock, city.federation.client)
    objects = RequestObjects(Signed(clients, Once(store), city.clock), city.url)
    client = await clients.get(school.url)
    assert client is not None
    now = int(city.clock())
    asked = {
        "iss": school.url, "client_id": school.url, "aud": city.url, "exp": now + 60, "iat": now,
        "redirect_uri": f"{school.url}/callback", "response_type": "code", "scope": "openid",
    }  # fmt: skip
    token = paper(school.app_key, "oauth-authz-req+jwt", {**asked, "jti": "one"})
    assert (await objects.opened(client, {"request": token}))["redirect_uri"] == f"{school.url}/callback"
    federation_key = paper(school.key, "oauth-authz-req+jwt", {**asked, "jti": "two"})
    for again in (token, federation_key):
        with pytest.raises(Refusal):
            await objects.opened(client, {"request": again})


async def test_an_entity_that_is_no_relying_party_is_no_client(city: City) -> None:
    assert (await refused(city.federation.client(city.country.county.url))).reason == "no-such-type"
    assert await city.federation.client("rongtong-web") is None
    assert await city.federation.client(city.url) is None


async def test_nobody_whom_nobody_vouches_for_is_a_client(city: City) -> None:
    async with standing(Entity("陌生系统", authority=False)) as stranger:
        stranger.metadata[RP] = application(stranger.url, stranger.app_key)
        stranger.superiors = [city.country.county.url]
        reason = await refused(city.federation.client(stranger.url))
        assert (reason.reason, reason.error, reason.status) == ("not-vouched", "invalid_client", 400)


async def test_a_withdrawal_works_when_the_chain_ends(city: City) -> None:
    school, county = city.country.school, city.country.county
    assert await city.federation.client(school.url) is not None
    assert await city.federation.subordinates.withdraw(county.url, "operator")
    assert not await city.federation.subordinates.withdraw(county.url, "operator")
    assert (await city.get("/federation/fetch", sub=county.url))[0] == 404
    assert await city.federation.client(school.url) is not None  # until the chain ends
    city.clock.ahead = 6 * 3600.0 + 1
    reason = await refused(city.federation.client(school.url))
    assert (reason.reason, reason.entity) == ("not-vouched", county.url)
    assert [one.active for one in await city.federation.subordinates.all(withdrawn=True)] == [False]
    await city.federation.subordinates.add(county.url, county.jwks, intermediate=True, region="371502")
    city.clock.ahead += 11  # a refusal is remembered for seconds only
    assert await city.federation.client(school.url) is not None


async def test_a_chain_is_never_kept_beyond_its_first_statement(city: City) -> None:
    city.country.county.life = 600
    assert await city.federation.client(city.country.school.url) is not None
    city.country.county.faults[city.country.school.url] = "unlisted"
    city.clock.ahead = 601.0
    assert (await refused(city.federation.client(city.country.school.url))).reason == "not-vouched"


async def test_many_who_ask_at_once_make_one_resolution(city: City) -> None:
    school = city.country.school
    assert school.frame is not None
    clients = await asyncio.gather(*(city.federation.client(school.url) for _ in range(64)))
    assert len({client and client.id for client in clients}) == 1
    assert school.frame.calls.total() == 1
    await city.federation.client(school.url)
    assert school.frame.calls.total() == 1


async def test_who_leaves_early_does_not_end_it_for_the_others(city: City) -> None:
    url = city.country.school.url
    hasty, patient = (asyncio.create_task(city.federation.client(url)) for _ in range(2))
    await asyncio.sleep(0)
    hasty.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await hasty
    assert await patient is not None


async def test_refusals_are_remembered_so_that_strangers_cannot_make_us_ask(city: City) -> None:
    school, county = city.country.school, city.country.county
    county.faults[school.url] = "unlisted"
    assert county.frame is not None
    for _ in range(5):
        await refused(city.federation.client(school.url))
    assert county.frame.calls["/fetch"] == 1


# --- providers of the levels


async def test_a_levels_provider_is_trusted_by_its_chain(city: City) -> None:
    country = city.country
    async with standing(Entity("县统一身份认证", authority=False)) as provider:
        provider.metadata[OP] = {
            "issuer": provider.url, "authorization_endpoint": f"{provider.url}/authorize",
            "jwks_uri": f"{provider.url}/jwks",
        }  # fmt: skip
        country.county.take(provider)
        found = await city.federation.provider(provider.url, country.nation.url)
        assert found["issuer"] == provider.url
        assert thumbprints(found["jwks"]) == [provider.app_key.thumbprint()]
        provider.metadata[OP]["issuer"] = country.county.url
        city.federation.forget()
        assert (await refused(city.federation.provider(provider.url))).reason == "unfit-metadata"
    assert (await refused(city.federation.provider(country.school.url))).reason == "no-such-type"


async def test_a_role_that_a_superior_does_not_allow_is_refused_as_such(city: City) -> None:
    country = city.country
    country.province.subordinates[city.url].constraints = {"allowed_entity_types": [OP]}
    assert (await refused(city.federation.client(country.school.url))).reason == "type-not-allowed"


# --- trust marks


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


async def test_an_anchor_that_is_broken_in_the_settings_is_told_at_the_start(
    country: Country, out: HttpFetch
) -> None:
    broken: tuple[dict[str, Any], ...] = (
        {"https://nation.example": {"keys": []}}, {"nation": country.nation.jwks},
    )  # fmt: skip
    for anchors in broken:
        with pytest.raises(ValueError):
            Resolver(out, anchors, Limits(), time.time)


def test_settings_bound_a_resolution() -> None:
    settings = TrustSettings(max_depth=3, max_fetches=7, statement_lifetime=Seconds(60))
    limits = limits_of(settings)
    assert (limits.depth, limits.fetches, limits.lifetime) == (3, 7, 60.0)
