"""OneRoster items as our words: pure, one function a kind; what cannot be mapped is left out and remarked."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any

from connectors.oneroster.roster import Item, Remarks, ref, refs
from connectors.seal import Seal, mask_number
from schema.model.codes import IdentityAssurance, Level, OrgKind, PersonRole, SchoolingSystem, Stage, table

Values = dict[str, Any]

ROLES = {
    "student": PersonRole.STUDENT,
    "teacher": PersonRole.TEACHER,
    "parent": PersonRole.GUARDIAN,
    "guardian": PersonRole.GUARDIAN,
    "relative": PersonRole.GUARDIAN,
    "principal": PersonRole.PRINCIPAL,
    "administrator": PersonRole.ADMIN,
    "siteAdministrator": PersonRole.ADMIN,
    "districtAdministrator": PersonRole.ADMIN,
    "systemAdministrator": PersonRole.ADMIN,
    "aide": PersonRole.STAFF,
    "counselor": PersonRole.STAFF,
    "proctor": PersonRole.STAFF,
}
SEXES = {"male": "1", "female": "2", "unspecified": "9"}  # GB/T 2261.1
LEVEL_OF_TYPE = {
    "national": Level.NATIONAL,
    "state": Level.PROVINCIAL,
    "local": Level.MUNICIPAL,
    "district": Level.COUNTY,
}
KIND_OF_TYPE = {"department": OrgKind.OFFICE, **dict.fromkeys(LEVEL_OF_TYPE, OrgKind.BUREAU)}
# What rosters write in cn.orgKind: our own words, and the usual names of such bodies.
KIND_OF_WORD = {
    **{kind.value: kind for kind in OrgKind},
    "MINISTRY": OrgKind.BUREAU,
    "DEPARTMENT": OrgKind.BUREAU,  # a provincial 教育厅
    "AUDIO_VISUAL_CENTRE": OrgKind.CENTRE,
    "INFORMATION_CENTRE": OrgKind.CENTRE,
    "RESEARCH_INSTITUTE": OrgKind.INSTITUTE,
}
_DATE = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])")
_YEAR = re.compile(r"\d{4}")
_SCHOOL_CODE = re.compile(r"[1-9]\d{9}")
_REGION_CODE = re.compile(r"\d{6}")
_YEARS = re.compile(r"(\d{4})-(\d{4})")


@dataclass(frozen=True, slots=True)
class Org:
    """What a reference to an organisation stands for; `code` is empty for what is no school."""

    code: str
    region: str


@dataclass(frozen=True, slots=True)
class Around:
    """What is needed beside the item: organisations, and what was fetched because it was wanted."""

    orgs: Mapping[str, Org]
    region: str
    years: Mapping[str, str] = field(default_factory=dict)
    enrolled: Mapping[str, Sequence[Item]] = field(default_factory=dict)
    demographics: Mapping[str, Item] = field(default_factory=dict)


def metadata(item: Mapping[str, Any], name: str) -> str:
    """`metadata.cn.<name>` as text, "" if it is not told."""
    held = item.get("metadata")
    value = held.get(f"cn.{name}") if isinstance(held, dict) else None
    if isinstance(value, bool):
        return str(value).lower()
    return str(value).strip() if isinstance(value, str | int) else ""


def listed(item: Mapping[str, Any], name: str) -> list[str]:
    """`metadata.cn.<name>` as texts: a list, or one text with commas as in a bundle."""
    held = item.get("metadata")
    value = held.get(f"cn.{name}") if isinstance(held, dict) else None
    parts = value if isinstance(value, list) else metadata(item, name).split(",")
    return [part.strip() for part in parts if isinstance(part, str) and part.strip()]


def text(item: Mapping[str, Any], name: str) -> str | None:
    """A text that is not blank."""
    value = item.get(name)
    return value.strip() or None if isinstance(value, str) else None


def moment(item: Mapping[str, Any]) -> str | None:
    """`dateLastModified` as RFC 3339, None if it is none."""
    try:
        found = datetime.fromisoformat(str(item.get("dateLastModified")))
    except ValueError:
        return None
    return found.isoformat() if found.tzinfo else None


def truth(value: object) -> bool | None:
    """OneRoster 1.1 and 1.2 write "true" and "false"; many servers the JSON words."""
    return {"true": True, "false": False}.get(str(value).lower())


@lru_cache(maxsize=8)
def _codes(name: str) -> frozenset[str]:
    return frozenset(row["code"] for row in table(name))


@lru_cache(maxsize=1)
def _grades() -> dict[str, str]:
    return {row["oneRosterGrade"]: row["code"] for row in table("grades") if "oneRosterGrade" in row}


@lru_cache(maxsize=1)
def _kinship() -> dict[str, str]:
    return {row["code"]: row["name"] for row in table("kinship")}


def school_code_of(org: Item) -> str:
    """The ten-digit code of a school, "" if it has none."""
    code = text(org, "identifier") or ""
    return code if org.get("type") == "school" and _SCHOOL_CODE.fullmatch(code) else ""


def region_of(org: Item, otherwise: str) -> str:
    """The region an organisation states, else its identifier where that is one, else `otherwise`."""
    stated = metadata(org, "divisionCode") or (text(org, "identifier") or "")
    return stated if _REGION_CODE.fullmatch(stated) else otherwise


class Words:
    """Turns items into values; `key` makes record keys, odd values go to `remarks`."""

    def __init__(self, key: Callable[[str], str], seal: Seal, around: Around, remarks: Remarks) -> None:
        self.key, self.seal, self.around, self.remarks = key, seal, around, remarks

    def school(self, org: Item) -> Values:
        """School; without values if its identifier is no school code."""
        code = school_code_of(org)
        organiser = self._one_of(org, "organiserCode", _codes("organisers"))
        return {
            "school_code": code,
            "name": text(org, "name"),
            "region_code": region_of(org, self.around.region),
            "school_type": self._one_of(org, "schoolType", _codes("schoolTypes")),
            "stages": self._stages(org),
            "schooling_system": self._one_of(org, "schoolingSystem", frozenset(SchoolingSystem)),
            "organiser_code": organiser,
            "is_private": organiser == "999" if organiser else None,
            "urban_rural_code": self._one_of(org, "urbanRuralCode", _codes("urbanRural")),
            "credit_code": metadata(org, "creditCode") or None,
        }

    def organization(self, org: Item) -> Values:
        """Organization: every org that is no school."""
        kind, above = org.get("type"), ref(org, "parent")
        level = self._one_of(org, "level", frozenset(Level)) or LEVEL_OF_TYPE.get(str(kind))
        return {
            "name": text(org, "name"),
            "org_kind": self._org_kind(org) or KIND_OF_TYPE.get(str(kind)),
            "level": level,
            "region_code": region_of(org, self.around.region),
            "parent_key": self.key(above) if above else None,
        }

    def class_group(self, item: Item) -> Values:
        """ClassGroup."""
        at = self._at(ref(item, "school"))
        members = self.around.enrolled.get(item["sourcedId"])
        home = [
            ref(e, "user") for e in members or () if e.get("role") == "teacher" and truth(e.get("primary"))
        ]
        pupils = [e for e in members or () if e.get("role") == "student"]
        return {
            "name": text(item, "title"),
            "class_key": self.key(item["sourcedId"]),
            "grade_code": self._grade(item),
            "stage": self._one_of(item, "stage", frozenset(Stage)),
            "school_code": at.code or None,
            "region_code": at.region,
            "school_year": self._school_year(item),
            "homeroom_teacher_key": self.key(home[0]) if home and home[0] else None,
            "student_count": len(pupils) if members is not None else None,
        }

    def person(self, user: Item) -> Values:
        """Person."""
        at, roles = self.at(user), self.roles(user)
        numbers, facts = _numbers(user), self.around.demographics.get(user["sourcedId"], {})
        number = numbers.get("cn.residentId") or numbers.get("cn.rollNo")
        classes = [ref(e, "class") for e in self.around.enrolled.get(user["sourcedId"], ())]
        agents = refs(user, "agents") if PersonRole.STUDENT in roles else []
        resident = numbers.get("cn.residentId")
        return {
            "person_key": self.key(user["sourcedId"]),
            "match_key": self.seal.match_key(number) if number else None,
            "display_name": display_name(user),
            "roles": roles or None,
            "gender": self._sex(facts),
            "birth_date": self._date(facts, "birthDate"),
            "resident_id_masked": mask_number(resident) if resident else None,
            "assurance": self._one_of(user, "assurance", frozenset(IdentityAssurance)),
            "grade_code": self._grade(user) if PersonRole.STUDENT in roles else None,
            "stage": self._one_of(user, "stage", frozenset(Stage)),
            "subjects": self._subjects(user),
            "school_code": at.code or None,
            "region_code": at.region,
            "class_keys": [self.key(own) for own in dict.fromkeys(classes) if own] or None,
            "guardian_keys": [self.key(own) for own in dict.fromkeys(agents)] or None,
        }

    def enrollment(self, item: Item) -> Values:
        """Enrollment; without person or class it is none."""
        at, who, where = self._at(ref(item, "school")), ref(item, "user"), ref(item, "class")
        return {
            "person_key": self.key(who) if who else None,
            "class_key": self.key(where) if where else None,
            "school_code": at.code or None,
            "region_code": at.region,
            "role": self._role(item.get("role")),
            "subject_code": self._one_of(item, "subjectCode", _codes("subjects")),
            "primary": truth(item.get("primary")),
            "begin_date": self._date(item, "beginDate"),
            "end_date": self._date(item, "endDate"),
        }

    def guardianship(self, child: Item, guardian: Item) -> Values:
        """Guardianship between two users of whom one names the other as agent."""
        at, numbers = self.at(child), _numbers(child)
        number = numbers.get("cn.residentId") or numbers.get("cn.rollNo")
        relation = self._one_of(guardian, "relation", frozenset(_kinship()))
        classes = [ref(e, "class") for e in self.around.enrolled.get(child["sourcedId"], ())]
        return {
            "person_key": self.key(child["sourcedId"]),
            "match_key": self.seal.match_key(number) if number else None,
            "guardian_key": self.key(guardian["sourcedId"]),
            "guardian_name": display_name(guardian),
            "relation_code": relation,
            "relation_name": _kinship().get(relation or ""),
            "is_legal_guardian": truth(metadata(guardian, "legalGuardian")),
            "school_code": at.code or None,
            "region_code": at.region,
            "class_keys": [self.key(own) for own in dict.fromkeys(classes) if own] or None,
        }

    def at(self, user: Item) -> Org:
        """The organisation a user belongs to; a guardian is of the child's region, not of the school."""
        own = ref(user, "primaryOrg")
        if own:
            return self._at(own)
        places = [ref(role, "org") for role in _role_objects(user)]
        org = self._at(next((place for place in [*places, *refs(user, "orgs")] if place), ""))
        return Org("", org.region) if set(self.roles(user)) <= {PersonRole.GUARDIAN} else org

    def roles(self, user: Item) -> list[PersonRole]:
        """Roles, the primary one first, each once."""
        held = sorted(_role_objects(user), key=lambda role: role.get("roleType") != "primary")
        return list(dict.fromkeys(role for one in held if (role := self._role(one.get("role")))))

    def _at(self, own: str) -> Org:
        return self.around.orgs.get(own) or Org("", self.around.region)

    def _role(self, name: object) -> PersonRole | None:
        role = ROLES.get(str(name))
        if role is None and name is not None:
            self.remarks.add("身份不认识 / unknown role")
        return role

    def _one_of(self, item: Item, name: str, allowed: frozenset[str]) -> str | None:
        value = metadata(item, name)
        if value and value not in allowed:
            self.remarks.add(f"cn.{name} 的取值不认识 / unknown value of cn.{name}")
        return str(value) if value in allowed else None

    def _org_kind(self, org: Item) -> OrgKind | None:
        stated = metadata(org, "orgKind")
        kind = KIND_OF_WORD.get(stated.upper())
        if stated and kind is None:
            self.remarks.add("cn.orgKind 的取值不认识 / unknown value of cn.orgKind")
        return kind

    def _stages(self, item: Item) -> list[str] | None:
        told = listed(item, "stage")
        known = [stage for stage in told if stage in frozenset(Stage)]
        if len(known) < len(told):
            self.remarks.add("cn.stage 的取值不认识 / unknown value of cn.stage")
        return known or None

    def _subjects(self, user: Item) -> list[str] | None:
        told = listed(user, "subjects")
        known = [code for code in told if code in _codes("subjects")]
        if len(known) < len(told):
            self.remarks.add("cn.subjects 的取值不认识 / unknown value of cn.subjects")
        return known or None

    def _grade(self, item: Item) -> str | None:
        stated = self._one_of(item, "gradeCode", _codes("grades"))
        grades = item.get("grades")
        first = str(grades[0]) if isinstance(grades, list) and grades else ""
        if not stated and first and first not in _grades():
            self.remarks.add("年级不认识 / unknown grade")
        return stated or _grades().get(first)

    def _school_year(self, item: Item) -> str | None:
        stated = metadata(item, "schoolYear")
        years = _YEARS.fullmatch(stated)
        if years and int(years[2]) == int(years[1]) + 1:
            return stated
        return next((self.around.years[own] for own in refs(item, "terms") if own in self.around.years), None)

    def _sex(self, facts: Item) -> str | None:
        told = text(facts, "sex")
        if told and told not in SEXES:
            self.remarks.add("性别取值不认识 / unknown value of sex")
        return SEXES.get(told or "")

    def _date(self, item: Item, name: str) -> str | None:
        told = text(item, name)
        if told and not _DATE.fullmatch(told):
            self.remarks.add(f"{name} 不是日期 / {name} is no date")
        return told if told and _DATE.fullmatch(told) else None


def school_year(session: Item) -> str | None:
    """`2026-2027` for an academic session, whose schoolYear is the year it ends in (OneRoster 1.2)."""
    told = str(session.get("schoolYear") or "")
    return f"{int(told) - 1}-{told}" if _YEAR.fullmatch(told) else None


def display_name(user: Item) -> str | None:
    """The name as it is written: family name first without a blank, Latin names the other way round."""
    family, given = text(user, "familyName") or "", text(user, "givenName") or ""
    if family and given and (family + given).isascii():
        return f"{given} {family}"
    return family + given or None


def _role_objects(user: Item) -> list[Item]:
    held = user.get("roles")
    if isinstance(held, list):
        return [role for role in held if isinstance(role, dict)]
    return [{"role": user["role"]}] if isinstance(user.get("role"), str) else []


def _numbers(user: Item) -> dict[str, str]:
    held = user.get("userIds")
    pairs = [part for part in held if isinstance(part, dict)] if isinstance(held, list) else []
    return {str(p.get("type")): own for p in pairs if (own := text(p, "identifier"))}


def told(value: Any) -> Any:
    """Enumerations as the plain text they stand for."""
    if isinstance(value, list):
        return [told(part) for part in value]
    return value.value if isinstance(value, StrEnum) else value
