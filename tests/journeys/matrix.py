"""Who may see what of whom, as DOMAIN (section 4) and PRODUCT (promises about people's data) say it.

Written from those texts and from nothing of `schema.model.policy`, so that a fault there cannot hide here:
roles and how they stand to each subject are told by hand, fields by class and by the duties that open them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

INTERNAL, PERSONAL, SENSITIVE = "internal", "personal", "sensitive"
TEACHING, MANAGEMENT, ROLL, AID, DROPOUT = (
    "teaching", "school-management", "roll", "aid", "dropout-prevention",
)  # fmt: skip


@dataclass(frozen=True)
class Field:
    """One field: its class, the duties that open it where it is sensitive; `work`: what it is of staff."""

    kind: str
    duties: frozenset[str] = frozenset()
    mask: str = ""
    work: str = ""


def _field(kind: str, duties: str = "", mask: str = "", work: str = "") -> Field:
    return Field(kind, frozenset(duties.split()), mask, work)


PERSON: dict[str, Field] = {
    "displayName": _field(PERSONAL, "teaching school-management roll", "name", INTERNAL),
    "roles": _field(INTERNAL),
    "gender": _field(PERSONAL, "teaching roll"),
    "birthDate": _field(SENSITIVE, "teaching roll", "year"),
    "residentIdMasked": _field(SENSITIVE, "roll"),
    "assurance": _field(PERSONAL),
    "gradeCode": _field(INTERNAL),
    "stage": _field(INTERNAL),
    "subjects": _field(INTERNAL),
    "schoolCode": _field(INTERNAL),
    "regionCode": _field(INTERNAL),
}
LINKS: dict[str, Field] = {
    "school": _field(INTERNAL),
    "enrollments": _field(PERSONAL, "teaching school-management"),
    "accounts": _field(PERSONAL),
    "studentRoll": _field(SENSITIVE, "roll"),
    "guardians": _field(SENSITIVE, "teaching roll"),
    "children": _field(SENSITIVE),
    "learningSpace": _field(PERSONAL),
    "events": _field(PERSONAL, "teaching"),
    "accessLog": _field(SENSITIVE),
    "consents": _field(SENSITIVE),
}
_ROLL, _FAMILY, _OWNED = _field(SENSITIVE, "roll"), _field(SENSITIVE, "teaching roll"), _field(PERSONAL)
_DEED = _field(PERSONAL, "teaching school-management", work=INTERNAL)
RECORDS: dict[str, dict[str, Field]] = {
    "StudentRoll": {
        **dict.fromkeys(
            ("rollNoMasked", "statusCode", "enrolledOn", "gradeCode", "className", "boardingCode",
             "householdAddress", "schoolCode", "regionCode"), _ROLL),
        "monitoredGroups": _field(SENSITIVE, "aid dropout-prevention"),
    },
    "Guardianship": {
        "guardianName": _field(SENSITIVE, "teaching roll", "name"),
        **dict.fromkeys(("relationCode", "relationName", "isLegalGuardian"), _FAMILY),
    },
    "Account": dict.fromkeys(
        ("issuer", "level", "subject", "userIdentity", "schoolCode", "regionCode", "registeredAt",
         "activatedAt", "lastLoginAt", "realName", "linkState"), _OWNED),
    "LearningSpace": dict.fromkeys(
        ("ownerRole", "openedOn", "realName", "url", "schoolCode", "regionCode"), _OWNED),
    "Enrollment": {
        **dict.fromkeys(("schoolCode", "regionCode", "role", "subjectCode", "primary"), _field(INTERNAL)),
        **dict.fromkeys(("beginDate", "endDate"), _field(PERSONAL, "teaching school-management")),
    },
    "ActivityEvent": {
        **dict.fromkeys(
            ("actorRole", "verb", "scene", "loopStep", "objectType", "objectName", "occurredAt", "storedAt",
             "schoolCode", "regionCode", "platform"), _DEED),
        "objectId": _field(PERSONAL, "teaching"),
        "scoreScaled": _field(SENSITIVE, "teaching"),
    },
}  # fmt: skip
"""Records about a person: StudentRoll and Guardianship all sensitive (self, guardian, roll clerk); Account,
LearningSpace, Enrollment and ActivityEvent personal (self, school)."""
LINK_OF = {
    "StudentRoll": "studentRoll", "Guardianship": "guardians", "Account": "accounts",
    "LearningSpace": "learningSpace", "Enrollment": "enrollments", "ActivityEvent": "events",
}  # fmt: skip


@dataclass(frozen=True)
class Subject:
    """Somebody who is asked about: a child under 14, an older pupil, staff, or a parent."""

    name: str
    key: str
    minor: bool = False
    staff: bool = False
    pupil: bool = False


SUBJECTS = {
    one.name: one
    for one in (
        Subject("pupil", "u-0-9-0", minor=True, pupil=True),
        Subject("classmate", "u-0-9-11", minor=True, pupil=True),
        Subject("senior", "u-3-2-0", pupil=True),
        Subject("teacher", "u-0-t9", staff=True),
        Subject("principal", "u-0-t0", staff=True),
        Subject("guardian", "u-0-9-0-g2"),
    )
}
_HERE = ("pupil", "classmate", "teacher", "principal")
_EVERYBODY = (*_HERE, "senior", "guardian")
"""A parent is of no school: whose staff have them in no scope of theirs, while the county's officers do."""


@dataclass(frozen=True)
class Role:
    """Somebody who asks. `claim`: what is signed for them; "" as persona: that persona's own token.

    `own`: whose records are theirs; `works`: whom they have in their scope; `taught`: whom they teach;
    `fellows`: of whose staff they are a pupil or parent; `duties`: those declared that their role carries.
    """

    name: str
    persona: str = ""
    claim: dict[str, Any] = field(default_factory=dict)
    purpose: str = ""
    own: tuple[str, ...] = ()
    works: tuple[str, ...] = ()
    taught: tuple[str, ...] = ()
    fellows: tuple[str, ...] = ()
    duties: frozenset[str] = frozenset()
    consented: tuple[str, ...] | None = None
    families: frozenset[str] = frozenset({"identities", "activity", "resources"})


SCHOOL, SCOPES = "2137010001", ["openid", "graph"]
ROSTER = "c371502-roster:"
EVERY_PURPOSE = [TEACHING, MANAGEMENT, ROLL, AID, DROPOUT]


def _claim(role: str, *, region: str = "371502", school: str | None = SCHOOL, classes: tuple[str, ...] = (),
           me: str = "", children: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:  # fmt: skip
    held = {"role": role, "region_code": region, "school_code": school,
            "class_keys": [ROSTER + one for one in classes]}  # fmt: skip
    return {
        "subject": f"matrix-{role}-{me or region}", "level": "SCHOOL", "roles": [held], "scopes": SCOPES,
        "person_keys": [ROSTER + me] if me else [], "children_keys": [ROSTER + one for one in children],
        "purposes": EVERY_PURPOSE, "first_party": True, "client_id": "matrix", **more,
    }  # fmt: skip


_TEACHES = _claim("TEACHER", classes=("c-0-9",), me="u-0-t9")
_FAMILY_OF = _claim("GUARDIAN", classes=("c-0-9",), me="u-0-9-0-g2", children=("u-0-9-0",))
_VENDOR = {"first_party": False, "minors": True, "client_id": "matrix-vendor"}
_STAFF = ("teacher", "principal")
_AT_SCHOOL = {"works": _HERE, "taught": ("pupil", "classmate"), "duties": frozenset({TEACHING})}


def _officer(name: str, persona: str, purpose: str = "") -> Role:
    declared = frozenset(filter(None, purpose.split(",")))
    works = _EVERYBODY if persona != "stranger" else ()
    return Role(name, persona, purpose=purpose, works=works, duties=declared)


ROLES = {
    one.name: one
    for one in (
        Role("nobody"),
        Role("stranger", "stranger", purpose="teaching,roll"),
        Role("teacher", "teacher", own=("teacher",), **_AT_SCHOOL),  # type: ignore[arg-type]
        Role("colleague", claim=_claim("TEACHER", classes=("c-0-1",), me="u-0-t99"), works=_HERE,
             purpose="roll,school-management"),
        Role("pupil", "pupil", own=("pupil",), fellows=_STAFF),
        Role("classmate", claim=_claim("STUDENT", classes=("c-0-9",), me="u-0-9-11"), own=("classmate",),
             fellows=_STAFF, purpose="teaching,roll"),
        Role("senior", "senior", own=("senior",)),
        Role("guardian", "guardian", own=("guardian", "pupil"), fellows=_STAFF),
        Role("other guardian", claim=_claim("GUARDIAN", classes=("c-0-9",), me="u-0-9-11-g1",
             children=("u-0-9-11",)),
             own=("classmate",), fellows=_STAFF, purpose="roll"),
        Role("passer-by", claim=_claim("PUBLIC", classes=("c-0-9",), me="u-none")),
        Role("principal", "principal", own=("principal",), works=_HERE),
        Role("principal managing", "principal", purpose=MANAGEMENT, own=("principal",), works=_HERE,
             duties=frozenset({MANAGEMENT})),
        Role("principal for aid", "principal", purpose=AID, own=("principal",), works=_HERE),
        _officer("county officer", "county_officer"),
        _officer("county officer for the roll", "county_officer", ROLL),
        _officer("county officer for aid", "county_officer", AID),
        _officer("city officer", "city_officer"),
        _officer("city officer managing", "city_officer", MANAGEMENT),
        _officer("provincial officer", "officer"),
        _officer("provincial officer for the roll", "officer", ROLL),
        Role("officer elsewhere", claim=_claim("ADMIN", region="371522", school=None), purpose=ROLL),
        Role("vendor at the teacher's", claim=_TEACHES | _VENDOR, own=("teacher",), consented=(),
             purpose=TEACHING, **_AT_SCHOOL),  # type: ignore[arg-type]
        Role("vendor consented to", claim=_TEACHES | _VENDOR | {"client_id": "matrix-consented"},
             own=("teacher",), consented=("pupil",), purpose=TEACHING, **_AT_SCHOOL),  # type: ignore[arg-type]
        Role("vendor at the guardian's", claim=_FAMILY_OF | _VENDOR, own=("guardian", "pupil"), consented=(),
             fellows=_STAFF),
        Role("resources only", claim=_TEACHES | {"scopes": ["graph.resources"]}, own=("teacher",),
             families=frozenset({"resources"}), **_AT_SCHOOL),  # type: ignore[arg-type]
        Role("identities only", claim=_TEACHES | {"scopes": ["graph.identities"]}, own=("teacher",),
             families=frozenset({"identities"}), **_AT_SCHOOL),  # type: ignore[arg-type]
        Role("activity only", claim=_FAMILY_OF | {"scopes": ["graph.activity"]}, own=("guardian", "pupil"),
             fellows=_STAFF, families=frozenset({"activity"})),
    )
}  # fmt: skip


def expected(role: Role, subject: Subject, one: Field, family: str = "identities") -> str:
    """`shown`, `masked` or `hidden`: what this role sees of this field about this subject."""
    if role.name == "nobody" or family not in role.families:
        return "hidden"
    if subject.name in role.own:
        return "shown"
    if role.consented is not None and subject.pupil and subject.name not in role.consented:
        return "hidden"
    kind = one.work if subject.staff and one.work else one.kind
    works, taught = subject.name in role.works, subject.name in role.taught
    if kind == INTERNAL:
        # Families and pupils see those who work for them, but not what these do.
        fellow = subject.name in role.fellows and one is not _DEED
        return "shown" if works or taught or fellow else "hidden"
    if kind == PERSONAL and taught and not subject.minor:
        return "shown"
    opening = one.duties
    if kind == PERSONAL and not subject.minor:
        opening = one.duties or frozenset({MANAGEMENT})
    if not subject.pupil:
        opening = opening & {MANAGEMENT} if subject.staff else frozenset()
    held = role.duties - {TEACHING} if works else frozenset[str]()
    held |= {TEACHING} if taught and subject.pupil else frozenset[str]()
    if not opening & held:
        return "hidden"
    sensitive = kind == SENSITIVE or subject.minor
    return "masked" if one.mask and sensitive and not taught else "shown"


def through(link: Field, one: str, role: Role, subject: Subject) -> str:
    """What is left of a sight where the relation to it is one's to follow, or not."""
    return one if expected(role, subject, link) != "hidden" else "hidden"


def masked(mask: str, value: Any) -> Any:
    """What is left of a value under a mask, as promised: 王小明 -> 王**, 2016-05-04 -> 2016."""
    if not isinstance(value, str):
        return value
    return value[0] + "*" * (len(value) - 1) if mask == "name" else value[:4]
