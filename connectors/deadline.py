"""How long an answer may take: one deadline a look-up, told as the seconds that are left."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from connectors.errors import TimedOut

Left = Callable[[], float]


def deadline(within: float) -> Left:
    """Seconds left of `within` from now on; `TimedOut` once there are none."""
    clock = asyncio.get_running_loop().time
    end = clock() + within

    def left() -> float:
        rest = end - clock()
        if rest <= 0:
            raise TimedOut(f"no whole answer within {within:g} s")
        return rest

    return left


@contextlib.asynccontextmanager
async def in_time(within: float, what: str = "no whole answer") -> AsyncIterator[None]:
    """The block ends within `within` seconds, or `TimedOut` says `what` did not come."""
    try:
        async with asyncio.timeout(within):
            yield
    except TimeoutError:
        raise TimedOut(f"{what} within {within:g} s") from None
