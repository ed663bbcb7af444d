"""A school's system is a client by its chain alone; a level's provider is trusted by its own."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from auth.clients import Clients
from auth.provider.answers import Refusal
from auth.provider.request_object import RequestObjects
from auth.provider.signed import Once, Signed
from auth.trust.keys import thumbprints
from connectors.http import Http
from connectors.sandbox.federation import Entity, application, paper, standing
from hub.identity.fetch import HttpFetch
from hub.identity.store import MongoStore
from hub.mongo import Mongo
from tests.auth.trust.hub_as_city import OP, RP, City, refused

pytestmark = pytest.mark.asyncio(loop_scope="module")


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
