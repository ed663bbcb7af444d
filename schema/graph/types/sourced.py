"""Where a thing came from, and where levels disagree about it: on every thing that sources tell of."""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from typing import Any

import strawberry
from graphql import GraphQLResolveInfo

from schema.graph.context import Context, Entity, Part
from schema.graph.directives import marks
from schema.graph.words import Node, both, camel, quick, typed, word
from schema.model import platform as model
from schema.model.codes import LEVELS, Level
from schema.model.policy import STAFF
from schema.model.privacy import PrivacyClass
from schema.model.viewer import Viewer

BEIJING = timezone(timedelta(hours=8))
REGIONS = "regions"
"""The source code of the region tables the hub brings itself."""
HUB = "hub"
"""The protocol of what the hub brings itself; a source's is its tongue's name."""


@word(model.SourceInfo)
class SourceInfo:
    """Provenance of a record; a mapping of the word's values."""


@word(model.Contradiction)
class Contradiction:
    """A value that lost; a mapping of the word's values."""


def moment(seconds: float) -> str:
    """Seconds since 1970 as RFC 3339 in China's time."""
    return datetime.fromtimestamp(seconds, BEIJING).isoformat(timespec="seconds")


def insider(entity: Entity, viewer: Viewer) -> bool:
    """Whether the viewer sees what is internal of this thing, or is staff where nothing of it is internal."""
    marked = {name: field.privacy for name, field in entity.spec.fields.items() if not field.hidden}
    inside = {name for name, privacy in marked.items() if privacy is PrivacyClass.INTERNAL}
    inside = inside or {name for name, privacy in marked.items() if privacy is not PrivacyClass.PUBLIC}
    if inside:
        return bool(inside & entity.seen)
    return any(standing.role in STAFF for standing in viewer.standings)


def traceable(entity: Entity, viewer: Viewer) -> bool:
    """Whether the viewer is told what a source calls it: of a record about a person that may be a number of
    theirs, and is for who sees the record whole; no third party learns a name that others know them by."""
    if not entity.spec.about_person:
        return insider(entity, viewer)
    if viewer.third_party:
        return False
    return all(name in entity.seen for name, field in entity.spec.fields.items() if not field.hidden)


def told(entity: Entity, part: Part, context: Context) -> dict[str, Any]:
    """One source's share in an entity, in the words of `SourceInfo`."""
    face = context.sources.face(part.source)
    hub = part.source == REGIONS
    return {
        "source": part.source,
        "source_name": face.name if face else "区划表" if hub else None,
        "level": face.level if face else Level.NATIONAL if hub else None,
        "protocol": face.protocol if face else HUB if hub else None,
        "local_id": part.local_id if traceable(entity, context.viewer) else None,
        "fetched_at": moment(part.fetched_at),
        "updated_at": part.updated_at,
        "age_seconds": max(round(context.now.timestamp() - part.fetched_at, 3), 0.0),
        "stale": part.stale,
        "fields": [camel(name) for name in shown(entity, part.fields)],
    }


def shown(entity: Entity, names: Iterable[str]) -> list[str]:
    """Those of these fields that the viewer sees."""
    fields = entity.spec.fields
    return [name for name in names if name in entity.seen and name in fields and not fields[name].hidden]


def _sources(source: Any, info: GraphQLResolveInfo[Any]) -> list[dict[str, Any]]:
    return [told(source.entity, part, info.context) for part in source.entity.parts]


def _contradictions(source: Any, info: GraphQLResolveInfo[Any]) -> list[dict[str, Any]]:
    entity, context = source.entity, info.context
    if not entity.losing or not insider(entity, context.viewer):
        return []
    visible = set(shown(entity, [one.field for one in entity.losing]))
    return [
        {
            "field": camel(one.field),
            "source": one.source,
            "level": face.level if (face := context.sources.face(one.source)) else None,
            "value": _text(one.value),
            "kept": _text(one.kept),
            "kept_source": one.kept_source,
            "updated_at": one.updated_at,
        }
        for one in entity.losing
        if one.field in visible
    ]


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


@strawberry.interface(
    name="Sourced",
    description=both("凡由来源提供者", "Whatever sources tell of"),
    directives=marks(PrivacyClass.PUBLIC, LEVELS),
)
class Sourced(Node):
    """A thing with its provenance."""

    sources: list[SourceInfo] = quick(
        _sources, list[SourceInfo], "各部分的来源", "Where its parts came from, and how old they are"
    )
    contradictions: list[Contradiction] = quick(
        _contradictions,
        list[Contradiction],
        "各级不一致之处；内部人员可见",
        "Where levels disagree; for those who see what is internal",
        marks(PrivacyClass.INTERNAL, LEVELS)[:1],
    )


typed(Sourced)
