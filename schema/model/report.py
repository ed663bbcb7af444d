"""Words for figures: statistics, metrics, honours."""

from __future__ import annotations

from typing import Annotated

from schema.model.codes import LEVELS, Level, MetricQualifier, Stage
from schema.model.privacy import PrivacyClass
from schema.model.words import Date, Kind, RegionCode, SchoolYear, Word, said

N, P, M, C, S = Level
PUBLIC = PrivacyClass.PUBLIC


class Statistics(
    Word, kind=Kind.STATISTICS, zh="教育统计", en="Statistics", privacy=PUBLIC, authority=(P, N)
):
    """A line of a statistical table; what does not add up is kept as printed, with a warning."""

    region_code: Annotated[RegionCode, said("区划代码", "Region code")]
    school_year: Annotated[SchoolYear, said("学年", "School year")]
    stage: Annotated[Stage, said("学段；空为合计", "Stage; null for the total")]
    schools: Annotated[int, said("学校数", "Schools")]
    public_schools: Annotated[int, said("公办学校数", "Public schools")]
    private_schools: Annotated[int, said("民办学校数", "Private schools")]
    students: Annotated[int, said("在校生数", "Pupils")]
    female_students: Annotated[int, said("女生数", "Girls")]
    staff: Annotated[int, said("教职工数", "Staff")]
    printed: Annotated[str, said("原文", "As printed")]
    warnings: Annotated[list[str], said("数据质量提示", "Data-quality warnings")]


class Metric(Word, kind=Kind.METRIC, zh="指标", en="Metric", privacy=PUBLIC, authority=LEVELS):
    """One printed or derived figure."""

    metric_key: Annotated[str, said("指标键", "Key of the figure")]
    label: Annotated[str, said("名称", "Name")]
    region_code: Annotated[RegionCode, said("区划代码", "Region code")]
    period: Annotated[str, said("时段", "Period")]
    value: Annotated[float, said("数值", "Value")]
    unit: Annotated[str, said("单位", "Unit")]
    qualifier: Annotated[MetricQualifier, said("精确、约数或下限", "Exact, rounded or lower bound")]
    printed: Annotated[str, said("原文", "As printed")]


class Honour(
    Word,
    kind=Kind.HONOUR,
    zh="荣誉",
    en="Honour",
    privacy=PUBLIC,
    authority=(N, P, M, C),
    same=(("doc_no", "title"), ("title", "level", "awarded_on")),
    apart=("region_code", "school_code"),
):
    """An award or pilot status, with its document. One document honours many: who is honoured tells apart."""

    title: Annotated[str, said("名称", "Title")]
    awarded_by: Annotated[str, said("授予单位", "Awarded by")]
    level: Annotated[Level, said("级别", "Level")]
    doc_no: Annotated[str, said("文号", "Document number")]
    awarded_on: Annotated[Date, said("日期", "Awarded on")]
    region_code: Annotated[RegionCode, said("区划代码", "Region code")]
    school_code: Annotated[str, said("学校标识码", "School code")]
