"""Who a person is by now, as tokens and claims tell it; and whom an application may be told of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from auth.documents import Account, Client
from auth.ports import People, Profile


class AccountsOf(Protocol):
    """A person's accounts (`auth.broker.accounts.Accounts`)."""

    async def of_person(self, person: str) -> Sequence[Account]: ...

    async def current(self, person: str) -> str:
        """Whom this person was merged into; itself, if nobody."""
        ...


class Persons:
    """Asks the rosters about the person behind accounts. May raise `StoreDown`."""

    def __init__(self, people: People, accounts: AccountsOf) -> None:
        self._people, self._accounts = people, accounts

    async def profile(self, person: str) -> Profile | None:
        """The person's profile; None for one who is no more: merged into another, or erased."""
        if await self._accounts.current(person) != person:
            return None
        return await self._people.profile(person, await self._accounts.of_person(person))


def may_be_told(client: Client, profile: Profile) -> bool:
    """Whether a client may be told of this person at all: of a minor only with leave for it."""
    return not profile.minor or client.minors or client.first_party
