"""Signing in by a 体系枢纽 ticket: at the nation's own twin, and at one that wants to deceive us."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from starlette.requests import Request
from starlette.responses import Response

from auth.broker.kinds import upstream
from auth.broker.ticket import OLDEST, SIGNED_IN, USER, Ticket
from auth.broker.ticket_gateway import key_info
from auth.broker.upstream import UpstreamRefused
from auth.documents import UpstreamSession
from auth.ports import Assertion
from auth.settings import Seconds, UpstreamSettings
from connectors.sandbox.country import Country
from connectors.sandbox.frame import Served, served
from connectors.sandbox.passport import PASSPORTS
from connectors.sandbox.passport import ticket as twin
from hub.identity.fetch import HttpFetch
from tests.auth.broker.cas_lies import LIES as XML_LIES
from tests.auth.broker.cas_lies import success
from tests.auth.broker.puppet import CALLBACK, SEAL, Answer, Clock, Puppet, fixed, hung_up, settings
from tests.auth.broker.ticket_lies import HONEST, LIES, TICKET, TOKEN, TOLD, say
from tests.auth.broker.walking import STATE, signed_in
from tests.connectors.sandbox.browser import Browser
from tests.connectors.sandbox.passports import account

TABLE: dict[str, Any] = {
    "client_id": twin.APP_ID, "client_secret": twin.APP_KEY, "level": "NATIONAL", "region": "000000",
    "assurance": {"000000": "NAME_VERIFIED"}, "claims": {"role": "userIdentity"}, "roles": {"9": "ADMIN"},
}  # fmt: skip

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def nation(country: Country, clock: Clock) -> AsyncIterator[Served]:
    async with served(twin.app(country, PASSPORTS["nation-passport"], now=clock)) as up:
        yield up


def table(url: str, **options: Any) -> UpstreamSettings:
    more = {"login_url": f"{url}/sso/login", "logout_url": f"{url}/sso/logout", **options}
    return settings("ticket", url, **{**TABLE, "options": more})


@pytest.fixture
def level(nation: Served, fetch: HttpFetch, clock: Clock) -> Ticket:
    return Ticket(table(nation.url, fresh_query="forceLogin=1"), fetch, SEAL, clock)


@pytest.fixture
def victim(liar: Puppet, fetch: HttpFetch, clock: Clock) -> Ticket:
    options = {"login_url": f"{liar.url}/sso/login"}
    made = settings("ticket", liar.url, **{**TABLE, "deadline": Seconds(0.5), "options": options})
    return Ticket(made, fetch, SEAL, clock)


# With the nation


@pytest.mark.parametrize("profile", ["camel", "lower"])
async def test_the_pupil_signs_in_at_the_nation_in_either_spelling(
    country: Country, nation: Served, fetch: HttpFetch, clock: Clock, browser: Browser, profile: str
) -> None:
    pupil = country.person(country.personas()["pupil"].person_id)
    assert pupil is not None
    level = Ticket(table(nation.url, profile=profile), fetch, SEAL, clock)
    found = await signed_in(level, browser, *account(country, "pupil"))
    assert (found.iss, found.level, found.region) == (nation.url, "NATIONAL", "000000")
    assert (found.sub, found.name) == (pupil.hub_person_id, pupil.name)
    assert (found.assurance, found.acr) == ("NAME_VERIFIED", "urn:rongtong:acr:name-verified")
    assert (found.identifiers, found.roles, found.auth_time) == ({}, (), 0)
    assert len(found.sid) > 8
    assert found.sub not in repr(found)


async def test_the_oldest_spelling_tells_a_number_and_vouches_for_nothing(
    country: Country, nation: Served, fetch: HttpFetch, clock: Clock, browser: Browser
) -> None:
    level = Ticket(table(nation.url, profile="xml"), fetch, SEAL, clock)
    found = await signed_in(level, browser, *account(country, "pupil"))
    assert (found.sub[:9], found.name, found.assurance) == ("371500000", "", "SELF_ASSERTED")


async def test_the_senior_pupil_is_not_known_by_real_name_and_is_taken_at_no_more_than_their_word(
    country: Country, level: Ticket, browser: Browser
) -> None:
    senior = country.person(country.personas()["senior"].person_id)
    assert senior is not None
    found = await signed_in(level, browser, *account(country, "senior"))
    assert (found.sub, found.name) == (senior.hub_person_id, senior.name)
    assert (found.assurance, found.identifiers) == ("SELF_ASSERTED", {})


async def test_a_hub_may_refuse_those_not_known_by_real_name(
    country: Country, nation: Served, fetch: HttpFetch, clock: Clock, browser: Browser
) -> None:
    level = Ticket(table(nation.url, unproven="refuse"), fetch, SEAL, clock)
    with pytest.raises(UpstreamRefused) as caught:
        await signed_in(level, browser, *account(country, "senior"))
    assert (caught.value.kind, caught.value.status) == ("unproven", 400)
    async with Browser() as another:
        assert (await signed_in(level, another, *account(country, "teacher"))).assurance == "NAME_VERIFIED"


async def test_a_ticket_is_good_once_and_for_five_minutes(
    country: Country, level: Ticket, browser: Browser, clock: Clock
) -> None:
    url, kept = await level.begin(CALLBACK, STATE)
    first = await browser.sign_in(url, *account(country, "teacher"))
    await level.finish(CALLBACK, STATE, first.said, kept)
    second = await browser.open(url)
    clock.now += 301
    for spent in (first, second):
        with pytest.raises(UpstreamRefused) as caught:
            await level.finish(CALLBACK, STATE, spent.said, kept)
        assert (caught.value.kind, caught.value.status) == ("ticket-refused", 400)


async def test_the_access_token_is_asked_for_once_and_again_when_it_expires_or_is_revoked(
    country: Country, nation: Served, level: Ticket, clock: Clock
) -> None:
    async def once() -> int:
        async with Browser() as browser:
            await signed_in(level, browser, *account(country, "teacher"))
        return nation.frame.calls[TOKEN]

    counts = [await once(), await once()]
    clock.now += 7180
    counts.append(await once())
    nation.frame.app.state.passport.revoke()  # type: ignore[attr-defined]
    counts += [await once(), await once()]
    assert counts == [1, 1, 2, 3, 3]


async def test_many_who_sign_in_at_once_share_one_request_for_the_token(
    country: Country, nation: Served, level: Ticket, browser: Browser
) -> None:
    url, kept = await level.begin(CALLBACK, STATE)
    seen = [await browser.sign_in(url, *account(country, "teacher"))]
    seen += [await browser.open(url) for _ in range(15)]
    found = await asyncio.gather(*(level.finish(CALLBACK, STATE, each.said, kept) for each in seen))
    assert len({each.sub for each in found}) == 1
    assert nation.frame.calls[TOKEN] == 1


async def test_the_password_is_asked_for_again_where_the_operator_knows_how(
    country: Country, level: Ticket, browser: Browser
) -> None:
    await signed_in(level, browser, *account(country, "teacher"))
    for wish in ({"prompt": "login"}, {"max_age": 0}):
        url, _ = await level.begin(CALLBACK, STATE, **wish)
        assert (await browser.open(url)).status == 200
    url, _ = await level.begin(CALLBACK, STATE)
    assert (await browser.open(url)).status == 303


async def test_signing_out_here_leads_to_the_nation_and_back(
    country: Country, nation: Served, level: Ticket, browser: Browser
) -> None:
    found = await signed_in(level, browser, *account(country, "teacher"))
    session = UpstreamSession(upstream="x", iss=found.iss, sub=found.sub, sid=found.sid, at=datetime.now(UTC))
    url = await level.logout_url(session, "http://127.0.0.1:9/signed-out", "bye")
    assert url is not None
    assert (await browser.open(url)).location == "http://127.0.0.1:9/signed-out?state=bye"
    async with aiohttp.ClientSession() as http, http.get(f"{nation.url}/_passport/sessions") as answer:
        assert (await answer.json())["count"] == 0


async def test_a_provider_without_a_logout_address_offers_none_and_sends_no_notices(victim: Ticket) -> None:
    session = UpstreamSession(upstream="x", iss=victim.settings.issuer, sub="s", at=datetime.now(UTC))
    assert await victim.logout_url(session, "http://127.0.0.1:9/signed-out", "") is None
    with pytest.raises(UpstreamRefused) as caught:
        await victim.logged_out({"logoutRequest": "<x/>"})
    assert caught.value.kind == "no-back-channel-logout"


@pytest.mark.parametrize("mode", ["error", "garbage", "html", "busy", "drip", "hang"])
async def test_a_broken_nation_signs_nobody_in_and_a_mended_one_does(
    country: Country, nation: Served, fetch: HttpFetch, clock: Clock, browser: Browser, mode: str
) -> None:
    short = settings("ticket", nation.url, **{**TABLE, "deadline": Seconds(0.5)}, options={
        "login_url": f"{nation.url}/sso/login"
    })  # fmt: skip
    level = Ticket(short, fetch, SEAL, clock)
    url, kept = await level.begin(CALLBACK, STATE)
    seen = await browser.sign_in(url, *account(country, "teacher"))
    nation.frame.mode = mode
    with pytest.raises(UpstreamRefused) as caught:
        await level.finish(CALLBACK, STATE, seen.said, kept)
    assert caught.value.status in (502, 503)
    nation.frame.mode = "ok"
    assert (await level.finish(CALLBACK, STATE, seen.said, kept)).assurance == "NAME_VERIFIED"


async def test_a_wrong_key_is_the_operators_trouble_and_is_never_printed(
    country: Country, nation: Served, fetch: HttpFetch, clock: Clock, browser: Browser
) -> None:
    wrong = settings("ticket", nation.url, **{**TABLE, "client_secret": "WRONG-KEY-OF-OURS"}, options={
        "login_url": f"{nation.url}/sso/login"
    })  # fmt: skip
    with pytest.raises(UpstreamRefused) as caught:
        await signed_in(Ticket(wrong, fetch, SEAL, clock), browser, *account(country, "teacher"))
    assert (caught.value.kind, caught.value.status) == ("refuses-us", 502)
    assert "100002" in caught.value.detail
    assert "WRONG-KEY" not in f"{caught.value!r} {caught.value.detail} {wrong!r}"


async def test_the_proof_is_the_one_of_the_printed_exchange() -> None:
    proof = key_info("DEMOAPP0001", "DEMO-KEY-NOT-REAL", "1733284000000")
    assert proof == "1DDCD9CA607898028A277929C6BF3FE24B912C59"


# With a provider that wants to deceive us


async def asked(victim: Ticket, liar: Puppet, lies: dict[str, Answer], ticket: str = TICKET) -> Assertion:
    """One sign-in at the liar, who is honest but for that."""
    liar.by_path = HONEST | lies
    _, kept = await victim.begin(CALLBACK, STATE)
    return await victim.finish(CALLBACK, STATE, {"state": STATE, "ticket": ticket}, kept)


@pytest.mark.parametrize("lie", LIES)
async def test_nobody_is_signed_in_by(victim: Ticket, liar: Puppet, lie: str) -> None:
    path, answer, kind, status = LIES[lie]
    with pytest.raises(UpstreamRefused) as caught:
        await asked(victim, liar, {path: answer})
    assert (caught.value.kind, caught.value.status) == (kind, status)
    assert TICKET not in f"{caught.value} {caught.value.detail}"
    assert "/stolen" not in liar.asked
    assert (await asked(victim, liar, {})).sub == TOLD["userId"]


async def test_a_provider_that_calls_every_token_spent_is_asked_twice_and_no_more(
    victim: Ticket, liar: Puppet
) -> None:
    with pytest.raises(UpstreamRefused):
        await asked(victim, liar, {SIGNED_IN: say("100004")})
    assert liar.asked == [TOKEN, SIGNED_IN, TOKEN, SIGNED_IN]


async def test_a_provider_that_hangs_up_in_the_middle_is_refused_and_asked_again_the_next_time(
    victim: Ticket, liar: Puppet
) -> None:
    for path in (TOKEN, SIGNED_IN, USER):
        with pytest.raises(UpstreamRefused) as caught:
            await asked(victim, liar, {path: hung_up})
        assert caught.value.status in (502, 503)
        assert (await asked(victim, liar, {})).sub == TOLD["userId"]


async def test_whoever_is_not_known_by_real_name_gets_nothing_that_stands_beside_it(
    liar: Puppet, fetch: HttpFetch, clock: Clock, country: Country
) -> None:
    """A table that would raise them, and a record that would make them an administrator, do not."""
    person = country.person(country.personas()["teacher"].person_id)
    assert person is not None
    words = {"assurance": "realNameFlag", "id_number": "idCard", "role": "userIdentity"}
    made = settings("ticket", liar.url, **TABLE | {
        "claims": words, "assurance": {"": "NAME_VERIFIED", "1": "FACE_VERIFIED", "300027": "NAME_VERIFIED"},
        "authoritative": ("id_number",), "roles": {"4": "ADMIN"},
        "options": {"login_url": f"{liar.url}/sso/login"},
    })  # fmt: skip
    row = {**TOLD, "realNameFlag": "1", "idCard": person.resident_id, "userIdentity": "4"}
    victim = Ticket(made, fetch, SEAL, clock)
    known = await asked(victim, liar, {USER: say(data=row)})
    assert (known.assurance, len(known.identifiers), len(known.roles)) == ("FACE_VERIFIED", 1, 1)
    for lies in ({USER: say("300027", data=row)}, {SIGNED_IN: say("300027", data=row)}):
        found = await asked(victim, liar, lies)
        assert (found.sub, found.assurance) == (TOLD["userId"], "SELF_ASSERTED")
        assert (found.identifiers, found.roles) == ({}, ())


async def test_a_number_as_vendors_write_it_is_its_digits(victim: Ticket, liar: Puppet) -> None:
    row = {"userId": 371500000000000001, "name": "丙"}
    found = await asked(victim, liar, {SIGNED_IN: say(data=row), USER: say(data=row)})
    assert found.sub == "371500000000000001"


async def test_what_is_asked_holds_the_ticket_and_the_proof_and_never_the_key(
    victim: Ticket, liar: Puppet, clock: Clock
) -> None:
    seen: dict[str, tuple[dict[str, Any], str]] = {}

    def noting(path: str) -> Answer:
        async def note(request: Request) -> Response:
            seen[path] = await request.json(), request.query_params.get("accessToken", "")
            return await HONEST[path](request)

        return note

    await asked(victim, liar, {path: noting(path) for path in HONEST})
    stamp = str(int(clock.now * 1000))
    proof = key_info(twin.APP_ID, twin.APP_KEY, stamp)
    assert seen == {
        TOKEN: ({"appId": twin.APP_ID, "timeStamp": stamp, "keyInfo": proof}, ""),
        SIGNED_IN: ({"ticket": TICKET}, "at-1"),
        USER: ({"personId": TOLD["userId"]}, "at-1"),
    }
    assert twin.APP_KEY not in json.dumps([body for body, _ in seen.values()])


@pytest.mark.parametrize(
    "ticket", ["", "short", "x" * 1025, "ticket with blanks", "ticket\r\nHost: x", "票据票据票据票据"]
)
async def test_what_is_no_ticket_is_not_even_asked_about(victim: Ticket, liar: Puppet, ticket: str) -> None:
    with pytest.raises(UpstreamRefused) as caught:
        await asked(victim, liar, {}, ticket)
    assert caught.value.kind == "no-ticket"
    assert liar.asked == []


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"state": "another", "ticket": TICKET}, "state"),
        ({"ticket": TICKET}, "state"),
        ({"state": STATE}, "interaction-required"),
    ],
)
async def test_an_answer_to_another_question_is_refused_before_anything_is_asked(
    victim: Ticket, liar: Puppet, given: dict[str, str], kind: str
) -> None:
    _, kept = await victim.begin(CALLBACK, STATE)
    foreign = dict(kept, upstream="another-level")
    for memory in (kept, foreign, {}):
        with pytest.raises(UpstreamRefused) as caught:
            await victim.finish(CALLBACK, STATE, given, memory)
        assert caught.value.kind == (kind if memory is kept else "state")
    assert liar.asked == []


@pytest.mark.parametrize("lie", [lie for lie in XML_LIES if lie != "a date to come"])
async def test_in_the_oldest_spelling_nobody_is_signed_in_by_an_answer_that_is(
    liar: Puppet, fetch: HttpFetch, clock: Clock, lie: str
) -> None:
    answer, _, status = XML_LIES[lie]
    options = {"login_url": f"{liar.url}/sso/login", "profile": "xml"}
    made = settings("ticket", liar.url, **{**TABLE, "deadline": Seconds(0.5), "options": options})
    victim = Ticket(made, fetch, SEAL, clock)
    with pytest.raises(UpstreamRefused) as caught:
        await asked(victim, liar, {OLDEST: fixed(answer) if isinstance(answer, str) else answer})
    assert caught.value.status == status
    assert (await asked(victim, liar, {OLDEST: fixed(success())})).sub == "mei"


# Tables


async def test_a_table_makes_a_ticket_provider(fetch: HttpFetch, clock: Clock) -> None:
    assert isinstance(upstream(table("https://www.example"), fetch, SEAL, clock), Ticket)


@pytest.mark.parametrize(
    "change",
    [
        {"client_id": ""},
        {"client_secret": ""},
        {"options": {}},
        {"options": {"login_url": "javascript:alert(1)"}},
        {"options": {"login_url": "http://sso.example/login"}},
        {"options": {"login_url": "https://sso.example/login", "profile": "upper"}},
        {"options": {"login_url": "https://sso.example/login", "unproven": "maybe"}},
        {"options": {"login_url": "https://sso.example/login", "spent_codes": "100004"}},
        {"options": {"login_url": "https://sso.example/login", "gateway_url": "sso.example"}},
    ],
)
async def test_a_table_that_cannot_work_says_so_at_the_start(
    fetch: HttpFetch, clock: Clock, change: dict[str, Any]
) -> None:
    right = {**TABLE, "options": {"login_url": "https://sso.example/login"}}
    with pytest.raises(ValueError, match="upstream"):
        Ticket(settings("ticket", "https://sso.example", **{**right, **change}), fetch, SEAL, clock)
