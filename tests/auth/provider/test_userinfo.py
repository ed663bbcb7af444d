"""An application is told of the person who signed in: by its own name for them, within what was granted."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from auth.principal import Principal
from hub.identity.store import MongoStore
from hub.mongo import Mongo
from tests.auth.provider.desk import PUPIL, TEACHER, Desk, bearer, desk
from tests.auth.proving import Holder

PATH = "/oauth/userinfo"


async def ask(here: Desk, token: str, method: str = "GET", **more: Any) -> tuple[int, Any, str]:
    found = await here.call(method, PATH, headers=bearer(token), **more)
    return found.status, found.body, found.headers.get("WWW-Authenticate", "")


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_the_teacher_is_told_of_by_scope_and_without_any_key_of_hers(
    mongo: Mongo, tmp_path: Path, method: str
) -> None:
    async with desk(MongoStore(mongo), tmp_path) as here:
        _, _, token = await here.grant()
        status, told, _ = await ask(here, token, method)
        subject = here.tokens.verify(token).subject
        role = {"role": "TEACHER", "region": "371502", "school": "3137000001"}
        groups = ["TEACHER", "TEACHER@3137000001"]
        wanted = {"sub": subject, "name": "县级教师甲", "roles": [role], "groups": groups}
        assert (status, told) == (200, wanted)
        _, _, narrow = await here.grant(scopes=("openid",))
        assert (await ask(here, narrow, method))[:2] == (200, {"sub": subject})


async def test_two_applications_are_told_two_subjects_and_neither_is_the_persons_number(
    mongo: Mongo, tmp_path: Path
) -> None:
    async with desk(MongoStore(mongo), tmp_path) as here:
        subjects = set()
        for client_id in ("gradebook", "archive"):
            _, _, token = await here.grant(client_id)
            subjects.add((await ask(here, token))[1]["sub"])
        assert len(subjects) == 2
        assert TEACHER.person not in subjects


async def test_of_a_minor_only_a_client_with_leave_is_told(mongo: Mongo, tmp_path: Path) -> None:
    async with desk(MongoStore(mongo), tmp_path) as here:
        _, _, allowed = await here.grant("gradebook", PUPIL.person)
        assert (await ask(here, allowed))[1]["name"] == "学生乙"
        _, _, refused = await here.grant("archive", PUPIL.person)
        assert (await ask(here, refused))[0] == 401


async def test_a_claims_request_asks_how_surely_the_person_was_recognised_and_widens_nothing(
    mongo: Mongo, tmp_path: Path
) -> None:
    async with desk(MongoStore(mongo), tmp_path) as here:
        wanted = {"userinfo": {"acr": None, "auth_time": {"essential": True}, "name": None}}
        _, _, token = await here.grant(scopes=("openid",), claims=wanted)
        _, told, _ = await ask(here, token)
        assert told.keys() == {"sub", "acr", "auth_time"}
        assert told["acr"] == "urn:rongtong:acr:face-verified"


async def test_without_the_openid_scope_the_scope_is_named(mongo: Mongo, tmp_path: Path) -> None:
    async with desk(MongoStore(mongo), tmp_path) as here:
        _, _, token = await here.grant(scopes=("graph",))
        status, _, challenge = await ask(here, token)
        assert status == 403
        assert 'error="insufficient_scope"' in challenge
        assert 'scope="openid"' in challenge


async def test_who_shows_no_token_is_told_of_no_error(mongo: Mongo, tmp_path: Path) -> None:
    async with desk(MongoStore(mongo), tmp_path) as here:
        answer = await here.call("GET", PATH)
        assert (answer.status, answer.body, answer.headers["WWW-Authenticate"]) == (401, {}, "Bearer")
        assert answer.headers["Cache-Control"] == "no-store"
        by_address = await here.call("GET", f"{PATH}?access_token={(await here.grant())[2]}")
        assert by_address.status == 401


async def test_a_token_tells_nothing_after_its_family_was_revoked(mongo: Mongo, tmp_path: Path) -> None:
    async with desk(MongoStore(mongo), tmp_path) as here:
        family, _, token = await here.grant()
        assert (await ask(here, token))[0] == 200
        await here.families.revoke(family)
        status, _, challenge = await ask(here, token)
        assert status == 401
        assert 'error="invalid_token"' in challenge


async def test_a_token_of_a_person_or_client_who_is_no_more_tells_nothing(
    mongo: Mongo, tmp_path: Path
) -> None:
    async with desk(MongoStore(mongo), tmp_path) as here:
        _, _, token = await here.grant()
        here.remembered.people.clear()
        assert (await ask(here, token))[0] == 401
        gone = Principal(here.url, "x", "COUNTY", person=PUPIL.person, scopes=("openid",), client_id="gone")
        assert (await ask(here, here.tokens.issue(gone)))[0] == 401


async def test_token_type_confusion_refresh_tokens_and_garbage_are_no_access_tokens(
    mongo: Mongo, tmp_path: Path
) -> None:
    async with desk(MongoStore(mongo), tmp_path) as here:
        _, refresh, access = await here.grant()
        bodies = set()
        for token in (refresh, access[:-3] + "AAA", access + "A", "garbage", "a.b.c", "x" * 9000):
            status, body, _ = await ask(here, token)
            assert status == 401, token[:20]
            bodies.add(str(body))
        assert len(bodies) == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_bound_token_is_taken_with_the_proof_of_its_key_and_never_as_a_bearers(
    mongo: Mongo, tmp_path: Path, method: str
) -> None:
    holder, thief = Holder(), Holder()
    async with desk(MongoStore(mongo), tmp_path) as here:
        _, _, token = await here.grant(jkt=holder.thumbprint)
        assert (await ask(here, token, method))[0] == 401
        now = int(here.clock())
        for who, wanted in ((holder, 200), (thief, 401)):
            proof = who.proof(method, here.url + PATH, token, iat=now)
            headers = bearer(token, "DPoP") | {"DPoP": proof}
            answer = await here.call(method, PATH, headers=headers)
            assert answer.status == wanted
        replayed = await here.call(method, PATH, headers=headers)
        assert replayed.status == 401
        assert replayed.headers["WWW-Authenticate"].startswith("DPoP ")


async def test_malformed_requests_are_401_and_never_a_fault_of_ours(mongo: Mongo, tmp_path: Path) -> None:
    async with desk(MongoStore(mongo), tmp_path) as here:
        for line in (
            b"Authorization: Bearer \xff\xfe", b"Authorization: Bearer", b"Authorization: Basic \xe9:x",
            b"Authorization: Bearer a\r\nAuthorization: Bearer b", b"Authorization: DPoP x\r\nDPoP: \xff",
        ):  # fmt: skip
            request = (
                b"POST /oauth/userinfo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n"
            )
            answer = await here.raw(request + line + b"\r\n\r\n")
            assert answer.split(b" ")[1] == b"401", line


async def test_an_expired_token_tells_nothing(mongo: Mongo, tmp_path: Path) -> None:
    async with desk(MongoStore(mongo), tmp_path) as here:
        _, _, token = await here.grant()
        here.clock.now += timedelta(minutes=7).total_seconds()
        assert (await ask(here, token))[0] == 401
