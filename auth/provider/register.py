"""Dynamic registration: applications register themselves, if they were given leave (RFC 7591, RFC 7592).

Rule 1: leave is the initial access token of the settings; without one there is no such endpoint.
Rule 2: what opens something is shown once, when it is made, and kept as its hash.
Rule 3: an unknown client and a wrong token are told the same (RFC 7592 §2).
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NoReturn, Protocol
from urllib.parse import urlsplit

from authlib.oauth2 import OAuth2Error  # type: ignore[import-untyped]
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from auth.clients import COLLECTION
from auth.documents import Client, kept_as
from auth.errors import AuthError, InvalidToken
from auth.fetch import FetchFailed
from auth.keys import Algorithm
from auth.ports import Audit
from auth.presented import credentials
from auth.provider.answers import NO_STORE, Refusal, answer, refused
from auth.provider.metadata import ADDRESSES, FLAGS, client_values
from auth.store import Store, kept, secret
from auth.trust.identifiers import is_loopback

PATH = "/oauth/register"
LARGEST = 65_536
MOST_CLIENTS = 10_000
OURS_TO_SAY = ("registration_access_token", "registration_client_uri", "client_secret_expires_at",
               "client_id_issued_at")  # fmt: skip
"""What an update must not carry (RFC 7592 §2.2)."""


ASKED_BY_US = ("jwks_uri", "backchannel_logout_uri")
"""Addresses that the hub itself connects to."""


class FetchesKeys(Protocol):
    """`auth.clients.Clients`, as far as it is asked here."""

    async def keys(self, client: Client) -> list[dict[str, Any]]: ...


class MakesKeys(Protocol):
    """`auth.keys.KeyRing`, as far as it is asked here."""

    async def ensured(self, alg: Algorithm) -> object: ...


class Unauthorized(AuthError):
    """No leave: the token is missing, wrong, or another client's."""

    code = "REGISTRATION_REFUSED"
    error = "invalid_token"
    status = 401
    challenge = 'Bearer error="invalid_token"'
    public = "登记令牌无效 / the registration token is not valid"


class Registration:
    """The endpoints. `initial_token` "" turns them off: `routes` is empty then."""

    def __init__(
        self, issuer: str, store: Store, clients: FetchesKeys, keys: MakesKeys, audit: Audit,
        clock: Callable[[], float], *, initial_token: str,
    ) -> None:  # fmt: skip
        self._address, self._clients, self._keys, self._audit = f"{issuer}{PATH}", clients, keys, audit
        self._kept = store.collection(COLLECTION)
        self._clock, self._initial = clock, kept(initial_token) if initial_token else ""
        self._tried_out = _on_this_machine(issuer)

    def routes(self) -> list[BaseRoute]:
        """`/oauth/register` and `/oauth/register/{client_id}`; none when registration is off."""
        if not self._initial:
            return []
        each = {"GET": self._read, "PUT": self._update, "DELETE": self._delete}
        return [
            Route(PATH, _answering(self._register), methods=["POST"]),
            *(
                Route(f"{PATH}/{{client_id}}", _answering(does), methods=[method])
                for method, does in each.items()
            ),
        ]

    async def _register(self, request: Request) -> Response:
        if not hmac.compare_digest(kept(_token(request)), self._initial):
            raise Unauthorized
        client_id, said = secret(128), await _said(request)
        values = self._values(said, client_id)
        if await self._kept.count({}, limit=MOST_CLIENTS) >= MOST_CLIENTS:
            raise Refusal("invalid_client_metadata", "no more clients are registered here", 403)
        password, access = _password(values), secret()
        client = Client(
            id=client_id, created=datetime.fromtimestamp(self._clock(), UTC),
            registration_kept=kept(access), secret_kept=kept(password) if password else "", **values,
        )  # fmt: skip
        await self._check_keys(client)
        await self._audit.note("client.registering", client=client_id)
        await self._kept.insert_one(client.document())
        return answer(self._shown(client, access, password), 201)

    async def _read(self, request: Request) -> Response:
        return answer(self._shown(await self._its(request), _token(request)))

    async def _update(self, request: Request) -> Response:
        before, said = await self._its(request), await _said(request)
        _check_update(before, said)
        values = self._values(said, before.id)
        password = "" if before.secret_kept else _password(values)
        with_secret = values["auth_method"].startswith("client_secret")
        held = kept(password) if password else before.secret_kept
        after = Client(
            id=before.id, created=before.created, registration_kept=before.registration_kept,
            secret_kept=held if with_secret else "", **values,
        )  # fmt: skip
        await self._check_keys(after)
        await self._audit.note("client.updating", client=before.id)
        change = after.document()
        change.pop("_id")
        if not await self._kept.update_one(_of(before), {"$set": change}):
            raise Unauthorized
        return answer(self._shown(after, _token(request), password))

    async def _delete(self, request: Request) -> Response:
        client = await self._its(request)
        await self._audit.note("client.deleting", client=client.id)
        await self._kept.delete_one(_of(client))
        return Response(status_code=204, headers=NO_STORE)

    def _values(self, said: Mapping[str, Any], client_id: str) -> dict[str, Any]:
        """Fields of `Client`. What we ask ourselves is not on loopback: that is our own machine, whatever
        listens there, and not the person's; but for a hub that is only tried out there. Raises `Refusal`."""
        values = client_values(said, client_id)
        for name in ASKED_BY_US:
            if not self._tried_out and _on_this_machine(values[name]):
                raise Refusal("invalid_client_metadata", f"{name} is on the provider's own machine")
        return values

    async def _its(self, request: Request) -> Client:
        """The client whose registration token the request presents. Raises `Unauthorized`."""
        token, client_id = _token(request), request.path_params["client_id"]
        found = await self._kept.find_one({"_id": {"$eq": client_id}}) if len(client_id) <= 255 else None
        wanted = found.get("registration_kept", "") if found else ""
        if found is None or not hmac.compare_digest(kept(token), wanted):
            raise Unauthorized
        return kept_as(Client, found)

    async def _check_keys(self, client: Client) -> None:
        """Have what the client will need. Its key set is fetched once, so that an address that is not to be
        reached is refused now; one that is only away just now is not."""
        rsa = client.id_token_alg == "RS256"  # noqa: S105 - the name of an algorithm
        await self._keys.ensured("RS256" if rsa else "ES256")
        if not client.jwks_uri:
            return
        try:
            await self._clients.keys(client)
        except FetchFailed as error:
            if error.kind in ("forbidden", "malformed"):
                raise Refusal("invalid_client_metadata", f"jwks_uri: {error.kind}") from None

    def _shown(self, client: Client, access: str, password: str = "") -> dict[str, Any]:
        """The client information response (RFC 7591 §3.2.1); the secret only when it was made just now."""
        shown = _metadata(client) | {
            "client_id": client.id,
            "client_id_issued_at": int(client.created.timestamp()) if client.created else 0,
            "registration_access_token": access,
            "registration_client_uri": f"{self._address}/{client.id}",
        }
        return shown | ({"client_secret": password, "client_secret_expires_at": 0} if password else {})


def _answering(does: Callable[[Request], Any]) -> Callable[[Request], Any]:
    async def answered(request: Request) -> Response:
        try:
            response: Response = await does(request)
        except (AuthError, OAuth2Error) as error:
            return refused(error)
        return response

    return answered


def _on_this_machine(address: str) -> bool:
    return is_loopback(urlsplit(address).hostname or "")


def _of(client: Client) -> dict[str, Any]:
    return {"_id": {"$eq": client.id}, "registration_kept": {"$eq": client.registration_kept}}


def _token(request: Request) -> str:
    try:
        shown = credentials(request.headers)
    except InvalidToken:
        raise Unauthorized from None
    if shown is None or shown.scheme != "bearer":
        raise Unauthorized
    return shown.token


def _password(values: Mapping[str, Any]) -> str:
    """A fresh client secret, if the client's method wants one."""
    return secret() if values["auth_method"].startswith("client_secret") else ""


def _check_update(before: Client, said: Mapping[str, Any]) -> None:
    if said.get("client_id") != before.id:
        raise Refusal("invalid_client_metadata", "client_id is not the client's")
    if carried := [name for name in OURS_TO_SAY if name in said]:
        raise Refusal("invalid_client_metadata", f"{carried[0]} is not for the client to say")
    given = said.get("client_secret", "")
    if given and not (isinstance(given, str) and hmac.compare_digest(kept(given), before.secret_kept)):
        raise Refusal("invalid_client_metadata", "client_secret is not the client's")


def _metadata(client: Client) -> dict[str, Any]:
    named = {
        "client_name": client.name,
        "client_name#en": client.name_en,
        "redirect_uris": client.redirect_uris,
        "post_logout_redirect_uris": client.post_logout_redirect_uris,
        "token_endpoint_auth_method": client.auth_method,
        "grant_types": client.grant_types,
        "response_types": client.response_types,
        "scope": " ".join(client.scopes),
        "subject_type": "pairwise",
        "id_token_signed_response_alg": client.id_token_alg,
        "jwks": client.jwks,
        **{name: getattr(client, name) for name in ADDRESSES},
    }
    said = {name: value for name, value in named.items() if value}
    return said | {theirs: getattr(client, ours) for theirs, ours in FLAGS.items()}


async def _said(request: Request) -> dict[str, Any]:
    """The body: one JSON object in UTF-8, no member twice. Raises `Refusal`: 400, 413, 415."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refusal("invalid_client_metadata", "send application/json", 415)
    body = b""
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > LARGEST:
                raise Refusal("invalid_client_metadata", f"more than {LARGEST} bytes", 413)
        found = json.loads(body.decode("utf-8"), object_pairs_hook=_once_each, parse_constant=_no_number)
        json.dumps(found, ensure_ascii=False).encode("utf-8")  # a lone surrogate is no text
    except (ValueError, RecursionError, ClientDisconnect):
        raise Refusal("invalid_client_metadata", "the body is not one JSON object") from None
    if not isinstance(found, dict):
        raise Refusal("invalid_client_metadata", "the body is not one JSON object")
    return found


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):  # a member named twice is read differently by different parsers
        raise ValueError("a member twice")
    return found


def _no_number(text: str) -> NoReturn:
    raise ValueError(text)
