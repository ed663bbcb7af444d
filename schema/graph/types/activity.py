"""What people do: activities, communities, events; and the figures of homework and platforms."""

from typing import Any

from schema.graph.looking import one
from schema.graph.types.region import region_node
from schema.graph.types.sourced import Sourced
from schema.graph.words import Info, relation, word
from schema.model import activity as model
from schema.model.words import Kind


@word(model.Activity)
class Activity(Sourced):
    """An activity."""

    @relation(one="Region", needs=("region_code",))
    def region(self, info: Info) -> Any:
        """Where it is held."""
        return region_node(info, self.entity.values.get("region_code"))


@word(model.Community)
class Community(Sourced):
    """A studio or community."""

    @relation(one="Region", needs=("region_code",))
    def region(self, info: Info) -> Any:
        """Where it works."""
        return region_node(info, self.entity.values.get("region_code"))


@word(model.ActivityEvent)
class ActivityEvent(Sourced):
    """One thing somebody did."""

    @relation(one="Person", needs=("person_key", "school_code", "region_code"))
    async def person(self, info: Info) -> Any:
        """Who."""
        return await one(info, Kind.PERSON, self.entity.values.get("person_key"), self.entity.place)


@word(model.HomeworkStat)
class HomeworkStat(Sourced):
    """Homework of a region."""


@word(model.PlatformUsage)
class PlatformUsage(Sourced):
    """Use of a platform."""


@word(model.Notice)
class Notice(Sourced):
    """A notice."""


@word(model.LiveSession)
class LiveSession(Sourced):
    """A live lesson."""
