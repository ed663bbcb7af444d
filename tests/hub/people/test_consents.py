"""Agreeing that an application may see somebody: one receipt, for one purpose, until it is withdrawn."""

from __future__ import annotations

import asyncio

import pytest

from hub.clock import Clock
from hub.mongo import Mongo, StorageError
from hub.people.consents import COLLECTION, REMEMBERED, Consents
from schema.model.privacy import Duty
from schema.model.viewer import Viewer

GUARDIAN = Viewer("guardian", person="P9", children_keys=frozenset({"roster:p1"}))
SENIOR = Viewer("senior", person="P8", person_keys=frozenset({"roster:p8"}))
HER_PUPIL = ["roster:p1", "m1"]
TEACHING, AID = Duty.TEACHING, Duty.AID
AGREED = frozenset((key, TEACHING) for key in HER_PUPIL)


class Turned(Clock):
    """The machine's clock, with the hands turned on."""

    ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


async def give(kept: Consents, client: str = "app", purpose: Duty = TEACHING) -> str:
    return str((await kept.give(GUARDIAN, HER_PUPIL, client, purpose, "v1"))["receipt"])


async def test_what_was_agreed_to_counts_for_this_application_and_purpose_alone(mongo: Mongo) -> None:
    kept = Consents(mongo)
    receipt = await kept.give(GUARDIAN, HER_PUPIL, "app", TEACHING, "v1")
    assert (receipt["by_guardian"], receipt["withdrawn_at"]) == (True, None)
    assert await kept.consented("app", frozenset({TEACHING})) == AGREED
    assert await kept.consented("app", frozenset({AID})) == frozenset()
    assert await kept.consented("app", frozenset({AID, TEACHING})) == AGREED
    assert await kept.consented("app", frozenset()) == frozenset()
    assert await kept.consented("another", frozenset({TEACHING})) == frozenset()
    own = await kept.give(SENIOR, ["roster:p8"], "app", TEACHING, "v1")
    assert own["by_guardian"] is False


async def test_agreeing_again_gives_the_same_receipt_however_many_at_a_time(mongo: Mongo) -> None:
    one, other = Consents(mongo), Consents(mongo)
    receipts = await asyncio.gather(*(give(kept) for kept in (one, other) for _ in range(8)))
    assert len(set(receipts)) == 1
    assert await mongo.collection(COLLECTION).count({}) == 1
    assert await give(one, purpose=AID) not in receipts


async def test_a_withdrawn_consent_counts_no_more_and_agreeing_anew_makes_another_receipt(
    mongo: Mongo,
) -> None:
    kept, clock = Consents(mongo), Turned()
    elsewhere = Consents(mongo, clock)
    first = await give(kept)
    assert await elsewhere.consented("app", frozenset({TEACHING})) == AGREED
    ended = await kept.withdraw(HER_PUPIL, first)
    assert ended is not None
    assert ended["withdrawn_at"] is not None
    assert await kept.withdraw(HER_PUPIL, first) == ended
    assert await kept.consented("app", frozenset({TEACHING})) == frozenset()
    clock.ahead = REMEMBERED
    assert await elsewhere.consented("app", frozenset({TEACHING})) == frozenset()
    second = await give(kept)
    assert second != first
    assert [one["receipt"] for one in await kept.of(["m1"])] == [second, first]


async def test_nobody_else_withdraws_it(mongo: Mongo) -> None:
    kept = Consents(mongo)
    receipt = await give(kept)
    assert await kept.withdraw(["roster:p2"], receipt) is None
    assert await kept.withdraw(HER_PUPIL, "no such receipt") is None
    assert await kept.consented("app", frozenset({TEACHING})) == AGREED


async def test_agreeing_and_withdrawing_at_the_same_time_never_gives_a_receipt_that_is_not_kept(
    mongo: Mongo,
) -> None:
    kept = Consents(mongo)

    async def wavering() -> list[str]:
        given = []
        for _ in range(15):
            given.append(await give(kept))
            await kept.withdraw(HER_PUPIL, given[-1])
        return given

    told = {one for given in await asyncio.gather(*(wavering() for _ in range(4))) for one in given}
    assert told == {one["receipt"] for one in await kept.of(["m1"])}


async def test_values_are_only_compared_with(mongo: Mongo) -> None:
    kept = Consents(mongo)
    await give(kept)
    for odd in ("$ne", '{"$ne": null}', ""):
        assert await kept.consented(odd, frozenset({TEACHING})) == frozenset()
        assert await kept.withdraw(HER_PUPIL, odd) is None


async def test_without_a_database_nobody_new_is_consented_to() -> None:
    nowhere = Mongo.connect("mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=50", "x")
    kept = Consents(nowhere)
    with pytest.raises(StorageError):
        await kept.consented("app", frozenset({TEACHING}))
    with pytest.raises(StorageError):
        await give(kept)
    await nowhere.close()
