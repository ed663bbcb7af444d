"""The city platform as vendors build it: a 体系枢纽 gateway with accounts and organisations of the city.

Both spellings at once: `/apigateway/getAccessToken` with `data`, and the older `/apigateway/getaccesstoken`
with lower-case request names, seconds for a time stamp, `tokenInfo`, and answers named for what they hold. A
token remembers which of the two it came by, and answers are spelt accordingly; the older list of
organisations tells id and name only. retCodes other than 000000 and 300027 are this gateway's own: public
readers of the rules print none.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
import zlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.sandbox.country import Country, Person

CHINA = timezone(timedelta(hours=8))
SKEW = 600  # seconds a request's time stamp may be off
MOST = 10_000  # rows of one page
OK, UNVERIFIED = "000000", "300027"
BAD_APP, BAD_KEY, BAD_TIME, BAD_TOKEN, BAD_ASK, NO_ONE = (
    "100001",
    "100002",
    "100003",
    "100004",
    "200001",
    "300001",
)
_DESCRIBED = {
    OK: "success", UNVERIFIED: "user not verified", BAD_APP: "app not registered", BAD_KEY: "keyInfo error",
    BAD_TIME: "timeStamp expired", BAD_TOKEN: "accessToken invalid", BAD_ASK: "parameter error",
    NO_ONE: "not found",
}  # fmt: skip


def app(
    country: Country,
    *,
    region_code: str = "371500",
    app_id: str = "DEMOAPP0001",
    app_key: str = "DEMO-KEY-NOT-REAL",
    sys_code: str = "371500",
    token_life: float = 7200.0,
    now: Callable[[], float] = time.time,
) -> Starlette:
    """The gateway of the platform of `region_code` and all below it."""
    gate = Gateway(country, region_code, app_id, app_key, sys_code, token_life, now)
    ways: dict[str, Callable[[Mapping[str, Any]], tuple[str, Any]]] = {
        "/baseInfo/user/getUserById": gate.user,
        "/baseInfo/user/getUserList": gate.users,
        "/baseInfo/getUserkeyInfo": gate.key_infos,
        "/baseInfo/org/getOrgInfo": gate.organization,
        "/baseInfo/getOrgList": gate.organizations,
    }
    names = {
        "getUserById": "userInfo", "getUserList": "userList", "getUserkeyInfo": "userList",
        "getOrgInfo": "orgInfo", "getOrgList": "orgList",
    }  # fmt: skip

    def route(path: str, way: Callable[[Mapping[str, Any]], tuple[str, Any]]) -> Route:
        async def endpoint(request: Request) -> Response:
            older = gate.spelling(request.query_params.get("accessToken", ""))
            if older is None:
                return _say(BAD_TOKEN)
            code, data = await asyncio.to_thread(way, await _body(request))
            return _say(code, data, names[path.rsplit("/", 1)[1]] if older else "data")

        return Route(path, endpoint, methods=["POST"])

    async def token(request: Request) -> Response:
        body = await _body(request)
        code, value = gate.issue(body.get("appId"), body.get("timeStamp"), body.get("keyInfo"), older=False)
        return _say(code, {"accessToken": value, "validTime": str(int(token_life))} if value else None)

    async def older_token(request: Request) -> Response:
        body = await _body(request)
        code, value = gate.issue(body.get("appid"), body.get("timestamp"), body.get("keyinfo"), older=True)
        return _say(code, {"token": value} if value else None, "tokenInfo")

    routes = [route(path, way) for path, way in ways.items()]
    routes += [
        Route("/apigateway/getAccessToken", token, methods=["POST"]),
        Route("/apigateway/getaccesstoken", older_token, methods=["POST"]),
    ]
    found = Starlette(routes=routes)
    found.state.gateway = gate
    return found


class Gateway:
    """What the platform knows; `revoke` ends every token, as a restart at the vendor does."""

    def __init__(
        self, country: Country, region: str, app_id: str, app_key: str, sys_code: str, life: float,
        now: Callable[[], float],
    ) -> None:  # fmt: skip
        self._country, self._app, self._key, self._sys = country, app_id, app_key, sys_code
        self._life, self._now = life, now
        self._tokens: dict[str, tuple[float, bool]] = {}
        self._orgs = _orgs(country, region)
        self._by_id = {row["orgId"]: row for row in self._orgs}
        self._org_of_code = {row["orgCode"]: row["orgId"] for row in self._orgs if row["orgCode"]}
        self._org_of_region = {
            row["areaCode"]: row["orgId"] for row in reversed(self._orgs) if not row["orgCode"]
        }
        self._kept = {persona.person_id for persona in country.personas().values()}
        self._accounts = lru_cache(maxsize=64)(self._accounts_of)

    # Tokens

    def issue(self, app_id: Any, stamp: Any, key_info: Any, *, older: bool) -> tuple[str, str | None]:
        """(retCode, token or None) for a request as the 应用接入规范 has it."""
        if app_id != self._app:
            return BAD_APP, None
        text = f"{app_id}{self._key}{stamp}".encode()
        right = hmac.new(self._key.encode(), text, hashlib.sha1).hexdigest().upper()
        if not isinstance(key_info, str) or not hmac.compare_digest(right.encode(), key_info.encode()):
            return BAD_KEY, None
        unit = 1 if older else 1000  # the older spelling counts seconds
        if not str(stamp).isdecimal() or abs(int(stamp) / unit - self._now()) > SKEW:
            return BAD_TIME, None
        self._tokens = {token: kept for token, kept in self._tokens.items() if kept[0] > self._now()}
        token = secrets.token_hex(16)
        self._tokens[token] = (self._now() + self._life, older)
        return OK, token

    def spelling(self, token: str) -> bool | None:
        """Whether the token is of the older spelling; None if it is none or spent."""
        until, older = self._tokens.get(token, (0.0, False))
        return older if until > self._now() else None

    def revoke(self) -> None:
        """Forget every token."""
        self._tokens.clear()

    # Organisations

    def organizations(self, ask: Mapping[str, Any]) -> tuple[str, Any]:
        page, size = ask.get("pageNo"), ask.get("pageSize")
        if not isinstance(page, int) or not isinstance(size, int) or page < 1 or not 1 <= size <= MOST:
            return BAD_ASK, None
        rows = self._orgs[(page - 1) * size : page * size]
        return OK, {"dataList": rows}

    def organization(self, ask: Mapping[str, Any]) -> tuple[str, Any]:
        found = self._by_id.get(str(ask.get("orgId")))
        return (OK, found) if found else (NO_ONE, None)

    # Users

    def user(self, ask: Mapping[str, Any]) -> tuple[str, Any]:
        person = self._holder(ask.get("personId"))
        if person is None:
            return NO_ONE, None
        if person.assurance != "VERIFIED":
            return UNVERIFIED, {"certUrl": "https://example.invalid/cert"}
        return OK, self._row(person)

    def users(self, ask: Mapping[str, Any]) -> tuple[str, Any]:
        org, start, end = ask.get("orgId"), ask.get("start"), ask.get("end")
        if (
            not isinstance(start, int)
            or not isinstance(end, int)
            or start < 1
            or not start <= end < start + MOST
        ):
            return BAD_ASK, None
        if org not in self._by_id:
            return NO_ONE, None
        people = self._accounts(str(org))[start - 1 : end]
        return OK, {"dataList": [self._row(person) for person in people]}

    def key_infos(self, ask: Mapping[str, Any]) -> tuple[str, Any]:
        wanted = ask.get("personId")
        if ask.get("sysCode") != self._sys or not isinstance(wanted, list) or len(wanted) > 1000:
            return BAD_ASK, None
        people = [person for person in map(self._holder, wanted) if person]
        return OK, {"dataList": [self._row(person) for person in people]}

    def _holder(self, person_id: Any) -> Person | None:
        person = self._country.person_by_hub_id(person_id) if isinstance(person_id, str) else None
        return person if person and self._holds(person) and self._org(person) else None

    def _holds(self, person: Person) -> bool:
        """Whether somebody has an account: the staff, and nine pupils of ten."""
        if person.role == "guardian":
            return False
        return person.role != "student" or person.id in self._kept or _chance(person) % 10 != 0

    def _org(self, person: Person) -> str | None:
        if person.school_code:
            return self._org_of_code.get(person.school_code)
        return self._org_of_region.get(person.unit_code)

    def _accounts_of(self, org: str) -> tuple[Person, ...]:
        school = self._country.school(self._by_id[org]["orgCode"] or "")
        if school is None:
            officers = (self._country.person(one.person_id) for one in self._country.personas().values())
            return tuple(who for who in officers if who and who.role == "officer" and self._org(who) == org)
        pupils = [pupil for group in self._country.classes(school) for pupil in self._country.pupils(group)]
        return tuple(who for who in [*self._country.teachers(school), *pupils] if self._holds(who))

    def _row(self, person: Person) -> dict[str, Any]:
        """As vendors answer: the whole record, numbers and all; sealing is the reader's duty."""
        chance = _chance(person)
        first = datetime(2022, 9, 1, 8, tzinfo=CHINA) + timedelta(minutes=chance % 300_000)
        verified = person.assurance == "VERIFIED"
        return {
            "userId": person.hub_person_id,
            "name": person.name,
            "loginAccount": person.login,
            "userIdentity": person.user_identity,
            "orgId": self._org(person),
            "idCard": person.resident_id,
            "studentCode": person.roll_no,
            "birthday": person.birth_date.replace("-", ""),
            "mobile": person.phone,
            "realNameFlag": "1" if verified else "0",
            "bindStatus": "1" if verified and chance % 8 else "0",
            "registerTime": f"{first:%Y-%m-%d %H:%M:%S}",
            "activeTime": f"{first + timedelta(days=chance % 7):%Y-%m-%d %H:%M:%S}",
            "lastLoginTime": str(int((first + timedelta(days=30 + chance % 200)).timestamp() * 1000)),
        }


def _chance(person: Person) -> int:
    return zlib.crc32(person.id.encode())


def _orgs(country: Country, region: str) -> list[dict[str, Any]]:
    """Bureaus and centres of the city and below, then its schools."""
    below = {region, *(unit.code for unit in country.units)}
    bodies = [body for body in country.organizations() if body.region_code in below]
    known = {body.id for body in bodies}
    rows = [
        {
            "orgId": body.id,
            "orgName": body.name,
            "orgCode": None,
            "orgType": "2" if "bureau" in body.kind.lower() else "3",
            "areaCode": body.region_code,
            "parentOrgId": body.parent_id if body.parent_id in known else None,
        }
        for body in bodies
    ]
    rows += [
        {
            "orgId": f"sch{school.index:05d}", "orgName": school.name, "orgCode": school.code, "orgType": "1",
            "areaCode": school.unit_code, "parentOrgId": f"org-{school.unit_code}",
        }
        for school in country.schools
    ]  # fmt: skip
    return rows


async def _body(request: Request) -> Mapping[str, Any]:
    try:
        found = await request.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _say(code: str, data: Any = None, name: str = "data") -> Response:
    answer = {"retCode": code, "retDesc": _DESCRIBED[code]}
    if name != "data" and isinstance(data, dict) and "userId" in data:
        data = _older(data)
    elif name != "data" and isinstance(data, dict) and "dataList" in data:
        data = [_older(row) for row in data["dataList"]]
    return JSONResponse(answer if data is None else {**answer, name: data})


def _older(row: dict[str, Any]) -> dict[str, Any]:
    """The older spelling calls the user by `personId`, and lists little of an organisation."""
    if "orgName" in row:
        return {"orgId": row["orgId"], "orgName": row["orgName"]}
    return {("personId" if name == "userId" else name): value for name, value in row.items()}
