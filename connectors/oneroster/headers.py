"""The columns of a OneRoster CSV bundle, exactly as the CSV bindings of 1.2 and 1.1 name them."""

from __future__ import annotations

from collections.abc import Mapping

_ALWAYS = ("sourcedId", "status", "dateLastModified")
_COMMON = {
    "orgs": (*_ALWAYS, "name", "type", "identifier", "parentSourcedId"),
    "academicSessions": (
        *_ALWAYS, "title", "type", "startDate", "endDate", "parentSourcedId", "schoolYear",
    ),
    "classes": (
        *_ALWAYS, "title", "grades", "courseSourcedId", "classCode", "classType", "location",
        "schoolSourcedId", "termSourcedIds", "subjects", "subjectCodes", "periods",
    ),
    "enrollments": (
        *_ALWAYS, "classSourcedId", "schoolSourcedId", "userSourcedId", "role", "primary", "beginDate",
        "endDate",
    ),
    "demographics": (*_ALWAYS, "birthDate", "sex"),
}  # fmt: skip
_NAMES = (
    "username", "userIds", "givenName", "familyName", "middleName", "identifier", "email", "sms", "phone",
)  # fmt: skip
_TAIL = ("agentSourcedIds", "grades", "password")
_USERS_1_1 = (*_ALWAYS, "enabledUser", "orgSourcedIds", "role", *_NAMES, *_TAIL)
_USERS_1_2 = (
    *_ALWAYS, "enabledUser", *_NAMES, *_TAIL, "userMasterIdentifier", "resourceSourcedIds",
    "preferredGivenName", "preferredMiddleName", "preferredFamilyName", "primaryOrgSourcedId", "pronouns",
)  # fmt: skip
_ROLES = (
    *_ALWAYS, "userSourcedId", "roleType", "role", "beginDate", "endDate", "orgSourcedId",
    "userProfileSourcedId",
)  # fmt: skip

FILES = ("orgs", "academicSessions", "classes", "users", "roles", "enrollments", "demographics")
NEEDED = frozenset({"orgs", "classes", "users", "enrollments"})
OPTIONAL = frozenset({"pronouns", "password"})  # late or withheld in many exports; never read


def of_version(version: str) -> Mapping[str, tuple[str, ...]] | None:
    """Columns of every file we read; None for a version that we do not know."""
    match version:
        case "1.2":
            return _COMMON | {"users": _USERS_1_2, "roles": _ROLES}
        case "1.1":
            return _COMMON | {"users": _USERS_1_1}
    return None
