"""Walk an endpoint's pages: a window of its list, or all of it up to our bound.

Rule: what the source's own total promises must come, else `Malformed`: nothing is silently shortened.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from connectors.deadline import Left
from connectors.errors import Malformed
from connectors.rest.asking import Asker, Params, Sheet
from connectors.rest.endpoints import Endpoint
from connectors.rest.windows import cover
from connectors.together import together

MOST = 5_000  # rows of one look-up without a page
STEPS = 500  # pages of one walk by cursor or link


def _numbered(endpoint: Endpoint, params: Params, size: int, page: int) -> Params:
    at = endpoint.first + page if endpoint.paging == "page" else page * size
    return {**params, endpoint.page: at, endpoint.size: size}


async def page_of(
    asker: Asker, endpoint: Endpoint, params: Params, size: int, page: int, left: Left
) -> Sheet:
    """Page number `page` from 0; `Malformed` if it is shorter than its total promises."""
    sheet = await asker.sheet(endpoint, _numbered(endpoint, params, size, page), left)
    if sheet.total is not None and len(sheet.rows) < min(size, sheet.total - page * size):
        raise Malformed("a page is shorter than its total promises: lower `largest` in the mapping")
    return sheet if len(sheet.rows) <= size else Sheet(sheet.rows[:size], sheet.total, sheet.next, True)


async def window(
    asker: Asker, endpoint: Endpoint, params: Params, offset: int, limit: int, left: Left
) -> tuple[list[Any], int]:
    """Rows `offset` to `offset + limit` and the total; for endpoints that tell totals."""
    size, pages = cover(offset, limit, endpoint.largest)
    sheets = await together(partial(page_of, asker, endpoint, params, size, page, left) for page in pages)
    rows = [row for sheet in sheets for row in sheet.rows]
    start = offset - pages[0] * size
    return rows[start : start + limit], max(sheet.total or 0 for sheet in sheets)


async def whole(
    asker: Asker, endpoint: Endpoint, params: Params, left: Left
) -> tuple[list[Any], int | None, bool]:
    """(rows, total if told, whether there is more beyond MOST)."""
    if endpoint.windows:
        return await _counted(asker, endpoint, params, left)
    rows: list[Any] = []
    async for sheet, _ in steps(asker, endpoint, params, "", left):
        rows += sheet.rows
        if len(rows) > MOST:
            return rows[:MOST], sheet.total, True
    return rows, None, False


async def _counted(
    asker: Asker, endpoint: Endpoint, params: Params, left: Left
) -> tuple[list[Any], int | None, bool]:
    size = endpoint.largest
    first = await page_of(asker, endpoint, params, size, 0, left)
    total = first.total or 0
    last = (min(total, MOST) - 1) // size
    rest = await together(
        partial(page_of, asker, endpoint, params, size, n, left) for n in range(1, last + 1)
    )
    rows = [row for sheet in (first, *rest) for row in sheet.rows]
    return rows[:MOST], total, total > MOST


async def steps(
    asker: Asker, endpoint: Endpoint, params: Params, start: str, left: Left
) -> AsyncIterator[tuple[Sheet, str]]:
    """Pages one after the other from the mark `start`, each with the mark of the next ("" ends)."""
    mark, seen = start, {start}
    for _ in range(STEPS):
        sheet, mark = await step(asker, endpoint, params, mark, left)
        yield sheet, mark
        if not mark:
            return
        if mark in seen:
            raise Malformed("its pages go round in a circle")
        seen.add(mark)
    raise Malformed(f"more than {STEPS} pages")


async def step(asker: Asker, endpoint: Endpoint, params: Params, mark: str, left: Left) -> tuple[Sheet, str]:
    """The page at `mark` and the mark of the one after it, "" at the end."""
    match endpoint.paging:
        case "none":
            return await asker.sheet(endpoint, params, left), ""
        case "link":
            sheet = await asker.sheet(endpoint, {**params, endpoint.size: endpoint.largest}, left, mark)
            return sheet, sheet.next or ""
        case "cursor":
            sized = {**params, endpoint.size: endpoint.largest}
            sheet = await asker.sheet(endpoint, {**sized, endpoint.page: mark} if mark else sized, left)
            return sheet, sheet.next or ""
    number = int(mark or "0")
    sheet = await page_of(asker, endpoint, params, endpoint.largest, number, left)
    seen = (number + 1) * endpoint.largest
    more = sheet.total > seen if sheet.total is not None else bool(sheet.more)
    return sheet, str(number + 1) if more and sheet.rows else ""
