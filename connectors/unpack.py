"""Packed bodies, unpacked a slice at a time: whatever comes in, little comes out before someone looks.

Rule 1: no I/O and no bound of its own but the ratio; the reader counts what comes out.
Rule 2: no more than SLICE bytes are made at a time, so the loop can breathe and memory stays flat.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

SLICE = 256 * 1024  # bytes unpacked before others get their turn
SUSPICIOUS = 200  # times the packed size: deflate reaches 1,032, JSON 10 to 60
HARMLESS = 1024 * 1024  # bytes up to which the ratio does not matter
MEMBERS = 16  # gzip members of one answer, RFC 1952 §2.2


class Plain:
    """A body as it comes."""

    def parts(self, data: bytes) -> Iterator[bytes]:
        """The content of one more piece of the body, in pieces of at most SLICE or the piece itself."""
        yield data

    def complete(self) -> bool:
        """Whether the body may end here."""
        return True


class Gunzip(Plain):
    """RFC 1952; zlib.error for what is no gzip, has too many members, or unpacks beyond belief."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(wbits=31)
        self._members = 1
        self._taken = self._made = 0

    def complete(self) -> bool:
        """An empty body is none that ended early (304, 204)."""
        return self._stream.eof or self._taken == 0

    def parts(self, data: bytes) -> Iterator[bytes]:
        """See Plain."""
        while data:
            if self._stream.eof:
                self._next_member()
            yield from self._member(data)
            data = self._stream.unused_data

    def _member(self, data: bytes) -> Iterator[bytes]:
        while True:
            part = self._stream.decompress(data, SLICE)
            rest = self._stream.unconsumed_tail
            self._weigh(len(data) - len(rest) - len(self._stream.unused_data), len(part))
            yield part
            if self._stream.eof or (not rest and len(part) < SLICE):
                return
            data = rest

    def _weigh(self, taken: int, made: int) -> None:
        self._taken += taken
        self._made += made
        if self._made > HARMLESS and self._made > SUSPICIOUS * self._taken:
            raise zlib.error("unpacks beyond belief")

    def _next_member(self) -> None:
        self._members += 1
        if self._members > MEMBERS:
            raise zlib.error("too many members")
        self._stream = zlib.decompressobj(wbits=31)


def unpacker(encoding: str) -> Plain | None:
    """For a Content-Encoding (RFC 9110 §8.4); None for one that we never ask for."""
    match encoding.strip().lower():
        case "" | "identity":
            return Plain()
        case "gzip" | "x-gzip":
            return Gunzip()
    return None
