"""Persons from the command line: taken along, taken out, decided about; against a real database."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from auth.broker import accounts as account_files
from auth.broker.accounts import Accounts
from auth.errors import AuthError
from hub.app import JOURNAL, key_ring, state_folder
from hub.cli import persons
from hub.cli.audit import JOURNALS_KEY
from hub.cli.say import Refusal, dumps
from hub.identity.store import MongoStore
from hub.mongo import Mongo
from hub.people.strands import entries, strands
from hub.people.verifying import verified
from hub.settings import load
from tests.fakes.recorded import AuditList, said


@pytest.fixture
def settings(tmp_path: Path, mongo_uri: str, database: str) -> Path:
    file = tmp_path / "rongtong.toml"
    file.write_text(
        f'[storage]\nuri = "{mongo_uri}"\ndatabase = "{database}"\n'
        '[identity]\nissuer = "https://hub.edu.example"\n',
        "utf-8",
    )
    return file


@pytest.fixture
async def accounts(mongo: Mongo) -> Accounts:
    store = MongoStore(mongo)
    await store.declare(account_files.INDEXES)
    return Accounts(store, AuditList(), time.time)


async def rongtong(settings: Path, name: str, *given: object) -> tuple[int, Any]:
    """The command, within this process: exit code, and what its JSON says."""

    def run() -> int:
        try:
            getattr(persons, name)(*given, settings, True)
        except (AuthError, Refusal) as refused:
            print(dumps({"error": {"code": refused.code}}))
            return 1
        return 0

    with contextlib.redirect_stdout(io.StringIO()) as said:
        return await asyncio.to_thread(run), json.loads(said.getvalue())


async def test_an_operator_exports_and_erases_a_person_and_the_journal_says_so(
    settings: Path, accounts: Accounts
) -> None:
    person = await accounts.person_for(said("1", identifiers={"match": "n1"}))
    code, told = await rongtong(settings, "export", person)
    assert (code, told["person"], len(told["accounts"])) == (0, person, 1)
    code, told = await rongtong(settings, "erase", person, False)
    assert (code, told["error"]["code"]) == (1, "NOT_SURE")
    code, told = await rongtong(settings, "erase", person, True)
    assert (code, told["before"], told["gone"]["accounts"]) == (0, False, 1)
    code, told = await rongtong(settings, "erase", person, True)
    assert (code, told["before"]) == (0, True)
    assert await accounts.of_person(person) == []
    folder = state_folder(load(settings)) / JOURNAL
    events = [entry.values["event"] for file in strands(folder) for entry in entries(file)]
    assert events == ["person.erased"]
    assert verified(folder, key_ring(load(settings)).derived(JOURNALS_KEY)).faults == ()


@pytest.mark.parametrize("words", [("export", "nobody"), ("erase", "nobody", True)])
async def test_a_number_that_nobody_has_is_refused(settings: Path, words: tuple[Any, ...]) -> None:
    code, told = await rongtong(settings, *words)
    assert (code, told["error"]["code"]) == (1, "NO_SUCH_PERSON")


async def test_an_operator_decides_about_those_who_may_be_one(settings: Path, accounts: Accounts) -> None:
    one = await accounts.person_for(said("1", identifiers={"match": "n1"}))
    other = await accounts.person_for(said("2", identifiers={"roster:county": "t2"}))
    third = await accounts.person_for(said("3", identifiers={"match": "n1", "roster:county": "t2"}))
    code, told = await rongtong(settings, "candidates")
    assert code == 0
    assert {each["one"] for each in told} | {each["other"] for each in told} == {one, other, third}
    assert all("县****" in name for each in told for name in each["names"])
    code, decided = await rongtong(settings, "confirm", told[0]["id"])
    assert (code, decided["state"]) == (0, "CONFIRMED")
    code, decided = await rongtong(settings, "reject", told[1]["id"])
    assert (code, decided["state"]) == (0, "REJECTED")
    assert await rongtong(settings, "candidates") == (0, [])
    numbers = {await accounts.current(person) for person in (one, other, third)}
    assert len(numbers) == 2
    code, refused = await rongtong(settings, "confirm", told[1]["id"])
    assert (code, refused["error"]["code"]) == (1, "NO_CANDIDATE")


async def test_without_rosters_there_is_nothing_to_index(settings: Path) -> None:
    assert await rongtong(settings, "index") == (0, {"records": 0, "rosters": []})


def test_the_words_of_the_command_line_lead_to_them(settings: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hub.cli.main", "people", "erase", "nobody", "--yes", "--json", "-c",
         str(settings)],
        capture_output=True, text=True, check=False, timeout=60, env={**os.environ, "NO_COLOR": "1"},
        cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (1, "NO_SUCH_PERSON")
