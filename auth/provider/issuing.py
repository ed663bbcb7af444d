"""The token answer of every grant: what is needed is read first, then the grant is claimed, then we sign.

Rule 1: all reading happens in `prepare`, before anything is used up; `signed` does no I/O.
Rule 2: after issuing the family is looked at again: what was revoked meanwhile is not handed out.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

from auth.documents import Client
from auth.ports import Profile
from auth.principal import Principal
from auth.provider.answers import Refusal
from auth.provider.families import Families, Family
from auth.provider.id_tokens import IdTokens, claims_about
from auth.provider.persons import Persons, may_be_told
from auth.tokens import AccessTokens

Subjects = Callable[[Client, str], str]
"""The pairwise `sub` of a person for a client (`partial(subject_for, keys)`)."""


class NotesClients(Protocol):
    """A session's memory of whom it told (`auth.sessions.Sessions`)."""

    async def note_client(self, session_id: str, client_id: str, sub: str) -> str:
        """The `sid` of this session for this client, the same each time; "" when the session is over."""
        ...


@dataclass(frozen=True, slots=True)
class Grant:
    """What tokens are issued for. `auth_time`: of the sign-in itself, also on refresh (OIDC Core 12.2)."""

    person: str = field(repr=False)
    session: str = field(repr=False)
    scopes: tuple[str, ...]
    family: str = field(default="", repr=False)
    auth_time: int = 0
    acr: str = ""
    amr: tuple[str, ...] = ()
    nonce: str = field(default="", repr=False)
    claims_request: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything that had to be read before tokens are signed."""

    client: Client
    profile: Profile = field(repr=False)
    sub: str = field(repr=False)
    sid: str = field(default="", repr=False)


def grant_of(family: Family, scopes: tuple[str, ...]) -> Grant:
    """The grant that a family stands for, narrowed to these scopes."""
    return Grant(
        person=family.person, session=family.session, scopes=scopes, family=family.id,
        auth_time=family.auth_time, acr=family.acr, amr=family.amr, claims_request=family.claims,
    )  # fmt: skip


class Issuing:
    """Issues tokens. `life` of access tokens in seconds; those of a client by chain (OpenID Federation) end
    with its chain at the latest. `clock` gives seconds since 1970."""

    def __init__(
        self, *, issuer: str, tokens: AccessTokens, id_tokens: IdTokens, families: Families,
        sessions: NotesClients, persons: Persons, subject: Subjects, life: float,
        clock: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self._issuer, self._tokens, self._id_tokens, self._families = issuer, tokens, id_tokens, families
        self._sessions, self._persons, self._subject = sessions, persons, subject
        self._life, self._clock = timedelta(seconds=life), clock

    async def tokens(
        self, client: Client, grant: Grant, *, with_refresh: bool, with_id_token: bool, jkt: str = "",
        nonce: str = "",
    ) -> dict[str, Any]:  # fmt: skip
        """The token answer (RFC 6749 §5.1) for a grant whose family was begun already.

        `jkt` binds the access token to a key. Raises `Refusal` (invalid_grant), `Unknown`, `StoreDown`.
        """
        prepared = await self.prepare(client, grant.person, grant.session)
        refresh = await self._families.refresh_token(grant.family) if with_refresh and grant.family else ""
        answer = self.signed(
            prepared, grant, refresh=refresh, with_id_token=with_id_token, jkt=jkt, nonce=nonce
        )
        await self.still(grant.family)
        return answer

    async def prepare(
        self, client: Client, person: str, session: str, *, needs_session: bool = False
    ) -> Prepared:
        """Read what tokens need. Raises `Refusal` (invalid_grant) when the person or, with `needs_session`,
        the session is no more, or this client may not be told of a minor; `StoreDown`."""
        profile = await self._persons.profile(person)
        if profile is None:
            raise Refusal("invalid_grant", "the person has to sign in again")
        if not may_be_told(client, profile):
            raise Refusal("invalid_grant", "this client may not be told of minors")
        sub = self._subject(client, person)
        sid = await self._sessions.note_client(session, client.id, sub) if session else ""
        if needs_session and not sid:
            raise Refusal("invalid_grant", "the session has ended")
        await self._id_tokens.ready(client)
        return Prepared(client, profile, sub, sid)

    def signed(
        self, prepared: Prepared, grant: Grant, *, refresh: str = "", with_id_token: bool, jkt: str = "",
        nonce: str = "",
    ) -> dict[str, Any]:  # fmt: skip
        """The token answer, signed. Raises `TokenTooLarge`."""
        life = self._life_for(prepared.client)
        access = self._access(prepared, grant, jkt, life)
        answer = self._answer(access, grant.scopes, jkt, life)
        if refresh:
            answer["refresh_token"] = refresh
        if with_id_token:
            claims = claims_about(prepared.profile, grant.scopes) | self._about_sign_in(prepared, grant)
            answer["id_token"] = self._id_tokens.make(
                prepared.client, prepared.sub, claims | {"nonce": nonce}, access
            )
        return answer

    def for_client(self, client: Client, scopes: tuple[str, ...], jkt: str = "") -> dict[str, Any]:
        """The token answer for a client itself: nobody's person, no refresh token (RFC 6749 §4.4)."""
        principal = Principal(
            issuer=self._issuer, subject=client.id, level="", scopes=scopes, purposes=client.purposes,
            client_id=client.id, first_party=client.first_party, minors=client.minors, jkt=jkt,
        )  # fmt: skip
        life = self._life_for(client)
        return self._answer(self._tokens.issue(principal, life), scopes, jkt, life)

    async def still(self, family: str) -> None:
        """Look again: raises `Refusal` when the family was revoked while we issued."""
        if family and not await self._families.active(family):
            raise Refusal("invalid_grant", "the grant was revoked")

    def _life_for(self, client: Client) -> timedelta:
        """The graph checks tokens without asking anybody, so none outlives what its client is trusted by."""
        if client.chain_expires is None:
            return self._life
        left = int(client.chain_expires.timestamp() - self._clock())
        return min(self._life, timedelta(seconds=max(1, left)))

    def _access(self, prepared: Prepared, grant: Grant, jkt: str, life: timedelta) -> str:
        profile, client = prepared.profile, prepared.client
        principal = Principal(
            issuer=self._issuer, subject=prepared.sub, level=profile.level, roles=profile.roles,
            person=grant.person, person_keys=profile.person_keys, children_keys=profile.children_keys,
            scopes=grant.scopes, purposes=client.purposes, client_id=client.id,
            first_party=client.first_party, minors=client.minors, session=grant.session, jkt=jkt,
            acr=grant.acr, auth_time=grant.auth_time,
        )  # fmt: skip
        return self._tokens.issue(principal, life, family=grant.family)

    def _answer(self, access: str, scopes: tuple[str, ...], jkt: str, life: timedelta) -> dict[str, Any]:
        return {
            "access_token": access,
            "token_type": "DPoP" if jkt else "Bearer",
            "expires_in": int(life.total_seconds()),
            "scope": " ".join(scopes),
        }

    def _about_sign_in(self, prepared: Prepared, grant: Grant) -> dict[str, Any]:
        return {
            "auth_time": grant.auth_time, "acr": grant.acr, "amr": list(grant.amr), "sid": prepared.sid,
        }  # fmt: skip
