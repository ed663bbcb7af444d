"""Which sources are joined: told from the nation down, probed side by side, closed whatever they say."""

from __future__ import annotations

import pytest

from hub.sources.explaining import Explaining, MadeUp
from hub.sources.registry import Registry, rfc3339
from schema.model.codes import Level
from schema.model.divisions import shipped
from schema.model.words import Kind
from tests.fakes.connector import MemorySource, Mood
from tests.hub.sources.room import ANONYMOUS, CITY, COUNTY, NATION, SCHOOL, SPECS, TODAY, Room, offer


def join(room: Room, code: str, level: Level, region: str) -> MemorySource:
    return room.join(code, level, region, {Kind.SCHOOL: offer(Kind.SCHOOL)}, {Kind.SCHOOL: []}, deadline=0.05)


def registry(room: Room) -> Registry:
    return Registry(room.joined, room.tools.http, room.clock)


async def test_faces_come_from_the_nation_down(room: Room) -> None:
    for code, level, region in (
        ("c", Level.COUNTY, COUNTY), ("b", Level.MUNICIPAL, CITY),
        ("n", Level.NATIONAL, NATION), ("a", Level.MUNICIPAL, CITY),
    ):  # fmt: skip
        join(room, code, level, region)
    assert [face.code for face in registry(room).faces()] == ["n", "a", "b", "c"]
    assert registry(room).face("nobody") is None
    assert registry(room).health("nobody") == {}


async def test_a_probe_tells_every_source_whatever_one_of_them_does(room: Room) -> None:
    for mood in Mood:
        join(room, mood.value, Level.MUNICIPAL, CITY).mood = mood
    states = await registry(room).probe()
    assert {code: state.partition(":")[0] for code, state in states.items()} == {
        "well": "", "hanging": "SOURCE_TIMEOUT", "dead": "SOURCE_UNAVAILABLE", "refusing": "SOURCE_REFUSED",
        "busy": "SOURCE_OVERLOADED", "garbage": "SOURCE_BAD_RESPONSE", "stumbling": "SOURCE_BAD_RESPONSE",
    }  # fmt: skip
    assert registry(room).health("well")["state"] == "up"
    assert registry(room).health("hanging")["state"] == "failing"


async def test_one_source_that_cannot_be_closed_keeps_no_other_open(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, bad, last = (join(room, code, Level.MUNICIPAL, CITY) for code in ("a", "b", "c"))

    async def fails() -> None:
        raise OSError("gone already")

    monkeypatch.setattr(bad, "aclose", fails)
    with pytest.raises(OSError, match="gone already"):
        await registry(room).aclose()
    assert first.closed
    assert last.closed


def test_moments_are_in_utc_to_the_millisecond() -> None:
    assert rfc3339(1_788_220_800.1234) == "2026-09-01T00:00:00.123Z"


async def test_explaining_asks_nobody_and_names_everybody(room: Room) -> None:
    city, county = join(room, "city", Level.MUNICIPAL, CITY), join(room, "county", Level.COUNTY, COUNTY)
    home = {"region_code": CITY, "school_code": SCHOOL}
    directory = Explaining(room.joined, SPECS, MadeUp(home, {}), ANONYMOUS, shipped(), TODAY, home)
    await directory.get(Kind.SCHOOL, SCHOOL, frozenset({"name"}))
    await directory.find(Kind.SCHOOL, frozenset({"name"}), region=CITY)
    assert city.asked == county.asked == []
    told = [one.told() for one in directory.explained.values()]
    assert [[asked["source"] for asked in one["asked"]] for one in told] == [["city"], ["county", "city"]]
    assert [[passed["source"] for passed in one["passedOver"]] for one in told] == [["county"], []]
    assert all(asked["why"] for one in told for asked in one["asked"])
