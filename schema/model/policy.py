"""Who sees which field of which record: the one place where that is decided.

Rule 1: a decision depends on the viewer, the word's marks and the record's own place, and on nothing else.
Rule 2: denied looks like absent: a hidden value is taken out, a record with nothing to see is dropped.
Rule 3: what is not known counts against showing: a pupil of unknown age is a child under 14.
Rule 4: this file does no I/O. It cannot be async.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from typing import Any

from schema.model.codes import PersonRole
from schema.model.privacy import Duty, PrivacyClass, masked
from schema.model.viewer import Standing, Viewer
from schema.model.words import FieldSpec, Kind, WordSpec

SIGHT_FIELDS = frozenset(
    {"region_code", "school_code", "class_key", "class_keys", "person_key", "match_key", "guardian_key",
     "guardian_keys", "birth_date", "roles", "role", "actor_role", "owner_role", "user_identity"}
)  # fmt: skip
"""Values a decision may need; the hub fetches those a word declares beside the fields wanted."""

STAFF = frozenset(
    {PersonRole.TEACHER, PersonRole.STAFF, PersonRole.PRINCIPAL, PersonRole.RESEARCHER, PersonRole.ADMIN}
)
ADULT_ROLES = STAFF | {PersonRole.GUARDIAN}
FOR_STAFF = frozenset({Kind.ACTIVITY_EVENT, Kind.SCHOOL_FACILITY})
"""Words of a school whose internal fields are for staff alone, and not for its pupils and families."""
MANAGING = frozenset({Duty.SCHOOL_MANAGEMENT})
"""The one duty that concerns staff, and that opens what is personal and names no duty of its own."""
OLDEST = 120
"""Years beyond which a birth date is a placeholder, and the age unknown."""

Within = Callable[[str, str], bool]
"""`within(code, scope)`: whether region `code` lies in region `scope`, or is it."""


class Sight(IntEnum):
    """What a viewer gets of a field."""

    HIDDEN = 0
    MASKED = 1
    SHOWN = 2


@dataclass(frozen=True, slots=True)
class Ties:
    """How a viewer stands to one record; `duties` those that bind the viewer to this very record."""

    own: bool = False
    belongs: bool = False
    serves: bool = False
    duties: frozenset[Duty] = frozenset()
    taught: bool = False


STRANGER = Ties()


def ties(viewer: Viewer, spec: WordSpec, values: Mapping[str, Any], within: Within) -> Ties:
    """How `viewer` stands to the record with these `values`."""
    if viewer.anonymous:
        return STRANGER
    bound = [s for s in viewer.standings if _covers(s, values, within)]
    classes = _classes(values)
    inside = any(s.role is PersonRole.TEACHER and s.class_keys & classes for s in viewer.standings)
    taught = inside and not _adult(values)
    duties = {
        duty for s in bound for duty in s.duties if duty is not Duty.TEACHING and duty in viewer.purposes
    }
    if spec.about_person and _adult(values):
        duties &= MANAGING if at_work(values) else frozenset()
    theirs = spec.kind not in FOR_STAFF and (not spec.about_person or at_work(values))
    return Ties(
        own=_own(viewer, spec, values),
        belongs=theirs and _belongs(viewer, values),
        serves=inside or bool(bound),
        duties=frozenset(duties | ({Duty.TEACHING} if taught else set())),
        taught=taught,
    )


def sight(privacy: PrivacyClass, duties: frozenset[Duty], tie: Ties, minor: bool) -> Sight:
    """What of a field somebody with these ties sees; `minor` whether it is about a child under 14."""
    if privacy is PrivacyClass.PUBLIC or tie.own:
        return Sight.SHOWN
    if privacy is PrivacyClass.INTERNAL:
        return Sight.SHOWN if tie.serves or tie.belongs else Sight.HIDDEN
    if privacy is PrivacyClass.PERSONAL and not minor:
        return Sight.SHOWN if tie.taught or (duties or MANAGING) & tie.duties else Sight.HIDDEN
    if not duties & tie.duties:
        return Sight.HIDDEN
    return Sight.SHOWN if tie.taught else Sight.MASKED


def reveal(
    viewer: Viewer, spec: WordSpec, values: Mapping[str, Any], within: Within, today: date
) -> tuple[dict[str, Any], frozenset[str]] | None:
    """The values that `viewer` may see and the names of all fields open to them; None: looks absent.

    Hidden helper values (keys that relations follow) stay, since the graph never shows them.
    """
    tie = ties(viewer, spec, values, within)
    minor = spec.about_person and is_minor(values, today)
    working = spec.about_person and at_work(values)
    decided = {
        name: sight(_class(field, working), field.duties, tie, minor) for name, field in spec.fields.items()
    }
    seen = frozenset(name for name, what in decided.items() if what)
    # A word that is not public is there only for who sees more of it than its public relations.
    told = (field for field in spec.fields.values() if not field.hidden)
    if spec.privacy is not PrivacyClass.PUBLIC:
        told = (field for field in told if field.privacy is not PrivacyClass.PUBLIC)
    if not any(decided[field.name] for field in told):
        return None
    return {
        name: masked(value, spec.fields[name].mask) if decided[name] is Sight.MASKED else value
        for name, value in values.items()
        if name in spec.fields and (decided[name] or spec.fields[name].hidden)
    }, seen


def at_work(values: Mapping[str, Any]) -> bool:
    """Whether the record is of somebody who works at a school or bureau, by all the roles it tells."""
    roles = _roles(values)
    return bool(roles) and roles <= STAFF


def _class(field: FieldSpec, working: bool) -> PrivacyClass:
    return field.at_work if working and field.at_work else field.privacy


def open_to_all(spec: WordSpec, fields: frozenset[str]) -> bool:
    """Whether these fields look the same to every viewer, so that one remembered answer serves all."""
    return all(spec.fields[name].privacy is PrivacyClass.PUBLIC for name in fields if name in spec.fields)


def is_minor(values: Mapping[str, Any], today: date) -> bool:
    """Whether the record is about a child under 14, by birth date, else by role; unknown is yes."""
    born = values.get("birth_date")
    if isinstance(born, str) and len(born) >= 10:
        try:
            day = date.fromisoformat(born[:10])
        except ValueError:
            return True
        if day.isoformat() != born[:10]:
            return True
        years = today.year - day.year - ((today.month, today.day) < (day.month, day.day))
        return not 14 <= years <= OLDEST
    return not _adult(values)


def _adult(values: Mapping[str, Any]) -> bool:
    """Whether all the roles told are an adult's; nobody's roles are no adult's."""
    roles = _roles(values)
    return bool(roles) and roles <= ADULT_ROLES


def _roles(values: Mapping[str, Any]) -> set[str]:
    one = {values[name] for name in ("role", "actor_role", "owner_role", "user_identity") if values.get(name)}
    return set(values.get("roles") or ()) | one


def _own(viewer: Viewer, spec: WordSpec, values: Mapping[str, Any]) -> bool:
    """Whether the record is about the viewer or a child of theirs."""
    if not spec.about_person:
        return False
    return (
        values.get("person_key") in viewer.person_keys | viewer.children_keys
        or values.get("match_key") in viewer.match_keys
        or values.get("guardian_key") in viewer.person_keys
    )


def _belongs(viewer: Viewer, values: Mapping[str, Any]) -> bool:
    """Whether viewer or child belongs to the class or school itself."""
    classes = _classes(values)
    held = [s for s in viewer.standings if _member(viewer, s)]
    if any(s.class_keys & classes for s in held):
        return True
    school = values.get("school_code")
    if classes and not at_work(values):
        return False
    return bool(school) and any(s.school_code == school for s in held)


def _member(viewer: Viewer, standing: Standing) -> bool:
    """Whether somebody of this standing is of a school at all: no passer-by, no guardian of nobody."""
    if standing.role is PersonRole.GUARDIAN:
        return bool(viewer.children_keys)
    return standing.role is not PersonRole.PUBLIC


def _covers(standing: Standing, values: Mapping[str, Any], within: Within) -> bool:
    """Whether a standing's scope holds the record: its school, else its region."""
    if standing.role not in STAFF:
        return False
    if standing.school_code:
        return values.get("school_code") == standing.school_code
    code = values.get("region_code")
    return bool(standing.region_code and code) and within(str(code), standing.region_code)


def _classes(values: Mapping[str, Any]) -> frozenset[str]:
    one = values.get("class_key")
    return frozenset(values.get("class_keys") or ()) | ({one} if one else frozenset())
