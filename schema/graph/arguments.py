"""Arguments that many fields share, described once, and the spans of time they mean."""

from datetime import date, timedelta
from typing import Annotated, Any

import strawberry

from schema.graph.words import both
from schema.model.codes import Level, Stage
from schema.model.words import Date, RegionCode, SchoolYear, YearMonth

CHINA = "+08:00"


def said(zh: str, en: str) -> object:
    """A described argument."""
    return strawberry.argument(description=both(zh, en))


First = Annotated[int, said("每页条数，至多 500", "How many on a page, 500 at most")]
After = Annotated[str | None, said("上一页的 endCursor", "The last page's endCursor")]
InRegion = Annotated[RegionCode, said("区划代码，含其下各级", "Region code; regions below are included")]
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
OfKind = Annotated[str | None, said("类别", "Kind, as the sources name it")]
InPeriod = Annotated[str, said("时段，如 2026-11", "Period, e.g. 2026-11")]
OfYear = Annotated[SchoolYear | None, said("学年", "School year")]
SomeText = Annotated[str | None, said("检索词", "Text to search for")]
ById = Annotated[strawberry.ID, said("全局标识", "Global id")]


def month_span(month: str) -> dict[str, Any]:
    """`since` and `until` of a month in China's time: RFC 3339, until exclusive."""
    year, number = int(month[:4]), int(month[5:7])
    after = f"{year + number // 12:04d}-{number % 12 + 1:02d}"
    return {"since": f"{month}-01T00:00:00{CHINA}", "until": f"{after}-01T00:00:00{CHINA}"}


def day_span(first: str | None, last: str | None) -> dict[str, Any]:
    """`since` and `until` of whole days in China's time, either end open."""
    until = (date.fromisoformat(last) + timedelta(days=1)).isoformat() if last and last < "9999" else ""
    return {
        "since": f"{first}T00:00:00{CHINA}" if first else "",
        "until": f"{until}T00:00:00{CHINA}" if until else "",
    }
