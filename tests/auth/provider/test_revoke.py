"""A client gives its tokens back; a stranger's attempt changes nothing and learns nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from auth.principal import Principal
from hub.identity.store import MongoStore
from hub.mongo import Mongo
from tests.auth.provider.desk import ARCHIVE, GRADEBOOK, Answer, Desk, bearer, desk

PATH = "/oauth/revoke"


async def give_back(here: Desk, token: str, headers: dict[str, str] = GRADEBOOK, **more: str) -> Answer:
    return await here.call("POST", PATH, data={"token": token} | more, headers=headers)


async def active(here: Desk, token: str) -> bool:
    answer = await here.call("POST", "/oauth/introspect", data={"token": token}, headers=GRADEBOOK)
    found: bool = answer.body["active"]
    return found


@pytest.mark.parametrize("which", ["refresh", "access"])
@pytest.mark.parametrize("hint", ["refresh_token", "access_token", "nonsense"])
async def test_either_token_given_back_ends_the_whole_family_whatever_the_hint(
    mongo: Mongo, tmp_path: Path, which: str, hint: str
) -> None:
    async with desk(MongoStore(mongo), tmp_path) as here:
        _, refresh, access = await here.grant()
        token = refresh if which == "refresh" else access
        answer = await give_back(here, token, token_type_hint=hint)
        assert (answer.status, answer.body) == (200, b"")
        assert not await active(here, refresh)
        assert not await active(here, access)
        assert (await here.call("GET", "/oauth/userinfo", headers=bearer(access))).status == 401
        assert (await give_back(here, token)).status == 200


async def test_other_families_of_the_same_client_live_on(mongo: Mongo, tmp_path: Path) -> None:
    async with desk(MongoStore(mongo), tmp_path) as here:
        (_, refresh, _), (_, other, _) = await here.grant(), await here.grant()
        await give_back(here, refresh)
        assert await active(here, other)


async def test_foreign_revocation_is_answered_200_and_nothing_happens(mongo: Mongo, tmp_path: Path) -> None:
    async with desk(MongoStore(mongo), tmp_path) as here:
        _, refresh, access = await here.grant()
        for token in (refresh, access, "garbage", "a.b.c"):
            assert (await give_back(here, token, ARCHIVE)).status == 200
        assert await active(here, refresh)
        assert await active(here, access)


async def test_a_refresh_token_used_up_still_says_which_family_its_owner_wants_ended(
    mongo: Mongo, tmp_path: Path
) -> None:
    async with desk(MongoStore(mongo), tmp_path) as here:
        _, refresh, _ = await here.grant()
        follower = (await here.families.redeem(refresh, "gradebook")).token
        await give_back(here, refresh)
        assert not await active(here, follower)


async def test_a_token_without_a_family_is_noted_by_itself(mongo: Mongo, tmp_path: Path) -> None:
    async with desk(MongoStore(mongo), tmp_path) as here:
        itself = Principal(here.url, "gradebook", "", scopes=("graph.resources",), client_id="gradebook")
        first, second = here.tokens.issue(itself), here.tokens.issue(itself)
        await give_back(here, first)
        assert not await active(here, first)
        assert await active(here, second)


async def test_a_public_client_gives_its_own_tokens_back(mongo: Mongo, tmp_path: Path) -> None:
    async with desk(MongoStore(mongo), tmp_path) as here:
        family, refresh, _ = await here.grant("page")
        answer = await give_back(here, refresh, {}, client_id="page")
        assert answer.status == 200
        assert not await here.families.active(family)


async def test_malformed_requests_are_refused_and_never_a_fault_of_ours(mongo: Mongo, tmp_path: Path) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    async with desk(MongoStore(mongo), tmp_path) as here:
        for status, body, headers in (
            (400, b"", form | GRADEBOOK),
            (400, b"token=a&token=b", form | GRADEBOOK),
            (400, b"token=%c3%28", form | GRADEBOOK),
            (401, b"token=a", form),
            (401, b"token=a", form | {"Authorization": "Basic /////w=="}),
            (401, b"token=a&client_id=gradebook", form),
            (400, b"token=a&client_secret=x", form | GRADEBOOK),
            (413, b"token=" + b"x" * 70_000, form | GRADEBOOK),
            (415, b'{"token":"a"}', {"Content-Type": "application/json"} | GRADEBOOK),
        ):
            answer = await here.call("POST", PATH, data=body, headers=headers)
            assert answer.status == status, body[:40]
            assert answer.error in ("invalid_request", "invalid_client")
