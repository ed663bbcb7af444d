"""What the demonstration tells of sign-on: issuer, providers, clients, applications, and who may sign in.

Everything here is synthetic and for trying out: the passwords and the secret are printed on purpose.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from auth.settings import ClientSettings, UpstreamSettings
from connectors.sandbox.twins import FRONTENDS, PASSPORT_NAMES
from hub.cli.twin_processes import Twin
from hub.settings import Settings

User = Mapping[str, str]


def sign_on(settings: Settings, twins: Mapping[str, Twin], users: Sequence[User]) -> dict[str, Any]:
    """`issuer`, `providers`, `clients`, `applications`, `users`: what a script needs to sign people in.

    `users` are those of `connectors.sandbox.passport.demo_users`; `upstream` names their provider's code at
    the hub beside `provider`, its process.
    """
    providers = [_provider(each, twins) for each in settings.upstreams]
    codes = {each["provider"]: each["code"] for each in providers}
    return {
        "issuer": settings.identity.issuer,
        "providers": providers,
        "clients": [_client(each) for each in settings.clients],
        "applications": [_application(name, twins[name]) for name in FRONTENDS],
        "users": [{**each, "upstream": codes.get(each["provider"], "")} for each in users],
    }


def _provider(upstream: UpstreamSettings, twins: Mapping[str, Twin]) -> dict[str, Any]:
    """A level's provider; process, address and pid None for one that is not the sandbox's."""
    place = urlsplit(upstream.issuer).netloc
    twin = next((twins[name] for name in PASSPORT_NAMES if urlsplit(twins[name].url).netloc == place), None)
    return {
        "code": upstream.code,
        "name": upstream.name,
        "level": upstream.level,
        "kind": upstream.kind,
        "provider": twin.name if twin else None,
        "address": twin.url if twin else None,
        "pid": twin.pid if twin else None,
    }


def _client(client: ClientSettings) -> dict[str, Any]:
    """A client as its application has to know it; `secret` None for a public one."""
    return {
        "client_id": client.id,
        "name": client.name,
        "secret": client.secret or None,
        "redirect_uris": list(client.redirect_uris),
        "post_logout_redirect_uris": list(client.post_logout_redirect_uris),
        "grant_types": list(client.grant_types),
        "scopes": list(client.scopes),
    }


def _application(name: str, twin: Twin) -> dict[str, Any]:
    chinese, english = FRONTENDS[name]
    return {
        "client_id": name,
        "name": chinese,
        "name_en": english,
        "address": f"{twin.url}/",
        "pid": twin.pid,
    }
