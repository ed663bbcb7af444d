"""The OneRoster server: client credentials, filters, fields, pages with Link and total, a silent cap."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlencode

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from connectors.sandbox.country import Country
from connectors.sandbox.oneroster.filters import Filter, Unreadable, held_at, parse
from connectors.sandbox.oneroster.items import Item, Items

CLIENT_ID = "rongtong"
CLIENT_SECRET = "sandbox-roster-secret"
PATHS = {"1.2": "/ims/oneroster/rostering/v1p2", "1.1": "/ims/oneroster/v1p1"}
COLLECTIONS = (
    "orgs", "schools", "academicSessions", "courses", "classes", "users", "enrollments", "demographics",
)  # fmt: skip
_ATTRIBUTES = {
    "orgs": "name type identifier parent children metadata",
    "academicSessions": "title type startDate endDate parent children schoolYear metadata",
    "courses": "title courseCode grades schoolYear org subjects subjectCodes resources metadata",
    "classes": "title classCode classType location grades subjects course school terms subjectCodes periods "
    "resources metadata",
    "users": "enabledUser username userIds givenName familyName middleName identifier email sms phone agents "
    "grades password metadata",
    "enrollments": "user class school role primary beginDate endDate metadata",
    "demographics": "birthDate sex metadata",
}
_OF_VERSION = {"1.2": "roles primaryOrg userProfiles userMasterIdentifier resources", "1.1": "role orgs"}
_CODES = {
    "filter": "invalid_filter_field",
    "fields": "invalid_selection_field",
    "sort": "invalid_sort_field",
}


@dataclass
class Terms:
    """How this server behaves: `cap` is its silent limit of a page; `deaf` makes it ignore filters.

    `totals`: what X-Total-Count tells: "all" matches, the items of the "page", "wrong" or "none".
    """

    cap: int = 1_000
    totals: str = "all"
    deaf: bool = False
    tokens: set[str] = field(default_factory=set)


class Bad(Exception):
    """A request that the specification answers with 400."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(why)
        self.what, self.why = what, why


def app(
    country: Country,
    unit: str | None = None,
    school: str | None = None,
    units: Sequence[str] = (),
    terms: Terms | None = None,
) -> Starlette:
    """The server of one unit or one school; without either, of `units` (or all) under /<unit code>."""
    terms = terms or Terms()
    if unit or school:
        routes: list[Route | Mount] = [*_routes(Items(country, unit, school), terms)]
    else:
        held = units or [one.code for one in country.units if len(country.schools_of(one.code))]
        routes = [Mount(f"/{code}", routes=[*_routes(Items(country, code, None), terms)]) for code in held]
    return Starlette(routes=routes)


def _routes(items: Items, terms: Terms) -> Iterator[Route]:
    async def token(request: Request) -> Response:
        return await _token(request, terms)

    yield Route("/token", token, methods=["POST"])
    for version, path in PATHS.items():
        for collection in COLLECTIONS:
            endpoint = _endpoint(items, terms, version, collection)
            yield Route(f"{path}/{collection}", endpoint, methods=["GET"])


async def _token(request: Request, terms: Terms) -> Response:
    form = dict(parse_qsl((await request.body()).decode()))
    scheme, _, packed = request.headers.get("Authorization", "").partition(" ")
    try:
        who, _, secret = base64.b64decode(packed, validate=True).decode().partition(":")
    except ValueError:
        who = secret = ""
    if scheme.lower() != "basic" or (unquote_plus(who), unquote_plus(secret)) != (CLIENT_ID, CLIENT_SECRET):
        return JSONResponse({"error": "invalid_client"}, 401)
    if form.get("grant_type") != "client_credentials":
        return JSONResponse({"error": "unsupported_grant_type"}, 400)
    token = secrets.token_urlsafe(24)
    terms.tokens.add(token)
    told = {"access_token": token, "token_type": "Bearer", "expires_in": 3600, "scope": form.get("scope")}
    return JSONResponse(told)


def _endpoint(items: Items, terms: Terms, version: str, collection: str) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in terms.tokens:
            return _failure(version, 401, "unauthorisedrequest", "no valid token")
        try:
            return _answer(request, items, terms, version, collection)
        except Bad as bad:
            return _failure(version, 400, _CODES.get(bad.what, "invaliddata"), bad.why)

    return endpoint


def _answer(request: Request, items: Items, terms: Terms, version: str, collection: str) -> Response:
    asked = request.query_params
    known = _known(version, collection)
    limit, offset = _number(asked.get("limit", "100"), 1), _number(asked.get("offset", "0"), 0)
    names = _fields(asked.get("fields"), known)
    _filter(asked.get("filter"), known)
    sort, order = asked.get("sort", "sourcedId"), asked.get("orderBy", "asc")
    if sort.split(".")[0] not in known or order not in ("asc", "desc"):
        raise Bad("sort", "unknown field or order")
    told = "" if terms.deaf else asked.get("filter", "")
    found = _matches(items, version, collection, told, sort, order == "desc")
    page = found[offset : offset + min(limit, terms.cap)]
    body = [{name: item[name] for name in names if name in item} for item in page] if names else page
    headers = _headers(request, offset, len(page), min(limit, terms.cap), len(found))
    if terms.totals == "none":
        headers = {}
    elif terms.totals != "all":
        headers["X-Total-Count"] = str(len(page) if terms.totals == "page" else len(found) + 5)
    return JSONResponse({"orgs" if collection == "schools" else collection: body}, headers=headers)


def _known(version: str, collection: str) -> frozenset[str]:
    name = "orgs" if collection == "schools" else collection
    own = f"sourcedId status dateLastModified {_ATTRIBUTES[name]}"
    return frozenset(f"{own} {_OF_VERSION[version]}".split() if collection == "users" else own.split())


def _number(text: str, least: int) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) < least:
        raise Bad("page", "limit and offset are numbers")
    return int(text)


def _fields(text: str | None, known: frozenset[str]) -> list[str]:
    names = text.split(",") if text else []
    if set(names) - known:
        raise Bad("fields", "unknown field in selection")
    return names


def _filter(text: str | None, known: frozenset[str]) -> Filter | None:
    if text is None:
        return None
    try:
        wanted = parse(text)
    except Unreadable:
        raise Bad("filter", "the filter cannot be read") from None
    if {term.field.split(".")[0] for term in wanted.terms} - known:
        raise Bad("filter", "unknown field in filter")
    return wanted


@lru_cache(maxsize=8)
def _matches(
    items: Items, version: str, collection: str, told: str, sort: str, backwards: bool
) -> tuple[Item, ...]:
    """All matches in order, remembered from page to page: the country does not change."""
    wanted = parse(told) if told else None
    shaped = (_shape(version, collection, item) for item in _candidates(items, collection, wanted))
    found = [item for item in shaped if wanted is None or wanted.holds(item)]
    return tuple(sorted(found, key=lambda item: (*held_at(item, sort), "")[0], reverse=backwards))


def _candidates(items: Items, collection: str, wanted: Filter | None) -> Iterable[Item]:
    """No more than may match, so that a large county answers a small question at once."""
    if wanted is None:
        return items.every(collection)
    own = wanted.equals("sourcedId")
    if own is not None:
        return (item for one in dict.fromkeys(own) for item in items.by_id(collection, one))
    if collection == "enrollments":
        people, classes = wanted.equals("user.sourcedId"), wanted.equals("class.sourcedId")
        if people is not None:
            return (item for one in dict.fromkeys(people) for item in items.enrolled(one))
        if classes is not None:
            return (item for one in dict.fromkeys(classes) for item in items.in_class(one))
    return _of_schools(items, collection, wanted)


def _of_schools(items: Items, collection: str, wanted: Filter) -> Iterable[Item]:
    paths = ("school.sourcedId", "primaryOrg.sourcedId", "orgs.sourcedId", "roles.org.sourcedId")
    own = next((values for path in paths if (values := wanted.equals(path)) is not None), None)
    if own is None or collection not in ("classes", "users", "enrollments"):
        return items.every(collection)
    schools = [found for one in dict.fromkeys(own) if (found := items.school_by_id(one))]
    return (item for school in schools for item in items.of_school(collection, school))


def _shape(version: str, collection: str, item: Item) -> Item:
    """The item as its version writes it: 1.1 users have one role and a list of organisations."""
    if version == "1.2" or collection != "users":
        return item
    kept = {name: value for name, value in item.items() if name not in ("roles", "primaryOrg")}
    role = item["roles"][0]
    old = "administrator" if role["role"] == "principal" else role["role"]
    return kept | {"role": old, "orgs": [role["org"]]}


def _headers(request: Request, offset: int, got: int, limit: int, total: int) -> dict[str, str]:
    places = {"first": 0, "last": max(total - 1, 0) // limit * limit}
    if offset + got < total:
        places["next"] = offset + got
    if offset:
        places["prev"] = max(offset - limit, 0)
    asked = {name: value for name, value in request.query_params.items() if name not in ("offset", "limit")}
    base = str(request.url.replace(query=""))
    links = [
        f'<{base}?{urlencode({**asked, "limit": limit, "offset": place})}>; rel="{name}"'
        for name, place in places.items()
    ]
    return {"X-Total-Count": str(total), "Link": ", ".join(links) if len(links[0]) < 4_000 else ""}


def _failure(version: str, status: int, code: str, why: str) -> Response:
    told = {
        "imsx_codeMajor": "failure",
        "imsx_severity": "error",
        "imsx_description": why,
        "imsx_CodeMinor": {
            "imsx_codeMinorField": [
                {"imsx_codeMinorFieldName": "TargetEndSystem", "imsx_codeMinorFieldValue": code}
            ]
        },
    }
    return JSONResponse(told if version == "1.2" else {"statusInfoSet": [told]}, status)
