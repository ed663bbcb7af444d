"""Signing in at a CAS provider: at the province's own twin, and at one that wants to deceive us."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
import pytest_asyncio
from starlette.requests import Request
from starlette.responses import Response

from auth.broker.cas import Cas
from auth.broker.kinds import upstream
from auth.broker.upstream import UpstreamRefused
from auth.documents import UpstreamSession
from auth.ports import Assertion
from auth.principal import RoleClaim
from auth.settings import Seconds
from connectors.sandbox.country import Country
from connectors.sandbox.frame import Served, served
from connectors.sandbox.passport import PASSPORTS, cas, demo_password
from hub.identity.fetch import HttpFetch
from tests.auth.broker.cas_lies import LIES, NAMED, NOTICES, TICKET, attributes, logout, success
from tests.auth.broker.puppet import CALLBACK, SEAL, Answer, Clock, Puppet, fixed, hung_up, settings
from tests.auth.broker.walking import STATE, signed_in
from tests.connectors.sandbox.browser import Browser
from tests.connectors.sandbox.passports import account

CLAIMS = {"name": "userName", "id_number": "idNumber", "assurance": "realName", "role": "role"}
SURE = {"1": "SELF_ASSERTED", "2": "NAME_VERIFIED", "3": "FACE_VERIFIED"}
TABLE = {
    "claims": CLAIMS, "assurance": SURE, "authoritative": ("id_number",), "roles": {"bureau-admin": "ADMIN"},
}  # fmt: skip

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def province(country: Country, clock: Clock) -> AsyncIterator[Served]:
    async with served(cas.app(country, PASSPORTS["province-passport"], now=clock)) as twin:
        yield twin


@pytest.fixture
def level(province: Served, fetch: HttpFetch, clock: Clock) -> Cas:
    return Cas(settings("cas", f"{province.url}/cas", **TABLE), fetch, SEAL, clock)


@pytest.fixture
def victim(liar: Puppet, fetch: HttpFetch, clock: Clock) -> Cas:
    return Cas(settings("cas", f"{liar.url}/cas", **TABLE, deadline=Seconds(0.5)), fetch, SEAL, clock)


async def silently(level: Cas, browser: Browser) -> Assertion:
    url, kept = await level.begin(CALLBACK, STATE)
    seen = await browser.open(url)
    return await level.finish(CALLBACK, seen.said["state"], seen.said, kept)


# With the province


async def test_the_teacher_signs_in_at_the_province_and_is_who_it_says(
    country: Country, level: Cas, browser: Browser, clock: Clock
) -> None:
    teacher = country.person(country.personas()["teacher"].person_id)
    assert teacher is not None
    found = await signed_in(level, browser, *account(country, "teacher"))
    assert (found.upstream, found.iss, found.level, found.region) == (
        "upstream", level.settings.issuer, "PROVINCIAL", "370000",
    )  # fmt: skip
    assert (found.sub, found.name) == (teacher.login, teacher.name)
    assert found.identifiers == {"match": SEAL.match_key(teacher.resident_id)}
    assert (found.assurance, found.acr) == ("FACE_VERIFIED", "urn:rongtong:acr:face-verified")
    assert found.roles == ()
    assert found.auth_time == int(clock.now)
    assert found.sid.startswith("ST-")


async def test_nothing_of_a_person_is_printed(country: Country, level: Cas, browser: Browser) -> None:
    found = await signed_in(level, browser, *account(country, "pupil"))
    assert found.sub not in repr(found)
    assert found.name not in repr(found)


async def test_the_provincial_officer_is_administrator_of_the_province_and_no_other_officer_is(
    country: Country, level: Cas
) -> None:
    roles = {}
    for persona in ("officer", "county_officer"):
        async with Browser() as browser:
            roles[persona] = (await signed_in(level, browser, *account(country, persona))).roles
    assert roles == {"officer": (RoleClaim("ADMIN", "370000"),), "county_officer": ()}


async def test_whoever_the_province_has_not_verified_is_linked_by_nothing(
    country: Country, level: Cas, browser: Browser
) -> None:
    group = [pupil for each in country.classes(country.schools[0]) for pupil in country.pupils(each)]
    unproven = next(pupil for pupil in group if pupil.assurance != "VERIFIED")
    found = await signed_in(level, browser, unproven.login, demo_password(unproven.id))
    assert (found.assurance, found.identifiers) == ("SELF_ASSERTED", {})


async def test_the_second_sign_in_is_silent_and_says_when_the_first_was(
    country: Country, level: Cas, browser: Browser, clock: Clock
) -> None:
    first = await signed_in(level, browser, *account(country, "teacher"))
    clock.now += 1800
    second = await silently(level, browser)
    assert second.sub == first.sub
    assert second.sid != first.sid
    assert second.auth_time == first.auth_time


@pytest.mark.parametrize("wish", [{"prompt": "login"}, {"max_age": 0}])
async def test_a_fresh_password_is_asked_for_and_checked(
    country: Country, level: Cas, browser: Browser, clock: Clock, wish: dict[str, str]
) -> None:
    await signed_in(level, browser, *account(country, "teacher"))
    clock.now += 1800
    found = await signed_in(level, browser, *account(country, "teacher"), **wish)
    assert found.auth_time == int(clock.now)


async def test_a_ticket_of_a_silent_sign_in_does_not_pass_for_a_fresh_one(
    country: Country, level: Cas, browser: Browser
) -> None:
    await signed_in(level, browser, *account(country, "teacher"))
    url, kept = await level.begin(CALLBACK, STATE, prompt="login")
    seen = await browser.open(url.replace("renew=true", "renew=false"))
    with pytest.raises(UpstreamRefused) as caught:
        await level.finish(CALLBACK, STATE, seen.said, kept)
    assert caught.value.kind == "ticket-refused"


async def test_nobody_signed_in_and_nobody_asked_is_said_so(level: Cas, browser: Browser) -> None:
    url, kept = await level.begin(CALLBACK, STATE, prompt="none")
    seen = await browser.open(url)
    with pytest.raises(UpstreamRefused) as caught:
        await level.finish(CALLBACK, STATE, seen.said, kept)
    assert caught.value.kind == "interaction-required"


async def test_an_older_province_tells_the_name_alone(
    country: Country, province: Served, fetch: HttpFetch, clock: Clock, browser: Browser
) -> None:
    table = settings("cas", f"{province.url}/cas", **TABLE, options={"version": "2"})
    found = await signed_in(Cas(table, fetch, SEAL, clock), browser, *account(country, "teacher"))
    assert (found.sub, found.name, found.identifiers) == (account(country, "teacher")[0], "", {})
    assert (found.assurance, found.auth_time) == ("SELF_ASSERTED", 0)


async def test_a_ticket_is_good_once(country: Country, level: Cas, browser: Browser) -> None:
    url, kept = await level.begin(CALLBACK, STATE)
    seen = await browser.sign_in(url, *account(country, "teacher"))
    await level.finish(CALLBACK, STATE, seen.said, kept)
    with pytest.raises(UpstreamRefused) as caught:
        await level.finish(CALLBACK, STATE, seen.said, kept)
    assert (caught.value.kind, caught.value.status) == ("ticket-refused", 400)


async def test_a_ticket_is_good_for_a_minute(
    country: Country, level: Cas, browser: Browser, clock: Clock
) -> None:
    url, kept = await level.begin(CALLBACK, STATE)
    seen = await browser.sign_in(url, *account(country, "teacher"))
    clock.now += 61
    with pytest.raises(UpstreamRefused):
        await level.finish(CALLBACK, STATE, seen.said, kept)


async def test_a_ticket_that_another_service_was_given_is_worth_nothing_here(
    country: Country, level: Cas, browser: Browser
) -> None:
    """Another level's callback, or another application's: an attacker's own service collects tickets."""
    url, _ = await level.begin("http://127.0.0.1:9/sign-in/other/callback", STATE)
    seen = await browser.sign_in(url, *account(country, "teacher"))
    _, kept = await level.begin(CALLBACK, STATE)
    with pytest.raises(UpstreamRefused) as caught:
        await level.finish(CALLBACK, STATE, {**seen.said, "state": STATE}, kept)
    assert caught.value.kind == "ticket-refused"


async def test_a_ticket_of_another_browsers_sign_in_is_worth_nothing_in_this_one(
    country: Country, level: Cas, browser: Browser
) -> None:
    """The service address holds the state, so the province itself knows the one from the other."""
    url, _ = await level.begin(CALLBACK, "state-of-the-attacker")
    seen = await browser.sign_in(url, *account(country, "stranger"))
    _, kept = await level.begin(CALLBACK, STATE)
    with pytest.raises(UpstreamRefused) as caught:
        await level.finish(CALLBACK, STATE, {**seen.said, "state": STATE}, kept)
    assert caught.value.kind == "ticket-refused"


async def test_signing_out_here_leads_to_the_province_and_back(
    country: Country, province: Served, level: Cas, browser: Browser
) -> None:
    found = await signed_in(level, browser, *account(country, "teacher"))
    session = UpstreamSession(
        upstream="upstream", iss=found.iss, sub=found.sub, sid=found.sid, at=datetime.now(UTC)
    )
    url = await level.logout_url(session, "http://127.0.0.1:9/signed-out", "bye")
    assert url is not None
    seen = await browser.open(url)
    assert seen.location == "http://127.0.0.1:9/signed-out?state=bye"
    async with aiohttp.ClientSession() as http, http.get(f"{province.url}/_passport/sessions") as answer:
        assert (await answer.json())["count"] == 0


async def test_another_providers_session_is_not_signed_out_here(level: Cas) -> None:
    foreign = UpstreamSession(upstream="x", iss="https://else.example", sub="s", at=datetime.now(UTC))
    assert await level.logout_url(foreign, "http://127.0.0.1:9/signed-out", "") is None


async def test_the_provinces_own_notice_ends_the_session_of_that_ticket(
    country: Country, province: Served, fetch: HttpFetch, clock: Clock, browser: Browser, liar: Puppet
) -> None:
    heard: list[dict[str, str]] = []

    async def hear(request: Request) -> Response:
        heard.append({name: value[0] for name, value in parse_qs((await request.body()).decode()).items()})
        return Response()

    liar.by_path["/sign-in/upstream/backchannel-logout"] = hear
    level = Cas(settings("cas", f"{province.url}/cas", **TABLE), fetch, SEAL, clock)
    callback = f"{liar.url}/sign-in/upstream/callback"
    url, kept = await level.begin(callback, STATE)
    seen = await browser.sign_in(url, *account(country, "teacher"))
    found = await level.finish(callback, STATE, seen.said, kept)
    async with aiohttp.ClientSession() as http, http.delete(f"{province.url}/_passport/sessions"):
        pass
    ended = await level.logged_out(heard[0])
    assert (ended.iss, ended.sid, ended.sub) == (found.iss, found.sid, "")
    assert ended.jti == ""


# With a provider that wants to deceive us


async def asked(
    victim: Cas, liar: Puppet, answer: Answer | str, ticket: str = TICKET, **wish: str
) -> Assertion:
    """One sign-in at the liar, who answers that."""
    liar.by_path["/cas/p3/serviceValidate"] = fixed(answer) if isinstance(answer, str) else answer
    _, kept = await victim.begin(CALLBACK, STATE, **wish)  # type: ignore[arg-type]
    return await victim.finish(CALLBACK, STATE, {"state": STATE, "ticket": ticket}, kept)


@pytest.mark.parametrize("lie", LIES)
async def test_nobody_is_signed_in_by_an_answer_that_is(victim: Cas, liar: Puppet, lie: str) -> None:
    answer, kind, status = LIES[lie]
    with pytest.raises(UpstreamRefused) as caught:
        await asked(victim, liar, answer)
    assert (caught.value.kind, caught.value.status) == (kind, status)
    assert TICKET not in f"{caught.value} {caught.value.detail}"
    assert "/stolen" not in liar.asked
    assert (await asked(victim, liar, success())).sub == "mei"


@pytest.mark.parametrize(
    "ticket",
    ["", "ST-", "ST-short", "PT-1-abcdefghijklmnop", "PGT-1-abcdefghijklmno", f"ST-{'a' * 300}",
     "ST-1-abcdefgh&renew=false", "ST-1-abcdefgh\r\nHost: x", "ST-1-abcdefgh/../../admin", "{'$ne': null}"],
)  # fmt: skip
async def test_what_is_no_service_ticket_is_not_even_asked_about(
    victim: Cas, liar: Puppet, ticket: str
) -> None:
    with pytest.raises(UpstreamRefused) as caught:
        await asked(victim, liar, success(), ticket)
    assert caught.value.kind == "no-ticket"
    assert liar.asked == []


@pytest.mark.parametrize(
    "change",
    [
        lambda given, kept: given.update(state="another"),
        lambda given, kept: given.pop("state"),
        lambda given, kept: kept.update(state="another"),
        lambda given, kept: kept.update(upstream="another-level"),
        lambda given, kept: kept.update(callback="http://127.0.0.1:9/sign-in/other/callback"),
        lambda given, kept: kept.clear(),
    ],
)
async def test_an_answer_to_another_question_is_refused_before_anything_is_asked(
    victim: Cas, liar: Puppet, change: Callable[[dict[str, str], dict[str, str]], object]
) -> None:
    _, kept = await victim.begin(CALLBACK, STATE)
    given = {"state": STATE, "ticket": TICKET}
    change(given, kept)
    with pytest.raises(UpstreamRefused) as caught:
        await victim.finish(CALLBACK, STATE, given, kept)
    assert caught.value.kind == "state"
    assert liar.asked == []


async def test_what_is_asked_names_the_very_service_the_browser_was_sent_with(
    victim: Cas, liar: Puppet
) -> None:
    seen: list[tuple[str, ...]] = []

    async def note(request: Request) -> Response:
        seen.append(tuple(request.query_params[name] for name in ("service", "ticket")))
        return Response(success())

    url, _ = await victim.begin(CALLBACK, STATE)
    await asked(victim, liar, note)
    service = parse_qs(urlsplit(url).query)["service"][0]
    assert seen == [(service, TICKET)] == [(f"{CALLBACK}?state={STATE}", TICKET)]


async def test_an_old_sign_in_is_refused_where_a_fresh_one_was_asked_for(
    victim: Cas, liar: Puppet, clock: Clock
) -> None:
    old = datetime.fromtimestamp(clock.now - 7200, UTC).isoformat()
    for more in (attributes(authenticationDate=old), attributes(isFromNewLogin="false")):
        assert (await asked(victim, liar, success(more=more))).sub == "mei"
        with pytest.raises(UpstreamRefused) as caught:
            await asked(victim, liar, success(more=more), prompt="login")
        assert caught.value.kind == "auth-time"


async def test_a_date_that_nobody_can_place_is_not_known(victim: Cas, liar: Puppet) -> None:
    for said in ("2026-09-01T08:00:00", "yesterday", "0" * 200, ""):
        found = await asked(victim, liar, success(more=attributes(authenticationDate=said)))
        assert found.auth_time == 0
    zoned = success(more=attributes(authenticationDate="2026-09-01T08:00:00.123+08:00[Asia/Shanghai]"))
    assert (await asked(victim, liar, zoned)).auth_time == 1_788_220_800


async def test_an_attribute_cannot_pass_for_the_user(victim: Cas, liar: Puppet) -> None:
    found = await asked(victim, liar, success(more=attributes(user="principal", sub="principal")))
    assert found.sub == "mei"


async def test_an_id_number_given_twice_or_with_something_inside_links_nobody(
    victim: Cas, liar: Puppet, country: Country
) -> None:
    person = country.person(country.personas()["teacher"].person_id)
    assert person is not None
    number = person.resident_id
    linked = await asked(victim, liar, success(more=attributes(realName="2", idNumber=number)))
    assert linked.identifiers == {"match": SEAL.match_key(number)}
    for rows in (
        f"<cas:realName>2</cas:realName><cas:idNumber>{number}</cas:idNumber><cas:idNumber>x</cas:idNumber>",
        f"<cas:realName>2</cas:realName><cas:idNumber>{number}<!-- --></cas:idNumber>",
        f"<cas:realName>2</cas:realName><cas:idNumber>{number[:6]}********{number[14:]}</cas:idNumber>",
        f"<cas:realName>1</cas:realName><cas:idNumber>{number}</cas:idNumber>",
        f"<cas:realName>2</cas:realName><idNumber>{number}</idNumber>",
    ):
        found = await asked(victim, liar, success(more=f"<cas:attributes>{rows}</cas:attributes>"))
        assert found.identifiers == {}, rows


async def test_a_provider_that_hangs_up_in_the_middle_is_refused_and_asked_again_the_next_time(
    victim: Cas, liar: Puppet
) -> None:
    with pytest.raises(UpstreamRefused) as caught:
        await asked(victim, liar, hung_up)
    assert caught.value.status in (502, 503)
    assert (await asked(victim, liar, success())).sub == "mei"


# Notices


async def test_a_notice_counts_for_its_ticket_and_never_for_a_name(victim: Cas) -> None:
    ended = await victim.logged_out({"logoutRequest": logout(NAMED)})
    assert (ended.iss, ended.sub, ended.sid) == (victim.settings.issuer, "", TICKET)


async def test_the_id_of_an_unsigned_notice_is_not_used_up_by_whoever_writes_it_first(victim: Cas) -> None:
    assert (await victim.logged_out({"logoutRequest": logout(NAMED)})).jti == ""


@pytest.mark.parametrize("notice", NOTICES)
async def test_a_notice_that_names_no_single_ticket_ends_nothing(victim: Cas, notice: str) -> None:
    said = NOTICES[notice]
    for form in ({"logoutRequest": said}, {"logout_token": said}, {}):
        with pytest.raises(UpstreamRefused) as caught:
            await victim.logged_out(form)
        assert (caught.value.kind, caught.value.status) == ("logout-request", 400)


# Tables


async def test_a_table_makes_a_cas_provider(fetch: HttpFetch, clock: Clock) -> None:
    assert isinstance(upstream(settings("cas", "https://sso.example/cas"), fetch, SEAL, clock), Cas)


@pytest.mark.parametrize(
    ("issuer", "options"),
    [
        ("http://sso.example/cas", {}),
        ("https://sso.example/cas", {"version": "1"}),
        ("https://sso.example/cas", {"login_url": "javascript:alert(1)"}),
        ("https://sso.example/cas", {"validate_url": "http://sso.example/cas/serviceValidate"}),
        ("sso.example", {}),
    ],
)
async def test_a_table_that_cannot_work_says_so_at_the_start(
    fetch: HttpFetch, clock: Clock, issuer: str, options: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match="upstream"):
        Cas(settings("cas", issuer, options=options), fetch, SEAL, clock)
