"""Who sees which field of which record: the one place where that is decided.

Rule 1: a decision depends on the viewer, the word's marks and the record's own place, and on nothing else.
Rule 2: denied looks like absent: a hidden value is taken out, a record with nothing to see is dropped.
Rule 3: what is not known counts against showing: a pupil of unknown age is a child under 14.
Rule 4: what a viewer gets of a word depends on four things about the record (ties, minor or not, at work or
not), so it is decided once for each such case and remembered: a record costs a look, not a deliberation.
Rule 5: this file does no I/O. It cannot be async.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import Enum, IntEnum
from functools import lru_cache
from typing import Any

from schema.model.codes import PersonRole
from schema.model.privacy import Duty, Mask, PrivacyClass, masked
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
FOR_BUREAUS = frozenset({Kind.DATASET})
"""Words of a region whose internal fields are for who works for it, and not for all who work below it."""
MANAGING = frozenset({Duty.SCHOOL_MANAGEMENT})
"""The one duty that concerns staff, and that opens what is personal and names no duty of its own."""
MOST_CASES = 2000
"""Most decisions that one viewer's eye remembers."""
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
_FOR_ALL = frozenset(Duty)


def ties(viewer: Viewer, spec: WordSpec, values: Mapping[str, Any], within: Within) -> Ties:
    """How `viewer` stands to the record with these `values`."""
    if viewer.anonymous or not (agreed := _let_in(viewer, spec, values)):
        return STRANGER
    bound = [s for s in viewer.standings if _covers(s, values, within)]
    below = any(_works_below(s, spec, values, within) for s in viewer.standings)
    classes = _classes(values)
    inside = any(s.role is PersonRole.TEACHER and s.class_keys & classes for s in viewer.standings)
    taught = inside and not _adult(values) and Duty.TEACHING in agreed
    declared = (viewer.purposes & agreed) - {Duty.TEACHING}
    duties = {duty for s in bound for duty in s.duties if duty in declared}
    if spec.about_person and _adult(values):
        duties &= MANAGING if at_work(values) else frozenset()
    theirs = spec.kind not in FOR_STAFF and (not spec.about_person or at_work(values))
    return Ties(
        own=_own(viewer, spec, values),
        belongs=theirs and _belongs(viewer, values),
        serves=inside or bool(bound) or below,
        duties=frozenset(duties | ({Duty.TEACHING} if taught else set())),
        taught=taught,
    )


class Reason(Enum):
    """Why a field is shown, masked or hidden, for an auditor; Chinese and English."""

    OPEN = ("公开字段", "open to anybody")
    OWN = ("本人或其子女的记录", "the viewer's own record, or their child's")
    SERVES = ("任职范围之内", "within the scope that the viewer works in")
    BELONGS = ("所属班级或学校", "of the viewer's own class or school")
    TAUGHT = ("任课班级的学生", "a pupil of a class the viewer teaches")
    DUTY = ("在职责范围内并已声明用途", "under a duty that binds here, with its purpose declared")
    DUTY_MASKED = (
        "在职责范围内并已声明用途，敏感信息须脱敏",
        "under a duty that binds here, with its purpose declared; what is sensitive is masked",
    )
    NO_TIE = ("与该记录没有任职或所属关系", "no tie to this record")
    NO_DUTY = (
        "没有相应职责，或未声明用途",
        "no duty for this field binds the viewer here, or its purpose was not declared",
    )
    MINOR_NO_DUTY = (
        "未满 14 周岁者的个人信息按敏感信息处理，且没有相应职责或未声明用途",
        "personal data of a child under 14 counts as sensitive, and no duty for it binds the viewer here",
    )


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a viewer gets of a field, and why."""

    sight: Sight
    reason: Reason


def ruling(privacy: PrivacyClass, duties: frozenset[Duty], tie: Ties, minor: bool) -> Ruling:
    """What of a field somebody with these ties sees; `minor` whether it is about a child under 14."""
    if privacy is PrivacyClass.PUBLIC:
        return Ruling(Sight.SHOWN, Reason.OPEN)
    if tie.own:
        return Ruling(Sight.SHOWN, Reason.OWN)
    if privacy is PrivacyClass.INTERNAL:
        if tie.serves or tie.belongs:
            return Ruling(Sight.SHOWN, Reason.SERVES if tie.serves else Reason.BELONGS)
        return Ruling(Sight.HIDDEN, Reason.NO_TIE)
    if privacy is PrivacyClass.PERSONAL and not minor:
        if tie.taught:
            return Ruling(Sight.SHOWN, Reason.TAUGHT)
        if (duties or MANAGING) & tie.duties:
            return Ruling(Sight.SHOWN, Reason.DUTY)
        return Ruling(Sight.HIDDEN, Reason.NO_DUTY)
    if not duties & tie.duties:
        told = Reason.MINOR_NO_DUTY if privacy is PrivacyClass.PERSONAL else Reason.NO_DUTY
        return Ruling(Sight.HIDDEN, told)
    if tie.taught:
        return Ruling(Sight.SHOWN, Reason.TAUGHT)
    return Ruling(Sight.MASKED, Reason.DUTY_MASKED)


@dataclass(frozen=True, slots=True)
class Decision:
    """What a viewer gets of every record of a word that stands to them in one way.

    `seen` are the open fields' names, `kept` those and hidden helper values (keys that relations follow,
    which the graph never shows), `masks` what is laid over what; `there` False: the record looks absent.
    `logged` are those of `seen` whose reading is written down: sensitive, and about somebody else.
    """

    rulings: Mapping[str, Ruling]
    seen: frozenset[str]
    kept: frozenset[str]
    masks: Mapping[str, Mask]
    logged: frozenset[str]
    there: bool


@lru_cache(maxsize=4096)
def decision(spec: WordSpec, tie: Ties, minor: bool, working: bool) -> Decision:
    """The decision for a word in one case; made once."""
    rulings = {
        name: ruling(_class(field, working), field.duties, tie, minor) for name, field in spec.fields.items()
    }
    seen = frozenset(name for name, ruled in rulings.items() if ruled.sight)
    # A word that is not public is there only for who sees more of it than its public relations.
    told = (field for field in spec.fields.values() if not field.hidden)
    if spec.privacy is not PrivacyClass.PUBLIC:
        told = (field for field in told if field.privacy is not PrivacyClass.PUBLIC)
    return Decision(
        rulings=rulings,
        seen=seen,
        kept=seen | {name for name, field in spec.fields.items() if field.hidden},
        masks={
            name: spec.fields[name].mask for name, ruled in rulings.items() if ruled.sight is Sight.MASKED
        },
        logged=frozenset() if tie.own or not spec.about_person else seen & _sensitive(spec, minor, working),
        there=any(field.name in seen for field in told),
    )


def _sensitive(spec: WordSpec, minor: bool, working: bool) -> frozenset[str]:
    """Fields that count as sensitive in this case; helper values are never shown, so never read."""
    classes = {PrivacyClass.SENSITIVE, PrivacyClass.PERSONAL} if minor else {PrivacyClass.SENSITIVE}
    fields = (field for field in spec.fields.values() if not field.hidden)
    return frozenset(field.name for field in fields if _class(field, working) in classes)


def decided(
    viewer: Viewer, spec: WordSpec, values: Mapping[str, Any], within: Within, today: date
) -> Decision:
    """The decision for one record."""
    tie = ties(viewer, spec, values, within)
    minor = spec.about_person and is_minor(values, today)
    if minor and viewer.third_party and not viewer.minors:
        tie = STRANGER
    return decision(spec, tie, minor, spec.about_person and at_work(values))


def reveal(
    viewer: Viewer, spec: WordSpec, values: Mapping[str, Any], within: Within, today: date
) -> tuple[dict[str, Any], frozenset[str]] | None:
    """The values that `viewer` may see and the names of all fields open to them; None: looks absent.

    Hidden helper values (keys that relations follow) stay, since the graph never shows them.
    """
    made = decided(viewer, spec, values, within, today)
    return (opened(made, values), made.seen) if made.there else None


@dataclass(slots=True)
class Eye:
    """One viewer looking at many records on one day: most of a list and of the next request is decided alike.

    A decision is remembered for everything that it depends on; what it depends on, `ties` and `is_minor` say.
    """

    viewer: Viewer
    within: Within
    today: date
    _made: dict[tuple[Any, ...], Decision] = field(default_factory=dict, repr=False)
    _young: dict[str, bool] = field(default_factory=dict, repr=False)

    def decided(self, spec: WordSpec, values: Mapping[str, Any]) -> Decision:
        """What the function of this name says."""
        get = values.get
        case = (
            spec, get("region_code"), get("school_code"), get("class_key"), tuple(get("class_keys") or ()),
            tuple(get("roles") or ()), get("role"), get("actor_role"), get("owner_role"),
            get("user_identity"), self._whose(spec, values) if spec.about_person else (),
        )  # fmt: skip
        try:
            made = self._made.get(case)
        except TypeError:  # a source's odd value, which nothing can be remembered by
            return decided(self.viewer, spec, values, self.within, self.today)
        if made is None:
            if len(self._made) >= MOST_CASES:
                self._made.clear()
            made = self._made[case] = decided(self.viewer, spec, values, self.within, self.today)
        return made

    def _whose(self, spec: WordSpec, values: Mapping[str, Any]) -> tuple[bool, frozenset[Duty], bool | None]:
        """Whether it is the viewer's own, agreed to for what, and by its birth date of a child under 14."""
        viewer, born = self.viewer, values.get("birth_date")
        consented = _agreed(viewer, values) if viewer.third_party else _FOR_ALL
        own = _own(viewer, spec, values)
        if not isinstance(born, str) or len(born) < 10:
            return own, consented, None  # by roles, then, which are in the case
        young = self._young.get(born)
        if young is None:
            if len(self._young) >= MOST_CASES:
                self._young.clear()
            young = self._young[born] = is_minor(values, self.today)
        return own, consented, young


@lru_cache(maxsize=256)
def eye_of(viewer: Viewer, within: Within, today: date) -> Eye:
    """The eye of this very viewer, as their standing, purposes and consents make them, today."""
    return Eye(viewer, within, today)


def opened(made: Decision, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that are left of a record under a decision."""
    kept, masks = made.kept, made.masks
    if not masks and values.keys() <= kept:
        return dict(values)
    if not masks:
        return {name: value for name, value in values.items() if name in kept}
    return {
        name: masked(value, masks[name]) if name in masks else value
        for name, value in values.items()
        if name in kept
    }


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


def _let_in(viewer: Viewer, spec: WordSpec, values: Mapping[str, Any]) -> frozenset[Duty]:
    """For what the application that asks for the viewer may know how they stand to this record; for nothing:
    not at all."""
    if spec.kind is not None and spec.kind.family not in viewer.families:
        return frozenset()
    if not viewer.third_party or not spec.about_person or _adult(values) or _own(viewer, spec, values):
        return _FOR_ALL
    return _agreed(viewer, values)


def _agreed(viewer: Viewer, values: Mapping[str, Any]) -> frozenset[Duty]:
    """For what a third party was agreed to by those whose record it is, or their guardian."""
    key = values.get("person_key")
    return frozenset(duty for duty in Duty if (key, duty) in viewer.consented)


def _own(viewer: Viewer, spec: WordSpec, values: Mapping[str, Any]) -> bool:
    """Whether the record is about the viewer or a child of theirs."""
    if not spec.about_person:
        return False
    return (
        values.get("person_key") in viewer.person_keys
        or values.get("person_key") in viewer.children_keys
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


def _works_below(standing: Standing, spec: WordSpec, values: Mapping[str, Any], within: Within) -> bool:
    """Whether it is a region's own thing, for all staff of that region down to its schools: a county's notice
    is for its teachers. What is a school's is not, nor what is about a person, nor a bureau's."""
    if spec.kind is None or spec.about_person or spec.kind in FOR_BUREAUS or standing.role not in STAFF:
        return False
    code = values.get("region_code")
    if values.get("school_code") or not (standing.region_code and code):
        return False
    return within(standing.region_code, str(code))


def _classes(values: Mapping[str, Any]) -> frozenset[str]:
    one = values.get("class_key")
    return frozenset(values.get("class_keys") or ()) | ({one} if one else frozenset())
