"""Sign-ons over a real database: how they begin, go on, grow old, and end once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import Response

from auth.browser import Cookies
from auth.documents import Session
from auth.errors import StoreDown
from auth.keys import KeyRing, SealBroken
from auth.sessions import COLLECTION, INDEXES, MOST_UPSTREAMS, Sessions
from auth.store import Store, kept
from hub.embedded import EmbeddedMongo
from hub.identity.store import MongoStore
from hub.mongo import Mongo
from tests.fakes.recorded import Clock, said

ISSUER = "https://hub.example"
COUNTY = "https://id.county.example"
HINT = "eyJ0eXAiOiJKV1QifQ.an-id-token.sig"


@dataclass
class Desk:
    sessions: Sessions
    store: Store
    clock: Clock
    cookies: Cookies

    async def of(self, cookie: str) -> Session | None:
        return await self.sessions.current(browser(self.cookies, cookie))

    async def raw(self, session: Session) -> dict[str, object]:
        found = await self.store.collection(COLLECTION).find_one({"_id": session.id})
        assert found is not None
        return found


def browser(cookies: Cookies, cookie: str) -> Request:
    header = f"{cookies.session_name}={cookie}".encode() if cookie else b""
    return Request({"type": "http", "headers": [(b"cookie", header)]})


def desk_of(store: Store, folder: Path, clock: Clock) -> Desk:
    cookies, ring = Cookies(ISSUER), KeyRing.open(folder / "keys")
    sessions = Sessions(
        store, cookies, clock, life=12 * 3600, idle=2 * 3600, seal=ring.seal, open_sealed=ring.open_sealed
    )
    return Desk(sessions, store, clock, cookies)


@pytest.fixture
async def desk(mongo: Mongo, tmp_path: Path) -> Desk:
    found = desk_of(MongoStore(mongo), tmp_path, Clock())
    await found.store.declare(INDEXES)
    return found


async def test_a_sign_on_is_found_by_its_cookie_and_by_nothing_else(desk: Desk) -> None:
    session, cookie = await desk.sessions.sign_in(None, "mark", "teacher", said("7"))
    assert await desk.of(cookie) == session
    for other in ("", cookie[:-1], session.id, session.cookie_kept):
        assert await desk.of(other) is None


async def test_the_database_knows_no_cookie_and_no_id_token(desk: Desk) -> None:
    session, cookie = await desk.sessions.sign_in(None, "mark", "teacher", said("7", hint=HINT))
    stored = str(await desk.raw(session))
    assert cookie not in stored
    assert HINT not in stored
    assert "mark'" not in stored
    assert desk.sessions.opened(session.upstreams[0]).hint == HINT


async def test_a_hint_sealed_elsewhere_is_not_opened(desk: Desk, tmp_path: Path) -> None:
    session, _ = await desk.sessions.sign_in(None, "mark", "teacher", said("7", hint=HINT))
    other = desk_of(desk.store, tmp_path / "other", desk.clock)
    with pytest.raises(SealBroken):
        other.sessions.opened(session.upstreams[0])


async def test_session_fixation_every_sign_in_gives_a_fresh_cookie(desk: Desk) -> None:
    first, planted = await desk.sessions.sign_in(None, "mark", "teacher", said("7"))
    again, fresh = await desk.sessions.sign_in(
        first, "mark", "teacher", said("p-7", "https://id.province.example")
    )
    assert again.id == first.id
    assert fresh != planted
    assert await desk.of(planted) is None
    assert await desk.of(fresh) == again
    assert [each.sub for each in again.upstreams] == ["7", "p-7"]


async def test_somebody_elses_session_is_never_gone_on_with(desk: Desk) -> None:
    teacher, cookie = await desk.sessions.sign_in(None, "mark", "teacher", said("7"))
    stranger, _ = await desk.sessions.sign_in(teacher, "mark", "stranger", said("9"))
    assert stranger.id != teacher.id
    assert [each.sub for each in stranger.upstreams] == ["9"]
    assert await desk.of(cookie) == teacher  # whoever calls ends it first


async def test_sign_ins_of_two_tabs_at_once_keep_both_providers(desk: Desk) -> None:
    old, _ = await desk.sessions.sign_in(None, "mark", "teacher", said("7"))
    tabs = [said(f"account {number}", f"https://id.{number}.example") for number in range(6)]
    done = await asyncio.gather(*(desk.sessions.sign_in(old, "mark", "teacher", each) for each in tabs))
    assert {session.id for session, _ in done} == {old.id}
    current = await desk.sessions.get(old.id)
    assert current is not None
    assert {each.sub for each in current.upstreams} == {"7", *(each.sub for each in tabs)}
    assert sum([await desk.of(cookie) is not None for _, cookie in done]) == 1


async def test_the_strongest_proof_and_the_latest_time_count(desk: Desk) -> None:
    face, password = "urn:rongtong:acr:face-verified", "urn:rongtong:acr:password"
    session, _ = await desk.sessions.sign_in(None, "m", "teacher", said("7", acr=face, amr=("pwd", "face")))
    desk.clock.ahead += 60
    session, _ = await desk.sessions.sign_in(session, "m", "teacher", said("8", acr=password, amr=("otp",)))
    assert session.acr == face
    assert session.amr == ("pwd", "face", "otp")
    assert abs(session.auth_time.timestamp() - desk.clock()) < 5


async def test_a_provider_that_let_an_old_sign_on_through_does_not_make_it_recent(desk: Desk) -> None:
    an_hour_ago = int(desk.clock()) - 3600
    session, cookie = await desk.sessions.sign_in(None, "m", "teacher", said("7", auth_time=an_hour_ago))
    assert session.auth_time.timestamp() == an_hour_ago
    desk.clock.ahead += 7000
    assert await desk.of(cookie) is not None, "the sign-on itself began now"
    future, _ = await desk.sessions.sign_in(
        None, "m", "teacher", said("7", auth_time=int(desk.clock()) + 9999)
    )
    assert future.auth_time.timestamp() <= desk.clock()


async def test_it_ends_by_itself_when_nobody_uses_it(desk: Desk) -> None:
    _, cookie = await desk.sessions.sign_in(None, "mark", "teacher", said("7"))
    desk.clock.ahead += 2 * 3600 - 10
    assert await desk.of(cookie) is not None
    desk.clock.ahead += 2 * 3600 - 10
    assert await desk.of(cookie) is not None
    desk.clock.ahead += 2 * 3600 + 1
    assert await desk.of(cookie) is None


async def test_it_ends_after_twelve_hours_however_busy(desk: Desk) -> None:
    _, cookie = await desk.sessions.sign_in(None, "mark", "teacher", said("7"))
    for _ in range(11):
        desk.clock.ahead += 3600
        assert await desk.of(cookie) is not None
    desk.clock.ahead += 3601
    assert await desk.of(cookie) is None


async def test_its_use_is_written_at_most_once_a_minute(desk: Desk) -> None:
    session, cookie = await desk.sessions.sign_in(None, "mark", "teacher", said("7"))
    desk.clock.ahead += 59
    await desk.of(cookie)
    assert (await desk.raw(session))["seen"] == session.seen
    desk.clock.ahead += 2
    await asyncio.gather(*(desk.of(cookie) for _ in range(10)))
    seen = (await desk.raw(session))["seen"]
    await desk.of(cookie)
    assert (await desk.raw(session))["seen"] == seen != session.seen


async def test_each_client_gets_a_sid_of_its_own_and_the_same_each_time(desk: Desk) -> None:
    session, _ = await desk.sessions.sign_in(None, "mark", "teacher", said("7"))
    sids = await asyncio.gather(*(desk.sessions.note_client(session.id, "app", "s-1") for _ in range(16)))
    other = await desk.sessions.note_client(session.id, "other", "s-2")
    assert len(set(sids)) == 1
    assert other not in (sids[0], session.id)
    found = await desk.sessions.by_client_sid("app", sids[0])
    assert found is not None
    assert found.id == session.id
    assert await desk.sessions.by_client_sid("other", sids[0]) is None, "a sid is nobody else's"


async def test_no_client_is_told_of_a_session_that_is_over(desk: Desk) -> None:
    session, _ = await desk.sessions.sign_in(None, "mark", "teacher", said("7"))
    await desk.sessions.end(session.id)
    assert await desk.sessions.note_client(session.id, "app", "s-1") == ""
    assert await desk.sessions.note_client("no such session", "app", "s-1") == ""


async def test_of_many_who_end_it_one_does(desk: Desk) -> None:
    session, cookie = await desk.sessions.sign_in(None, "mark", "teacher", said("7", hint=HINT))
    done = await asyncio.gather(*(desk.sessions.end(session.id) for _ in range(16)))
    (one,) = [each for each in done if each is not None]
    assert desk.sessions.opened(one.upstreams[0]).hint == HINT
    assert await desk.of(cookie) is None
    assert (await desk.raw(session))["upstreams"][0]["hint"] == ""  # type: ignore[index]


async def test_an_ended_session_is_owed_until_it_is_told(desk: Desk) -> None:
    session, _ = await desk.sessions.sign_in(None, "mark", "teacher", said("7"))
    await desk.sessions.end(session.id)
    assert await desk.sessions.untold(10) == []
    desk.clock.ahead += 11
    assert [each.id for each in await desk.sessions.untold(10)] == [session.id]
    await desk.sessions.told(session.id)
    assert await desk.sessions.untold(10) == []


async def test_a_providers_session_is_found_by_its_sid_or_by_its_account(desk: Desk) -> None:
    one, _ = await desk.sessions.sign_in(None, "m1", "teacher", said("7", sid="s1"))
    two, _ = await desk.sessions.sign_in(None, "m2", "teacher", said("7", sid="s2"))
    other, _ = await desk.sessions.sign_in(
        None, "m3", "stranger", said("7", "https://id.other.example", sid="s1")
    )

    async def ids(iss: str, sub: str, sid: str) -> set[str]:
        return {each.id for each in await desk.sessions.by_upstream(iss, sub, sid)}

    assert await ids(COUNTY, "", "s1") == {one.id}
    assert await ids(COUNTY, "7", "") == {one.id, two.id}
    assert await ids(COUNTY, "8", "s1") == set(), "both must fit"
    assert await ids("https://id.other.example", "7", "") == {other.id}
    assert await ids(COUNTY, "", "") == set(), "a notice that names nobody ends nobody"


async def test_sub_of_one_entry_and_issuer_of_another_do_not_add_up(desk: Desk) -> None:
    session, _ = await desk.sessions.sign_in(None, "m", "teacher", said("7"))
    await desk.sessions.sign_in(session, "m", "teacher", said("9", "https://id.other.example"))
    assert await desk.sessions.by_upstream(COUNTY, "9", "") == []


async def test_the_same_providers_session_again_takes_its_own_place(desk: Desk) -> None:
    session, _ = await desk.sessions.sign_in(None, "m", "teacher", said("7", sid="s1", hint="old"))
    session, _ = await desk.sessions.sign_in(session, "m", "teacher", said("7", sid="s1", hint="new"))
    session, _ = await desk.sessions.sign_in(session, "m", "teacher", said("7", sid="s2", hint="other"))
    assert [desk.sessions.opened(each).hint for each in session.upstreams] == ["new", "other"]


async def test_a_session_does_not_grow_without_end(desk: Desk) -> None:
    session, _ = await desk.sessions.sign_in(None, "m", "teacher", said("first", sid="s"))
    for number in range(MOST_UPSTREAMS + 3):
        session, _ = await desk.sessions.sign_in(session, "m", "teacher", said("7", sid=f"s{number}"))
    assert len(session.upstreams) == MOST_UPSTREAMS


async def test_it_outlives_the_process_that_made_it(desk: Desk, tmp_path: Path) -> None:
    session, cookie = await desk.sessions.sign_in(None, "mark", "teacher", said("7", hint=HINT))
    another = desk_of(desk.store, tmp_path, desk.clock)  # the same folder of keys, a new process
    found = await another.of(cookie)
    assert found == session
    assert another.sessions.opened(found.upstreams[0]).hint == HINT


async def test_a_person_sees_their_own_sessions_only(desk: Desk) -> None:
    mine, _ = await desk.sessions.sign_in(None, "m1", "teacher", said("7"))
    await desk.sessions.sign_in(None, "m2", "stranger", said("9"))
    assert [each.id for each in await desk.sessions.of_person("teacher")] == [mine.id]


def test_the_browser_keeps_it_from_scripts_and_plain_http(desk: Desk) -> None:
    response = Response()
    desk.sessions.keep(response, "x" * 43)
    header = response.headers["set-cookie"]
    assert header.startswith("__Host-rt-session=")
    for word in ("HttpOnly", "Secure", "SameSite=lax", "Path=/"):
        assert word in header
    assert desk.clock.ahead + timedelta(hours=12).total_seconds() == 43200


async def test_without_a_database_nobody_is_taken_for_signed_out(
    mortal_mongo: EmbeddedMongo, tmp_path: Path
) -> None:
    mongo = Mongo.connect(mortal_mongo.uri, "gate")
    desk = desk_of(MongoStore(mongo), tmp_path, Clock())
    session, cookie = await desk.sessions.sign_in(None, "mark", "teacher", said("7"))
    await mortal_mongo.stop()
    with pytest.raises(StoreDown):
        await desk.of(cookie)
    with pytest.raises(StoreDown):
        await desk.sessions.end(session.id)
    await mortal_mongo.start()
    assert await desk.of(cookie) is not None
    assert kept(cookie) == session.cookie_kept
    await mongo.close()
