"""An identity provider of a level, as the broker sees it: one port, one result, one way to refuse.

Every kind (OIDC, OAuth 2, CAS, ticket) is an `Upstream`; what it tells becomes an `Assertion`, and whatever
goes wrong with it becomes `UpstreamRefused`, sorted by what the person can do next:

  400  start again: this answer did not pass, or the person said no there
  502  try later or sign in elsewhere: the provider answers nonsense, or not to us
  503  try again soon: the provider does not answer (carries `retry_after`)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from auth.documents import UpstreamSession
from auth.errors import AuthError
from auth.fetch import FetchFailed
from auth.ports import Assertion
from auth.settings import UpstreamSettings

_PUBLIC = {
    400: "身份源的应答未通过核对，没有登录，请返回重新登录 / "
    "the provider's answer did not pass our checks and nobody was signed in: go back and sign in again",
    502: "身份源应答异常，没有登录；请稍后再试，或换一种方式登录 / "
    "the provider gives unusable answers and nobody was signed in: try later, or sign in another way",
    503: "身份源暂时没有应答，请稍后再试，或换一种方式登录 / "
    "the provider does not answer just now: try again soon, or sign in another way",
}
_OWN_WORDS = {
    "denied": "您在身份源取消了登录 / you cancelled signing in at the provider",
    "distrusted": "此身份源目前没有通过上级教育部门的信任链，没有登录；请换一种方式登录，或联系其运维 / "
    "no chain of trust vouches for this provider now and nobody was signed in: sign in another way, or tell "
    "the provider's operator",
    "interaction-required": "需要在身份源重新登录 / you need to sign in at the provider again",
}
_RETRY_AFTER = 5.0
_FETCH_FAILURES = {
    "timeout": ("timeout", 503),
    "unavailable": ("unavailable", 503),
    "forbidden": ("address-forbidden", 502),
    "refused": ("refuses-us", 502),
}


class UpstreamRefused(AuthError):
    """Nobody is signed in by this provider now. `kind` is a stable English word for tests, logs and audit;
    `status` 400, 502 or 503 as the file's head says. `detail` is for operators and holds no value of a
    person, a token or a key.
    """

    code = "UPSTREAM_REFUSED"

    def __init__(self, kind: str, detail: str = "", *, status: int = 400) -> None:
        super().__init__(_OWN_WORDS.get(kind, _PUBLIC[status]))
        self.kind, self.detail, self.status = kind, detail, status
        self.retry_after = _RETRY_AFTER if status == 503 else None
        if kind == "distrusted":
            self.shown_code = f"{self.code}: {detail}"


def unanswered(error: FetchFailed) -> UpstreamRefused:
    """The refusal for a request to a provider that gave nothing usable."""
    kind, status = _FETCH_FAILURES.get(error.kind, ("answer-unusable", 502))
    return UpstreamRefused(kind, error.detail, status=status)


@dataclass(frozen=True, slots=True)
class UpstreamLogout:
    """A provider's own word that a session ended there, verified (OIDC Back-Channel Logout 1.0 §2.6).

    `sub` or `sid` is given, or both; `jti` was seen once; `expires` (seconds since 1970) is when it may be
    forgotten.
    """

    iss: str
    sub: str = field(default="", repr=False)
    sid: str = field(default="", repr=False)
    jti: str = ""
    expires: float = 0.0


class Upstream(Protocol):
    """One provider, ready to be asked. Methods raise `UpstreamRefused`, and nothing else (`logged_out` also
    `StoreDown`, when nobody can say whether a notice was seen before)."""

    @property
    def settings(self) -> UpstreamSettings:
        """The table it was made from."""
        ...

    async def begin(
        self,
        callback: str,
        state: str,
        *,
        login_hint: str = "",
        acr_values: str = "",
        prompt: str = "",
        max_age: int | None = None,
    ) -> tuple[str, dict[str, str]]:
        """The address to send the browser to, and what `finish` needs back (nonce, verifier, …), which the
        caller keeps at the server under `state`. `acr_values` in our own words."""
        ...

    async def finish(
        self, callback: str, state: str, query: Mapping[str, str], kept: Mapping[str, str]
    ) -> Assertion:
        """Who signed in there, by the callback's `query`; `callback`, `state`, `kept` as in `begin`."""
        ...

    async def logout_url(self, session: UpstreamSession, back: str, state: str) -> str | None:
        """Where the browser ends that session; it comes back to `back`. None: the provider offers nothing,
        or cannot be asked just now (ending our own session must not wait for it)."""
        ...

    async def logged_out(self, form: Mapping[str, str]) -> UpstreamLogout:
        """Its notice that a session ended (back-channel), verified."""
        ...
