"""What people agreed to, each with a receipt; withdrawing ends what rests on it.

Rule 1: a receipt is never changed but by its withdrawal; agreeing to more makes another one.
Rule 2: consent covers only what was shown with today's words and the application's present name; when
either changes, the person is asked again.
Rule 3: first the receipt, then the code; first the withdrawal, then the end of the grants: whoever comes in
between sees the stricter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

import orjson

from auth.documents import Client, Kept, kept_as
from auth.errors import Taken
from auth.ports import Audit
from auth.provider.scopes import covered
from auth.store import IndexSpec, Store, secret
from auth.words import PURPOSES, SCOPES

COLLECTION = "auth_consents"
INDEXES: tuple[IndexSpec, ...] = (
    IndexSpec(COLLECTION, (("person", 1), ("client_id", 1))),
    IndexSpec(COLLECTION, (("interaction", 1),), unique=True, partial=(("interaction", {"$gt": ""}),)),
)
MOST = 500
"""Receipts of one person that are looked at; a person who has more must agree anew."""


class Consent(Kept, frozen=True, kw_only=True):
    """One receipt; `id` is its number. `text` is the digest of what the person was shown."""

    person: str
    client_id: str
    client_name: str
    scopes: tuple[str, ...]
    purposes: tuple[str, ...] = ()
    text: str
    at: datetime
    withdrawn: datetime | None = None
    interaction: str = ""


class Consents:
    """Keeps them. `ended(person, client_id)` ends that client's grants (`Families.revoke_client_of`)."""

    def __init__(
        self, store: Store, clock: Callable[[], float], *,
        ended: Callable[[str, str], Awaitable[object]], audit: Audit | None = None,
    ) -> None:  # fmt: skip
        self._kept, self._clock = store.collection(COLLECTION), clock
        self._ended, self._audit = ended, audit

    async def covers(
        self, person: str, client: Client, scopes: Sequence[str], purposes: Sequence[str] = ()
    ) -> bool:
        """Whether the person has agreed to all of it, and not withdrawn."""
        text = digest(client)
        held = [each for each in await self._active(person, client.id) if each.text == text]
        agreed = {scope for each in held for scope in each.scopes}
        meant = {purpose for each in held for purpose in each.purposes}
        return covered(scopes, agreed) and meant.issuperset(purposes)

    async def grant(
        self, person: str, client: Client, scopes: Sequence[str], purposes: Sequence[str] = (),
        *, interaction: str = "",
    ) -> Consent:  # fmt: skip
        """The receipt of a consent just given. The same interaction again gives the same receipt."""
        consent = Consent(
            id=secret(128), person=person, client_id=client.id, client_name=client.name,
            scopes=tuple(scopes), purposes=tuple(purposes), text=digest(client), at=self._now(),
            interaction=hashlib.sha256(interaction.encode()).hexdigest() if interaction else "",
        )  # fmt: skip
        try:
            await self._kept.insert_one(consent.document())
        except Taken:
            same = {"interaction": {"$eq": consent.interaction}, "person": {"$eq": person}}
            if (found := await self._kept.find_one(same)) is None:
                raise
            return kept_as(Consent, found)
        await self._note("consent.given", consent.person, client.id, receipt=consent.id)
        return consent

    async def withdraw(self, person: str, client_id: str) -> int:
        """Withdraw all that was agreed with a client, and end its grants; how many receipts it was.

        May be repeated: after a `StoreDown` the grants are ended by the next call.
        """
        active = {"person": {"$eq": person}, "client_id": {"$eq": client_id}, "withdrawn": {"$eq": None}}
        count = await self._kept.update_many(active, {"$set": {"withdrawn": self._now()}})
        await self._ended(person, client_id)
        await self._note("consent.withdrawn", person, client_id, receipts=str(count))
        return count

    async def of_person(self, person: str) -> list[Consent]:
        """Receipts, the latest first; those withdrawn too."""
        found = await self._kept.find({"person": {"$eq": person}}, limit=MOST, order=[("at", -1)])
        return [kept_as(Consent, each) for each in found]

    async def moved(self, gone: str, kept: str) -> int:
        """Two persons were one: what one agreed to, the other did. How many receipts it was."""
        return await self._kept.update_many({"person": {"$eq": gone}}, {"$set": {"person": kept}})

    async def _active(self, person: str, client_id: str) -> list[Consent]:
        where = {"person": {"$eq": person}, "client_id": {"$eq": client_id}, "withdrawn": {"$eq": None}}
        found = await self._kept.find(where, limit=MOST, order=[("at", -1)])
        return [kept_as(Consent, each) for each in found]

    async def _note(self, event: str, person: str, client_id: str, **facts: str) -> None:
        if self._audit is not None:
            await self._audit.note(event, person=person, client=client_id, **facts)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)


def digest(client: Client) -> str:
    """SHA-256 over the words of the consent page and what it says of the client."""
    said = [client.id, client.name, client.name_en, client.origin, client.minors]
    words = [dict(SCOPES), dict(PURPOSES)]
    return hashlib.sha256(orjson.dumps([said, words], option=orjson.OPT_SORT_KEYS)).hexdigest()
