"""Accounts of the hub's own: hashed well, checked evenly, never told apart."""

from __future__ import annotations

import asyncio
import threading

import pytest
from argon2 import PasswordHasher, extract_parameters

from auth.errors import Taken
from auth.local import ACR_PASSWORD, COLLECTION, INDEXES, BadLogin, LocalAccounts, NoAccount
from auth.passwords import Busy, CommonPasswords, Passwords, WeakPassword
from auth.principal import RoleClaim
from hub.identity.store import MongoStore
from hub.mongo import Mongo
from tests.fakes.gate import QUICK, Clock, Counting

ADMIN = (RoleClaim("ADMIN", "371500"),)
GOOD = "liao-cheng 7 bridges"


async def accounts(mongo: Mongo, hasher: PasswordHasher = QUICK) -> LocalAccounts:
    store = MongoStore(mongo)
    await store.declare(INDEXES)
    return LocalAccounts(
        store, Passwords(hasher), Clock(), issuer="https://hub.test", level="MUNICIPAL", region="371500"
    )


async def test_an_administrator_signs_in_with_login_and_password_however_typed(mongo: Mongo) -> None:
    own = await accounts(mongo)
    made = await own.add("City.Admin", GOOD, "市级管理员", ADMIN)
    found = await own.check(" ｃｉｔｙ.admin ", GOOD)
    assert found is not None
    assert found.id == made.id
    assert await own.check("city.admin", GOOD + "!") is None


async def test_the_assertion_says_what_a_levels_provider_would_say(mongo: Mongo) -> None:
    own = await accounts(mongo)
    made = await own.add("city.admin", GOOD, "市级管理员", ADMIN)
    said = own.assertion(made, acr=ACR_PASSWORD, amr=("pwd",))
    assert (said.iss, said.sub, said.level, said.roles) == ("https://hub.test", made.id, "MUNICIPAL", ADMIN)
    assert said.identifiers == {}
    assert "city.admin" not in said.sub


async def test_user_enumeration_by_the_work_done_a_stranger_costs_as_much_as_a_known_name(
    mongo: Mongo,
) -> None:
    hasher = Counting()
    own = await accounts(mongo, hasher)
    await own.add("city.admin", GOOD, "市级管理员", ADMIN)
    await own.add("left.long.ago", GOOD, "前管理员", ADMIN)
    await own.close("left.long.ago")
    cost = []
    for login in ("city.admin", "nobody", "left.long.ago", "", "x" * 500, "{'$gt': ''}"):
        before = hasher.verified
        assert await own.check(login, "a wrong password") is None
        cost.append(hasher.verified - before)
    assert set(cost) == {1}


async def test_nosql_operators_as_login_are_words_like_any_other(mongo: Mongo) -> None:
    own = await accounts(mongo)
    await own.add("city.admin", GOOD, "市级管理员", ADMIN)
    for login in ("$ne", '{"$gt": ""}', "city.admin\0", "^city"):
        assert await own.check(login, GOOD) is None


async def test_the_defaults_are_rfc_9106s_second_recommendation_or_better() -> None:
    passwords = Passwords()
    parameters = extract_parameters(await passwords.hashed(GOOD))
    assert parameters.type.name == "ID"
    assert (parameters.time_cost, parameters.memory_cost, parameters.parallelism) >= (3, 65536, 4)
    passwords.close()


async def test_hashes_of_yesterdays_parameters_become_todays_at_sign_in(mongo: Mongo) -> None:
    await (await accounts(mongo)).add("city.admin", GOOD, "市级管理员", ADMIN)
    stronger = await accounts(mongo, PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))
    assert await stronger.check("city.admin", "wrong, so nothing changes") is None
    kept = [each["hashed"] async for each in mongo.collection(COLLECTION).stream({})]
    assert extract_parameters(kept[0]).time_cost == 1
    assert await stronger.check("city.admin", GOOD) is not None
    kept = [each["hashed"] async for each in mongo.collection(COLLECTION).stream({})]
    assert extract_parameters(kept[0]).time_cost == 2
    assert await stronger.check("city.admin", GOOD) is not None


async def test_one_login_name_is_one_account_however_many_add_it_at_once(mongo: Mongo) -> None:
    own = await accounts(mongo)
    made = await asyncio.gather(
        *(own.add("city.admin", f"{GOOD} {n}", "甲", ADMIN) for n in range(8)), return_exceptions=True
    )
    assert sum(isinstance(each, Taken) for each in made) == 7


async def test_a_closed_account_opens_again_only_by_its_operator(mongo: Mongo) -> None:
    own = await accounts(mongo)
    made = await own.add("city.admin", GOOD, "甲", ADMIN)
    await own.close("city.admin")
    assert await own.check("city.admin", GOOD) is None
    assert await own.get(made.id) is None
    await own.reopen("city.admin")
    assert await own.check("city.admin", GOOD) is not None


async def test_a_changed_password_is_the_only_one(mongo: Mongo) -> None:
    own = await accounts(mongo)
    await own.add("city.admin", GOOD, "甲", ADMIN)
    await own.set_password("city.admin", "another 9 good words")
    assert await own.check("city.admin", GOOD) is None
    assert await own.check("city.admin", "another 9 good words") is not None
    with pytest.raises(NoAccount):
        await own.set_password("nobody", GOOD)


@pytest.mark.parametrize(
    "weak",
    ["short 7", "12345678", "hgfedcba", "aaaaaaaa", "abababab", "password", "Password123!", "woaini1314",
     "88888888", "city.admin1", "qwertyuiop", "ｐａｓｓｗｏｒｄ", "2024rongtong", "x" * 257],
)  # fmt: skip
def test_passwords_that_guessers_try_first_are_refused(weak: str) -> None:
    with pytest.raises(WeakPassword):
        CommonPasswords().check(weak, "city.admin")


@pytest.mark.parametrize("good", [GOOD, "correct horse battery", "东昌湖边的七座桥", "Tr0ub4dor&3x"])
def test_passwords_that_nobody_lists_are_welcome(good: str) -> None:
    CommonPasswords().check(good, "city.admin")


@pytest.mark.parametrize("login", ["", "a", "two words", "x" * 65, "<script>", "semi;colon", "a/b"])
async def test_a_login_name_that_could_be_something_else_is_refused(mongo: Mongo, login: str) -> None:
    with pytest.raises(BadLogin):
        await (await accounts(mongo)).add(login, GOOD, "甲", ADMIN)


class Held(PasswordHasher):
    """Verifies when it may; tells how many do so at once."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.gate, self.lock = threading.Event(), threading.Lock()
        self.now = self.most = 0

    def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # type: ignore[override]
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        self.gate.wait(30)
        with self.lock:
            self.now -= 1
        return False


async def test_a_hundred_guesses_at_once_run_two_at_a_time_and_the_loop_goes_on() -> None:
    hasher = Held()
    passwords = Passwords(hasher, at_once=2, waiting=10)
    hashed = await passwords.hashed(GOOD)
    assert await asyncio.wait_for(asyncio.sleep(0, "the loop lives"), 5)
    await passwords.hashed("so that nobody's hash is there")
    guesses = [asyncio.create_task(passwords.matches(hashed, f"guess {n}")) for n in range(100)]
    done, waiting = await asyncio.wait(guesses, timeout=0.2)
    assert all(isinstance(each.exception(), Busy) for each in done)
    assert len(waiting) <= 12
    hasher.gate.set()
    answers = await asyncio.gather(*guesses, return_exceptions=True)
    assert hasher.most <= 2
    assert sum(isinstance(each, Busy) for each in answers) >= 88
    passwords.close()


async def test_who_hangs_up_makes_no_room_for_more_guesses() -> None:
    hasher = Held()
    passwords = Passwords(hasher, at_once=1, waiting=0)
    passwords._nobody = QUICK.hash("nobody")
    hashed = QUICK.hash(GOOD)
    guess = asyncio.create_task(passwords.matches(hashed, "guess"))
    await asyncio.sleep(0)
    guess.cancel()
    with pytest.raises(asyncio.CancelledError):
        await guess
    with pytest.raises(Busy):
        await passwords.matches(hashed, "another guess")
    hasher.gate.set()
    passwords.close()
