"""Which pages of a source cover a window of ours; pure.

Rule 1: this file does no I/O. It cannot be async.
"""

from __future__ import annotations


def cover(offset: int, limit: int, largest: int) -> tuple[int, range]:
    """(page size, page numbers from 0) that hold rows `offset` to `offset + limit`, fewest pages first."""
    if limit <= largest:
        for size in range(limit, min(largest, 4 * limit) + 1):
            if offset // size == (offset + limit - 1) // size:
                return size, range(offset // size, offset // size + 1)
    size = min(limit, largest)
    return size, range(offset // size, (offset + limit - 1) // size + 1)
