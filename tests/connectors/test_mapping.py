"""Mapping files: what they say is done, what is wrong in them is told all at once with its line."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.mapping import (
    KindMapping,
    MappingRefused,
    Reading,
    Remarks,
    Unfit,
    load_mapping,
    mapping_schema,
)
from connectors.mapping.convert import CHINA, moment, number, number_of_person, plain_text
from connectors.seal import Seal
from connectors.tables.shapes import TablesDocument
from schema.model.words import Kind

Kinds = dict[Kind, tuple[KindMapping, ...]]
SEAL = Seal(b"a key of the hub, for tests only!")
GOOD = """
[kinds.School]
from = "xx"
key = "xxdm"
by = ["region_code"]
updated_at = { from = "gxsj", date = "%Y%m%d%H%M%S" }
[kinds.School.fields]
name = "xxmc"
stages = { from = "xd", codes = { "小学" = "PRIMARY", "初中" = "JUNIOR" }, split = "," }
school_type = { from = "lx", codes = "schoolTypes" }
is_private = { from = "mb", codes = { "1" = true, "2" = false } }
region_code = { from = "qx", codes = { "茌平县" = "371503", "茌平区" = "371503" } }
directly_under = { const = "COUNTY" }
student_count = "xss"

[kinds.SchoolFacility]
from = "ss"
key = ["xxdm", "nf"]
only = { zt = ["1", "启用"] }
[kinds.SchoolFacility.fields]
uplink_mbps = { from = "ck", factor = 1000 }

[[kinds.Person]]
from = "xs"
key = { from = "xjh", seal = true }
[kinds.Person.fields]
match_key = { from = "xjh", seal = true }
person_key = { from = "xjh", seal = true, own = true }
resident_id_masked = { from = "sfzjh", mask = true }
class_keys = { from = "bjid", own = true }
birth_date = { from = "csrq", date = "%Y%m%d" }
display_name = "xm"
[[kinds.Person]]
from = "js"
key = "gh"
[kinds.Person.fields]
display_name = "xm"

[kinds.HomeworkStat]
from = "zy"
key = ["qhdm", "yf"]
[kinds.HomeworkStat.fields]
period = { from = "yf", date = "%Y%m" }

[kinds.Resource]
from = "zy"
key = "id"
[kinds.Resource.fields]
files = { from = "wj", fields = { format = "gs", size = "dx" } }
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "m.toml"
    path.write_text(text, "utf-8")
    return path


@pytest.fixture
def kinds(tmp_path: Path) -> Kinds:
    return load_mapping(written(tmp_path, GOOD)).kinds


def read(mapping: KindMapping, native: dict[str, Any]) -> tuple[Reading | None, tuple[str, ...]]:
    remarks = Remarks(mapping.kind)
    reader = mapping.reader(lambda name: lambda row: row.get(name), lambda local: f"src:{local}", SEAL)
    return reader(native, mapping.fields, remarks), remarks.lines()


def test_a_native_school_becomes_ours(kinds: Kinds) -> None:
    native = {"xxdm": 2137060001, "xxmc": " 样例小学 ", "xd": "小学,初中", "lx": "小学", "mb": 2,
              "qx": "茌平县", "xss": "１.2万", "gxsj": "20261122080000"}  # fmt: skip
    found, remarks = read(kinds[Kind.SCHOOL][0], native)
    assert found == Reading(
        "2137060001", "2137060001",
        {"name": "样例小学", "stages": ["PRIMARY", "JUNIOR"], "school_type": "211", "is_private": False,
         "region_code": "371503", "directly_under": "COUNTY", "student_count": 12000},
        "2026-11-22T08:00:00+08:00",
    )  # fmt: skip
    assert remarks == ()


def test_what_does_not_fit_is_absent_and_remarked_without_its_value(kinds: Kinds) -> None:
    found, remarks = read(kinds[Kind.SCHOOL][0], {"xxdm": "1", "xd": "小学,秘密", "xss": "很多", "xxmc": []})
    assert found is not None
    assert found.values == {"directly_under": "COUNTY"}
    assert len(remarks) == 3
    assert "秘密" not in "".join(remarks)
    assert "很多" not in "".join(remarks)


def test_a_record_without_its_key_is_left_out(kinds: Kinds) -> None:
    found, remarks = read(kinds[Kind.SCHOOL][0], {"xxmc": "样例"})
    assert found is None
    assert remarks == ("School.key（×1）：缺少主键 / the key is missing",)


def test_numbers_of_persons_leave_only_sealed_or_masked(kinds: Kinds) -> None:
    roll, plain = "G999999201209010015", "999999201209010015"
    native = {"xjh": roll, "sfzjh": plain, "bjid": "b1", "csrq": "20120901", "xm": plain}
    found, remarks = read(kinds[Kind.PERSON][0], native)
    sealed = SEAL.match_key(plain)
    assert found is not None
    assert found.key == found.values["person_key"] == f"src:{sealed}"
    assert found.values["match_key"] == found.local_id == sealed
    assert found.values["resident_id_masked"] == "9999************15"
    assert found.values["class_keys"] == ["src:b1"]
    assert "display_name" not in found.values
    assert plain not in str(found) + "".join(remarks)
    assert read(kinds[Kind.PERSON][1], {"gh": plain, "xm": "样例"})[0] is None


def test_rows_of_another_sort_and_keys_of_several_parts(kinds: Kinds) -> None:
    facility = kinds[Kind.SCHOOL_FACILITY][0]
    assert read(facility, {"xxdm": "1", "nf": 2026, "zt": "停用", "ck": "0.2"}) == (None, ())
    found, _ = read(facility, {"xxdm": "1", "nf": 2026, "zt": 1, "ck": "0.2"})
    assert found == Reading("src:1~2026", "1~2026", {"uplink_mbps": 200.0})
    assert facility.local_key("1~2026") == ("1", "2026")
    assert facility.local_key("1") is None


def test_parts_of_a_list_are_read_each(kinds: Kinds) -> None:
    resource = kinds[Kind.RESOURCE][0]
    found, _ = read(resource, {"id": "1", "wj": [{"gs": "pdf", "dx": "12"}, {}]})
    assert found is not None
    assert found.values["files"] == [{"format": "pdf", "size": 12}]
    found, remarks = read(resource, {"id": "1", "wj": [{"gs": "pdf", "dx": "?"}]})
    assert found is not None
    assert found.values == {}
    assert len(remarks) == 1


def test_a_filter_of_ours_turns_into_native_values(kinds: Kinds) -> None:
    school = kinds[Kind.SCHOOL][0]
    assert school.native("region_code", "371503", "src") == ("茌平县", "茌平区")
    assert school.native("stages", "SENIOR", "src") == ()
    assert school.native("is_private", "true", "src") == ("1",)
    assert school.native("directly_under", "COUNTY", "src") is None
    assert school.native("directly_under", "SCHOOL", "src") == ()
    person = kinds[Kind.PERSON][0]
    assert person.native("class_keys", "src:b1", "src") == ("b1",)
    assert person.native("class_keys", "other:b1", "src") == ()
    assert person.native("match_key", "x", "src") is None
    assert person.native("birth_date", "2012-09-01", "src") == ("20120901",)
    assert kinds[Kind.HOMEWORK_STAT][0].native("period", "2026-11", "src") == ("202611",)


def test_only_what_is_wanted_is_pushed_down(kinds: Kinds) -> None:
    assert kinds[Kind.SCHOOL][0].natives(["name", "directly_under"]) == {"xxdm", "xxmc", "gxsj"}
    assert kinds[Kind.SCHOOL_FACILITY][0].natives([]) == {"xxdm", "nf", "zt"}


BAD = """[kinds.Scool]
from = "xx"
key = "xxdm"
fields = { name = "a" }

[kinds.School]
from = "xx"
kee = "xxdm"
by = ["nam"]
[kinds.School.fields]
nam = "xxmc"
"stages" = { from = "xd", codes = "stage", split = "," }
student_count = { form = "n", factor = "a" }
is_private = { from = "x", codes = { "a" = "b" } }
directly_under = { const = "CITY" }
name = { from = "a", const = "b" }
address = { from = "a", split = "," }
class_count = { from = "a", seal = true }

[[kinds.Person]]
from = "js"
key = "gh"
[kinds.Person.fields]
display_name = "xm"
[[kinds.Person]]
from = "js"
key = "gh"
[kinds.Person.fields]
match_key = "xjh"
resident_id_masked = "sfzjh"
birth_date = { from = "a", date = "isso" }
"""


def test_a_wrong_mapping_is_refused_with_every_fault_line_and_remedy(tmp_path: Path) -> None:
    with pytest.raises(MappingRefused) as caught:
        load_mapping(written(tmp_path, BAD))
    flaws, text = caught.value.flaws, str(caught.value)
    assert {flaw.line for flaw in flaws} == {1, 6, 8, 11, 12, 13, 14, 15, 16, 17, 18, 29, 30, 31}
    for remedy in ("School?", "key?", "stages?", "from?", "iso?", "seal = true", "mask = true"):
        assert remedy in text, remedy
    assert caught.value.file == "m.toml"
    assert (caught.value.line, caught.value.cause.split(":")[0]) == (1, "kinds.Scool")
    for line, where in ((11, "fields.nam"), (12, "fields.stages.codes"), (29, "Person.1.fields.match_key")):
        assert any(flaw.line == line and where in flaw.cause for flaw in flaws), where


@pytest.mark.parametrize(
    ("data", "line"),
    [(b"[kinds.School\nfrom", 1), (b"\xff\xfe", 1), (b"a = 1\nb = \n", 2), (b"# " + b"x" * 2**20, 1)],
)
def test_what_is_no_toml_is_refused_with_its_line(tmp_path: Path, data: bytes, line: int) -> None:
    path = tmp_path / "m.toml"
    path.write_bytes(data)
    with pytest.raises(MappingRefused) as caught:
        load_mapping(path)
    assert caught.value.line == line


def test_a_missing_file_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(MappingRefused, match="cannot be opened"):
        load_mapping(tmp_path / "none.toml")


def test_the_schema_describes_what_is_accepted() -> None:
    schema = mapping_schema(TablesDocument)
    assert schema["$defs"]["FieldRule"]["additionalProperties"] is False
    assert {"from", "codes", "seal", "own"} <= schema["$defs"]["FieldRule"]["properties"].keys()
    assert set(schema["$defs"]["TablesDocument"]["required"]) == {"kinds", "sheets"}
    assert msgspec.json.encode(schema)


@pytest.mark.parametrize(
    ("value", "form", "told"),
    [
        ("2026-11-22 08:00:00", "%Y-%m-%d %H:%M:%S", "2026-11-22T08:00:00+08:00"),
        (1795305600000, "epoch_ms", "2026-11-22T08:00:00+08:00"),
        ("1795305600", "epoch_s", "2026-11-22T08:00:00+08:00"),
        ("2024-12-04T12:05:23.797+0800", "iso", "2024-12-04T12:05:23+08:00"),
        ("2026-11-22T00:00:00Z", "iso", "2026-11-22T00:00:00+00:00"),
        (46348.5, "serial", "2026-11-22T12:00:00+08:00"),
        ("２０１６年５月４日", "any", "2016-05-04T00:00:00+08:00"),
        (date(2016, 5, 4), "any", "2016-05-04T00:00:00+08:00"),
        (datetime(2016, 5, 4, 8, tzinfo=CHINA), "iso", "2016-05-04T08:00:00+08:00"),
    ],
)
def test_moments_are_read_in_chinas_time_unless_they_say_another(value: Any, form: str, told: str) -> None:
    assert moment(value, form).isoformat(timespec="seconds") == told


@pytest.mark.parametrize("value", ["2016-02-30", "昨天", True, float("nan"), 1e300, "9" * 40, "2016年13月"])
@pytest.mark.parametrize("form", ["iso", "any", "epoch_ms", "serial", "%Y-%m-%d"])
def test_what_is_no_date_is_refused(value: Any, form: str) -> None:
    with pytest.raises(Unfit):
        moment(value, form)


@pytest.mark.parametrize(
    ("value", "told"),
    [("1,200", 1200), ("１．５万", 15000), ("3亿", 300_000_000), ("96%", 0.96), (Decimal("1.5"), 1.5),
     ("", None), (" ", None), (None, None), (12.0, 12), ("-3", -3)],
)  # fmt: skip
def test_numbers_are_read_as_clerks_write_them(value: Any, told: object) -> None:
    assert number(value) == told


@pytest.mark.parametrize("value", ["1 2", "一百", "1e5", "0x10", float("inf"), True, [], "1.2.3", "9" * 70])
def test_what_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(Unfit):
        number(value)


@pytest.mark.parametrize("value", [1e17, 9.99999201209010e17, "9.99999E+17", "1e+18", "123456789012345000"])
def test_a_number_that_lost_its_digits_is_refused(value: Any) -> None:
    with pytest.raises(Unfit):
        number_of_person(value)


ANYTHING = st.one_of(
    st.text(), st.integers(), st.floats(), st.booleans(), st.none(), st.lists(st.text()), st.binary()
)


@given(ANYTHING)
def test_whatever_comes_is_converted_or_refused_and_nothing_else(value: Any) -> None:
    for convert in (number, plain_text, number_of_person, lambda v: moment(v, "any")):
        try:
            convert(value)
        except Unfit:
            continue
