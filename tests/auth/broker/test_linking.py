"""Linking an account by signing in there; and every way to link what is not one's own."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from tests.connectors.sandbox.browser import Browser
from tests.fakes.middle import Middle, token_on

# --- linking by signing in there ---


async def test_a_person_links_the_account_they_prove(hub: Middle, teacher: Browser) -> None:
    await hub.enter(teacher, at="county")
    before = await hub.who(teacher)
    there = await hub.link(teacher, "school")
    seen = await hub.through(teacher, there, "teacher", "school")
    assert seen.location == "/account?note=linked"
    assert await hub.who(teacher) == before
    session = await hub.session(teacher)
    assert session is not None
    assert [each.upstream for each in session.upstreams] == ["county", "school"], "so logout reaches both"
    async with Browser() as at_school:
        await hub.enter(at_school, at="school")
        assert (await hub.who(at_school))["person"] == before["person"]


async def test_link_csrf_an_attackers_link_is_not_finished_in_the_victims_browser(
    hub: Middle, teacher: Browser, stranger: Browser
) -> None:
    """The attacker proves an account of their own, and has the victim's browser open the callback."""
    await hub.enter(teacher, "teacher", "county")
    await hub.enter(stranger, "pupil", "county")
    answer = await hub.answer(stranger, await hub.link(stranger, "school"), "pupil", "school")
    seen = await teacher.open(answer)
    assert (seen.status, seen.location) == (400, "")
    person = (await hub.who(teacher))["person"]
    assert [each.upstream for each in await hub.accounts.of_person(person)] == ["county"]


async def test_link_csrf_linking_does_not_begin_without_the_sessions_own_form(
    hub: Middle, teacher: Browser, stranger: Browser
) -> None:
    await hub.enter(teacher, "teacher", "county")
    await hub.enter(stranger, "pupil", "county")
    theirs = token_on(await stranger.open(f"{hub.url}/sign-in?intent=link"))
    for csrf in ("", theirs):
        assert (await teacher.send(f"{hub.url}/sign-in/school/start", csrf=csrf, intent="link")).status == 403
    seen = await teacher.open(f"{hub.url}/sign-in/school/start?intent=link")
    assert seen.status == 303
    after = await hub.through(teacher, seen.location, "pupil", "school")
    assert after.location == "/account"
    assert [each.upstream for each in await hub.accounts.of_person((await hub.who(teacher))["person"])] == [
        "school"
    ], "a GET signs in, and never links"


async def test_link_csrf_a_link_begun_as_one_person_does_not_end_as_another(
    hub: Middle, teacher: Browser
) -> None:
    await hub.enter(teacher, "teacher", "county")
    first = (await hub.who(teacher))["person"]
    answer = await hub.answer(teacher, await hub.link(teacher, "school"), "teacher", "school")
    there = await hub.leave(teacher, "county", again="1")
    await hub.through(teacher, there, "pupil", "county")
    seen = await teacher.open(answer)
    assert (seen.status, seen.location) == (403, "")
    for person in (first, (await hub.who(teacher))["person"]):
        assert [each.upstream for each in await hub.accounts.of_person(person)] == ["county"]


async def test_proof_confusion_a_sign_in_is_no_link_and_a_link_at_one_level_is_none_at_another(
    hub: Middle, teacher: Browser
) -> None:
    """CVE-2026-9087: the proof for one upstream account used for another one."""
    await hub.enter(teacher, "teacher", "county")
    person = (await hub.who(teacher))["person"]
    to_school = await hub.link(teacher, "school")
    state = parse_qs(urlsplit(to_school).query)["state"][0]
    # Proven at the county as somebody else, handed in under the state of the link to the school.
    other = await hub.answer(teacher, await hub.leave(teacher, "county", again="1"), "pupil", "county")
    own = parse_qs(urlsplit(other).query)["state"][0]
    for forged in (other.replace(own, state), other.replace(own, state).replace("/county/", "/school/")):
        assert (await teacher.open(forged)).status == 400
    assert [each.upstream for each in await hub.accounts.of_person(person)] == ["county"]


async def test_linking_wants_a_proof_of_the_last_five_minutes(hub: Middle, teacher: Browser) -> None:
    await hub.enter(teacher)
    hub.clock.ahead += 301
    page = await teacher.open(f"{hub.url}/sign-in?intent=link")
    seen = await teacher.send(f"{hub.url}/sign-in/school/start", csrf=token_on(page), intent="link")
    assert seen.location == "/account/again"
    again = await teacher.open(f"{hub.url}/account/again")
    assert "/sign-in/county/start?again=1" in again.text
    await hub.through(teacher, await hub.leave(teacher, "county", again="1"), "teacher", "county")
    await hub.through(teacher, await hub.link(teacher, "school"), "teacher", "school")
    assert len(await hub.accounts.of_person((await hub.who(teacher))["person"])) == 2


async def test_linking_makes_the_other_provider_ask_for_the_password(hub: Middle, teacher: Browser) -> None:
    """Whoever else is signed in there, in this browser, is not linked by a redirect."""
    await hub.enter(teacher, "pupil", "school")
    await hub.through(teacher, await hub.leave(teacher, "county"), "teacher", "county")
    page = await teacher.open(await hub.link(teacher, "school"))
    assert page.status == 200
    assert 'name="password"' in page.text


async def test_an_own_account_is_linked_only_by_who_is_signed_in_and_recently(
    hub: Middle, teacher: Browser
) -> None:
    assert (await teacher.open(f"{hub.url}/own?sub=admin-1&intent=link")).status == 403
    await hub.enter(teacher)
    assert (await teacher.open(f"{hub.url}/own?sub=admin-1&intent=link")).location == "/account?note=linked"
    hub.clock.ahead += 301
    assert (await teacher.open(f"{hub.url}/own?sub=admin-2&intent=link")).status == 403
    person = (await hub.who(teacher))["person"]
    assert [each.sub for each in await hub.accounts.of_person(person)][1:] == ["admin-1"]
