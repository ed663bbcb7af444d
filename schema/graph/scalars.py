"""Scalars that are texts of a fixed form: checked on the way in, passed on as they are on the way out."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

from schema.model.words import Date, DateTime, RegionCode, SchoolYear, YearMonth

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})", re.ASCII)
_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])", re.ASCII)
_YEARS = re.compile(r"(\d{4})-(\d{4})", re.ASCII)
_REGION = re.compile(r"\d{6}", re.ASCII)


def _date(text: str) -> bool:
    return bool(_DATE.fullmatch(text)) and date.fromisoformat(text).year > 0


def _moment(text: str) -> bool:
    return bool(_MOMENT.fullmatch(text)) and datetime.fromisoformat(text).tzinfo is not None


def _month(text: str) -> bool:
    return bool(_MONTH.fullmatch(text)) and int(text[:4]) > 0


def _years(text: str) -> bool:
    match = _YEARS.fullmatch(text)
    return match is not None and int(match[2]) == int(match[1]) + 1


def _checked(name: str, example: str, good: Callable[[str], bool]) -> Callable[[Any], str]:
    """A parser that raises a GraphQL error naming the form and an example, never quoting what came in."""

    def parse(value: Any) -> str:
        try:
            if isinstance(value, str) and good(value):
                return value
        except ValueError:
            pass
        raise GraphQLError(f"{name} 的格式应如 {example} / {name} is written like {example}")

    return parse


def _scalar(name: str, zh: str, en: str, example: str, good: Callable[[str], bool]) -> ScalarDefinition:
    return strawberry.scalar(
        name=name,
        description=f"{zh}，如 `{example}`。{en}, e.g. `{example}`.",
        serialize=str,
        parse_value=_checked(name, example, good),
    )


SCALARS: dict[object, ScalarDefinition] = {
    Date: _scalar("Date", "日历日期", "ISO 8601 calendar date", "2026-09-01", _date),
    DateTime: _scalar(
        "DateTime", "带时区的时刻", "RFC 3339 moment with offset", "2026-09-01T08:00:00+08:00", _moment
    ),
    YearMonth: _scalar("YearMonth", "年月", "Month", "2026-09", _month),
    SchoolYear: _scalar("SchoolYear", "学年", "School year", "2026-2027", _years),
    RegionCode: _scalar(
        "RegionCode",
        "区划代码：GB/T 2260 六位，或本平台为功能区所设的六位代码",
        "Region code: six digits of GB/T 2260, or the hub's own six for functional zones",
        "371500",
        lambda text: bool(_REGION.fullmatch(text)),
    ),
}
"""The model's text types -> how GraphQL reads and writes them."""
