"""The entry points of the graph to one thing, and the query type."""

from typing import Annotated, Any

import strawberry

from schema.graph.arguments import AtLevel, ById, MaybeRegion, said
from schema.graph.context import SourceSilent
from schema.graph.ids import decode
from schema.graph.listings import Listings
from schema.graph.looking import note, one, raw
from schema.graph.refusals import BadArgument
from schema.graph.roots import root
from schema.graph.types.platform import health_of, platform_of
from schema.graph.types.region import known, region_node, region_nodes
from schema.graph.wanted import wanted
from schema.graph.words import TYPES, Info, both, node, typed
from schema.model.words import Date, Kind, RegionCode

OneRegion = Annotated[RegionCode, said("区划代码", "Region code")]
OnDay = Annotated[Date | None, said("须在该日有效", "Only if in force on this day")]
SchoolCode = Annotated[str | None, said("学校标识码", "School code")]
MaybeId = Annotated[strawberry.ID | None, said("全局标识", "Global id")]
OfSource = Annotated[str, said("来源代码", "Code of the source")]


def _key(info: Info, kind: Kind, text: str | None) -> str | None:
    """The key a global id of this kind means; None for any other text."""
    ref = decode(text, info.context.sources) if text else None
    return ref.key if ref is not None and ref.kind is kind else None


async def _myself(info: Info) -> Any:
    """The first of the viewer's own records that a roster knows; raises `SourceSilent`."""
    chosen = wanted(raw(info), "Person", TYPES["Person"].needs)
    silent: list[Any] = []
    for key in sorted(info.context.viewer.person_keys):
        entity, account = await info.context.directory.get(Kind.PERSON, key, chosen)
        note(info, [entity] if entity else [], account)
        if entity:
            return node(entity)
        silent.extend(account.silent)
    if silent:
        raise SourceSilent(silent)
    return None


@strawberry.type(name="Query", description=both("查询入口", "Entry points"))
class Query(Listings):
    """Everything that can be asked."""

    @root("按全局标识取任何一物", "Anything by its global id", one="Node")
    async def node(self, info: Info, id: ById) -> Any:
        """Null for what is no id, or of nothing the viewer may see."""
        ref = decode(id, info.context.sources)
        if ref is None:
            return None
        if ref.kind is Kind.REGION:
            return region_node(info, ref.key)
        return await one(info, ref.kind, ref.key)

    @root("本人", "The viewer's own record", one="Person")
    async def me(self, info: Info) -> Any:
        """Null for nobody."""
        return await _myself(info)

    @root("提问者：身份与用途", "Who is asking, as what, for what", one="Viewer")
    def viewer(self, info: Info) -> Any:
        """The viewer of this request."""
        return info.context.viewer

    @root("一个区划", "A region", one="Region")
    def region(self, info: Info, code: OneRegion, at: OnDay = None) -> Any:
        """By its code; with `at`, only if the code was in force on that day."""
        return region_node(info, code, at or "")

    @root("区划列表；缺省为本平台所在区划之下", "Regions; below the hub's own unless said", few="Region")
    def regions(self, info: Info, parent: MaybeRegion = None, level: AtLevel = None) -> Any:
        """Right below `parent`, or with `level` all of that level under it."""
        divisions = info.context.divisions
        start = known(info.context, parent) if parent else info.context.hub_region
        if level is None:
            return region_nodes(info, divisions.children(start))
        below = [code for code in divisions.under(start) if divisions.at_level(code, level) == code]
        return region_nodes(info, below)

    @root("一所学校", "A school", one="School")
    async def school(self, info: Info, school_code: SchoolCode = None, id: MaybeId = None) -> Any:
        """By its code or its global id; `BadArgument` for neither, and for both."""
        if (school_code is None) == (id is None):
            raise BadArgument("请给出 schoolCode 或 id，只给一个", "give schoolCode or id, one of them")
        return await one(info, Kind.SCHOOL, school_code or _key(info, Kind.SCHOOL, id))

    @root("一个班级", "A class", one="ClassGroup")
    async def class_group(self, info: Info, id: ById) -> Any:
        """By its global id."""
        return await one(info, Kind.CLASS_GROUP, _key(info, Kind.CLASS_GROUP, id))

    @root("一个人", "A person", one="Person")
    async def person(self, info: Info, id: ById) -> Any:
        """By their global id; null where the viewer may not see them."""
        return await one(info, Kind.PERSON, _key(info, Kind.PERSON, id))

    @root("一本教材", "A textbook", one="Textbook")
    async def textbook(self, info: Info, id: ById) -> Any:
        """By its global id."""
        return await one(info, Kind.TEXTBOOK, _key(info, Kind.TEXTBOOK, id))

    @root("一个章节", "A chapter", one="Chapter")
    async def chapter(self, info: Info, id: ById) -> Any:
        """By its global id."""
        return await one(info, Kind.CHAPTER, _key(info, Kind.CHAPTER, id))

    @root("已接入的平台", "The joined platforms", few="Platform")
    def platforms(self, info: Info, level: AtLevel = None) -> Any:
        """From the nation down."""
        faces = info.context.sources.faces()
        wanted_faces = [face for face in faces if level is None or face.level is level]
        return [made for face in wanted_faces if (made := platform_of(info, face.code))]

    @root("一个来源的状态", "How a source has answered lately", one="SourceHealth")
    def source_health(self, info: Info, source: OfSource) -> Any:
        """Null for an unknown code."""
        return health_of(info.context, source)


typed(Query)
