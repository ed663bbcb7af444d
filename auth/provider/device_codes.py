"""Devices that wait for somebody's word elsewhere: their two codes, and what became of them (RFC 8628).

Rule 1: the device's code is a secret of 256 bits and kept as its hash; the code people type is short, so it
is kept as a keyed hash: whoever reads the database cannot try all of them.
Rule 2: it is approved or refused once, by one atomic step, however many ask at a time.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from auth.documents import Client, Kept, Session, kept_as
from auth.errors import Taken
from auth.provider.answers import Refusal
from auth.store import Filter, IndexSpec, Store, expiring, kept, secret

COLLECTION = "auth_devices"
INDEXES: tuple[IndexSpec, ...] = (
    expiring(COLLECTION),
    IndexSpec(COLLECTION, (("user", 1),), unique=True),
)
ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
"""No vowels, so that no code is a word (RFC 8628 §6.1); eight of them are 34.5 bits."""
LENGTH = 8
LIFE = timedelta(minutes=10)
INTERVAL = 5
"""Seconds between two polls; each poll that comes too early adds as many, up to SLOWEST."""
SLOWEST = 60
_EARLY = timedelta(seconds=0.5)  # the wire's own unsteadiness
_KEPT_ON = timedelta(minutes=10)  # so that a late device hears "expired", not "unknown"


@dataclass(frozen=True, slots=True)
class Begun:
    """What the device is told (RFC 8628 §3.2); seconds."""

    device_code: str = field(repr=False)
    user_code: str = field(repr=False)
    expires_in: int
    interval: int


class Device(Kept, frozen=True, kw_only=True):
    """A device that waits. `state`: pending | approved | denied; of the approval everything tokens need."""

    client_id: str
    scopes: tuple[str, ...]
    user: str
    interval: int
    created: datetime
    ends: datetime
    expires: datetime
    state: str = "pending"
    polled: datetime | None = None
    person: str = ""
    session: str = ""
    auth_time: int = 0
    acr: str = ""
    amr: tuple[str, ...] = ()


def written(user_code: str) -> str:
    """What people typed as a code of ours: case, width, spaces and dashes do not count; "" if it is none."""
    letters = [c for c in unicodedata.normalize("NFKC", user_code[:64]).upper() if c.isalnum()]
    plain = "".join(letters)
    return f"{plain[:4]}-{plain[4:]}" if len(plain) == LENGTH and set(plain) <= set(ALPHABET) else ""


class DeviceCodes:
    """Keeps them. `key` (32 bytes, secret) hides what people type; `clock` gives seconds since 1970.
    Every method may raise `StoreDown`."""

    def __init__(self, store: Store, clock: Callable[[], float], key: bytes) -> None:
        self._devices = store.collection(COLLECTION)
        self._clock, self._key = clock, key

    async def begin(self, client: Client, scopes: tuple[str, ...]) -> Begun:
        """Codes for a device of `client` that asks for `scopes`."""
        device_code, now = secret(), self._now()
        while True:
            user_code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
            device = Device(
                id=kept(device_code), client_id=client.id, scopes=scopes, user=self._hidden(user_code),
                interval=INTERVAL, created=now, ends=now + LIFE, expires=now + LIFE + _KEPT_ON,
            )  # fmt: skip
            try:
                await self._devices.insert_one(device.document())
            except Taken:  # somebody's device has this code now: one in ten thousand million
                continue
            shown = f"{user_code[:4]}-{user_code[4:]}"
            return Begun(device_code, shown, int(LIFE.total_seconds()), INTERVAL)

    async def waiting(self, user_code: str) -> Device | None:
        """The device that waits under a code that somebody typed."""
        if not (code := written(user_code)):
            return None
        return self._read(await self._devices.find_one(self._open({"user": self._hidden(code)})))

    async def get(self, id: str) -> Device | None:
        """The device, if it still waits."""
        return self._read(await self._devices.find_one(self._open({"_id": id})))

    async def approve(self, id: str, session: Session) -> bool:
        """Let the device have tokens for whoever this session is; False if it waits no more."""
        return await self._decide(
            id,
            {
                "state": "approved", "person": session.person, "session": session.id,
                "auth_time": int(session.auth_time.timestamp()), "acr": session.acr, "amr": list(session.amr),
            },
        )  # fmt: skip

    async def deny(self, id: str) -> bool:
        """Turn the device away; False if it waits no more."""
        return await self._decide(id, {"state": "denied"})

    async def approved(self, device_code: str, client_id: str) -> Device:
        """The device, once somebody has let it in; a stranger's `client_id` changes nothing. Beginning its
        family (`code_id` is the device's `id`) is what happens once.

        Raises `Refusal` with RFC 8628 §3.5's word, and only for the first two does the device go on asking:
        authorization_pending, slow_down, access_denied, expired_token, invalid_grant.
        """
        its = {"_id": {"$eq": kept(device_code)}, "client_id": {"$eq": client_id}}
        found = self._read(
            await self._devices.find_one(its | {"state": {"$eq": "approved"}, "ends": {"$gt": self._now()}})
        )
        if found is None:
            raise await self._not_yet(its)
        return found

    async def _not_yet(self, its: dict[str, Any]) -> Refusal:
        """Why there is nothing to take; notes the poll."""
        now = self._now()
        before = self._read(
            await self._devices.find_one_and_update(its, {"$set": {"polled": now}}, before=True)
        )
        if before is None:
            return Refusal("invalid_grant", "no such device_code of this client")
        if before.ends <= now:
            return Refusal("expired_token", "nobody confirmed in time: begin again")
        if before.state == "denied":
            return Refusal("access_denied", "the person said no")
        if before.polled and now - before.polled < timedelta(seconds=before.interval) - _EARLY:
            slower = min(before.interval + INTERVAL, SLOWEST)
            await self._devices.update_one(its, {"$set": {"interval": slower}})
            return Refusal("slow_down", "polled too early: wait five seconds more from now on")
        return Refusal("authorization_pending", "nobody has confirmed yet")

    async def _decide(self, id: str, values: dict[str, Any]) -> bool:
        return bool(await self._devices.update_one(self._open({"_id": id}), {"$set": values}))

    def _open(self, which: dict[str, str]) -> Filter:
        its = {name: {"$eq": value} for name, value in which.items()}
        return {**its, "state": {"$eq": "pending"}, "ends": {"$gt": self._now()}}

    def _read(self, found: dict[str, Any] | None) -> Device | None:
        return kept_as(Device, found) if found else None

    def _hidden(self, user_code: str) -> str:
        plain = user_code.replace("-", "")
        return hmac.digest(self._key, f"device:{plain}".encode(), hashlib.sha256).hex()

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)
