"""Schools, their classes and facilities, and the bodies above them."""

from typing import Annotated, Any

from schema.graph.arguments import (
    After,
    First,
    FromDay,
    OfGrade,
    OfSubject,
    OfVersion,
    OfVolume,
    ToDay,
    day_span,
    said,
)
from schema.graph.connections import Page
from schema.graph.looking import by, first_of, holds, listed, note, one, related
from schema.graph.types.region import region_node
from schema.graph.types.sourced import Sourced
from schema.graph.words import Info, relation, word
from schema.model import organization as model
from schema.model.codes import Level, PersonRole, SchoolingSystem, Stage
from schema.model.words import Kind

COMPULSORY = frozenset({Stage.PRIMARY, Stage.JUNIOR})
SYSTEMS = frozenset({SchoolingSystem.S63, SchoolingSystem.S54})
OfRole = Annotated[PersonRole | None, said("身份", "As what")]


@word(model.Organization)
class Organization(Sourced):
    """A body that is no school."""

    @relation(one="Region", needs=("region_code",))
    def region(self, info: Info) -> Any:
        """Where it is."""
        return region_node(info, self.entity.values.get("region_code"))


@word(model.SchoolFacility)
class SchoolFacility(Sourced):
    """Figures of a school's equipment."""


@word(model.School)
class School(Sourced):
    """A school and what belongs to it."""

    @relation(one="Region", needs=("region_code",))
    def region(self, info: Info) -> Any:
        """Where it reports."""
        return region_node(info, self.entity.values.get("region_code"))

    @relation(one="Region", needs=("region_code",))
    def county(self, info: Info) -> Any:
        """Its county or zone."""
        return self._above(info, Level.COUNTY)

    @relation(one="Region", needs=("region_code",))
    def city(self, info: Info) -> Any:
        """Its city."""
        return self._above(info, Level.MUNICIPAL)

    @relation(one="Region", needs=("region_code",))
    def province(self, info: Info) -> Any:
        """Its province."""
        return self._above(info, Level.PROVINCIAL)

    @relation(one="SchoolFacility", needs=("region_code",))
    async def facility(self, info: Info) -> Any:
        """Its equipment."""
        return await first_of(info, Kind.SCHOOL_FACILITY, self._of_it())

    @relation(many="ClassGroup", needs=("region_code",))
    async def classes(
        self, info: Info, grade_code: OfGrade = None, first: First = 20, after: After = None
    ) -> Page:
        """Its classes, of one grade where given."""
        kept = {"grade_code": grade_code} if grade_code else {}
        return await related(
            info, Kind.CLASS_GROUP, self._of_it(), first=first, after=after,
            keep=lambda entity: holds(entity, kept), also=tuple(kept),
        )  # fmt: skip

    @relation(many="Resource", needs=("region_code",))
    async def resources(self, info: Info, first: First = 20, after: After = None) -> Page:
        """What the school itself made."""
        return await listed(
            info, Kind.RESOURCE, first=first, after=after, where={"school_code": [self.entity.key]},
            region=self.entity.place.region_code, levels=[Level.SCHOOL],
        )  # fmt: skip

    @relation(many="Honour", needs=("region_code",))
    async def honours(self, info: Info, first: First = 20, after: After = None) -> Page:
        """Honours of its region that are the school's."""
        code, place = self.entity.key, self.entity.place
        return await related(
            info, Kind.HONOUR, by("region_code", place.region_code, place), first=first, after=after,
            keep=lambda entity: entity.values.get("school_code") == code, also=("school_code",),
        )  # fmt: skip

    @relation(many="ActivityEvent", needs=("region_code",))
    async def events(
        self,
        info: Info,
        from_: FromDay = None,
        to: ToDay = None,
        first: First = 20,
        after: After = None,
    ) -> Page:
        """What was done there."""
        return await school_events(
            info, self.entity.key, self.entity.place.region_code, from_, to, first, after
        )

    def _of_it(self) -> dict[str, Any]:
        return by("school_code", self.entity.key, self.entity.place)

    def _above(self, info: Info, level: Level) -> Any:
        code = self.entity.place.region_code
        return region_node(info, info.context.divisions.at_level(code, level))


async def school_events(
    info: Info, code: str, region: str, start: str | None, end: str | None, first: int, after: str | None
) -> Page:
    """A school's events between two days."""
    return await listed(
        info, Kind.ACTIVITY_EVENT, first=first, after=after, where={"school_code": [code]}, region=region,
        **day_span(start, end),
    )  # fmt: skip


@word(model.ClassGroup)
class ClassGroup(Sourced):
    """A class, who belongs to it, what it is taught with."""

    @relation(one="School", needs=("school_code", "region_code"))
    async def school(self, info: Info) -> Any:
        """Its school."""
        return await one(info, Kind.SCHOOL, self.entity.place.school_code, self.entity.place)

    @relation(one="Person", needs=("homeroom_teacher_key", "school_code", "region_code"))
    async def homeroom_teacher(self, info: Info) -> Any:
        """Its homeroom teacher."""
        return await one(info, Kind.PERSON, self.entity.values.get("homeroom_teacher_key"), self.entity.place)

    @relation(many="Enrollment", needs=("school_code", "region_code"))
    async def enrollments(
        self, info: Info, role: OfRole = None, first: First = 100, after: After = None
    ) -> Page:
        """Who belongs to it, in one role where given."""
        kept = {"role": role} if role else {}
        return await related(
            info, Kind.ENROLLMENT, by("class_key", self.entity.key, self.entity.place), first=first,
            after=after, keep=lambda entity: holds(entity, kept), also=tuple(kept),
        )  # fmt: skip

    @relation(many="Textbook", needs=("grade_code", "stage", "school_code", "region_code"))
    async def textbooks(
        self,
        info: Info,
        subject_code: OfSubject = None,
        volume: OfVolume = None,
        version_name: OfVersion = None,
        first: First = 20,
        after: After = None,
    ) -> Page:
        """Textbooks for its grade and stage, and for its school's schooling system where both are told."""
        asked = {
            "grade_code": self.entity.values.get("grade_code"), "stage": self.entity.values.get("stage"),
            "subject_code": subject_code, "volume": volume, "version_name": version_name,
        }  # fmt: skip
        where = {name: [value] for name, value in asked.items() if value}
        system = await self._system(info)
        # A book that does not say for which system it is made is for both.
        kept = {"schooling_system": (system, None)} if system else {}
        return await listed(info, Kind.TEXTBOOK, first=first, after=after, where=where, keep=kept)

    async def _system(self, info: Info) -> str | None:
        """Whether it is taught by 六三 or 五四: what its school tells; None where that tells no books apart.

        Senior books are the same under both. 九年一贯 and 十二年一贯 say how long the school goes on, not
        where primary ends: in grade 6 the class's stage has chosen the books already, in others both fit.
        """
        school = self.entity.place.school_code
        if not school or self.entity.values.get("stage") not in COMPULSORY:
            return None
        found, account = await info.context.directory.get(
            Kind.SCHOOL, school, frozenset({"schooling_system"}), place=self.entity.place
        )
        note(info, [], account, page=True)
        system = found.values.get("schooling_system") if found else None
        return system if system in SYSTEMS else None
