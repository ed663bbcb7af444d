"""Trust along five levels, through the running hub: who is let in by a chain, and who is out when it ends.

The school's system is known to the hub by nothing but its identifier; the county vouches for it, the hub for
the county, the province for the hub, and the nation's keys are in the settings.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from connectors.sandbox.federation import Entity, standing
from tests.connectors.sandbox.browser import Browser
from tests.journeys.vouched import CHAIN_LIFE, LEEWAY, MINORS, OP, REFUSALS, RP, Realm, realm

VIEWER = "{ viewer { anonymous roles purposes } me { displayName } }"


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def realms(mongo_uri: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Realm]:
    """The hub among the five levels, started once."""
    async with realm(mongo_uri, tmp_path_factory.mktemp("trust")) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def land(realms: Realm) -> AsyncIterator[Realm]:
    """The same, as if nothing had been said or done yet."""
    async with realms.as_it_was():
        yield realms


async def page(land: Realm, url: str, status: int = 400) -> str:
    """The page that somebody gets who goes to `url`, without being sent anywhere."""
    async with Browser() as browser:
        seen = await browser.open(url)
    assert (seen.status, seen.location) == (status, ""), shown(seen.text)
    return seen.text


def shown(text: str) -> str:
    """The code that an error page shows."""
    found: list[str] = re.findall(r'class="mono">([^<]*)<', text)
    return found[0]


async def distrusted(land: Realm, reason: str) -> str:
    """The school's system is refused for that reason in the browser and at the endpoints; the page."""
    text = await page(land, land.by_value())
    assert shown(text) == f"DISTRUSTED: {reason}"
    status, told = await land.posts("/oauth/par", **land.asked())
    assert (status, told["error"]) == (400, "invalid_client")
    assert told["error_description"].startswith(reason)
    return text


# --- a chain lets in


@pytest.mark.parametrize("way", ["by value", "pushed"])
async def test_a_schools_system_signs_a_teacher_in_with_nothing_but_its_identifier(
    land: Realm, way: str
) -> None:
    tokens = await land.tokens(await land.code(land.by_value() if way == "by value" else await land.pushed()))
    assert tokens["scope"] == "openid profile graph"
    status, told = await land.userinfo(tokens)
    assert status == 200
    assert told["name"]
    status, answer = await land.graph(tokens, VIEWER, "teaching,roll")
    assert (status, answer.get("errors")) == (200, None)
    assert answer["data"]["me"] == {"displayName": told["name"]}
    assert answer["data"]["viewer"] == {"anonymous": False, "roles": ["TEACHER"], "purposes": ["TEACHING"]}
    status, fresh = await land.refreshes(tokens)
    assert status == 200
    assert (await land.graph(fresh, VIEWER))[1]["data"]["me"] == {"displayName": told["name"]}


async def test_a_scope_that_the_county_does_not_vouch_for_is_not_given(land: Realm) -> None:
    async with Browser() as browser:
        seen = await browser.open(land.by_value(scope="openid roles"))
    assert seen.to == f"{land.school.url}/callback"
    assert seen.said["error"] == "invalid_scope"
    land.levels.county.subordinates[land.school.url].policy[RP]["scope"] = {"subset_of": ["openid"]}
    land.wait()
    tokens = await land.tokens(await land.code(land.by_value(scope="openid")))
    _, answer = await land.graph(tokens, VIEWER, "teaching")
    assert answer["data"]["me"] is None


async def test_without_the_countys_word_a_system_gets_no_data_and_no_purpose(land: Realm) -> None:
    land.levels.county.subordinates[land.school.url].policy = {}
    async with Browser() as browser:
        assert (await browser.open(land.by_value())).said["error"] == "invalid_scope"
    tokens = await land.tokens(await land.code(land.by_value(scope="openid profile")))
    _, answer = await land.graph(tokens, VIEWER, "teaching")
    assert answer["data"]["me"] is None
    assert answer["data"]["viewer"]["purposes"] == []


async def test_a_request_that_another_key_signed_or_that_came_before_is_refused(land: Realm) -> None:
    once = land.by_value()
    async with Browser() as browser:
        assert (await browser.open(once)).status == 303
        assert "/callback" not in (again := await browser.open(once)).location
        assert again.status == 400
    land.school.app_key, own = land.school.stranger, land.school.app_key
    assert "BAD_REQUEST" in await page(land, land.by_value())
    assert (await land.posts("/oauth/par", **land.asked()))[0] == 401
    land.school.app_key = own
    assert (await land.posts("/oauth/par", **land.asked()))[0] == 201


async def test_a_pupil_under_fourteen_signs_in_only_where_the_trust_mark_allows_it(land: Realm) -> None:
    county, school = land.levels.county, land.school
    async with Browser() as browser:
        seen = await land.signs_in(browser, land.by_value(), "pupil")
        assert seen.to == f"{school.url}/callback"
        assert seen.said["error"] == "access_denied"
    mark = county.issue_mark(MINORS, school.url)
    school.marks = [(MINORS, mark)]
    land.wait()
    tokens = await land.tokens(await land.code(land.by_value(), "pupil"))
    assert (await land.userinfo(tokens))[0] == 200
    _, answer = await land.graph(tokens, VIEWER)
    assert answer["data"]["viewer"]["roles"] == ["STUDENT"]
    county.issued[mark] = "revoked"
    land.wait(CHAIN_LIFE + LEEWAY + 1)
    status, told = await land.refreshes(tokens)
    assert (status, told["error"]) == (400, "invalid_grant")
    assert "minors" in told["error_description"]
    assert (await land.userinfo(tokens))[0] == 401
    assert (await land.graph(tokens, VIEWER))[0] == 401


# --- a chain ends


async def test_a_county_that_the_operator_withdraws_takes_its_systems_along_within_the_lifetime(
    land: Realm, tmp_path: Path
) -> None:
    county = land.levels.county
    (tmp_path / "county.json").write_text(json.dumps(county.jwks))
    added = await land.operator(
        "subordinate", "add", county.url, "--jwks", str(tmp_path / "county.json"), "--authority",
        "--region", "371502", "--level", "COUNTY", "--type", "federation_entity",
    )  # fmt: skip
    assert added["active"] is True
    tokens = await land.tokens(await land.code(await land.pushed()))
    told = await land.operator("subordinate", "withdraw", county.url)
    assert told["within"] == CHAIN_LIFE
    assert (await land.refreshes(tokens))[0] == 200, "until the chain has to be worked out anew"
    land.wait()
    text = await distrusted(land, "not-vouched")
    assert county.url in text
    for _ in range(2):
        status, refused = await land.refreshes(tokens)
        assert (status, refused["error"]) == (400, "invalid_client")
        assert refused["error_description"].startswith("not-vouched")
    land.wait(LEEWAY)
    assert (await land.graph(tokens, VIEWER))[0] == 401
    assert (await land.userinfo(tokens))[0] in (400, 401)


async def test_a_system_that_its_county_withdraws_is_out_and_back_when_it_is_vouched_for_again(
    land: Realm,
) -> None:
    county, school = land.levels.county, land.school
    tokens = await land.tokens(await land.code(land.by_value()))
    assert tokens["expires_in"] <= CHAIN_LIFE, "no token outlives the chain that it rests on"
    said = county.subordinates.pop(school.url)
    land.wait()
    await distrusted(land, "not-vouched")
    status, told = await land.refreshes(tokens)
    assert (status, told["error"], told["error_description"][:11]) == (400, "invalid_client", "not-vouched")
    status, told = await land.posts("/oauth/introspect", token=tokens["access_token"])
    assert (status, told["error"]) == (400, "invalid_client")
    county.subordinates[school.url] = said
    land.wait(REFUSALS + 1)
    await land.tokens(await land.code(land.by_value()))


async def test_a_code_is_worth_nothing_once_the_chain_has_ended(land: Realm) -> None:
    code = await land.code(land.by_value())
    land.levels.county.subordinates.pop(land.school.url)
    land.wait()
    status, told = await land.posts("/oauth/token", grant_type="authorization_code", code=code)
    assert (status, told["error"]) == (400, "invalid_client")


async def test_somebody_who_is_signing_in_when_the_chain_ends_is_shown_why(land: Realm) -> None:
    async with Browser() as browser:
        sent = await browser.open(land.by_value())
        land.levels.county.subordinates.pop(land.school.url)
        land.wait()
        seen = await browser.open(f"{land.issuer}/oauth/authorize/resume?{sent.location.partition('?')[2]}")
    assert (seen.status, seen.location) == (400, "")
    assert shown(seen.text) == "DISTRUSTED: not-vouched"


# --- what breaks a chain


def tampered(land: Realm) -> None:
    land.levels.county.faults[land.school.url] = "tampered"


def tampered_above(land: Realm) -> None:
    land.levels.nation.faults[land.levels.province.url] = "tampered"


def signed_by_a_stranger(land: Realm) -> None:
    land.levels.province.faults[land.issuer] = "stranger-signs"


def contradicting(land: Realm) -> None:
    said = {RP: {"scope": {"subset_of": ["openid"]}}}
    land.levels.nation.subordinates[land.levels.province.url].policy = said
    land.levels.county.subordinates[land.school.url].policy = {RP: {"scope": {"value": "openid graph"}}}


def violating(land: Realm) -> None:
    said = {RP: {"token_endpoint_auth_method": {"one_of": ["self_signed_tls_client_auth"]}}}
    land.levels.nation.subordinates[land.levels.province.url].policy = said


def expired_between(land: Realm) -> None:
    land.levels.province.faults[land.issuer] = "expired"


def going_round(land: Realm) -> None:
    land.levels.province.superiors[:] = [land.levels.county.url]
    land.levels.county.vouch(land.levels.province.url, land.levels.province.jwks)


def too_many_levels(land: Realm) -> None:
    said = {"max_path_length": 1}
    land.levels.nation.subordinates[land.levels.province.url].constraints = said


def not_as_an_application(land: Realm) -> None:
    land.levels.province.subordinates[land.issuer].constraints = {"allowed_entity_types": [OP]}


def elsewhere(land: Realm) -> None:
    said = {"education_region": "370100"}
    land.levels.province.subordinates[land.issuer].metadata = {"federation_entity": said}


def with_a_critical_claim(land: Realm) -> None:
    land.levels.county.faults["configuration"] = "unknown-crit"


def of_another_type(land: Realm) -> None:
    land.school.faults["configuration"] = "wrong-typ"


def without_signature(land: Realm) -> None:
    land.school.faults["configuration"] = "alg-none"


def with_a_foreign_key(land: Realm) -> None:
    land.levels.county.faults[land.school.url] = "foreign-kid"


def not_of_this_hub(land: Realm) -> None:
    land.levels.county.faults[land.school.url] = "wrong-sub"


def unlisted(land: Realm) -> None:
    land.levels.nation.faults[land.levels.province.url] = "unlisted"


@pytest.mark.parametrize(("breaks", "reason"), [
    (tampered, "bad-signature"), (tampered_above, "bad-signature"), (signed_by_a_stranger, "bad-signature"),
    (contradicting, "policy-contradiction"), (violating, "policy-violated"), (expired_between, "expired"),
    (going_round, "loop"), (too_many_levels, "path-too-long"), (not_as_an_application, "type-not-allowed"),
    (elsewhere, "foreign-region"), (with_a_critical_claim, "unknown-critical"),
    (of_another_type, "wrong-type"), (without_signature, "bad-algorithm"),
    (with_a_foreign_key, "foreign-key"), (not_of_this_hub, "wrong-subject"), (unlisted, "not-vouched"),
])  # fmt: skip
async def test_a_broken_chain_is_refused_with_its_reason(
    land: Realm, breaks: Callable[[Realm], None], reason: str
) -> None:
    breaks(land)
    await distrusted(land, reason)


async def test_a_chain_that_cannot_be_followed_just_now_is_a_matter_of_trying_again(land: Realm) -> None:
    assert land.levels.province.frame is not None
    land.levels.province.frame.mode = "error"
    assert shown(await page(land, land.by_value(), 503)) == "DISTRUSTED: unreachable"
    status, told = await land.posts("/oauth/par", **land.asked())
    assert (status, told["error"]) == (503, "temporarily_unavailable")


async def test_nobody_makes_itself_a_client_by_naming_a_superior(land: Realm) -> None:
    async with standing(Entity("陌生系统", authority=False)) as stranger:
        stranger.clock = land.clock.epoch
        stranger.metadata[RP] = land.school.metadata[RP]
        stranger.superiors = [land.levels.county.url]
        address = f"{land.issuer}/oauth/authorize?client_id={stranger.url}&response_type=code"
        assert "DISTRUSTED: not-vouched" in await page(land, address)


# --- a level's provider


async def test_a_provider_whose_superior_withdraws_it_signs_nobody_in_and_others_do(land: Realm) -> None:
    county, provider = land.levels.county, land.provider
    async with Browser() as browser:
        seen = await browser.open(f"{land.issuer}/sign-in/county/start")
        assert seen.location.startswith(f"{provider.url}/authorize?")
    await land.code(land.by_value())
    said = county.subordinates.pop(provider.url)
    land.wait()
    async with Browser() as browser:
        sent = await browser.open(land.by_value())
        seen = await land.signs_in(browser, sent.location)
        assert (seen.status, seen.location) == (502, "")
        assert shown(seen.text) == "UPSTREAM_REFUSED: not-vouched"
        assert "信任链" in seen.text
        seen = await land.signs_in(browser, sent.location, "principal", at="school")
        assert seen.to == f"{land.school.url}/callback"
        assert "code" in seen.said
    county.subordinates[provider.url] = said
    land.wait(REFUSALS + 1)
    await land.code(land.by_value())


async def test_a_provider_that_is_withdrawn_while_somebody_signs_in_there_signs_nobody_in(
    land: Realm,
) -> None:
    async with Browser() as browser:
        sent = await browser.open(land.by_value())
        i = sent.location.partition("?")[2]
        away = await browser.open(f"{land.issuer}/sign-in/county/start?{i}")
        land.levels.county.subordinates.pop(land.provider.url)
        land.wait()
        seen = await land.signs_in(browser, away.location)
        assert (seen.status, seen.location) == (502, "")
        assert shown(seen.text) == "UPSTREAM_REFUSED: not-vouched"


# --- the hub itself


async def test_the_hub_says_what_it_is_and_nothing_that_it_is_not(land: Realm) -> None:
    async with land.http.get(f"{land.issuer}/.well-known/openid-federation") as answer:
        body = (await answer.text()).split(".")[1]
    said: dict[str, Any] = json.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    ours = said["metadata"][OP]
    assert ours["issuer"] == land.issuer
    assert ours["client_registration_types_supported"] == ["automatic"]
    assert [key["kid"] for key in ours["jwks"]["keys"]]
    assert not {"d", "p", "q"} & {part for key in ours["jwks"]["keys"] for part in key}
    assert ours["jwks"] != said["jwks"], "the keys of the federation are apart"
    assert RP not in said["metadata"], "it proves itself to providers by secrets, not yet by its chain"
