"""Plain OAuth 2 providers: a code, a token, and an endpoint that tells whose token it is.

There is no signature and no nonce here: what is believed comes over the provider's own TLS connection alone,
so the addresses are the operator's, never the provider's. The callback is bound by `state` and, where the
provider can, PKCE.

Options: `authorize_url`, `token_url`, `userinfo_url` (needed), `logout_url`, `logout_back` (the name of its
parameter for the way back; default `redirect_uri`), `pkce` (default true; false for a provider that stumbles
over it), `token_auth` (basic | post | none; default basic), `userinfo_token` (header | query), `subject` is
`claims.sub`: a dotted path such as `data.user.id`.

Sources: RFC 6749 §4.1, RFC 6750, RFC 7636, RFC 9700.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from auth.broker.answers import answered, object_of
from auth.broker.asserted import assertion_from
from auth.broker.code_flow import TOKEN_AUTH, address, begun, code_of, question, redeemed, userinfo_headers
from auth.broker.metadata import checked_address
from auth.broker.upstream import UpstreamLogout, UpstreamRefused
from auth.documents import UpstreamSession
from auth.fetch import Fetch
from auth.ports import Assertion, Matching
from auth.settings import UpstreamSettings


class OAuth2:
    """One plain OAuth 2 provider. As `Upstream` promises. Raises ValueError for a table that cannot work."""

    def __init__(
        self, settings: UpstreamSettings, fetch: Fetch, matching: Matching, clock: Callable[[], float]
    ) -> None:
        self.settings = settings
        self._fetch, self._matching, self._clock = fetch, matching, clock
        self._authorize, self._token, self._userinfo = (
            checked_address(f"options.{name}", str(settings.options.get(name, "")), settings)
            for name in ("authorize_url", "token_url", "userinfo_url")
        )
        logout = str(settings.options.get("logout_url", ""))
        self._logout = checked_address("options.logout_url", logout, settings) if logout else ""
        self._token_auth = _choice(settings, "token_auth", TOKEN_AUTH)
        self._userinfo_token = _choice(settings, "userinfo_token", ("header", "query"))
        if not settings.client_id:
            raise ValueError(f"upstreams.{settings.code}: 缺少 client_id / client_id is missing")

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
        """The authorization request (RFC 6749 §4.1.1). It knows nothing of hints, prompts and ages: they are
        left out, and the assertion says no more than the provider does."""
        kept = begun(self.settings, callback, state, pkce=self.settings.options.get("pkce") is not False)
        return address(self._authorize, question(self.settings, kept)), kept

    async def finish(
        self, callback: str, state: str, query: Mapping[str, str], kept: Mapping[str, str]
    ) -> Assertion:
        """Whose token it is; raises `UpstreamRefused`."""
        code = code_of(self.settings, callback, state, query, kept)
        tokens = await redeemed(self._fetch, self.settings, self._token, code, kept, self._token_auth)
        by_query = self._userinfo_token == "query"  # noqa: S105 - a place's name
        got = await answered(
            self._fetch, "GET", self._userinfo, within=self.settings.deadline,
            headers={"Accept": "application/json"} if by_query else userinfo_headers(tokens.access_token),
            params={"access_token": tokens.access_token} if by_query else None,
        )  # fmt: skip
        return assertion_from(self.settings, self._matching, object_of(got.body))

    async def logout_url(self, session: UpstreamSession, back: str, state: str) -> str | None:
        """The operator's `logout_url` with the way back, `state` on it; None without one."""
        if not self._logout or session.iss != self.settings.issuer:
            return None
        name = str(self.settings.options.get("logout_back", "redirect_uri"))
        return address(self._logout, {name: address(back, {"state": state}) if state else back})

    async def logged_out(self, form: Mapping[str, str]) -> UpstreamLogout:
        """Plain OAuth 2 has no such notice: always refused."""
        raise UpstreamRefused("no-back-channel-logout", "this kind of provider sends no such notices")


def _choice(settings: UpstreamSettings, name: str, known: tuple[str, ...]) -> str:
    value = str(settings.options.get(name, known[0]))
    if value not in known:
        raise ValueError(f"upstreams.{settings.code}: {name}: {' | '.join(known)}")
    return value
