"""The provider on Authlib's framework-free server: our clients, grants and answers; every hook may wait."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from authlib.oauth2.rfc6749 import AuthorizationServer as Authlib  # type: ignore[import-untyped]
from starlette.responses import Response

from auth.bridge import synchronous, wait
from auth.clients import Clients
from auth.ports import Audit
from auth.provider.answers import Refusal, from_authlib
from auth.provider.client_auth import ClientAuthentication
from auth.provider.client_credentials import ClientCredentials
from auth.provider.code import AuthorizationCode, Code256, Understood
from auth.provider.codes import Codes
from auth.provider.families import Families
from auth.provider.issuing import Issuing
from auth.provider.refresh import Refresh
from auth.provider.requests import OAuthRequest, RelyingParty
from auth.provider.scopes import SCOPES


class AuthorizationServer(Authlib):  # type: ignore[misc]
    """Runs inside `auth.bridge.synchronous`. Other grants plug in by `register_grant`; what they need is
    here: `clients`, `families`, `issuing`, `codes`, `note`."""

    def __init__(
        self, *, clients: Clients, authentication: ClientAuthentication, codes: Codes, families: Families,
        issuing: Issuing, audit: Audit,
    ) -> None:  # fmt: skip
        super().__init__(scopes_supported=SCOPES)
        self.clients, self.authentication, self._audit = clients, authentication, audit
        self.codes, self.families, self.issuing = codes, families, issuing
        self.register_grant(AuthorizationCode, [Understood(), Code256(required=True)])
        self.register_grant(Refresh)
        self.register_grant(ClientCredentials)

    async def token(self, request: OAuthRequest) -> Response:
        """The answer of the token endpoint. Raises `AuthError` and `Refusal`, for `answers.refused`."""
        response: Response = await synchronous(self.create_token_response, request)
        return response

    async def validated(self, request: OAuthRequest) -> AuthorizationCode:
        """The grant of a valid authorization request, `asked` understood. Raises OAuth2Error, `StoreDown`."""
        if request.payload.response_type != "code":
            raise Refusal("unsupported_response_type", "response_type is code")
        grant: AuthorizationCode = await synchronous(self.get_consent_grant, request)
        return grant

    async def note(self, event: str, person: str, client_id: str) -> None:
        """Write down what happened to a grant."""
        await self._audit.note(event, person=person, client=client_id)

    def query_client(self, client_id: str) -> RelyingParty | None:
        """The client, as Authlib asks for it."""
        found = wait(self.clients.get(client_id))
        return RelyingParty(found, self.clients.allows_redirect) if found else None

    def authenticate_client(
        self, request: OAuthRequest, methods: Iterable[str], endpoint: str = "token"
    ) -> RelyingParty:
        """The client that proved itself by its own method. Raises `InvalidClient`, `Refusal`."""
        client = wait(self.authentication.authenticate(request.headers, request.form, request.uri))
        if client.dpop_bound and not request.jkt:
            raise Refusal("invalid_dpop_proof", "this client proves possession of its key (DPoP)")
        request.auth_method = client.auth_method
        return RelyingParty(client, self.clients.allows_redirect)

    def create_oauth2_request(self, request: OAuthRequest) -> OAuthRequest:
        """It is one already."""
        return request

    def handle_response(self, status: int, body: Any, headers: Any) -> Response:
        """JSON, never cached."""
        return from_authlib(status, body, headers)

    def save_token(self, token: Any, request: OAuthRequest) -> None:
        """Nothing of an access token is kept: it is checked by its signature."""

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nobody listens."""
