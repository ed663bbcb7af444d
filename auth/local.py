"""The hub's own accounts: those whom no level's provider knows, such as its administrators.

Rule 1: an account's `id` is random and is what the rest of the gate knows (`sub`); the login name may change.
Rule 2: whoever asks learns nothing about which accounts exist: one verification and one answer for all.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

from auth.documents import Kept, kept_as
from auth.errors import AuthError, Taken
from auth.passwords import CommonPasswords, Passwords
from auth.ports import Assertion, Audit
from auth.principal import RoleClaim
from auth.store import IndexSpec, Store, secret

COLLECTION = "auth_local_accounts"
INDEXES: tuple[IndexSpec, ...] = (IndexSpec(COLLECTION, (("login", 1),), unique=True),)
LOCAL = "local"
"""The `upstream` of an assertion made here; no level's provider may be called so."""
ACR_PASSWORD, ACR_PASSKEY = "urn:rongtong:acr:password", "urn:rongtong:acr:passkey"
_LOGIN = re.compile(r"[\w.@+-]{2,64}")


class NoAccount(AuthError):
    """No account of the hub's own has this login name. For operators only: never shown to who signs in."""

    code = "NO_ACCOUNT"
    public = "没有这个账号 / no such account"


class BadLogin(AuthError):
    """This cannot be a login name."""

    code = "BAD_LOGIN"
    public = (
        "登录名须为 2 至 64 个字母、数字或 . @ + - _ / a login name has 2 to 64 letters, digits or . @ + - _"
    )


class LocalAccount(Kept, frozen=True, kw_only=True):
    """An account of the hub's own. `roles` as its operator appointed them."""

    login: str
    name: str
    hashed: str
    roles: tuple[RoleClaim, ...] = ()
    created: datetime
    changed: datetime
    """When the password was set."""
    closed: datetime | None = None


class LocalAccounts:
    """Keeps them. `issuer`, `level`, `region`: the hub's own. Methods may raise `StoreDown` and `Busy`."""

    def __init__(
        self, store: Store, passwords: Passwords, clock: Callable[[], float],
        *, issuer: str, level: str, region: str, audit: Audit | None = None,
    ) -> None:  # fmt: skip
        self._kept, self._passwords, self._clock = store.collection(COLLECTION), passwords, clock
        self._common, self._audit = CommonPasswords(), audit
        self.issuer, self._level, self._region = issuer, level, region

    async def add(self, login: str, password: str, name: str, roles: tuple[RoleClaim, ...]) -> LocalAccount:
        """A new account. Raises `BadLogin`, `WeakPassword`, and `Taken` where the name is in use."""
        login = folded(login)
        if not _LOGIN.fullmatch(login):
            raise BadLogin
        self._common.check(password, login)
        now, hashed = self._now(), await self._passwords.hashed(password)
        account = LocalAccount(
            id=secret(128), login=login, name=name[:100], hashed=hashed, roles=roles, created=now, changed=now
        )
        try:
            await self._kept.insert_one(account.document())
        except Taken:
            raise Taken("登录名已被使用 / the login name is in use") from None
        await self._note("local.added", account)
        return account

    async def set_password(self, login: str, password: str) -> LocalAccount:
        """Another password; the account as it is then. Raises `NoAccount`, `WeakPassword`."""
        self._common.check(password, folded(login))
        return await self._change(
            "local.password", login,
            {"hashed": await self._passwords.hashed(password), "changed": self._now()},
        )  # fmt: skip

    async def close(self, login: str) -> LocalAccount:
        """Nobody signs in with it any more; it is kept, for its past. Raises `NoAccount`."""
        return await self._change("local.closed", login, {"closed": self._now()})

    async def reopen(self, login: str) -> LocalAccount:
        """It may be used again. Raises `NoAccount`."""
        return await self._change("local.reopened", login, {"closed": None})

    async def check(self, login: str, password: str) -> LocalAccount | None:
        """Whose login and password these are; None: nobody's, or a closed account's."""
        found = await self._kept.find_one({"login": {"$eq": folded(login)}, "closed": {"$eq": None}})
        account = kept_as(LocalAccount, found) if found else None
        right = await self._passwords.matches(account.hashed if account else "", password)
        if account is None or not right:
            return None
        if self._passwords.outdated(account.hashed):
            await self._rehash(account, password)
        return account

    async def get(self, id: str) -> LocalAccount | None:
        """The open account with this `sub`."""
        found = await self._kept.find_one({"_id": {"$eq": id}, "closed": {"$eq": None}})
        return kept_as(LocalAccount, found) if found else None

    async def all(self) -> AsyncIterator[LocalAccount]:
        """Every account, by login name."""
        async for found in self._kept.stream({}, order=[("login", 1)]):
            yield kept_as(LocalAccount, found)

    def assertion(self, account: LocalAccount, *, acr: str, amr: tuple[str, ...]) -> Assertion:
        """What the hub says about its own account, just proven: like any level's provider would."""
        return Assertion(
            upstream=LOCAL, iss=self.issuer, sub=account.id, level=self._level, region=self._region,
            name=account.name, roles=account.roles, assurance="SELF_ASSERTED", acr=acr, amr=amr,
            auth_time=int(self._clock()),
        )  # fmt: skip

    async def _change(self, event: str, login: str, values: dict[str, object]) -> LocalAccount:
        found = await self._kept.find_one_and_update({"login": {"$eq": folded(login)}}, {"$set": values})
        if found is None:
            raise NoAccount
        account = kept_as(LocalAccount, found)
        await self._note(event, account)
        return account

    async def _rehash(self, account: LocalAccount, password: str) -> None:
        hashed = await self._passwords.hashed(password)
        same = {"_id": {"$eq": account.id}, "hashed": {"$eq": account.hashed}}
        await self._kept.update_one(same, {"$set": {"hashed": hashed}})

    async def _note(self, event: str, account: LocalAccount) -> None:
        if self._audit is not None:
            await self._audit.note(event, account=account.id)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)


def folded(login: str) -> str:
    """A login name as it is kept: whatever the case, width and spaces around it."""
    return unicodedata.normalize("NFKC", login[:256]).strip().casefold()
