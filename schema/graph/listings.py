"""Entry points that are lists over the sources: resources, activities, figures and what else a region has.

Sources are asked by what they can all filter by (the region, the level); finer filters are applied here,
over the whole list, so that no source is passed over for a filter it does not know.
"""

from typing import Annotated, Any

import strawberry
from graphql import FieldNode, get_argument_values

from schema.graph.arguments import (
    After,
    AtLevel,
    AtLevels,
    First,
    FromDay,
    InMonth,
    InPeriod,
    InRegion,
    MaybeRegion,
    OfCategory,
    OfGrade,
    OfStage,
    OfSubject,
    OfVersion,
    OfYear,
    SomeText,
    ThisRegion,
    ToDay,
    day_span,
    month_span,
    period_of,
    said,
)
from schema.graph.connections import Page, checked, page_of
from schema.graph.enums import ResourceFacet
from schema.graph.ids import decode
from schema.graph.looking import holds, listed, note, noted, raw, related
from schema.graph.refusals import BadArgument
from schema.graph.roots import root
from schema.graph.types.organization import school_events
from schema.graph.types.region import below, here, statistics_of, this_month
from schema.graph.wanted import selected, variables
from schema.graph.words import Info, typed
from schema.model.codes import ActivityKind, CommunityKind, LiveKind, OrgKind
from schema.model.words import Kind

ChapterId = Annotated[strawberry.ID | None, said("章节的全局标识", "Global id of the chapter")]
OfSubjectOnly = Annotated[str, said("学科代码", "Code of the subject")]
Keys = Annotated[list[str] | None, said("指标键", "Keys of the figures")]
OfCommunity = Annotated[CommunityKind | None, said("类别", "Kind")]
OfOrganization = Annotated[OrgKind | None, said("类别", "Kind")]
OfActivity = Annotated[ActivityKind | None, said("类别", "Kind")]
OfLive = Annotated[LiveKind | None, said("类别", "Kind")]
OfSchool = Annotated[str, said("学校标识码", "School code")]


def _within(info: Info, region: str | None) -> dict[str, Any]:
    return below(info.context, region) if region else {}


def _asked(**values: object) -> dict[str, list[str]]:
    """The filters that were given, as a question's `where`."""
    pairs = {name: value if isinstance(value, list) else [value] for name, value in values.items() if value}
    return {name: [str(one) for one in held] for name, held in pairs.items()}


def _about(
    stage: str | None, subject: str | None, grade: str | None, version: str | None
) -> dict[str, list[str]]:
    return _asked(stage=stage, subject_code=subject, grade_code=grade, version_name=version)


def _dimensions(info: Info) -> tuple[str, ...]:
    """What the client wants counted, read from the `facets` it selected below."""
    counted: dict[str, None] = {}
    field = raw(info).schema.type_map["ResourceConnection"].fields["facets"]  # type: ignore[attr-defined]
    for node in selected(raw(info), raw(info).field_nodes, frozenset()):
        if node.name.value == "facets":
            counted |= dict.fromkeys(_chosen(info, field, node))
    return tuple(counted)


def _chosen(info: Info, field: Any, node: FieldNode) -> list[str]:
    given = get_argument_values(field, node, variables(raw(info))).get("dimensions")
    return [ResourceFacet(one).value for one in (given or ResourceFacet)]


@strawberry.type
class Listings:
    """Lists, mixed into the query type."""

    @root("各级资源：全文检索或按条件", "Resources of all levels: searched or filtered", many="Resource")
    async def resources(
        self, info: Info, text: SomeText = None, level: AtLevels = None, stage: OfStage = None,
        subject_code: OfSubject = None, grade_code: OfGrade = None, version_name: OfVersion = None,
        chapter: ChapterId = None, first: First = 20, after: After = None,
    ) -> Page:  # fmt: skip
        """From the catalogue if there is one, else live from those sources that can."""
        where = _about(stage, subject_code, grade_code, version_name)
        if chapter is not None:
            ref = decode(chapter, info.context.sources)
            if ref is None or ref.kind is not Kind.CHAPTER:
                return Page()
            where["chapter_keys"] = [ref.key]
        if (catalogue := info.context.catalogue) is not None:
            hits = await catalogue.search(
                text or "", filters=where | _asked(level=level), facets=_dimensions(info),
                first=checked(first), after=after or "",
            )  # fmt: skip
            if hits is not None:
                return noted(info, page_of(hits.found, hits.facets))
        return await listed(
            info, Kind.RESOURCE, first=first, after=after, where=where, levels=level or (), text=text or ""
        )

    @root("教材", "Textbooks", many="Textbook")
    async def textbooks(
        self, info: Info, stage: OfStage = None, subject_code: OfSubject = None, grade_code: OfGrade = None,
        version_name: OfVersion = None, first: First = 20, after: After = None,
    ) -> Page:  # fmt: skip
        """All textbooks, or those for a stage, subject, grade, version."""
        where = _about(stage, subject_code, grade_code, version_name)
        return await listed(info, Kind.TEXTBOOK, first=first, after=after, where=where)

    @root("学校", "Schools of a region", many="School")
    async def schools(
        self, info: Info, region: InRegion, stage: OfStage = None, first: First = 20, after: After = None
    ) -> Page:
        """Schools that report in a region."""
        kept = {"stages": stage}
        return await listed(info, Kind.SCHOOL, first=first, after=after, keep=kept, **_within(info, region))

    @root("机构", "Organisations of a region", many="Organization")
    async def organizations(
        self,
        info: Info,
        region: InRegion,
        kind: OfOrganization = None,
        first: First = 20,
        after: After = None,
    ) -> Page:
        """Bodies that are no schools."""
        bounds = _within(info, region)
        kept = {"org_kind": kind}
        return await listed(info, Kind.ORGANIZATION, first=first, after=after, keep=kept, **bounds)

    @root("资源专栏", "Columns and libraries of resources", many="ResourceCollection")
    async def collections(
        self, info: Info, level: AtLevels = None, first: First = 20, after: After = None
    ) -> Page:
        """Of the levels named, or all."""
        return await listed(info, Kind.RESOURCE_COLLECTION, first=first, after=after, levels=level or ())

    @root("知识点", "Knowledge points of a subject", many="KnowledgePoint")
    async def knowledge_points(
        self, info: Info, subject_code: OfSubjectOnly, first: First = 20, after: After = None
    ) -> Page:
        """Of one subject."""
        where = {"subject_code": [subject_code]}
        return await listed(info, Kind.KNOWLEDGE_POINT, first=first, after=after, where=where)

    @root("教研共同体", "Communities", many="Community")
    async def communities(
        self, info: Info, region: MaybeRegion = None, level: AtLevel = None, kind: OfCommunity = None,
        first: First = 20, after: After = None,
    ) -> Page:  # fmt: skip
        """Studios and research communities."""
        kept = {"level": level, "community_kind": kind}
        return await listed(
            info, Kind.COMMUNITY, first=first, after=after, keep=kept, **_within(info, region)
        )

    @root("活动；不给时间则为本月", "Activities; of this month unless a time is given", many="Activity")
    async def activities(
        self, info: Info, region: InRegion, level: AtLevel = None, kind: OfActivity = None,
        month: InMonth = None, from_: FromDay = None, to: ToDay = None,
        first: First = 20, after: After = None,
    ) -> Page:  # fmt: skip
        """Of a month, or between two days."""
        dated = from_ or to
        if dated and month:
            raise BadArgument("month 与 from、to 不能同时使用", "give month, or from and to, not both")
        span = day_span(from_, to) if dated else month_span(month or this_month(info.context))
        kept = {"level": level, "activity_kind": kind}
        bounds = _within(info, region) | span
        return await listed(info, Kind.ACTIVITY, first=first, after=after, keep=kept, **bounds)

    @root("通知公告", "Notices", many="Notice")
    async def notices(
        self, info: Info, region: MaybeRegion = None, level: AtLevel = None,
        first: First = 20, after: After = None,
    ) -> Page:  # fmt: skip
        """Of a region, or all the viewer may see."""
        kept = {"level": level}
        return await listed(info, Kind.NOTICE, first=first, after=after, keep=kept, **_within(info, region))

    @root("直播课堂", "Live sessions", many="LiveSession")
    async def live_sessions(
        self, info: Info, region: MaybeRegion = None, kind: OfLive = None,
        first: First = 20, after: After = None,
    ) -> Page:  # fmt: skip
        """Live lessons and lectures."""
        kept = {"live_kind": kind}
        return await listed(
            info, Kind.LIVE_SESSION, first=first, after=after, keep=kept, **_within(info, region)
        )

    @root("学校的应用行为", "Activity events at a school", many="ActivityEvent")
    async def activity_events(
        self, info: Info, school: OfSchool, from_: FromDay = None, to: ToDay = None,
        first: First = 20, after: After = None,
    ) -> Page:  # fmt: skip
        """Between two days; the school's place is looked up first, so that only sources near it are asked."""
        found, account = await info.context.directory.get(Kind.SCHOOL, school, frozenset({"region_code"}))
        note(info, [], account, page=True)
        region = found.place.region_code if found else info.context.hub_region
        return await school_events(info, school, region, from_, to, first, after)

    @root("应用", "Applications", many="Application")
    async def applications(
        self,
        info: Info,
        level: AtLevel = None,
        category: OfCategory = None,
        first: First = 20,
        after: After = None,
    ) -> Page:
        """Entries of the application centres."""
        kept = {"access_level": level, "category": category}
        return await listed(info, Kind.APPLICATION, first=first, after=after, keep=kept)

    @root("数据目录", "Datasets of the data centre", many="Dataset")
    async def datasets(
        self, info: Info, text: SomeText = None, first: First = 20, after: After = None
    ) -> Page:
        """Whose name or description holds the text."""
        if not text:
            return await listed(info, Kind.DATASET, first=first, after=after)
        return await listed(info, Kind.DATASET, first=first, after=after, text=text)

    @root("荣誉", "Honours", many="Honour")
    async def honours(self, info: Info, region: InRegion, first: First = 20, after: After = None) -> Page:
        """Of a region and all below."""
        return await listed(info, Kind.HONOUR, first=first, after=after, **_within(info, region))

    @root("作业统计", "Homework statistics", many="HomeworkStat")
    async def homework_stats(
        self, info: Info, region: InRegion, period: InPeriod, first: First = 20, after: After = None
    ) -> Page:
        """Of a region and all below, for one period."""
        bounds = _within(info, region)
        kept = {"period": period_of(period)}
        return await listed(info, Kind.HOMEWORK_STAT, first=first, after=after, keep=kept, **bounds)

    @root("平台应用", "Use of platforms", many="PlatformUsage")
    async def platform_usage(
        self, info: Info, region: InRegion, period: InPeriod, first: First = 20, after: After = None
    ) -> Page:
        """Of a region and all below, for one period."""
        bounds = _within(info, region)
        kept = {"period": period_of(period)}
        return await listed(info, Kind.PLATFORM_USAGE, first=first, after=after, keep=kept, **bounds)

    @root(
        "一个区划自身的指标，不含其下各级", "Figures of one region itself, without those below",
        many="Metric",
    )  # fmt: skip
    async def metrics(
        self, info: Info, region: ThisRegion, keys: Keys = None, first: First = 20, after: After = None
    ) -> Page:
        """Of this very region."""
        kept = {"metric_key": keys} if keys else {}
        return await related(
            info, Kind.METRIC, *here(info.context, region), first=first, after=after,
            keep=lambda entity: holds(entity, kept), also=tuple(kept),
        )  # fmt: skip

    @root(
        "一个区划自身的统计表，不含其下各级", "Statistics of one region itself, without those below",
        many="Statistics",
    )  # fmt: skip
    async def statistics(
        self, info: Info, region: ThisRegion, school_year: OfYear = None, stage: OfStage = None,
        first: First = 20, after: After = None,
    ) -> Page:  # fmt: skip
        """Of this very region."""
        return await statistics_of(info, region, school_year, stage, first, after)


typed(Listings)
