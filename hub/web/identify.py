"""Who sent this request: the token it presents becomes a Principal, or nobody, or one uniform refusal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request

from auth.presented import Possession, Presented, Unproven
from auth.principal import Principal
from hub.web.errors import Refusal


def bearer(verify: Callable[[str], Principal]) -> Callable[[Request], Awaitable[Principal | None]]:
    """An `identify` for the endpoint. No Authorization header: None. Anything but exactly one
    well-formed header whose token `verify` accepts: InvalidToken. Tokens bound to a key are refused."""
    return presented(verify, None, "")


def presented(
    verify: Callable[[str], Principal], possession: Possession | None, address: str
) -> Callable[[Request], Awaitable[Principal | None]]:
    """As `bearer`, and also `Authorization: DPoP <token>` with a proof for `address`, the graph's own as its
    clients know it (RFC 9449 §7). A refusal under that scheme is a 401 that names it and its algorithms."""
    shown = Presented(verify, possession)

    async def identify(request: Request) -> Principal | None:
        try:
            return await shown.principal(request.method, address, request.headers)
        except Unproven as refused:
            challenge = {"WWW-Authenticate": refused.challenge}
            raise Refusal(401, refused.code, refused.public, challenge) from None

    return identify
