"""The hub is the city: it vouches for counties below it and is vouched for by its province."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from auth.keys import KeyRing
from auth.settings import Seconds, TrustSettings
from auth.trust.authority import Published
from auth.trust.federation import Federation, limits_of
from auth.trust.keys import published
from auth.trust.resolver import Limits, Resolver
from auth.trust.statements import signed
from auth.trust.subordinates import Unfit
from connectors.sandbox.federation import Federation as Country
from hub.cli.listen import bound, serving
from hub.identity.fetch import HttpFetch
from hub.identity.store import MongoStore
from hub.mongo import Mongo
from hub.settings import Server
from tests.auth.trust.hub_as_city import MINORS, OP, RP, City, claims_of, got
from tests.fakes.recorded import Clock

pytestmark = pytest.mark.asyncio(loop_scope="module")


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
    status, _, body = await city.get(
        "/federation/resolve", sub=country.county.url, trust_anchor="https://x.y"
    )
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


async def test_an_anchor_that_is_broken_in_the_settings_is_told_at_the_start(
    country: Country, out: HttpFetch
) -> None:
    broken: tuple[dict[str, Any], ...] = (
        {"https://nation.example": {"keys": []}}, {"nation": country.nation.jwks},
    )  # fmt: skip
    for anchors in broken:
        with pytest.raises(ValueError):
            Resolver(out, anchors, Limits(), time.time)


async def test_settings_bound_a_resolution() -> None:
    settings = TrustSettings(max_depth=3, max_fetches=7, statement_lifetime=Seconds(60))
    limits = limits_of(settings)
    assert (limits.depth, limits.fetches, limits.lifetime) == (3, 7, 60.0)
