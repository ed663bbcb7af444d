"""What commands print, whoever wrote the words in it."""

from __future__ import annotations

import tomllib

import pytest

from hub.cli.demo_folder import FolderInUse
from hub.cli.join import toml
from hub.cli.listen import PortTaken, address
from hub.cli.say import refusal_of, table
from hub.settings import Server


def test_a_sources_words_neither_steer_the_terminal_nor_count_as_markup(
    capsys: pytest.CaptureFixture[str],
) -> None:
    table("来源", ("名称",), [("[red]红[/red] [/]",), ("\x1b[2J\x07清屏",)])
    shown = capsys.readouterr().out
    assert "[red]红[/red] [/]" in shown
    assert "清屏" in shown
    assert "\x1b" not in shown
    assert "\x07" not in shown


def test_known_errors_are_refusals_and_faults_of_ours_keep_their_traceback() -> None:
    assert getattr(refusal_of(PortTaken("taken")), "code", None) == "PORT_TAKEN"
    assert getattr(refusal_of(FolderInUse("used")), "code", None) == "FOLDER_IN_USE"
    unwritable = refusal_of(PermissionError(13, "Permission denied", "/nowhere"))
    assert unwritable is not None
    assert "/nowhere" in str(unwritable)
    assert refusal_of(KeyError("fault")) is None
    assert refusal_of(OSError("no file in it")) is None


def test_a_source_is_written_as_toml_whatever_is_in_it() -> None:
    options = {"a": 'q"\\\n\x7f', "b c": ["x", 1, True], "sets": {"k.e": "v"}, "n": 2.5}
    source = tomllib.loads(toml({"code": "one", "school": ""}, options))["sources"][0]
    assert source == {"code": "one", "options": options}


def test_an_ipv6_address_is_a_url_with_brackets() -> None:
    assert address(Server(host="::1"), 80) == "http://[::1]:80"
