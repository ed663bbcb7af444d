"""All sign-ons and grants of a person ended at once: before persons become one, and before one is erased."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from auth.documents import Session

_ROUNDS = 50


class Sessions(Protocol):
    """Sign-ons (`auth.sessions.Sessions`)."""

    async def of_person(self, person: str) -> list[Session]: ...


class Ends(Protocol):
    """Ends a sign-on with all that follows (`auth.ending.endings.Endings`)."""

    async def end(self, session_id: str) -> Session | None: ...


class Families(Protocol):
    """Ends refresh tokens (`auth.provider.families.Families`)."""

    async def revoke_person(self, person: str) -> None: ...


@dataclass(frozen=True, slots=True)
class SignOns:
    """Ends them. Raises `StoreDown`; may be called again."""

    sessions: Sessions
    ends: Ends
    families: Families

    async def end(self, numbers: Sequence[str]) -> int:
        """End every sign-on of these person numbers, their applications being told, and every grant; how
        many sign-ons it was."""
        count = 0
        for person in numbers:
            for _ in range(_ROUNDS):
                alive = await self.sessions.of_person(person)
                for session in alive:
                    count += await self.ends.end(session.id) is not None
                if not alive:
                    break
            await self.families.revoke_person(person)
        return count
