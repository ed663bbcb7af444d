"""A family of refresh tokens by itself: one document, atomic steps, nothing that a stranger could move."""

from __future__ import annotations

import asyncio

import pytest

from auth.errors import Taken
from auth.provider.families import INDEXES, Families, Replayed, Unknown, family_of_code
from hub.identity.store import MongoStore
from hub.mongo import Mongo
from tests.fakes.provider import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def families(mongo: Mongo, clock: Clock) -> Families:
    store = MongoStore(mongo)
    await store.declare(INDEXES)
    return Families(store, clock, life=3600, grace=0)


async def begun(families: Families, code_id: str = "", jkt: str = "") -> str:
    return await families.begin(
        client_id="web", person="p-1", session="s-1", scopes=("openid",), code_id=code_id, jkt=jkt,
        auth_time=1_700_000_000, acr="urn:rongtong:acr:password", amr=("pwd",), nonce="n",
    )  # fmt: skip


async def test_a_family_tells_what_it_began_with_and_its_token_turns(families: Families) -> None:
    id = await begun(families)
    token = await families.refresh_token(id)
    found = await families.find(token)
    assert found is not None
    assert (found.id, found.client_id, found.person, found.session) == (id, "web", "p-1", "s-1")
    redeemed = await families.redeem(token, "web")
    assert (redeemed.family.id, redeemed.family.scopes, redeemed.family.auth_time) == (
        id,
        ("openid",),
        1_700_000_000,
    )
    assert (redeemed.family.acr, redeemed.family.amr, redeemed.family.nonce) == (found.acr, ("pwd",), "n")
    assert await families.find(token) is None
    assert await families.find(redeemed.token) is not None
    assert "p-1" not in repr(redeemed)
    assert redeemed.token not in repr(redeemed)


async def test_a_family_of_a_code_begins_once_however_many_ask(families: Families) -> None:
    async def one() -> bool:
        try:
            return await begun(families, code_id="c" * 64) == family_of_code("c" * 64)
        except Taken:
            return False

    assert sorted(await asyncio.gather(*(one() for _ in range(32)))) == [False] * 31 + [True]


async def test_a_used_token_ends_the_family_and_a_strangers_hand_does_not(families: Families) -> None:
    id = await begun(families)
    token = await families.refresh_token(id)
    newer = (await families.redeem(token, "web")).token
    for used in (token, newer):
        with pytest.raises(Unknown):
            await families.redeem(used, "third")
    for nonsense in ("", ".", "a.b", token.partition(".")[2], newer + "x" * 500, "令.牌", "\ud800.x"):
        with pytest.raises(Unknown):
            await families.redeem(nonsense, "web")
        assert await families.find(nonsense) is None
        assert await families.find_any(nonsense) is None
    assert await families.active(id)
    with pytest.raises(Replayed):
        await families.redeem(token, "web")
    assert not await families.active(id)
    with pytest.raises(Unknown):
        await families.redeem(newer, "web")
    with pytest.raises(Unknown):
        await families.refresh_token(id)


async def test_a_token_bound_to_a_key_is_moved_by_that_key_only(families: Families) -> None:
    token = await families.refresh_token(await begun(families, jkt="key"))
    for key in ("", "other"):
        with pytest.raises(Unknown):
            await families.redeem(token, "web", key)
    assert (await families.redeem(token, "web", "key")).token
    with pytest.raises(Unknown):
        await families.redeem(token, "web", "other")
    with pytest.raises(Replayed):
        await families.redeem(token, "web", "key")


async def test_of_many_uses_at_once_one_gets_through_and_the_family_ends(families: Families) -> None:
    id = await begun(families)
    token = await families.refresh_token(id)
    done = await asyncio.gather(*(families.redeem(token, "web") for _ in range(64)), return_exceptions=True)
    assert len([each for each in done if not isinstance(each, BaseException)]) == 1
    assert all(isinstance(each, Replayed | Unknown) for each in done if isinstance(each, BaseException))
    assert not await families.active(id)


async def test_what_hangs_on_a_session_ends_with_it_and_what_is_over_stays_over(
    families: Families, clock: Clock
) -> None:
    online = await begun(families)
    offline = await families.begin(
        client_id="web", person="p-1", session="s-1", scopes=("offline_access",), offline=True
    )
    await families.revoke_session("s-2")
    assert await families.active(online)
    await families.revoke_session("s-1")
    assert not await families.active(online)
    assert await families.get(online) is None
    assert [each.id for each in await families.of_person("p-1")] == [offline]
    await families.revoke(online)
    clock.ahead = 3601
    assert not await families.active(offline)
