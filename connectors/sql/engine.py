"""The door to a database: read-only on either dialect, bounded in time and number, errors sorted once.

Rule 1: nothing a driver says leaves this file; it may hold values, addresses, passwords.
Rule 2: a statement ends with its look-up: at the server too, not only here.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Executable, Row, func, make_url, select
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from connectors.base import Options, inside
from connectors.errors import Malformed, Overloaded, Refused, SourceError, TimedOut, Unavailable

_BY_CLASS = {"08": Unavailable, "57": Unavailable, "28": Refused, "3D": Refused, "3F": Malformed,
             "53": Overloaded, "22": Malformed, "42": Malformed, "XX": Malformed}  # fmt: skip
_BY_STATE = {"57014": TimedOut, "55P03": TimedOut, "42501": Refused, "25006": Refused, "25P03": TimedOut}
_BY_NAME = {"SQLITE_BUSY": TimedOut, "SQLITE_LOCKED": TimedOut, "SQLITE_INTERRUPT": TimedOut,
            "SQLITE_CANTOPEN": Unavailable, "SQLITE_IOERR": Unavailable, "SQLITE_PERM": Refused,
            "SQLITE_AUTH": Refused, "SQLITE_READONLY": Refused}  # fmt: skip
_REMEDY = {
    Malformed: "a mapped table or column is not there or not of the mapped type; compare the mapping",
    Refused: "check user, password_secret, database and the rights to read",
}
LONGEST = 120_000  # milliseconds a statement may ever take at the server


class SqlOptions(Options, frozen=True):
    """How to reach a database.

    `url`: `postgresql://reader@host:5432/name` without a password, or `sqlite:file.db`; `password_secret`;
    `mapping`: the mapping file; files are relative to the hub's folder of sources. `connections` at most;
    `tls`: encrypt and verify (PostgreSQL); `index_fresh`: seconds a school's index of match keys is kept.
    """

    url: str
    mapping: str
    password_secret: str = ""
    connections: int = 4
    tls: bool = False
    index_fresh: float = 60.0

    def __post_init__(self) -> None:
        url = parsed(self.url)
        if url.password is not None:
            raise ValueError("url 中不要写密码，请用 password_secret / move the password to password_secret")
        if not 1 <= self.connections <= 64:
            raise ValueError("connections 应在 1 至 64 之间 / connections is 1 to 64")


def parsed(text: str) -> URL:
    """The address of a database; ValueError with the remedy, never with the address."""
    if text.startswith("sqlite:") and len(text) > 7 and "?" not in text and "#" not in text:
        return URL.create("sqlite", database=text[7:].removeprefix("//"))
    with contextlib.suppress(ArgumentError, ValueError):
        url = make_url(text)
        if url.drivername in ("postgresql", "postgres") and url.host and url.database and not url.query:
            return url
    raise ValueError(
        "url 应为 postgresql://用户@主机:端口/库 或 sqlite:文件 / "
        "url is postgresql://user@host:port/name or sqlite:file"
    )


def engine_for(options: SqlOptions, root: Path) -> AsyncEngine:
    """An engine that has not connected yet and can only ever read."""
    url = parsed(options.url)
    if url.drivername == "sqlite":
        file = inside(root, url.database or "")
        address = f"sqlite+aiosqlite:///file:{file}?mode=ro&uri=true"
        return create_async_engine(
            address, poolclass=NullPool, hide_parameters=True, connect_args={"timeout": 5}
        )
    settings = {
        "default_transaction_read_only": "on",
        "application_name": "rongtong",
        "statement_timeout": str(LONGEST),
    }
    return create_async_engine(
        url.set(drivername="postgresql+asyncpg", password=options.password_secret or None),
        pool_size=options.connections,
        max_overflow=0,
        pool_pre_ping=True,
        pool_recycle=1800,
        hide_parameters=True,
        connect_args={"server_settings": settings, "ssl": options.tls, "timeout": 30},
    )


class Reader:
    """Reads with one engine; every error is a `SourceError`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self._sqlite = engine.dialect.name == "sqlite"

    @contextlib.asynccontextmanager
    async def reading(self, within: float) -> AsyncIterator[AsyncConnection]:
        """A connection inside a read-only transaction that ends in `within` seconds."""
        try:
            async with asyncio.timeout(within), self.engine.connect() as connection:
                await self._bounded(connection, within)
                async with self._interrupting(connection, within):
                    yield connection
        except TimeoutError:
            raise TimedOut(f"no whole answer within {within:g} s") from None
        except (SQLAlchemyError, OSError, sqlite3.Error) as error:
            raise sorted_out(error) from None
        except SourceError:
            raise
        except Exception as error:
            if _state(error) is None:
                raise
            raise sorted_out(error) from None

    async def aclose(self) -> None:
        """Close every connection."""
        await self.engine.dispose()

    async def _bounded(self, connection: AsyncConnection, within: float) -> None:
        milliseconds = max(1, min(int(within * 1000), LONGEST))
        if self._sqlite:
            await connection.exec_driver_sql("PRAGMA query_only = ON")
            await connection.exec_driver_sql(f"PRAGMA busy_timeout = {milliseconds}")
        else:
            await connection.execute(select(func.set_config("statement_timeout", str(milliseconds), True)))

    @contextlib.asynccontextmanager
    async def _interrupting(self, connection: AsyncConnection, within: float) -> AsyncIterator[None]:
        """SQLite works in a thread that no cancelling reaches: it is interrupted when the time is up."""
        if not self._sqlite:
            yield
            return
        driver = (await connection.get_raw_connection()).driver_connection
        watch = asyncio.create_task(_interrupt_after(within, driver))
        try:
            yield
        finally:
            watch.cancel()


async def _interrupt_after(within: float, driver: Any) -> None:
    with contextlib.suppress(sqlite3.Error, ValueError):
        await asyncio.sleep(within)
        await driver.interrupt()


async def rows(connection: AsyncConnection, statement: Executable) -> list[Row[Any]]:
    """All rows of a bounded statement."""
    return list((await connection.execute(statement)).all())


def sorted_out(error: BaseException) -> SourceError:
    """The error as the hub sorts it; it names a state, never what the driver said."""
    if isinstance(error, PoolTimeout):
        return Overloaded("every connection to the database is in use")
    state = _state(error)
    if state is not None:
        return _told(_BY_STATE.get(state) or _BY_CLASS.get(state[:2], Malformed), f"SQLSTATE {state}")
    name = _sqlite_name(error)
    if name is not None:
        return _told(_BY_NAME.get(name.partition("_")[0] + "_" + name.split("_")[1], Malformed), name)
    lost = isinstance(error, OSError) or (isinstance(error, DBAPIError) and error.connection_invalidated)
    kind = type(getattr(error, "orig", None) or error).__name__
    unreachable = lost or kind in ("InterfaceError", "ConnectionDoesNotExistError", "InternalClientError")
    if unreachable:
        return Unavailable("the database cannot be reached")
    return Malformed(f"{kind} from the driver")


def _told(kind: type[SourceError], state: str) -> SourceError:
    remedy = _REMEDY.get(kind)
    return kind(f"{state}: {remedy}" if remedy else state)


def _state(error: BaseException) -> str | None:
    """The SQLSTATE of a driver's error, wherever it is wrapped."""
    for one in (error, getattr(error, "orig", None), error.__cause__):
        state = getattr(one, "sqlstate", None) or getattr(one, "pgcode", None)
        if isinstance(state, str) and len(state) == 5 and state.isalnum():
            return state
    return None


def _sqlite_name(error: BaseException) -> str | None:
    for one in (error, getattr(error, "orig", None)):
        name = getattr(one, "sqlite_errorname", None)
        if isinstance(name, str):
            return name
    return None
