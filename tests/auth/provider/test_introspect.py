"""Whether a token lives is told to whom it concerns, and to nobody else that it ever was."""

from __future__ import annotations

from pathlib import Path

from auth.principal import Principal
from hub.identity.store import MongoStore
from hub.mongo import Mongo
from tests.auth.provider.desk import ARCHIVE, GRADEBOOK, WATCH, Answer, Desk, desk

PATH = "/oauth/introspect"


async def ask(here: Desk, token: str, headers: dict[str, str] = GRADEBOOK) -> Answer:
    return await here.call("POST", PATH, data={"token": token}, headers=headers)


async def test_a_client_learns_of_its_own_access_token_and_nothing_of_the_person(
    mongo: Mongo, tmp_path: Path
) -> None:
    async with desk(MongoStore(mongo), tmp_path) as here:
        _, _, token = await here.grant()
        answer = await ask(here, token)
        opened = here.tokens.opened(token)
        assert answer.status == 200
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.body == {
            "active": True, "token_type": "Bearer", "client_id": "gradebook", "iss": here.url,
            "aud": f"{here.url}/graphql", "sub": opened.principal.subject, "jti": opened.jti,
            "scope": "openid profile roles", "iat": opened.issued, "exp": opened.expires,
            "acr": "urn:rongtong:acr:face-verified", "auth_time": 1_899_999_000,
        }  # fmt: skip


async def test_a_client_learns_of_its_own_refresh_token_under_the_same_subject(
    mongo: Mongo, tmp_path: Path
) -> None:
    async with desk(MongoStore(mongo), tmp_path) as here:
        _, refresh, token = await here.grant()
        answer = await ask(here, refresh)
        assert answer.body["active"] is True
        assert answer.body["sub"] == here.tokens.verify(token).subject
        assert answer.body["exp"] == int(here.clock()) + 3600


async def test_foreign_introspection_tells_that_there_is_nothing(mongo: Mongo, tmp_path: Path) -> None:
    async with desk(MongoStore(mongo), tmp_path) as here:
        _, refresh, token = await here.grant()
        for each in (refresh, token):
            answer = await ask(here, each, ARCHIVE)
            assert (answer.status, answer.body) == (200, {"active": False})


async def test_a_resource_server_sees_every_access_token_and_no_refresh_token(
    mongo: Mongo, tmp_path: Path
) -> None:
    async with desk(MongoStore(mongo), tmp_path) as here:
        _, refresh, token = await here.grant()
        _, _, bound = await here.grant(jkt="thumbprint")
        assert (await ask(here, token, WATCH)).body["client_id"] == "gradebook"
        assert (await ask(here, bound, WATCH)).body["cnf"] == {"jkt": "thumbprint"}
        assert (await ask(here, refresh, WATCH)).body == {"active": False}


async def test_what_is_over_is_inactive_at_once_without_forgiven_seconds(
    mongo: Mongo, tmp_path: Path
) -> None:
    async with desk(MongoStore(mongo), tmp_path) as here:
        family, refresh, token = await here.grant()
        _, _, other = await here.grant()
        await here.families.revoke(family)
        assert (await ask(here, token)).body == (await ask(here, refresh)).body == {"active": False}
        assert (await ask(here, other)).body["active"] is True
        here.clock.now += 300
        assert (await ask(here, other)).body == {"active": False}
        assert here.tokens.verify(other).client_id == "gradebook"


async def test_a_used_refresh_token_is_inactive_and_asking_about_it_does_no_harm(
    mongo: Mongo, tmp_path: Path
) -> None:
    async with desk(MongoStore(mongo), tmp_path) as here:
        _, refresh, _ = await here.grant()
        follower = (await here.families.redeem(refresh, "gradebook")).token
        assert (await ask(here, refresh)).body == {"active": False}
        assert (await ask(here, follower)).body["active"] is True


async def test_what_is_no_token_is_inactive(mongo: Mongo, tmp_path: Path) -> None:
    async with desk(MongoStore(mongo), tmp_path) as here:
        for token in ("x", "a.b", "a.b.c", "龘", "x" * 20_000, "$ne", '{"$ne":null}'):
            assert (await ask(here, token)).body == {"active": False}


async def test_a_token_for_a_client_itself_is_told_of_as_well(mongo: Mongo, tmp_path: Path) -> None:
    async with desk(MongoStore(mongo), tmp_path) as here:
        itself = Principal(here.url, "gradebook", "", scopes=("graph.resources",), client_id="gradebook")
        answer = await ask(here, here.tokens.issue(itself))
        assert (answer.body["active"], answer.body["sub"]) == (True, "gradebook")


async def test_only_a_client_that_proves_itself_may_ask(mongo: Mongo, tmp_path: Path) -> None:
    async with desk(MongoStore(mongo), tmp_path) as here:
        _, _, token = await here.grant("page")
        public = await here.call("POST", PATH, data={"token": token, "client_id": "page"})
        nobody = await here.call("POST", PATH, data={"token": token})
        wrong = await ask(here, token, {"Authorization": "Basic Z3JhZGVib29rOndyb25n"})
        for answer in (public, nobody, wrong):
            assert (answer.status, answer.error) == (401, "invalid_client")
            assert "WWW-Authenticate" in answer.headers


async def test_malformed_requests_are_refused_and_never_a_fault_of_ours(mongo: Mongo, tmp_path: Path) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"} | GRADEBOOK
    async with desk(MongoStore(mongo), tmp_path) as here:
        for status, more in (
            (400, {"data": b"token=a&token=b", "headers": form}),
            (400, {"data": b"token=%ff%fe", "headers": form}),
            (400, {"data": b"token=%ed%a0%80", "headers": form}),
            (400, {"data": b"token=a%00b", "headers": form}),
            (400, {"data": b"", "headers": form}),
            (400, {"data": b"&".join(b"a%d=1" % n for n in range(200)), "headers": form}),
            (413, {"data": b"token=" + b"x" * 70_000, "headers": form}),
            (415, {"json": {"token": "x"}, "headers": GRADEBOOK}),
            (415, {"data": b"token=x", "headers": {"Content-Type": "text/plain"} | GRADEBOOK}),
            (401, {"data": b"token=x", "headers": form | {"Authorization": "Basic /////w=="}}),
            (401, {"data": b"token=x", "headers": form | {"Authorization": "Bearer x"}}),
        ):
            answer = await here.call("POST", PATH, **more)
            assert answer.status == status, more
            assert answer.error in ("invalid_request", "invalid_client")
            assert str(answer.body).isascii()
