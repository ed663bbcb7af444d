"""An access token as a request presents it: as a bearer's, or with the proof of its key (RFC 6750, RFC 9449).

Rule 1: a token that is bound to a key is never taken from a bearer, and one that is not never under the DPoP
scheme (RFC 9449 §7.1, §7.2): whoever stole a token cannot choose the weaker way.
Rule 2: the token is verified before its proof, so that nobody without a token fills the memory of proofs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from auth.dpop import ALGORITHMS, InvalidDPoP
from auth.errors import InvalidToken
from auth.principal import Principal

LARGEST = 8192
_CREDENTIALS = re.compile(r"(bearer|dpop) +([A-Za-z0-9\-._~+/]+=*)\Z", re.IGNORECASE)  # RFC 9110 §11.4


class Possession(Protocol):
    """Checks the proof of a request; `auth.dpop.DPoP` does."""

    async def thumbprint(
        self, method: str, url: str, headers: Mapping[str, str], access_token: str = ""
    ) -> str: ...


class Unproven(InvalidToken):
    """A refusal under the DPoP scheme; `error` is RFC 6750's or RFC 9449's word for the challenge."""

    def __init__(self, refused: InvalidToken | InvalidDPoP) -> None:
        super().__init__()
        self.code, self.public = refused.code, refused.public
        self.error = "invalid_dpop_proof" if isinstance(refused, InvalidDPoP) else "invalid_token"

    @property
    def challenge(self) -> str:
        """For `WWW-Authenticate` (RFC 9449 §7.1)."""
        return f'DPoP error="{self.error}", algs="{" ".join(ALGORITHMS)}"'


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the Authorization header holds; `scheme` is "bearer" or "dpop"."""

    scheme: str
    token: str

    def __repr__(self) -> str:
        return f"Credentials({self.scheme})"


def credentials(headers: Mapping[str, str]) -> Credentials | None:
    """The request's one token; None without an Authorization header. InvalidToken for any other shape."""
    given = [value for name, value in headers.items() if name.lower() == "authorization"]
    if not given:
        return None
    if len(given) > 1 or len(given[0]) > LARGEST + 16:
        raise InvalidToken
    match = _CREDENTIALS.match(given[0])
    if match is None:
        raise Unproven(InvalidToken()) if given[0][:5].lower() == "dpop " else InvalidToken()
    return Credentials(match[1].lower(), match[2])


class Presented:
    """Tells whose token a request presents. `verify` raises InvalidToken; without `possession` the DPoP
    scheme is refused, and so is every token that is bound to a key."""

    def __init__(self, verify: Callable[[str], Principal], possession: Possession | None = None) -> None:
        self._verify, self._possession = verify, possession

    async def principal(self, method: str, url: str, headers: Mapping[str, str]) -> Principal | None:
        """Whose it is; None without an Authorization header. `url` is the configured one, without Host.

        Raises InvalidToken, `Unproven` (under the DPoP scheme, with its `challenge`), and `StoreDown` when
        nobody can say whether a proof is new.
        """
        shown = credentials(headers)
        if shown is None:
            return None
        if shown.scheme == "dpop":
            return await self._proven(shown.token, method, url, headers)
        principal = self._verify(shown.token)
        if principal.jkt:
            raise InvalidToken
        return principal

    async def _proven(self, token: str, method: str, url: str, headers: Mapping[str, str]) -> Principal:
        try:
            principal = self._verify(token)
            if self._possession is None or not principal.jkt:
                raise InvalidToken
            if await self._possession.thumbprint(method, url, headers, token) != principal.jkt:
                raise InvalidToken
        except (InvalidToken, InvalidDPoP) as refused:
            raise Unproven(refused) from None
        return principal
