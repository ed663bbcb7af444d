"""The journal's copy in a real database: whole, once, in order, and good for finding what a file lost."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from hub.embedded import EmbeddedMongo
from hub.mongo import Mongo, StorageError
from hub.people import shipping
from hub.people.journal import Journal
from hub.people.shipping import COLLECTION, Shipping
from hub.people.strands import name_of, strands
from hub.people.verifying import compared, verified

KEY = b"k" * 32


async def written(folder: Path, count: int = 5, **more: object) -> Path:
    """A strand with so many entries; its process is gone."""
    journal = Journal(folder, KEY)
    for number in range(count):
        await journal.append(
            "read", {"by": "周丁", "share": 0.5, "place": number, "reads": [{"about": ["a:1"]}], **more}
        )
    await journal.aclose()
    return journal.file


def gone(folder: Path) -> Journal:
    """A journal that writes nothing itself."""
    return Journal(folder, KEY)


async def causes(folder: Path, mongo: Mongo) -> list[str]:
    return [fault.cause for fault in await compared(folder, mongo)]


async def test_every_entry_arrives_once_however_often_and_by_however_many_it_is_shipped(
    tmp_path: Path, any_mongo: Mongo
) -> None:
    for _ in range(3):
        await written(tmp_path, 300)
    one, other = Shipping(gone(tmp_path), any_mongo), Shipping(gone(tmp_path), any_mongo)
    await asyncio.gather(one.ship(), other.ship())
    assert (await one.ship(), await Shipping(gone(tmp_path), any_mongo).ship()) == (0, 0)
    collection = any_mongo.collection(COLLECTION)
    assert await collection.count({}) == 900
    for file in strands(tmp_path):
        found = await collection.find({"strand": name_of(file)}, limit=500, order=[("n", 1)])
        assert [each["place"] for each in found] == list(range(300))
    assert await compared(tmp_path, any_mongo) == ()


async def test_one_s_own_strand_is_shipped_while_it_is_written_and_only_as_far_as_it_is_on_disk(
    tmp_path: Path, mongo: Mongo
) -> None:
    journal = Journal(tmp_path, KEY)
    copying = Shipping(journal, mongo)
    await journal.append("read", {"by": "teacher"})
    with journal.file.open("ab") as file:
        file.write(journal.file.read_bytes())
    assert await copying.ship() == 1
    assert await Shipping(gone(tmp_path), mongo).ship() == 0
    assert await mongo.collection(COLLECTION).count({}) == 1
    await journal.aclose()


async def test_a_strand_begun_before_the_hub_started_goes_on_where_it_was(
    tmp_path: Path, mongo: Mongo, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path, KEY)
    await journal.append("read", {"place": 0})
    await Shipping(journal, mongo).ship()
    for place in (1, 2):
        await journal.append("read", {"place": place})
    await journal.aclose()
    assert await Shipping(gone(tmp_path), mongo).ship() == 2
    assert await compared(tmp_path, mongo) == ()


async def test_strands_that_follow_each_other_are_all_shipped(tmp_path: Path, mongo: Mongo) -> None:
    journal = Journal(tmp_path, KEY)
    journal.largest = 500
    copying = Shipping(journal, mongo)
    for place in range(20):
        await journal.append("read", {"place": place})
        if place == 10:
            await copying.ship()
    await copying.ship()
    found = await mongo.collection(COLLECTION).find({"event": "read"}, limit=100)
    assert sorted(each["place"] for each in found) == list(range(20))
    assert await compared(tmp_path, mongo) == ()
    await journal.aclose()


async def test_a_database_that_goes_and_comes_back_misses_nothing(
    tmp_path: Path, mortal_mongo: EmbeddedMongo, database: str
) -> None:
    mongo = Mongo.connect(mortal_mongo.uri, database)
    journal = Journal(tmp_path / "journal", KEY)
    copying = Shipping(journal, mongo)
    await journal.append("read", {"place": 0})
    await copying.ship()
    await mortal_mongo.stop()
    await journal.append("read", {"place": 1})
    with pytest.raises(StorageError):
        await copying.ship()
    running = asyncio.create_task(copying.run())
    await journal.append("read", {"place": 2})
    await mortal_mongo.start()
    while True:
        with contextlib.suppress(StorageError):
            if await mongo.collection(COLLECTION).count({}) == 3:
                break
        await asyncio.sleep(0.05)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert await compared(tmp_path / "journal", mongo) == ()
    await journal.aclose()
    await mongo.close()


async def test_an_end_cut_off_a_strand_is_found_by_its_copy_alone(tmp_path: Path, mongo: Mongo) -> None:
    file = await written(tmp_path)
    await Shipping(gone(tmp_path), mongo).ship()
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-1]))
    assert verified(tmp_path, KEY).faults == ()
    (cause,) = await causes(tmp_path, mongo)
    assert "shorter" in cause


async def test_a_strand_that_is_gone_is_found_by_its_copy_alone(tmp_path: Path, mongo: Mongo) -> None:
    await written(tmp_path)
    file = await written(tmp_path)
    await Shipping(gone(tmp_path), mongo).ship()
    file.unlink()
    assert verified(tmp_path, KEY).faults == ()
    (fault,) = await compared(tmp_path, mongo)
    assert (fault.strand, "gone" in fault.cause) == (name_of(file), True)


async def test_a_strand_written_anew_under_the_hubs_own_key_differs_from_its_copy(
    tmp_path: Path, mongo: Mongo, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = await written(tmp_path / "journal")
    await Shipping(gone(tmp_path / "journal"), mongo).ship()
    forger = Journal(tmp_path / "other", KEY)
    forger._strand.name = name_of(file)
    for _ in range(7):
        await forger.append("read", {"by": "nobody"})
    await forger.aclose()
    file.write_bytes(forger.file.read_bytes())
    assert verified(tmp_path / "journal", KEY).faults == ()
    (cause,) = await causes(tmp_path / "journal", mongo)
    assert "differs" in cause


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"$set": {"by": "somebody else"}}, "differs"),
        ({"$set": {"reads.0.about": []}}, "differs"),
        ({"$unset": {"by": ""}}, "differs"),
        ({"$set": {"refused_": True}}, "differs"),
        ({"$set": {"refused": True}, "$unset": {"by": "", "share": "", "place": "", "reads": ""}}, "differs"),
        ({"$set": {"told_at": "2026-01-01T00:00:00.000+00:00"}}, "differs"),
        (None, "missing"),
    ],
)
async def test_what_is_changed_in_the_copy_is_found_by_the_file(
    tmp_path: Path, mongo: Mongo, change: dict[str, object] | None, told: str
) -> None:
    file = await written(tmp_path)
    await Shipping(gone(tmp_path), mongo).ship()
    third = {"_id": f"{name_of(file)}:2"}
    collection = mongo.collection(COLLECTION)
    await (collection.update_one(third, change) if change else collection.delete_one(third))
    (fault,) = await compared(tmp_path, mongo)
    assert (fault.line, told in fault.cause) == (3, True)


async def test_what_is_not_shipped_yet_is_no_fault(tmp_path: Path, mongo: Mongo) -> None:
    journal = Journal(tmp_path, KEY)
    await journal.append("read", {"place": 0})
    await Shipping(journal, mongo).ship()
    await journal.append("read", {"place": 1})
    assert await compared(tmp_path, mongo) == ()
    await journal.aclose()


async def test_a_forged_line_is_not_shipped_and_hinders_no_other_strand(tmp_path: Path, mongo: Mongo) -> None:
    file = await written(tmp_path, 2)
    file.write_bytes(file.read_bytes().replace("周丁".encode(), "王甲".encode(), 1))
    odd = file.with_name("00000000T000000-1-00000000.jsonl")
    odd.write_bytes(b'{"n":0}\n[]\n')
    (tmp_path / "11111111T000000-1-00000000.jsonl").symlink_to(file)
    good = await written(tmp_path, 2)
    await Shipping(gone(tmp_path), mongo).ship()
    assert await mongo.collection(COLLECTION).distinct("strand") == [name_of(good)]


async def test_what_the_database_cannot_hold_stands_there_without_its_content(
    tmp_path: Path, mongo: Mongo
) -> None:
    await written(tmp_path, 3, huge=2**63 + 1)
    await written(tmp_path, 3)
    assert await Shipping(gone(tmp_path), mongo).ship() == 6
    collection = mongo.collection(COLLECTION)
    assert await collection.count({"refused": True, "huge": {"$exists": False}}) == 3
    assert await compared(tmp_path, mongo) == ()


async def test_long_strands_travel_in_batches(
    tmp_path: Path, mongo: Mongo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipping, "MOST_BYTES", 2_000)
    await written(tmp_path, 30, filler="x" * 500)
    assert await Shipping(gone(tmp_path), mongo).ship() == 30


async def test_readers_of_the_log_are_answered_from_an_index(tmp_path: Path, mongo: Mongo) -> None:
    journal = Journal(tmp_path, KEY)
    await Shipping(journal, mongo).ship()
    for where in ({"reads.about": {"$in": ["a:1"]}}, {"person": {"$eq": "p"}}, {"by": {"$eq": "p"}}):
        plan = await mongo.command("explain", {"find": COLLECTION, "filter": where, "sort": {"at": -1}})
        assert "IXSCAN" in str(plan["queryPlanner"]["winningPlan"]), where
        assert "COLLSCAN" not in str(plan["queryPlanner"]["winningPlan"]), where
    await journal.aclose()
