"""A county's tables in a folder: the contract, the habits of clerks, and files that are traps."""

from __future__ import annotations

import asyncio
import os
import shutil
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from connectors.base import Identity, Tools
from connectors.errors import Malformed, Unavailable
from connectors.http import Http
from connectors.mapping import MappingRefused
from connectors.sandbox.country import Country
from connectors.sandbox.tables import write
from connectors.seal import Seal, check_digit
from connectors.tables import Tables, TablesOptions
from schema.model.codes import Level
from schema.model.record import Answer, Lookup, lookup
from schema.model.words import Kind
from tests.contracts.connector import ConnectorContract, HandClock, Joined

DEMO = Path(__file__).parents[2] / "docker" / "demo"
SEAL = Seal(b"a key of the hub, for tests only!")
COUNTY = Identity("c371524-tables", Level.COUNTY, "371524")
WITHIN = 10.0
GARBAGE = {"garbage": b'\x00\xff{"half":', "html": "<html><body>维护中</body></html>".encode()}


@pytest.fixture(scope="module")
def country() -> Country:
    return Country(today=date(2026, 11, 22))


@pytest.fixture
async def county(country: Country, tmp_path: Path) -> AsyncIterator[Tables]:
    write(tmp_path / "drop", country, "371524")
    shutil.copy(DEMO / "c371524-tables.toml", tmp_path)
    async with Http() as http:
        options = TablesOptions(folder="drop", mapping="c371524-tables.toml")
        tables = Tables(COUNTY, options, Tools(http, SEAL, tmp_path, HandClock()))
        yield tables
        await tables.aclose()


def questions(country: Country) -> list[Lookup]:
    school = country.schools_of("371524")[0]
    group = country.classes(school)[0]
    pupil = country.pupils(group)[0]
    lesson = next(c for c in country.chapters(country.focus_textbook) if c.parent_id)
    here = {"school_code": [school.code]}
    group_key = f"c371524-tables:{group.key}"
    return [
        lookup(Kind.PERSON, ["display_name"], {**here, "match_key": [SEAL.match_key(pupil.roll_no)]}),
        lookup(Kind.SCHOOL, ["name", "stages"], {"region_code": ["371524"]}),
        lookup(Kind.SCHOOL_FACILITY, ["uplink_mbps"], here),
        lookup(Kind.CLASS_GROUP, ["name", "grade_code"], here),
        lookup(Kind.PERSON, ["display_name", "birth_date", "roles"], here),
        lookup(Kind.ENROLLMENT, ["person_key", "role"], {"class_key": [group_key]}),
        lookup(Kind.RESOURCE, ["title"], {"chapter_keys": [lesson.id]}),
        lookup(Kind.RESOURCE, ["title", "downloads"], text="小数"),
        lookup(Kind.HONOUR, ["title"], {"region_code": ["371524"]}),
        lookup(Kind.METRIC, ["value"], {"region_code": ["371524"], "period": ["2026-11"]}),
    ]


async def test_every_school_says_how_long_it_goes_on_and_whose_an_honour_is(
    county: Tables, country: Country
) -> None:
    here = {"region_code": ["371524"]}
    schools = await county.look_up(lookup(Kind.SCHOOL, ["schooling_system"], here), WITHIN)
    told = {record.key: record.values["schooling_system"] for record in schools.records}
    assert told == {school.code: school.system for school in country.schools_of("371524")}
    assert {"S63", "S54", "S9"} <= set(told.values())
    honours = await county.look_up(lookup(Kind.HONOUR, ["school_code"], here), WITHIN)
    assert {record.values["school_code"] for record in honours.records} == {
        honour.school_code for honour in country.honours() if honour.region_code == "371524"
    }


class TestTables(ConnectorContract):
    @pytest.fixture
    async def joined(self, county: Tables, country: Country, tmp_path: Path) -> Joined:
        modes = frozenset({"dead", "garbage", "html"})
        return Joined(county, questions(country), breaker(tmp_path / "drop", country), modes)


def breaker(folder: Path, country: Country) -> Callable[[str], Awaitable[None]]:
    async def break_with(mode: str) -> None:
        if mode == "dead":
            shutil.rmtree(folder)
        elif mode == "ok":
            write(folder, country, "371524")
        else:
            for path in await asyncio.to_thread(lambda: list(folder.iterdir())):
                path.write_bytes(GARBAGE[mode])

    return break_with


async def test_every_pupil_is_told_as_the_country_knows_them(county: Tables, country: Country) -> None:
    school = country.schools_of("371524")[1]
    fields = ["display_name", "birth_date", "gender", "class_keys", "match_key", "resident_id_masked"]
    answer = await county.look_up(lookup(Kind.PERSON, fields, {"school_code": [school.code]}), WITHIN)
    told = {r.values["match_key"]: r.values for r in answer.records}
    pupils = [p for group in country.classes(school) for p in country.pupils(group)]
    assert len(answer.records) == len(pupils) + len(country.teachers(school))
    for pupil in pupils:
        values = told[SEAL.match_key(pupil.roll_no)]
        assert (values["display_name"], values["birth_date"]) == (pupil.name, pupil.birth_date)
        assert values["gender"] == pupil.sex
        assert values["class_keys"] == [county.key(pupil.class_key)]
        assert ("resident_id_masked" in values) == bool(pupil.resident_id)


async def test_a_teacher_of_three_classes_is_enrolled_in_each(county: Tables, country: Country) -> None:
    teacher = country.teachers(country.schools_of("371524")[0])[3]
    mine = {"person_key": [county.key(teacher.staff_no)]}
    answer = await county.look_up(lookup(Kind.ENROLLMENT, ["class_key"], mine), WITHIN)
    assert {r.values["class_key"] for r in answer.records} == {county.key(k) for k in teacher.class_keys}


async def test_a_number_eaten_by_its_format_and_a_row_told_twice_are_left_out_with_the_reason(
    county: Tables, country: Country
) -> None:
    answer = await county.look_up(lookup(Kind.PERSON, ["match_key"], {"region_code": ["371524"]}), WITHIN)
    schools = country.schools_of("371524")
    pupils = sum(len(country.pupils(g)) for s in schools for g in country.classes(s))
    staff = sum(len(country.teachers(s)) for s in schools)
    assert answer.total == pupils + staff
    text = "\n".join(answer.remarks)
    assert "2 行未收，原因 2 种" in text
    assert "学生花名册.csv 列“学籍号”：号码已被数字格式损坏" in text
    assert f"1 行：{pupils + 3}；" in text
    assert "9.99999" not in text


async def test_files_are_read_again_only_when_they_changed(county: Tables, tmp_path: Path) -> None:
    everyone = lookup(Kind.METRIC, ["value"], {"region_code": ["371524"]})
    first = await county.look_up(everyone, WITHIN)
    path = tmp_path / "drop" / "荣誉与指标.xlsx"
    state = path.stat()
    path.write_bytes(b"x" * state.st_size)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert (await county.look_up(everyone, WITHIN)).records[0].values == first.records[0].values
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    with pytest.raises(Malformed):
        await county.look_up(everyone, WITHIN)


# One file at a time

ONE = """
[sheets.rows]
files = "名单.*"
[kinds.Person]
from = "rows"
key = "编号"
by = ["school_code"]
[kinds.Person.fields]
display_name = "姓名"
birth_date = { from = "出生日期", date = "any" }
match_key = { from = "学籍号", seal = true }
school_code = "学校代码"
[kinds.SchoolFacility]
from = "rows"
key = "编号"
[kinds.SchoolFacility.fields]
student_computers = "台数"
"""
HEADS = ["姓名", "编号", "学籍号", "生日", "学校编码"]


async def read(folder: Path, kind: Kind = Kind.PERSON) -> Answer:
    (folder / "m.toml").write_text(ONE, "utf-8")
    fields = {Kind.PERSON: ["display_name", "birth_date", "match_key", "school_code"]}
    async with Http() as http:
        tables = Tables(COUNTY, TablesOptions(folder=".", mapping="m.toml"), Tools(http, SEAL, folder))
        try:
            return await tables.look_up(lookup(kind, fields.get(kind, ["student_computers"])), WITHIN)
        finally:
            await tables.aclose()


def sheet(folder: Path, rows: list[list[Any]], name: str = "名单.xlsx") -> Path:
    with xlsxwriter.Workbook(str(folder / name)) as book:
        page = book.add_worksheet()
        for number, row in enumerate(rows):
            page.write_row(number, 0, row)
    return folder / name


@pytest.mark.parametrize(
    "number", [999999201209010015, 9.9999920120901e17, "9.99999E+17", "999999201209010000"]
)
async def test_a_number_that_lost_digits_is_never_sealed(tmp_path: Path, number: Any) -> None:
    rows = [["样例甲", "1", number, 42000, "2137060001"], ["样例乙", "2", "J1", 42000, "x"]]
    sheet(tmp_path, [HEADS, *rows])
    answer = await read(tmp_path)
    assert [r.values["display_name"] for r in answer.records] == ["样例乙"]
    assert "名单.xlsx《Sheet1》 列“学籍号”" in answer.remarks[1]
    assert "1 行：2；" in answer.remarks[1]
    assert "99999" not in "".join(answer.remarks)


async def test_a_flawless_number_may_end_in_zeros(tmp_path: Path) -> None:
    first = next(f for f in (f"999999201209{day:02d}100" for day in range(1, 31)) if check_digit(f) == "0")
    sheet(tmp_path, [HEADS, ["样例", "1", f"{first}0", 42000, "s"]])
    assert (await read(tmp_path)).records[0].values["match_key"] == SEAL.match_key(f"{first}0")


@pytest.mark.parametrize(
    "written",
    [42494, 42494.0, "2016/5/4", "2016年5月4日", "20160504", 20160504, "２０１６-０５-０４", "2016.5.4"],
)
async def test_a_day_is_the_same_day_however_it_is_written(tmp_path: Path, written: Any) -> None:
    sheet(tmp_path, [["花名册"], [], HEADS, ["样例", "1", "J1", written, "2137060001"]])
    assert (await read(tmp_path)).records[0].values["birth_date"] == "2016-05-04"


async def test_a_day_that_is_none_is_left_blank_and_said_where(tmp_path: Path) -> None:
    sheet(tmp_path, [HEADS, *([f"样例{n}", str(n), f"J{n}", "2016/13/45", "s"] for n in range(9))])
    answer = await read(tmp_path)
    assert len(answer.records) == 9
    assert all("birth_date" not in r.values for r in answer.records)
    assert answer.remarks == (
        "名单.xlsx《Sheet1》 列“出生日期”：不是可识别的日期 / not a date that can be read"
        "（9 行：2、3、4、5、6…；该项留空 / cell ignored）",
    )


async def test_a_key_that_is_a_persons_number_is_not_taken(tmp_path: Path) -> None:
    sheet(tmp_path, [HEADS, ["样例", "999999201209010015", "J1", 42494, "s"]])
    answer = await read(tmp_path)
    assert answer.records == ()
    assert "neither sealed nor masked" in "".join(answer.remarks)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
async def test_a_csv_is_read_in_either_encoding_and_totals_are_no_rows(tmp_path: Path, encoding: str) -> None:
    text = "设施表\n编 号＊;备注;台数（台）\nA1;;１．５万\n;;\nA2;;1,200\n合 计;;16200\n"
    (tmp_path / "名单.csv").write_bytes(text.encode(encoding))
    answer = await read(tmp_path, Kind.SCHOOL_FACILITY)
    told = [(r.local_id, r.values["student_computers"]) for r in answer.records]
    assert told == [("A1", 15000), ("A2", 1200)]


async def test_a_formula_is_never_run_only_its_stored_value_is_read(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(str(tmp_path / "名单.xlsx")) as book:
        page = book.add_worksheet()
        page.write_row(0, 0, ["编号", "台数"])
        page.write_string(1, 0, "A1")
        page.write_formula(1, 1, "=1+1", value=77)
    assert (await read(tmp_path, Kind.SCHOOL_FACILITY)).records[0].values == {"student_computers": 77}


async def test_a_workbook_that_unpacks_beyond_belief_is_refused_unopened(tmp_path: Path) -> None:
    path = sheet(tmp_path, [HEADS])
    data = path.read_bytes()
    at = data.index(b"PK\x01\x02") + 24  # the first size in the central directory (APPNOTE 4.3.12)
    path.write_bytes(data[:at] + (500 * 1024 * 1024).to_bytes(4, "little") + data[at + 4 :])
    with pytest.raises(Malformed, match="unpacks"):
        await read(tmp_path)


async def test_a_sheet_that_spans_a_universe_of_empty_cells_is_refused(tmp_path: Path) -> None:
    path = sheet(tmp_path, [HEADS])
    with zipfile.ZipFile(path) as pack:
        parts = {name: pack.read(name) for name in pack.namelist()}
    far = b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
    name = "xl/worksheets/sheet1.xml"
    parts[name] = parts[name].replace(b"</sheetData>", far)
    with zipfile.ZipFile(path, "w") as pack:
        for part, data in parts.items():
            pack.writestr(part, data)
    with pytest.raises(Malformed, match="rows"):
        await read(tmp_path)


async def test_a_file_without_the_key_column_is_malformed_and_a_missing_one_unavailable(
    tmp_path: Path,
) -> None:
    with pytest.raises(Unavailable):
        await read(tmp_path)
    sheet(tmp_path, [["姓名", "备注"], ["样例", "x"]])
    with pytest.raises(Malformed, match="编号"):
        await read(tmp_path)


async def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    inner = tmp_path / "in"
    inner.mkdir()
    (inner / "名单.xlsx").symlink_to(sheet(tmp_path, [HEADS, ["样例", "1", "J1", 42494, "s"]]))
    with pytest.raises(Unavailable):
        await read(inner)


def test_a_folder_outside_the_configuration_and_an_unknown_sheet_are_refused(tmp_path: Path) -> None:
    tools = Tools(Http(), SEAL, tmp_path)
    with pytest.raises(ValueError, match="outside"):
        Tables(COUNTY, TablesOptions(folder="..", mapping="m.toml"), tools)
    (tmp_path / "m.toml").write_text(ONE.replace('from = "rows"', 'from = "row"', 1), "utf-8")
    with pytest.raises(MappingRefused, match="did you mean rows"):
        Tables(COUNTY, TablesOptions(folder=".", mapping="m.toml"), tools)


async def test_a_row_is_as_fresh_as_the_last_look_at_its_file(county: Tables, country: Country) -> None:
    clock, asked = county.tools.now, questions(country)[1]
    assert isinstance(clock, HandClock)
    await county.look_up(asked, WITHIN)
    clock.ahead += 50.0
    before = clock()
    again = await county.look_up(asked, WITHIN)
    assert all(before <= record.fetched_at <= clock() for record in again.records)
