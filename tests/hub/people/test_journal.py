"""What was written down stays written down: on a real disk, with processes killed and disks that are full."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.clock import Clock
from hub.people import journal as journals
from hub.people.journal import AuditUnavailable, Journal, mended
from hub.people.strands import alive, checked, entries, name_of, strands
from hub.people.verifying import verified

KEY = b"k" * 32
ROOT = Path(__file__).parents[3]


async def written(folder: Path, count: int = 8) -> Path:
    """A strand with so many entries; its process is gone."""
    journal = Journal(folder, KEY)
    for number in range(count):
        await journal.append("read", {"by": "teacher", "reads": [{"about": [f"county:{number}"]}]})
    await journal.aclose()
    return journal.file


def faults(folder: Path, key: bytes = KEY) -> list[str]:
    return [fault.cause for fault in verified(folder, key).faults]


async def test_what_was_acknowledged_is_on_disk_and_holds(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", KEY)
    await journal.append("read", {"by": "周丁", "share": 0.5})
    (entry,) = entries(journal.file)
    assert entry.values["by"] == "周丁"
    assert verified(tmp_path / "journal", KEY).faults == ()
    assert journal.file.stat().st_mode & 0o777 == 0o600
    assert journal.folder.stat().st_mode & 0o777 == 0o700
    await journal.aclose()


def test_a_folder_that_others_may_read_is_closed_to_them(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    asyncio.run(written(tmp_path, 1))
    assert tmp_path.stat().st_mode & 0o777 == 0o700


async def test_a_thousand_entries_at_a_time_stand_in_one_order_and_share_their_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []

    def counting(descriptor: int) -> None:
        synced.append(descriptor)
        os.fdatasync(descriptor)

    monkeypatch.setattr(journals, "_synced", counting)
    journal = Journal(tmp_path, KEY)
    await asyncio.gather(*(journal.append("read", {"place": place}) for place in range(1000)))
    await journal.aclose()
    assert [entry.values["place"] for entry in entries(journal.file)] == list(range(1000))
    assert verified(tmp_path, KEY).entries == 1000
    assert len(synced) <= 1000 / journals.MOST_AT_ONCE + 2


async def test_who_goes_away_does_not_take_the_entry_along(tmp_path: Path) -> None:
    journal = Journal(tmp_path, KEY)
    asking = asyncio.create_task(journal.append("read", {"by": "teacher"}))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await journal.aclose()
    assert verified(tmp_path, KEY).entries == 1


async def test_what_is_no_json_or_takes_the_journals_own_names_is_refused_alone(tmp_path: Path) -> None:
    journal = Journal(tmp_path, KEY)
    good = asyncio.create_task(journal.append("read", {"by": "teacher"}))
    with pytest.raises(TypeError):
        await journal.append("read", {"by": object()})
    with pytest.raises(TypeError):
        await journal.append("read", {1: "not a name"})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="names"):
        await journal.append("read", {"mac": "0"})
    with pytest.raises(AuditUnavailable):
        await journal.append("read", {"by": "x" * (1 << 20)})
    await good
    await journal.aclose()
    assert verified(tmp_path, KEY).entries == 1


WRITER = """
import asyncio, sys
from pathlib import Path
from hub.people.journal import Journal

async def main():
    journal = Journal(Path(sys.argv[1]), b"k" * 32)
    async def one(number):
        while True:
            await journal.append("read", {"number": number, "filler": "x" * 300})
            number += 1000
            print(number, flush=True)
    await asyncio.gather(*(one(number) for number in range(50)))

asyncio.run(main())
"""


def child(code: str, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", code, *words], stdout=subprocess.PIPE, text=True, cwd=ROOT)


def test_a_process_killed_while_it_writes_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    process = child(WRITER, str(tmp_path))
    assert process.stdout is not None
    told = [int(process.stdout.readline()) for _ in range(2000)]
    (file,) = strands(tmp_path)
    assert alive(file)
    process.send_signal(signal.SIGKILL)
    rest, _ = process.communicate()
    told += [int(line) for line in rest.splitlines(keepends=True) if line.endswith("\n")]
    assert not alive(file)
    kept = {entry.values["number"] for entry in entries(file)}
    assert {number - 1000 for number in told} <= kept
    assert checked(file, KEY).fault is None


async def test_half_a_line_is_found_and_the_next_process_cuts_it_off(tmp_path: Path) -> None:
    file = await written(tmp_path, 3)
    whole = file.read_bytes()
    file.write_bytes(whole + whole.splitlines()[0][:70])
    assert ["half a line" in cause for cause in faults(tmp_path)] == [True]
    await written(tmp_path, 1)
    assert file.read_bytes() == whole
    assert verified(tmp_path, KEY).faults == ()


async def test_the_half_line_of_a_living_process_is_no_fault_and_is_left_to_it(tmp_path: Path) -> None:
    journal = Journal(tmp_path, KEY)
    await journal.append("read", {"by": "teacher"})
    with journal.file.open("ab") as file:
        file.write(b'{"strand":"')
    assert verified(tmp_path, KEY).faults == ()
    before = journal.file.read_bytes()
    await asyncio.to_thread(mended, tmp_path)
    assert journal.file.read_bytes() == before
    await journal.aclose()


FULL = """
import asyncio, resource, sys
from pathlib import Path
from hub.people.journal import AuditUnavailable, Journal

async def main():
    journal = Journal(Path(sys.argv[1]), b"k" * 32)
    await journal.append("read", {"number": 0})
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
    kept, refused = 1, 0
    for number in range(1, 200):
        try:
            await journal.append("read", {"number": number, "filler": "x" * 900})
            kept += 1
        except AuditUnavailable:
            refused += 1
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await journal.append("read", {"number": 1000})
    await journal.aclose()
    print(kept + 1, refused, flush=True)

import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
asyncio.run(main())
"""


def test_a_full_disk_refuses_and_is_written_again_without_a_restart(tmp_path: Path) -> None:
    process = child(FULL, str(tmp_path))
    said, _ = process.communicate(timeout=60)
    kept, refused = map(int, said.split())
    assert (kept + refused, refused > 150) == (201, True)
    (file,) = strands(tmp_path)
    numbers = [entry.values["number"] for entry in entries(file)]
    assert numbers == [*range(kept - 1), 1000]
    assert verified(tmp_path, KEY).faults == ()


UNWRITABLE = """
import asyncio, os, sys
from pathlib import Path
from hub.people.journal import AuditUnavailable, Journal

async def main():
    os.chdir(sys.argv[1])  # what lies above may be closed to who we become
    folder = Path()
    if os.geteuid() == 0:
        os.chown(folder, 65534, 65534)
        os.setgid(65534); os.setuid(65534)
    folder.chmod(0o500)
    journal = Journal(folder / "journal", b"k" * 32)
    for _ in range(3):
        try:
            await journal.append("read", {"number": 0})
            print("kept")
        except AuditUnavailable:
            print("refused")
    folder.chmod(0o700)
    await journal.append("read", {"number": 1})
    await journal.aclose()
    print("kept")

asyncio.run(main())
"""


def test_a_folder_that_cannot_be_written_refuses_until_it_can(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    said, _ = child(UNWRITABLE, str(folder)).communicate(timeout=60)
    assert said.split() == ["refused", "refused", "refused", "kept"]
    folder.chmod(0o700)
    assert verified(folder / "journal", KEY).entries == 1


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A disk that answers only when this is set."""
    answers = threading.Event()

    def waiting(descriptor: int) -> None:
        answers.wait()
        os.fdatasync(descriptor)

    monkeypatch.setattr(journals, "_synced", waiting)
    yield answers
    answers.set()


async def test_a_disk_that_does_not_answer_keeps_nobody_waiting(
    tmp_path: Path, hanging: threading.Event
) -> None:
    journal = Journal(tmp_path, KEY)
    journal.patience = 0.05
    asked = [asyncio.create_task(journal.append("read", {"n_": n})) for n in range(5)]
    assert {type(one) for one in await asyncio.gather(*asked, return_exceptions=True)} == {AuditUnavailable}
    with pytest.raises(AuditUnavailable):
        await journal.append("read", {"by": "somebody who comes later"})
    hanging.set()
    while True:
        with contextlib.suppress(AuditUnavailable):
            await journal.append("read", {"by": "teacher"})
            break
        await asyncio.sleep(0.01)
    await journal.aclose()
    assert verified(tmp_path, KEY).faults == ()


async def test_a_deleted_strand_is_followed_by_another_and_missed(tmp_path: Path) -> None:
    journal = Journal(tmp_path, KEY)
    await journal.append("read", {"by": "teacher"})
    gone = journal.strand
    journal.file.unlink()
    with pytest.raises(AuditUnavailable):
        await journal.append("read", {"by": "teacher"})
    await journal.append("read", {"by": "teacher"})
    await journal.aclose()
    (fault,) = verified(tmp_path, KEY).faults
    assert (fault.strand, "gone" in fault.cause) == (gone, True)


@pytest.mark.parametrize("change", ["longer", "shorter"])
async def test_what_somebody_did_to_a_living_strand_is_left_for_the_check(
    tmp_path: Path, change: str
) -> None:
    journal = Journal(tmp_path, KEY)
    await journal.append("read", {"by": "teacher"})
    await journal.append("read", {"by": "teacher"})
    before = journal.strand
    content = journal.file.read_bytes()
    lines = content.splitlines(keepends=True)
    with journal.file.open("r+b") as file:
        file.truncate(0)
        file.write(lines[0] if change == "shorter" else content + lines[1])
    with pytest.raises(AuditUnavailable):
        await journal.append("read", {"by": "teacher"})
    await journal.append("read", {"by": "teacher"})
    await journal.aclose()
    assert journal.strand != before
    assert {fault.strand for fault in verified(tmp_path, KEY).faults} == {before}


class Turned(Clock):
    """The machine's clock, with the hands turned on."""

    ahead = 0.0

    def epoch(self) -> float:
        return super().epoch() + self.ahead

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.ahead)


async def test_a_strand_ends_when_it_is_large_or_a_day_old_and_the_next_one_names_it(tmp_path: Path) -> None:
    clock = Turned()
    journal = Journal(tmp_path, KEY, clock)
    journal.largest = 2_000
    for _ in range(20):
        await journal.append("read", {"by": "x" * 100})
    large = len(strands(tmp_path))
    clock.ahead = 86_400.0
    await journal.append("read", {"by": "teacher"})
    await journal.aclose()
    assert large > 2
    assert len(strands(tmp_path)) == large + 1
    assert verified(tmp_path, KEY).faults == ()
    last_but_one = strands(tmp_path)[-2]
    lines = last_but_one.read_bytes().splitlines(keepends=True)
    last_but_one.write_bytes(b"".join(lines[:-1]))
    (fault,) = verified(tmp_path, KEY).faults
    assert fault.strand == name_of(last_but_one)


async def test_two_processes_write_strands_of_their_own(tmp_path: Path) -> None:
    one, other = Journal(tmp_path, KEY), Journal(tmp_path, KEY)
    await asyncio.gather(
        *(journal.append("read", {"place": n}) for n in range(50) for journal in (one, other))
    )
    await asyncio.gather(one.aclose(), other.aclose())
    assert verified(tmp_path, KEY).strands == 2
    assert verified(tmp_path, KEY).entries == 100


async def test_another_key_finds_every_strand_wanting(tmp_path: Path) -> None:
    await written(tmp_path, 3)
    assert ["another key" in cause for cause in faults(tmp_path, b"j" * 32)] == [True]


async def test_a_link_in_place_of_a_strand_is_a_fault_and_is_not_followed(tmp_path: Path) -> None:
    file = await written(tmp_path / "journal", 3)
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    assert len(faults(tmp_path / "journal")) == 1
    file.unlink()
    os.mkfifo(file)
    assert len(faults(tmp_path / "journal")) == 1


@pytest.fixture(scope="module")
def strand(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    folder = tmp_path_factory.mktemp("strand")
    file = asyncio.run(written(folder))
    return file, file.read_bytes()


def refused(strand: tuple[Path, bytes], content: bytes) -> None:
    file, good = strand
    if content == good:
        return
    file.write_bytes(content)
    assert checked(file, KEY).fault is not None or checked(file, KEY).half
    assert verified(file.parent, KEY).faults
    file.write_bytes(good)


MANY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@MANY
@given(data=st.data())
def test_any_one_flipped_bit_is_found(strand: tuple[Path, bytes], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(strand[1]) - 1))
    bit = data.draw(st.integers(0, 7))
    changed = bytearray(strand[1])
    changed[place] ^= 1 << bit
    refused(strand, bytes(changed))


@MANY
@given(data=st.data())
def test_any_byte_put_in_or_taken_out_is_found(strand: tuple[Path, bytes], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(strand[1]) - 1))
    put = data.draw(st.binary(max_size=3))
    content = strand[1][:place] + put + strand[1][place + (0 if put else 1) :]
    refused(strand, content)


@MANY
@given(data=st.data())
def test_lines_removed_doubled_swapped_or_of_another_strand_are_found(
    strand: tuple[Path, bytes], data: st.DataObject
) -> None:
    lines = strand[1].splitlines(keepends=True)
    one = data.draw(st.integers(0, len(lines) - 2))
    other = data.draw(st.integers(0, len(lines) - 1))
    what = data.draw(st.sampled_from(["removed", "doubled", "swapped"]))
    if what == "removed":
        lines.pop(one)
    elif what == "doubled":
        lines.insert(other, lines[one])
    else:
        lines[one], lines[other] = lines[other], lines[one]
    refused(strand, b"".join(lines))


async def test_a_strand_under_another_strands_name_is_found(tmp_path: Path) -> None:
    file = await written(tmp_path)
    file.rename(file.with_name("20260101T000000-1-aaaaaaaa.jsonl"))
    assert len(faults(tmp_path)) == 1
