"""Authorization requests under way: validated once, kept while a person signs in and consents."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from auth.documents import Client, Interaction, kept_as
from auth.store import IndexSpec, Store, expiring, kept, secret

COLLECTION = "auth_interactions"
INDEXES: tuple[IndexSpec, ...] = (expiring(COLLECTION),)
LIFE = timedelta(minutes=30)


class Interactions:
    """Keeps them. `clock` gives seconds since 1970. Every method may raise `StoreDown`."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._kept = store.collection(COLLECTION)
        self._clock = clock

    async def begin(self, client: Client, params: dict[str, Any], mark: str, par: str = "") -> Interaction:
        """Keep a validated request for the browser with this mark."""
        now = datetime.fromtimestamp(self._clock(), UTC)
        interaction = Interaction(
            id=secret(), browser=kept(mark), client_id=client.id, params=params,
            created=now, expires=now + LIFE, par=par,
        )  # fmt: skip
        await self._kept.insert_one(interaction.document())
        return interaction

    async def get(self, id: str, mark: str) -> Interaction | None:
        """The interaction, if it is this browser's and still under way."""
        found = await self._kept.find_one(self._its(id, mark))
        return kept_as(Interaction, found) if found else None

    async def signed_in(self, id: str, mark: str) -> None:
        """Note that a sign-in answered this very interaction (prompt=login, max_age)."""
        now = datetime.fromtimestamp(self._clock(), UTC)
        await self._kept.update_one(self._its(id, mark), {"$set": {"signed_in": now}})

    async def consented(self, id: str, mark: str, scopes: tuple[str, ...]) -> None:
        """Note what the person agreed to; empty: refused."""
        await self._kept.update_one(self._its(id, mark), {"$set": {"consented": list(scopes)}})

    async def take(self, id: str, mark: str) -> Interaction | None:
        """End it and have it, once: of many at a time one gets it."""
        found = await self._kept.find_one_and_delete(self._its(id, mark))
        return kept_as(Interaction, found) if found else None

    def _its(self, id: str, mark: str) -> dict[str, Any]:
        now = datetime.fromtimestamp(self._clock(), UTC)
        return {"_id": {"$eq": id}, "browser": {"$eq": kept(mark)}, "expires": {"$gt": now}}
