"""The embedded server: found, founded, locked, tied to its parent, and honest about what it is."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from hub.embedded import CannotRun, EmbeddedError, EmbeddedMongo, FolderLocked, NoServer, find_mongod, storage
from hub.mongo import Mongo
from tests.hub.cache.source import until

_SHORT_LIVED_HUB = """
import asyncio, sys
from hub.embedded import EmbeddedMongo
async def main():
    server = EmbeddedMongo(sys.argv[1])
    await server.start()
    print(server.pid, flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""


async def test_it_starts_in_an_empty_folder_takes_writes_and_leaves_nothing_running(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = EmbeddedMongo(tmp_path / "mongo")
    with caplog.at_level(logging.WARNING):
        async with server as uri:
            connection = Mongo.connect(uri, "story")
            await connection.collection("notes").insert_one({"_id": 1})
            pid = server.pid
            await connection.close()
    assert pid is not None
    assert server.pid is None
    assert not _runs(pid)
    assert "Never for production" in caplog.text
    password = (tmp_path / "mongo" / "password").read_text()
    assert len(password) > 30
    assert password not in caplog.text


async def test_its_folder_opens_to_its_owner_alone(mortal_mongo: EmbeddedMongo) -> None:
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in mortal_mongo.folder.iterdir()}
    assert stat.S_IMODE(mortal_mongo.folder.stat().st_mode) == 0o700
    assert modes["key"] == modes["password"] == 0o600


async def test_it_listens_on_loopback_only_and_offers_no_zlib(mortal_mongo: EmbeddedMongo) -> None:
    connection = Mongo.connect(mortal_mongo.uri, "admin")
    options = (await connection.command("getCmdLineOpts"))["parsed"]
    await connection.close()
    assert options["net"]["bindIp"] == "127.0.0.1"
    assert options["net"]["compression"]["compressors"] == "snappy,zstd"
    assert options["security"]["keyFile"]


async def test_stopped_and_started_it_keeps_address_and_data(mortal_mongo: EmbeddedMongo) -> None:
    uri = mortal_mongo.uri
    connection = Mongo.connect(uri, "story")
    await connection.collection("notes").insert_one({"_id": "kept"})
    await mortal_mongo.stop()
    assert await mortal_mongo.start() == uri
    assert await connection.collection("notes").find_one({}) == {"_id": "kept"}
    await connection.close()


async def test_when_its_port_was_taken_meanwhile_it_says_which_and_lets_the_folder_go(
    mortal_mongo: EmbeddedMongo,
) -> None:
    await mortal_mongo.stop()
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", mortal_mongo.port))
        squatter.listen()
        with pytest.raises(EmbeddedError, match=f"port {mortal_mongo.port}"):
            await EmbeddedMongo(mortal_mongo.folder).start()
    async with EmbeddedMongo(mortal_mongo.folder) as uri:
        assert uri == mortal_mongo.uri


async def test_a_folder_in_use_is_refused_and_its_user_undisturbed(mortal_mongo: EmbeddedMongo) -> None:
    with pytest.raises(FolderLocked, match="another process"):
        await EmbeddedMongo(mortal_mongo.folder).start()
    assert mortal_mongo.pid is not None


async def test_when_the_hub_is_killed_its_server_goes_too_and_the_folder_is_free(tmp_path: Path) -> None:
    hub = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _SHORT_LIVED_HUB, str(tmp_path / "mongo"), stdout=-1, stderr=-3
    )
    assert hub.stdout is not None
    pid = int(await hub.stdout.readline())
    assert _runs(pid)
    os.kill(hub.pid, signal.SIGKILL)
    await hub.wait()
    await until(lambda: not _runs(pid))  # nobody ended it but its parent's death
    async with EmbeddedMongo(tmp_path / "mongo") as uri:
        connection = Mongo.connect(uri, "story")
        await connection.ready()
        await connection.close()


def _runs(pid: int) -> bool:
    """Neither gone nor only waiting for somebody to notice."""
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def test_the_servers_binary_is_looked_for_in_the_promised_order(tmp_path: Path) -> None:
    own = tmp_path / "mongod"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    nowhere = {"PATH": str(tmp_path / "empty")}
    assert find_mongod({"HUB_MONGOD": str(own)}) == own
    assert find_mongod({"PATH": str(tmp_path)}) == own
    assert find_mongod(nowhere).name == "mongod"  # the wheel's
    assert "fiftyone" not in sys.modules  # its code was not needed for that
    with pytest.raises(NoServer, match="HUB_MONGOD"):
        find_mongod({"HUB_MONGOD": str(tmp_path / "missing")})


async def test_a_given_address_is_used_and_no_server_started(tmp_path: Path) -> None:
    async with storage(tmp_path / "mongo", {"MONGODB_URI": "mongodb://db.example"}) as uri:
        assert uri == "mongodb://db.example"
    assert not (tmp_path / "mongo").exists()


@pytest.mark.parametrize(
    ("complaint", "remedy"),
    [
        (
            "mongod: error while loading shared libraries: libcurl.so.4: cannot open shared object file",
            "apt-get install libcurl4",
        ),
        ("libcrypto.so.3: cannot open shared object file", "apt-get install libssl3"),
        ("/lib/libc.so.6: version `GLIBC_2.34' not found (required by mongod)", "glibc 2.34"),
    ],
)
async def test_what_the_machine_lacks_is_named_with_its_remedy(
    tmp_path: Path, complaint: str, remedy: str
) -> None:
    crippled = tmp_path / "mongod"
    crippled.write_text(f'#!/bin/sh\necho "{complaint.replace("`", "")}" >&2\nexit 127\n')
    crippled.chmod(0o755)
    with pytest.raises(CannotRun, match=remedy):
        await EmbeddedMongo(tmp_path / "mongo", crippled).start()
    again = subprocess.run(["flock", "-n", tmp_path / "mongo" / "lock", "true"], check=False)  # noqa: ASYNC221
    assert again.returncode == 0  # the folder was let go
