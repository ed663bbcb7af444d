"""No two applications can tell that they know the same person, and none forgets whom it knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from auth.documents import Client
from auth.keys import KeyRing
from auth.provider.subjects import subject_for
from auth.sectors import sector_of


def client(id: str, *uris: str) -> Client:
    return Client(id=id, name=id, redirect_uris=uris, sector=sector_of(id, uris))


def test_two_applications_know_one_pupil_by_two_names_for_ever(tmp_path: Path) -> None:
    ring = KeyRing.open(tmp_path)
    gradebook, archive = client("g", "https://gradebook.test/cb"), client("a", "https://archive.test/cb")
    names = [subject_for(ring, each, "P-pupil") for each in (gradebook, archive)]
    assert len({*names, subject_for(ring, gradebook, "P-teacher")}) == 3
    assert "P-pupil" not in "".join(names)
    ring.rotate()
    again = KeyRing.open(tmp_path)
    assert [subject_for(again, each, "P-pupil") for each in (gradebook, archive)] == names


def test_applications_of_one_host_share_a_sector_and_its_subjects(tmp_path: Path) -> None:
    ring = KeyRing.open(tmp_path)
    web, phone = (
        client("web", "https://school.test/cb"),
        client("phone", "https://school.test/m", "https://school.test/n"),
    )
    assert subject_for(ring, web, "P") == subject_for(ring, phone, "P")


@pytest.mark.parametrize(
    "uris",
    [(), ("http://127.0.0.1/cb",), ("http://[::1]:8000/cb",), ("http://localhost/cb",),
     ("https://a.test/cb", "https://b.test/cb")],
)  # fmt: skip
def test_hosts_that_name_nobody_join_nobody(tmp_path: Path, uris: tuple[str, ...]) -> None:
    ring = KeyRing.open(tmp_path)
    assert subject_for(ring, client("one", *uris), "P") != subject_for(ring, client("two", *uris), "P")


def test_a_client_that_calls_itself_like_a_host_or_a_host_like_a_client_gains_nothing(tmp_path: Path) -> None:
    ring = KeyRing.open(tmp_path)
    named, hosted = client("school.test"), client("x", "https://school.test/cb")
    assert subject_for(ring, named, "P") != subject_for(ring, hosted, "P")
