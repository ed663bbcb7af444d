"""Packed values: what we packed opens again, and nothing else does."""

from __future__ import annotations

import os

import pytest
import zstandard

from hub.cache.packing import OPENED_LIMIT, PACKED_LIMIT, Unpackable, pack, unpack


@pytest.mark.parametrize("raw", [b"", b"null", "融通".encode() * 100_000])
async def test_what_is_packed_opens_again(raw: bytes) -> None:
    assert await unpack(await pack(raw)) == raw


async def test_a_bomb_is_refused_by_its_label_and_one_without_a_label_too() -> None:
    bomb = zstandard.ZstdCompressor(level=3).compress(bytes(OPENED_LIMIT + 1))
    assert len(bomb) < PACKED_LIMIT
    nameless = zstandard.ZstdCompressor(level=3, write_content_size=False).compress(bytes(1_000))
    for hostile in (bomb, nameless):
        with pytest.raises(Unpackable):
            await unpack(hostile)


async def test_what_is_no_whole_frame_is_refused() -> None:
    packed = await pack(b'{"name": "x"}' * 10)
    for broken in (b"", b"not zstd", packed[:-3], packed + b"more", packed + packed):
        with pytest.raises(Unpackable):
            await unpack(broken)


async def test_a_lying_label_is_not_believed() -> None:
    packed = bytearray(await pack(b"a" * 200))
    assert zstandard.frame_content_size(bytes(packed)) == 200
    packed[5] = 100
    with pytest.raises(Unpackable):
        await unpack(bytes(packed))


async def test_what_stays_too_large_is_not_packed() -> None:
    with pytest.raises(Unpackable):
        await pack(os.urandom(PACKED_LIMIT + 1))
    with pytest.raises(Unpackable):
        await pack(bytes(OPENED_LIMIT + 1))
