"""One's own page: what it shows, and that nobody else can press its buttons."""

from __future__ import annotations

import asyncio
import re

from auth.browser import token_for
from auth.documents import Client
from tests.connectors.sandbox.browser import Browser, Seen
from tests.fakes.middle import Middle, token_on

FRONTEND = Client(id="frontend", name="示范前端", redirect_uris=("https://app.test/cb",))


async def page(hub: Middle, browser: Browser) -> Seen:
    seen = await browser.open(f"{hub.url}/account")
    assert seen.status == 200, seen
    return seen


async def own_token(hub: Middle, browser: Browser) -> str:
    """The page's token, also where it shows no form just now."""
    (mark,) = [each.value for each in browser._http.cookie_jar if each.key == hub.cookies.mark_name]
    purpose = f"account:{(await hub.who(browser))['session']}"
    return token_for(hub.ring.derived("forms"), mark, purpose)


async def press(hub: Middle, browser: Browser, what: str, csrf: str = "", **fields: str) -> Seen:
    """Send one of the page's forms, with its own token unless another is given."""
    token = csrf or await own_token(hub, browser)
    return await browser.send(f"{hub.url}/account/{what}", None, csrf=token, **fields)


async def linked(hub: Middle, browser: Browser) -> str:
    """Signed in at the county, with the school's account linked; the person."""
    await hub.enter(browser, at="county")
    await hub.through(browser, await hub.link(browser, "school"), "teacher", "school")
    return (await hub.who(browser))["person"]


async def test_who_is_not_signed_in_is_asked_to(hub: Middle, stranger: Browser) -> None:
    for path in ("", "/again", "/merge?o=x"):
        assert (await stranger.open(f"{hub.url}/account{path}")).location == "/sign-in"
    assert (await stranger.send(f"{hub.url}/account/unlink", account="x")).location == "/sign-in"


async def test_the_page_shows_accounts_applications_and_sign_ons(hub: Middle, teacher: Browser) -> None:
    person = await linked(hub, teacher)
    await hub.consents.grant(person, FRONTEND, ("openid", "profile"), ("teaching",))
    async with Browser() as at_school:
        await hub.enter(at_school, at="school")
        seen = await page(hub, teacher)
    for text in ("东昌府区教育统一身份认证", "校园统一身份认证", "示范前端", "本浏览器", "已实名"):
        assert text in seen.text
    assert len(re.findall(r'action="/account/sessions/end"', seen.text)) == 1, (
        "the other sign-on, not this one"
    )
    assert len(re.findall(r'action="/account/unlink"', seen.text)) == 2
    english = await teacher.open(f"{hub.url}/account?lang=en")
    assert "District sign-in" in english.text


async def test_the_only_account_has_no_button_to_unlink_it(hub: Middle, teacher: Browser) -> None:
    await hub.enter(teacher)
    assert "/account/unlink" not in (await page(hub, teacher)).text


async def test_consent_csrf_and_the_like_no_button_works_without_the_pages_own_token(
    hub: Middle, teacher: Browser, stranger: Browser
) -> None:
    person = await linked(hub, teacher)
    await hub.enter(stranger, "pupil", "county")
    theirs = await own_token(hub, stranger)
    (one, _) = await hub.accounts.of_person(person)
    for csrf in ("0" * 64, theirs):
        for what, fields in (
            ("unlink", {"account": one.id}), ("withdraw", {"client_id": "frontend"}),
            ("sessions/end", {"session": "x"}), ("merge", {"o": "x"}),
        ):  # fmt: skip
            assert (await press(hub, teacher, what, csrf, **fields)).status == 403
    assert len(await hub.accounts.of_person(person)) == 2


async def test_a_pages_token_dies_with_its_session(hub: Middle, teacher: Browser) -> None:
    await linked(hub, teacher)
    old = token_on(await page(hub, teacher))
    assert old == await own_token(hub, teacher)
    await hub.endings.end((await hub.who(teacher))["session"])
    await hub.enter(teacher)
    assert (await press(hub, teacher, "withdraw", old, client_id="frontend")).status == 403


# --- sign-ons, applications ---


async def test_a_sign_on_elsewhere_is_ended_from_here(hub: Middle, teacher: Browser) -> None:
    await hub.enter(teacher)
    async with Browser() as lost:
        await hub.enter(lost)
        _, refresh = await hub.use(lost, "gradebook")
        other = (await hub.who(lost))["session"]
        assert (await press(hub, teacher, "sessions/end", session=other)).location == "/account?note=ended"
        assert await hub.who(lost) == {}
    assert await hub.families.find(refresh) is None
    assert "该登录已结束" in (await teacher.open(f"{hub.url}/account?note=ended")).text


async def test_nobody_ends_a_strangers_sign_on(hub: Middle, teacher: Browser, stranger: Browser) -> None:
    await hub.enter(teacher)
    await hub.enter(stranger, "pupil")
    theirs = (await hub.who(teacher))["session"]
    assert (await press(hub, stranger, "sessions/end", session=theirs)).status == 404
    assert await hub.who(teacher) != {}


async def test_a_consent_is_withdrawn_with_its_tokens(hub: Middle, teacher: Browser) -> None:
    await hub.enter(teacher)
    person = (await hub.who(teacher))["person"]
    client = hub.applications["gradebook"]
    await hub.consents.grant(person, client, ("openid",))
    _, refresh = await hub.use(teacher, "gradebook")
    seen = await press(hub, teacher, "withdraw", client_id="gradebook")
    assert seen.location == "/account?note=withdrawn"
    assert await hub.families.find(refresh) is None
    assert "成绩册" not in (await page(hub, teacher)).text


# --- unlinking ---


async def test_an_unlinked_account_is_somebody_else_and_its_sign_ons_end(
    hub: Middle, teacher: Browser
) -> None:
    person = await linked(hub, teacher)
    async with Browser() as at_school:
        await hub.enter(at_school, at="school")
        (_, school) = await hub.accounts.of_person(person)
        assert school.upstream == "school"
        assert (await press(hub, teacher, "unlink", account=school.id)).location == "/account?note=unlinked"
        assert await hub.who(at_school) == {}
        assert await hub.who(teacher) != {}, "the one that asked goes on"
        await hub.enter(at_school, at="school")
        assert (await hub.who(at_school))["person"] != person


async def test_unlinking_wants_a_proof_of_the_last_five_minutes(hub: Middle, teacher: Browser) -> None:
    person = await linked(hub, teacher)
    hub.clock.ahead += 301
    (_, school) = await hub.accounts.of_person(person)
    assert (await press(hub, teacher, "unlink", account=school.id)).location == "/account/again"
    assert len(await hub.accounts.of_person(person)) == 2


async def test_the_last_account_and_a_strangers_account_stay(
    hub: Middle, teacher: Browser, stranger: Browser
) -> None:
    person = await linked(hub, teacher)
    await hub.enter(stranger, "pupil", "county")
    (pupils,) = await hub.accounts.of_person((await hub.who(stranger))["person"])
    assert (await press(hub, teacher, "unlink", account=pupils.id)).status == 404
    for account in await hub.accounts.of_person(person):
        seen = await press(hub, teacher, "unlink", account=account.id)
    assert seen.status == 409
    assert "LAST_ACCOUNT" in seen.text
    assert len(await hub.accounts.of_person(person)) == 1


# --- merging ---


async def offered(hub: Middle, browser: Browser, at: str = "school") -> Seen:
    """At the page that offers a merge: `browser` is signed in and proves an account of another person."""
    seen = await hub.through(browser, await hub.link(browser, at), "teacher", at)
    assert seen.to == "/account/merge"
    shown = await browser.open(hub.url + seen.location)
    assert shown.status == 200
    return shown


def offer_on(shown: Seen) -> dict[str, str]:
    (offer,) = re.findall(r'name="o" value="([^"]+)"', shown.text)
    return {"o": offer, "csrf": token_on(shown)}


async def test_two_numbers_of_one_human_are_merged_when_both_are_proven(
    hub: Middle, teacher: Browser, stranger: Browser
) -> None:
    await hub.enter(teacher, at="county")
    older = (await hub.who(teacher))["person"]
    await hub.enter(stranger, at="school")
    younger = (await hub.who(stranger))["person"]
    _, refresh = await hub.use(stranger, "gradebook")
    await hub.consents.grant(younger, FRONTEND, ("openid",))
    shown = await offered(hub, teacher)
    for text in ("保留", "东昌府区教育统一身份认证", "校园统一身份认证", "作废"):
        assert text in shown.text
    assert "本浏览器也会退出" not in shown.text
    assert await hub.accounts.current(younger) == younger, "nothing has happened yet"
    seen = await teacher.send(f"{hub.url}/account/merge", None, **offer_on(shown))
    assert seen.location == "/account?note=merged"
    assert await hub.accounts.current(younger) == older
    assert len(await hub.accounts.of_person(older)) == 2
    assert await hub.who(stranger) == {}, "its sign-ons have ended"
    assert await hub.families.find(refresh) is None
    assert [each.client_id for each in await hub.consents.of_person(older)] == ["frontend"]
    assert "person.merged" in hub.audit.events()


async def test_the_younger_one_learns_that_this_browser_is_signed_out_too(
    hub: Middle, teacher: Browser, stranger: Browser
) -> None:
    await hub.enter(stranger, at="school")
    older = (await hub.who(stranger))["person"]
    await hub.enter(teacher, at="county")
    shown = await offered(hub, teacher)
    assert "本浏览器也会退出" in shown.text
    await teacher.send(f"{hub.url}/account/merge", None, **offer_on(shown))
    assert await hub.who(teacher) == {}
    assert await hub.who(stranger) != {}
    await hub.enter(teacher, at="county")
    assert (await hub.who(teacher))["person"] == older


async def test_an_offer_counts_once_in_its_own_browser_and_for_five_minutes(
    hub: Middle, teacher: Browser, stranger: Browser
) -> None:
    await hub.enter(stranger, at="school")
    await hub.enter(teacher, at="county")
    fields = offer_on(await offered(hub, teacher))
    assert (await stranger.open(f"{hub.url}/account/merge?o={fields['o']}")).location == "/account"
    assert (await stranger.send(f"{hub.url}/account/merge", None, **fields)).status == 403
    hub.clock.ahead += 301
    seen = await teacher.send(f"{hub.url}/account/merge", None, **fields)
    assert seen.location == "/account/again"
    await hub.through(teacher, await hub.leave(teacher, "county", again="1"), "teacher", "county")
    seen = await teacher.send(f"{hub.url}/account/merge", None, **fields)
    assert seen.status == 409, "the other side's proof is too old"
    assert len({(await hub.who(each))["person"] for each in (teacher, stranger)}) == 2


async def test_an_offer_pressed_many_times_at_once_is_one_merge(
    hub: Middle, teacher: Browser, stranger: Browser
) -> None:
    await hub.enter(teacher, at="county")
    await hub.enter(stranger, at="school")
    fields = offer_on(await offered(hub, teacher))
    seen = await asyncio.gather(*(teacher.send(f"{hub.url}/account/merge", None, **fields) for _ in range(8)))
    assert sorted(each.status for each in seen) == [303, *[409] * 7]
    assert hub.audit.events().count("person.merged") == 1


async def test_nothing_merges_without_the_press_of_the_button(
    hub: Middle, teacher: Browser, stranger: Browser
) -> None:
    await hub.enter(teacher, at="county")
    await hub.enter(stranger, at="school")
    await offered(hub, teacher)
    assert (await hub.who(teacher))["person"] != (await hub.who(stranger))["person"]
    assert [each.upstream for each in await hub.accounts.of_person((await hub.who(teacher))["person"])] == [
        "county"
    ]


async def test_what_an_operator_parts_is_signed_out(hub: Middle, teacher: Browser) -> None:
    person = await linked(hub, teacher)
    (_, school) = await hub.accounts.of_person(person)
    number = await hub.linking.split(school.id)
    assert await hub.who(teacher) == {}, "this sign-on rested on it"
    async with Browser() as at_school:
        await hub.enter(at_school, at="school")
        assert (await hub.who(at_school))["person"] == number != person
