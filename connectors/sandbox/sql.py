"""The provincial data centre: tables named as in JY/T 1002 and ZXX_*, on a PostgreSQL or in a SQLite file.

Columns are initials of pinyin, codes the province's own, and nothing is tidied up: dates are eight digits,
relations one digit, and the statistics of 2018 do not add up, as printed.
"""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg

from connectors.sandbox.country import Country, Person, School
from connectors.sandbox.postgres import OWNER, Postgres

DATABASE, READER = "sdc", "reader"
ENOUGH = 60  # schools whose pupils are filled in at city scale
_STAGES = {"PRIMARY": "2", "JUNIOR": "3", "SENIOR": "4"}
_CHANGES = {"TRANSFER_IN": "21", "TRANSFER_OUT": "31", "SUSPEND": "11", "RESUME": "12"}

Row = tuple[Any, ...]
Rows = Callable[[Country, School], Iterator[Row]]


@dataclass(frozen=True)
class Table:
    """A table: `columns` are "NAME TYPE", the first is the key; `rows` of the country or of one school."""

    columns: tuple[str, ...]
    indexed: tuple[str, ...] = ()
    whole: Callable[[Country], Iterator[Row]] | None = None
    school: Rows | None = None


def _school_rows(country: Country) -> Iterator[Row]:
    for school in country.schools:
        one = country.told_by("PROVINCIAL", school)
        yield (
            one.code, one.name, one.unit_code, one.type_code, ",".join(_STAGES[stage] for stage in one.level),
            one.organiser_code, one.urban_rural_code, one.credit_code, one.address, one.principal_name,
            one.phone,
            one.student_count, one.staff_count, one.class_count, datetime.fromisoformat(one.updated_at),
        )  # fmt: skip


def _pupils(country: Country, school: School) -> Iterator[tuple[Person, str]]:
    for group in country.classes(school):
        for pupil in country.pupils(group):
            yield pupil, group.name


def _basic(country: Country, school: School) -> Iterator[Row]:
    for pupil, _ in _pupils(country, school):
        born = pupil.birth_date.replace("-", "")
        yield pupil.student_id, pupil.name, pupil.sex, born, pupil.resident_id, pupil.household_address


def _rolls(country: Country, school: School) -> Iterator[Row]:
    for pupil, class_name in _pupils(country, school):
        yield (
            pupil.student_id, pupil.roll_no, pupil.roll_school_code, pupil.unit_code,
            pupil.enrolled_on.replace("-", ""), pupil.grade_code[1:], class_name, pupil.attendance_mode,
            pupil.status_code, ",".join(pupil.monitored_groups), datetime.fromisoformat(pupil.updated_at),
        )  # fmt: skip


def _changes(country: Country, school: School) -> Iterator[Row]:
    for pupil, _ in _pupils(country, school):
        for number, change in enumerate(pupil.roll_changes):
            kind, day = _CHANGES.get(change.kind, "99"), change.date.replace("-", "")
            key = f"{pupil.student_id}Y{number}"
            yield key, pupil.student_id, kind, day, change.from_school, change.to_school, change.status


def _family(country: Country, school: School) -> Iterator[Row]:
    for pupil, _ in _pupils(country, school):
        for member in country.guardians_of(pupil):
            legal = "1" if member.legal else "0"
            yield member.member_id, pupil.student_id, member.name, member.relation_local, legal, member.phone


def _statistics(country: Country) -> Iterator[Row]:
    for n, one in enumerate(country.statistics()):
        yield (
            f"TJ{n:04d}", one.region_code, one.school_year, None, "1", one.schools, one.public_schools,
            one.private_schools, one.students, one.female_students, one.staff, one.printed or None,
        )  # fmt: skip
    stages = {"PRESCHOOL": "1", "HIGHER": "5"}
    for n, row in enumerate(country.stage_table()):
        printed = f"{row.name} {row.schools:,} 所，{row.students_10k} 万人，教职工 {row.staff_10k} 万人"
        people, staff = row.students_10k * 10_000, row.staff_10k * 10_000
        single = "1" if row.stage in stages else "2"
        yield (
            f"TX{n:04d}", "370000", "2018-2019", stages.get(row.stage), single, row.schools, None, None,
            people, None, staff, printed,
        )  # fmt: skip


def _catalogue(country: Country) -> Iterator[Row]:
    for one in country.datasets():
        yield one.table, one.description, one.theme, one.row_count, one.modified_at


def _entries(country: Country) -> Iterator[Row]:
    for one in country.datasets():
        for n, column in enumerate(one.columns):
            length = f"({column.length})" if column.length else ""
            key = "1" if column.primary_key else "0"
            yield (
                f"{one.table}.{column.name}", one.table, n, column.name, column.label,
                f"{column.type}{length}", key, column.privacy,
            )  # fmt: skip


TABLES: dict[str, Table] = {
    "JCXX0101": Table(
        (
            "XXDM VARCHAR(10)", "XXMC VARCHAR(60)", "XZQHM VARCHAR(6)", "XXBXLXM VARCHAR(3)",
            "XDM VARCHAR(12)", "XXJBZM VARCHAR(3)", "SZDCXLXM VARCHAR(3)", "TYSHXYDM VARCHAR(18)",
            "XXDZ VARCHAR(180)",
            "XZXM VARCHAR(36)", "LXDH VARCHAR(30)", "ZXXSS INTEGER", "JZGS INTEGER", "BJS INTEGER",
            "GXSJ TIMESTAMP WITH TIME ZONE",
        ),
        ("XZQHM",),
        whole=_school_rows,
    ),
    "JCXS0101": Table(
        ("XH VARCHAR(30)", "XM VARCHAR(36)", "XBM VARCHAR(1)", "CSRQ VARCHAR(8)", "SFZJH VARCHAR(20)",
         "HKDZ VARCHAR(180)"),
        school=_basic,
    ),
    "JCXS0201": Table(
        ("XH VARCHAR(30)", "XJH VARCHAR(30)", "XXDM VARCHAR(10)", "XZQHM VARCHAR(6)", "RXNY VARCHAR(6)",
         "NJM VARCHAR(2)", "BJMC VARCHAR(40)", "JDFSM VARCHAR(1)", "XSDQZTM VARCHAR(2)", "GZQT VARCHAR(120)",
         "GXSJ TIMESTAMP WITH TIME ZONE"),
        ("XXDM",),
        school=_rolls,
    ),
    "JCXS0202": Table(
        ("YDID VARCHAR(48)", "XH VARCHAR(30)", "YDLBM VARCHAR(2)", "YDRQ VARCHAR(8)", "YCXXDM VARCHAR(10)",
         "XXXDM VARCHAR(10)", "YDZT VARCHAR(12)"),
        ("XH",),
        school=_changes,
    ),
    "ZXX_XS_JTCY": Table(
        ("ZXX_XS_JTCY_ID VARCHAR(40)", "ZXX_XS_JBXX_ID VARCHAR(40)", "CYXM VARCHAR(36)", "GXM VARCHAR(2)",
         "SFJHR VARCHAR(1)", "LXDH VARCHAR(30)"),
        ("ZXX_XS_JBXX_ID",),
        school=_family,
    ),
    "JYTJ_ZH": Table(
        ("TJID VARCHAR(10)", "XZQHM VARCHAR(6)", "XN VARCHAR(9)", "XDM VARCHAR(1)", "TJKJ VARCHAR(1)",
         "XXS INTEGER", "GBXXS INTEGER", "MBXXS INTEGER", "ZXSS INTEGER", "NXSS INTEGER", "JZGS INTEGER",
         "YW VARCHAR(200)"),
        ("XZQHM",),
        whole=_statistics,
    ),
    "SJML": Table(
        ("BM VARCHAR(40)", "SM VARCHAR(120)", "ZT VARCHAR(120)", "SJHS INTEGER", "GXSJ VARCHAR(40)"),
        whole=_catalogue,
    ),
    "SJML_ZD": Table(
        ("ZDID VARCHAR(90)", "BM VARCHAR(40)", "XH INTEGER", "LM VARCHAR(40)", "ZWM VARCHAR(60)",
         "LX VARCHAR(30)", "SFZJ VARCHAR(1)", "YSJB VARCHAR(12)"),
        ("BM",),
        whole=_entries,
    ),
}  # fmt: skip


def _ddl() -> Iterator[str]:
    for name, table in TABLES.items():
        columns = ['"{}" {}'.format(*said.split(" ", 1)) for said in table.columns]
        yield f'CREATE TABLE "{name}" ({", ".join(columns)}, PRIMARY KEY ({columns[0].split()[0]}))'


def _indexes() -> Iterator[str]:
    for name, table in TABLES.items():
        for column in table.indexed:
            yield f'CREATE INDEX "{name}_{column}" ON "{name}" ("{column}")'


def _filled(country: Country) -> list[School]:
    """The schools whose pupils are filled in: all at demo scale, the first ones at city scale."""
    return list(country.schools[: ENOUGH if country.scale == "city" else len(country.schools)])


def fill_sqlite(path: Path, country: Country) -> None:
    """The same tables in a SQLite file."""
    path.unlink(missing_ok=True)
    with sqlite3.connect(path) as file:
        for statement in _ddl():
            file.execute(statement)
        for name, table in TABLES.items():
            places = ", ".join("?" * len(table.columns))
            file.executemany(f'INSERT INTO "{name}" VALUES ({places})', _plain(_all(country, table)))  # noqa: S608
        for statement in _indexes():
            file.execute(statement)
    file.close()


def _all(country: Country, table: Table) -> Iterator[Row]:
    if table.whole is not None:
        yield from table.whole(country)
    for school in _filled(country) if table.school else ():
        assert table.school is not None
        yield from table.school(country, school)


def _plain(rows: Iterable[Row]) -> Iterator[Row]:
    """SQLite has no dates of its own."""
    for row in rows:
        yield tuple(value.isoformat() if isinstance(value, datetime) else value for value in row)


class DataCentre:
    """The data centre as a server. `dsn` carries the reader's password, `url` does not."""

    def __init__(self) -> None:
        self._server = Postgres()
        self.password = secrets.token_urlsafe(18)
        self._lock: asyncpg.Connection[asyncpg.Record] | None = None

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs, else None."""
        return self._server.pid

    @property
    def url(self) -> str:
        """Where a reader connects, without the password."""
        return f"postgresql://{READER}@127.0.0.1:{self._server.port}/{DATABASE}"

    @property
    def dsn(self) -> str:
        """Where a reader connects, with the password: hand it on, never print it."""
        return f"postgresql://{READER}:{self.password}@127.0.0.1:{self._server.port}/{DATABASE}"

    async def start(self, folder: Path, country: Country) -> None:
        """Found, start and fill a server inside `folder`; on any failure nothing is left behind."""
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        try:
            await self._server.start(folder)
            await self._fill(country)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End the server and remove what it kept."""
        if self._lock is not None:
            self._lock.terminate()
            self._lock = None
        await self._server.stop()

    async def hang(self) -> None:
        """Lock every table, as a long maintenance does; `mend` lets go."""
        self._lock = await self._connect(DATABASE)
        await self._lock.execute("BEGIN")
        names = ", ".join(f'"{name}"' for name in TABLES)
        await self._lock.execute(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE")

    async def spoil(self) -> None:
        """Rename the key column of every table, as a vendor's upgrade does."""
        await self._rename(lambda key: (key, f"{key}_NEW"))

    async def mend(self) -> None:
        """Undo `hang` or `spoil`."""
        if self._lock is not None:
            await self._lock.close()
            self._lock = None
        else:
            await self._rename(lambda key: (f"{key}_NEW", key))

    async def _rename(self, way: Callable[[str], tuple[str, str]]) -> None:
        connection = await self._connect(DATABASE)
        try:
            for name, table in TABLES.items():
                old, new = way(table.columns[0].split()[0])
                await connection.execute(f'ALTER TABLE "{name}" RENAME COLUMN "{old}" TO "{new}"')
        finally:
            await connection.close()

    async def _connect(self, database: str) -> asyncpg.Connection[asyncpg.Record]:
        return await asyncpg.connect(
            host="127.0.0.1", port=self._server.port, user=OWNER, password=self._server.password,
            database=database, ssl=False,
        )  # fmt: skip

    async def _fill(self, country: Country) -> None:
        first = await self._connect("postgres")
        try:
            await first.execute(f'CREATE DATABASE "{DATABASE}"')
        finally:
            await first.close()
        connection = await self._connect(DATABASE)
        try:
            await connection.execute(";".join(_ddl()))
            for name, table in TABLES.items():
                await connection.copy_records_to_table(name, records=_streamed(country, table))
            await connection.execute(";".join([*_indexes(), *self._reader(), "ANALYZE"]))
        finally:
            await connection.close()

    def _reader(self) -> tuple[str, ...]:
        return (
            f"CREATE ROLE {READER} LOGIN PASSWORD '{self.password}'",
            f"ALTER ROLE {READER} SET default_transaction_read_only = on",
            f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {READER}",
        )


async def _streamed(country: Country, table: Table) -> AsyncIterator[Row]:
    """Rows as they are made, a school at a time, in a thread."""
    if table.whole is not None:
        for row in await asyncio.to_thread(lambda made: list(made(country)), table.whole):
            yield row
    for school in _filled(country) if table.school else ():
        assert table.school is not None
        for row in await asyncio.to_thread(lambda made, one: list(made(country, one)), table.school, school):
            yield row
