"""`rongtong people`: accounts of the hub's own, for those whom no level's provider knows."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from getpass import getpass
from pathlib import Path
from typing import Any, TypeVar

from auth.local import INDEXES, LocalAccount, LocalAccounts
from auth.passwords import Passwords
from auth.principal import RoleClaim
from hub.cli.parts import database
from hub.cli.say import Refusal, dumps, table
from hub.identity.store import MongoStore
from hub.mongo import Mongo
from hub.settings import load
from schema.model.codes import PersonRole

T = TypeVar("T")


def add(
    login: str, name: str, roles: list[str], region: str, school: str, config: Path, as_json: bool
) -> None:
    """The command: a new account, its password asked for. Without region and school: the hub's region."""
    where = region or ("" if school else load(config).settings.hub.region)
    claims = tuple(RoleClaim(_role(each), where or None, school or None) for each in roles)
    password = _password()
    account = _within(config, lambda accounts: accounts.add(login, password, name, claims))
    _say(account, f"已添加 / added: {account.login}", as_json)


def password(login: str, config: Path, as_json: bool) -> None:
    """The command: another password for an account, asked for."""
    given = _password()
    account = _within(config, lambda accounts: accounts.set_password(login, given))
    _say(account, f"密码已更换 / password changed: {account.login}", as_json)


def close(login: str, config: Path, as_json: bool) -> None:
    """The command: nobody signs in with the account any more."""
    account = _within(config, lambda accounts: accounts.close(login))
    _say(account, f"已停用 / closed: {account.login}", as_json)


def reopen(login: str, config: Path, as_json: bool) -> None:
    """The command: a closed account may be used again."""
    account = _within(config, lambda accounts: accounts.reopen(login))
    _say(account, f"已恢复 / reopened: {account.login}", as_json)


def show(config: Path, as_json: bool) -> None:
    """The command: all accounts."""
    found = _within(config, _all)
    if as_json:
        print(dumps([_told(each) for each in found]))
        return
    rows = [(each.login, each.name, _roles(each), _day(each.created), _state(each)) for each in found]
    table("本中心的账号 / accounts of this hub", ("登录名", "姓名", "角色", "添加于", "状态"), rows)


def _within(config: Path, work: Callable[[LocalAccounts], Awaitable[T]]) -> T:
    async def run() -> T:
        async with _accounts(config) as accounts:
            return await work(accounts)

    return asyncio.run(run())


@contextlib.asynccontextmanager
async def _accounts(config: Path) -> AsyncIterator[LocalAccounts]:
    loaded = load(config)
    settings, passwords = loaded.settings, Passwords()
    async with database(loaded) as uri:
        mongo = Mongo.connect(uri, settings.storage.database, settings.storage.driver)
        try:
            store = MongoStore(mongo)
            await store.declare(INDEXES)
            yield LocalAccounts(
                store, passwords, time.time,
                issuer=settings.identity.issuer, level=settings.hub.level.value, region=settings.hub.region,
            )  # fmt: skip
        finally:
            passwords.close()
            await mongo.close()


async def _all(accounts: LocalAccounts) -> list[LocalAccount]:
    return [each async for each in accounts.all()]


def _password() -> str:
    """Twice from a terminal, unseen; from a pipe its first line. Never an argument: those are public."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass("密码 / password: ")
    if getpass("再输一次 / again: ") != first:
        raise Refusal("两次输入不同 / the two are not the same", "PASSWORDS_DIFFER")
    return first


def _role(word: str) -> str:
    known = [each.value for each in PersonRole]
    if word.upper() not in known:
        raise Refusal(f"没有这个角色：{word}；可用 / known: {', '.join(known)}", "UNKNOWN_ROLE")
    return word.upper()


def _say(account: LocalAccount, text: str, as_json: bool) -> None:
    print(dumps(_told(account)) if as_json else text)


def _told(account: LocalAccount) -> dict[str, Any]:
    return {
        "id": account.id, "login": account.login, "name": account.name, "roles": _roles(account),
        "created": account.created, "changed": account.changed, "closed": account.closed,
    }  # fmt: skip


def _roles(account: LocalAccount) -> str:
    return ", ".join(
        "@".join(part for part in (each.role, each.school_code or each.region_code) if part)
        for each in account.roles
    )


def _state(account: LocalAccount) -> str:
    return "已停用 / closed" if account.closed else "可用 / open"


def _day(at: datetime) -> str:
    return at.astimezone().strftime("%Y-%m-%d")
