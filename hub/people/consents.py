"""Consents to third parties: who may see whom for what, with a receipt, until it is withdrawn.

One agreement (person's keys, application, purpose) has one open receipt; agreeing again gives the same.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hub.clock import Clock
from hub.mongo import ASCENDING, Index, Mongo, StorageConflict, StorageDown
from schema.model.privacy import Duty
from schema.model.viewer import Viewer

COLLECTION = "people_consents"
INDEXES = [
    Index([("about", ASCENDING)]),
    Index([("client", ASCENDING), ("withdrawn_at", ASCENDING)]),
    Index([("agreement", ASCENDING)], unique=True, partialFilterExpression={"withdrawn_at": None}),
]
MOST, TRIES = 500, 20
MOST_OF_A_CLIENT = 20_000
REMEMBERED = 10.0
"""Seconds within which a withdrawal reaches every process."""


@dataclass(slots=True)
class Consents:
    """Keeps them. Raises `StorageError` when the database is away: then nobody new is consented to."""

    mongo: Mongo
    clock: Clock = field(default_factory=Clock)
    _declared: bool = False
    _known: dict[tuple[str, frozenset[Duty]], tuple[float, frozenset[tuple[str, Duty]]]] = field(
        default_factory=dict
    )

    async def give(
        self, viewer: Viewer, about: Sequence[str], client: str, purpose: Duty, notice: str
    ) -> dict[str, Any]:
        """The receipt of this agreement, made or found."""
        return (await self.given(viewer, about, client, purpose, notice, new_receipt()))[0]

    async def given(
        self, viewer: Viewer, about: Sequence[str], client: str, purpose: Duty, notice: str, receipt: str
    ) -> tuple[dict[str, Any], bool]:
        """The same, under this number if it is made; and whether it was."""
        await self._declare()
        document = {
            "_id": receipt,
            "agreement": _mark(about, client, purpose),
            "about": list(about),
            "client": client,
            "purpose": purpose.value,
            "notice_version": notice[:100],
            "by": viewer.person or viewer.subject,
            "by_guardian": bool(viewer.children_keys & set(about)),
            "granted_at": self.clock.now(),
            "withdrawn_at": None,
        }
        collection = self.mongo.collection(COLLECTION)
        for _ in range(TRIES):
            try:
                await collection.insert_one(document)
            except StorageConflict:
                if found := await self._open(about, client, purpose):
                    return _shown(found), False
            else:
                self._known.clear()
                return _shown(document), True
        raise StorageDown("agreed to and withdrawn too often at a time")

    async def agreed(self, about: Sequence[str], client: str, purpose: Duty) -> dict[str, Any] | None:
        """The open receipt of this agreement, if there is one."""
        found = await self._open(about, client, purpose)
        return _shown(found) if found else None

    async def _open(self, about: Sequence[str], client: str, purpose: Duty) -> dict[str, Any] | None:
        same = {"agreement": {"$eq": _mark(about, client, purpose)}, "withdrawn_at": None}
        return await self.mongo.collection(COLLECTION).find_one(same)

    async def withdraw(self, about: Sequence[str], receipt: str) -> dict[str, Any] | None:
        """The receipt, ended; None for one that is not of these keys. Withdrawing twice changes nothing."""
        collection = self.mongo.collection(COLLECTION)
        theirs = {"_id": {"$eq": receipt}, "about": {"$in": list(about)}}
        await collection.update_one(
            {**theirs, "withdrawn_at": None}, {"$set": {"withdrawn_at": self.clock.now()}}
        )
        self._known.clear()
        found = await collection.find_one(theirs)
        return _shown(found) if found else None

    async def of(self, about: Sequence[str]) -> list[Mapping[str, Any]]:
        """Every receipt of the person with these keys, newest first."""
        collection = self.mongo.collection(COLLECTION)
        found = await collection.find({"about": {"$in": list(about)}}, limit=MOST, order=[("granted_at", -1)])
        return [_shown(one) for one in found]

    async def consented(self, client: str, purposes: frozenset[Duty]) -> frozenset[tuple[str, Duty]]:
        """Keys of the persons that an application may see now, each with that of these purposes for which."""
        now = self.clock.monotonic()
        known = self._known.get((client, purposes))
        if known is not None and known[0] > now:
            return known[1]
        where = {
            "client": {"$eq": client},
            "withdrawn_at": None,
            "purpose": {"$in": sorted(purpose.value for purpose in purposes)},
        }
        collection = self.mongo.collection(COLLECTION)
        found = await collection.find(where, limit=MOST_OF_A_CLIENT, fields={"about": 1, "purpose": 1})
        keys = frozenset((key, Duty(one["purpose"])) for one in found for key in one["about"])
        if len(self._known) > MOST:
            self._known.clear()
        self._known[client, purposes] = (now + REMEMBERED, keys)
        return keys

    async def _declare(self) -> None:
        if not self._declared:
            await self.mongo.collection(COLLECTION).create_indexes(INDEXES)
            self._declared = True


def new_receipt() -> str:
    """A number that no receipt has."""
    return secrets.token_urlsafe(16)


def _mark(about: Sequence[str], client: str, purpose: Duty) -> str:
    return hashlib.sha256("\0".join((about[0], client, purpose)).encode()).hexdigest()


def _shown(document: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "receipt": document["_id"],
        "client": document["client"],
        "purpose": Duty(document["purpose"]),
        "notice_version": document["notice_version"],
        "by_guardian": document["by_guardian"],
        "granted_at": _told(document["granted_at"]),
        "withdrawn_at": _told(document["withdrawn_at"]),
    }


def _told(at: datetime | None) -> str | None:
    return at.isoformat(timespec="seconds") if at else None
