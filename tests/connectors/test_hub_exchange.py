"""The 体系枢纽 tongue against its twin: the contract, the proof, tokens, both spellings, sealed numbers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from connectors.base import Identity, Tools
from connectors.errors import Malformed, Refused, Unanswerable
from connectors.http import Http
from connectors.hub_exchange import HubExchange, HubExchangeOptions, key_info
from connectors.sandbox import hub_exchange as twin
from connectors.sandbox.country import Country
from connectors.sandbox.frame import Served, served
from connectors.seal import Seal
from schema.model.codes import Level
from schema.model.record import Lookup, lookup
from schema.model.words import Kind
from tests.contracts.connector import WITHIN, ConnectorContract, HandClock, Joined

SEAL = Seal(b"a key for matching in tests only")
ACCOUNT = ("issuer", "subject", "user_identity", "school_code", "real_name", "match_key")


@pytest.fixture(scope="module")
def country() -> Country:
    return Country()


@dataclass
class City:
    """The city platform's connector beside its twin."""

    connector: HubExchange
    country: Country
    server: Served
    gateway: twin.Gateway
    close: contextlib.AsyncExitStack

    async def break_with(self, mode: str) -> None:
        if mode == "dead":
            await self.close.aclose()
        else:
            self.server.frame.mode = mode

    async def ask(self, where: dict[str, list[str]], *fields: str) -> list[Any]:
        asked = lookup(Kind.ACCOUNT, fields or ACCOUNT, where)
        return list((await self.connector.look_up(asked, WITHIN)).records)


@contextlib.asynccontextmanager
async def city(country: Country, profile: str = "camel", **settings: Any) -> AsyncIterator[City]:
    app = twin.app(country, **settings.pop("twin", {}))
    async with contextlib.AsyncExitStack() as stack, Http(["127.0.0.0/8"]) as http:
        server = await stack.enter_async_context(served(app))
        known = {"app_id": "DEMOAPP0001", "app_key": "DEMO-KEY-NOT-REAL", "sys_code": "371500"}
        options = HubExchangeOptions(base_url=server.url, profile=profile, **{**known, **settings})  # type: ignore[arg-type]
        identity = Identity("lc-exchange", Level.MUNICIPAL, "371500")
        connector = HubExchange(identity, options, Tools(http, SEAL, now=HandClock()))
        yield City(connector, country, server, app.state.gateway, stack)
        await connector.aclose()


def _now() -> float:
    import time

    return time.time()


def questions(country: Country) -> list[Lookup]:
    pupil = country.person(country.personas()["pupil"].person_id)
    assert pupil is not None
    return [
        lookup(Kind.ACCOUNT, ACCOUNT, {"school_code": [pupil.school_code]}),
        lookup(
            Kind.ACCOUNT, ACCOUNT,
            {"match_key": [SEAL.match_key(pupil.roll_no)], "school_code": [pupil.school_code]},
        ),
        lookup(Kind.ACCOUNT, ACCOUNT, {"key": [f"lc-exchange:{pupil.hub_person_id}"]}),
        lookup(Kind.ORGANIZATION, ["name", "level", "region_code"], {"region_code": ["371500", "371571"]}),
        lookup(Kind.ORGANIZATION, ["name", "level"]),
    ]  # fmt: skip


class TestCityPlatform(ConnectorContract):
    @pytest.fixture(params=["camel", "lower"])
    async def joined(self, request: pytest.FixtureRequest, country: Country) -> AsyncIterator[Joined]:
        async with city(country, request.param) as found:
            yield Joined(
                found.connector, questions(country), found.break_with, calls=found.server.frame.calls.total
            )


async def test_bodies_are_told_in_the_words_of_the_hub(country: Country) -> None:
    async with city(country) as found:
        asked = lookup(Kind.ORGANIZATION, ["name", "org_kind"], {"region_code": ["371503"]})
        answer = await found.connector.look_up(asked, WITHIN)
    told = {record.values["name"]: record.values["org_kind"] for record in answer.records}
    assert told == {"茌平区教育和体育局": "BUREAU", "茌平区电化教育站": "CENTRE"}


def test_the_proof_is_the_one_of_the_printed_exchange() -> None:
    proof = key_info("DEMOAPP0001", "DEMO-KEY-NOT-REAL", "1733284000000")
    assert proof == "1DDCD9CA607898028A277929C6BF3FE24B912C59"


async def test_a_wrong_key_is_refused_and_never_printed(country: Country) -> None:
    async with city(country, app_key="WRONG-KEY-OF-OURS") as found:
        with pytest.raises(Refused) as caught:
            await found.connector.probe(WITHIN)
        assert "WRONG-KEY" not in f"{caught.value!r} {found.connector.settings!r}"


async def test_a_clock_eleven_minutes_slow_is_refused(country: Country) -> None:
    async with city(country, twin={"now": lambda: _now() + 660}) as found:
        with pytest.raises(Refused):
            await found.connector.probe(WITHIN)


@pytest.mark.parametrize(("profile", "path"), [("camel", "getAccessToken"), ("lower", "getaccesstoken")])
async def test_one_token_serves_all_who_ask_at_once(country: Country, profile: str, path: str) -> None:
    async with city(country, profile) as found:
        await asyncio.gather(*(found.connector.look_up(q, WITHIN) for q in questions(country) * 3))
        assert found.server.frame.calls[f"/apigateway/{path}"] == 1


async def test_a_token_the_platform_forgot_is_renewed_without_a_word(country: Country) -> None:
    async with city(country) as found:
        await found.connector.probe(WITHIN)
        found.gateway.revoke()
        await asyncio.gather(*(found.connector.probe(WITHIN) for _ in range(6)))
        assert found.server.frame.calls["/apigateway/getAccessToken"] == 2


async def test_a_token_is_renewed_before_it_expires(country: Country) -> None:
    moment = [_now()]
    async with city(country, twin={"now": lambda: moment[0], "token_life": 120.0}) as found:
        object.__setattr__(found.connector.tools, "now", lambda: moment[0])
        await found.connector.probe(WITHIN)
        moment[0] += 100
        await found.connector.probe(WITHIN)
        assert found.server.frame.calls["/apigateway/getAccessToken"] == 2
        assert found.server.frame.calls["/baseInfo/getOrgList"] == 2


@pytest.mark.parametrize("profile", ["camel", "lower"])
async def test_a_pupil_without_an_account_has_none_and_one_unverified_says_so(
    country: Country, profile: str
) -> None:
    school = country.schools[0]
    pupils = {
        pupil.hub_person_id: pupil for group in country.classes(school) for pupil in country.pupils(group)
    }
    async with city(country, profile) as found:
        records = {one.local_id: one for one in await found.ask({"school_code": [school.code]})}
    told = {key for key in records if key in pupils}
    assert 0 < len(told) < len(pupils)
    assert {key for key in told if not records[key].values["real_name"]} == {
        key for key in told if pupils[key].assurance != "VERIFIED"
    }
    for key in told:
        assert records[key].values["match_key"] == SEAL.match_key(pupils[key].roll_no)
    teachers = [one.hub_person_id for one in country.teachers(school)]
    assert set(teachers) <= set(records)


async def test_who_is_asked_for_alone_and_is_not_verified_is_known_all_the_same(country: Country) -> None:
    async with city(country) as found:
        everybody = await found.ask({"school_code": [school.code for school in country.schools[:6]]})
        unverified = next(one for one in everybody if one.values["real_name"] is False)
        (alone,) = await found.ask({"key": [unverified.key]})
    assert alone.values == unverified.values


async def test_plain_numbers_stay_in_the_gateway(country: Country) -> None:
    school = country.schools[0]
    offered = sorted(HubExchange.capabilities.fget(None).offers[Kind.ACCOUNT].fields)  # type: ignore[attr-defined]
    async with city(country) as found:
        records = await found.ask({"school_code": [school.code]}, *offered)
        kept = repr(vars(found.connector._lists))
    told = orjson.dumps([one.values for one in records]).decode() + kept
    for teacher in country.teachers(school):
        assert teacher.resident_id not in told
        assert teacher.name not in told


async def test_a_small_page_and_a_large_one_tell_the_same(country: Country) -> None:
    codes = [school.code for school in country.schools[:2]]
    async with city(country, page_size=7) as small, city(country, page_size=10_000) as large:
        few, many = await small.ask({"school_code": codes}), await large.ask({"school_code": codes})
        assert [one.key for one in few] == [one.key for one in many]
        assert small.server.frame.calls["/baseInfo/getOrgList"] > 5
        assert large.server.frame.calls["/baseInfo/getOrgList"] == 1


async def test_forty_schools_cost_one_request_each_and_a_hundred_people_one_altogether(
    country: Country,
) -> None:
    codes = [school.code for school in country.schools[:40]]
    async with city(country) as found:
        records = await found.ask({"school_code": codes})
        again = await found.ask({"school_code": codes[:3]})
        assert again
        assert found.server.frame.calls["/baseInfo/user/getUserList"] == 40
        assert found.server.frame.calls["/baseInfo/getOrgList"] == 1
        found.server.frame.calls.clear()
        hundred = [one.key for one in records[::20][:100]]
        assert {one.key for one in await found.ask({"key": hundred})} == set(hundred)
        assert found.server.frame.calls.total() == 1


async def test_a_match_key_without_its_school_is_not_hunted_for(country: Country) -> None:
    async with city(country) as found:
        with pytest.raises(Unanswerable):
            await found.ask({"match_key": ["anything"]})


async def test_a_retcode_nobody_knows_is_told_by_number(country: Country) -> None:
    async with city(country, absent_codes=()) as found:
        with pytest.raises(Malformed, match="300001"):
            await found.ask({"key": ["lc-exchange:nobody"]})


@pytest.mark.parametrize(
    "flaw", [{"base_url": "ftp://x"}, {"page_size": 20_000}, {"base_url": "http://a/b?c=d"}]
)
def test_options_that_cannot_work_are_refused_with_the_remedy(flaw: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="/ "):
        HubExchangeOptions(**{"base_url": "http://a", "app_id": "a", "app_key": "b", **flaw})
