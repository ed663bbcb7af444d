"""The end of a sign-on, whoever caused it: once, and whatever follows from it follows, also after a crash.

Rule 1: first the session (one atomic step), then its tokens, then the notices to its applications; a process
that dies in between leaves the session marked as owed, and `run` makes up for it.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Protocol

from auth.documents import Session
from auth.ending.notices import Notices
from auth.errors import AuthError
from auth.ports import Audit
from auth.sessions import Sessions

OWED_AFTER = 10.0
LOOK_EVERY = 20.0
FIRST_ATTEMPTS = 2.0


class Families(Protocol):
    """Ends refresh tokens (`auth.provider.families.Families`)."""

    async def revoke_session(self, session_id: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Ended:
    """A session that was ended just now, as it was (hints sealed); `told`: client_id -> whether it knows."""

    session: Session
    told: dict[str, bool]


class Endings:
    """Ends sessions. Every method may raise `StoreDown`; the session has ended all the same if it could."""

    def __init__(self, sessions: Sessions, notices: Notices, families: Families, audit: Audit) -> None:
        self._sessions, self._notices = sessions, notices
        self._families, self._audit = families, audit

    async def end(self, session_id: str) -> Session | None:
        """End it, for one caller; None for everybody else. Its applications are told by the worker."""
        session = await self._sessions.end(session_id)
        if session is not None:
            await self._follow(session)
        return session

    async def end_and_tell(self, session_id: str, within: float = FIRST_ATTEMPTS) -> Ended | None:
        """End it, and wait a moment for the first attempts to tell its applications."""
        session = await self._sessions.end(session_id)
        if session is None:
            return None
        ids = await self._follow(session)
        arrived = await self._notices.sent(ids, within)
        by_sid = {each.sid: each.client_id for each in session.clients}
        return Ended(session, {by_sid[each.rpartition(".")[2]]: done for each, done in arrived.items()})

    async def run(self) -> None:
        """The worker: sends notices, and completes endings that a dead process left. Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._notices.run())
            group.create_task(self._sweeping())

    async def sweep(self) -> int:
        """Complete what ended a while ago with nobody told; how many there were."""
        owed = await self._sessions.untold(OWED_AFTER)
        for session in owed:
            await self._follow(session)
        return len(owed)

    async def _sweeping(self) -> None:
        while True:
            with contextlib.suppress(AuthError):
                await self.sweep()
            await asyncio.sleep(LOOK_EVERY)

    async def _follow(self, session: Session) -> list[str]:
        """All that an end brings about. Repeating is safe."""
        await self._families.revoke_session(session.id)
        ids = await self._notices.put(session)
        await self._audit.note("session.ended", person=session.person, session=session.id)
        await self._sessions.told(session.id)
        return ids
