"""Request objects by value: an authorization request that the client has signed (RFC 9101; OIDC Core 6.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from auth.documents import Client
from auth.fetch import FetchFailed
from auth.provider.answers import Refusal
from auth.provider.asked import LONGEST
from auth.provider.signed import BadSignature, Signed

LONGEST_LIFE = 3600
_TYPES = ("jwt", "oauth-authz-req+jwt")
_FORBIDDEN = ("request", "request_uri", "sub")
"""Nested requests (RFC 9101 §4), and `sub`: so that no object passes for a client assertion."""


class RequestObjects:
    """Opens them. `issuer` is the only audience."""

    def __init__(self, signed: Signed, issuer: str) -> None:
        self._signed, self._issuer = signed, issuer

    async def opened(self, client: Client, given: Mapping[str, str]) -> dict[str, str]:
        """The parameters inside `given["request"]`; those outside count no more (RFC 9101 §6.3).

        Raises `Refusal` (invalid_request_object), `StoreDown`.
        """
        try:
            claims = await self._signed.claims(
                client, given["request"], purpose="request", types=_TYPES,
                audiences=(self._issuer, f"{self._issuer}/"), longest=LONGEST_LIFE,
                extra_headers=("trust_chain",),
            )  # fmt: skip
        except BadSignature as error:
            raise _refusal(str(error)) from None
        except FetchFailed:
            raise _refusal("the keys of the client cannot be read just now") from None
        if claims.get("client_id", client.id) != client.id:
            raise _refusal("client_id is another's")
        if any(name in claims for name in _FORBIDDEN):
            raise _refusal("a request object holds no request, request_uri or sub")
        return {"client_id": client.id} | {n: _text(n, claims[n]) for n in LONGEST if n in claims}


def _text(name: str, value: Any) -> str:
    """A claim as the parameter it stands for: numbers and the claims request are JSON there."""
    if name == "claims" and isinstance(value, dict):
        return orjson.dumps(value).decode()
    if name == "max_age" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or "\0" in value:
        raise _refusal(f"{name} is not a text")
    return value


def _refusal(reason: str) -> Refusal:
    return Refusal("invalid_request_object", f"request object: {reason}")
