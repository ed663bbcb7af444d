"""Strokes that travel where the server has no change streams, and after a silence."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.cache.durable import Durable
from hub.cache.invalidation import Watcher
from hub.cache.tags import Tags
from hub.embedded import find_mongod
from hub.mongo import Mongo, StorageDown
from tests.hub.cache.source import until


@pytest.fixture
def lone_server(tmp_path: Path) -> Iterator[str]:
    """The address of a server that is no replica set, so it has no change streams."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--dbpath", str(tmp_path), "--port", str(port), "--bind_ip", "127.0.0.1", "--nounixsocket"]
    process = subprocess.Popen([str(find_mongod(os.environ)), *options], stdout=subprocess.DEVNULL)
    yield f"mongodb://127.0.0.1:{port}/?serverSelectionTimeoutMS=20000"
    process.terminate()
    process.wait()


async def test_without_change_streams_the_collection_is_asked_instead(lone_server: str) -> None:
    here, there = (Mongo.connect(lone_server, "story") for _ in range(2))
    await here.ready()
    heard, spoken = Tags(), Tags()
    listener = Watcher(Durable.on(here), heard, retry_every=0.02)
    speaker = Watcher(Durable.on(there), spoken)
    listener.start()
    await listener.current.wait()
    for tag in ("school:1", "school:2"):
        before = await here.server_time()
        spoken.strike(tag)
        await speaker.publish()
        assert spoken.pending == []
        await until(lambda tag=tag, before=before: heard.kills([tag], before))  # type: ignore[misc]
    await listener.aclose()
    await here.close()
    await there.close()


async def test_after_the_collection_is_dropped_the_watch_goes_on(any_mongo: Mongo) -> None:
    tags = Tags()
    durable = Durable.on(any_mongo)
    watcher = Watcher(durable, tags, retry_every=0.02)
    watcher.start()
    await watcher.current.wait()
    await durable.tags.drop()
    await until(lambda: not watcher.current.is_set())
    await watcher.current.wait()
    before = await any_mongo.server_time()
    other = Tags()
    other.strike("school:1")
    await Watcher(durable, other).publish()
    await until(lambda: tags.kills(["school:1"], before))
    await watcher.aclose()


async def test_a_stroke_that_could_not_be_published_stays_pending() -> None:
    nowhere = Mongo.connect("mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=20", "story")
    tags = Tags()
    tags.strike("school:1")
    with pytest.raises(StorageDown):
        await Watcher(Durable.on(nowhere), tags).publish()
    assert [tag for tag, _ in tags.pending] == ["school:1"]
    await nowhere.close()


async def test_more_tags_than_can_be_known_by_name_kill_too_much_rather_than_too_little(
    mongo: Mongo,
) -> None:
    durable = Durable.on(mongo)
    writer = Tags()
    for i in range(20):
        writer.strike(f"school:{i}")
    await Watcher(durable, writer).publish()
    before = await mongo.server_time()
    reader = Tags(limit=5)
    watcher = Watcher(durable, reader, limit=5)
    watcher.start()
    await watcher.current.wait()
    strokes = await durable.tags.find({}, limit=100)
    assert len(strokes) == 20
    assert all(reader.kills([stroke["_id"]], stroke["at"]) for stroke in strokes)
    assert not reader.kills(["school:unknown"], max(before, await mongo.server_time()))
    await watcher.aclose()
