"""How a value lies in the second tier: zstd over JSON, opened only when it is known to be small enough."""

from __future__ import annotations

import asyncio

import zstandard

PACKED_LIMIT = 2_000_000
OPENED_LIMIT = 64_000_000
_AT_ONCE = 64_000  # bytes; above, the work leaves the event loop (zstd lets go of the interpreter lock)


class Unpackable(ValueError):
    """Not what we packed: no zstd, without its size, or larger than we open."""


async def pack(raw: bytes) -> bytes:
    """Compress; raises `Unpackable` when the result, or what it would become, is over the limits."""
    if len(raw) > OPENED_LIMIT:
        raise Unpackable("too large to remember")
    packed = _pack(raw) if len(raw) <= _AT_ONCE else await asyncio.to_thread(_pack, raw)
    if len(packed) > PACKED_LIMIT:
        raise Unpackable("too large to remember, even packed")
    return packed


async def unpack(packed: bytes) -> bytes:
    """Decompress what `pack` made. The size is read from the frame before a byte of it is believed.

    (`max_output_size` does not bound a frame that declares its own size, RFC 8878 §3.1.1.1.4.)
    """
    try:
        size = zstandard.frame_content_size(packed)
        if len(packed) > PACKED_LIMIT or not 0 <= size <= OPENED_LIMIT:
            raise Unpackable("larger than we open, or of unknown size")
        if size <= _AT_ONCE:
            return _unpack(packed)
        return await asyncio.to_thread(_unpack, packed)
    except zstandard.ZstdError as error:
        raise Unpackable("no whole zstd frame") from error


def _pack(raw: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=3).compress(raw)


def _unpack(packed: bytes) -> bytes:
    opener = zstandard.ZstdDecompressor(max_window_size=OPENED_LIMIT)
    return opener.decompress(packed, max_output_size=OPENED_LIMIT, allow_extra_data=False)
