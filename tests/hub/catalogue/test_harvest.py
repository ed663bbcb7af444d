"""Harvesting: nothing lost, nothing twice, whatever breaks off; what is gone is gone."""

from __future__ import annotations

import asyncio
import signal
import sys

import pytest

from hub.catalogue.harvest import RESOURCES, Progress
from hub.mongo import Mongo
from tests.fakes.harvestable import resource
from tests.hub.cache.turned_clock import TurnedClock
from tests.hub.catalogue.harvesting import SOURCE, joined
from tests.hub.catalogue.joined import Library

MANY = 100_000


async def _keys(library: Library) -> list[str]:
    kept = library.mongo.collection(RESOURCES)
    return [one["_id"] async for one in kept.stream({"live": True}, fields={"_id": 1}, order=[("_id", 1)])]


async def _row(library: Library, source: str) -> dict[str, object]:
    return next(row for row in await library.catalogue.status() if row["source"] == source)


async def test_everything_a_repository_has_is_harvested_with_progress(library: Library) -> None:
    library.join("nation").stock(range(1_203))
    told: list[Progress] = []
    done = await library.catalogue.harvest("nation", told.append)
    assert done == Progress("nation", 1_203, 0, 1_203, True)
    assert [one.records for one in told] == [500, 1_000, 1_203, 1_203]
    assert await _keys(library) == sorted(f"nation:{number}" for number in range(1_203))


async def test_a_second_harvest_brings_only_what_changed(library: Library) -> None:
    repository = library.join("nation")
    repository.stock(range(700))
    await library.catalogue.harvest("nation")
    repository.put("5", {"title": "荷塘月色朗读"})
    repository.remove("6")
    again = await library.catalogue.harvest("nation")
    assert (again.records, again.deleted, again.finished) == (1, 1, True)
    assert await library.titles("朗读") == ["荷塘月色朗读"]
    assert len(await _keys(library)) == 699
    assert "nation:6" not in await _keys(library)


async def test_what_a_repository_drops_silently_is_gone_after_it_was_read_anew(library: Library) -> None:
    repository = library.join("nation")
    repository.stock(range(1_200))
    await library.catalogue.harvest("nation")
    for local_id in ("1", "700", "1100"):
        repository.forget(local_id)
    assert (await library.catalogue.harvest("nation")).deleted == 0
    repository.breaks_after = repository.batches + 2
    broken = await library.catalogue.harvest("nation", from_start=True)
    assert broken.error.startswith("SOURCE_UNAVAILABLE")
    assert len(await _keys(library)) == 1_200, "a reading that broke off proves nothing gone"
    repository.breaks_after = None
    done = await library.catalogue.harvest("nation")
    assert (done.finished, done.deleted) == (True, 3)
    assert len(await _keys(library)) == 1_197


async def test_what_is_gone_comes_back_when_the_repository_has_it_again(library: Library) -> None:
    repository = library.join("nation")
    repository.put("1", {"title": "静夜思"})
    await library.catalogue.harvest("nation")
    repository.remove("1")
    await library.catalogue.harvest("nation")
    assert await library.titles("静夜思") == []
    repository.put("1", {"title": "静夜思"})
    await library.catalogue.harvest("nation")
    assert await library.titles("静夜思") == ["静夜思"]


async def test_a_source_that_breaks_off_goes_on_where_it_was(library: Library) -> None:
    repository = library.join("nation")
    repository.stock(range(2_000))
    repository.breaks_after = 2
    assert (await library.catalogue.harvest("nation")).records == 1_000
    assert (await _row(library, "nation"))["interrupted"]
    repository.breaks_after = None
    done = await library.catalogue.harvest("nation")
    assert (done.records, done.finished, repository.batches) == (2_000, True, 4)
    assert (await _row(library, "nation"))["error"] == ""


async def test_a_silent_or_stumbling_source_does_not_stop_the_others(library: Library) -> None:
    for code in ("nation", "province", "city"):
        library.join(code).stock(range(100))
    silent, stumbling = (library.registry.joined[code].connector for code in ("nation", "province"))
    silent.breaks_after = 0  # type: ignore[attr-defined]
    stumbling.stumbles = True  # type: ignore[attr-defined]
    told: list[Progress] = []
    await library.catalogue.harvest_all(told.append)
    errors = {one.source: one.error.partition(":")[0] for one in told if one.error}
    assert errors == {"nation": "SOURCE_UNAVAILABLE", "province": "SOURCE_BAD_RESPONSE"}
    assert {key.partition(":")[0] for key in await _keys(library)} == {"city"}


async def test_a_record_that_cannot_be_kept_is_refused_and_the_rest_is_kept(library: Library) -> None:
    repository = library.join("county")
    repository.put("good", {"title": "圆的周长", "downloads": 2**70, "rating": float("nan")})
    repository.put("broken", {"title": "\ud800"})
    repository.put("endless", {"title": "长", "summary": "长" * 300_000})
    repository.put(
        "strange", {"title": ["no", "text"], "chapter_keys": "ch-1", "$where": {"a.b": 1}, "stage": 7}
    )
    done = await library.catalogue.harvest("county")
    assert (done.refused, done.finished) == (2, True)
    assert await _keys(library) == ["county:good", "county:strange"]


async def test_only_one_process_harvests_a_source_at_a_time(library: Library) -> None:
    repository = library.join("nation")
    repository.stock(range(100))
    repository.door.clear()
    first = asyncio.create_task(library.catalogue.harvest("nation"))
    await repository.asked.wait()
    second = await library.another().harvest("nation")
    assert second.error.startswith("HARVEST_ELSEWHERE")
    repository.door.set()
    assert (await first).finished
    assert (await library.another().harvest("nation")).finished


async def test_a_harvester_that_lost_its_lease_writes_no_checkpoint(library: Library) -> None:
    repository = library.join("nation")
    repository.stock(range(100))
    repository.door.clear()
    slow = asyncio.create_task(library.catalogue.harvest("nation"))
    await repository.asked.wait()
    states = library.mongo.collection("catalogue_sources")
    await states.update_one({"_id": "nation"}, {"$set": {"lease.owner": "somebody else"}})
    repository.door.set()
    assert (await slow).error.startswith("HARVEST_ELSEWHERE")
    state = await states.find_one({"_id": "nation"})
    assert state is not None
    assert (state["checkpoint"], state["lease"]["owner"]) == ("", "somebody else")


async def test_a_source_that_has_left_is_taken_out_and_may_come_back(library: Library) -> None:
    library.join("nation").stock(range(50))
    county = library.join("county")
    county.stock(range(50))
    await library.catalogue.harvest_all()
    library.leave("county")
    assert (await library.hits()).found.total == 50, "at once, before any harvest"
    await library.catalogue.harvest_all()
    assert len(await _keys(library)) == 50
    library.admit("county", county)
    await library.catalogue.harvest_all()
    assert len(await _keys(library)) == 100


async def test_the_state_of_each_source_is_told(library: Library, clock: TurnedClock) -> None:
    library.join("nation").stock(range(10))
    library.join("county", harvestable=False)
    assert (await _row(library, "nation"))["last_harvest"] is None
    await library.catalogue.harvest_all()
    clock.turn(3 * library.every)
    rows = await library.catalogue.status()
    assert [row["source"] for row in rows] == ["nation"] == list(library.catalogue.harvestable())
    assert rows[0]["records"] == 10
    assert (rows[0]["checkpoint_age"], rows[0]["stale"]) == (3 * library.every, True)
    refused = await library.catalogue.harvest("county")
    assert refused.error.startswith("SOURCE_CANNOT")


async def test_no_source_can_write_over_what_another_told(library: Library) -> None:
    nation, county = library.join("nation"), library.join("county")
    nation.put("1", {"title": "国家课程"})
    await library.catalogue.harvest_all()
    county.key = lambda local_id: f"nation:{local_id}"  # type: ignore[method-assign]
    county.put("1", {"title": "冒名"})
    assert (await library.catalogue.harvest("county")).refused == 1
    assert await library.titles("国家课程") == ["国家课程"]


@pytest.mark.timeout(600)
async def test_a_hundred_thousand_survive_two_kills_complete_and_without_doubles(
    mongo: Mongo, mongo_uri: str, database: str
) -> None:
    for share in (0.2, 0.6):
        harvester = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.hub.catalogue.harvesting", mongo_uri, database, str(MANY),
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert harvester.stdout is not None
        async for line in harvester.stdout:
            if int(line) >= share * MANY:
                break
        harvester.send_signal(signal.SIGKILL)
        await harvester.communicate()
        await asyncio.sleep(2.5)  # the dead harvester's lease ends
    library, repository = joined(mongo, MANY)
    told: list[Progress] = []
    done = await library.catalogue.harvest(SOURCE, told.append)
    assert (done.error, done.finished) == ("", True)
    assert repository.batches <= 0.4 * MANY / 500, "it went on and did not begin again"
    assert await _keys(library) == sorted(f"{SOURCE}:{number}" for number in range(MANY))
    assert await mongo.collection(RESOURCES).count({}) == MANY
    await library.registry.aclose()


def test_the_repository_of_the_stories_tells_many_different_things() -> None:
    assert len({resource(number)["title"] for number in range(5_000)}) == 5_000
