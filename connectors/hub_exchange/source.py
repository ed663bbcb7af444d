"""Accounts and organisations of a platform that joins by the rules of the national hub (应用接入规范).

Rule 1: numbers of persons are sealed the moment a row is read; nothing keeps a row as it came.
Rule 2: the list of organisations and a school's accounts are kept for a short while, fetched once; what is
told from them is as old as they are.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any, ClassVar, TypeVar

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
from connectors.errors import Unanswerable
from connectors.hub_exchange.gateway import Gateway, HubExchangeOptions, pages, rows
from connectors.recent import Recent
from connectors.together import together
from schema.model.codes import Level, LinkState, OrgKind, PersonRole
from schema.model.record import Answer, Lookup, Record
from schema.model.words import Kind

S = TypeVar("S")

MOST = 20_000  # records of one answer
SHARED = 30.0  # seconds for a list that all who ask share
CHINA = timezone(timedelta(hours=8))
_IDENTITY = {
    "0": PersonRole.STUDENT, "1": PersonRole.TEACHER, "2": PersonRole.GUARDIAN, "3": PersonRole.STAFF,
    "4": PersonRole.STAFF,
}  # fmt: skip
_ORG_KINDS = {"2": OrgKind.BUREAU.value, "3": OrgKind.CENTRE.value}
_SCHOOL = "1"
_ACCOUNT = frozenset(
    {"issuer", "level", "subject", "user_identity", "school_code", "region_code", "registered_at",
     "activated_at", "last_login_at", "real_name", "link_state", "match_key", "birth_date"}
)  # fmt: skip
_BODY = frozenset({"name", "org_kind", "level", "region_code", "parent_key"})


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
            return rows(data, "getOrgList")

        listed = [row for row in await pages(page, size) if row.get("orgId")]
        complete = await together(partial(self._completed, row, left) for row in listed)
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
        at, found = self.tools.now(), await self._rows_of(ids, left)
        known = await self._directory(left) if orgs and found else _Directory({}, at)
        return self._sealed(found, known, at)

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
        found = rows(data, "getUserkeyInfo")
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
            return rows(data, "getUserList")

        listed = await pages(page, size)
        return await asyncio.to_thread(self._sealed, listed, directory, at)

    def _sealed(self, found: Iterable[Mapping[str, Any]], directory: _Directory, at: float) -> _Users:
        told: dict[str, dict[str, Any]] = {}
        remarks: dict[str, None] = {}
        for row in found:
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
