"""`rongtong login` and `logout`: sign in at a hub in any browser, keep what comes of it, give it back.

The device grant (RFC 8628) with the public client `rongtong-cli`. Rule: tokens and codes are sent to the hub
that was named and to nobody else: every address must be of its issuer, and plain HTTP stays on this machine.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson

from hub.cli.logins import Login, Logins, config_folder
from hub.cli.say import Refusal, dumps, printable

CLIENT = "rongtong-cli"
SCOPE = "graph offline_access"
GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"
LARGEST = 65_536
MARGIN = 30.0
"""A token that ends sooner than this many seconds from now is renewed first."""
_CODE = re.compile(r"[A-Z0-9-]{4,20}")
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_SLOWEST = 60.0
_LONGEST = 1800.0

Pause = Callable[[float], Awaitable[None]]
Tell = Callable[[str, str], None]


def run(url: str, as_json: bool) -> None:
    """The command: shows address and code, waits until somebody agreed in a browser, keeps the login."""
    issuer = issuer_of(url)
    tell = _told_to_scripts if as_json else _told_to_people
    login = asyncio.run(signed_in(issuer, tell))
    logins = Logins(config_folder())
    with logins.alone():
        logins.keep(login)
    print(dumps({"issuer": issuer, "expires": int(login.expires)}) if as_json else "✓ 已登录 / signed in")


def forget(url: str, as_json: bool) -> None:
    """The command `logout`: the login is forgotten here in any case, and revoked at the hub if it answers."""
    issuer = issuer_of(url)
    logins = Logins(config_folder())
    with logins.alone():
        login = logins.forget(issuer)
    revoked = asyncio.run(_revoked(login)) if login else False
    if as_json:
        print(dumps({"issuer": issuer, "forgotten": login is not None, "revoked": revoked}))
    elif login is None:
        print("没有登录 / there was no login")
    elif revoked:
        print("✓ 已注销 / signed out")
    else:
        print("✓ 已忘记；中心没有应答，令牌到期后失效 / forgotten; no answer, so it ends by itself")


def kept_token(url: str) -> str:
    """The access token of the login kept for a hub, renewed if it must be; "" without a login.

    Raises `Refusal`: LOGIN_EXPIRED when the hub takes it no more.
    """
    logins = Logins(config_folder())
    issuer = url.rstrip("/")
    if (login := logins.of(issuer)) is None:
        return ""
    if login.expires - MARGIN > time.time():
        return login.access_token
    with logins.alone():
        login = logins.of(issuer)  # another command may have renewed it by now
        if login is not None and login.expires - MARGIN <= time.time():
            login = asyncio.run(_renewed(login))
            logins.keep(login) if login else logins.forget(issuer)
    if login is None:
        raise Refusal(
            "登录已失效：请执行 rongtong login / the login has ended: sign in again", "LOGIN_EXPIRED"
        )
    return login.access_token


async def signed_in(
    issuer: str, tell: Tell, *, pause: Pause = asyncio.sleep, clock: Callable[[], float] = time.time
) -> Login:
    """Sign in at a hub: `tell` shows people the address and the code. Raises `Refusal`."""
    async with _http() as http:
        hub = await _metadata(http, issuer)
        asked = {"client_id": CLIENT, "scope": SCOPE}
        status, begun = await _post(http, hub["device_authorization_endpoint"], asked)
        if status != 200:
            raise _refused(begun)
        tell(*_shown(begun, issuer))
        answer = await _polled(http, hub["token_endpoint"], begun, pause, clock)
    return _login(issuer, hub["token_endpoint"], hub.get("revocation_endpoint", ""), answer, clock())


def issuer_of(url: str) -> str:
    """The hub that a URL names. Raises `Refusal` for one that codes and tokens must not be sent to."""
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        return url.rstrip("/")
    raise Refusal(
        f"{url}：登录须用 https（本机除外）/ sign in over https only, but for this machine itself", "NOT_SAFE"
    )


async def _metadata(http: aiohttp.ClientSession, issuer: str) -> dict[str, Any]:
    """The hub's own metadata (RFC 8414 §3.3): its issuer must be the one asked, its addresses of it."""
    status, found = await _read(http, "GET", f"{issuer}/.well-known/oauth-authorization-server")
    if status != 200 or "device_authorization_endpoint" not in found:
        raise Refusal(f"{issuer} 没有登录服务 / offers no sign-on for devices: check --url", "NO_SIGN_ON")
    if found.get("issuer") != issuer:
        other = printable(str(found.get("issuer")))[:200]
        raise Refusal(f"请用 --url {other} / the hub calls itself so: use that address", "WRONG_ISSUER")
    for name in ("device_authorization_endpoint", "token_endpoint", "revocation_endpoint"):
        if not str(found.get(name, f"{issuer}/")).startswith(f"{issuer}/"):
            raise Refusal(f"{issuer}：{name} 不属于该中心 / is not of this hub", "FOREIGN_ENDPOINT")
    return found


def _shown(begun: Mapping[str, Any], issuer: str) -> tuple[str, str]:
    """What people are shown; only what can be an address of this hub and a code."""
    address, code = begun.get("verification_uri"), begun.get("user_code")
    fits = isinstance(address, str) and address.startswith(f"{issuer}/") and address.isprintable()
    if not fits or not isinstance(code, str) or not _CODE.fullmatch(code) or not begun.get("device_code"):
        raise Refusal(f"{issuer} 的回答不合规范 / its answer is not RFC 8628", "BAD_ANSWER")
    return str(address), code


async def _polled(
    http: aiohttp.ClientSession,
    url: str,
    begun: Mapping[str, Any],
    pause: Pause,
    clock: Callable[[], float],
) -> dict[str, Any]:
    """The token answer, asked for at the hub's pace (RFC 8628 §3.5), twice as slowly when it is silent."""
    interval = _seconds(begun.get("interval", 5), 1.0, _SLOWEST)
    until = clock() + _seconds(begun.get("expires_in", 600), 1.0, _LONGEST)
    form = {"grant_type": GRANT_TYPE, "device_code": str(begun["device_code"]), "client_id": CLIENT}
    while clock() < until:
        await pause(interval)
        try:
            status, answer = await _post(http, url, form)
        except Refusal:
            interval = min(interval * 2, _SLOWEST)
            continue
        error = answer.get("error")
        if status == 200:
            return answer
        if status >= 500 or error == "temporarily_unavailable":
            interval = min(interval * 2, _SLOWEST)
        elif error == "slow_down":
            interval = min(interval + 5, _SLOWEST)
        elif error != "authorization_pending":
            raise _refused(answer)
    raise Refusal("没有人在时限内确认：请重新登录 / nobody agreed in time: sign in again", "LOGIN_TIMED_OUT")


async def _renewed(login: Login) -> Login | None:
    """The login with fresh tokens; None when the hub takes it no more."""
    if not login.refresh_token:
        return None
    form = {
        "grant_type": "refresh_token",
        "refresh_token": login.refresh_token,
        "client_id": login.client_id,
    }
    async with _http() as http:
        status, answer = await _post(http, login.token_endpoint, form)
    if status == 200:
        return _login(login.issuer, login.token_endpoint, login.revocation_endpoint, answer, time.time())
    if status == 400 and answer.get("error") == "invalid_grant":
        return None
    raise _refused(answer)


async def _revoked(login: Login) -> bool:
    """Whether the hub took the login back (RFC 7009)."""
    if not login.revocation_endpoint:
        return False
    token = login.refresh_token or login.access_token
    try:
        async with _http() as http:
            form = {"token": token, "client_id": login.client_id}
            return (await _post(http, login.revocation_endpoint, form))[0] == 200
    except Refusal:
        return False


def _login(issuer: str, token_url: str, revoke_url: str, answer: Mapping[str, Any], now: float) -> Login:
    access, refresh = answer.get("access_token"), answer.get("refresh_token", "")
    if not isinstance(access, str) or not access or not isinstance(refresh, str):
        raise Refusal(f"{issuer} 的回答不合规范 / its answer holds no token", "BAD_ANSWER")
    return Login(
        issuer=issuer, client_id=CLIENT, access_token=access, refresh_token=refresh,
        expires=now + _seconds(answer.get("expires_in", 60), 0.0, 86400.0),
        token_endpoint=token_url, revocation_endpoint=revoke_url,
    )  # fmt: skip


def _seconds(value: object, least: float, most: float) -> float:
    known = isinstance(value, int | float) and not isinstance(value, bool)
    return min(max(float(value), least), most) if known else most  # type: ignore[arg-type]


def _http() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(trust_env=False, timeout=aiohttp.ClientTimeout(total=20))


async def _post(http: aiohttp.ClientSession, url: str, form: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
    return await _read(http, "POST", url, form)


async def _read(
    http: aiohttp.ClientSession, method: str, url: str, form: Mapping[str, str] | None = None
) -> tuple[int, dict[str, Any]]:
    """Status and JSON object ({} for anything else). Raises `Refusal` when nobody answers."""
    try:
        async with http.request(method, url, data=form, allow_redirects=False) as reply:
            status, body = reply.status, bytearray()
            async for part in reply.content.iter_any():
                body += part
                if len(body) > LARGEST:
                    raise Refusal(f"{url} 的回答过大 / its answer is larger than 64 kB", "TOO_LARGE")
    except (aiohttp.ClientError, aiohttp.InvalidURL, TimeoutError) as error:
        raise Refusal(
            f"{url} 没有回答（{type(error).__name__}）/ no answer: is the hub running?", "NO_HUB"
        ) from None
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = {}
    return status, found if isinstance(found, dict) else {}


def _refused(answer: Mapping[str, Any]) -> Refusal:
    error = printable(str(answer.get("error", "?")))[:60]
    why = printable(str(answer.get("error_description", "")))[:200]
    return Refusal(f"中心拒绝登录：{error} {why} / the hub refused", "LOGIN_REFUSED")


def _told_to_people(address: str, code: str) -> None:
    print(
        f"请在任一浏览器打开 / open in any browser:\n\n  {address}\n\n"
        f"并输入代码 / and type the code:\n\n  {code}\n\n等待确认 / waiting …",
        file=sys.stderr,
    )


def _told_to_scripts(address: str, code: str) -> None:
    print(dumps({"verification_uri": address, "user_code": code}), flush=True)
