"""OpenID providers, asked so that a hostile one, or one in between, signs nobody in as somebody else.

Authlib's client is not enough by itself: it takes a callback without `iss` or with a foreign one, userinfo of
another `sub`, an empty or huge `sub`; it lets the provider's metadata choose the algorithms (`none` too) and
keeps a malformed key set for ever. It has no bounds on what it reads and raises whatever the layers below
raise. So joserfc, by the same makers, gives keys and signatures, and the order of checks, the memory and the
bounds are ours.

Sources: OpenID Connect Core 1.0, Discovery 1.0, RP-Initiated Logout 1.0, Back-Channel Logout 1.0, RFC 9207.

Options: `userinfo` (false: not asked), `token_auth` (basic | post | none), `origins` (of endpoints, beside
the issuer's own), `plain_http`, `verified_claim` (see `asserted`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from auth.broker.answers import LARGEST, answered, object_of
from auth.broker.asserted import asked_of, assertion_from
from auth.broker.code_flow import (
    TOKEN_AUTH,
    Tokens,
    address,
    begun,
    code_of,
    question,
    redeemed,
    userinfo_headers,
)
from auth.broker.metadata import Provider, checked_address, provider_of
from auth.broker.remote_keys import PublicKey, Remembered, freshness, keys_of
from auth.broker.signed import (
    Signed,
    Wanted,
    check_access_token,
    check_id_token,
    check_logout_token,
    key_for,
    opened,
    pinned,
    verify,
)
from auth.broker.upstream import UpstreamLogout, UpstreamRefused
from auth.documents import UpstreamSession
from auth.fetch import Fetch
from auth.ports import Assertion, Matching
from auth.settings import UpstreamSettings

METADATA_FRESH, KEYS_FRESH = 3600.0, 600.0
_PROMPTS = frozenset({"none", "login", "consent", "select_account"})

Metadata = Callable[[], Awaitable[Mapping[str, Any]]]


class Oidc:
    """One OpenID provider. As `Upstream` promises; made without asking it anything.

    `metadata`: where its metadata comes from instead of its own discovery document (a trust chain). Raises
    ValueError for a table that cannot work.
    """

    def __init__(
        self,
        settings: UpstreamSettings,
        fetch: Fetch,
        matching: Matching,
        clock: Callable[[], float],
        *,
        metadata: Metadata | None = None,
    ) -> None:
        _check(settings, metadata)
        self.settings = settings
        self._fetch, self._matching, self._clock = fetch, matching, clock
        self._algorithms = pinned(settings.algorithms, settings.code)
        self._metadata = metadata
        self._provider: Remembered[Provider] = Remembered(self._discovered, clock)
        self._keys: Remembered[tuple[PublicKey, ...]] = Remembered(self._published, clock)

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
        """The authorization request (Core §3.1.2.1), and what `finish` needs back."""
        provider = await self._described()
        kept = begun(self.settings, callback, state)
        wishes = {
            "nonce": kept["nonce"],
            "login_hint": login_hint[:255],
            "acr_values": asked_of(self.settings, acr_values),
            "prompt": prompt if set(prompt.split()) <= _PROMPTS else "",
        }
        if max_age is not None:
            wishes["max_age"] = kept["max_age"] = str(max(0, max_age))
        asked = question(self.settings, kept) | {name: value for name, value in wishes.items() if value}
        return address(provider.authorization_endpoint, asked), kept

    async def finish(
        self, callback: str, state: str, query: Mapping[str, str], kept: Mapping[str, str]
    ) -> Assertion:
        """Who signed in there; raises `UpstreamRefused` with the first check that failed as its kind."""
        provider = await self._described()
        code = code_of(self.settings, callback, state, query, kept, sends_iss=provider.sends_iss)
        tokens = await redeemed(
            self._fetch, self.settings, provider.token_endpoint, code, kept, provider.token_auth
        )
        token = await self._verified(tokens.answer.get("id_token"))
        max_age = int(kept["max_age"]) if "max_age" in kept else None
        nonce = kept.get("nonce", "")
        check_id_token(token, self._wanted(nonce=nonce, max_age=max_age), tokens.access_token)
        told = await self._userinfo(provider, tokens, token.claims["sub"])
        return self._asserted({**told, **token.claims}, str(tokens.answer["id_token"]))

    async def assertion_of(self, id_token: str, audience: str) -> Assertion:
        """Who an ID token of this provider is about, made for `audience` (its client there); for the
        exchange of tokens. Raises `UpstreamRefused`."""
        token = await self._verified(id_token)
        check_id_token(token, self._wanted(audience=audience))
        return self._asserted(token.claims, "")

    async def access_assertion_of(self, access_token: str, audience: str) -> Assertion:
        """Who a JWT access token of this provider is about (RFC 9068). Raises `UpstreamRefused`."""
        token = await self._verified(access_token)
        check_access_token(token, self._wanted(audience=audience))
        return self._asserted(token.claims, "")

    async def logout_url(self, session: UpstreamSession, back: str, state: str) -> str | None:
        """Its end-session address (RP-Initiated Logout §2); None without one, or when it cannot be asked."""
        try:
            endpoint = (await self._described()).end_session_endpoint
        except UpstreamRefused:
            return None
        if not endpoint or session.iss != self.settings.issuer:
            return None
        asked = {
            "id_token_hint": session.hint,
            "client_id": self.settings.client_id,
            "post_logout_redirect_uri": back,
            "state": state,
        }
        return address(endpoint, {name: value for name, value in asked.items() if value})

    async def logged_out(self, form: Mapping[str, str]) -> UpstreamLogout:
        """Its logout token (Back-Channel Logout §2.5), verified. That it counts once is up to who acts on
        it (`auth.ending.upstream_notices`): only then is it known to be done. Raises `UpstreamRefused`."""
        token = await self._verified(form.get("logout_token"))
        sub, sid, jti, until = check_logout_token(token, self._wanted())
        return UpstreamLogout(self.settings.issuer, sub, sid, jti, until)

    def _wanted(self, *, audience: str = "", nonce: str | None = None, max_age: int | None = None) -> Wanted:
        wanted = audience or self.settings.client_id
        return Wanted(self.settings.issuer, wanted, self._clock(), nonce, max_age)

    async def _verified(self, token: object) -> Signed:
        parts = opened(token, self._algorithms)
        key = key_for(parts, await self._signers()) or key_for(parts, await self._signers(anew=True))
        if key is None:
            raise UpstreamRefused("key", "not exactly one key of the provider fits")
        verify(parts, key)
        return parts

    async def _userinfo(self, provider: Provider, tokens: Tokens, sub: str) -> dict[str, Any]:
        """Core §5.3, if it is offered and not turned off; about the same `sub`, or refused."""
        if not provider.userinfo_endpoint or self.settings.options.get("userinfo") is False:
            return {}
        got = await answered(
            self._fetch, "GET", provider.userinfo_endpoint, within=self.settings.deadline,
            headers=userinfo_headers(tokens.access_token),
        )  # fmt: skip
        told = object_of(got.body)
        if told.get("sub") != sub:
            raise UpstreamRefused("userinfo-sub", "userinfo is about somebody else")
        return told

    def _asserted(self, claims: Mapping[str, Any], hint: str) -> Assertion:
        return assertion_from(
            self.settings, self._matching, claims, iss=self.settings.issuer, sub=claims["sub"],
            assurance_at="acr", amr=claims.get("amr", ()), auth_time=int(claims.get("auth_time", 0)),
            sid=claims.get("sid", ""), hint=hint,
        )  # fmt: skip

    async def _described(self) -> Provider:
        """Its metadata. A chain is asked each time: it remembers by itself, and no longer than it holds."""
        if self._metadata is not None:
            return provider_of(await self._metadata(), self.settings)
        return await self._provider.get()

    async def _signers(self, *, anew: bool = False) -> tuple[PublicKey, ...]:
        """Its keys: vouched for by value where a chain tells them, for an address could say others."""
        if self._metadata is not None and isinstance(jwks := (await self._metadata()).get("jwks"), dict):
            return keys_of(jwks)
        return await (self._keys.renewed() if anew else self._keys.get())

    async def _discovered(self) -> tuple[Provider, float]:
        url = f"{self.settings.issuer.removesuffix('/')}/.well-known/openid-configuration"
        got = await answered(self._fetch, "GET", url, within=self.settings.deadline)
        document = object_of(got.body)
        return provider_of(document, self.settings), freshness(got.headers, METADATA_FRESH)

    async def _published(self) -> tuple[tuple[PublicKey, ...], float]:
        url = (await self._described()).jwks_uri
        got = await answered(self._fetch, "GET", url, within=self.settings.deadline, max_bytes=LARGEST)
        return keys_of(object_of(got.body)), freshness(got.headers, KEYS_FRESH)


def _check(settings: UpstreamSettings, metadata: Metadata | None) -> None:
    name = f"upstreams.{settings.code}"
    checked_address("issuer", settings.issuer, settings)
    if not settings.client_id:
        raise ValueError(f"{name}: 缺少 client_id / client_id is missing")
    if settings.claims.get("sub", "sub") != "sub":
        raise ValueError(f"{name}: OIDC 的账号只能是 sub / with OIDC an account is its sub, nothing else")
    if settings.options.get("token_auth", "basic") not in TOKEN_AUTH:
        raise ValueError(f"{name}: token_auth: {' | '.join(TOKEN_AUTH)}")
    if settings.trusted_by and metadata is None:
        raise ValueError(f"{name}: trusted_by 需要信任链 / trusted_by needs a chain of trust, which is off")
