"""A breaker around a part of the storage: one short wait when it fails, then none until a probe does well.

The probe runs beside the requests, one at a time, so no caller pays for finding out.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from hub.mongo import StorageBusy, StorageDown, StorageError

T = TypeVar("T")
_log = logging.getLogger(__name__)


class Breaker:
    """`run` waits `patience` seconds at most; after a failure it refuses at once until `probe` succeeds.

    `part`: what it guards, in the words of the log.
    """

    def __init__(
        self,
        probe: Callable[[], Awaitable[object]],
        *,
        patience: float = 0.25,
        probe_every: float = 1.0,
        part: str = "缓存第二层 / second cache tier",
    ) -> None:
        self._part = part
        self._probe = probe
        self._patience = patience
        self._every = probe_every
        self._healing: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def open(self) -> bool:
        """True while the part is skipped."""
        return self._healing is not None

    async def run(self, work: Callable[[], Awaitable[T]], patience: float | None = None) -> T:
        """Do the work, or raise `StorageDown` (at once while open); other storage errors pass unchanged."""
        if self._healing is not None:
            raise StorageDown("skipped until it answers again")
        try:
            async with asyncio.timeout(patience or self._patience):
                return await work()
        except TimeoutError as error:
            self._trip()
            raise StorageDown("too slow") from error
        except StorageBusy:
            raise  # our own haste is no sign that the server is ill
        except StorageDown:
            self._trip()
            raise

    async def aclose(self) -> None:
        """End the probe, and begin no other."""
        self._closed = True
        healing, self._healing = self._healing, None
        if healing is not None:
            healing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await healing

    def _trip(self) -> None:
        if self._healing is None and not self._closed:
            _log.warning("%s：暂不可用，先用内存与来源 / down: memory and sources go on", self._part)
            self._healing = asyncio.get_running_loop().create_task(self._heal())

    async def _heal(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            try:
                async with asyncio.timeout(max(self._every, 1.0)):
                    await self._probe()
            except (StorageError, TimeoutError):
                continue
            _log.warning("%s：已恢复 / is back", self._part)
            self._healing = None
            return
