"""The graph's `Witness`: what the hub keeps about persons, from its own database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from auth.errors import StoreDown
from hub.mongo import StorageError
from hub.people.access_log import AccessLog
from hub.people.consents import Consents, new_receipt
from hub.people.journal import AuditUnavailable
from schema.graph.context import NoWitness
from schema.model.privacy import Duty
from schema.model.viewer import Viewer


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except StorageError:
        raise NoWitness from None


@dataclass(frozen=True, slots=True)
class PeopleWitness:
    """Access log and consents together, as the graph asks for them."""

    log: AccessLog
    kept: Consents

    async def accesses(
        self, about: Sequence[str], *, first: int, before: datetime | None = None
    ) -> Sequence[Mapping[str, Any]]:
        """Who read sensitive data of theirs."""
        with _readable():
            return await self.log.accesses(about, first=first, before=before)

    async def consents(self, about: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        """What was agreed to for them."""
        with _readable():
            return await self.kept.of(about)

    async def consent(
        self, viewer: Viewer, about: Sequence[str], client: str, purpose: Duty, notice: str
    ) -> Mapping[str, Any]:
        """Agree, and have it in the journal, first: nothing is agreed to that nobody can prove."""
        with _readable():
            found = await self.kept.agreed(about, client, purpose)
        if found is not None:
            return found
        number = new_receipt()
        await self._wrote("consent.given", viewer.person, receipt=number, client=client, purpose=purpose)
        with _readable():
            receipt, _ = await self.kept.given(viewer, about, client, purpose, notice, number)
        return receipt

    async def withdraw(self, viewer: Viewer, about: Sequence[str], receipt: str) -> Mapping[str, Any] | None:
        """Agree no more, and have it in the journal."""
        with _readable():
            ended = await self.kept.withdraw(about, receipt)
        if ended is not None:
            await self._wrote("consent.withdrawn", viewer.person, receipt=receipt)
        return ended

    async def _wrote(self, event: str, person: str, **facts: str) -> None:
        try:
            await self.log.note(event, person=person, **facts)
        except StoreDown:
            raise AuditUnavailable from None
