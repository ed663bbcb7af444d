"""The OneRoster CSV bundle of a county or school, as its vendor's export writes it."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from connectors.sandbox.country import Country
from connectors.sandbox.oneroster.items import Item, Items

HEADERS = {
    "academicSessions": "sourcedId,status,dateLastModified,title,type,startDate,endDate,parentSourcedId,"
    "schoolYear",
    "classes": "sourcedId,status,dateLastModified,title,grades,courseSourcedId,classCode,classType,location,"
    "schoolSourcedId,termSourcedIds,subjects,subjectCodes,periods",
    "courses": "sourcedId,status,dateLastModified,schoolYearSourcedId,title,courseCode,grades,orgSourcedId,"
    "subjects,subjectCodes",
    "demographics": "sourcedId,status,dateLastModified,birthDate,sex,americanIndianOrAlaskaNative,asian,"
    "blackOrAfricanAmerican,nativeHawaiianOrOtherPacificIslander,white,demographicRaceTwoOrMoreRaces,"
    "hispanicOrLatinoEthnicity,countryOfBirthCode,stateOfBirthAbbreviation,cityOfBirth,"
    "publicSchoolResidenceStatus",
    "enrollments": "sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role,"
    "primary,beginDate,endDate",
    "orgs": "sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId",
    "roles": "sourcedId,status,dateLastModified,userSourcedId,roleType,role,beginDate,endDate,orgSourcedId,"
    "userProfileSourcedId",
    "users": "sourcedId,status,dateLastModified,enabledUser,username,userIds,givenName,familyName,middleName,"
    "identifier,email,sms,phone,agentSourcedIds,grades,password,userMasterIdentifier,resourceSourcedIds,"
    "preferredGivenName,preferredMiddleName,preferredFamilyName,primaryOrgSourcedId,pronouns",
}
ABSENT = (
    "categories", "classResources", "courseResources", "lineItemLearningObjectiveIds", "lineItems",
    "lineItemScoreScales", "resources", "resultLearningObjectiveIds", "results", "resultScoreScales",
    "scoreScales", "userProfiles", "userResources",
)  # fmt: skip
_REFERENCES = {
    "parent": "parentSourcedId",
    "school": "schoolSourcedId",
    "course": "courseSourcedId",
    "class": "classSourcedId",
    "user": "userSourcedId",
    "primaryOrg": "primaryOrgSourcedId",
    "org": "orgSourcedId",
}
_LISTS = {"agents": "agentSourcedIds", "terms": "termSourcedIds"}


def write_bundle(path: Path, country: Country, unit: str | None = None, school: str | None = None) -> None:
    """Write a bulk bundle: a zip where the name ends in .zip, else a folder."""
    items = Items(country, unit, school)
    texts = {"manifest.csv": _csv(["propertyName", "value"], _manifest())}
    users = list(items.every("users"))
    for name, header in HEADERS.items():
        if name == "roles":
            rows = [row for user in users for row in _roles(user)]
        else:
            rows = [_row(item) for item in (users if name == "users" else items.every(name))]
        texts[f"{name}.csv"] = _table(header.split(","), rows)
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            for name, text in texts.items():
                packed.writestr(name, text)
        return
    path.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (path / name).write_text(text, "utf-8", newline="")


def _manifest() -> list[list[str]]:
    told = {"manifest.version": "1.0", "oneroster.version": "1.2"}
    told |= {f"file.{name}": "bulk" for name in HEADERS} | {f"file.{name}": "absent" for name in ABSENT}
    told |= {"source.systemName": "样例县域名册", "source.systemCode": "sandbox"}
    return [[name, value] for name, value in told.items()]


def _table(header: list[str], rows: list[dict[str, str]]) -> str:
    extra = sorted({name for row in rows for name in row if name.startswith("metadata.")})
    names = [*header, *extra]
    return _csv(names, ([row.get(name, "") for name in names] for row in rows))


def _csv(header: list[str], rows: Iterable[list[str]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def _row(item: Item) -> dict[str, str]:
    row: dict[str, str] = {}
    for name, value in item.items():
        if name in _REFERENCES:
            row[_REFERENCES[name]] = value["sourcedId"]
        elif name in _LISTS:
            row[_LISTS[name]] = ",".join(one["sourcedId"] for one in value)
        elif name == "userIds":
            row[name] = ",".join(f"{{{one['type']}:{one['identifier']}}}" for one in value)
        elif name == "metadata":
            row |= {f"metadata.{key}": str(one) for key, one in value.items()}
        elif name != "roles":
            row[name] = _text(value)
    return row


def _text(value: Any) -> str:
    return ",".join(value) if isinstance(value, list) else str(value)


def _roles(item: Item) -> list[dict[str, str]]:
    always = {name: item[name] for name in ("status", "dateLastModified")}
    return [
        {
            **always,
            "sourcedId": f"r-{item['sourcedId']}-{number}",
            "userSourcedId": item["sourcedId"],
            "roleType": role["roleType"],
            "role": role["role"],
            "orgSourcedId": role["org"]["sourcedId"],
        }
        for number, role in enumerate(item["roles"])
    ]
