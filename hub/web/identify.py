"""Who sent this request: the bearer token becomes a Principal, or nobody, or one uniform refusal."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from starlette.requests import Request

from auth.errors import InvalidToken
from auth.principal import Principal

_LARGEST = 4096
_BEARER = re.compile(r"bearer +([A-Za-z0-9\-._~+/]+=*)\Z", re.IGNORECASE)  # RFC 6750 §2.1, RFC 9110 §11.1


def bearer(verify: Callable[[str], Principal]) -> Callable[[Request], Awaitable[Principal | None]]:
    """An `identify` for the endpoint. No Authorization header: None. Anything but exactly one
    well-formed bearer header whose token `verify` accepts: InvalidToken."""

    async def identify(request: Request) -> Principal | None:
        token = bearer_token(request)
        return None if token is None else verify(token)

    return identify


def bearer_token(request: Request) -> str | None:
    """The request's one bearer token, None without the header; InvalidToken for any other shape."""
    given = request.headers.getlist("authorization")
    if not given:
        return None
    if len(given) > 1 or len(given[0]) > _LARGEST + 16:
        raise InvalidToken
    match = _BEARER.match(given[0])
    if match is None:
        raise InvalidToken
    return match.group(1)
