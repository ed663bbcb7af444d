"""Accounts of the hub's own from the command line, against a real database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

GOOD = "liao-cheng 7 bridges"


@pytest.fixture
def settings(tmp_path: Path, mongo_uri: str, database: str) -> Path:
    file = tmp_path / "rongtong.toml"
    file.write_text(
        f'[storage]\nuri = "{mongo_uri}"\ndatabase = "{database}"\n'
        '[identity]\nissuer = "https://hub.edu.example"\n',
        "utf-8",
    )
    return file


def rongtong(settings: Path, *words: str, typed: str = "") -> tuple[int, str, str]:
    """The command as an operator's script runs it: exit code, output, complaints."""
    done = subprocess.run(
        [sys.executable, "-m", "hub.cli.main", "people", *words, "-c", str(settings)],
        input=typed, capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, "NO_COLOR": "1"}, cwd=Path(__file__).parents[3],
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_an_operator_adds_an_administrator_and_never_sees_the_password_again(settings: Path) -> None:
    code, said, complaint = rongtong(
        settings, "add", "City.Admin", "--name", "市级管理员", "--role", "admin", "--json", typed=f"{GOOD}\n"
    )
    assert (code, complaint) == (0, "")
    made = json.loads(said)
    assert (made["login"], made["roles"]) == ("city.admin", "ADMIN@371500")
    code, listed, _ = rongtong(settings, "list", "--json")
    assert code == 0
    assert [each["login"] for each in json.loads(listed)] == ["city.admin"]
    assert GOOD not in said + listed
    assert "argon2" not in said + listed
    code, said, _ = rongtong(settings, "add", "city.admin", "--name", "乙", "--role", "ADMIN", "--json",
                             typed=f"{GOOD}\n")  # fmt: skip
    assert (code, json.loads(said)["error"]["code"]) == (1, "TAKEN")


@pytest.mark.parametrize(
    ("words", "typed", "code"),
    [
        (("add", "city.admin", "--name", "甲", "--role", "ADMIN"), "password1\n", "WEAK_PASSWORD"),
        (("add", "city.admin", "--name", "甲", "--role", "KING"), f"{GOOD}\n", "UNKNOWN_ROLE"),
        (("add", "no blanks", "--name", "甲", "--role", "ADMIN"), f"{GOOD}\n", "BAD_LOGIN"),
        (("password", "nobody"), f"{GOOD}\n", "NO_ACCOUNT"),
        (("close", "nobody"), "", "NO_ACCOUNT"),
    ],
)
def test_what_cannot_be_is_one_line_and_exit_code_one(
    settings: Path, words: tuple[str, ...], typed: str, code: str
) -> None:
    status, _, complaint = rongtong(settings, *words, typed=typed)
    assert status == 1
    assert complaint.count("\n") == 1
    assert f"[{code}]" in complaint


def test_an_account_is_closed_and_opened_again(settings: Path) -> None:
    rongtong(settings, "add", "city.admin", "--name", "甲", "--role", "ADMIN", typed=f"{GOOD}\n")
    assert rongtong(settings, "close", "city.admin")[0] == 0
    assert "已停用" in rongtong(settings, "list")[1]
    assert rongtong(settings, "reopen", "city.admin")[0] == 0
    assert rongtong(settings, "password", "city.admin", typed="another 9 good words\n")[0] == 0
    assert "可用" in rongtong(settings, "list")[1]
