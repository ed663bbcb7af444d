"""The development identity: named personas with real tokens, until sign-on; never in production."""

from __future__ import annotations

import difflib
import logging
import warnings
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from auth.errors import ProductionRefused, UnknownPersona
from auth.principal import Principal, principal_from
from auth.tokens import NO_CLIENT, AccessTokens

_log = logging.getLogger("auth.development")
_WARNING = (
    "开发身份已启用：任何人都可以扮演演示人物，仅限本机试用 / "
    "the development identity is on: anybody can be any demo persona; for trying out only"
)


class DevelopmentIdentityWarning(UserWarning):
    """A stand-in for sign-on has been built."""


class DevelopmentIdentity:
    """Issues and verifies tokens for given personas.

    `personas` maps a name (teacher, pupil, ...) to plain principal data, see
    `auth.principal.principal_from`; ValueError when the data is wrong. Building one warns
    (DevelopmentIdentityWarning, and a log line) and raises ProductionRefused when `production`.
    """

    def __init__(
        self,
        personas: Mapping[str, Mapping[str, Any]],
        tokens: AccessTokens,
        *,
        production: bool,
    ) -> None:
        if production:
            raise ProductionRefused
        warnings.warn(_WARNING, DevelopmentIdentityWarning, stacklevel=2)
        _log.warning(_WARNING)
        self._tokens = tokens
        self._personas = {name: _principal(data, tokens.issuer) for name, data in personas.items()}

    @property
    def names(self) -> tuple[str, ...]:
        """The personas' names, in the order given."""
        return tuple(self._personas)

    def principal(self, name: str) -> Principal:
        """The persona's principal. Raises UnknownPersona, which names the nearest and all names."""
        try:
            return self._personas[name]
        except KeyError:
            raise UnknownPersona(self._did_you_mean(name)) from None

    def token(self, name: str, lifetime: timedelta = timedelta(hours=12)) -> str:
        """A fresh access token for a persona. Raises UnknownPersona."""
        return self._tokens.issue(self.principal(name), lifetime)

    def verify(self, token: str) -> Principal:
        """The principal of a token. Raises InvalidToken."""
        return self._tokens.verify(token)

    def _did_you_mean(self, name: str) -> str:
        known = "、".join(self._personas)
        near = difflib.get_close_matches(name[:100], self._personas, n=1)
        hint = f"您是不是要找 {near[0]}？/ did you mean {near[0]}? " if near else ""
        return f"{hint}没有这个演示人物；现有：{known} / no such persona; there are: {known}"


def _principal(data: Mapping[str, Any], issuer: str) -> Principal:
    """The principal as its token will tell it: without an application of its own it comes by the hub's."""
    return principal_from({"client_id": NO_CLIENT, **data}, issuer=issuer)
