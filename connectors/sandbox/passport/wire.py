"""What a passport reads and answers: forms, parameters, return addresses, slips that are good once."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Callable
from typing import Generic, TypeVar
from urllib.parse import parse_qsl, unquote_plus, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse

T = TypeVar("T")

LARGEST = 65_536
MOST = 10_000
_CALLBACK = re.compile(r"/sign-in/[a-z0-9-]{1,64}/callback")
_LOOPBACK = ("127.0.0.1", "localhost")


class Bad(Exception):
    """A request that is refused with 400; the text is for whoever sent it."""


async def form(request: Request) -> dict[str, str]:
    """The fields of an URL-encoded body, each once."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            raise Bad("the body is too large")
    return _pairs(body)


def asked(request: Request) -> dict[str, str]:
    """The query's parameters, each once."""
    raw: bytes = request.scope.get("query_string", b"")
    return _pairs(raw)


def _pairs(raw: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=64)
    except ValueError:
        raise Bad("parameters are not URL-encoded UTF-8") from None
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Bad("a parameter is given twice")
    return found


def here(request: Request) -> str:
    """Our own address, of the socket and never of the Host header."""
    host, port = request.scope["server"]
    return f"http://{host}:{port}"


def is_callback(address: str, *, query: bool = False) -> bool:
    """Whether an address may be returned to.

    In life each is registered, letter by letter. A sandbox starts before the hub has its port, so here any
    address of this machine will do whose path is a hub's callback.
    """
    return is_own(address, query=query) and bool(_CALLBACK.fullmatch(urlsplit(address).path))


def is_own(address: str, *, query: bool = True) -> bool:
    """Whether an address is plainly one of this machine: no user in it, no fragment, nothing to split on."""
    if not address.isascii() or not address.isprintable() or set(' \\"<>') & set(address):
        return False
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return False
    plain = parts.scheme == "http" and parts.hostname in _LOOPBACK and port != 0 and "@" not in parts.netloc
    return plain and not parts.fragment and "#" not in address and (query or "?" not in address)


def notice_address(callback: str) -> str:
    """Where the owner of a callback is told that a session ended: registered in life, its neighbour here."""
    return callback.partition("?")[0].removesuffix("/callback") + "/backchannel-logout"


def back_to(address: str, **values: str) -> RedirectResponse:
    """Send the browser to an address with more in its query; empty values are left out."""
    more = urlencode({name: value for name, value in values.items() if value})
    joint = "&" if "?" in address else "?"
    return RedirectResponse(
        f"{address}{joint}{more}" if more else address, 303, {"Cache-Control": "no-store"}
    )


def told(values: object, status: int = 200) -> JSONResponse:
    """JSON that nobody keeps (RFC 6749 §5.1)."""
    return JSONResponse(values, status, {"Cache-Control": "no-store", "Pragma": "no-cache"})


def client_of(request: Request, fields: dict[str, str]) -> tuple[str, str]:
    """(client_id, secret) by `client_secret_basic` or `client_secret_post` (RFC 6749 §2.3.1)."""
    scheme, _, said = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return fields.get("client_id", ""), fields.get("client_secret", "")
    try:
        name, _, secret = base64.b64decode(said, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return unquote_plus(name), unquote_plus(secret)


def same(given: str, wanted: str) -> bool:
    """Whether two secrets are one, without telling how much of them is."""
    return secrets.compare_digest(given.encode("utf-8", "replace"), wanted.encode())


class Slips(Generic[T]):
    """What is handed out under a random name for a while; the oldest go when there are too many."""

    def __init__(self, life: float, now: Callable[[], float], prefix: str = "") -> None:
        self.life, self._now, self._prefix = life, now, prefix
        self._held: dict[str, tuple[float, T]] = {}

    def put(self, value: T, name: str = "") -> str:
        """Keep `value`; the name that brings it back."""
        while self._held and (len(self._held) >= MOST or next(iter(self._held.values()))[0] <= self._now()):
            del self._held[next(iter(self._held))]
        name = name or self._prefix + secrets.token_urlsafe(24)
        self._held[name] = self._now() + self.life, value
        return name

    def look(self, name: str) -> T | None:
        """What is kept under that name, which stays good."""
        until, value = self._held.get(name, (0.0, None))
        return value if until > self._now() else None

    def take(self, name: str) -> T | None:
        """What is kept under that name, which is spent with it."""
        until, value = self._held.pop(name, (0.0, None))
        return value if until > self._now() else None

    def drop(self, name: str) -> None:
        """Make that name good for nothing."""
        self._held.pop(name, None)

    def clear(self) -> None:
        """Make all names good for nothing, as a restart at the vendor does."""
        self._held.clear()
