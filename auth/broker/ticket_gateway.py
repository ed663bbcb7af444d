"""The gateway of a 体系枢纽 provider: its spellings, the proof for an access token, calls that carry one.

Rule 1: what differs between the spellings is data (`Spelling`).
Rule 2: retCode decides, before anything beside it is looked at.
Rule 3: the access token is asked for once for all who wait, used until it expires, and renewed when the
provider calls it spent.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from auth.broker.answers import object_of
from auth.broker.metadata import checked_address
from auth.broker.upstream import UpstreamRefused, unanswered
from auth.fetch import Fetch, FetchFailed
from auth.settings import UpstreamSettings

LARGEST = 65_536
OK, UNPROVEN = "000000", "300027"

_TOKEN = re.compile(r"[\x21-\x7e]{1,4096}")
_CODE = re.compile(r"[0-9A-Za-z]{1,16}")
_CODES = {
    "spent_codes": ("100004",),
    "refused_codes": ("100001", "100002", "100003"),
    "busy_codes": ("900001",),
}


@dataclass(frozen=True, slots=True)
class Spelling:
    """How one generation of providers writes what all mean. `token_at`, `user_at`: the parts of an answer."""

    token: str
    ask: Mapping[str, str]
    stamp_per_second: int
    token_at: tuple[str, str]
    user_at: str
    number: str


SPELLINGS: Mapping[str, Spelling] = {
    "camel": Spelling(
        "/apigateway/getAccessToken",
        {"app": "appId", "stamp": "timeStamp", "proof": "keyInfo", "system": "sysCode"},
        1000,
        ("data", "accessToken"),
        "data",
        "userId",
    ),
    "lower": Spelling(
        "/apigateway/getaccesstoken",
        {"app": "appid", "stamp": "timestamp", "proof": "keyinfo"},
        1,
        ("tokenInfo", "token"),
        "userInfo",
        "personId",
    ),
}


def key_info(app_id: str, app_key: str, stamp: str) -> str:
    """The proof of a token request: upper-case hex of HMAC-SHA1(appKey, appId + appKey + timeStamp)."""
    return hmac.new(app_key.encode(), f"{app_id}{app_key}{stamp}".encode(), hashlib.sha1).hexdigest().upper()


class Gateway:
    """Calls of one provider. Raises ValueError for a table that cannot work."""

    def __init__(
        self, settings: UpstreamSettings, fetch: Fetch, clock: Callable[[], float], profile: str
    ) -> None:
        self._settings, self._fetch, self._clock = settings, fetch, clock
        self.spelling = SPELLINGS[profile]
        self.base = base_of(settings)
        self._codes = {name: _listed(settings, name, default) for name, default in _CODES.items()}
        self._token = _Shared(self._issued, clock)
        if not settings.client_id or not settings.client_secret:
            raise ValueError(
                f"upstreams.{settings.code}: 缺少 client_id (appId) 或 client_secret (appKey) / "
                f"client_id (appId) or client_secret (appKey) is missing"
            )

    async def called(self, path: str, body: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
        """(retCode, the user part) of a call; a spent access token is renewed, once. retCode is 000000 or
        300027, everything else is `UpstreamRefused`."""
        token = await self._token.get()
        code, answer = await self._posted(path, body, token)
        if code in self._codes["spent_codes"]:
            self._token.drop(token)
            code, answer = await self._posted(path, body, await self._token.get())
        if code not in (OK, UNPROVEN):
            raise self._refusal(code)
        part = self.spelling.user_at
        return code, _part(answer, part) if code == OK or answer.get(part) else {}

    async def _posted(
        self, path: str, body: Mapping[str, str], token: str = ""
    ) -> tuple[str, dict[str, Any]]:
        try:
            got = await self._fetch(
                "POST", f"{self.base}{path}", within=self._settings.deadline, max_bytes=LARGEST,
                params={"accessToken": token} if token else None, json=dict(body),
            )  # fmt: skip
        except FetchFailed as error:
            raise unanswered(error) from None
        answer = object_of(got.body)
        code = answer.get("retCode")
        if not isinstance(code, str) or not _CODE.fullmatch(code):
            raise UpstreamRefused("answer-unusable", "no retCode, or none that is text", status=502)
        return code, answer

    def _refusal(self, code: str) -> UpstreamRefused:
        if code in self._codes["busy_codes"]:
            return UpstreamRefused("unavailable", f"retCode {code}", status=503)
        if code in (*self._codes["refused_codes"], *self._codes["spent_codes"]):
            detail = f"retCode {code}: check client_id, client_secret and the clock of this machine"
            return UpstreamRefused("refuses-us", detail, status=502)
        return UpstreamRefused("ticket-refused", f"retCode {code}")

    async def _issued(self) -> tuple[str, float]:
        """An access token, and when it is no longer to be used."""
        spelling, settings, now = self.spelling, self._settings, self._clock()
        stamp = str(int(now * spelling.stamp_per_second))
        values = {
            "app": settings.client_id,
            "stamp": stamp,
            "proof": key_info(settings.client_id, settings.client_secret, stamp),
            "system": str(settings.options.get("sys_code", "")),
        }
        asked = {name: values[meaning] for meaning, name in spelling.ask.items() if values[meaning]}
        code, answer = await self._posted(spelling.token, asked)
        if code != OK:
            raise self._refusal(code) if code in self._codes["busy_codes"] else _refuses_us(code)
        part, name = spelling.token_at
        told = _part(answer, part)
        token = told.get(name)
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise UpstreamRefused("answer-unusable", "no access token", status=502)
        life = str(told.get("validTime", ""))
        seconds = float(life) if re.fullmatch(r"\d{1,7}", life, re.ASCII) else self._life()
        return token, now + max(seconds - 30.0, seconds / 2)

    def _life(self) -> float:
        told = self._settings.options.get("token_life", 3600)
        return float(told) if isinstance(told, int | float) else 3600.0


class _Shared:
    """One access token for all who need it; many who wait, wait for one request. For one event loop."""

    def __init__(self, issue: Callable[[], Awaitable[tuple[str, float]]], clock: Callable[[], float]) -> None:
        self._issue, self._clock = issue, clock
        self._value, self._until = "", float("-inf")
        self._asking: asyncio.Task[str] | None = None

    async def get(self) -> str:
        """The token, asked for if there is none. Raises `UpstreamRefused`."""
        if self._value and self._clock() < self._until:
            return self._value
        if self._asking is None:
            self._asking = asyncio.create_task(self._asked())
            self._asking.add_done_callback(self._done)
        return await asyncio.shield(self._asking)

    def drop(self, value: str) -> None:
        """Do not use this one again; another that came meanwhile stays."""
        if value == self._value:
            self._value = ""

    async def _asked(self) -> str:
        self._value, self._until = await self._issue()
        return self._value

    def _done(self, task: asyncio.Task[str]) -> None:
        self._asking = None
        if not task.cancelled():
            task.exception()  # seen, even if nobody waits any more


def base_of(settings: UpstreamSettings) -> str:
    """The gateway's address, without a slash at its end."""
    chosen = str(settings.options.get("gateway_url") or settings.issuer).rstrip("/")
    return checked_address("options.gateway_url", chosen, settings)


def _part(answer: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = answer.get(name)
    if not isinstance(found, dict):
        raise UpstreamRefused("answer-unusable", f"{name} is not an object", status=502)
    return found


def _refuses_us(code: str) -> UpstreamRefused:
    detail = f"retCode {code} for an access token: check client_id, client_secret and the clock"
    return UpstreamRefused("refuses-us", detail, status=502)


def _listed(settings: UpstreamSettings, name: str, default: tuple[str, ...]) -> tuple[str, ...]:
    found = settings.options.get(name, default)
    if not isinstance(found, list | tuple) or not all(isinstance(each, str) for each in found):
        raise ValueError(f"upstreams.{settings.code}: {name} 应为字符串列表 / is a list of texts")
    return tuple(found)
