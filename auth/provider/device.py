"""Devices without a browser of their own: they ask for two codes, then for tokens until somebody agrees.

RFC 8628 §3.1, §3.2 (`/oauth/device_authorization`) and §3.4, §3.5 (the grant at `/oauth/token`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from auth.browser import form
from auth.documents import Client
from auth.errors import Taken
from auth.provider import scopes
from auth.provider.answers import Refusal, answer, refused
from auth.provider.device_codes import Begun, Device, DeviceCodes
from auth.provider.families import Families, family_of_code
from auth.provider.issuing import Grant, Issuing

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"
PATH = "/oauth/device_authorization"
LONGEST_CODE = 128


class ClientProof(Protocol):
    """Authenticates a client; `auth.provider.client_auth` does."""

    async def authenticate(
        self, headers: Mapping[str, str], form: Mapping[str, str], endpoint_url: str
    ) -> Client: ...


class DeviceAuthorization:
    """`POST /oauth/device_authorization`. `issuer` without a slash at its end."""

    def __init__(self, issuer: str, clients: ClientProof, codes: DeviceCodes) -> None:
        self._issuer, self._clients, self._codes = issuer, clients, codes

    def routes(self) -> list[BaseRoute]:
        """Its one address."""
        return [Route(PATH, self._answer, methods=["POST"])]

    async def _answer(self, request: Request) -> Response:
        try:
            given = await form(request)
            client = await self._clients.authenticate(request.headers, given, f"{self._issuer}{PATH}")
            begun = await self._codes.begin(client, asked(client, given))
        except Exception as error:  # the seam: what is not known to it goes on as it came
            return refused(error)
        return answer(self._told(begun))

    def _told(self, begun: Begun) -> dict[str, Any]:
        page = f"{self._issuer}/device"
        return {
            "device_code": begun.device_code,
            "user_code": begun.user_code,
            "verification_uri": page,
            "verification_uri_complete": f"{page}?user_code={begun.user_code}",
            "expires_in": begun.expires_in,
            "interval": begun.interval,
        }


def asked(client: Client, given: Mapping[str, str]) -> tuple[str, ...]:
    """The scopes a device asks for, all of its application's without a word. Raises `Refusal`."""
    if GRANT_TYPE not in client.grant_types:
        raise Refusal("unauthorized_client", "this client is not registered for the device grant")
    wanted = scopes.parsed(given.get("scope", ""))
    if wanted is None or not scopes.allowed(wanted, client.scopes):
        raise Refusal("invalid_scope", "a scope is malformed, unknown, or not registered for this client")
    return wanted or tuple(each for each in client.scopes if each != "offline_access")


class DeviceGrant:
    """The grant at the token endpoint; one approval gives tokens once, however many polls come at a time."""

    grant_type = GRANT_TYPE

    def __init__(self, codes: DeviceCodes, families: Families, issuing: Issuing) -> None:
        self._codes, self._families, self._issuing = codes, families, issuing

    async def tokens(self, client: Client, form: Mapping[str, str], jkt: str = "") -> dict[str, Any]:
        """The token answer for an authenticated client. Raises `Refusal`; `StoreDown`, and nothing is used up
        then. `jkt`: the key proven with the request."""
        if GRANT_TYPE not in client.grant_types:
            raise Refusal("unauthorized_client", "this client is not registered for the device grant")
        if not 0 < len(code := form.get("device_code", "")) <= LONGEST_CODE:
            raise Refusal("invalid_request", "device_code is missing or is none of ours")
        device = await self._codes.approved(code, client.id)
        granted = scopes.within(device.scopes, client.scopes)
        prepared = await self._issuing.prepare(
            client, device.person, device.session, needs_session="offline_access" not in granted
        )
        grant = Grant(
            person=device.person, session=device.session, scopes=granted, family=family_of_code(device.id),
            auth_time=device.auth_time, acr=device.acr, amr=device.amr,
        )  # fmt: skip
        answer = self._issuing.signed(prepared, grant, with_id_token="openid" in granted, jkt=jkt)
        refresh = await self._claimed(client, device, granted, jkt)
        await self._issuing.still(grant.family)
        return answer | ({"refresh_token": refresh} if refresh else {})

    async def _claimed(self, client: Client, device: Device, granted: tuple[str, ...], jkt: str) -> str:
        """Begin the device's family: of many polls at a time one gets through. The refresh token, if any."""
        public, offline = client.auth_method == "none", "offline_access" in granted
        try:
            _, refresh = await self._families.start(
                "refresh_token" in client.grant_types, code_id=device.id, client_id=client.id,
                person=device.person, session=device.session, scopes=granted, jkt=jkt if public else "",
                offline=offline, auth_time=device.auth_time, acr=device.acr, amr=device.amr,
            )  # fmt: skip
        except Taken:
            raise Refusal("invalid_grant", "this device_code was used") from None
        return refresh
