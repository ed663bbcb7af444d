"""Words for places: the region tree with validity dates and two hierarchies, geography and reporting."""

from __future__ import annotations

from typing import Annotated

from schema.model.codes import Level
from schema.model.privacy import PrivacyClass
from schema.model.words import Date, Kind, Link, RegionCode, Word, said

N, M, C = Level.NATIONAL, Level.MUNICIPAL, Level.COUNTY


class Region(
    Word, kind=Kind.REGION, shared=True, zh="区划", en="Region", privacy=PrivacyClass.PUBLIC, authority=(N,)
):
    """An administrative division or functional zone. Key: its code."""

    code: Annotated[
        RegionCode, said("代码，国标六位或本地代码", "Code: GB/T 2260, or hub-local when not official")
    ]
    gb_code: Annotated[str, said("国标代码；功能区为空", "GB/T 2260 code; null for functional zones")]
    official: Annotated[bool, said("是否国标区划", "Whether GB/T 2260 knows it")]
    name: Annotated[str, said("名称", "Name")]
    short_name: Annotated[str, said("简称，如 开发区", "Short name, as reports print it")]
    name_en: Annotated[str, said("英文名称", "English name")]
    level: Annotated[Level, said("级别", "Level")]
    parent_code: Annotated[RegionCode, said("上级区划代码", "Code of the region above")]
    carved_from_codes: Annotated[
        list[RegionCode], said("所在国标区县的代码", "Codes of the counties a zone lies in", authority=(M,))
    ]
    reporting_order: Annotated[int, said("月度通报中的次序", "Order in the monthly report", authority=(M,))]
    valid_from: Annotated[Date, said("启用日期", "In force from")]
    valid_to: Annotated[Date, said("停用日期", "Withdrawn on")]
    successor_code: Annotated[RegionCode, said("继任区划代码", "Code of the successor")]
    parent: Annotated[Link, said("上级", "The region above")]
    ancestors: Annotated[Link, said("全部上级，自近而远", "All regions above, nearest first")]
    children: Annotated[Link, said("下级", "The regions below")]
    carved_from: Annotated[
        Link, said("所在国标区县", "The counties a functional zone lies in", authority=(M,))
    ]
    successor: Annotated[Link, said("继任区划", "What replaced it")]
    bureau: Annotated[Link, said("教育主管部门", "The education authority", authority=(C, M))]
    schools: Annotated[Link, said("学校", "Schools that report here", authority=(C,))]
    activities: Annotated[Link, said("活动", "Activities of the region", authority=(M, C))]
    honours: Annotated[Link, said("荣誉", "Honours of the region")]
    metrics: Annotated[Link, said("指标", "Figures of the region")]
    statistics: Annotated[Link, said("教育统计", "Statistics of the region")]
