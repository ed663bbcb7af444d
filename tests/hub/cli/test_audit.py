"""The journal from the command line: checked offline and against a real database, and read."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hub.app import JOURNAL, key_ring, state_folder
from hub.cli import audit
from hub.cli.audit import JOURNALS_KEY
from hub.mongo import Mongo
from hub.people.access_log import AccessLog
from hub.people.journal import Journal
from hub.people.shipping import Shipping
from hub.people.strands import strands
from hub.settings import load
from schema.graph.context import Read
from schema.model.codes import PersonRole
from schema.model.viewer import Standing, Viewer
from schema.model.words import Kind

TEACHER = Viewer("teacher", (Standing(PersonRole.TEACHER),), person="P1", client="gradebook")


def rongtong(settings: Path, *words: str) -> tuple[int, str, str]:
    """The command as an operator's script runs it: exit code, output, complaints."""
    done = subprocess.run(
        [sys.executable, "-m", "hub.cli.main", "audit", *words, "-c", str(settings)],
        capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, "NO_COLOR": "1"}, cwd=Path(__file__).parents[3],
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


async def ran(command: Callable[..., None], *words: object) -> tuple[int, str]:
    """The same within this process, which is quicker: exit code, output."""

    def run() -> int:
        try:
            command(*words)
        except SystemExit as end:
            return int(str(end.code))
        return 0

    with contextlib.redirect_stdout(io.StringIO()) as said:
        return await asyncio.to_thread(run), said.getvalue()


def settings_in(folder: Path, uri: str, database: str) -> Path:
    file = folder / "rongtong.toml"
    file.write_text(f'[storage]\nuri = "{uri}"\ndatabase = "{database}"\n', "utf-8")
    return file


async def lived(settings: Path, mongo: Mongo | None) -> Path:
    """A hub that a teacher read with, and wrote it down: its journal's folder."""
    loaded = load(settings)
    folder = state_folder(loaded) / JOURNAL
    journal = Journal(folder, key_ring(loaded).derived(JOURNALS_KEY))
    log = AccessLog(journal, mongo)
    for number in range(3):
        await log.wrote(TEACHER, [Read((f"county:{number}",), Kind.PERSON, ("birth_date",))], "r")
    await log.note("account.linked", person="P1", account="a")
    await log.note("account.linked", person="P2", account="b")
    await journal.aclose()
    if mongo is not None:
        await Shipping(journal, mongo).ship()
    return folder


@pytest.fixture
def settings(tmp_path: Path, mongo_uri: str, database: str) -> Path:
    return settings_in(tmp_path, mongo_uri, database)


@pytest.fixture
def alone(tmp_path: Path) -> Path:
    """Settings of a hub whose database is away."""
    return settings_in(tmp_path, "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=50", "x")


async def verify(settings: Path) -> tuple[int, dict[str, Any]]:
    code, said = await ran(audit.verify, settings, True)
    return code, json.loads(said)


async def test_a_journal_that_holds_is_said_to_hold(settings: Path, mongo: Mongo) -> None:
    await lived(settings, mongo)
    code, told = await verify(settings)
    assert (code, told) == (0, {"strands": 1, "entries": 5, "compared": True, "faults": []})
    code, text, complaint = await asyncio.to_thread(rongtong, settings, "verify")
    assert (code, "✓" in text, complaint) == (0, True, "")


async def test_one_changed_letter_is_told_with_its_place_and_exit_code_one(alone: Path) -> None:
    folder = await lived(alone, None)
    (file,) = strands(folder)
    file.write_bytes(file.read_bytes().replace(b"county:1", b"county:7"))
    code, told = await verify(alone)
    assert (code, told["compared"]) == (1, False)
    assert [(fault["strand"], fault["line"]) for fault in told["faults"]] == [(file.stem, 2)]
    code, said = await ran(audit.verify, alone, False)
    assert (code, f"✗ {file.stem}:2" in said) == (1, True)


async def test_a_cut_off_end_is_found_where_a_database_answers(settings: Path, mongo: Mongo) -> None:
    (file,) = strands(await lived(settings, mongo))
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-1]))
    code, told = await verify(settings)
    assert (code, [fault["line"] for fault in told["faults"]]) == (1, [5])


async def test_a_hub_that_never_wrote_has_nothing_to_find(alone: Path) -> None:
    assert await verify(alone) == (0, {"strands": 0, "entries": 0, "compared": False, "faults": []})


@pytest.mark.parametrize("database_answers", [True, False])
async def test_the_log_is_read_by_record_and_by_person_with_a_database_and_without(
    database_answers: bool, settings: Path, mongo: Mongo
) -> None:
    await lived(settings, mongo)
    if not database_answers:
        settings_in(settings.parent, "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=50", "x")

    async def shown(about: str = "", person: str = "", limit: int = 100) -> list[dict[str, Any]]:
        code, said = await ran(audit.show, settings, about, person, limit, True)
        assert code == 0
        found: list[dict[str, Any]] = json.loads(said)
        return found

    (entry,) = await shown(about="county:1")
    assert (entry["by"], entry["client"], entry["reads"][0]["fields"]) == ("P1", "gradebook", ["birth_date"])
    events = [entry["event"] for entry in await shown(person="P1")]
    assert sorted(events) == ["account.linked", "read", "read", "read"]
    assert len(await shown(person="P1", limit=2)) == 2
    assert await shown(person="nobody") == []
    code, said = await ran(audit.show, settings, "county:1", "", 100, False)
    assert (code, "Person.birth_date" in said) == (0, True)


def test_nobody_and_everybody_cannot_be_asked_for(alone: Path) -> None:
    for words in ((), ("--about", "a", "--person", "b")):
        code, _, complaint = rongtong(alone, "show", *words)
        assert (code, "[ASK_FOR_ONE]" in complaint) == (1, True)
