"""What a roster offers, as data: fields, filters, and which attributes of the standard each field needs."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.base import Offer
from schema.model.words import Kind

COLLECTIONS = {
    Kind.SCHOOL: "schools",
    Kind.ORGANIZATION: "orgs",
    Kind.CLASS_GROUP: "classes",
    Kind.PERSON: "users",
    Kind.ENROLLMENT: "enrollments",
}
# Filter -> path at the server, narrowest first; "" is where the profile has a user's school.
DOORS: Mapping[Kind, Mapping[str, str]] = {
    Kind.SCHOOL: {"key": "identifier"},
    Kind.ORGANIZATION: {"key": "sourcedId"},
    Kind.CLASS_GROUP: {"key": "sourcedId", "school_code": "school.sourcedId"},
    Kind.PERSON: {"key": "sourcedId", "school_code": ""},
    Kind.ENROLLMENT: {
        "key": "sourcedId",
        "class_key": "class.sourcedId",
        "person_key": "user.sourcedId",
        "school_code": "school.sourcedId",
    },
}
_PLACE = ("primaryOrg", "roles")
ATTRIBUTES: Mapping[Kind, Mapping[str, tuple[str, ...]]] = {
    Kind.SCHOOL: {
        "school_code": (),
        "name": ("name",),
        **dict.fromkeys(
            ("region_code", "school_type", "stages", "schooling_system", "organiser_code", "is_private",
             "urban_rural_code", "credit_code"),
            ("metadata",),
        ),
    },
    Kind.ORGANIZATION: {
        "name": ("name",),
        "org_kind": ("metadata",),
        "level": ("metadata",),
        "region_code": ("identifier", "metadata"),
        "parent_key": ("parent",),
    },
    Kind.CLASS_GROUP: {
        "name": ("title",),
        "class_key": (),
        "grade_code": ("grades", "metadata"),
        "stage": ("metadata",),
        "school_code": ("school",),
        "region_code": ("school",),
        "school_year": ("terms", "metadata"),
        "homeroom_teacher_key": (),
        "student_count": (),
    },
    Kind.PERSON: {
        "person_key": (),
        "match_key": ("userIds",),
        "display_name": ("familyName", "givenName"),
        "roles": ("roles",),
        "gender": (),
        "birth_date": (),
        "resident_id_masked": ("userIds",),
        "assurance": ("metadata",),
        "grade_code": ("grades", "metadata", "roles"),
        "stage": ("metadata",),
        "subjects": ("metadata",),
        "school_code": _PLACE,
        "region_code": _PLACE,
        "class_keys": (),
        "guardian_keys": ("agents", "roles"),
    },
    Kind.ENROLLMENT: {
        "person_key": ("user",),
        "class_key": ("class",),
        "school_code": ("school",),
        "region_code": ("school",),
        "role": ("role",),
        "subject_code": ("metadata",),
        "primary": ("primary",),
        "begin_date": ("beginDate",),
        "end_date": ("endDate",),
    },
    Kind.GUARDIANSHIP: {
        "person_key": (),
        "match_key": ("userIds",),
        "guardian_key": (),
        "guardian_name": ("familyName", "givenName"),
        "relation_code": ("metadata",),
        "relation_name": ("metadata",),
        "is_legal_guardian": ("metadata",),
        "school_code": _PLACE,
        "region_code": _PLACE,
        "class_keys": (),
    },
}  # fmt: skip
# What is needed to know an item for what it is, whatever is wanted.
SHARES = {
    Kind.SCHOOL: frozenset({"type", "identifier"}),
    Kind.ORGANIZATION: frozenset({"type"}),
    Kind.ENROLLMENT: frozenset({"user", "class"}),
}
_BY = {
    Kind.SCHOOL: {"key", "region_code"},
    Kind.ORGANIZATION: {"key", "region_code"},
    Kind.CLASS_GROUP: {"key", "school_code", "grade_code"},
    Kind.PERSON: {"key", "school_code", "match_key"},
    Kind.ENROLLMENT: {"key", "class_key", "person_key", "school_code"},
    Kind.GUARDIANSHIP: {"key", "person_key", "guardian_key"},
}
_LISTED = frozenset({Kind.SCHOOL, Kind.ORGANIZATION})  # short lists, read whole and told in pages


def _offer(kind: Kind) -> Offer:
    return Offer(
        fields=frozenset(ATTRIBUTES[kind]),
        by=frozenset(_BY[kind]),
        batch=1_000,
        pages=kind in _LISTED,
        totals=kind in _LISTED,
        fresh_for=600.0 if kind in _LISTED else 300.0,
    )


OFFERS: Mapping[Kind, Offer] = {kind: _offer(kind) for kind in ATTRIBUTES}
