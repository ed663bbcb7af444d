"""Words for the sources themselves: platforms, provenance and health."""

from __future__ import annotations

from typing import Annotated

from schema.model.codes import LEVELS, Level
from schema.model.privacy import PrivacyClass
from schema.model.words import DateTime, Link, RegionCode, Word, said

PUBLIC, INTERNAL, PERSONAL, SENSITIVE = PrivacyClass


class SourceInfo(Word, zh="来源", en="Provenance of a record", privacy=PUBLIC, authority=LEVELS):
    """Where a record came from, and how old it is."""

    source: Annotated[str, said("来源代码", "Code of the source")]
    source_name: Annotated[str, said("来源名称", "Name of the source")]
    level: Annotated[Level, said("级别", "Level")]
    protocol: Annotated[str, said("协议", "Protocol")]
    local_id: Annotated[str, said("来源内标识", "Id at the source", INTERNAL)]
    fetched_at: Annotated[DateTime, said("取得时间", "Fetched at")]
    updated_at: Annotated[DateTime, said("来源更新时间", "Updated at the source")]
    age_seconds: Annotated[float, said("距取得的秒数", "Seconds since it was fetched")]
    stale: Annotated[bool, said("是否过期副本", "Whether a remembered copy past its freshness")]
    fields: Annotated[list[str], said("由其提供的字段", "Fields whose value it gave")]


class Contradiction(Word, zh="不一致", en="Contradiction between levels", privacy=INTERNAL, authority=LEVELS):
    """Two sources disagree: the losing value stays visible to those who may see it."""

    field: Annotated[str, said("字段", "Field")]
    source: Annotated[str, said("来源代码", "Source of the losing value")]
    level: Annotated[Level, said("级别", "Its level")]
    value: Annotated[str, said("未采用的值", "The value that was not taken, as text")]
    kept: Annotated[str, said("采用的值", "The value that was taken, as text")]
    kept_source: Annotated[str, said("采用的来源", "Source of the value taken")]
    updated_at: Annotated[DateTime, said("来源更新时间", "Updated at its source")]


class SourceHealth(Word, zh="来源状态", en="Health of a source", privacy=PUBLIC, authority=LEVELS):
    """How a source has answered lately."""

    state: Annotated[str, said("状态：up、failing、down、unknown", "State: up, failing, down, unknown")]
    last_success_at: Annotated[DateTime, said("最近成功", "Last success")]
    last_error_code: Annotated[str, said("最近错误", "Code of the last error")]
    last_error_at: Annotated[DateTime, said("最近错误时间", "Time of the last error")]
    answered: Annotated[int, said("成功次数", "Answers since start")]
    failed: Annotated[int, said("失败次数", "Failures since start")]
    median_ms: Annotated[float, said("中位耗时（毫秒）", "Median answer time in ms", INTERNAL)]


class Platform(Word, zh="平台", en="Platform", privacy=PUBLIC, authority=LEVELS):
    """A joined source as the registry knows it."""

    code: Annotated[str, said("代码", "Code")]
    name: Annotated[str, said("名称", "Name")]
    name_en: Annotated[str, said("英文名称", "English name")]
    level: Annotated[Level, said("级别", "Level")]
    region_code: Annotated[RegionCode, said("区划代码", "Region code")]
    protocol: Annotated[str, said("协议", "Protocol")]
    kinds: Annotated[list[str], said("提供的类型", "Kinds it offers")]
    operator: Annotated[str, said("运营单位", "Operator")]
    processor: Annotated[str, said("受托处理方", "Entrusted processor, PIPL art. 21", INTERNAL)]
    region: Annotated[Link, said("区划", "Its region")]
    health: Annotated[Link, said("状态", "Its health")]
