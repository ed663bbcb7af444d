"""`rongtong demo` as scripts use it: one line when all is ready, and nothing left when it has ended."""

from __future__ import annotations

import os
import signal
import socket
import stat
import time
import urllib.request
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.journeys.command import (
    Started,
    alive,
    demonstration,
    eventually,
    launched,
    naming,
    rongtong,
    segments,
    under,
)

LEVELS = {"NATIONAL", "PROVINCIAL", "MUNICIPAL", "COUNTY", "SCHOOL"}
TONGUES = {"smartedu", "oai_pmh", "sql", "hub_exchange", "rest", "oneroster", "tables", "xapi"}
VIEWERS = {"teacher", "pupil", "guardian", "officer", "stranger"}


def ask(started: Started, query: str, persona: str) -> object:
    """The data that a persona gets."""
    request = urllib.request.Request(
        started.told["graph"],
        orjson.dumps({"query": query}),
        {
            "Content-Type": "application/json",
            "Authorization": f"Bearer {started.told['tokens'][persona]}",
        },
    )
    with urllib.request.urlopen(request, timeout=30) as reply:
        return orjson.loads(reply.read())["data"]


def left_by(started: Started) -> list[str]:
    """Everything that should not outlive a demonstration."""
    local = started.folder / "rongtong.local.toml"
    return [
        *alive(started.family),
        *naming(started.folder),
        *segments(started.family),
        *([str(local)] if local.exists() else []),
        *map(str, (started.complaints.parent / "tmp").iterdir()),
    ]


def is_quiet(started: Started) -> bool:
    """Nothing but the two warnings that are meant to be read."""
    lines = started.said().splitlines()
    return all("切勿用于生产" in line or "开发身份已启用" in line for line in lines)


def is_a_server(pid: int) -> bool:
    return Path(f"/proc/{pid}").is_dir()


def tells_how_to_sign_in(told: dict[str, Any]) -> None:
    """Issuer, a provider and users of every level, clients of both kinds, applications that answer."""
    assert told["graph"] == f"{told['issuer']}/graphql"
    with urllib.request.urlopen(f"{told['issuer']}/.well-known/openid-configuration", timeout=30) as reply:
        assert orjson.loads(reply.read())["issuer"] == told["issuer"]
    assert {each["level"] for each in told["providers"]} == LEVELS
    assert all(is_a_server(each["pid"]) for each in told["providers"])
    clients = {each["client_id"]: each for each in told["clients"]}
    assert clients.keys() >= {"demo-server", "portal", "research", "rongtong-cli"}
    assert len(clients["demo-server"]["secret"]) >= 32
    assert clients["portal"]["secret"] is None
    assert [each["client_id"] for each in told["applications"]] == ["portal", "research"]
    for each in told["applications"]:
        assert clients[each["client_id"]]["redirect_uris"] == [f"{each['address']}callback"]
        with urllib.request.urlopen(each["address"], timeout=30) as page:
            assert page.status == 200
    assert {each["level"] for each in told["users"]} == LEVELS
    assert {each["persona"] for each in told["users"]} >= VIEWERS
    providers = {each["code"]: each["provider"] for each in told["providers"]}
    for each in told["users"]:
        assert providers[each["upstream"]] == each["provider"]
        assert each["login"]
        assert len(each["password"]) >= 8


def test_one_line_tells_a_script_everything_and_sigterm_leaves_nothing(tmp_path: Path) -> None:
    with demonstration(tmp_path / "state", tmp_path) as started:
        told = started.told
        assert told["pid"] == started.process.pid
        assert {source["level"] for source in told["sources"]} == LEVELS
        assert {source["protocol"] for source in told["sources"]} == TONGUES
        for source in told["sources"]:
            files = source["protocol"] == "tables" or source["code"].endswith("-bundle")
            assert Path(source["address"]).exists() if files else is_a_server(source["pid"]), source
        assert set(told["tokens"]) >= VIEWERS
        tells_how_to_sign_in(told)
        with urllib.request.urlopen(told["page"], timeout=30) as page:
            assert "融通" in page.read().decode()
        assert ask(started, "{ me { displayName } }", "teacher") != {"me": None}
        assert stat.S_IMODE(os.stat(told["config"]).st_mode) == 0o600
        assert len(started.family) > 10
        assert started.end() == 0
        assert started.rest() == b""
        assert left_by(started) == []
        assert is_quiet(started), started.said()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state", "stderr", "tmp"]


def test_ctrl_c_ends_a_second_demonstration_in_the_same_folder_as_cleanly(tmp_path: Path) -> None:
    with demonstration(tmp_path / "state", tmp_path) as first:
        first.end()
    with demonstration(tmp_path / "state", tmp_path) as second:
        assert second.told["tokens"]["teacher"] != first.told["tokens"]["teacher"]
        assert ask(second, "{ me { displayName } }", "pupil") != {"me": None}
        hung = next(source for source in second.told["sources"] if source["protocol"] == "hub_exchange")
        hang(hung["address"])
        with socket.create_connection(("127.0.0.1", int(hung["address"].rpartition(":")[2]))) as waiting:
            waiting.sendall(b"GET /anything HTTP/1.1\r\nHost: localhost\r\n\r\n")
            time.sleep(0.2)
            assert second.end(signal.SIGINT) == 0
        assert left_by(second) == []
        assert is_quiet(second), second.said()


def hang(address: str) -> None:
    """Make a twin hang: whoever asks it then waits."""
    body = orjson.dumps({"mode": "hang"})
    request = urllib.request.Request(f"{address}/_sandbox/fault", body, {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=10).close()


def test_a_killed_demonstration_takes_everything_with_it_and_its_folder_can_be_used_at_once(
    tmp_path: Path,
) -> None:
    with demonstration(tmp_path / "state", tmp_path) as killed:
        frozen = {source["protocol"]: source["pid"] for source in killed.told["sources"]}
        for tongue in ("hub_exchange", "oai_pmh"):
            os.kill(frozen[tongue], signal.SIGSTOP)
        assert killed.end(signal.SIGKILL) == -signal.SIGKILL
        with demonstration(tmp_path / "state", tmp_path) as after:
            assert eventually(lambda: alive(killed.family)) == []
            assert segments(killed.family) == []
            schools = ask(after, '{ schools(region: "371502", first: 1) { totalCount } }', "officer")
            assert schools != {"schools": None}
            assert after.end() == 0
            assert left_by(after) == []


def test_a_frozen_server_does_not_keep_a_demonstration_from_ending(tmp_path: Path) -> None:
    with demonstration(tmp_path / "state", tmp_path) as started:
        for source in started.told["sources"]:
            if source["protocol"] in ("sql", "rest"):
                os.kill(source["pid"], signal.SIGSTOP)
        assert started.end() == 0
        assert left_by(started) == []


def test_told_to_end_while_it_starts_it_ends_and_leaves_nothing(tmp_path: Path) -> None:
    with launched(tmp_path / "state", tmp_path) as process:
        while len(family := under(process.pid)) < 5:
            assert process.poll() is None, (tmp_path / "stderr").read_text("utf-8")
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert process.stdout is not None
        assert process.stdout.read() == b""
        assert eventually(lambda: [*alive(family), *naming(tmp_path / "state")]) == []
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_folder_in_use_and_a_taken_port_are_refused_and_nothing_is_left_behind(tmp_path: Path) -> None:
    with demonstration(tmp_path / "state", tmp_path) as running:
        second = rongtong("demo", "--port", "0", "--folder", "state", cwd=tmp_path)
        assert second.returncode == 1
        assert "已有演示在运行" in second.stderr
        assert "FOLDER_IN_USE" in second.stderr
        port = running.told["page"].rstrip("/").rpartition(":")[2]
        third = rongtong("demo", "--port", port, "--json", "--folder", "else/where", cwd=tmp_path)
        assert third.returncode == 1
        assert orjson.loads(third.stdout)["error"]["code"] == "PORT_TAKEN"
        assert third.stderr == ""
        assert not (tmp_path / "else").exists()
        assert ask(running, "{ me { displayName } }", "teacher") != {"me": None}


@pytest.mark.parametrize("name", ["rongtong.toml", "thesis.txt"])
def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    refused = rongtong("demo", "--port", "0", "--folder", ".", "--json", cwd=tmp_path)
    assert refused.returncode == 1
    assert orjson.loads(refused.stdout)["error"]["code"] == "FOLDER_IN_USE"
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"
