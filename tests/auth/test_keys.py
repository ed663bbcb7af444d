"""Keys are kept from strangers, agreed on by all processes, and change without turning anybody away."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from auth import keys
from auth.errors import KeyUnusable
from auth.keys import KeyRing, RotationRefused, SealBroken, SigningKey
from auth.principal import Principal
from auth.tokens import AccessTokens

OFFICER = Principal("https://hub.test", "officer", "PROVINCIAL", client_id="app")


class Hands:
    """A clock that the story turns."""

    def __init__(self) -> None:
        self.now = 1_900_000_000.0

    def __call__(self) -> float:
        return self.now


def states(ring: KeyRing) -> dict[str, int]:
    found: dict[str, int] = {}
    for slot in ring.slots():
        found[f"{slot.alg} {slot.state}"] = found.get(f"{slot.alg} {slot.state}", 0) + 1
    return found


def tokens(ring: KeyRing, clock: Callable[[], float] = time.time) -> AccessTokens:
    return AccessTokens(ring, issuer="https://hub.test", audience="graph", clock=clock)


def test_the_keys_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "keys"
    first = KeyRing.open(folder)
    assert KeyRing.open(folder).signing() == first.signing()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in folder.iterdir()} == {
        "ring.json": 0o600,
        "master.key": 0o600,
    }


def test_many_that_start_at_once_agree_on_keys_and_secret(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        rings = list(pool.map(lambda _: KeyRing.open(tmp_path), range(16)))
    assert len({ring.signing().kid for ring in rings}) == 1
    assert len({ring.derived("pairwise") for ring in rings}) == 1
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("name", ["ring.json", "master.key"])
def test_a_file_that_others_may_read_is_refused_with_the_remedy(tmp_path: Path, name: str) -> None:
    KeyRing.open(tmp_path)
    os.chmod(tmp_path / name, 0o644)
    with pytest.raises(KeyUnusable, match="chmod 600"):
        KeyRing.open(tmp_path)


def test_a_folder_in_which_others_may_replace_files_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(KeyUnusable, match="chmod 700"):
        KeyRing.open(folder)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", ["ring.json", "master.key"])
def test_a_link_in_place_of_a_file_is_refused(tmp_path: Path, name: str) -> None:
    KeyRing.open(tmp_path / "elsewhere")
    (tmp_path / "here").mkdir(mode=0o700)
    for each in ("ring.json", "master.key"):
        os.link(tmp_path / "elsewhere" / each, tmp_path / "here" / each)
    (tmp_path / "here" / name).unlink()
    (tmp_path / "here" / name).symlink_to(tmp_path / "elsewhere" / name)
    with pytest.raises(KeyUnusable):
        KeyRing.open(tmp_path / "here")


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"{}", b'{"keys":[]}', b'{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}', b"[" * 9000],
)
def test_a_damaged_ring_is_refused_and_not_quoted(tmp_path: Path, content: bytes) -> None:
    KeyRing.open(tmp_path)
    (tmp_path / "ring.json").write_bytes(content)
    with pytest.raises(KeyUnusable) as refused:
        KeyRing.open(tmp_path)
    assert "c2VjcmV0" not in str(refused.value)


@pytest.mark.parametrize("part", ["d", "x"])
def test_a_key_that_cannot_sign_or_is_not_the_one_named_is_refused(tmp_path: Path, part: str) -> None:
    KeyRing.open(tmp_path)
    other = KeyRing.open(tmp_path / "other").signing().key.as_dict(private=True)
    held = json.loads((tmp_path / "ring.json").read_text())
    for key in held["keys"]:
        if part == "d":
            del key["jwk"]["d"]
        else:
            key["jwk"] = other
    (tmp_path / "ring.json").write_text(json.dumps(held))
    with pytest.raises(KeyUnusable):
        KeyRing.open(tmp_path)


def test_a_master_secret_that_is_gone_is_not_made_anew_behind_the_operators_back(tmp_path: Path) -> None:
    KeyRing.open(tmp_path)
    (tmp_path / "master.key").unlink()
    with pytest.raises(KeyUnusable):
        KeyRing.open(tmp_path)
    assert not (tmp_path / "master.key").exists()


def test_the_next_key_is_published_before_it_signs_and_the_last_verifies_until_its_overlap_ends(
    tmp_path: Path,
) -> None:
    hands = Hands()
    ring = KeyRing.open(tmp_path, overlap=600, clock=hands)
    before = ring.signing().kid
    published = {key["kid"] for key in ring.public()["keys"]}
    ring.rotate()
    assert ring.signing().kid in published - {before}
    assert states(ring) == {"ES256 next": 1, "ES256 current": 1, "ES256 retired": 1}
    hands.now += 599
    assert ring.find(before) is not None
    hands.now += 10
    assert ring.find(before) is None
    assert before not in {key["kid"] for key in ring.public()["keys"]}
    ring.rotate()
    assert before not in (tmp_path / "ring.json").read_text()


def test_the_published_set_holds_no_private_part(tmp_path: Path) -> None:
    ring = KeyRing.open(tmp_path)
    ring.signing("RS256")
    ring.rotate()
    for key in ring.public()["keys"]:
        assert key.keys() <= {"kty", "crv", "x", "y", "n", "e", "kid", "alg", "use"}
        assert key["use"] == "sig"
    assert "BEGIN" not in repr(ring.signing())
    assert all("jwk" not in repr(slot) for slot in ring.slots())


def test_a_rotation_comes_too_early_while_peers_may_not_know_the_next_key(tmp_path: Path) -> None:
    hands = Hands()
    ring = KeyRing.open(tmp_path, clock=hands)
    with pytest.raises(RotationRefused, match="--now"):
        ring.rotate(published_for=600)
    hands.now += 601
    ring.rotate(published_for=600)
    with pytest.raises(RotationRefused):
        ring.rotate(published_for=600)


def test_a_ring_does_not_grow_for_ever(tmp_path: Path) -> None:
    ring = KeyRing.open(tmp_path, clock=Hands())
    for _ in range(197):
        ring.rotate()
    with pytest.raises(RotationRefused, match="overlap"):
        ring.rotate()
    assert len(ring.public()["keys"]) <= 200
    assert ring.find(ring.signing().kid) is not None


async def test_an_rsa_key_is_made_when_somebody_needs_it_once_for_all_processes(tmp_path: Path) -> None:
    rings = [KeyRing.open(tmp_path) for _ in range(4)]
    assert states(rings[0]) == {"ES256 next": 1, "ES256 current": 1}
    made = await asyncio.gather(*(ring.ensured("RS256") for ring in rings))
    assert len({key.kid for key in made}) == 1
    assert made[0].key.as_dict(private=False)["kty"] == "RSA"
    rings[0].rotate()
    assert states(rings[0])["RS256 retired"] == 1
    assert rings[1].find(rings[0].signing("RS256").kid) is not None


async def test_another_process_takes_a_rotation_up_by_itself(tmp_path: Path) -> None:
    ours, theirs = KeyRing.open(tmp_path), KeyRing.open(tmp_path)
    watching = asyncio.create_task(theirs.watch())
    theirs.rotate()
    ours.rotate()
    async with asyncio.timeout(20):
        while theirs.signing() != ours.signing():  # noqa: ASYNC110 - it is the looking that is told here
            await asyncio.sleep(0.05)
    watching.cancel()


def test_a_name_that_nobody_knows_makes_nobody_read_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = KeyRing.open(tmp_path)
    monkeypatch.setattr("auth.keys._read", lambda *_: pytest.fail("read again"))
    for number in range(1000):
        assert ring.find(f"unknown-{number}") is None


async def test_a_ring_damaged_while_serving_harms_nobody_who_has_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = KeyRing.open(tmp_path)
    token = tokens(ring).issue(OFFICER)
    reads = Counter[str]()

    def counted(path: Path, known: Mapping[str, SigningKey]) -> object:
        reads[path.name] += 1
        return reading(path, known)

    reading = keys._read
    monkeypatch.setattr(keys, "_read", counted)
    (tmp_path / "ring.json").write_bytes(b"damaged")
    for number in range(100):
        assert ring.find(f"unknown-{number}") is None
    await ring.refreshed()
    assert tokens(ring).verify(token).subject == "officer"
    assert reads["ring.json"] < 10


def test_a_sealed_value_opens_only_under_its_label_and_whole(tmp_path: Path) -> None:
    ring, same, other = KeyRing.open(tmp_path), KeyRing.open(tmp_path), KeyRing.open(tmp_path / "other")
    sealed = ring.seal("hints", "姓名".encode())
    assert same.open_sealed("hints", sealed).decode() == "姓名"
    assert sealed != ring.seal("hints", "姓名".encode())
    flipped = ("B" if sealed[5] == "A" else "A").join((sealed[:5], sealed[6:]))
    for opener, label, text in (
        (ring, "else", sealed), (other, "hints", sealed), (ring, "hints", flipped),
        (ring, "hints", sealed[:-4]), (ring, "hints", ""), (ring, "hints", "龘"), (ring, "hints", "\0" * 40),
    ):  # fmt: skip
        with pytest.raises(SealBroken):
            opener.open_sealed(label, text)


def test_derived_secrets_differ_by_purpose_and_survive_every_rotation(tmp_path: Path) -> None:
    ring = KeyRing.open(tmp_path)
    forms = ring.derived("forms")
    ring.rotate()
    assert KeyRing.open(tmp_path).derived("forms") == forms
    assert ring.derived("pairwise") != forms
    assert len(ring.derived("forms", 16)) == 16


ROTATES = """
import sys, time
from pathlib import Path
from auth.keys import KeyRing
ring = KeyRing.open(Path(sys.argv[1]), overlap=600)
for _ in range(40):
    ring.rotate()
    time.sleep(0.02)
"""
ISSUES = """
import sys
from pathlib import Path
from auth.keys import KeyRing
from auth.principal import Principal
from auth.tokens import AccessTokens
ring = KeyRing.open(Path(sys.argv[1]), overlap=600)
gate = AccessTokens(ring, issuer="https://hub.test", audience="graph")
for line in sys.stdin:
    if gate.verify(line.strip()).subject != "officer":
        sys.exit("refused")
    print(gate.issue(Principal("https://hub.test", "officer", "PROVINCIAL", client_id="app")), flush=True)
"""


def test_key_rotation_under_load_between_processes_refuses_no_valid_token(tmp_path: Path) -> None:
    gate = tokens(ring := KeyRing.open(tmp_path, overlap=600))
    start = [sys.executable, "-c"]
    rotating = subprocess.Popen([*start, ROTATES, str(tmp_path)])
    issuing = subprocess.Popen(
        [*start, ISSUES, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert issuing.stdin is not None
    assert issuing.stdout is not None
    seen: set[str] = set()
    kept: list[str] = []
    while rotating.poll() is None or len(kept) < 50:
        issuing.stdin.write(gate.issue(OFFICER) + "\n")
        issuing.stdin.flush()
        kept.append(issuing.stdout.readline().strip())
        seen.add(gate.opened(kept[-1]).kid)
        asyncio.run(ring.refreshed())
    issuing.stdin.close()
    assert issuing.wait() == 0
    issuing.stdout.close()
    assert rotating.returncode == 0
    assert len(seen) > 1, "no rotation fell into the time of the story"
    assert all(gate.verify(token).subject == "officer" for token in kept)
