"""What the graph asks of the hub's own records: agreed to only with a line in the journal."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.mongo import Mongo
from hub.people.access_log import AccessLog
from hub.people.consents import COLLECTION, Consents
from hub.people.journal import AuditUnavailable, Journal
from hub.people.strands import entries
from hub.people.witness import PeopleWitness
from schema.graph.context import NoWitness
from schema.model.privacy import Duty
from schema.model.viewer import Viewer

GUARDIAN = Viewer("guardian", person="P9", children_keys=frozenset({"roster:p1"}))
KEYS = ["roster:p1", "m1"]


def witness(folder: Path, mongo: Mongo) -> PeopleWitness:
    return PeopleWitness(AccessLog(Journal(folder, b"k" * 32), mongo), Consents(mongo))


async def test_a_consent_and_its_end_stand_in_the_journal_once(tmp_path: Path, mongo: Mongo) -> None:
    keeper = witness(tmp_path, mongo)
    first = await keeper.consent(GUARDIAN, KEYS, "app", Duty.TEACHING, "v1")
    assert await keeper.consent(GUARDIAN, KEYS, "app", Duty.TEACHING, "v1") == first
    ended = await keeper.withdraw(GUARDIAN, KEYS, first["receipt"])
    assert ended is not None
    assert await keeper.withdraw(GUARDIAN, ["roster:p2"], first["receipt"]) is None
    assert [one["receipt"] for one in await keeper.consents(KEYS)] == [first["receipt"]]
    assert await keeper.accesses(KEYS, first=5) == []
    found = [entry.values for entry in entries(keeper.log.journal.file)]
    assert [one["event"] for one in found] == ["consent.given", "consent.withdrawn"]
    assert found[0]["person"] == "P9"
    assert found[0]["facts"] == {"receipt": first["receipt"], "client": "app", "purpose": "teaching"}
    await keeper.log.journal.aclose()


async def test_nothing_is_agreed_to_that_cannot_be_written_down(tmp_path: Path, mongo: Mongo) -> None:
    (tmp_path / "journal").write_text("a file where the folder should be")
    keeper = witness(tmp_path / "journal", mongo)
    with pytest.raises(AuditUnavailable):
        await keeper.consent(GUARDIAN, KEYS, "app", Duty.TEACHING, "v1")
    assert await mongo.collection(COLLECTION).count({}) == 0
    await keeper.log.journal.aclose()


async def test_a_database_that_is_away_is_told_as_such(tmp_path: Path) -> None:
    nowhere = Mongo.connect("mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=50", "x")
    keeper = witness(tmp_path, nowhere)
    with pytest.raises(NoWitness):
        await keeper.accesses(KEYS, first=5)
    with pytest.raises(NoWitness):
        await keeper.consents(KEYS)
    with pytest.raises(NoWitness):
        await keeper.consent(GUARDIAN, KEYS, "app", Duty.TEACHING, "v1")
    with pytest.raises(NoWitness):
        await keeper.withdraw(GUARDIAN, KEYS, "r")
    await nowhere.close()
    await keeper.log.journal.aclose()
