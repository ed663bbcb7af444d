"""Persons, their accounts, classes, rolls and families."""

import asyncio
from typing import Any

from schema.graph.arguments import After, Before, First, moment_of
from schema.graph.connections import Page, checked, merged, slice_of
from schema.graph.looking import by, fields, first_of, noted, one, related, witness
from schema.graph.types.alike import ranking, together
from schema.graph.types.platform import platform_of
from schema.graph.types.sourced import Sourced
from schema.graph.words import Info, relation, word
from schema.model import person as model
from schema.model.words import Kind

AT = ("school_code", "region_code")
MATCHED = ("match_key", *AT)
GUARDIAN = ("relation_code", "guardian_name")
"""What a guardian is known by beside the child, since the roll has no key of the guardian."""


@word(model.Person)
class Person(Sourced):
    """A person; what other sources hold about them meets by `match_key`, asked school by school."""

    @relation(one="School", needs=AT)
    async def school(self, info: Info) -> Any:
        """The school they belong to."""
        return await one(info, Kind.SCHOOL, self.entity.place.school_code, self.entity.place)

    @relation(many="Enrollment", needs=AT)
    async def enrollments(self, info: Info, first: First = 20, after: After = None) -> Page:
        """Their classes."""
        return await related(info, Kind.ENROLLMENT, self._own("person_key"), first=first, after=after)

    @relation(many="Account", needs=MATCHED)
    async def accounts(self, info: Info, first: First = 20, after: After = None) -> Page:
        """Their accounts at all levels."""
        return await related(info, Kind.ACCOUNT, self._matched(), first=first, after=after)

    @relation(one="StudentRoll", needs=MATCHED)
    async def student_roll(self, info: Info) -> Any:
        """Their roll record."""
        return await first_of(info, Kind.STUDENT_ROLL, self._matched())

    @relation(many="Guardianship", needs=MATCHED)
    async def guardians(self, info: Info, first: First = 20, after: After = None) -> Page:
        """Who stands for them: what roster and roll tell alike is one entry, of both."""
        checked(first)
        chosen = fields(info, Kind.GUARDIANSHIP, page=True, also=GUARDIAN)
        asked = [one for one in (self._own("person_key"), self._matched()) if one["value"]]
        look = info.context.directory.related
        found = merged(
            await asyncio.gather(*(look(Kind.GUARDIANSHIP, fields=chosen, **one) for one in asked))
        )
        guardians = together(found.entities, GUARDIAN, ranking(info.context))
        return noted(info, slice_of(found, guardians, first, after))

    @relation(many="Guardianship", needs=AT)
    async def children(self, info: Info, first: First = 20, after: After = None) -> Page:
        """For whom they stand."""
        return await related(info, Kind.GUARDIANSHIP, self._own("guardian_key"), first=first, after=after)

    @relation(one="LearningSpace", needs=MATCHED)
    async def learning_space(self, info: Info) -> Any:
        """Their learning space."""
        return await first_of(info, Kind.LEARNING_SPACE, self._matched())

    @relation(many="ActivityEvent", needs=AT)
    async def events(self, info: Info, first: First = 20, after: After = None) -> Page:
        """What they did."""
        return await related(info, Kind.ACTIVITY_EVENT, self._own("person_key"), first=first, after=after)

    @relation(few="AccessRecord", needs=("person_key", "match_key"))
    async def access_log(self, info: Info, first: First = 20, before: Before = None) -> Any:
        """Who read sensitive data of theirs, newest first; only they and their guardians see it."""
        return await witness(info).accesses(self._keys(), first=checked(first), before=moment_of(before))

    @relation(few="ConsentReceipt", needs=("person_key", "match_key"))
    async def consents(self, info: Info) -> Any:
        """What they or their guardians agreed to."""
        return await witness(info).consents(self._keys())

    def _keys(self) -> list[str]:
        """The keys under which records of theirs are known."""
        found = (self.entity.values.get(name) for name in ("person_key", "match_key"))
        return [str(key) for key in found if key] or [self.entity.key]

    def _own(self, field: str) -> dict[str, Any]:
        # A guardian's key finds records about somebody else: only of the person's own is it known whose.
        about = self.entity if field == "person_key" else None
        return {**by(field, self.entity.key, self.entity.place), "about": about}

    def _matched(self) -> dict[str, Any]:
        """By the keyed hash, at one school: without both, nothing is asked."""
        place = self.entity.place
        mark = self.entity.values.get("match_key") if place.school_code else None
        return {**by("match_key", mark, place, school_code=place.school_code), "about": self.entity}


@word(model.Account)
class Account(Sourced):
    """An account at one level's platform."""

    @relation(one="Platform")
    def platform(self, info: Info) -> Any:
        """The platform whose account it is."""
        return platform_of(info, self.entity.parts[0].source if self.entity.parts else "")


@word(model.Enrollment)
class Enrollment(Sourced):
    """Somebody's belonging to a class."""

    @relation(one="Person", needs=("person_key", *AT))
    async def person(self, info: Info) -> Any:
        """Who."""
        return await one(info, Kind.PERSON, self.entity.values.get("person_key"), self.entity.place)

    @relation(one="ClassGroup", needs=("class_key", *AT))
    async def class_group(self, info: Info) -> Any:
        """Which class."""
        return await one(info, Kind.CLASS_GROUP, self.entity.values.get("class_key"), self.entity.place)


@word(model.Guardianship)
class Guardianship(Sourced):
    """Who stands for a child."""

    @relation(one="Person", needs=("guardian_key", *AT))
    async def guardian(self, info: Info) -> Any:
        """The guardian, where a roster knows one."""
        return await one(info, Kind.PERSON, self.entity.values.get("guardian_key"), self.entity.place)

    @relation(one="Person", needs=("person_key", *AT))
    async def child(self, info: Info) -> Any:
        """The child."""
        return await one(info, Kind.PERSON, self.entity.values.get("person_key"), self.entity.place)


@word(model.StudentRoll)
class StudentRoll(Sourced):
    """A roll record."""

    @relation(one="School", needs=AT)
    async def school(self, info: Info) -> Any:
        """The school on the roll."""
        return await one(info, Kind.SCHOOL, self.entity.place.school_code, self.entity.place)


@word(model.LearningSpace)
class LearningSpace(Sourced):
    """A learning space."""
