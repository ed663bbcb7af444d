"""Who looked at whom: written before the answer leaves, told to those it is about, and of others nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from auth.errors import StoreDown
from hub.mongo import Mongo, StorageError
from hub.people.access_log import MOST, PIECE, TOGETHER, AccessLog
from hub.people.journal import AuditUnavailable, Journal
from hub.people.shipping import Shipping
from hub.people.strands import LONGEST, entries, strands
from schema.graph.context import Read
from schema.model.codes import PersonRole
from schema.model.privacy import Duty
from schema.model.viewer import Standing, Viewer
from schema.model.words import Kind

KEY = b"k" * 32
TEACHER = Viewer(
    "teacher", (Standing(PersonRole.TEACHER, "371502", "3137000001"),), client="app", person="P1",
    purposes=frozenset({Duty.TEACHING}),
)  # fmt: skip
PUPIL = Read(("roster:p1", "m1"), Kind.PERSON, ("birth_date", "display_name"))
CLASSMATE = Read(("roster:p2", "m2"), Kind.PERSON, ("display_name",))


async def shipped(log: AccessLog) -> None:
    assert log.mongo is not None
    await Shipping(log.journal, log.mongo).ship()


async def test_a_pupil_sees_who_read_what_of_her_and_nothing_of_the_classmate(
    tmp_path: Path, mongo: Mongo
) -> None:
    log = AccessLog(Journal(tmp_path, KEY), mongo)
    await log.wrote(TEACHER, [PUPIL, CLASSMATE], "request-1")
    await shipped(log)
    (told,) = await log.accesses(["roster:p1", "m1"], first=20)
    assert told["fields"] == ["Person.birth_date", "Person.display_name"]
    assert (told["roles"], told["school_code"], told["client"]) == (["TEACHER"], "3137000001", "app")
    assert told["purposes"] == ["teaching"]
    assert datetime.fromisoformat(told["at"]).tzinfo is not None
    assert "P1" not in str(told)
    assert "teacher" not in str(told)
    assert [one["fields"] for one in await log.accesses(["m2"], first=20)] == [["Person.display_name"]]
    assert await log.accesses(["m3"], first=20) == []
    assert await log.accesses([], first=20) == []
    await log.journal.aclose()


async def test_the_newest_come_first_and_a_page_goes_on_before_a_moment(tmp_path: Path, mongo: Mongo) -> None:
    log = AccessLog(Journal(tmp_path, KEY), mongo)
    for number in range(5):
        await log.wrote(TEACHER, [Read(("m1",), Kind.PERSON, (f"field_{number}",))], "r")
    await shipped(log)
    everything = await log.accesses(["m1"], first=MOST + 1)
    moments = [one["at"] for one in everything]
    assert moments == sorted(moments, reverse=True)
    assert len(await log.accesses(["m1"], first=2)) == 2
    before = datetime.fromisoformat(moments[1])
    assert {one["at"] for one in await log.accesses(["m1"], first=9, before=before)} == {
        moment for moment in moments if moment < moments[1]
    }
    await log.journal.aclose()


async def test_nothing_read_writes_nothing(tmp_path: Path) -> None:
    log = AccessLog(Journal(tmp_path, KEY), None)
    await log.wrote(TEACHER, [], "r")
    assert strands(tmp_path) == []
    assert await log.accesses(["m1"], first=1) == []


async def test_an_answer_about_a_whole_city_is_written_in_lines_that_can_be_read_back(tmp_path: Path) -> None:
    log = AccessLog(Journal(tmp_path, KEY), None)
    count = TOGETHER * PIECE + 1
    reads = [Read((f"roster:{n:060}", f"m{n:020}"), Kind.PERSON, ("display_name",)) for n in range(count)]
    reads += [Read((f"roster:{n}",), Kind.PERSON, (f"field_{n}",)) for n in range(100)]
    await log.wrote(TEACHER, reads, "r")
    found = list(entries(log.journal.file))
    told = {key for entry in found for read in entry.values["reads"] for key in read["about"]}
    assert told == {key for read in reads for key in read.about}
    assert len(found) > 2
    assert max(len(entry.told) for entry in found) < LONGEST // 2
    await log.journal.aclose()


async def test_without_a_journal_nothing_is_told_and_nothing_done(tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("a file where the folder should be")
    log = AccessLog(Journal(tmp_path / "journal", KEY), None)
    with pytest.raises(AuditUnavailable):
        await log.wrote(TEACHER, [PUPIL], "r")
    with pytest.raises(StoreDown):
        await log.note("account.linked", person="P1", account="a")
    (tmp_path / "journal").unlink()
    await log.note("account.linked", person="P1", account="a")
    (entry,) = entries(log.journal.file)
    assert (entry.values["event"], entry.values["person"]) == ("account.linked", "P1")
    assert entry.values["facts"] == {"account": "a"}
    await log.journal.aclose()


async def test_without_a_database_it_is_an_error_and_never_an_empty_list(tmp_path: Path) -> None:
    nowhere = Mongo.connect("mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=50", "x")
    log = AccessLog(Journal(tmp_path, KEY), nowhere)
    await log.wrote(TEACHER, [PUPIL], "r")
    with pytest.raises(StorageError):
        await log.accesses(["m1"], first=1)
    await nowhere.close()
    await log.journal.aclose()
    assert datetime.now(UTC) >= datetime.fromisoformat(next(entries(log.journal.file)).values["at"])
