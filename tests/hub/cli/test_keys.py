"""An operator rotates the keys; running processes and tokens that are out go on."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from auth.keys import RotationRefused
from auth.principal import Principal
from auth.tokens import AccessTokens
from hub.app import key_ring
from hub.cli.keys import rotate, show
from hub.settings import load


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "rongtong.toml"
    file.write_text('[hub]\nenvironment = "development"\n[identity]\nkey_overlap = "1h"\n', "utf-8")
    return file


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = orjson.loads(capsys.readouterr().out)
    return found


def test_the_list_tells_states_and_times_and_no_private_part(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    show(config, as_json=True)
    keys = told(capsys)["keys"]
    assert [key["state"] for key in keys] == ["next", "current"]
    assert all(key.keys() <= {"kid", "alg", "state", "made", "signs_since", "verifies_until"} for key in keys)
    show(config, as_json=False)
    assert "在用 / current" in capsys.readouterr().out


def test_a_rotation_that_peers_are_not_ready_for_is_refused_unless_it_is_to_be_now(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ring = key_ring(load(config))
    gate = AccessTokens(ring, issuer="https://hub.test", audience="graph")
    token = gate.issue(Principal("https://hub.test", "officer", "PROVINCIAL"))
    before = ring.signing().kid
    with pytest.raises(RotationRefused, match="--now"):
        rotate(config, now=False, as_json=True)
    rotate(config, now=True, as_json=True)
    keys = {key["state"]: key["kid"] for key in told(capsys)["keys"]}
    assert keys["retired"] == before
    assert ring.find(keys["next"]) is not None
    assert gate.verify(token).subject == "officer"
