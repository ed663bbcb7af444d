"""The gateway of 体系枢纽: its spellings, the proof for a token, and calls that carry one.

Rule: what differs between the spellings is data (`Spelling`), and so are the retCodes of a gateway.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from connectors.base import Options, Tools, expect
from connectors.deadline import Left
from connectors.errors import Malformed, Overloaded, Refused
from connectors.recent import Recent

T = TypeVar("T")

PAGES = 200  # pages of one list before it counts as endless
LARGE = 256 * 1024  # bytes of JSON worth a thread of their own


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


async def pages(page: Callable[[int], Awaitable[list[T]]], size: int) -> list[T]:
    """All pages up to the first that is not full; no gateway tells how many there are."""
    found: list[T] = []
    for number in range(1, PAGES + 1):
        found += (more := await page(number))
        if len(more) < size:
            return found
    raise Malformed(f"a list of more than {PAGES} pages of {size}")


def rows(data: Any, what: str) -> list[dict[str, Any]]:
    """The rows of a list, bare or inside `dataList`."""
    if data is None:
        return []
    found = expect(data.get("dataList", []) if isinstance(data, dict) else data, list, what)
    return [expect(row, dict, what) for row in found]
