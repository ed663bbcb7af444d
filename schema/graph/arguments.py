"""Arguments that many fields share, described once, and the spans of time they mean."""

import re
from datetime import date, datetime, timedelta, timezone
from typing import Annotated, Any

import strawberry

from schema.graph.refusals import BadArgument
from schema.graph.words import both
from schema.model.codes import Level, Stage
from schema.model.words import Date, DateTime, RegionCode, SchoolYear, YearMonth

CHINA = "+08:00"
LAST_YEAR = 9999


def said(zh: str, en: str) -> object:
    """A described argument."""
    return strawberry.argument(description=both(zh, en))


First = Annotated[int, said("每页条数，至多 500", "How many on a page, 500 at most")]
After = Annotated[str | None, said("上一页的 endCursor", "The last page's endCursor")]
InRegion = Annotated[RegionCode, said("区划代码，含其下各级", "Region code; regions below are included")]
ThisRegion = Annotated[
    RegionCode,
    said("区划代码，只限该区划本身，不含其下各级", "Region code; this very region, none of those below"),
]
MaybeRegion = Annotated[RegionCode | None, said("区划代码，含其下各级", "Region code; those below included")]
AtLevel = Annotated[Level | None, said("级别", "Level")]
AtLevels = Annotated[list[Level] | None, said("只问这些级别的来源", "Ask only sources of these levels")]
OfStage = Annotated[Stage | None, said("学段", "Stage of schooling")]
OfSubject = Annotated[str | None, said("学科代码", "Code of the subject")]
OfGrade = Annotated[str | None, said("年级代码，如 G05", "Code of the grade, e.g. G05")]
OfVersion = Annotated[str | None, said("教材版本，如 统编版", "Textbook version, e.g. 统编版")]
OfVolume = Annotated[str | None, said("册次", "Volume")]
InMonth = Annotated[YearMonth | None, said("月份；缺省为本月", "Month; this month unless given")]
FromDay = Annotated[Date | None, strawberry.argument(name="from", description=both("起始日期", "First day"))]
ToDay = Annotated[Date | None, said("截止日期，含当日", "Last day, included")]
OfCategory = Annotated[str | None, said("类别", "Category, as the sources name it")]
InPeriod = Annotated[
    str, said("时段：2026-11、2026 或 2026-2027", "Period: a month 2026-11, a year 2026, or 2026-2027")
]
OfYear = Annotated[SchoolYear | None, said("学年", "School year")]
SomeText = Annotated[str | None, said("检索词", "Text to search for")]
Before = Annotated[DateTime | None, said("只要早于此刻的", "Only what is older than this moment")]
ById = Annotated[strawberry.ID, said("全局标识", "Global id")]


def month_span(month: str) -> dict[str, Any]:
    """`since` and `until` of a month in China's time: RFC 3339, until exclusive."""
    year, number = int(month[:4]), int(month[5:7])
    after = f"{year + number // 12:04d}-{number % 12 + 1:02d}"
    return _span(f"{month}-01", f"{after}-01" if year < LAST_YEAR else "")


def day_span(first: str | None, last: str | None) -> dict[str, Any]:
    """`since` and `until` of whole days in China's time, either end open; `BadArgument` if it ends first."""
    if first and last and last < first:
        raise BadArgument("to 早于 from；请对调", "to is before from: exchange them")
    ends = last if last and int(last[:4]) < LAST_YEAR else ""
    return _span(first or "", (date.fromisoformat(ends) + timedelta(days=1)).isoformat() if ends else "")


def _span(since: str, until: str) -> dict[str, Any]:
    # The calendar's first and last year are left open: no moment beyond them can be written in every offset.
    since = "" if since.startswith("0001") else since
    return {
        "since": f"{since}T00:00:00{CHINA}" if since else "",
        "until": f"{until}T00:00:00{CHINA}" if until else "",
    }


def period_of(text: str) -> str:
    """A period as sources name it: a month, a year or a school year; `BadArgument` for anything else."""
    if re.fullmatch(r"\d{4}(-(0[1-9]|1[0-2])|-\d{4})?", text, re.ASCII):
        return text
    raise BadArgument(
        "period 应写作 2026-11（月）、2026（年）或 2026-2027（学年）",
        "period is a month 2026-11, a year 2026 or a school year 2026-2027",
    )


def moment_of(text: str | None) -> datetime | None:
    """A moment of time as given; without an offset it is China's. `BadArgument` for anything else."""
    if text is None:
        return None
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise BadArgument("时间须为 RFC 3339 格式", "a moment is written as in RFC 3339") from None
    return given if given.tzinfo else given.replace(tzinfo=timezone(timedelta(hours=8)))
