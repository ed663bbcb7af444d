"""The SQL tongue on a real PostgreSQL and a SQLite file: contract, push-down, read-only, sealed numbers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import event, text

from connectors.base import Identity, Tools
from connectors.errors import Malformed, Refused, TimedOut, Unanswerable, Unavailable
from connectors.http import Http
from connectors.mapping import MappingRefused
from connectors.sandbox.country import Country, Person
from connectors.sandbox.sql import TABLES, DataCentre, fill_sqlite
from connectors.seal import Seal
from connectors.sql import Sql, SqlOptions
from schema.model.codes import Level
from schema.model.record import Lookup, Page, lookup
from schema.model.words import Kind
from tests.contracts.connector import WITHIN, ConnectorContract, HandClock, Joined

SEAL = Seal(b"a key for matching in tests only")
MAPPING = Path(__file__).parents[2] / "docker" / "demo" / "sd-data.toml"
ROLL = ("school_code", "grade_code", "roll_no_masked")


@dataclass
class Province:
    """One country in both databases, started once for all tests of this file."""

    folder: Path
    country: Country
    centre: DataCentre

    @property
    def file(self) -> Path:
        return self.folder / "sd-data.db"

    def pupil(self, key: str = "pupil") -> Person:
        found = self.country.person(self.country.personas()[key].person_id)
        assert found is not None
        return found


@pytest.fixture(scope="module")
def province(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Province]:
    folder = tmp_path_factory.mktemp("province")
    (folder / "sd-data.toml").write_text(MAPPING.read_text("utf-8"), "utf-8")
    found = Province(folder, Country(), DataCentre())
    yield found
    asyncio.run(found.centre.stop())


@dataclass
class Asked:
    """A connector and every statement it sent that reads a table."""

    connector: Sql
    statements: list[str] = field(default_factory=list)

    async def ask(self, kind: Kind, fields: tuple[str, ...], where: dict[str, list[str]], **more: Any) -> Any:
        return await self.connector.look_up(lookup(kind, fields, where, **more), WITHIN)


@contextlib.asynccontextmanager
async def asked(province: Province, dialect: str, **settings: Any) -> AsyncIterator[Asked]:
    if dialect == "postgresql" and province.centre.pid is None:
        await province.centre.start(province.folder / "server", province.country)
    if dialect == "sqlite" and not province.file.exists():
        await asyncio.to_thread(fill_sqlite, province.file, province.country)
    url = province.centre.url if dialect == "postgresql" else "sqlite:sd-data.db"
    known = {"url": url, "mapping": "sd-data.toml", "password_secret": province.centre.password}
    async with Http() as http:
        tools = Tools(http, SEAL, province.folder, HandClock())
        connector = Sql(
            Identity("sd-data", Level.PROVINCIAL, "370000"), SqlOptions(**{**known, **settings}), tools
        )
        found = Asked(connector)

        def note(*event_of: Any) -> None:
            if "FROM " in event_of[2]:
                found.statements.append(event_of[2])

        event.listen(connector.database.sync_engine, "before_cursor_execute", note)
        yield found
        await connector.aclose()


@pytest.fixture(params=["postgresql", "sqlite"])
async def centre(request: pytest.FixtureRequest, province: Province) -> AsyncIterator[Asked]:
    async with asked(province, request.param) as found:
        yield found


def questions(province: Province) -> list[Lookup]:
    pupil = province.pupil()
    code, match = pupil.school_code, SEAL.match_key(pupil.roll_no)
    return [
        lookup(Kind.SCHOOL, ["name", "region_code"], {"region_code": [pupil.unit_code]}),
        lookup(Kind.STUDENT_ROLL, ROLL, {"match_key": [match], "school_code": [code]}),
        lookup(Kind.GUARDIANSHIP, ["relation_code"], {"match_key": [match], "school_code": [code]}),
        lookup(
            Kind.STUDENT_ROLL, ROLL, {"school_code": [school.code for school in province.country.schools[:4]]}
        ),
        lookup(Kind.SCHOOL, ["name"], {"key": [code]}),
        lookup(Kind.STATISTICS, ["schools"], {"region_code": ["370000", "371500"]}),
        lookup(Kind.STATISTICS, ["schools"], {"stage": ["HIGHER"], "school_year": ["2018-2019"]}),
        lookup(Kind.DATASET, ["name"], text="家庭"),
    ]


class TestProvinceOnPostgres(ConnectorContract):
    @pytest.fixture
    async def joined(self, province: Province) -> AsyncIterator[Joined]:
        async with asked(province, "postgresql") as found:
            broken: list[str] = []

            async def break_with(mode: str) -> None:
                centre = province.centre
                ways = {"hang": centre.hang, "garbage": centre.spoil, "ok": centre.mend, "dead": centre.stop}
                await ways[mode]()
                broken[:] = [mode] if mode in ("hang", "garbage") else []

            yield Joined(
                found.connector, questions(province), break_with, frozenset({"hang", "garbage", "dead"}),
                calls=lambda: len(found.statements),
            )  # fmt: skip
            if broken:
                await province.centre.mend()


class TestProvinceOnSqlite(ConnectorContract):
    @pytest.fixture
    async def joined(self, province: Province) -> AsyncIterator[Joined]:
        async with asked(province, "sqlite") as found:
            locks: list[sqlite3.Connection] = []

            async def break_with(mode: str) -> None:
                if mode == "hang":
                    locks.append(sqlite3.connect(province.file))
                    locks[0].execute("BEGIN EXCLUSIVE")
                elif mode == "dead":
                    province.file.unlink()
                elif mode == "ok":
                    await asyncio.to_thread(fill_sqlite, province.file, province.country)
                else:
                    province.file.write_bytes(b"\x00\xffno database" * 400)

            yield Joined(
                found.connector, questions(province), break_with, frozenset({"hang", "garbage", "dead"}),
                calls=lambda: len(found.statements),
            )  # fmt: skip
            for lock in locks:
                lock.close()
            if province.file.exists() and province.file.read_bytes()[:6] != b"SQLite":
                province.file.unlink()


async def test_only_the_columns_that_were_asked_for_are_named(centre: Asked) -> None:
    await centre.ask(Kind.SCHOOL, ("name",), {"key": ["2137010001"]})
    (statement,) = centre.statements
    columns = {said.split(" ")[0] for said in TABLES["JCXX0101"].columns}
    assert {name for name in columns if f'"{name}"' in statement} == {"XXDM", "XXMC", "GXSJ"}
    assert "JCXS" not in statement


async def test_a_table_is_joined_only_for_its_own_columns(centre: Asked, province: Province) -> None:
    school = [province.country.schools[0].code]
    await centre.ask(Kind.STUDENT_ROLL, ("grade_code",), {"school_code": school})
    await centre.ask(Kind.STUDENT_ROLL, ("birth_date",), {"school_code": school})
    plain, joined = centre.statements
    assert "JOIN" not in plain
    assert '"CSRQ"' not in plain
    assert 'JOIN "JCXS0101"' in joined
    assert '"SFZJH"' not in joined
    assert '"HKDZ"' not in joined


async def test_pupils_of_forty_schools_are_matched_by_two_statements(
    centre: Asked, province: Province
) -> None:
    schools = list(province.country.schools[:40])
    pupils = [province.country.pupils(province.country.classes(school)[0])[3] for school in schools]
    where = {
        "match_key": [SEAL.match_key(pupil.roll_no) for pupil in pupils],
        "school_code": [school.code for school in schools],
    }
    answer = await centre.ask(Kind.STUDENT_ROLL, ("class_name",), where)
    assert {one.local_id for one in answer.records} == {pupil.student_id for pupil in pupils}
    assert len(centre.statements) == 2
    await centre.ask(Kind.STUDENT_ROLL, ("grade_code",), where)
    assert len(centre.statements) == 3


async def test_many_who_ask_at_once_read_a_schools_numbers_once(centre: Asked, province: Province) -> None:
    pupil = province.pupil()
    where = {"match_key": [SEAL.match_key(pupil.roll_no)], "school_code": [pupil.school_code]}
    answers = await asyncio.gather(*(centre.ask(Kind.STUDENT_ROLL, ROLL, where) for _ in range(6)))
    assert {one.local_id for answer in answers for one in answer.records} == {pupil.student_id}
    assert sum("XJH" in said and "ORDER BY" not in said for said in centre.statements) == 1


async def test_a_pupil_who_moved_is_still_on_the_roll_of_the_old_school(
    centre: Asked, province: Province
) -> None:
    moved = province.country.person(province.country.oddities()["moved"][0])
    assert moved is not None
    assert moved.roll_school_code != moved.school_code
    match = [SEAL.match_key(moved.roll_no)]
    old = await centre.ask(
        Kind.STUDENT_ROLL, ROLL, {"match_key": match, "school_code": [moved.roll_school_code]}
    )
    new = await centre.ask(Kind.STUDENT_ROLL, ROLL, {"match_key": match, "school_code": [moved.school_code]})
    assert [one.local_id for one in old.records] == [moved.student_id]
    assert new.records == ()


async def test_the_provinces_relation_codes_become_those_of_the_standard(
    centre: Asked, province: Province
) -> None:
    pupil = province.pupil()
    where = {"match_key": [SEAL.match_key(pupil.roll_no)], "school_code": [pupil.school_code]}
    answer = await centre.ask(
        Kind.GUARDIANSHIP, ("relation_code", "relation_name", "is_legal_guardian"), where
    )
    told = {one.values["relation_code"]: one.values["relation_name"] for one in answer.records}
    assert told == {"51": "父亲", "52": "母亲"}
    assert all(one.values["is_legal_guardian"] is True for one in answer.records)


async def test_what_does_not_add_up_is_kept_as_printed_with_a_warning(centre: Asked) -> None:
    fields = ("schools", "public_schools", "private_schools", "warnings", "stage")
    answer = await centre.ask(
        Kind.STATISTICS, fields, {"region_code": ["370000"], "school_year": ["2018-2019"]}
    )
    (total,) = [one for one in answer.records if "stage" not in one.values]
    assert total.values["schools"] == 34285
    assert "34,285" in total.values["warnings"][0]
    assert "34,283" in total.values["warnings"][0]
    assert sorted(one.values["stage"] for one in answer.records if one is not total) == [
        "HIGHER",
        "PRESCHOOL",
    ]
    city = await centre.ask(Kind.STATISTICS, fields, {"region_code": ["371500"]})
    assert [one.values.get("warnings") for one in city.records] == [None]


async def test_a_warning_alone_brings_no_other_figure(centre: Asked) -> None:
    answer = await centre.ask(Kind.STATISTICS, ("warnings",), {"region_code": ["370000"]})
    assert {name for one in answer.records for name in one.values} == {"warnings"}


async def test_the_catalogue_lists_the_columns_of_its_tables(centre: Asked, province: Province) -> None:
    answer = await centre.ask(Kind.DATASET, ("columns", "row_count"), {}, text="ZXX_XS_JTCY")
    (found,) = answer.records
    expected = next(one for one in province.country.datasets() if one.table == "ZXX_XS_JTCY")
    assert [column["name"] for column in found.values["columns"]] == [one.name for one in expected.columns]
    assert found.values["columns"][0]["primary_key"] is True
    assert found.values["row_count"] == 22_759_269
    assert len(centre.statements) == 2


@pytest.mark.parametrize("hostile", ["%", "_XS", "' OR 1=1 --", "\\", "家庭%' ; DROP TABLE SJML; --"])
async def test_what_is_searched_for_is_text_and_never_a_pattern(centre: Asked, hostile: str) -> None:
    answer = await centre.ask(Kind.DATASET, ("name",), {}, text=hostile)
    assert all(hostile in one.values["name"] for one in answer.records)
    assert len((await centre.ask(Kind.DATASET, ("name",), {})).records) == 5


async def test_values_are_bound_and_never_part_of_a_statement(centre: Asked) -> None:
    await centre.ask(Kind.SCHOOL, ("name",), {"region_code": ['\'; DROP TABLE "JCXX0101" --']})
    assert "DROP" not in "".join(centre.statements)
    assert (await centre.ask(Kind.SCHOOL, ("name",), {}, page=Page(0, 1))).total == 44


async def test_nothing_can_be_written_through_the_connectors_own_engine(centre: Asked) -> None:
    for statement in ('DELETE FROM "SJML"', 'CREATE TABLE "X" (a INTEGER)'):
        with pytest.raises(Refused):
            async with centre.connector._door.reading(WITHIN) as connection:
                await connection.execute(text(statement))


async def test_a_statement_is_ended_at_the_server_with_its_look_up(province: Province) -> None:
    async with asked(province, "postgresql") as found:
        with pytest.raises(TimedOut):
            async with found.connector._door.reading(0.2) as connection:
                await connection.execute(text("SELECT pg_sleep(60)"))
        async with found.connector._door.reading(WITHIN) as connection:
            still = text(
                "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' "
                "AND state = 'active' AND pid <> pg_backend_pid()"
            )
            assert (await connection.execute(still)).scalar_one() == 0


async def test_a_long_statement_on_sqlite_is_interrupted(province: Province) -> None:
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"
    async with asked(province, "sqlite") as found:
        with pytest.raises(TimedOut):
            async with found.connector._door.reading(0.3) as connection:
                await connection.execute(text(endless))
        assert (await found.ask(Kind.SCHOOL, ("name",), {}, page=Page(0, 1))).total == 44


async def test_wrong_credentials_are_refused_and_no_password_is_told(province: Province) -> None:
    async with asked(province, "postgresql", password_secret="not-the-password") as found:
        with pytest.raises(Refused) as caught:
            await found.connector.probe(WITHIN)
        said = f"{caught.value!r} {caught.value.__context__!r} {found.connector.settings!r}"
        said += f"{found.connector.database!r}"
        assert "not-the-password" not in said


async def test_a_server_that_is_gone_and_back_is_used_again(province: Province) -> None:
    async with asked(province, "sqlite") as found:
        kept = province.file.rename(province.folder / "away.db")
        with pytest.raises(Unavailable):
            await found.connector.probe(WITHIN)
        kept.rename(province.file)
        await found.connector.probe(WITHIN)


async def test_a_stopped_data_centre_leaves_nothing_behind(tmp_path: Path, province: Province) -> None:
    server = DataCentre()
    await server.start(tmp_path / "one", province.country)
    pid = server.pid
    assert pid is not None
    await server.stop()
    assert server.pid is None
    assert not os.path.exists(f"/proc/{pid}")  # noqa: ASYNC240 - the kernel's own file system
    assert not (tmp_path / "one" / "postgres").exists()


async def test_plain_numbers_stay_in_the_data_centre(centre: Asked, province: Province) -> None:
    pupil = province.pupil()
    where = {"match_key": [SEAL.match_key(pupil.roll_no)], "school_code": [pupil.school_code]}
    offers = centre.connector.capabilities.offers
    answer = await centre.ask(Kind.STUDENT_ROLL, tuple(offers[Kind.STUDENT_ROLL].fields), where)
    kept = repr([vars(index) for index in centre.connector._indexes.values()])
    told = orjson.dumps([one.values for one in answer.records]).decode() + kept
    assert pupil.resident_id not in told
    assert answer.records[0].values["match_key"] == SEAL.match_key(pupil.resident_id)


async def test_a_match_key_without_its_school_is_not_hunted_for(centre: Asked) -> None:
    with pytest.raises(Unanswerable):
        await centre.ask(Kind.STUDENT_ROLL, ROLL, {"match_key": ["anything"]})


async def test_a_mapped_column_that_is_not_there_is_named_as_the_owners_fault(province: Province) -> None:
    wrong = MAPPING.read_text("utf-8").replace('"XXMC"', '"XXMC_OLD"')
    (province.folder / "wrong.toml").write_text(wrong, "utf-8")
    for dialect in ("postgresql", "sqlite"):
        async with asked(province, dialect, mapping="wrong.toml") as found:
            with pytest.raises(Malformed, match="mapping"):
                await found.ask(Kind.SCHOOL, ("name",), {"key": ["2137010001"]})


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ('from = "JCXX0101"', 'from = "JCXX0101; DROP TABLE x"', "identifier"),
        ('name = "XXMC"', 'name = "XXMC\\" FROM x"', "identifier"),
        ('name = "XXMC"', 'nmae = "XXMC"', "name"),
        ("[kinds.School.fields]", "[kinds.Shool]\n[kinds.School.fields]", "School"),
        ('"JCXS0101.HKDZ"', '"JCXS0109.HKDZ"', "join"),
        ('by = ["match_key", "school_code"]', 'by = ["match_key"]', "school_code"),
        ('label = "ZWM"', 'label = "ZWM, 1"', "identifier"),
        ('order = "XH"', 'order = "XH DESC"', "identifier"),
        ('Dataset = ["name", "description"]', 'Dataset = ["nam"]', "name"),
        ('schools = ["public_schools", "private_schools"]', 'schools = ["secret_schools"]', "schools"),
    ],
)
def test_a_wrong_mapping_is_refused_with_line_cause_and_remedy(
    tmp_path: Path, right: str, wrong: str, said: str
) -> None:
    text_ = MAPPING.read_text("utf-8")
    assert right in text_
    (tmp_path / "wrong.toml").write_text(text_.replace(right, wrong, 1), "utf-8")
    options = SqlOptions(url="sqlite:none.db", mapping="wrong.toml")
    with pytest.raises(MappingRefused) as caught:
        Sql(Identity("sd-data", Level.PROVINCIAL, "370000"), options, Tools(Http(), SEAL, root=tmp_path))
    assert any(said in str(flaw) for flaw in caught.value.flaws)
    assert all(flaw.line > 1 and flaw.remedy for flaw in caught.value.flaws)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://reader:secret-word@host/db",
        "mysql://host/db",
        "postgresql://host",
        "sqlite:a.db?mode=rwc",
    ],
)
def test_an_address_that_will_not_do_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValueError, match="url") as caught:
        SqlOptions(url=url, mapping="m.toml")
    assert "secret-word" not in str(caught.value)


def test_files_outside_the_folder_of_sources_are_not_opened(tmp_path: Path) -> None:
    options = SqlOptions(url="sqlite:../../etc/passwd", mapping="sd-data.toml")
    (tmp_path / "sd-data.toml").write_text(MAPPING.read_text("utf-8"), "utf-8")
    with pytest.raises(ValueError, match="folder"):
        Sql(Identity("sd-data", Level.PROVINCIAL, "370000"), options, Tools(Http(), SEAL, root=tmp_path))
