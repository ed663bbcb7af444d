"""Regions: from the hub's own tables, at once; what lies in them is asked of the sources."""

from collections.abc import Iterable
from typing import Annotated, Any

from schema.graph.arguments import After, First, InMonth, OfStage, OfYear, month_span, said
from schema.graph.connections import Page
from schema.graph.context import Account, Context, Entity, Part, SourceSilent
from schema.graph.looking import by, fields, holds, listed, note, related
from schema.graph.refusals import UnknownRegion
from schema.graph.types.alike import ranking
from schema.graph.types.sourced import REGIONS, Sourced
from schema.graph.words import Info, node, relation, word
from schema.model import region as model
from schema.model.codes import OrgKind
from schema.model.record import Place
from schema.model.words import Kind

SPEC = model.Region.spec
SEEN = frozenset(SPEC.fields)
Zones = Annotated[bool, said("是否含功能区", "Whether functional zones are included")]


def region_entity(context: Context, code: str | None, at: str = "") -> Entity | None:
    """The region with this code (in force `at` that day) as an entity of the hub's own source `regions`."""
    values = context.divisions.get(code, at) if code else None
    if values is None:
        return None
    known_since = context.extras.get("regions_at", context.now.timestamp())
    part = Part(REGIONS, values["code"], known_since, False, None, tuple(values))
    return Entity(SPEC, values["code"], values, SEEN, (part,))


def region_node(info: Info, code: str | None, at: str = "") -> Any:
    """The region as a GraphQL object, or None."""
    entity = region_entity(info.context, code, at)
    note(info, [entity] if entity else [], Account())
    return node(entity) if entity else None


def region_nodes(info: Info, codes: Iterable[str]) -> list[Any]:
    """The regions with these codes, unknown ones left out."""
    entities = [entity for code in codes if (entity := region_entity(info.context, code))]
    note(info, entities, Account())
    return [node(entity) for entity in entities]


def below(context: Context, code: str) -> dict[str, Any]:
    """The bounds of a list over a region and all below it, as `find` takes them."""
    today = known(context, code)
    return {"where": {"region_code": context.divisions.written(today)}, "region": today}


def known(context: Context, code: str) -> str:
    """The code in force that `code` means today; raises `UnknownRegion`."""
    if code not in context.divisions:
        raise UnknownRegion(code)
    return context.divisions.current(code)


def here(context: Context, code: str) -> list[dict[str, Any]]:
    """Questions about this very region: by its code, and by its successor's; raises `UnknownRegion`."""
    today = known(context, code)
    return [by("region_code", one, Place(one)) for one in dict.fromkeys((code, today))]


def this_month(context: Context) -> str:
    """The month now, in the time zone of the context's clock: `2026-11`."""
    return context.now.strftime("%Y-%m")


@word(model.Region)
class Region(Sourced):
    """A region and what lies in it."""

    @relation(one="Region", needs=("parent_code",))
    def parent(self, info: Info) -> Any:
        """The region above."""
        return region_node(info, self.entity.values.get("parent_code"))

    @relation(few="Region")
    def ancestors(self, info: Info) -> Any:
        """All above, nearest first."""
        return region_nodes(info, info.context.divisions.ancestors(self.entity.key))

    @relation(few="Region")
    def children(self, info: Info, zones: Zones = True) -> Any:
        """The regions below."""
        return region_nodes(info, info.context.divisions.children(self.entity.key, zones=zones))

    @relation(few="Region", needs=("carved_from_codes",))
    def carved_from(self, info: Info) -> Any:
        """The counties a zone lies in."""
        return region_nodes(info, self.entity.values.get("carved_from_codes") or ())

    @relation(one="Region", needs=("successor_code",))
    def successor(self, info: Info) -> Any:
        """What replaced it."""
        return region_node(info, self.entity.values.get("successor_code"))

    @relation(one="Organization")
    async def bureau(self, info: Info) -> Any:
        """Its education authority."""
        return await bureau_of(info, self.entity)

    @relation(many="School")
    async def schools(
        self, info: Info, stage: OfStage = None, first: First = 20, after: After = None
    ) -> Page:
        """Schools here and below."""
        bounds = below(info.context, self.entity.key)
        return await listed(info, Kind.SCHOOL, first=first, after=after, keep={"stages": stage}, **bounds)

    @relation(many="Activity")
    async def activities(
        self, info: Info, month: InMonth = None, first: First = 20, after: After = None
    ) -> Page:
        """Activities of a month, here and below."""
        span = month_span(month or this_month(info.context))
        bounds = below(info.context, self.entity.key)
        return await listed(info, Kind.ACTIVITY, first=first, after=after, **bounds, **span)

    @relation(many="Honour")
    async def honours(self, info: Info, first: First = 20, after: After = None) -> Page:
        """Honours here and below."""
        bounds = below(info.context, self.entity.key)
        return await listed(info, Kind.HONOUR, first=first, after=after, **bounds)

    @relation(many="Metric")
    async def metrics(self, info: Info, first: First = 20, after: After = None) -> Page:
        """Figures of this very region."""
        asked = here(info.context, self.entity.key)
        return await related(info, Kind.METRIC, *asked, first=first, after=after)

    @relation(many="Statistics")
    async def statistics(
        self,
        info: Info,
        school_year: OfYear = None,
        stage: OfStage = None,
        first: First = 20,
        after: After = None,
    ) -> Page:
        """Lines of the statistical tables of this very region."""
        return await statistics_of(info, self.entity.key, school_year, stage, first, after)


async def bureau_of(info: Info, region: Entity) -> Any:
    """The region's own bureau: of its level first, then as the most authoritative source tells it.

    No centre ever stands in for it. Raises `SourceSilent`.
    """
    context, rank = info.context, ranking(info.context)
    found = await context.directory.find(
        Kind.ORGANIZATION,
        fields(info, Kind.ORGANIZATION, also=("level", "org_kind")),
        where={"region_code": [region.key]},
        region=region.key,
    )

    def order(one: Entity) -> tuple[bool, int, str]:
        elsewhere = one.values.get("level") != region.values.get("level")
        return elsewhere, rank(one.spec.authority, one.parts[0].source), one.key

    bureaus = [one for one in found.entities if one.values.get("org_kind") == OrgKind.BUREAU]
    chosen = min(bureaus, key=order, default=None)
    note(info, [chosen] if chosen else [], found.account)
    if chosen is None and (silent := found.account.heard_of().silent):
        raise SourceSilent(silent)
    return node(chosen) if chosen else None


async def statistics_of(
    info: Info, code: str, year: str | None, stage: str | None, first: int, after: str | None
) -> Page:
    """A region's statistical lines, of a school year and stage where given."""
    kept = {name: wish for name, wish in (("school_year", year), ("stage", stage)) if wish}
    return await related(
        info,
        Kind.STATISTICS,
        *here(info.context, code),
        first=first,
        after=after,
        keep=lambda entity: holds(entity, kept),
        also=tuple(kept),
    )
