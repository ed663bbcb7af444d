"""The city's user centre: a plain OAuth 2 code flow as cities built it, without an ID token.

RFC 6749 §4.1 in Changsha's measures: the code is good once and for five minutes, the access token for two
hours. A challenge that a client sends is honoured (RFC 7636), none is asked for. Who signed in is told by
`/oauth2/userinfo`; the number of the identity card only of those known by real name.
"""

from __future__ import annotations

import hashlib
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.sandbox.country import Country, Person
from connectors.sandbox.passport import wire
from connectors.sandbox.passport.door import Door, standing
from connectors.sandbox.passport.people import NAMED, Accounts, Passport
from connectors.sandbox.passport.sessions import says_nothing
from connectors.sandbox.passport.wire import Bad, Slips

CLIENT_ID, CLIENT_SECRET = "rongtong-hub", "sandbox-city-passport-secret-0001"
CODE_LIFE, TOKEN_LIFE = 300.0, 7200.0


@dataclass(frozen=True, slots=True)
class Grant:
    """What a code, and then an access token, stands for."""

    person: Person = field(repr=False)
    redirect_uri: str
    challenge: str


def app(
    country: Country,
    passport: Passport,
    *,
    client_id: str = CLIENT_ID,
    client_secret: str = CLIENT_SECRET,
    now: Callable[[], float] = time.time,
) -> Starlette:
    """The user centre of the city."""
    centre = UserCentre(country, passport, client_id, client_secret, now)
    routes = [
        Route("/oauth2/authorize", centre.authorize, methods=["GET", "POST"]),
        Route("/oauth2/token", centre.token, methods=["POST"]),
        Route("/oauth2/userinfo", centre.userinfo, methods=["GET", "POST"]),
        Route("/oauth2/logout", centre.logout),
    ]
    return standing(centre.door, centre, routes)


class UserCentre:
    """The city's provider."""

    def __init__(
        self, country: Country, passport: Passport, client: str, secret: str, now: Callable[[], float]
    ) -> None:
        self._client, self._secret = client, secret
        self.accounts = Accounts(country, passport)
        self.door = Door(passport, self.accounts, says_nothing, now)
        self._codes: Slips[Grant] = Slips(CODE_LIFE, now)
        self._tokens: Slips[Grant] = Slips(TOKEN_LIFE, now)

    async def authorize(self, request: Request) -> Response:
        asked = wire.asked(request)
        callback, state = asked.get("redirect_uri", ""), asked.get("state", "")
        if asked.get("client_id") != self._client or not wire.is_callback(callback):
            raise Bad("unknown client_id or redirect_uri")
        if asked.get("response_type") != "code":
            return wire.back_to(callback, error="unsupported_response_type", state=state)
        entered = await self.door.enter(request, renew=asked.get("prompt") == "login")
        if isinstance(entered, Response):
            return entered
        code = self._codes.put(Grant(entered.sign_on.person, callback, asked.get("code_challenge", "")))
        return self.door.keep(request, entered, wire.back_to(callback, code=code, state=state))

    async def token(self, request: Request) -> Response:
        fields = await wire.form(request)
        client, secret = wire.client_of(request, fields)
        if client != self._client or not wire.same(secret, self._secret):
            return wire.told({"error": "invalid_client"}, 401)
        if fields.get("grant_type") != "authorization_code":
            return wire.told({"error": "unsupported_grant_type"}, 400)
        grant = self._codes.take(fields.get("code", ""))
        if grant is None or grant.redirect_uri != fields.get("redirect_uri") or not _proves(fields, grant):
            return wire.told({"error": "invalid_grant"}, 400)
        token = self._tokens.put(grant)
        return wire.told({"access_token": token, "token_type": "Bearer", "expires_in": int(TOKEN_LIFE)})

    async def userinfo(self, request: Request) -> Response:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        grant = self._tokens.look(token) if scheme.lower() == "bearer" else None
        if grant is None:
            return Response(status_code=401, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
        return wire.told(self._told(grant.person))

    def _told(self, person: Person) -> dict[str, str]:
        surety = self.accounts.surety(person)
        found = {
            "uid": self.accounts.number(person),
            "real_name": person.name,
            "identity": person.user_identity,
            "realname_level": str(surety),
        }
        if surety >= NAMED and person.resident_id:
            found["id_card"] = person.resident_id
        if role := self.accounts.role(person):
            found["role"] = role
        return found

    async def logout(self, request: Request) -> Response:
        """The logout address: back to `redirect_uri`, if it is one of ours."""
        return self.door.leave_for(request, wire.asked(request).get("redirect_uri", ""))


def _proves(fields: dict[str, str], grant: Grant) -> bool:
    digest = hashlib.sha256(fields.get("code_verifier", "").encode()).digest()
    made = urlsafe_b64encode(digest).rstrip(b"=").decode()
    return not grant.challenge or wire.same(made, grant.challenge)
