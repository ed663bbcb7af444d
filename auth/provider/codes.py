"""Authorization codes: for a minute, kept as their hash; redeemed by beginning their family (`Families`)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from authlib.oauth2.rfc6749 import AuthorizationCodeMixin  # type: ignore[import-untyped]

from auth.documents import Kept, kept_as
from auth.store import IndexSpec, Store, expiring, kept, secret

COLLECTION = "auth_codes"
INDEXES: tuple[IndexSpec, ...] = (
    expiring(COLLECTION),
    IndexSpec(COLLECTION, (("person", 1),)),
    IndexSpec(COLLECTION, (("session", 1),)),
)
LIFE = timedelta(seconds=60)
_REMEMBERED = timedelta(minutes=10)  # so that a late second use is still seen as one, and revokes


class Code(Kept, frozen=True, kw_only=True):
    """What a code stands for; `id` is what it hashes to, `ends` when it may no longer be redeemed.

    `challenge`: of PKCE, S256, "" for a legacy client. `jkt`: the key it is bound to (`dpop_jkt`).
    """

    client_id: str
    redirect_uri: str
    person: str
    session: str
    scopes: tuple[str, ...]
    challenge: str = ""
    nonce: str = ""
    auth_time: int = 0
    acr: str = ""
    amr: tuple[str, ...] = ()
    claims: dict[str, Any] = msgspec.field(default_factory=dict)
    jkt: str = ""
    ends: datetime
    expires: datetime


class ShownCode(AuthorizationCodeMixin):  # type: ignore[misc]
    """A `Code` as Authlib's grant and its PKCE extension ask for it."""

    code_challenge_method = "S256"

    def __init__(self, code: Code) -> None:
        self.code = code
        self.code_challenge = code.challenge

    def get_redirect_uri(self) -> str:
        """The address it was sent to."""
        return self.code.redirect_uri

    def get_scope(self) -> str:
        """What was granted."""
        return " ".join(self.code.scopes)


class Codes:
    """Keeps them. `clock` gives seconds since 1970. Every method may raise `StoreDown`."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._kept = store.collection(COLLECTION)
        self._clock = clock

    async def issue(self, **values: Any) -> str:
        """A fresh code for these fields of `Code`."""
        code, now = secret(), datetime.fromtimestamp(self._clock(), UTC)
        document = Code(id=kept(code), ends=now + LIFE, expires=now + _REMEMBERED, **values).document()
        await self._kept.insert_one(document)
        return code

    async def find(self, code: str, client_id: str) -> Code | None:
        """What a code of this client stands for, redeemed or not; its owner learns of `ends` from it.
        Somebody else's is unknown, so that a stranger can neither use nor burn it."""
        if not 22 <= len(code) <= 128:
            return None
        found = await self._kept.find_one({"_id": {"$eq": kept(code)}, "client_id": {"$eq": client_id}})
        return kept_as(Code, found) if found else None

    async def there(self, code: Code) -> bool:
        """Whether it still is: revoking what hangs on a session or person takes their codes first."""
        return await self._kept.find_one({"_id": {"$eq": code.id}}) is not None

    def over(self, code: Code) -> bool:
        """Whether its minute has passed."""
        return code.ends.timestamp() <= self._clock()
