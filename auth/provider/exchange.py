"""A level's token for a token of the hub (RFC 8693): somebody is signed in at their level already.

Rule 1: only for clients that prove themselves and are registered for it; the scopes are the client's at most.
Rule 2: which upstream a token is of says its exact issuer; everything else about it is said by the verifier
of that upstream, and only after it has verified it.
Rule 3: an ID token is no access token and the reverse: the token's own `typ` must agree with what it is
called (RFC 9068 §4, RFC 8725 §3.11).
Rule 4: nobody acts for somebody else: an actor's token, and a subject's token with `act` or `may_act`, are
refused. No refresh token, no ID token, no session: who was signed out at their level is out soon.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

from auth.documents import Client
from auth.errors import AuthError
from auth.ports import Assertion, Audit
from auth.provider import scopes
from auth.provider.answers import Refusal
from auth.provider.families import Families
from auth.provider.issuing import Issuing, grant_of

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:token-exchange"
_TYPE = "urn:ietf:params:oauth:token-type:"
ACCESS_TOKEN, ID_TOKEN, JWT = f"{_TYPE}access_token", f"{_TYPE}id_token", f"{_TYPE}jwt"
_TYP = {
    ID_TOKEN: frozenset({"", "jwt"}),
    ACCESS_TOKEN: frozenset({"at+jwt", "application/at+jwt"}),
}
"""Token type -> what its header's `typ` says, in small letters."""
LARGEST = 16_384
_NOT_WANTED = frozenset({"openid", "offline_access"})


class Verifier(Protocol):
    """Verifies the tokens of one upstream, made for us: signature, issuer, audience, times."""

    async def verify(self, token: str) -> Assertion:
        """What it says. Raises AuthError (`UpstreamRefused`) for any flaw."""
        ...


class AssertsIdTokens(Protocol):
    """The part of `auth.broker.oidc` that reads an ID token which did not come by its own code flow."""

    async def assertion_of(self, id_token: str, audience: str) -> Assertion: ...


class IdTokensOf:
    """The verifier of an OIDC upstream's ID tokens that were made for `audience`: our own client_id there,
    or that of the one application whose tokens are taken instead."""

    def __init__(self, upstream: AssertsIdTokens, audience: str) -> None:
        self._upstream, self._audience = upstream, audience

    async def verify(self, token: str) -> Assertion:
        """As `Verifier` promises."""
        return await self._upstream.assertion_of(token, self._audience)


class AssertsAccessTokens(Protocol):
    """The same for its access tokens that are JWTs (RFC 9068)."""

    async def access_assertion_of(self, access_token: str, audience: str) -> Assertion: ...


class AccessTokensOf:
    """The verifier of an upstream's JWT access tokens whose audience is `audience`: the hub as a resource
    there, never just any."""

    def __init__(self, upstream: AssertsAccessTokens, audience: str) -> None:
        self._upstream, self._audience = upstream, audience

    async def verify(self, token: str) -> Assertion:
        """As `Verifier` promises."""
        return await self._upstream.access_assertion_of(token, self._audience)


class Subject(NamedTuple):
    """A subject token as it calls itself; nothing of it is believed yet."""

    iss: str
    typ: str
    acts: bool


class TokenExchange:
    """The grant at the token endpoint.

    `id_tokens`, `access_tokens`: exact issuer -> verifier. `person_for` finds or makes the person of an
    assertion (`Accounts.handed_on`). `life` is of access tokens; `clock` gives seconds since 1970.
    `audiences`: what `audience` and `resource` may name: the graph.
    """

    grant_type = GRANT_TYPE

    def __init__(
        self, *, id_tokens: Mapping[str, Verifier], access_tokens: Mapping[str, Verifier],
        person_for: Callable[[Assertion], Awaitable[str]], audiences: frozenset[str], families: Families,
        issuing: Issuing, audit: Audit, clock: Callable[[], float], life: float,
    ) -> None:  # fmt: skip
        self._verifiers = {ID_TOKEN: dict(id_tokens), ACCESS_TOKEN: dict(access_tokens)}
        self._person_for, self._audiences, self._audit = person_for, audiences, audit
        self._families, self._issuing = families, issuing
        self._clock, self._life = clock, life

    async def tokens(self, client: Client, form: Mapping[str, str], jkt: str = "") -> dict[str, Any]:
        """The token answer (RFC 8693 §2.2.1) for an authenticated client. `jkt`: the key proven with the
        request. Raises `Refusal` (503 when the upstream cannot be asked), `StoreDown`."""
        _check_client(client)
        granted = self._check_request(client, form)
        assertion = await self._verified(form["subject_token"], form["subject_token_type"])
        person = await self._person_for(assertion)
        prepared = await self._issuing.prepare(client, person, "")
        await self._audit.note(
            "token.exchanged", person=person, client=client.id, upstream=assertion.upstream,
            scopes=" ".join(granted),
        )  # fmt: skip
        family, _ = await self._families.start(
            False, client_id=client.id, person=person, session="", scopes=granted, jkt=jkt, offline=True,
            auth_time=assertion.auth_time, acr=assertion.acr, amr=assertion.amr,
            until=datetime.fromtimestamp(self._clock() + self._life, UTC),
        )  # fmt: skip
        answer = self._issuing.signed(prepared, grant_of(family, granted), with_id_token=False, jkt=jkt)
        await self._issuing.still(family.id)
        return answer | {"issued_token_type": ACCESS_TOKEN}

    def _check_request(self, client: Client, form: Mapping[str, str]) -> tuple[str, ...]:
        """The scopes to grant."""
        if "actor_token" in form or "actor_token_type" in form:
            raise Refusal("invalid_request", "delegation is not done here: send no actor_token")
        if "subject_token" not in form or form.get("subject_token_type") not in (ID_TOKEN, ACCESS_TOKEN):
            raise Refusal(
                "invalid_request", "send subject_token, an id_token or a JWT access_token, with its type"
            )
        if form.get("requested_token_type", ACCESS_TOKEN) != ACCESS_TOKEN:
            raise Refusal("invalid_request", "only access tokens are issued: requested_token_type")
        for name in ("audience", "resource"):
            if name in form and form[name] not in self._audiences:
                raise Refusal("invalid_target", f"{name} names something that is not served here")
        return _granted(client, form.get("scope", ""))

    async def _verified(self, token: str, kind: str) -> Assertion:
        """What the upstream's verifier says of the token. Raises `Refusal`."""
        subject = _subject(token)
        if subject.typ not in _TYP[kind]:
            raise Refusal("invalid_request", "the subject_token is not of its subject_token_type")
        verifier = self._verifiers[kind].get(subject.iss)
        if verifier is None:
            raise Refusal("invalid_request", "no upstream of ours issues such a subject_token")
        if subject.acts:
            raise Refusal(
                "invalid_request", "delegation is not done here: the subject_token has act or may_act"
            )
        try:
            assertion = await verifier.verify(token)
        except AuthError as refused:
            if getattr(refused, "status", 400) in (502, 503):
                raise Refusal(
                    "temporarily_unavailable", "the upstream cannot be asked just now", 503
                ) from None
            raise Refusal("invalid_request", "the subject_token was not accepted") from None
        if assertion.iss != subject.iss:
            raise Refusal("invalid_request", "the subject_token was not accepted")
        return assertion


def _check_client(client: Client) -> None:
    if GRANT_TYPE not in client.grant_types:
        raise Refusal("unauthorized_client", "this client is not registered for token exchange")
    if client.auth_method == "none":
        raise Refusal("unauthorized_client", "a public client cannot exchange tokens: anybody can be it")


def _granted(client: Client, scope: str) -> tuple[str, ...]:
    wanted = scopes.parsed(scope)
    if wanted is None or not scopes.allowed(wanted, client.scopes) or "offline_access" in wanted:
        raise Refusal(
            "invalid_scope", "a scope is malformed, unknown, not registered for this client, or offline"
        )
    return tuple(each for each in wanted or client.scopes if each not in _NOT_WANTED)


def _subject(token: str) -> Subject:
    """Which upstream and what kind a token says it is of. Raises `Refusal`; decides nothing else."""
    if len(token) > LARGEST or token.count(".") != 2:
        raise Refusal("invalid_request", "the subject_token is not a signed JWT of at most 16 kB")
    head, body, _ = token.split(".")
    header, claims = _members(head), _members(body)
    iss, typ = claims.get("iss"), header.get("typ", "")
    if not isinstance(iss, str) or not isinstance(typ, str):
        raise Refusal("invalid_request", "the subject_token names no issuer")
    return Subject(iss, typ.lower(), "act" in claims or "may_act" in claims)


def _members(segment: str) -> dict[str, Any]:
    try:
        found = json.loads(urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Refusal("invalid_request", "the subject_token is not a JWT")
    return found
