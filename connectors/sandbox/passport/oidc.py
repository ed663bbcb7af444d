"""A level's OpenID Provider: code flow with PKCE, ES256, userinfo, RP-initiated and back-channel logout.

OpenID Connect Core 1.0, Discovery 1.0, RP-Initiated Logout 1.0, Back-Channel Logout 1.0, RFC 7636 (required),
RFC 9207. What is about a person stands in userinfo; the ID token tells who, how and when.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from connectors.sandbox.country import Country, Person
from connectors.sandbox.passport import page, wire
from connectors.sandbox.passport.door import Door, Entered, standing
from connectors.sandbox.passport.people import NAMED, Accounts, Passport
from connectors.sandbox.passport.sessions import Notice, SignOn
from connectors.sandbox.passport.wire import Bad, Slips

CLIENT_ID = "rongtong-hub"
CLIENT_SECRETS = {
    "county-passport": "sandbox-county-passport-secret-01",
    "school-passport": "sandbox-school-passport-secret-01",
}
PASSWORD, REAL_NAME, FACE = (f"urn:sandbox:loa:{word}" for word in ("password", "realname", "face"))
"""How surely: this provider's own words, which its clients have to know."""
CODE_LIFE, TOKEN_LIFE, ID_TOKEN_LIFE, LOGOUT_LIFE = 60.0, 3600.0, 300, 120
LOGGED_OUT = "http://schemas.openid.net/event/backchannel-logout"
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


@dataclass(frozen=True, slots=True)
class Grant:
    """What a code, and then an access token, stands for."""

    person: Person = field(repr=False)
    redirect_uri: str
    challenge: str
    nonce: str
    scope: str
    sid: str
    at: float
    face: bool


class AuthError(Exception):
    """An error that the client hears of (RFC 6749 §4.1.2.1)."""


def app(
    country: Country, passport: Passport, *, client_id: str = CLIENT_ID, now: Callable[[], float] = time.time
) -> Starlette:
    """The provider of the county or of its first school."""
    provider = Provider(country, passport, client_id, CLIENT_SECRETS[passport.name], now)
    routes = [
        Route("/.well-known/openid-configuration", provider.configuration),
        Route("/jwks", provider.keys),
        Route("/authorize", provider.authorize, methods=["GET", "POST"]),
        Route("/token", provider.token, methods=["POST"]),
        Route("/userinfo", provider.userinfo, methods=["GET", "POST"]),
        Route("/logout", provider.logout, methods=["GET", "POST"]),
    ]
    return standing(provider.door, provider, routes)


class Provider:
    """One provider; its key is made at its start."""

    def __init__(
        self, country: Country, passport: Passport, client_id: str, secret: str, now: Callable[[], float]
    ) -> None:
        self._client, self._secret, self._now = client_id, secret, now
        self.accounts = Accounts(country, passport)
        self.door = Door(passport, self.accounts, self._farewell, now)
        self._codes: Slips[Grant] = Slips(CODE_LIFE, now)
        self._tokens: Slips[Grant] = Slips(TOKEN_LIFE, now)
        self._spent: Slips[str] = Slips(TOKEN_LIFE, now)  # code -> the access token it gave
        self._key = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, auto_kid=True)

    # Who we are

    async def configuration(self, request: Request) -> Response:
        base = wire.here(request)
        return wire.told(
            {
                "issuer": base,
                "authorization_endpoint": f"{base}/authorize",
                "token_endpoint": f"{base}/token",
                "userinfo_endpoint": f"{base}/userinfo",
                "jwks_uri": f"{base}/jwks",
                "end_session_endpoint": f"{base}/logout",
                "scopes_supported": ["openid", "profile"],
                "response_types_supported": ["code"],
                "response_modes_supported": ["query"],
                "grant_types_supported": ["authorization_code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["ES256"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
                "code_challenge_methods_supported": ["S256"],
                "acr_values_supported": [PASSWORD] if self._school else [PASSWORD, REAL_NAME, FACE],
                "claims_supported": ["sub", "name", "user_identity", "roster_id", "id_number", "role"],
                "prompt_values_supported": ["none", "login"],
                "authorization_response_iss_parameter_supported": True,
                "backchannel_logout_supported": True,
                "backchannel_logout_session_supported": True,
                "request_parameter_supported": False,
                "request_uri_parameter_supported": False,
            }
        )

    async def keys(self, _request: Request) -> Response:
        return wire.told({"keys": [self._key.as_dict(private=False)]})

    # The browser

    async def authorize(self, request: Request) -> Response:
        asked, base = wire.asked(request), wire.here(request)
        callback = asked.get("redirect_uri", "")
        if asked.get("client_id") != self._client or not wire.is_callback(callback):
            raise Bad("unknown client_id or redirect_uri")
        try:
            entered = await self._entered(request, asked)
        except AuthError as error:
            said = {"error": str(error), "state": asked.get("state", ""), "iss": base}
            return wire.back_to(callback, **said)
        if isinstance(entered, Response):
            return entered
        sign_on = entered.sign_on
        sign_on.note(wire.notice_address(callback), self._client)
        code = self._codes.put(
            Grant(
                sign_on.person, callback, asked["code_challenge"], asked.get("nonce", ""), asked["scope"],
                sign_on.sid, sign_on.at, sign_on.face,
            )
        )  # fmt: skip
        return self.door.keep(
            request, entered, wire.back_to(callback, code=code, state=asked.get("state", ""), iss=base)
        )

    async def _entered(self, request: Request, asked: dict[str, str]) -> Entered | Response:
        _check(asked)
        current, prompts = self.door.current(request), asked.get("prompt", "").split()
        face = FACE in asked.get("acr_values", "").split() and not self._school
        most = asked.get("max_age", "")
        old = current is not None and bool(most) and self._now() - current.at > int(most)
        renew = "login" in prompts or old or (face and current is not None and not current.face)
        if "none" in prompts:
            if current is None or "login" in prompts or old:
                raise AuthError("login_required")
            return Entered(current)
        return await self.door.enter(request, renew=renew, hint=asked.get("login_hint", ""), face=face)

    # The client

    async def token(self, request: Request) -> Response:
        fields = await wire.form(request)
        client, secret = wire.client_of(request, fields)
        if client != self._client or not wire.same(secret, self._secret):
            return wire.told({"error": "invalid_client"}, 401)
        if fields.get("grant_type") != "authorization_code":
            return wire.told({"error": "unsupported_grant_type"}, 400)
        code = fields.get("code", "")
        grant = self._codes.take(code)
        if grant is None:
            self._tokens.drop(self._spent.look(code) or "")  # RFC 6749 §4.1.2: a code was stolen
            return wire.told({"error": "invalid_grant"}, 400)
        if grant.redirect_uri != fields.get("redirect_uri") or not _proves(fields, grant.challenge):
            return wire.told({"error": "invalid_grant"}, 400)
        token = self._tokens.put(grant)
        self._spent.put(token, code)
        return wire.told(
            {
                "access_token": token,
                "token_type": "Bearer",
                "expires_in": int(TOKEN_LIFE),
                "scope": grant.scope,
                "id_token": self._id_token(grant, token, wire.here(request)),
            }
        )

    async def userinfo(self, request: Request) -> Response:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        grant = self._tokens.look(token) if scheme.lower() == "bearer" else None
        if grant is None:
            return Response(status_code=401, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
        claims = {"sub": self.accounts.number(grant.person)}
        return wire.told(claims | (self._told(grant.person) if "profile" in grant.scope.split() else {}))

    def _told(self, person: Person) -> dict[str, Any]:
        """The county vouches for number and roster entry; a school only for what somebody is there."""
        claims: dict[str, Any] = {"name": person.name, "user_identity": person.user_identity}
        if role := self.accounts.role(person):
            claims["role"] = role
        if self._school:
            return claims
        if person.role != "officer":  # the bureau's own people stand in no roster
            claims["roster_id"] = person.id
        named = self.accounts.surety(person) >= NAMED and bool(person.resident_id)
        claims["id_number_verified"] = named
        return claims | ({"id_number": person.resident_id} if named else {})

    def _id_token(self, grant: Grant, token: str, base: str) -> str:
        half = hashlib.sha256(token.encode()).digest()[:16]
        claims = {
            "sub": self.accounts.number(grant.person),
            "auth_time": int(grant.at),
            "acr": self._acr(grant),
            "amr": ["pwd", "face"] if grant.face else ["pwd"],
            "sid": grant.sid,
            "at_hash": urlsafe_b64encode(half).rstrip(b"=").decode(),
        }
        return self._signed(
            base, ID_TOKEN_LIFE, "JWT", claims | ({"nonce": grant.nonce} if grant.nonce else {})
        )

    def _acr(self, grant: Grant) -> str:
        if self.accounts.surety(grant.person) < NAMED:
            return PASSWORD
        return FACE if grant.face else REAL_NAME

    def _signed(self, base: str, life: int, kind: str, claims: dict[str, Any], audience: str = "") -> str:
        now = int(self._now())
        header = {"alg": "ES256", "typ": kind, "kid": self._key.kid}
        stamped = {"iss": base, "aud": audience or self._client, "iat": now, "exp": now + life}
        return jwt.encode(header, stamped | claims, self._key, algorithms=["ES256"])

    @property
    def _school(self) -> bool:
        return self.door.passport.level == "SCHOOL"

    # The end

    async def logout(self, request: Request) -> Response:
        """RP-Initiated Logout 1.0 §2; without a hint that fits who is here, the person is asked first."""
        asked = await wire.form(request) if request.method == "POST" else wire.asked(request)
        current, hint = self.door.current(request), self._hinted(asked.get("id_token_hint", ""))
        back = asked.get("post_logout_redirect_uri", "")
        ours = asked.get("client_id", self._client) == self._client
        fits = hint is not None and (current is None or hint == self.accounts.number(current.person))
        if current and not fits:
            return page.signed_in(self.door.passport, current.person, "/sign-out")
        # In life registered, as the callback is.
        if hint and ours and wire.is_own(back):
            return self.door.leave(request, wire.back_to(back, state=asked.get("state", "")))
        return self.door.leave(request, RedirectResponse("/", 303))

    def _hinted(self, id_token: str) -> str | None:
        """Whom an ID token of ours is about, however old; None if it is not ours."""
        try:
            found = jwt.decode(id_token, self._key, algorithms=["ES256"])
        except (JoseError, ValueError):
            return None
        ours = found.header.get("typ") == "JWT" and found.claims.get("aud") == self._client
        return str(found.claims["sub"]) if ours else None

    def _farewell(self, sign_on: SignOn, base: str) -> Sequence[Notice]:
        return [
            Notice(to, {"logout_token": self._logout(sign_on, base, who)}) for to, who in sign_on.told.items()
        ]

    def _logout(self, sign_on: SignOn, base: str, client: str) -> str:
        claims = {
            "sub": self.accounts.number(sign_on.person),
            "sid": sign_on.sid,
            "jti": secrets.token_hex(16),
            "events": {LOGGED_OUT: {}},
        }
        return self._signed(base, LOGOUT_LIFE, "logout+jwt", claims, client)


def _check(asked: dict[str, str]) -> None:
    if asked.get("response_type") != "code":
        raise AuthError("unsupported_response_type")
    if "request" in asked or "request_uri" in asked:
        raise AuthError("request_not_supported" if "request" in asked else "request_uri_not_supported")
    if "openid" not in asked.get("scope", "").split():
        raise AuthError("invalid_scope")
    proof = asked.get("code_challenge_method") == "S256" and _CHALLENGE.fullmatch(
        asked.get("code_challenge", "")
    )
    if not proof or not re.fullmatch(r"\d{0,9}", asked.get("max_age", ""), re.ASCII):
        raise AuthError("invalid_request")


def _proves(fields: dict[str, str], challenge: str) -> bool:
    verifier = fields.get("code_verifier", "")
    if not _VERIFIER.fullmatch(verifier):
        return False
    digest = hashlib.sha256(verifier.encode()).digest()
    return wire.same(urlsafe_b64encode(digest).rstrip(b"=").decode(), challenge)
