"""Schools, classes and people of the country as OneRoster 1.2 items; all is made when asked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from connectors.sandbox.country import ClassGroup, Country, Guardian, Person, School

Item = dict[str, Any]

ORG_TYPES = {"NATIONAL": "national", "PROVINCIAL": "state", "MUNICIPAL": "local", "COUNTY": "district"}
ROLES = {"student": "student", "teacher": "teacher", "principal": "principal", "guardian": "parent"}
SEXES = {"1": "male", "2": "female"}
ASSURANCE = {"VERIFIED": "ID_VERIFIED", "UNVERIFIED": "SELF_ASSERTED"}
_ENROLLMENT = re.compile(r"e-(u-\d+-\w+(?:-\d+)?)-(c-\d+-\d+)")
GONE = "left"  # one class, one pupil and one enrolment of every school are to be deleted


class Items:
    """What one roster holds: the schools of a unit, or one school."""

    def __init__(self, country: Country, unit: str | None, school: str | None) -> None:
        self._country = country
        one = country.school(school) if school else None
        self.schools: tuple[School, ...] = (one,) if one else tuple(country.schools_of(unit or ""))
        if not self.schools:
            raise ValueError(f"no such unit or school: {unit or school}")
        self._unit = self.schools[0].unit_code
        self._level = "SCHOOL" if one else "COUNTY"
        self._of_index = {school.index: school for school in self.schools}
        year = country.school_year
        self._begin, self._end = f"{year[:4]}-09-01", f"{year[5:]}-07-10"

    def every(self, collection: str) -> Iterator[Item]:
        """All items of a collection."""
        if collection in ("orgs", "schools", "academicSessions", "courses"):
            yield from self._short(collection)
        else:
            for school in self.schools:
                yield from self.of_school(collection, school)

    def by_id(self, collection: str, own: str) -> Iterator[Item]:
        """The items with that sourcedId."""
        if collection in ("orgs", "schools", "academicSessions", "courses") or GONE in own:
            found = self.every(collection)
        elif collection == "classes":
            found = self._class_of(own)
        elif collection == "enrollments":
            match = _ENROLLMENT.fullmatch(own)
            found = self.enrolled(match[1]) if match else iter(())
        else:
            found = self._one(collection, own)
        yield from (item for item in found if item["sourcedId"] == own)

    def of_school(self, collection: str, school: School) -> Iterator[Item]:
        """The items of one school, guardians with the children."""
        if collection == "classes":
            yield from (self._class(school, group) for group in self._country.classes(school))
            yield self._gone_class(school)
        elif collection == "enrollments":
            for person in (*self._country.teachers(school), *self._pupils(school)):
                yield from self._enrollments(school, person)
            yield self._gone_enrollment(school)
        else:
            yield from (self._user(collection, school, *found) for found in self._people(school))
            yield self._gone_user(collection, school)

    def enrolled(self, person_id: str) -> Iterator[Item]:
        """The enrolments of one person."""
        person = self._country.person(person_id)
        school = self._school_of(person_id)
        if person is not None and school is not None:
            yield from self._enrollments(school, person)

    def in_class(self, key: str) -> Iterator[Item]:
        """The enrolments in one class."""
        group = self._country.class_group(key)
        school = self._of_index.get(group.school_index) if group else None
        if group is None or school is None:
            return
        for person in (*self._country.teachers(school), *self._country.pupils(group)):
            yield from (
                item for item in self._enrollments(school, person) if item["class"]["sourcedId"] == key
            )

    def school_by_id(self, own: str) -> School | None:
        """The school behind an org's sourcedId."""
        return next((school for school in self.schools if org_id(school) == own), None)

    # People

    def _school_of(self, person_id: str) -> School | None:
        parts = person_id.split("-")
        return self._of_index.get(int(parts[1])) if len(parts) > 2 and parts[1].isdecimal() else None

    def _pupils(self, school: School) -> Iterator[Person]:
        for group in self._country.classes(school):
            yield from self._country.pupils(group)

    def _people(self, school: School) -> Iterator[tuple[Person, list[Guardian]]]:
        """Everybody with what is known of the family: of a pupil the guardians, of a guardian that bond."""
        yield from ((person, []) for person in self._country.teachers(school))
        for pupil in self._pupils(school):
            family = self._country.guardians_of(pupil)
            yield pupil, family
            for guardian in family:
                person = self._country.person(guardian.id)
                assert person is not None
                yield person, [guardian]

    def _family(self, person: Person) -> list[Guardian]:
        if person.role != "guardian":
            return self._country.guardians_of(person)
        child = self._country.person(person.children_ids[0])
        assert child is not None
        return [one for one in self._country.guardians_of(child) if one.id == person.id]

    def _one(self, collection: str, own: str) -> Iterator[Item]:
        person, school = self._country.person(own), self._school_of(own)
        if person is not None and school is not None:
            yield self._user(collection, school, person, self._family(person))

    def _user(self, collection: str, school: School, person: Person, family: list[Guardian]) -> Item:
        if collection == "demographics":
            return self._demographics(person)
        org, guards = _ref("org", org_id(school)), person.role == "guardian"
        item: Item = {
            **_always(person.id, person.updated_at),
            "enabledUser": "true",
            "username": person.login,
            "userIds": _user_ids(person),
            "givenName": person.given_name,
            "familyName": person.family_name,
            "phone": person.phone,
            "roles": [{"roleType": "primary", "role": ROLES[person.role], "org": org}],
            "agents": [_ref("user", one.child_id if guards else one.id) for one in family],
            "grades": [person.grade_code[1:]] if person.grade_code else [],
            "metadata": _user_metadata(person, family),
        }
        # A guardian stands beside the school: a role there, but no organisation of their own.
        return item if guards else item | {"primaryOrg": org}

    def _demographics(self, person: Person) -> Item:
        facts = {"birthDate": person.birth_date, "sex": SEXES[person.sex]}
        return {**_always(person.id, person.updated_at), **facts}

    # Classes

    def _class_of(self, key: str) -> Iterator[Item]:
        group = self._country.class_group(key)
        school = self._of_index.get(group.school_index) if group else None
        if group is not None and school is not None:
            yield self._class(school, group)

    def _class(self, school: School, group: ClassGroup) -> Item:
        return {
            **_always(group.key, group.updated_at),
            "title": group.name,
            "classType": "homeroom",
            "grades": [group.grade_code[1:]],
            "course": _ref("course", f"course-{group.grade_code}"),
            "school": _ref("org", org_id(school)),
            "terms": [_ref("academicSession", f"term-{self._country.school_year}")],
            "metadata": {"cn.gradeCode": group.grade_code, "cn.stage": group.stage},
        }

    def _enrollments(self, school: School, person: Person) -> Iterator[Item]:
        if person.role not in ("student", "teacher"):
            return
        for key in person.class_keys:
            primary = person.role == "teacher" and key == person.class_key
            subject = {"metadata": {"cn.subjectCode": person.subjects[0]}} if person.subjects else {}
            yield {
                **_always(f"e-{person.id}-{key}", person.updated_at),
                "role": ROLES[person.role],
                "primary": str(primary).lower(),
                "beginDate": self._begin,
                "endDate": self._end,
                "user": _ref("user", person.id),
                "class": _ref("class", key),
                "school": _ref("org", org_id(school)),
                **subject,
            }

    # What is left of those who went

    def _gone_class(self, school: School) -> Item:
        group = self._country.classes(school)[0]
        return self._class(school, group) | _gone(f"c-{school.index}-{GONE}")

    def _gone_user(self, collection: str, school: School) -> Item:
        person = self._country.teachers(school)[1]
        return self._user(collection, school, person, []) | _gone(f"u-{school.index}-{GONE}")

    def _gone_enrollment(self, school: School) -> Item:
        item = next(self._enrollments(school, self._country.teachers(school)[1]))
        return item | _gone(f"e-{school.index}-{GONE}")

    # Organisations and terms

    def _short(self, collection: str) -> Iterator[Item]:
        if collection == "academicSessions":
            yield self._session()
        elif collection == "courses":
            yield from self._courses()
        else:
            if collection == "orgs":
                yield from self._bureaus()
            yield from map(self._school, self.schools)
            yield self._school(self.schools[0]) | _gone(f"sch-{self.schools[0].index}-{GONE}")

    def _bureaus(self) -> Iterator[Item]:
        for org in self._country.organizations():
            if org.region_code != self._unit:
                continue
            yield {
                **_always(org.id, "2026-08-01T08:00:00+08:00"),
                "name": org.name,
                "type": ORG_TYPES[org.level] if org.id.startswith("org-") else "department",
                "identifier": org.region_code,
                "parent": _ref("org", org.parent_id or ""),
                "metadata": {
                    "cn.level": org.level,
                    "cn.divisionCode": org.region_code,
                    "cn.orgKind": org.kind,
                },
            }

    def _school(self, school: School) -> Item:
        told = {
            "cn.level": "SCHOOL",
            "cn.divisionCode": school.unit_code,
            "cn.schoolType": school.type_code,
            "cn.stage": ",".join(school.level),
            "cn.schoolingSystem": school.system,
            "cn.organiserCode": school.organiser_code,
            "cn.urbanRuralCode": school.urban_rural_code,
            "cn.creditCode": school.credit_code,
        }
        return {
            **_always(org_id(school), school.updated_at),
            "name": self._country.told_by(self._level, school).name,
            "type": "school",
            "identifier": school.code,
            "parent": _ref("org", f"org-{school.unit_code}"),
            "metadata": told,
        }

    def _session(self) -> Item:
        year = self._country.school_year
        return {
            **_always(f"term-{year}", f"{year[:4]}-08-01T08:00:00+08:00"),
            "title": f"{year}学年",
            "type": "schoolYear",
            "startDate": self._begin,
            "endDate": self._end,
            "schoolYear": year[5:],
        }

    def _courses(self) -> Iterator[Item]:
        for grade in range(1, 13):
            own = _always(f"course-G{grade:02d}", "2026-08-01T08:00:00+08:00")
            yield {**own, "title": f"G{grade:02d}", "courseCode": f"G{grade:02d}", "grades": [f"{grade:02d}"]}


def org_id(school: School) -> str:
    """The sourcedId of a school: not its code, as in most rosters."""
    return f"sch-{school.index}"


def _always(own: str, updated_at: str) -> Item:
    return {"sourcedId": own, "status": "active", "dateLastModified": stamp(updated_at)}


def stamp(moment: str) -> str:
    """UTC with milliseconds, as the specification writes dateLastModified."""
    there = datetime.fromisoformat(moment).astimezone(UTC)
    return there.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _gone(own: str) -> Item:
    return {"sourcedId": own, "status": "tobedeleted"}


def _ref(kind: str, own: str) -> Item:
    return {"href": f"/{kind}s/{own}", "sourcedId": own, "type": kind}


def _user_ids(person: Person) -> list[Item]:
    told = {"cn.rollNo": person.roll_no, "cn.residentId": "" if person.roll_no else person.resident_id}
    return [{"type": kind, "identifier": number} for kind, number in told.items() if number]


def _user_metadata(person: Person, family: list[Guardian]) -> Item:
    told = {
        "cn.assurance": ASSURANCE[person.assurance],
        "cn.gradeCode": person.grade_code,
        "cn.stage": person.stage,
        "cn.subjects": ",".join(person.subjects),
    }
    if person.role == "guardian":
        told |= {"cn.relation": family[0].relation, "cn.legalGuardian": str(family[0].legal).lower()}
    return {name: value for name, value in told.items() if value}
