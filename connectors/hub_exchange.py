"""Speaks 体系枢纽 (应用接入规范 of the national resource system): accounts and organisations of a platform.

Rule 1: what differs between the spellings is data (`Spelling`), and so are the retCodes of a gateway.
Rule 2: numbers of persons are sealed the moment a row is read; nothing keeps a row as it came.
Rule 3: the list of organisations and a school's accounts are kept for a short while, fetched once.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any, ClassVar, Literal, TypeVar

from connectors.base import (
    Capabilities,
    Connector,
    Identity,
    Offer,
    Options,
    Tools,
    expect,
    filters,
    meets,
    only,
    window,
)
from connectors.deadline import Left, deadline
from connectors.errors import Malformed, Overloaded, Refused, Unanswerable
from connectors.recent import Recent
from connectors.together import together
from schema.model.codes import Level, LinkState, PersonRole
from schema.model.record import Answer, Lookup, Record
from schema.model.words import Kind

S = TypeVar("S")
T = TypeVar("T")

MOST = 20_000  # records of one answer
SHARED = 30.0  # seconds for a list that all who ask share
PAGES = 200  # pages of one list before it counts as endless
LARGE = 256 * 1024  # bytes of JSON worth a thread of their own
CHINA = timezone(timedelta(hours=8))
_IDENTITY = {
    "0": PersonRole.STUDENT, "1": PersonRole.TEACHER, "2": PersonRole.GUARDIAN, "3": PersonRole.STAFF,
    "4": PersonRole.STAFF,
}  # fmt: skip
_ORG_KINDS = {"2": "bureau", "3": "centre"}
_SCHOOL = "1"


@dataclass(frozen=True, slots=True)
class Spelling:
    """How one generation of gateways writes what both mean; `envelopes`: the part that holds an answer."""

    token: str
    ask: Mapping[str, str]
    stamp_per_second: int
    token_at: tuple[str, str]
    person: str
    envelopes: Mapping[str, str]


SPELLINGS: Mapping[str, Spelling] = {
    "camel": Spelling(
        "/apigateway/getAccessToken",
        {"app": "appId", "stamp": "timeStamp", "proof": "keyInfo", "system": "sysCode"},
        1000,
        ("data", "accessToken"),
        "userId",
        {"user": "data", "users": "data", "keys": "data", "org": "data", "orgs": "data"},
    ),
    "lower": Spelling(
        "/apigateway/getaccesstoken",
        {"app": "appid", "stamp": "timestamp", "proof": "keyinfo"},
        1,
        ("tokenInfo", "token"),
        "personId",
        {"user": "userInfo", "users": "userList", "keys": "userList", "org": "orgInfo", "orgs": "orgList"},
    ),
}
_PATHS = {
    "user": "/baseInfo/user/getUserById",
    "users": "/baseInfo/user/getUserList",
    "keys": "/baseInfo/getUserkeyInfo",
    "org": "/baseInfo/org/getOrgInfo",
    "orgs": "/baseInfo/getOrgList",
}
_ACCOUNT = frozenset(
    {"issuer", "level", "subject", "user_identity", "school_code", "region_code", "registered_at",
     "activated_at", "last_login_at", "real_name", "link_state", "match_key", "birth_date"}
)  # fmt: skip
_BODY = frozenset({"name", "org_kind", "level", "region_code", "parent_key"})


class HubExchangeOptions(Options, frozen=True):
    """How to reach a 体系枢纽 gateway.

    `base_url` without a path; `app_id`, `app_key`, `sys_code` as the platform issued them; `profile`: its
    spelling; `issuer`: what its accounts are said to be issued by (the source's code when empty); `page_size`
    rows a request (10,000 at most); `token_life` seconds a token is trusted whose life is not stated;
    `users_fresh` and `orgs_fresh` seconds those lists are kept. The retCodes of a gateway, apart from 000000
    and 300027: `spent_codes` a token no longer good, `refused_codes` our credentials, `absent_codes` nobody
    of that id, `busy_codes` asking for patience.
    """

    base_url: str
    app_id: str
    app_key: str
    sys_code: str = ""
    profile: Literal["camel", "lower"] = "camel"
    issuer: str = ""
    page_size: int = 1000
    token_life: float = 3600.0
    users_fresh: float = 60.0
    orgs_fresh: float = 600.0
    spent_codes: tuple[str, ...] = ("100004",)
    refused_codes: tuple[str, ...] = ("100001", "100002", "100003")
    absent_codes: tuple[str, ...] = ("300001",)
    busy_codes: tuple[str, ...] = ("900001",)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"https?://[^/?#@\s]+", self.base_url.rstrip("/")):
            raise ValueError("base_url 应为网关地址，不带路径 / base_url is scheme and host, without a path")
        if not 1 <= self.page_size <= 10_000:
            raise ValueError("page_size 应在 1 至 10000 之间 / page_size is 1 to 10000 (接入规范 getOrgList)")


def key_info(app_id: str, app_key: str, stamp: str) -> str:
    """The proof of a token request: upper-case hex of HMAC-SHA1(appKey, appId + appKey + timeStamp)."""
    return hmac.new(app_key.encode(), f"{app_id}{app_key}{stamp}".encode(), hashlib.sha1).hexdigest().upper()


@dataclass(frozen=True, slots=True)
class _Token:
    value: str = field(repr=False)
    until: float


@dataclass(frozen=True, slots=True)
class _Org:
    """An organisation as listed; `code` is a school's ten digits, `kind` its orgType."""

    id: str
    name: str
    code: str
    kind: str
    area: str
    parent: str


@dataclass(frozen=True, slots=True)
class _Directory:
    """All organisations by their id; `at` when the gateway was asked for them."""

    orgs: Mapping[str, _Org]
    at: float


@dataclass(frozen=True, slots=True)
class _Users:
    """A list of accounts, sealed: (person id, values) each; `at` when it was asked for; what did not fit."""

    rows: tuple[tuple[str, dict[str, Any]], ...]
    at: float
    remarks: tuple[str, ...] = ()


class Gateway:
    """Calls of one gateway, with its token: cached, renewed when spent, one request for it at a time."""

    def __init__(self, options: HubExchangeOptions, tools: Tools) -> None:
        self._options, self._tools = options, tools
        self.spelling = SPELLINGS[options.profile]
        self._tokens: Recent[_Token] = Recent(1, 86_400.0)

    async def call(self, way: str, body: Mapping[str, Any], left: Left) -> tuple[str, Any]:
        """(retCode, data) of a call; None for what is absent. A spent token is renewed, once."""
        token = await self._token(left)
        code, answer = await self._post(way, token, body, left)
        if code in self._options.spent_codes:
            self._tokens.drop("token", token)
            code, answer = await self._post(way, await self._token(left), body, left)
        return code, self._judged(code, answer, self.spelling.envelopes[way])

    async def aclose(self) -> None:
        await self._tokens.aclose()

    async def _post(self, way: str, token: _Token, body: Mapping[str, Any], left: Left) -> tuple[str, Any]:
        return await self._said(_PATHS[way], {"accessToken": token.value}, body, left())

    async def _said(
        self, path: str, params: Mapping[str, str], body: Mapping[str, Any], within: float
    ) -> tuple[str, dict[str, Any]]:
        url = self._options.base_url.rstrip("/") + path
        reply = await self._tools.http.post(url, json=body, params=params, within=within, safe=True)
        answer = reply.json() if len(reply.body) < LARGE else await asyncio.to_thread(reply.json)
        found: dict[str, Any] = expect(answer, dict, path)
        return expect(found.get("retCode"), str, f"{path} retCode"), found

    def _judged(self, code: str, answer: Mapping[str, Any], envelope: str) -> Any:
        options, shown = self._options, code if code.isascii() and code.isalnum() else "?"
        if code in ("000000", "300027"):
            return answer.get(envelope)
        if code in options.absent_codes:
            return None
        if code in options.refused_codes or code in options.spent_codes:
            raise Refused(f"retCode {shown[:12]}: check app_id, app_key and the clock of this machine")
        if code in options.busy_codes:
            raise Overloaded(f"retCode {shown[:12]}")
        raise Malformed(f"retCode {shown[:12]} is none that the options of this source know")

    async def _token(self, left: Left) -> _Token:
        while True:
            token = (await self._tokens.get(["token"], self._fetch, left()))["token"]
            if token.until > self._tools.now():
                return token
            self._tokens.drop("token", token)

    async def _fetch(self, _: list[str]) -> dict[str, _Token]:
        options, spelling, asked_at = self._options, self.spelling, self._tools.now()
        stamp = str(int(asked_at * spelling.stamp_per_second))
        values = {
            "app": options.app_id, "stamp": stamp, "system": options.sys_code,
            "proof": key_info(options.app_id, options.app_key, stamp),
        }  # fmt: skip
        body = {name: values[meaning] for meaning, name in spelling.ask.items()}
        code, answer = await self._said(spelling.token, {}, body, 10.0)
        envelope, name = spelling.token_at
        found = expect(self._judged(code, answer, envelope), dict, envelope)
        value = expect(found.get(name), str, f"{envelope}.{name}")
        life = str(found.get("validTime", ""))
        seconds = float(life) if re.fullmatch(r"\d{1,7}", life, re.ASCII) else options.token_life
        return {"token": _Token(value, asked_at + max(seconds - 30.0, seconds / 2, 1.0))}


class HubExchange(Connector):
    """A platform that joins by the rules of the national hub; `person_key` it does not know."""

    protocol: ClassVar[str] = "hub_exchange"
    options: ClassVar[type[Options]] = HubExchangeOptions
    settings: HubExchangeOptions

    def __init__(self, identity: Identity, options: HubExchangeOptions, tools: Tools) -> None:
        super().__init__(identity, options, tools)
        self._gateway = Gateway(options, tools)
        self._orgs: Recent[_Directory] = Recent(1, options.orgs_fresh)
        self._lists: Recent[_Users] = Recent(64, options.users_fresh)

    @property
    def capabilities(self) -> Capabilities:
        accounts = Offer(_ACCOUNT, frozenset({"key", "school_code", "match_key"}), batch=500, fresh_for=300.0)
        bodies = Offer(
            _BODY, frozenset({"key", "region_code"}), batch=500, pages=True, totals=True, fresh_for=600.0
        )
        return Capabilities({Kind.ACCOUNT: accounts, Kind.ORGANIZATION: bodies})

    async def look_up(self, lookup: Lookup, within: float) -> Answer:
        self.offer(lookup)
        left = deadline(within)
        if lookup.kind is Kind.ORGANIZATION:
            return await self._organizations(lookup, left)
        return await self._accounts(lookup, left)

    async def probe(self, within: float) -> None:
        """The first organisation: proves credentials, clock and list."""
        await self._gateway.call("orgs", {"pageNo": 1, "pageSize": 1}, deadline(within))

    async def aclose(self) -> None:
        for shelf in (self._orgs, self._lists, self._gateway):
            await shelf.aclose()

    # Organisations

    async def _organizations(self, lookup: Lookup, left: Left) -> Answer:
        directory, where = await self._directory(left), filters(lookup)
        chosen = [
            org
            for org in directory.orgs.values()
            if org.kind != _SCHOOL and meets({"region_code": org.area}, where, self.key(org.id))
        ]
        shown, more = window(chosen, lookup.page, MOST)
        return Answer(tuple(self._organization(org, directory, lookup) for org in shown), len(chosen), more)

    def _organization(self, org: _Org, directory: _Directory, lookup: Lookup) -> Record:
        values = only(self._body(org, directory.orgs), lookup.fields)
        return self.record(lookup.kind, self.key(org.id), org.id, values, fetched_at=directory.at)

    def _body(self, org: _Org, orgs: Mapping[str, _Org]) -> dict[str, Any]:
        parent = orgs.get(org.parent)
        return {
            "name": org.name or None,
            "org_kind": _ORG_KINDS.get(org.kind),
            "level": self._level(org.area),
            "region_code": org.area or None,
            "parent_key": self.key(parent.id) if parent else None,
        }

    def _level(self, area: str) -> str | None:
        if area == self.identity.region_code:
            return self.identity.level.value
        if not re.fullmatch(r"\d{6}", area, re.ASCII):
            return None
        zeros = {"0000": Level.PROVINCIAL, "00": Level.MUNICIPAL}
        return next((level.value for end, level in zeros.items() if area.endswith(end)), Level.COUNTY.value)

    async def _directory(self, left: Left) -> _Directory:
        return (await self._orgs.get(["all"], self._read_orgs, left()))["all"]

    async def _read_orgs(self, _: list[str]) -> dict[str, _Directory]:
        left, size, at = deadline(SHARED), self.settings.page_size, self.tools.now()

        async def page(number: int) -> list[dict[str, Any]]:
            _, data = await self._gateway.call("orgs", {"pageNo": number, "pageSize": size}, left)
            return _rows(data, "getOrgList")

        rows = [row for row in await _pages(page, size) if row.get("orgId")]
        complete = await together(partial(self._completed, row, left) for row in rows)
        return {"all": _Directory({org.id: org for org in map(_org, complete)}, at)}

    async def _completed(self, row: dict[str, Any], left: Left) -> dict[str, Any]:
        """Older gateways list id and name only; the rest is asked for one by one."""
        if "areaCode" in row:
            return row
        _, data = await self._gateway.call("org", {"orgId": row["orgId"]}, left)
        return {**row, **data} if isinstance(data, dict) else row

    # Accounts

    async def _accounts(self, lookup: Lookup, left: Left) -> Answer:
        schools = lookup.values("school_code")
        if lookup.keys:
            needs = {"school_code", "region_code"} & {*lookup.fields, *(name for name, _ in lookup.where)}
            lists = [await self._by_id(self.local(lookup.keys), left, orgs=bool(needs))]
        elif schools:
            lists = await self._of_schools(schools, left)
        else:
            raise Unanswerable(f"{self.identity.code}: accounts are asked for by key or school_code")
        where = filters(lookup, but=("key",))
        told = [
            self._account(*row, users.at, lookup)
            for users in lists
            for row in users.rows
            if meets(row[1], where)
        ]
        remarks = dict.fromkeys(remark for users in lists for remark in users.remarks)
        return Answer(tuple(told[:MOST]), None, len(told) > MOST, tuple(remarks)[:20])

    def _account(self, who: str, values: dict[str, Any], at: float, lookup: Lookup) -> Record:
        return self.record(lookup.kind, self.key(who), who, only(values, lookup.fields), fetched_at=at)

    async def _by_id(self, ids: Sequence[str], left: Left, *, orgs: bool) -> _Users:
        at, rows = self.tools.now(), await self._rows_of(ids, left)
        known = await self._directory(left) if orgs and rows else _Directory({}, at)
        return self._sealed(rows, known, at)

    async def _rows_of(self, ids: Sequence[str], left: Left) -> list[dict[str, Any]]:
        """One is asked for by name, several in one request; who is not real-name verified answers 300027."""
        if len(ids) == 1:
            code, data = await self._gateway.call("user", {"personId": ids[0]}, left)
            if code != "300027":
                return [] if data is None else [expect(data, dict, "getUserById")]
        if not ids:
            return []
        body = {"sysCode": self.settings.sys_code, "personId": list(ids)}
        _, data = await self._gateway.call("keys", body, left)
        found = _rows(data, "getUserkeyInfo")
        if len(ids) == 1:
            bare = {self._gateway.spelling.person: ids[0]}
            return [{**row, "realNameFlag": "0"} for row in found or [bare]]
        return [row for row in found if row.get(self._gateway.spelling.person) in ids]

    async def _of_schools(self, codes: Sequence[str], left: Left) -> list[_Users]:
        directory, wanted = await self._directory(left), frozenset(codes)
        ids = [org.id for org in directory.orgs.values() if org.code and org.code in wanted]

        async def read(missing: list[str]) -> dict[str, _Users]:
            lists = await together(partial(self._read_users, org, directory) for org in missing)
            return dict(zip(missing, lists, strict=True))

        found = await self._lists.get(ids, read, left())
        return [found[org] for org in ids]

    async def _read_users(self, org: str, directory: _Directory) -> _Users:
        left, size, at = deadline(SHARED), self.settings.page_size, self.tools.now()

        async def page(number: int) -> list[dict[str, Any]]:
            ask = {"orgId": org, "start": (number - 1) * size + 1, "end": number * size}
            _, data = await self._gateway.call("users", ask, left)
            return _rows(data, "getUserList")

        rows = await _pages(page, size)
        return await asyncio.to_thread(self._sealed, rows, directory, at)

    def _sealed(self, rows: Iterable[Mapping[str, Any]], directory: _Directory, at: float) -> _Users:
        told: dict[str, dict[str, Any]] = {}
        remarks: dict[str, None] = {}
        for row in rows:
            who = row.get(self._gateway.spelling.person)
            if not isinstance(who, str) or not who:
                remarks["a user without an id was left out"] = None
            else:
                told[who] = self._values(who, row, directory.orgs.get(_text(row, "orgId")), remarks)
        return _Users(tuple(told.items()), min(at, directory.at), tuple(remarks))

    def _values(
        self, who: str, row: Mapping[str, Any], org: _Org | None, remarks: dict[str, None]
    ) -> dict[str, Any]:
        def noted(name: str, value: S | None) -> S | None:
            if value is None and _text(row, name):
                remarks[f"{name}: a value that is not in the code table or no date"] = None
            return value

        number = _text(row, "studentCode") or _text(row, "idCard")
        bound = {"1": LinkState.CONFIRMED.value, "0": LinkState.PROPOSED.value}
        return {
            "issuer": self.settings.issuer or self.identity.code,
            "level": self.identity.level.value,
            "subject": who,
            "user_identity": noted("userIdentity", _IDENTITY.get(_text(row, "userIdentity"))),
            "school_code": (org.code or None) if org else None,
            "region_code": (org.area or None) if org else None,
            "registered_at": noted("registerTime", _moment(_text(row, "registerTime"))),
            "activated_at": noted("activeTime", _moment(_text(row, "activeTime"))),
            "last_login_at": noted("lastLoginTime", _moment(_text(row, "lastLoginTime"))),
            "real_name": noted("realNameFlag", {"1": True, "0": False}.get(_text(row, "realNameFlag"))),
            "link_state": noted("bindStatus", bound.get(_text(row, "bindStatus"))),
            "match_key": self.tools.seal.match_key(number) if number else None,
            "birth_date": noted("birthday", _day(_text(row, "birthday"))),
        }


async def _pages(page: Callable[[int], Awaitable[list[T]]], size: int) -> list[T]:
    """All pages up to the first that is not full; no gateway tells how many there are."""
    rows: list[T] = []
    for number in range(1, PAGES + 1):
        rows += (more := await page(number))
        if len(more) < size:
            return rows
    raise Malformed(f"a list of more than {PAGES} pages of {size}")


def _rows(data: Any, what: str) -> list[dict[str, Any]]:
    """The rows of a list, bare or inside `dataList`."""
    if data is None:
        return []
    found = expect(data.get("dataList", []) if isinstance(data, dict) else data, list, what)
    return [expect(row, dict, what) for row in found]


def _org(row: Mapping[str, Any]) -> _Org:
    names = ("orgId", "orgName", "orgCode", "orgType", "areaCode", "parentOrgId")
    return _Org(*(_text(row, name) for name in names))


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value).strip()


def _moment(text: str) -> str | None:
    """RFC 3339 of `2023-09-01 08:00:00` (Beijing time) or of milliseconds since 1970."""
    try:
        if re.fullmatch(r"\d{12,13}", text, re.ASCII):
            return datetime.fromtimestamp(int(text) / 1000, CHINA).isoformat(timespec="seconds")
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=CHINA).isoformat()
    except (ValueError, OverflowError, OSError):
        return None


def _day(text: str) -> str | None:
    """ISO date of `20150304` or `2015-03-04`."""
    try:
        return datetime.strptime(text.replace("-", ""), "%Y%m%d").date().isoformat()
    except ValueError:
        return None


__all__ = ["SPELLINGS", "HubExchange", "HubExchangeOptions", "key_info"]
