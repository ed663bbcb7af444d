"""What keeps people from signing in: the hub's own address, keys and clock, levels' providers, anchors."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path

import aiohttp

from auth.errors import AuthError
from auth.fetch import Fetch, Fetched, FetchFailed
from auth.keys import KeyRing
from auth.settings import UpstreamSettings
from auth.trust.errors import Distrusted
from auth.trust.federation import limits_of
from auth.trust.resolver import Resolver
from connectors.http import Http
from hub.app import KEYS, state_folder
from hub.cli.finding import Finding
from hub.cli.trust import KEYS as FEDERATION_KEYS
from hub.identity.fetch import HttpFetch
from hub.settings import Loaded

SKEW = 20
"""Seconds that clocks may differ before signed papers are refused."""
ROTATE_AFTER = 90
"""Days after which a signing key should be followed by the next."""
DISCOVERY = "/.well-known/openid-configuration"
_WITHIN, _LARGEST = 5.0, 1 << 18
_CLOCK_REMEDY = "双方都用 NTP 校时 / set both clocks (NTP)"


async def sign_on(loaded: Loaded, running: bool, clock: Callable[[], float] = time.time) -> list[Finding]:
    """What there is to say of sign-on; one finding when it is off. `running`: whether this hub runs now."""
    identity, upstreams = loaded.settings.identity, loaded.settings.upstreams
    if not identity.issuer:
        return [Finding("统一登录 / sign-on", True, "未启用：identity.issuer 为空 / off: no identity.issuer")]
    keys = await asyncio.to_thread(_keys, loaded, clock())
    async with Http(loaded.settings.hub.allowed_networks, max_bytes=_LARGEST) as http:
        looking = _Looking(loaded, HttpFetch(http), running, clock)
        looks = [
            looking.issuer(),
            *(looking.anchor(anchor) for anchor in loaded.settings.trust.anchors),
            *(looking.upstream(each) for each in upstreams),
        ]
        return [*keys, *await asyncio.gather(*looks)]


def _keys(loaded: Loaded, now: float) -> list[Finding]:
    """The rings of signing keys; the federation's only where the hub is in one."""
    rings = [("签名密钥 / signing keys", KEYS, "rongtong keys rotate")]
    trust = loaded.settings.trust
    if trust.anchors or trust.authority_hints:
        rings.append(("信任链密钥 / federation keys", FEDERATION_KEYS, ""))
    folder, overlap = state_folder(loaded), loaded.settings.identity.key_overlap
    return [_ring(what, folder / name, float(overlap), command, now) for what, name, command in rings]


def _ring(what: str, folder: Path, overlap: float, command: str, now: float) -> Finding:
    if not folder.exists():
        return Finding(what, True, "首次启动时生成 / made at the first start")
    try:
        slots = KeyRing.open(folder, overlap=overlap, clock=lambda: now).slots()
    except AuthError as error:
        return Finding(what, False, error.public, "按所述修复密钥文件 / mend the key file as it says")
    age = max((int(now - slot.since) // 86_400 for slot in slots if slot.state == "current"), default=0)
    due = bool(command) and age > ROTATE_AFTER
    return Finding(
        what, not due, f"已用 {age} 天 / {age} days in use",
        f"超过 {ROTATE_AFTER} 天，请轮换 / over {ROTATE_AFTER} days, rotate them: {command}" if due else "",
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Looking:
    """One examination."""

    loaded: Loaded
    fetch: Fetch
    running: bool
    clock: Callable[[], float]

    async def issuer(self) -> Finding:
        """Whether the hub answers at its own address, as who it says it is."""
        what, issuer = "登录地址 / issuer", self.loaded.settings.identity.issuer
        if not self.running:
            return Finding(what, True, f"{issuer} 未查，本中心未运行 / not looked at: not running")
        try:
            timeout = aiohttp.ClientTimeout(total=_WITHIN)
            async with (
                aiohttp.ClientSession(trust_env=False, timeout=timeout) as session,
                session.get(f"{issuer}{DISCOVERY}", allow_redirects=False) as answer,
            ):
                told = await answer.json() if answer.status == 200 else None
                headers = dict(answer.headers)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return Finding(
                what, False, f"{issuer} 无应答 / no answer: {type(error).__name__}",
                "检查域名、证书和反向代理 / check its name, certificate and reverse proxy",
            )  # fmt: skip
        if not isinstance(told, dict) or told.get("issuer") != issuer:
            return Finding(
                what, False, f"{issuer} 由别的服务应答 / somebody else answers there",
                "identity.issuer 须为浏览器所见的本中心地址 / it is this hub's address as browsers see it",
            )  # fmt: skip
        return self._answers(what, headers)

    async def anchor(self, anchor: str) -> Finding:
        """Whether an anchor's configuration is signed with the keys of the settings."""
        return await self._chained(f"信任锚 / trust anchor {anchor}", anchor, anchor)

    async def upstream(self, upstream: UpstreamSettings) -> Finding:
        """Whether a level's provider answers, as who it should be."""
        what = f"身份源 / provider {upstream.code}"
        if upstream.trusted_by:
            return await self._chained(what, upstream.issuer, upstream.trusted_by)
        if upstream.kind == "oidc":
            return await self._discovered(what, upstream)
        told = upstream.options.get("authorize_url") or upstream.options.get("login_url") or upstream.issuer
        try:
            return self._answers(what, (await self._asked(str(told), upstream)).headers)
        except FetchFailed as error:
            if error.status:  # a page for people, or a refusal: somebody is there
                return Finding(what, True, "应答 / answers")
            return self._silent(what, error)

    async def _discovered(self, what: str, upstream: UpstreamSettings) -> Finding:
        try:
            got = await self._asked(f"{upstream.issuer.removesuffix('/')}{DISCOVERY}", upstream)
            told = got.json()
        except FetchFailed as error:
            return self._silent(what, error)
        if not isinstance(told, dict) or told.get("issuer") != upstream.issuer:
            return Finding(
                what, False, "自称的签发者与设置不同 / it names another issuer than the settings",
                "逐字核对 issuer，含末尾斜杠 / compare `issuer` letter by letter, its last slash too",
            )  # fmt: skip
        return self._answers(what, got.headers)

    async def _asked(self, url: str, upstream: UpstreamSettings) -> Fetched:
        return await self.fetch("GET", url, within=float(upstream.deadline), max_bytes=_LARGEST)

    async def _chained(self, what: str, entity: str, anchor: str) -> Finding:
        settings = self.loaded.settings
        resolver = Resolver(self.fetch, settings.trust.anchors, limits_of(settings.trust), self.clock)
        try:
            await resolver.chain(entity, anchor)
        except Distrusted as error:
            if not self.running and error.entity == settings.identity.issuer:
                seen = "未查，信任链经过未运行的本中心 / not looked at: it passes this hub, which is down"
                return Finding(what, True, seen)
            return Finding(what, False, f"{error.reason}: {error.public}", f"rongtong trust show {entity}")
        return Finding(what, True, "信任链有效 / its chain of trust holds")

    def _silent(self, what: str, error: FetchFailed) -> Finding:
        forbidden = error.kind == "forbidden"
        return Finding(
            what, False, f"没有可用的应答 / no usable answer: {error.kind}",
            "内网地址须写入 hub.allowed_networks / name a private address there" if forbidden
            else "它在运行吗？地址对吗？联系其运维 / is it up, is its address right? Ask its operator",
        )  # fmt: skip

    def _answers(self, what: str, headers: Mapping[str, str]) -> Finding:
        """It answers; its clock is compared with ours by the Date of its answer (RFC 9110 §6.6.1)."""
        told = next((value for name, value in headers.items() if name.lower() == "date"), "")
        try:
            apart = round(abs(parsedate_to_datetime(told).timestamp() - self.clock()))
        except ValueError:
            apart = 0
        if apart <= SKEW:
            return Finding(what, True, "应答 / answers")
        return Finding(what, False, f"时钟相差 {apart} 秒 / clocks are {apart} s apart", _CLOCK_REMEDY)
