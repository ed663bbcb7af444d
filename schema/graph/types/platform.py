"""The joined sources as platforms, and how they are."""

from typing import Any

import strawberry

from schema.graph.context import Context, Entity, Face
from schema.graph.types.region import region_node
from schema.graph.words import TYPES, Info, relation, word
from schema.model import platform as model
from schema.model.policy import reveal

PLATFORM = model.Platform.spec
HEALTH = model.SourceHealth.spec


@word(model.SourceHealth)
class SourceHealth:
    """How a source has answered lately; a mapping of the word's values."""


@word(model.Platform)
class Platform:
    """A joined source."""

    entity: strawberry.Private[Entity]

    @relation(one="Region", needs=("region_code",))
    def region(self, info: Info) -> Any:
        """The region it speaks for."""
        return region_node(info, self.entity.values.get("region_code"))

    @relation(one="SourceHealth")
    def health(self, info: Info) -> Any:
        """How it has answered lately."""
        return health_of(info.context, self.entity.key)


def platform_entity(context: Context, face: Face) -> Entity | None:
    """A source as this viewer may see it."""
    values = {
        "code": face.code, "name": face.name, "name_en": face.name_en, "level": face.level,
        "region_code": face.region_code, "protocol": face.protocol, "kinds": list(face.kinds),
        "operator": face.operator or None, "processor": face.processor or None,
    }  # fmt: skip
    shown = reveal(context.viewer, PLATFORM, values, context.divisions.within, context.now.date())
    return Entity(PLATFORM, face.code, *shown, parts=()) if shown else None


def platform_of(info: Info, code: str) -> Any:
    """The platform with this code, or None."""
    face = info.context.sources.face(code)
    entity = platform_entity(info.context, face) if face else None
    return TYPES["Platform"](entity=entity) if entity else None


def health_of(context: Context, code: str) -> dict[str, Any] | None:
    """How the source with this code is, as this viewer may see it; None for an unknown code."""
    face, values = context.sources.face(code), context.sources.health(code)
    if face is None or not values:
        return None
    placed = {**values, "region_code": face.region_code}
    shown = reveal(context.viewer, HEALTH, placed, context.divisions.within, context.now.date())
    return shown[0] if shown else None
