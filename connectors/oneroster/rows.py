"""Rows of a bundle in the shape of the REST binding, so that one file knows the words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from connectors.oneroster.roster import Item

Row = dict[str, str]

_USER_ID = re.compile(r"\{([^:{}]+):([^{}]*)\}")
_PLAIN = {
    "orgs": ("name", "type", "identifier"),
    "academicSessions": ("title", "type", "startDate", "endDate", "schoolYear"),
    "classes": ("title", "classType"),
    "users": ("familyName", "givenName"),
    "enrollments": ("role", "primary", "beginDate", "endDate"),
    "demographics": ("birthDate", "sex"),
}
_ONE = {
    "orgs": {"parent": "parentSourcedId"},
    "academicSessions": {},
    "classes": {"school": "schoolSourcedId"},
    "users": {"primaryOrg": "primaryOrgSourcedId"},
    "enrollments": {"class": "classSourcedId", "school": "schoolSourcedId", "user": "userSourcedId"},
    "demographics": {},
}

_FAMILY = ("parent", "guardian", "relative")  # they stand beside a school, not in it


class Shapes:
    """Makes items of rows; holds what users.csv of 1.2 leaves to roles.csv."""

    def __init__(self, version: str, roles: Iterable[Row]) -> None:
        self._version = version
        self._roles: dict[str, list[Row]] = {}
        for row in roles:
            if row.get("status") != "tobedeleted":
                self._roles.setdefault(row.get("userSourcedId", ""), []).append(row)

    def item(self, collection: str, row: Row) -> Item:
        """The item that the REST binding would have told, as far as we read it."""
        always = ("sourcedId", "status", "dateLastModified")
        item: Item = {name: row[name] for name in (*always, *_PLAIN[collection]) if name in row}
        item |= {name: _ref(row[column]) for name, column in _ONE[collection].items() if column in row}
        told = {name[9:]: value for name, value in row.items() if name.startswith("metadata.")}
        if told:
            item["metadata"] = told
        if "grades" in row:
            item["grades"] = _split(row["grades"])
        own: dict[str, Callable[[Row], dict[str, Any]]] = {"users": self._user, "classes": _class}
        return item | own[collection](row) if collection in own else item

    def _user(self, row: Row) -> dict[str, Any]:
        """Roles, numbers, agents; in 1.1 the organisations stand in the row, the first is the user's own."""
        more: dict[str, Any] = {
            "userIds": [
                {"type": kind, "identifier": own} for kind, own in _USER_ID.findall(row.get("userIds", ""))
            ],
            "agents": [_ref(own) for own in _split(row.get("agentSourcedIds", ""))],
        }
        if self._version == "1.1":
            orgs = [_ref(own) for own in _split(row.get("orgSourcedIds", ""))]
            own = {"primaryOrg": orgs[0]} if orgs and row.get("role") not in _FAMILY else {}
            return more | own | {"role": row.get("role"), "orgs": orgs}
        return more | {"roles": [_role(role) for role in self._roles.get(row.get("sourcedId", ""), ())]}


def _class(row: Row) -> dict[str, Any]:
    return {"terms": [_ref(own) for own in _split(row.get("termSourcedIds", ""))]}


def _role(row: Row) -> dict[str, Any]:
    return {
        "roleType": row.get("roleType"),
        "role": row.get("role"),
        "org": _ref(row.get("orgSourcedId", "")),
    }


def _ref(own: str) -> dict[str, str]:
    return {"sourcedId": own}


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
