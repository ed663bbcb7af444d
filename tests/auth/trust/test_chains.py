"""A school's system is trusted by its chain to the nation, and by nothing less."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from itertools import pairwise

import pytest

from auth.fetch import Fetched
from auth.trust.errors import REASONS, Distrusted
from auth.trust.resolver import Limits, Resolver
from connectors.http import Http
from connectors.sandbox.federation import DAY, Entity, application, endless, federation, public, standing
from connectors.sandbox.federation import Federation as Country
from connectors.sandbox.frame import served
from hub.identity.fetch import HttpFetch
from tests.auth.trust.conftest import refusal

RP = "openid_relying_party"

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_schools_system_resolves_through_five_levels(country: Country, resolver: Resolver) -> None:
    chain = await resolver.chain(country.school.url)
    assert chain.entities == tuple(entity.url for entity in reversed(country.entities))
    assert len(chain.statements) == 6
    assert chain.metadata[RP]["redirect_uris"] == [f"{country.school.url}/callback"]
    assert chain.anchor == country.nation.url


async def test_the_vouching_countys_region_is_told_by_the_city(country: Country, resolver: Resolver) -> None:
    assert (await resolver.chain(country.school.url)).region == "371502"
    country.county.metadata["federation_entity"] = {"education_region": "110000"}  # its own word is nothing
    assert (await resolver.chain(country.school.url)).region == "371502"


async def test_a_county_outside_of_its_city_is_refused(country: Country, resolver: Resolver) -> None:
    said = {"federation_entity": {"education_region": "370102"}}
    country.city.vouch(country.county.url, country.county.jwks, metadata=said)
    assert (await refusal(resolver, country)).reason == "foreign-region"


async def test_an_anchor_is_trusted_by_the_keys_that_were_handed_over(
    country: Country, resolver: Resolver, out: HttpFetch
) -> None:
    assert (await resolver.chain(country.nation.url)).entities == (country.nation.url,)
    stranger = {country.nation.url: {"keys": [public(country.nation.stranger)]}}
    with pytest.raises(Distrusted) as caught:
        await Resolver(out, stranger, Limits(), time.time).chain(country.school.url)
    assert caught.value.reason == "foreign-key"


# What is wrong with a paper: fault of the sandbox -> reason. Each is told at every place of the chain.
FLAWS = {
    "tampered": "bad-signature",
    "stranger-signs": "bad-signature",
    "alg-none": "bad-algorithm",
    "wrong-alg": "bad-algorithm",
    "wrong-typ": "wrong-type",
    "no-typ": "wrong-type",
    "foreign-kid": "foreign-key",
    "no-kid": "foreign-key",
    "key-in-header": "malformed",
    "key-address-in-header": "malformed",
    "wrong-iss": "wrong-issuer",
    "wrong-sub": "wrong-subject",
    "wrong-aud": "wrong-audience",
    "expired": "expired",
    "never-ends": "expired",
    "not-yet-valid": "not-yet-valid",
    "no-exp": "malformed",
    "unknown-crit": "unknown-critical",
    "no-jwks": "malformed",
    "private-jwks": "malformed",
    "null-metadata": "malformed",
    "misplaced": "malformed",
    "garbage": "malformed",
    "huge": "too-large",
}


@pytest.mark.parametrize("fault", FLAWS)
async def test_a_flawed_statement_of_any_superior_is_refused(
    country: Country, resolver: Resolver, fault: str
) -> None:
    for above, below in pairwise(country.entities):
        above.faults[below.url] = fault
        refused = await refusal(resolver, country)
        # Of what is too large nobody knows whom it is about.
        named = above.url if fault == "huge" else below.url
        assert (refused.reason, refused.entity) == (FLAWS[fault], named)
        above.faults[below.url] = "ok"
        assert (await resolver.chain(country.school.url)).entity == country.school.url


@pytest.mark.parametrize("fault", FLAWS)
async def test_a_flawed_configuration_at_any_level_is_refused(
    country: Country, resolver: Resolver, fault: str
) -> None:
    for entity in country.entities:
        entity.faults["configuration"] = fault
        refused = await refusal(resolver, country)
        assert (refused.reason, refused.entity) == (FLAWS[fault], entity.url)
        entity.faults["configuration"] = "ok"


async def test_a_refusal_names_entity_and_remedy_in_both_languages(
    country: Country, resolver: Resolver
) -> None:
    country.city.faults[country.county.url] = "unlisted"
    refused = await refusal(resolver, country)
    chinese, _, english = refused.public.partition(" / ")
    assert country.county.url in chinese
    assert country.county.url in english
    assert "上溯第 1 级" in chinese
    assert "contact the authority above" in english


async def test_every_reason_is_told_in_chinese_and_in_english() -> None:
    for chinese, english in REASONS.values():
        assert any("\u4e00" <= char <= "\u9fff" for char in chinese)
        assert english.isascii()


async def test_a_key_from_the_leafs_own_header_convinces_nobody(country: Country, resolver: Resolver) -> None:
    country.school.faults["configuration"] = "key-in-header"
    assert (await refusal(resolver, country)).reason == "malformed"


async def test_a_leaf_that_signs_with_a_key_its_county_does_not_know_is_refused(
    country: Country, resolver: Resolver
) -> None:
    country.school.key = country.school.stranger  # a new key, published by itself alone
    assert (await refusal(resolver, country)).reason == "foreign-key"


async def test_a_withdrawn_subordinate_is_not_vouched_for(country: Country, resolver: Resolver) -> None:
    for above, below in pairwise(country.entities):
        above.faults[below.url] = "unlisted"
        refused = await refusal(resolver, country)
        assert (refused.reason, refused.entity) == ("not-vouched", below.url)
        above.faults[below.url] = "ok"


async def test_a_leaf_without_authority_hint_is_refused(country: Country, resolver: Resolver) -> None:
    country.school.superiors.clear()
    assert (await refusal(resolver, country)).reason == "no-authority-hints"


async def test_a_chain_to_an_anchor_that_nobody_knows_is_refused(
    country: Country, resolver: Resolver
) -> None:
    country.province.superiors.clear()
    refused = await refusal(resolver, country)
    assert (refused.reason, refused.entity) == ("unknown-anchor", country.province.url)


async def test_a_loop_of_superiors_is_refused(country: Country, resolver: Resolver) -> None:
    country.province.superiors[:] = [country.county.url]
    country.county.vouch(country.province.url, country.province.jwks)
    assert (await refusal(resolver, country)).reason == "loop"


async def test_an_endless_chain_is_left_at_the_limit(country: Country, out: HttpFetch) -> None:
    async with served(endless()) as twin:
        with pytest.raises(Distrusted) as caught:
            await Resolver(out, country.anchors, Limits(depth=6), time.time).chain(f"{twin.url}/e/0")
        assert caught.value.reason == "too-deep"
        assert twin.frame.calls.total() <= 1 + 2 * 6
        with pytest.raises(Distrusted) as caught:
            await Resolver(out, country.anchors, Limits(fetches=5), time.time).chain(f"{twin.url}/e/0")
        assert caught.value.reason == "too-many-fetches"


async def test_a_leaf_with_a_thousand_false_superiors_makes_few_requests(
    country: Country, resolver: Resolver
) -> None:
    assert country.city.frame is not None
    country.school.superiors[:] = [f"{country.city.url}/false/{number}" for number in range(1000)]
    assert (await refusal(resolver, country)).reason in ("unreachable", "too-many-fetches")
    assert country.city.frame.calls.total() <= 30


async def test_a_chain_longer_than_the_hub_allows_is_refused(country: Country, out: HttpFetch) -> None:
    with pytest.raises(Distrusted) as caught:
        await Resolver(out, country.anchors, Limits(depth=3), time.time).chain(country.school.url)
    assert caught.value.reason == "too-deep"


async def test_a_slow_authority_holds_nobody_up_for_long(country: Country, out: HttpFetch) -> None:
    quick = Resolver(out, country.anchors, Limits(each=0.3), time.time)
    country.city.faults[country.county.url] = "slow"
    refused = await refusal(quick, country)
    assert (refused.reason, refused.status) == ("unreachable", 503)
    hurried = Resolver(out, country.anchors, Limits(within=0.3), time.time)
    assert (await refusal(hurried, country)).reason == "too-slow"


async def test_of_two_ways_up_the_shorter_valid_one_is_taken(country: Country, resolver: Resolver) -> None:
    country.nation.take(country.county)  # beside the way through city and province
    chain = await resolver.chain(country.school.url)
    assert chain.entities == (country.school.url, country.county.url, country.nation.url)
    country.nation.faults[country.county.url] = "tampered"
    assert len((await resolver.chain(country.school.url)).statements) == 6


async def test_a_superior_that_is_away_does_not_hide_another(country: Country, resolver: Resolver) -> None:
    country.school.superiors.insert(0, "http://127.0.0.1:9")
    assert (await resolver.chain(country.school.url)).anchor == country.nation.url


async def test_a_superior_without_fetch_endpoint_is_no_authority(
    country: Country, resolver: Resolver
) -> None:
    async with standing(Entity("附属系统", authority=False)) as below:
        below.superiors.append(country.school.url)
        with pytest.raises(Distrusted) as caught:
            await resolver.chain(below.url)
    assert (caught.value.reason, caught.value.entity) == ("not-an-authority", country.school.url)


async def test_only_an_anchor_of_ours_can_be_asked_for(country: Country, resolver: Resolver) -> None:
    with pytest.raises(Distrusted) as caught:
        await resolver.chain(country.school.url, country.city.url)
    assert caught.value.reason == "no-anchor"


@pytest.mark.parametrize(
    "odd",
    [
        "http://county.example", "https://user@county.example", "https://county.example/?a=b",
        "https://county.example/#x", "https://COUNTY.example", "https://county.example./", "county.example",
        "https://county.example/a/../b", "https://county.example:99999", "javascript:alert(1)",
        "https://127.0.0.1\\@county.example", "https://county.example/ ", "file:///etc/passwd", "",
    ],
)  # fmt: skip
async def test_an_odd_address_is_no_entity_and_is_never_asked(country: Country, odd: str) -> None:
    async def nobody(*_: object, **__: object) -> Fetched:
        raise AssertionError("asked")

    with pytest.raises(Distrusted) as caught:
        await Resolver(nobody, country.anchors, Limits(), time.time).chain(odd)
    assert caught.value.reason == "not-an-entity"


async def test_an_entity_inside_the_network_is_not_asked_unless_the_guard_allows_it(country: Country) -> None:
    async with Http() as http:
        refused = await refusal(Resolver(HttpFetch(http), country.anchors, Limits(), time.time), country)
    assert refused.reason == "unreachable"
    assert country.school.frame is not None
    assert not country.school.frame.calls


# --- policies and constraints over the wire


async def test_policies_of_all_levels_shape_the_metadata(country: Country, resolver: Resolver) -> None:
    country.nation.subordinates[country.province.url].policy = {
        RP: {"scope": {"subset_of": ["openid", "profile", "graph"]}, "contacts": {"essential": True}}
    }
    country.city.subordinates[country.county.url].policy = {
        RP: {"contacts": {"add": ["edu@city.example"]}, "tos_uri": {"default": "https://city.example/tos"}}
    }
    country.county.subordinates[country.school.url].metadata = {RP: {"client_name": "由县登记"}}
    said = (await resolver.chain(country.school.url)).metadata[RP]
    assert set(said["scope"].split()) == {"openid", "profile", "graph"}
    assert (said["contacts"], said["client_name"]) == (["edu@city.example"], "由县登记")
    assert said["tos_uri"] == "https://city.example/tos"


async def test_policies_that_contradict_each_other_are_refused(country: Country, resolver: Resolver) -> None:
    alg = "id_token_signed_response_alg"
    country.nation.subordinates[country.province.url].policy = {RP: {alg: {"one_of": ["ES256"]}}}
    country.city.subordinates[country.county.url].policy = {RP: {alg: {"value": "RS256"}}}
    refused = await refusal(resolver, country)
    assert (refused.reason, refused.entity) == ("policy-contradiction", country.city.url)
    assert alg in refused.public


async def test_a_leaf_that_breaks_a_policy_is_refused(country: Country, resolver: Resolver) -> None:
    country.province.subordinates[country.city.url].policy = {RP: {"policy_uri": {"essential": True}}}
    refused = await refusal(resolver, country)
    assert (refused.reason, refused.entity) == ("policy-violated", country.school.url)
    assert "policy_uri" in refused.public


async def test_a_superiors_own_metadata_is_judged_by_the_policy_too(
    country: Country, resolver: Resolver
) -> None:
    country.nation.subordinates[country.province.url].policy = {RP: {"client_name": {"one_of": ["甲"]}}}
    country.county.subordinates[country.school.url].metadata = {RP: {"client_name": "乙"}}
    assert (await refusal(resolver, country)).reason == "policy-violated"


async def test_an_unknown_operator_is_ignored_unless_it_is_critical(
    country: Country, resolver: Resolver
) -> None:
    said = country.city.subordinates[country.county.url]
    said.policy = {RP: {"client_name": {"regexp": "^x"}}}
    assert RP in (await resolver.chain(country.school.url)).metadata
    said.crit = ["regexp"]
    assert (await refusal(resolver, country)).reason == "unknown-policy-critical"
    said.crit = ["value"]
    assert (await refusal(resolver, country)).reason == "policy-malformed"


@pytest.mark.parametrize("policy", [{RP: []}, {RP: {"scope": "openid"}}, {RP: {"scope": {"one_of": []}}}])
async def test_a_malformed_policy_is_refused(
    country: Country, resolver: Resolver, policy: dict[str, object]
) -> None:
    country.city.subordinates[country.county.url].policy = policy
    assert (await refusal(resolver, country)).reason == "policy-malformed"


@pytest.mark.parametrize(("longest", "fits"), [(3, True), (2, False), (0, False)])
async def test_the_path_below_the_nation_is_as_long_as_it_allows(
    country: Country, resolver: Resolver, longest: int, fits: bool
) -> None:
    country.nation.subordinates[country.province.url].constraints = {"max_path_length": longest}
    if fits:
        assert RP in (await resolver.chain(country.school.url)).metadata
    else:
        assert (await refusal(resolver, country)).reason == "path-too-long"


@pytest.mark.parametrize("constraints", [
    {"max_path_length": -1}, {"max_path_length": "3"}, {"naming_constraints": []},
    {"naming_constraints": {"permitted": "x"}}, {"allowed_entity_types": "openid_provider"},
])  # fmt: skip
async def test_malformed_constraints_are_refused(
    country: Country, resolver: Resolver, constraints: dict[str, object]
) -> None:
    country.city.subordinates[country.county.url].constraints = constraints
    assert (await refusal(resolver, country)).reason == "malformed"


async def _loopback(_: str) -> Sequence[str]:
    return ["127.0.0.1"]


@pytest.mark.parametrize(("naming", "fits"), [
    ({"permitted": [".city.localhost"]}, True),
    ({"permitted": ["county.city.localhost", "school.county.city.localhost"]}, True),
    ({"permitted": [".county.city.localhost"]}, False),  # not the county itself
    ({"permitted": [".city.localhost"], "excluded": ["school.county.city.localhost"]}, False),
    ({"excluded": [".county.city.localhost"]}, False),
    ({"permitted": []}, False),
    ({"permitted": ["city.localhost", "localhost"]}, False),  # without a dot: that host alone
])  # fmt: skip
async def test_names_below_the_city_are_those_it_permits(naming: dict[str, object], fits: bool) -> None:
    hosts = {"county": "county.city.localhost", "school": "school.county.city.localhost"}
    async with federation(hosts=hosts) as named, Http(["127.0.0.0/8"], lookup=_loopback) as http:
        resolver = Resolver(HttpFetch(http), named.anchors, Limits(), time.time)
        named.city.subordinates[named.county.url].constraints = {"naming_constraints": naming}
        if fits:
            assert RP in (await resolver.chain(named.school.url)).metadata
        else:
            assert (await refusal(resolver, named)).reason == "name-not-permitted"


async def test_a_type_that_a_superior_does_not_allow_is_taken_away(
    country: Country, resolver: Resolver
) -> None:
    country.province.subordinates[country.city.url].constraints = {"allowed_entity_types": []}
    chain = await resolver.chain(country.school.url)
    assert set(chain.metadata) == {"federation_entity"}
    assert chain.removed == {RP}


async def test_a_chain_ends_with_its_first_statement(country: Country, resolver: Resolver) -> None:
    country.city.life = 600
    assert (await resolver.chain(country.school.url)).ends <= time.time() + 600
    country.city.life = 30 * DAY  # longer than a statement is believed
    assert (await resolver.chain(country.school.url)).ends <= time.time() + DAY


async def test_many_resolutions_at_once_are_all_answered(country: Country, resolver: Resolver) -> None:
    async with standing(Entity("又一个系统", authority=False)) as second:
        second.metadata[RP] = application(second.url, second.app_key)
        country.county.take(second)
        found = await asyncio.gather(*(resolver.chain(url) for url in (country.school.url, second.url) * 8))
    assert {chain.entity for chain in found} == {country.school.url, second.url}
