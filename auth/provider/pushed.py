"""Pushed authorization requests at rest: for 90 seconds, for one client, for one browser, for one answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from auth.provider.interactions import LIFE as INTERACTION_LIFE
from auth.store import IndexSpec, Store, expiring, kept, secret

COLLECTION = "auth_pushed"
INDEXES: tuple[IndexSpec, ...] = (expiring(COLLECTION),)
LIFE = timedelta(seconds=90)
URN = "urn:ietf:params:oauth:request_uri:"


class Pushed:
    """Keeps them. `clock` gives seconds since 1970. Every method may raise `StoreDown`."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._kept = store.collection(COLLECTION)
        self._clock = clock

    async def keep(self, client_id: str, values: dict[str, str]) -> str:
        """Keep validated parameters; their `request_uri`."""
        name, now = secret(), self._now()
        await self._kept.insert_one(
            {
                "_id": kept(name), "client_id": client_id, "values": values, "browser": "",
                "until": now + LIFE, "expires": now + LIFE + INTERACTION_LIFE,
            }
        )  # fmt: skip
        return f"{URN}{name}"

    async def arrive(self, uri: str, client_id: str, mark: str) -> tuple[str, dict[str, Any]] | None:
        """The request's id and parameters, for the first browser that comes with it in time. That browser may
        come again (a reload, RFC 9126 §4); nobody else may, and nobody once it has been answered."""
        where = {
            "_id": {"$eq": kept(uri.removeprefix(URN))}, "client_id": {"$eq": client_id},
            "until": {"$gt": self._now()}, "browser": {"$in": ["", kept(mark)]},
        }  # fmt: skip
        found = await self._kept.find_one_and_update(where, {"$set": {"browser": kept(mark)}})
        return (found["_id"], found["values"]) if found else None

    async def answered(self, id: str) -> bool:
        """End it; whether it was still there: of many at a time one gets True."""
        return await self._kept.find_one_and_delete({"_id": {"$eq": id}}) is not None

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)
