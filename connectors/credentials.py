"""OAuth 2.0 client credentials (RFC 6749 §4.4) for the tongues that need them: one token, shared.

Requests are prepared by Authlib (RFC 6749 §2.3.1, §4.4.2) and sent through our own port, with its deadlines,
bounds and address guard.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import TypeVar
from urllib.parse import parse_qsl, quote_plus

from authlib.oauth2.auth import ClientAuth  # type: ignore[import-untyped]
from authlib.oauth2.rfc6749.parameters import prepare_token_request  # type: ignore[import-untyped]

from connectors.errors import Malformed, Refused, TimedOut
from connectors.http import Http, Reply, status_of

T = TypeVar("T")

MARGIN = 30.0  # seconds before its expiry at which a token counts as spent
UNSTATED = 300.0  # seconds a token is trusted whose life is not stated
FLIGHT = 10.0  # seconds for fetching; longer than most callers wait, for the next ones profit
LARGEST = 64 * 1024  # bytes of a token answer

_BEARER = re.compile(r"[A-Za-z0-9._~+/-]{1,8192}={0,8}")  # RFC 6750 §2.1


class ClientCredentials:
    """The hub's own access token at one authorization server; its repr shows no secret.

    Cached until 30 s before expiry; however many callers need it, one request is under way at a time, and
    a caller that gives up does not spoil it for the others. Raises SourceError: Refused when the server does
    not accept the credentials, Malformed when its answer is none.
    """

    def __init__(
        self, http: Http, token_url: str, client_id: str, client_secret: str, scope: str = ""
    ) -> None:
        self._http = http
        self._url = token_url
        self._id = client_id
        # RFC 6749 §2.3.1: both are form-encoded before Basic; it also keeps them ASCII.
        self._auth = ClientAuth(quote_plus(client_id), quote_plus(client_secret), "client_secret_basic")
        self._scope = scope
        self._token = ""
        self._until = 0.0
        self._flight: asyncio.Task[str] | None = None

    def __repr__(self) -> str:
        return f"ClientCredentials(client_id={self._id!r})"

    async def header(self, within: float) -> dict[str, str]:
        """`{"Authorization": "Bearer …"}`, from memory or fetched within `within` seconds (else TimedOut)."""
        return _bearer(await self._current(within))

    def forget(self) -> None:
        """Drop the token, so that the next `header` fetches a fresh one."""
        self._token = ""

    async def authorized(self, call: Callable[[dict[str, str], float], Awaitable[T]], within: float) -> T:
        """Run `call(header, seconds left)`; one 401 leads to one fresh token and one more run.

        A second 401 is raised as Refused: then the credentials need a human.
        """
        clock = asyncio.get_running_loop().time
        deadline = clock() + within
        token = await self._current(within)
        try:
            return await call(_bearer(token), deadline - clock())
        except Refused as error:
            if status_of(error) != 401:
                raise
        if token == self._token:  # others may have renewed it meanwhile
            self.forget()
        return await call(_bearer(await self._current(deadline - clock())), deadline - clock())

    async def _current(self, within: float) -> str:
        if self._token and asyncio.get_running_loop().time() < self._until:
            return self._token
        try:
            async with asyncio.timeout(within):
                return await asyncio.shield(self._joined())
        except TimeoutError:
            raise TimedOut(f"no token within {within:g} s") from None

    def _joined(self) -> asyncio.Task[str]:
        if self._flight is None:
            self._flight = asyncio.create_task(self._fetch())
            self._flight.add_done_callback(self._landed)
        return self._flight

    def _landed(self, flight: asyncio.Task[str]) -> None:
        self._flight = None
        if not flight.cancelled():
            flight.exception()  # looked at, even if every caller has given up

    async def _fetch(self) -> str:
        asked_at = asyncio.get_running_loop().time()
        body = prepare_token_request("client_credentials", scope=self._scope)
        _, headers, body = self._auth.prepare("POST", self._url, {"Accept": "application/json"}, body)
        form = dict(parse_qsl(body))
        reply = await self._http.post(
            self._url, form=form, headers=headers, within=FLIGHT, safe=True, max_bytes=LARGEST
        )
        self._token, life = _token(reply)
        self._until = asked_at + life - MARGIN
        return self._token


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _token(reply: Reply) -> tuple[str, float]:
    """Token and life in seconds from RFC 6749 §5.1."""
    answer = reply.json()
    if not isinstance(answer, dict):
        raise Malformed("the token answer is not a JSON object")
    token, kind = answer.get("access_token"), answer.get("token_type", "Bearer")
    if not isinstance(token, str) or not _BEARER.fullmatch(token):
        raise Malformed("the token answer holds no usable access_token")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise Malformed("the token answer is for another kind of token than Bearer")
    return token, _life(answer.get("expires_in"))


def _life(stated: object) -> float:
    if isinstance(stated, str) and stated.isascii() and stated.isdigit() and len(stated) < 10:
        stated = int(stated)  # some servers quote the number
    return float(stated) if isinstance(stated, int | float) and 0 < stated < 1e9 else UNSTATED
