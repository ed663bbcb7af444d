"""The consent page: who asks, who vouches for it, for what; one click either way.

Rule 1: the form belongs to one interaction, one browser and one session: if somebody else signs in
between, it counts no more.
Rule 2: what is agreed to is what the interaction holds, never what the form sends.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from auth.browser import form, language, query
from auth.documents import Client, Interaction, Session
from auth.errors import Denied
from auth.pages import Pages
from auth.provider.chooser import RegionName
from auth.provider.consents import Consent as Consent
from auth.provider.consents import Consents as Consents
from auth.provider.interactions import Interactions
from auth.provider.landing import back_to, form_targets
from auth.provider.sign_in import interaction_over, name_of
from auth.words import PURPOSES

RESUME = "/oauth/authorize/resume"


class KnownClients(Protocol):
    """Finds applications (`auth.clients.Clients`)."""

    async def get(self, client_id: str) -> Client | None: ...


class CurrentSession(Protocol):
    """Tells whose browser it is (`auth.sessions.Sessions`)."""

    async def current(self, request: Request) -> Session | None: ...


class ConsentPages:
    """`/consent?i=`. `person_name` tells what to call a person: "" where nobody knows."""

    def __init__(
        self, pages: Pages, interactions: Interactions, clients: KnownClients, sessions: CurrentSession,
        consents: Consents, *, person_name: Callable[[str], Awaitable[str]],
        region_name: RegionName = lambda code, lang: code,
    ) -> None:  # fmt: skip
        self._pages, self._interactions, self._clients = pages, interactions, clients
        self._sessions, self._consents = sessions, consents
        self._person_name, self._region_name = person_name, region_name

    def routes(self) -> list[BaseRoute]:
        """Its address."""
        return [
            Route("/consent", self._pages.guarded(self._asked), methods=["GET"]),
            Route("/consent", self._pages.guarded(self._answered), methods=["POST"]),
        ]

    async def _asked(self, request: Request) -> Response:
        interaction, client = await self._found(request, query(request).get("i", ""))
        session = await self._sessions.current(request)
        if session is None:
            return self._pages.onward(f"/sign-in?i={interaction.id}")
        lang = language(request, str(interaction.params.get("ui_locales") or ""))
        region = self._region_name(client.region, lang) if client.region else ""
        return self._pages.show(
            request, "consent", purpose=_purpose(interaction, session),
            lang=lang, form_action=form_targets(interaction.params),
            i=interaction.id, client_name=name_of(client, lang), client_id=client.id, origin=client.origin,
            region=region, policy_uri=client.policy_uri if client.policy_uri.startswith("https://") else "",
            back_to=back_to(interaction.params), minors=client.minors,
            scopes=asked_scopes(interaction.params), purposes=asked_purposes(client, interaction.params),
            person_name=await self._person_name(session.person),
        )  # fmt: skip

    async def _answered(self, request: Request) -> Response:
        given = await form(request)
        interaction, client = await self._found(request, given.get("i", ""))
        session = await self._sessions.current(request)
        if session is None:
            return self._pages.onward(f"/sign-in?i={interaction.id}")
        self._pages.check(request, _purpose(interaction, session), given.get("csrf", ""))
        agreed: tuple[str, ...] = ()
        if given.get("decision") == "allow":
            agreed = asked_scopes(interaction.params)
            purposes = asked_purposes(client, interaction.params)
            await self._consents.grant(session.person, client, agreed, purposes, interaction=interaction.id)
        elif given.get("decision") != "deny":
            raise Denied("BAD_FORM", "请选择允许或不允许 / choose to allow or not to allow")
        await self._interactions.consented(interaction.id, self._pages.cookies.mark(request), agreed)
        return self._pages.onward(f"{RESUME}?i={interaction.id}")

    async def _found(self, request: Request, i: str) -> tuple[Interaction, Client]:
        interaction = await self._interactions.get(i, self._pages.cookies.mark(request)) if i else None
        client = await self._clients.get(interaction.client_id) if interaction else None
        if interaction is None or client is None:
            raise interaction_over()
        return interaction, client


def asked_scopes(params: Mapping[str, Any]) -> tuple[str, ...]:
    """The scopes of an authorization request, each once, in its order."""
    return _listed(params.get("scope"))


def asked_purposes(client: Client, params: Mapping[str, Any]) -> tuple[str, ...]:
    """For what the data will be used: what the request declares (`purpose`) of what the client is registered
    for; without it, all it is registered for. None where it asks for no data of the graph."""
    if not any(scope.partition(".")[0] == "graph" for scope in asked_scopes(params)):
        return ()
    declared = _listed(params.get("purpose"))
    return tuple(each for each in client.purposes if each in PURPOSES and (not declared or each in declared))


def _listed(value: object) -> tuple[str, ...]:
    words = value.split() if isinstance(value, str) else value if isinstance(value, list | tuple) else ()
    return tuple(dict.fromkeys(str(word) for word in words))


def _purpose(interaction: Interaction, session: Session) -> str:
    return f"consent:{interaction.id}:{session.id}"
