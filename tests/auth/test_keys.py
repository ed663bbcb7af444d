"""One key, kept from strangers, whoever starts first."""

from __future__ import annotations

import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from auth.errors import KeyUnusable
from auth.keys import load_or_make


def test_the_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    first = load_or_make(folder)
    assert load_or_make(folder).kid == first.kid
    assert stat.S_IMODE((folder / "signing-key.json").stat().st_mode) == 0o600
    assert [entry.name for entry in folder.iterdir()] == ["signing-key.json"]


def test_many_that_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        kids = {key.kid for key in pool.map(lambda _: load_or_make(tmp_path), range(16))}
    assert len(kids) == 1
    assert len(list(tmp_path.iterdir())) == 1


def test_a_key_that_others_may_read_is_refused_with_the_remedy(tmp_path: Path) -> None:
    load_or_make(tmp_path)
    os.chmod(tmp_path / "signing-key.json", 0o644)
    with pytest.raises(KeyUnusable, match="chmod 600"):
        load_or_make(tmp_path)


def test_a_link_in_place_of_the_key_is_refused(tmp_path: Path) -> None:
    load_or_make(tmp_path / "elsewhere")
    (tmp_path / "signing-key.json").symlink_to(tmp_path / "elsewhere" / "signing-key.json")
    with pytest.raises(KeyUnusable):
        load_or_make(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"kty":"oct","k":"c2VjcmV0"}', b"x" * 9000])
def test_a_damaged_key_is_refused_and_not_quoted(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "signing-key.json"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeyUnusable) as refused:
        load_or_make(tmp_path)
    assert "c2VjcmV0" not in str(refused.value)


def test_a_public_key_alone_cannot_sign(tmp_path: Path) -> None:
    path = tmp_path / "signing-key.json"
    path.write_text(json.dumps(load_or_make(tmp_path / "x").key.as_dict(private=False)))
    path.chmod(0o600)
    with pytest.raises(KeyUnusable):
        load_or_make(tmp_path)
